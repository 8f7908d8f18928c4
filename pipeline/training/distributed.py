"""Several processes that train one model, each with a share of every batch: started by the stage itself, or by torchrun.

Every process computes the same schedule and takes its share, so data are sharded once. Gradients are added up over the
processes, each utterance weighing alike, before the norm is clipped and the weights move: all processes hold the same
weights at all times. One all-reduce of flattened gradients a step is enough for models of this size; DDP would overlap it with
the way back, and would have to be wrapped anew at each change of what is frozen, search for weights without a gradient at every step, and
be told of accumulated batches. torch is imported late: a stage asks for other processes before it loads anything.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.batching.batches import Batch
from pipeline.core.errors import ParamsError, TrainingError
from pipeline.core.progress import GRACE_S, silence

if TYPE_CHECKING:
    import torch

BUCKET = 1 << 25
"""Values that are added up at once: 128 MiB beside the gradients."""
SHUTDOWN_S = 120
"""Time to write a checkpoint in after a wish to end, before the processes are killed."""


def launch_distributed(module: str, words: Sequence[str], processes: int) -> bool:
    """Run a stage in so many processes of its own and return True, or return False where this process is to do the work: alone, or
    as one of those (which it joins).

    Args:
        module: of the stage, such as pipeline.train.
        words: its command line.
        processes: what the recipe says.

    Raises:
        ParamsError: torchrun has started another number of processes, or there are fewer GPUs than processes.
        TrainingError: a process was killed; the others have been ended.
        SystemExit: a process has failed, and said why; or a signal came, and the state of the last whole step is kept.
    """
    started = int(os.environ["WORLD_SIZE"]) if "TORCHELASTIC_RUN_ID" in os.environ else 0
    if started not in (0, processes):
        raise ParamsError("params.yaml", [f"config.processes: found {processes}, and torchrun has started {started}; expected the same, as the "
                                          "batch of a step and so the result depend on it"])
    if processes == 1:
        return False
    if not started:
        _launch(module, words, processes)
        return True
    _join()
    return False


def _launch(module: str, words: Sequence[str], processes: int) -> None:
    given = {"OMP_NUM_THREADS": "1",  # torchrun sets the same, and says so
             "GLOO_SOCKET_IFNAME": "lo0" if sys.platform == "darwin" else "lo",  # one machine: no host name need resolve
             "LOGLEVEL": "CRITICAL"}  # what its log has of a failure is in the messages below
    for name, value in given.items():
        os.environ.setdefault(name, value)
    from torch.distributed.elastic.multiprocessing import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.run import parse_args
    from torch.distributed.run import run as torchrun

    try:
        torchrun(parse_args(["--standalone", "--local-addr=localhost", f"--nproc-per-node={processes}", f"--shutdown-timeout={SHUTDOWN_S}",
                             "--module", module, *words]))
    except SignalException as error:
        raise SystemExit(128 + error.sigval) from None
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        if failure.exitcode >= 0:
            raise SystemExit(failure.exitcode) from None
        name = signal.Signals(-failure.exitcode).name
        raise TrainingError(module, f"process {rank} of {processes} was ended by {name}" + (" (out of memory?)" if name == "SIGKILL" else ""), "",
                            "the others have been ended as well; run it again to go on from the last checkpoint") from None


def _join() -> None:
    """Become one of the processes: silent but for the first, and gone when whoever started it is (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: a kill is what the resume state is for
    rank, local = int(os.environ["RANK"]), int(os.environ["LOCAL_RANK"])
    if rank:
        silence()
    import torch
    import torch.distributed as dist

    backend = "gloo"
    if torch.cuda.is_available():
        there, wanted = torch.cuda.device_count(), int(os.environ["LOCAL_WORLD_SIZE"])
        if wanted > there:
            raise ParamsError("params.yaml", [f"config.processes: found {wanted} on this machine; expected at most {there}, its GPUs"])
        torch.cuda.set_device(local)
        backend = "cpu:gloo,cuda:nccl"
    dist.init_process_group(backend, timeout=timedelta(days=30))  # another training may hold a GPU so long; the dead are noticed otherwise
    atexit.register(dist.destroy_process_group)


@dataclass(frozen=True, slots=True)
class ProcessGroup:
    """The processes of a training, seen from one of them. With one process nothing is exchanged, and every method is trivial."""

    rank: int = 0
    size: int = 1

    @classmethod
    def joined(cls) -> ProcessGroup:
        """Return the team that this process has joined; itself alone if none."""
        import torch.distributed as dist

        return cls(dist.get_rank(), dist.get_world_size()) if dist.is_available() and dist.is_initialized() else cls()

    @property
    def is_rank_zero(self) -> bool:
        """Whether it is this process that writes and says."""
        return self.rank == 0

    def share(self, batch: Batch) -> Batch:
        """Return this process's part of a batch, none if there are too few utterances: neighbours in length stay together."""
        return np.array_split(batch, self.size)[self.rank]

    def add_gradients(self, weights: Sequence[torch.nn.Parameter]) -> None:
        """Give every process the sum of the gradients; a weight that has none in any process keeps none."""
        if self.size == 1:
            return
        import torch
        import torch.distributed as dist

        bucket: list[torch.nn.Parameter] = []
        values = 0
        for place, weight in enumerate(weights):
            bucket.append(weight)
            values += weight.numel()
            if values < BUCKET and place + 1 < len(weights):
                continue
            known = torch.tensor([float(one.grad is not None) for one in bucket], device=weight.device)
            flat = torch.cat([*((torch.zeros_like(one) if one.grad is None else one.grad).flatten() for one in bucket), known])
            self._together(lambda flat=flat: dist.all_reduce(flat))
            *parts, known = flat.split([*(one.numel() for one in bucket), len(bucket)])
            for one, part, count in zip(bucket, parts, known.tolist(), strict=True):
                if count:
                    one.grad = part.view_as(one).clone() if one.grad is None else one.grad.copy_(part.view_as(one))
            bucket, values = [], 0

    def gather(self, value: Any) -> list[Any]:
        """Return what each process gives, in the order of the processes; all wait for one another."""
        if self.size == 1:
            return [value]
        import torch.distributed as dist

        found: list[Any] = [None] * self.size
        self._together(lambda: dist.all_gather_object(found, value))
        return found

    @contextmanager
    def in_turn(self, hold: Callable[[], Any]) -> Iterator[None]:
        """Enter `hold()` one process after the other: two trainings that want the same locks cannot wait for each other."""
        for _ in range(self.rank):
            self.gather(None)
        with hold():
            for _ in range(self.rank, self.size):
                self.gather(None)
            yield

    def _together(self, exchange: Callable[[], object]) -> None:
        try:
            exchange()
        except RuntimeError as error:
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGTERM, signal.SIG_DFL)  # there is no step left to finish
            time.sleep(GRACE_S)  # whoever has failed speaks first, and then all are ended
            raise TrainingError(f"process {self.rank} of {self.size}", f"another process is gone ({str(error).splitlines()[0]})", "",
                                "its own message says why; run it again to go on from the last checkpoint") from None
