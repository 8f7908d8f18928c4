"""Where the work runs: the device, its precision, its threads, and the lock that keeps two trainings off one GPU."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from pipeline.acoustic.recipe import Precision
from pipeline.core.errors import PipelineError
from pipeline.core.progress import say


def choose_device() -> torch.device:
    """Return the first GPU where there is one, the CPU otherwise."""
    return torch.device("cuda", torch.cuda.current_device()) if torch.cuda.is_available() else torch.device("cpu")


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


@contextmanager
def exclusive(device: torch.device) -> Iterator[None]:
    """Hold the GPU's lock file (one per GPU UUID in the system's temporary folder); the kernel drops it with the
    process, however that ends. On the CPU nothing is locked.

    Raises:
        PipelineError: the lock file cannot be opened.
    """
    if device.type != "cuda":
        yield
        return
    path = Path(tempfile.gettempdir()) / f"vizinho-gpu-{torch.cuda.get_device_properties(device).uuid}.lock"
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise PipelineError(str(path), f"cannot be opened ({error.strerror})", "a lock file that every user may write",
                            "remove it, or correct its permissions") from None
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for the GPU: another training holds {path}")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
