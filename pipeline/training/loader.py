"""The batches of a training, prepared ahead by threads, so that no step waits for data."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from types import TracebackType

import numpy as np
import numpy.typing as npt
import torch

from pipeline.batching.batches import Batch, Schedule
from pipeline.batching.waveforms import UtteranceAudio, Waveform, collate
from pipeline.core.manifest import SAMPLE_RATE_HZ
from pipeline.core.processors import usable_processors
from pipeline.training.replicas import SubBatch


@dataclass(frozen=True, slots=True)
class LoadedBatch:
    """A batch of one step, as one process sees it.

    Args:
        parts: this process's shard, a sub-batch for each replica; empty if the batch has fewer utterances than there are processes.
        utterances: number of utterances in the whole batch.
        audio_s: seconds of audio in the whole batch, without padding.
    """

    parts: list[SubBatch]
    utterances: int
    audio_s: float


class BatchLoader:
    """A context in which `next_batch` returns one batch after another.

    Batch number N is a function of the schedule alone, whatever the number of threads.

    Args:
        audio: the training set.
        waveform: returns the (augmented) waveform of an utterance, given its index and the number of the batch; called in several threads.
        encoded: labels of each utterance, as rows of the vocabulary.
        duration_s: length of each utterance, (N,).
        schedule: the utterances of each batch.
        shard: returns the part of a batch that this process works on.
        replicas: sub-batches per shard.
        device: where the batches are used; those for a GPU are pinned.
        first: number of the first batch.
        stop: number after that of the last batch.

    Attributes:
        waited_s: seconds that `next_batch` has waited for data.
        workers: number of threads that prepare batches.
    """

    def __init__(self, audio: UtteranceAudio, waveform: Callable[[int, int], Waveform], encoded: list[list[int]], duration_s: npt.NDArray[np.float64],
                 schedule: Schedule, shard: Callable[[Batch], Batch], replicas: int, device: torch.device, first: int, stop: int) -> None:
        self._audio, self._waveform, self._encoded, self._duration_s = audio, waveform, encoded, duration_s
        self._schedule, self._shard, self._replicas, self._on_cpu = schedule, shard, replicas, device.type == "cpu"
        self._numbers = iter(range(first, stop))
        self._range = range(first, stop)
        self.workers = 1 if self._on_cpu else max(1, min(4, usable_processors() - 1))
        self._upcoming: list[Future[LoadedBatch]] = []
        self.waited_s = 0.0

    def __enter__(self) -> BatchLoader:
        """Decode what fits in memory (on a CPU) and start to prepare batches."""
        if self._on_cpu:
            self._audio.keep(self._in_order_of_use(), self._replicas)
        self._threads = ThreadPoolExecutor(self.workers)
        self._upcoming = [self._threads.submit(self._prepare, number) for number in islice(self._numbers, 2 * self.workers)]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """End the threads."""
        self._threads.shutdown(cancel_futures=True)

    def next_batch(self) -> LoadedBatch:
        """Return the next batch.

        Raises:
            IndexError: there is none left.
            DataError: the audio of an utterance cannot be read.
        """
        began = time.perf_counter()
        batch = self._upcoming.pop(0).result()
        self.waited_s += time.perf_counter() - began
        self._upcoming += [self._threads.submit(self._prepare, number) for number in islice(self._numbers, 1)]
        return batch

    def collate(self, utterances: Batch, number: int) -> SubBatch:
        """Return the tensors of some utterances, with the waveforms that they have in batch `number`."""
        padded_BS, mask_BS = collate([self._waveform(int(index), number) for index in utterances], SAMPLE_RATE_HZ // 4)
        longest = max(len(self._encoded[index]) for index in utterances)
        labels_BU = np.full((len(utterances), longest), -100, dtype=np.int64)
        for row, index in enumerate(utterances):
            labels_BU[row, : len(self._encoded[index])] = self._encoded[index]
        tensors = torch.from_numpy(padded_BS), torch.from_numpy(mask_BS), torch.from_numpy(labels_BU)
        return tensors if self._on_cpu else (tensors[0].pin_memory(), tensors[1].pin_memory(), tensors[2].pin_memory())

    def _prepare(self, number: int) -> LoadedBatch:
        batch = self._schedule[number]
        shard = self._shard(batch)
        parts = np.array_split(shard, min(self._replicas, len(shard))) if len(shard) else []
        return LoadedBatch([self.collate(part, number) for part in parts], len(batch), float(self._duration_s[batch].sum()))

    def _in_order_of_use(self) -> list[int]:
        """Return the utterances of the run in the order of their first use.

        On a CPU they are decoded before the first step, as far as memory allows. Decoding beside the replicas, which wait for one
        another, costs a tenth of a step's time, six times the time that decoding all of them takes here (docs/log.md).
        """
        used: dict[int, None] = {}
        for number in self._range:
            used |= dict.fromkeys(self._shard(self._schedule[number]).tolist())
            if len(used) == len(self._duration_s):
                break
        return list(used)
