"""The wav2vec2 model: its folder on disk, vocabulary, head transfer, foreign checkpoints, geometry, provenance.

Shape legend used in names: B batch, S samples, T frames, V vocabulary, U labels.
"""

import os

# Before torch is loaded. Idle threads sleep: by default they spin on the core that the other replica needs, and on a busy
# machine a step of two threads took 586 ms instead of 46 (docs/log.md).
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

# oneDNN compiles a kernel per shape and caches 1,024 of them, which some forty batch lengths fill: then each is compiled anew, 9 ms of 36.
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "8192")
