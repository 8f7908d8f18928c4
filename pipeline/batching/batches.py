"""Batches by a budget of padded seconds: bucketed by length, seeded, the same on every machine."""

from __future__ import annotations

import threading

import numpy as np
import numpy.typing as npt

Batch = npt.NDArray[np.int64]


MOST = 4 / 3
"""Largest share of its budget that a batch for several replicas may hold."""


def epoch_batches(duration_s: npt.NDArray[np.float64], budget_s: float, seed: int, epoch: int, parts: int = 1) -> list[Batch]:
    """Return one epoch's batches: every utterance once, batches in random order.

    Utterances are sorted by length, with a jitter of ±5 % so that batches differ between epochs, and cut where the
    longest times the number of utterances would exceed the budget; an utterance longer than the budget is a batch alone.

    For several replicas a batch holds the multiple of their number whose padded seconds are nearest to the budget, up to `MOST`
    times the budget: no replica waits for another, and the mean batch is as large as the budget. Example: three utterances of
    four seconds fit into fourteen, but only two are an even number, and a step with two costs nearly as much.

    Args:
        duration_s: length of each utterance, (N,).
        budget_s: padded seconds per batch; for several parts, the mean.
        seed: of the order; with the epoch it determines the result.
        epoch: counted from 0.
        parts: number of replicas; a batch with at least that many utterances holds a multiple of it, except the last one.
    """
    random = np.random.default_rng([seed, epoch])
    order = np.argsort(duration_s * random.uniform(0.95, 1.05, len(duration_s)), kind="stable")
    batches: list[Batch] = []
    start = 0
    while start < len(order):
        stop, longest = start + 1, float(duration_s[order[start]])
        while stop < len(order):
            longest = max(longest, float(duration_s[order[stop]]))
            if longest * (stop + 1 - start) > budget_s:
                break
            stop += 1
        if parts > 1:
            stop = start + _multiple(duration_s[order[start : stop + parts]], stop - start, budget_s, parts)
        batches.append(order[start:stop])
        start = stop
    return [batches[index] for index in random.permutation(len(batches))]


def _multiple(coming_s: npt.NDArray[np.float64], fitting: int, budget_s: float, parts: int) -> int:
    """Return how many of the coming utterances to take, given how many fit the budget."""
    lower = fitting - fitting % parts
    upper = lower + parts
    if upper <= len(coming_s):
        less, more = (float(coming_s[:count].max()) * count for count in (max(1, lower), upper))
        if more <= MOST * budget_s and more - budget_s < budget_s - less:
            return upper
    return lower or fitting


class Schedule:
    """The batch of every step, computed without replaying the ones before it: a resumed run skips nothing. Threads may share it."""

    def __init__(self, duration_s: npt.NDArray[np.float64], budget_s: float, seed: int, parts: int = 1) -> None:
        self._arguments = (duration_s, budget_s, seed, parts)
        self._epochs: dict[int, list[Batch]] = {}
        self._starts = [0]
        self._lock = threading.Lock()

    def _epoch(self, epoch: int) -> list[Batch]:
        if epoch not in self._epochs:
            duration_s, budget_s, seed, parts = self._arguments
            kept = {number: batches for number, batches in self._epochs.items() if abs(number - epoch) == 1}  # threads meet where epochs do
            self._epochs = kept | {epoch: epoch_batches(duration_s, budget_s, seed, epoch, parts)}
        return self._epochs[epoch]

    def __getitem__(self, step: int) -> Batch:
        """Return the batch of a step, counted from 0."""
        with self._lock:
            epoch = int(np.searchsorted(self._starts, step, side="right")) - 1
            while True:
                batches = self._epoch(epoch)
                if step < self._starts[epoch] + len(batches):
                    return batches[step - self._starts[epoch]]
                if epoch + 1 == len(self._starts):
                    self._starts.append(self._starts[epoch] + len(batches))
                epoch += 1


def padding_share(duration_s: npt.NDArray[np.float64], batches: list[Batch]) -> float:
    """Return the share of padded seconds that are padding, 0..1."""
    padded = sum(float(duration_s[batch].max()) * len(batch) for batch in batches)
    return 1.0 - float(duration_s.sum()) / padded if padded else 0.0
