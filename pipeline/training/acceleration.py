"""Mixed precision, compiled blocks, and what a GPU reports of itself."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress

import torch
from transformers import Wav2Vec2ForCTC

from pipeline.core.errors import TrainingError
from pipeline.training.config import Precision


def autocast(device: torch.device, precision: Precision) -> torch.autocast:
    """Return the mixed-precision context: bf16 on a GPU by `auto`, fp32 on a CPU (bf16 without AVX-512 is ten times
    slower there). fp16 is not offered: its CTC loss overflows."""
    wanted = precision == "bf16" or (precision == "auto" and device.type == "cuda")
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=wanted)


def compile_blocks(model: Wav2Vec2ForCTC, replicas: int, label: str) -> None:
    """Have the encoder's blocks run compiled from now on: one program for all of them, whatever the length of what they are given.

    A block at a time, since which of them LayerDrop leaves out is known only at each step.

    Raises:
        TrainingError: there is no C++ compiler, or threads would share the compiled blocks, which torch cannot do.
    """
    if replicas > 1:
        raise TrainingError(label, f"compile: true with {replicas} replicas", "replicas: 1", "correct train.config or donor.config")
    if not any(map(shutil.which, (os.environ.get("CXX", "c++"), "g++", "clang++"))):
        raise TrainingError(label, "compile: true and no C++ compiler", "c++, g++, clang++ or what CXX names on the path",
                            "install one (Debian: apt install g++), or take compile out of the config")
    for block in model.wav2vec2.encoder.layers:
        block.compile(dynamic=True)


def figures_of(device: torch.device) -> dict[str, float]:
    """Return how busy a GPU is (0..1, where the driver tells) and the most memory that this process has had on it; nothing of a CPU."""
    if device.type != "cuda":
        return {}
    figures = {"gpu_memory_gb": torch.cuda.max_memory_allocated(device) / 1e9}
    with suppress(ModuleNotFoundError, RuntimeError):  # nvidia-ml-py is not installed, or the driver tells nothing
        figures["gpu_utilisation"] = torch.cuda.utilization(device) / 100
    return figures
