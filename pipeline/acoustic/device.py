"""Where the work runs: the device, its precision, its threads, and the lock that keeps two of them off one GPU."""

from __future__ import annotations

import fcntl
import os
import resource
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import torch
from transformers import Wav2Vec2ForCTC

from pipeline.acoustic.recipe import Precision
from pipeline.core.errors import PipelineError, TrainingError
from pipeline.core.files import lock_free
from pipeline.core.progress import say


def choose_device() -> torch.device:
    """Return the first GPU where there is one, the CPU otherwise."""
    return torch.device("cuda", torch.cuda.current_device()) if torch.cuda.is_available() else torch.device("cpu")


def peak_bytes(device: torch.device) -> int:
    """Return the most memory that this process has held: the GPU's that its tensors took, on the CPU all of the process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def set_threads(threads: int) -> None:
    """Fix the CPU threads (results of float sums depend on them) and flush denormal numbers, which are slow."""
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Let operations within use so many CPU threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


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
        raise TrainingError(label, f"compile: true with {replicas} replicas", "replicas: 1", "correct train.recipe or donor.recipe")
    if not any(map(shutil.which, (os.environ.get("CXX", "c++"), "g++", "clang++"))):
        raise TrainingError(label, "compile: true and no C++ compiler", "c++, g++, clang++ or what CXX names on the path",
                            "install one (Debian: apt install g++), or take compile out of the recipe")
    for block in model.wav2vec2.encoder.layers:
        block.compile(dynamic=True)


@contextmanager
def exclusive(device: torch.device, cpu_threads: int) -> Iterator[None]:
    """Hold a lock file in the system's temporary folder: the GPU's, by its UUID; on the CPU one of as many as have room
    with `cpu_threads` each. Whoever trains or transcribes takes it, so that no two share a GPU or slow one another
    down; the kernel drops it with the process, however that ends.

    Raises:
        PipelineError: the lock file cannot be opened.
    """
    if device.type == "cuda":
        what, names = "the GPU", [f"vizinho-gpu-{torch.cuda.get_device_properties(device).uuid}.lock"]
    else:
        what, names = "the CPU", [f"vizinho-cpu-{slot}.lock" for slot in range(max(1, len(os.sched_getaffinity(0)) // cpu_threads))]
    handles = [_open_lock(Path(tempfile.gettempdir()) / name) for name in names]
    try:
        if not any(lock_free(handle) for handle in handles):
            say(f"waiting for {what}: another training or transcription holds {Path(tempfile.gettempdir()) / names[0]}")
            fcntl.flock(handles[os.getpid() % len(handles)], fcntl.LOCK_EX)
        yield
    finally:
        for handle in handles:
            os.close(handle)


def _open_lock(path: Path) -> int:
    """Return an open lock file that every user may open: for reading, as the kernel protects others' files in /tmp from
    being opened for writing or with O_CREAT."""
    try:
        try:
            return os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            return os.open(path, os.O_RDONLY | os.O_CREAT, 0o644)
    except OSError as error:
        raise PipelineError(str(path), f"cannot be opened ({error.strerror})", "a lock file that every user may read",
                            "remove it, or correct its permissions") from None


def figures_of(device: torch.device) -> dict[str, float]:
    """Return how busy a GPU is (0..1, where the driver tells) and the most memory that this process has had on it; nothing of a CPU."""
    if device.type != "cuda":
        return {}
    figures = {"gpu_memory_gb": torch.cuda.max_memory_allocated(device) / 1e9}
    with suppress(ModuleNotFoundError, RuntimeError):  # nvidia-ml-py is not installed, or the driver tells nothing
        figures["gpu_utilisation"] = torch.cuda.utilization(device) / 100
    return figures
