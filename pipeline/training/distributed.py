"""Data-parallel training in several processes, each with a shard of every batch: started by the stage itself, or by torchrun.

Every process computes the same schedule and takes its shard. Gradients are summed over the processes, with equal weight for
every utterance, before the norm is clipped and the optimiser steps: all processes hold the same weights at all times. One
all-reduce of flattened gradients per step is enough for models of this size. DDP would overlap it with the backward pass, but
needs a new wrapper at each change of what is frozen, a search for weights without a gradient at every step, and special
handling of accumulated batches. torch is imported late: a stage starts other processes before it loads anything.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from pipeline.batching.batches import Batch
from pipeline.core.errors import ParamsError, TrainingError
from pipeline.core.progress import GRACE_S, silence

if TYPE_CHECKING:
    import torch

BUCKET = 1 << 25
"""Gradient values per all-reduce: 128 MiB of extra memory."""
SHUTDOWN_S = 120
"""Time to write a checkpoint after a shutdown request, before the processes are killed."""


def launch_distributed(module: str, arguments: Sequence[str], processes: int) -> None:
    """Return where this process has to do the work; otherwise run the stage in new processes and end this one with their exit code.

    A process has to do the work if `processes` is 1, or if torchrun has started it: then it joins the process group.

    Args:
        module: the stage's module, such as pipeline.train.
        arguments: the stage's command-line arguments.
        processes: number of processes in the training config.

    Raises:
        ParamsError: torchrun has started another number of processes, or there are fewer GPUs than processes.
        TrainingError: a process was killed; the others have been ended.
        SystemExit: the new processes have ended; after a signal the state of the last whole step is saved.
    """
    started = int(os.environ["WORLD_SIZE"]) if "TORCHELASTIC_RUN_ID" in os.environ else 0
    if started not in (0, processes):
        raise ParamsError("params.yaml", [f"config.processes: found {processes}, and torchrun has started {started}; expected the same, as the "
                                          "batch of a step, and so the result, depend on it"])
    if started > 1:
        _join()
    elif processes > 1:
        _launch(module, arguments, processes)


def _launch(module: str, arguments: Sequence[str], processes: int) -> NoReturn:
    defaults = {"OMP_NUM_THREADS": "1",  # torchrun's own default, without its warning
                "GLOO_SOCKET_IFNAME": "lo0" if sys.platform == "darwin" else "lo",  # one machine: no host name need resolve
                "LOGLEVEL": "CRITICAL"}  # the messages below report failures
    for name, value in defaults.items():
        os.environ.setdefault(name, value)
    from torch.distributed.elastic.multiprocessing import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.run import parse_args
    from torch.distributed.run import run as torchrun

    try:
        torchrun(parse_args(["--standalone", "--local-addr=localhost", f"--nproc-per-node={processes}", f"--shutdown-timeout={SHUTDOWN_S}",
                             "--module", module, *arguments]))
    except SignalException as error:
        raise SystemExit(128 + error.sigval) from None
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        if failure.exitcode >= 0:
            raise SystemExit(failure.exitcode) from None
        name = signal.Signals(-failure.exitcode).name
        raise TrainingError(module, f"process {rank} of {processes} was ended by {name}" + (" (out of memory?)" if name == "SIGKILL" else ""), "",
                            "the others have been ended as well; run it again to resume from the last checkpoint") from None
    raise SystemExit(0)


def _join() -> None:
    """Join the process group: only rank 0 logs, and every process ends with the process that started it (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG; the resume state survives a kill
    rank, local = int(os.environ["RANK"]), int(os.environ["LOCAL_RANK"])
    if rank:
        silence()
    import torch
    import torch.distributed as dist

    backend = "gloo"
    if torch.cuda.is_available():
        gpus, wanted = torch.cuda.device_count(), int(os.environ["LOCAL_WORLD_SIZE"])
        if wanted > gpus:
            raise ParamsError("params.yaml", [f"config.processes: found {wanted} on this machine; expected at most {gpus}, its number of GPUs"])
        torch.cuda.set_device(local)
        backend = "cpu:gloo,cuda:nccl"
    dist.init_process_group(backend, timeout=timedelta(days=30))  # another training may hold a GPU that long; torchrun notices dead processes
    atexit.register(dist.destroy_process_group)


@dataclass(frozen=True, slots=True)
class ProcessGroup:
    """The processes of a training, seen from one of them. With one process every method is trivial.

    Args:
        rank: number of this process, from 0.
        size: number of processes.
    """

    rank: int = 0
    size: int = 1

    @classmethod
    def joined(cls) -> ProcessGroup:
        """Return the group that this process has joined; a group of one if it has joined none."""
        import torch.distributed as dist

        return cls(dist.get_rank(), dist.get_world_size()) if dist.is_available() and dist.is_initialized() else cls()

    @property
    def is_rank_zero(self) -> bool:
        """Whether this is the process that writes files and logs."""
        return self.rank == 0

    def shard(self, batch: Batch) -> Batch:
        """Return this process's shard of a batch, empty if there are too few utterances; neighbours in length stay together."""
        return np.array_split(batch, self.size)[self.rank]

    def all_reduce_gradients(self, weights: Iterable[torch.nn.Parameter]) -> None:
        """Replace the gradients of the trainable weights by their sums over the processes, in place.

        A weight without a gradient in every process is left without one.

        Args:
            weights: the same weights in the same order in every process; frozen ones are left out.
        """
        if self.size == 1:
            return
        import torch
        import torch.distributed as dist

        trainable = [weight for weight in weights if weight.requires_grad]
        bucket: list[torch.nn.Parameter] = []
        values = 0
        for number, weight in enumerate(trainable, 1):
            bucket.append(weight)
            values += weight.numel()
            if values < BUCKET and number < len(trainable):
                continue
            present = torch.tensor([float(one.grad is not None) for one in bucket], device=weight.device)
            flat = torch.cat([*((torch.zeros_like(one) if one.grad is None else one.grad).flatten() for one in bucket), present])
            self._exchange(partial(dist.all_reduce, flat))
            *parts, present = flat.split([*(one.numel() for one in bucket), len(bucket)])
            for one, part, count in zip(bucket, parts, present.tolist(), strict=True):
                if count:
                    one.grad = part.view_as(one).clone() if one.grad is None else one.grad.copy_(part.view_as(one))
            bucket, values = [], 0

    def gather(self, value: Any) -> list[Any]:
        """Return the values of all processes by rank, in every process; all processes wait for one another."""
        if self.size == 1:
            return [value]
        import torch.distributed as dist

        found: list[Any] = [None] * self.size
        self._exchange(partial(dist.all_gather_object, found, value))
        return found

    @contextmanager
    def in_turn(self, hold: Callable[[], Any]) -> Iterator[None]:
        """Enter `hold()` in one process after the other, so that two trainings that need the same locks cannot deadlock."""
        for _ in range(self.rank):
            self.gather(None)
        with hold():
            for _ in range(self.rank, self.size):
                self.gather(None)
            yield

    def _exchange(self, exchange: Callable[[], object]) -> None:
        try:
            exchange()
        except RuntimeError as error:
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGTERM, signal.SIG_DFL)  # there is no step left to finish
            time.sleep(GRACE_S)  # the process that has failed reports first, and then all are ended
            raise TrainingError(f"process {self.rank} of {self.size}", f"another process has ended ({str(error).splitlines()[0]})", "",
                                "its own message gives the reason; run it again to resume from the last checkpoint") from None
