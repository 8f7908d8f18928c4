"""Mixed precision, compiled blocks, and what a GPU reports about itself."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress

import torch
from transformers import Wav2Vec2ForCTC

from pipeline.core.errors import TrainingError
from pipeline.training.config import Precision


def autocast(device: torch.device, precision: Precision) -> torch.autocast:
    """Return the mixed-precision context: for `auto` bf16 on a GPU and fp32 on a CPU.

    bf16 on a CPU without AVX-512 is ten times slower than fp32. fp16 is not offered: its CTC loss overflows.
    """
    wanted = precision == "bf16" or (precision == "auto" and device.type == "cuda")
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=wanted)


def compile_blocks(model: Wav2Vec2ForCTC, replicas: int, label: str) -> None:
    """Compile the encoder's blocks in place: one program serves all of them, for inputs of any length.

    Each block is compiled separately, since LayerDrop chooses at each step which blocks to leave out.

    Args:
        model: the model whose blocks are compiled.
        replicas: number of data-parallel threads; torch cannot share compiled blocks between threads.
        label: the stage, for error messages.

    Raises:
        TrainingError: there is no C++ compiler, or there is more than one replica.
    """
    if replicas > 1:
        raise TrainingError(label, f"compile: true with {replicas} replicas", "replicas: 1", "correct train.config or donor.config")
    if not any(map(shutil.which, (os.environ.get("CXX", "c++"), "g++", "clang++"))):
        raise TrainingError(label, "compile: true and no C++ compiler", "c++, g++, clang++ or the command in CXX on the path",
                            "install one (Debian: apt install g++), or remove compile from the config")
    for block in model.wav2vec2.encoder.layers:
        block.compile(dynamic=True)


def gpu_metrics(device: torch.device) -> dict[str, float]:
    """Return a GPU's utilisation (0..1, if the driver reports it) and this process's peak memory on it in GB; {} for a CPU."""
    if device.type != "cuda":
        return {}
    metrics = {"gpu_memory_gb": torch.cuda.max_memory_allocated(device) / 1e9}
    with suppress(ModuleNotFoundError, RuntimeError):  # nvidia-ml-py is not installed, or the driver reports nothing
        metrics["gpu_utilisation"] = torch.cuda.utilization(device) / 100
    return metrics
