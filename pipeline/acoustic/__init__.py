"""The only place of torch, torchaudio and transformers: audio, model, head transfer, batching, training, decoding.

Shape legend used in names: B batch, S samples, T frames, V vocabulary, U labels.
"""

import os

# Before torch is loaded. Threads that wait for the next operation sleep: by default they spin on the core that the other
# replica needs, and on a busy machine a step of two threads took 586 ms in place of 46 (docs/log.md).
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

# Kernels are made for a shape and kept for 1,024 of them, which some forty lengths of batches fill: then each is made anew, 9 ms of a pass's 36.
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "8192")
