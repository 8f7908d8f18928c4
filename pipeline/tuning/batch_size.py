"""The largest batch that fits a device: a budget of padded seconds, found by training steps on noise.

The answer is a param (`config.batch_s`), written down by the person who asks; a training never chooses it. The budget
determines the batches, and so the weights, and a result must not depend on what else ran on the machine that day.
"""

from __future__ import annotations

import ctypes
import gc
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

from pipeline.batching.batches import MOST
from pipeline.batching.waveforms import collate
from pipeline.core.errors import TrainingError
from pipeline.core.manifest import SAMPLE_RATE_HZ
from pipeline.model.device import peak_bytes, set_threads
from pipeline.model.geometry import num_frames
from pipeline.model.vocabulary import Vocabulary
from pipeline.training.config import RunConfig
from pipeline.training.distributed import ProcessGroup
from pipeline.training.learner import Learner
from pipeline.training.loader import LoadedBatch
from pipeline.training.replicas import SubBatch

PRECISION = 1.05
"""The search ends when a budget that does not fit is at most this many times one that fits."""
LABELS_PER_SECOND = 20
"""More than any speaker: letters and word boundaries of Portuguese are 12 to 16 per second."""
OUT_OF_MEMORY_MESSAGES = ("out of memory", "ALLOC_FAILED")
"""Messages of CUDA libraries for a lack of memory, where torch does not raise its own kind of error."""
CPU_MARGIN = 1.05
"""On a CPU, where nothing refuses memory before the machine swaps or kills, a step that is predicted to take more than this many times
the limit is not tried."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A budget that was tried.

    Args:
        budget_s: padded seconds of audio.
        fits: whether its steps stayed within the memory limit.
        seconds: time that the steps took; 0 if they were not run, since their predicted peak was over the limit.
        peak_bytes: peak memory of the steps, or the prediction.
    """

    budget_s: float
    fits: bool
    seconds: float
    peak_bytes: int


class TimeLimitReached(Exception):
    """The time limit was reached within an attempt."""


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The largest budget that was seen to fit.

    Args:
        budget_s: padded seconds of audio.
        closed: whether a slightly larger budget was seen not to fit.
        attempts: all attempts, in order.
    """

    budget_s: float
    closed: bool
    attempts: tuple[Attempt, ...]


def search(attempt: Callable[[float], Attempt], start_s: float, ceiling_s: float, limit_s: float,
           clock: Callable[[], float] = time.perf_counter) -> SearchResult | None:
    """Return the largest budget that fits, found by doubling and then bisecting; None if the first one does not fit.

    Args:
        attempt: tries a budget.
        start_s: the first budget.
        ceiling_s: the largest useful budget.
        limit_s: time limit of the search. An attempt that would take longer than the time left, at the pace of the one before it, is not made.
        clock: returns the time in seconds.

    Raises:
        TrainingError: the first attempt did not end in time.
    """
    began, attempts, time_is_up = clock(), [], False

    def fits(budget_s: float) -> bool | None:
        """Return whether a budget fits, None if there is no time to try it."""
        nonlocal time_is_up
        paces = [one.seconds / one.budget_s for one in attempts if one.seconds]
        if time_is_up or (paces and clock() - began + paces[-1] * budget_s > limit_s):
            return None
        try:
            attempts.append(attempt(budget_s))
        except TimeLimitReached:
            time_is_up = True
            return None
        return attempts[-1].fits

    first = fits(start_s)
    if first is None:
        raise TrainingError("budget", f"not one step of {start_s:g} s was done within {limit_s:.0f} s", "a faster or an idle device")
    if not first:
        return None
    low, high, more = start_s, math.inf, True
    while more and low < ceiling_s and high / low > PRECISION:
        budget_s = min(2 * low, ceiling_s) if high == math.inf else (low + high) / 2
        fitting = fits(budget_s)
        if fitting is None and high == math.inf and budget_s > 1.25 * low:
            fitting = fits(budget_s := 1.25 * low)  # there may still be time for a smaller stride
        more = fitting is not None
        low, high = (budget_s, high) if fitting else (low, budget_s if more else high)
    return SearchResult(low, high / low <= PRECISION, tuple(attempts))


class Trial:
    """A config's optimiser steps on noise of given lengths, each followed by an evaluation: those of a training.

    Args:
        shape: content of the model's config.json; the weights are random, since memory does not depend on them.
        config: of the run.
        lengths_s: lengths of utterances to try, each in a batch of equal ones. The longest need most memory for attention and for the
            last utterance of a batch; in the shortest, rounding up to quarter seconds pads most.
        device: where the steps run.
        limit_bytes: memory that a step may take.
    """

    def __init__(self, shape: Mapping[str, Any], config: RunConfig, lengths_s: Sequence[float], device: torch.device, limit_bytes: int) -> None:
        set_threads(config.threads)
        ignored = ("front_end", "architectures", "transformers_version", "dtype", "torch_dtype")
        known = {key: value for key, value in shape.items() if key not in ignored}
        model = Wav2Vec2ForCTC(Wav2Vec2Config(**{**known, "ctc_loss_reduction": "mean", "ctc_zero_infinity": True, "pad_token_id": 0})).to(device)
        self.learner = Learner(model, config.model_copy(update={"compile": False}), "budget", device, ProcessGroup())
        self._config, self._lengths_s, self._device = config, sorted(set(lengths_s), reverse=True), device
        self._vocabulary = Vocabulary(("<pad>", "<unk>", "|", *(chr(0x4E00 + row) for row in range(model.config.vocab_size - 3))))
        self._random = np.random.default_rng(config.seed)
        self._limit = limit_bytes
        self._peaks = [(0.0, peak_bytes(device))]  # of the last two budgets that fitted; at first of the model alone

    def attempt(self, budget_s: float) -> Attempt:
        """Return whether a budget fits; memory is freed afterwards, whether it fits or not."""
        if self._device.type == "cpu" and (predicted := self._predicted_peak(budget_s)) > CPU_MARGIN * self._limit:
            return Attempt(budget_s, False, 0.0, predicted)
        began = time.perf_counter()
        _reset_peak(self._device)
        fits = True
        try:
            for length_s in self._lengths_s:
                self._step_and_evaluate(length_s, budget_s)
        except RuntimeError as error:  # torch.OutOfMemoryError is one
            if not isinstance(error, torch.OutOfMemoryError) and not any(message in str(error) for message in OUT_OF_MEMORY_MESSAGES):
                raise
            fits = False
        peak = peak_bytes(self._device)
        fits = fits and peak <= self._limit
        if fits:
            self._peaks = sorted([*self._peaks, (budget_s, peak)])[-2:]
        self.learner.optimiser.zero_grad()
        gc.collect()
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
        return Attempt(budget_s, fits, time.perf_counter() - began, peak)

    def _predicted_peak(self, budget_s: float) -> int:
        """Return the likely peak of a budget: memory beyond that of the model alone grows in proportion to the budget."""
        (less_s, less), (more_s, more) = self._peaks if len(self._peaks) == 2 else (self._peaks[0], self._peaks[0])
        return more + round((budget_s - more_s) * max(0, more - less) / (more_s - less_s)) if more_s > less_s else more

    def _step_and_evaluate(self, length_s: float, budget_s: float) -> None:
        learner, config = self.learner, self._config
        learner.replicas.train()
        learner.masking.apply(config.spec_augment.from_step if config.spec_augment else 0)
        learner.step([self._batch(length_s, budget_s)])
        batches = config.threads * len(learner.replicas) if self._device.type == "cpu" else 1  # decoded at the same time
        utterances = batches * max(1, int(4 * budget_s / length_s))
        noise = self._noise(length_s)
        learner.transcribe(self._vocabulary, lambda _: noise, np.full(utterances, length_s), budget_s)

    def _batch(self, length_s: float, budget_s: float) -> LoadedBatch:
        """Return the largest batch of a budget, of utterances of one length."""
        replicas = len(self.learner.replicas)
        full_s = budget_s * (MOST if replicas > 1 else 1.0)  # a batch for several replicas may hold more
        utterances = max(1, int(full_s / length_s)) + (self._config.processes > 1)  # shards of a batch may differ by an utterance
        parts = [self._part(length_s, len(part)) for part in np.array_split(np.arange(utterances), min(utterances, replicas))]
        return LoadedBatch(parts, utterances, utterances * length_s)

    def _part(self, length_s: float, utterances: int) -> SubBatch:
        model = self.learner.model
        padded_BS, mask_BS = collate([self._noise(length_s)] * utterances, SAMPLE_RATE_HZ // 4)
        frames = int(num_frames(model, np.array([padded_BS.shape[1]]))[0])
        labels_BU = self._random.integers(1, model.config.vocab_size, (utterances, max(1, min(int(LABELS_PER_SECOND * length_s), frames // 2))))
        return torch.from_numpy(padded_BS), torch.from_numpy(mask_BS), torch.from_numpy(labels_BU)

    def _noise(self, length_s: float) -> npt.NDArray[np.float32]:
        return self._random.standard_normal(round(length_s * SAMPLE_RATE_HZ), dtype=np.float32)


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TimeLimitReached in the main thread after `seconds`, between two of torch's operations; in another thread, never."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(*_: object) -> None:
        raise TimeLimitReached

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def find_budget(shape: Mapping[str, Any], config: RunConfig, lengths_s: Sequence[float], device: torch.device, limit_bytes: int, ceiling_s: float,
                limit_s: float, report: Callable[[Attempt], object] = lambda _: None) -> SearchResult:
    """Return the largest budget of a config that fits within a memory limit.

    Args:
        shape: content of the model's config.json.
        config: of the run.
        lengths_s: lengths of the utterances to try.
        device: where the steps run.
        limit_bytes: memory that a step may take.
        ceiling_s: the largest useful budget.
        limit_s: time limit, with the time to make the model.
        report: is called with each attempt.

    Raises:
        TrainingError: a step of one utterance of the longest does not fit, or did not end in time.
    """
    began = time.perf_counter()
    if device.type == "cuda":  # torch then refuses memory beyond the limit, even if the GPU has more
        torch.cuda.set_per_process_memory_fraction(min(1.0, limit_bytes / torch.cuda.mem_get_info(device)[1]), device)
    trial = Trial(shape, config, lengths_s, device, limit_bytes)

    def attempt(budget_s: float) -> Attempt:
        made = trial.attempt(budget_s)
        report(made)
        return made

    longest_s, left_s = max(lengths_s), limit_s - (time.perf_counter() - began)
    with time_limit(left_s):
        found = search(attempt, longest_s, max(ceiling_s, longest_s), left_s)
    if found is None:
        raise TrainingError("budget", f"a step of one utterance of {longest_s:g} s does not fit in {limit_bytes / 2**30:.1f} GiB", "",
                            "set gradient_checkpointing: true or precision: bf16, lower max_duration_s of the corpora, or use a larger device")
    return found


def _reset_peak(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return
    with suppress(OSError, AttributeError):  # return freed memory to the system (glibc), so that it does not count for the next attempt
        ctypes.CDLL(None).malloc_trim(0)
    with suppress(OSError):  # not Linux, or a kernel that does not allow it: the peak is then that of the whole process so far
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
