"""The int8 form of an exported network: weights of its matrix products in 7 bits, activations quantised as they come.

Convolutions stay fp32: a quantised convolution does not load (onnxruntime#15888). Weights have 7 of the 8 bits, since products of
bytes are added in 16 bits on processors without VNNI: with 8 bits they overflow there, and a file that the gate has judged on one machine would
write another text on the next.
"""

from __future__ import annotations

import logging
from pathlib import Path

import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic

from pipeline.core.files import atomic
from pipeline.exporting.network import write_stripped


def quantise(source: Path, target: Path) -> None:
    """Write the int8 form of an exported network, atomically: one scale per column of each weight.

    Args:
        source: fp32, as `export_network` wrote it.
        target: to write.
    """
    exported = onnx.load(source)
    described = {entry.key: entry.value for entry in exported.metadata_props} | {"batched": "0"}
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)  # it advises a pre-processing that adds nothing here
    try:
        with atomic(target) as temporary:
            quantize_dynamic(exported, temporary, op_types_to_quantize=["MatMul"], per_channel=True, reduce_range=True, weight_type=QuantType.QInt8)
            write_stripped(onnx.load(temporary), temporary, described)
    finally:
        root.setLevel(level)
