"""The device of a model: choice, CPU threads, memory, and the lock that keeps two processes off one GPU."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import torch

from pipeline.core.errors import PipelineError
from pipeline.core.files import lock_free
from pipeline.core.processors import usable_processors
from pipeline.core.progress import log
from pipeline.core.timing import peak_memory_bytes


def choose_device() -> torch.device:
    """Return the first GPU if there is one, otherwise the CPU."""
    return torch.device("cuda", torch.cuda.current_device()) if torch.cuda.is_available() else torch.device("cpu")


def peak_bytes(device: torch.device) -> int:
    """Return the peak memory of this process: on a GPU of its tensors, on a CPU of the whole process."""
    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else peak_memory_bytes()


def set_threads(threads: int) -> None:
    """Fix the CPU threads (results of float sums depend on them) and flush denormal numbers, which are slow."""
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Use this number of CPU threads in the context."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def exclusive(device: torch.device, cpu_threads: int) -> Iterator[None]:
    """Hold a lock file in the system's temporary folder: the GPU's by its UUID, or one of the CPU's slots of `cpu_threads` each.

    Trainings and transcriptions take it, so that no two share a GPU or slow each other down. The kernel releases it when the
    process ends.

    Raises:
        PipelineError: the lock file cannot be opened.
    """
    if device.type == "cuda":
        what, names = "the GPU", [f"vizinho-gpu-{torch.cuda.get_device_properties(device).uuid}.lock"]
    else:
        what, names = "the CPU", [f"vizinho-cpu-{slot}.lock" for slot in range(max(1, usable_processors() // cpu_threads))]
    handles = [_open_lock(Path(tempfile.gettempdir()) / name) for name in names]
    try:
        if not any(lock_free(handle) for handle in handles):
            log(f"waiting for {what}: another training or transcription holds {Path(tempfile.gettempdir()) / names[0]}")
            fcntl.flock(handles[os.getpid() % len(handles)], fcntl.LOCK_EX)
        yield
    finally:
        for handle in handles:
            os.close(handle)


def _open_lock(path: Path) -> int:
    """Return a lock file, opened for reading: the kernel protects files of other users in /tmp from writing and O_CREAT."""
    try:
        try:
            return os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            handle = os.open(path, os.O_RDONLY | os.O_CREAT, 0o644)
            with suppress(PermissionError):  # another user has created it meanwhile
                os.fchmod(handle, 0o644)  # whatever the umask
            return handle
    except OSError as error:
        raise PipelineError(str(path), f"cannot be opened ({error.strerror})", "a lock file that every user may read",
                            "remove it, or correct its permissions") from None


