"""The batches of a training, made ahead by threads, so that no step waits for one."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from types import TracebackType

import numpy as np
import numpy.typing as npt
import torch

from pipeline.batching.batches import Batch, Schedule
from pipeline.batching.waveforms import Clips, Waveform, collate
from pipeline.core.manifest import SAMPLE_RATE_HZ
from pipeline.training.replicas import Part

Taken = tuple[list[Part], int, float]
"""This process's share of a batch in as many parts as there are replicas; of the whole batch the utterances, and the seconds of audio
without padding."""


class Loader:
    """A context in which `take` gives one batch after another; `waited` are the seconds that it kept its caller waiting.

    The batch of a number is a function of the schedule alone, however many threads there are.

    Args:
        clips: the audio of the training set.
        heard: gives an utterance's waveform, by its index and the batch's number; called in several threads.
        encoded: the rows of its labels, of each utterance.
        duration_s: its length, (N,).
        schedule: which utterances a batch has.
        share: those of them that this process takes, none if there are too few.
        replicas: parts of a share.
        device: where the batches go; those of a GPU are pinned.
        first, last: numbers of the first batch and of the one after the last.
    """

    def __init__(self, clips: Clips, heard: Callable[[int, int], Waveform], encoded: list[list[int]], duration_s: npt.NDArray[np.float64],
                 schedule: Schedule, share: Callable[[Batch], Batch], replicas: int, device: torch.device, first: int, last: int) -> None:
        self._clips, self._heard, self._encoded, self._duration_s = clips, heard, encoded, duration_s
        self._schedule, self._share, self._replicas, self._on_cpu = schedule, share, replicas, device.type == "cpu"
        self._numbers = iter(range(first, last))
        self._range = range(first, last)
        self.workers = 1 if self._on_cpu else max(1, min(4, len(os.sched_getaffinity(0)) - 1))
        self._upcoming: list[Future[Taken]] = []
        self.waited = 0.0

    def __enter__(self) -> Loader:
        if self._on_cpu:
            self._clips.keep(self._wanted(), self._replicas)
        self._threads = ThreadPoolExecutor(self.workers)
        self._upcoming = [self._threads.submit(self._prepare, number) for number in islice(self._numbers, 2 * self.workers)]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._threads.shutdown(cancel_futures=True)

    def take(self) -> Taken:
        """Return the next batch."""
        asked = time.perf_counter()
        taken = self._upcoming.pop(0).result()
        self.waited += time.perf_counter() - asked
        self._upcoming += [self._threads.submit(self._prepare, number) for number in islice(self._numbers, 1)]
        return taken

    def part_of(self, share: Batch, number: int) -> Part:
        """Return these utterances as batch `number` has them."""
        padded_BS, mask_BS = collate([self._heard(int(index), number) for index in share], SAMPLE_RATE_HZ // 4)
        longest = max(len(self._encoded[index]) for index in share)
        labels_BU = np.full((len(share), longest), -100, dtype=np.int64)
        for row, index in enumerate(share):
            labels_BU[row, : len(self._encoded[index])] = self._encoded[index]
        tensors = torch.from_numpy(padded_BS), torch.from_numpy(mask_BS), torch.from_numpy(labels_BU)
        return tensors if self._on_cpu else tuple(tensor.pin_memory() for tensor in tensors)

    def _prepare(self, number: int) -> Taken:
        batch = self._schedule[number]
        mine = self._share(batch)
        shares = np.array_split(mine, min(self._replicas, len(mine))) if len(mine) else []
        return [self.part_of(share, number) for share in shares], len(batch), float(self._duration_s[batch].sum())

    def _wanted(self) -> list[int]:
        """Return the utterances of the run in the order in which it comes to them.

        On the CPU they are decoded before the first step, as far as memory goes: beside the replicas, each of which the other
        waits for, a tenth of a step's time is lost to it, six times as much as all of it takes here (docs/log.md).
        """
        wanted: dict[int, None] = {}
        for number in self._range:
            wanted |= dict.fromkeys(self._share(self._schedule[number]).tolist())
            if len(wanted) == len(self._duration_s):
                break
        return list(wanted)
