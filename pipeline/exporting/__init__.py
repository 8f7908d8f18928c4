"""Export of a model to ONNX: the graph, its int8 form, and what both lose.

Shape legend used in names: B batch, S samples, T frames, V vocabulary.
"""

import pipeline.model  # noqa: F401 (sets the environment before torch is loaded)
