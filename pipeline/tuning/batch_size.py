"""How large a batch may be: the largest budget of padded seconds whose step fits the device, found by real steps.

The answer is a param (`config.batch_s`), to be written down by whoever asks, and never chosen by a training itself: the budget
decides the batches, and so the weights, and a run must not depend on what else was on the machine that day.
"""

from __future__ import annotations

import ctypes
import gc
import math
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

from pipeline.batching.batches import MOST
from pipeline.batching.waveforms import collate
from pipeline.core.errors import TrainingError
from pipeline.core.manifest import SAMPLE_RATE_HZ
from pipeline.decoding.greedy import decode_all
from pipeline.model.device import set_threads, threads
from pipeline.model.geometry import num_frames
from pipeline.model.vocabulary import Vocabulary
from pipeline.training.acceleration import autocast
from pipeline.training.config import Run
from pipeline.training.ema import Averaging
from pipeline.training.lora import adapt
from pipeline.training.masking import Masking
from pipeline.training.optimiser import Optimiser
from pipeline.training.replicas import Part, Replicas
from pipeline.training.trainer import draws_at_random

CLOSENESS = 1.05
"""The search ends where what does not fit is so many times what fits."""
LABELS_PER_SECOND = 20
"""More than anybody speaks: letters and blanks between words of Portuguese are 12 to 16 a second."""
FULL = ("out of memory", "ALLOC_FAILED")
"""How CUDA's libraries say that there is no memory, where torch does not say so by the kind of the error."""
BEYOND = 1.05
"""Of the limit: on the CPU, where nothing refuses memory before the machine swaps or kills, a step that is foreseen to take more is not made."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One budget that was tried: whether it fits, how long its steps took, and the memory that they held at most; or, of no time, that they
    were foreseen to hold."""

    budget_s: float
    fits: bool
    seconds: float
    peak_bytes: int


class TimeUp(Exception):
    """An attempt is broken off, as there is no time left."""


@dataclass(frozen=True, slots=True)
class Found:
    """The largest budget that was seen to fit; `closed` says whether one a little larger was seen not to."""

    budget_s: float
    closed: bool
    attempts: tuple[Attempt, ...]


def search(attempt: Callable[[float], Attempt], start_s: float, ceiling_s: float, limit_s: float,
           clock: Callable[[], float] = time.perf_counter) -> Found | None:
    """Return the largest budget that fits, by doubling and then bisecting; None if not even the first does.

    Args:
        attempt: tries a budget.
        start_s: the first one.
        ceiling_s: the largest that is of use.
        limit_s: time for it all. An attempt that would take longer than what is left, at the pace of the one before it, is not made.

    Raises:
        TrainingError: the first attempt was not done in time.
    """
    began, made, up = clock(), [], False

    def fits(budget_s: float) -> bool | None:
        nonlocal up
        paces = [one.seconds / one.budget_s for one in made if one.seconds]
        if up or (paces and clock() - began + paces[-1] * budget_s > limit_s):
            return None
        try:
            made.append(attempt(budget_s))
        except TimeUp:
            up = True
            return None
        return made[-1].fits

    first = fits(start_s)
    if first is None:
        raise TrainingError("budget", f"not one step of {start_s:g} s was done within {limit_s:.0f} s", "a device that is faster, or has less to do")
    if not first:
        return None
    low, high, more = start_s, math.inf, True
    while more and low < ceiling_s and high / low > CLOSENESS:
        budget_s = min(2 * low, ceiling_s) if high == math.inf else (low + high) / 2
        fitting = fits(budget_s)
        if fitting is None and high == math.inf and budget_s > 1.25 * low:
            fitting = fits(budget_s := 1.25 * low)  # a smaller stride may still be within the time
        more = fitting is not None
        low, high = (budget_s, high) if fitting else (low, budget_s if more else high)
    return Found(low, high / low <= CLOSENESS, tuple(made))


class Trial:
    """A config's steps on noise of chosen lengths: way there, way back, weights moved, and an evaluation, as in a training.

    Args:
        config: content of the model's config.json; its weights are drawn, as memory does not depend on them.
        lengths_s: of the utterances to try, each in a batch of its kind. The longest are where memory goes for attention and for what a
            batch may hold too much; the shortest where rounding up to quarter seconds pads most.
        limit_bytes: memory that a step may hold.
    """

    def __init__(self, config: Mapping[str, Any], run: Run, lengths_s: Sequence[float], device: torch.device, limit_bytes: int) -> None:
        set_threads(run.threads)
        aside = ("front_end", "architectures", "transformers_version", "dtype", "torch_dtype")
        shape = {key: value for key, value in config.items() if key not in aside}
        model = Wav2Vec2ForCTC(Wav2Vec2Config(**{**shape, "ctc_loss_reduction": "mean", "ctc_zero_infinity": True, "pad_token_id": 0})).to(device)
        if run.freeze_feature_encoder:
            model.freeze_feature_encoder()
        if run.gradient_checkpointing:
            model.activation_checkpointing_enable()
        self._masking = Masking(model, run)
        if run.lora is not None:
            adapt(model, run.lora, run.seed)
        self._replicas = Replicas(model, run.replicas if device.type == "cpu" and not draws_at_random(model) else 1)
        self._optimiser, self._averaging = Optimiser(model, run), Averaging(model, run.ema)
        for replica in self._replicas.models:
            replica.wav2vec2.feature_extractor._requires_grad = False  # as Freezing does
        self._model, self._run, self._lengths_s, self._device = model, run, sorted(set(lengths_s), reverse=True), device
        self._vocabulary = Vocabulary(("<pad>", "<unk>", "|", *(chr(0x4E00 + row) for row in range(model.config.vocab_size - 3))))
        self._random = np.random.default_rng(run.seed)
        self._limit, self._held = limit_bytes, [(0.0, _peak(device))]  # of budgets that fitted, with what a model alone holds

    def attempt(self, budget_s: float) -> Attempt:
        """Try a budget; memory is as before afterwards, whether it fits or not."""
        if self._device.type == "cpu" and (foreseen := self._foreseen(budget_s)) > BEYOND * self._limit:
            return Attempt(budget_s, False, 0.0, foreseen)
        began = time.perf_counter()
        _forget_peak(self._device)
        fits = True
        try:
            for length_s in self._lengths_s:
                self._step(length_s, budget_s)
        except RuntimeError as error:  # torch.OutOfMemoryError is one
            if not isinstance(error, torch.OutOfMemoryError) and not any(said in str(error) for said in FULL):
                raise
            fits = False
        peak = _peak(self._device)
        fits = fits and peak <= self._limit
        if fits:
            self._held = sorted([*self._held, (budget_s, peak)])[-2:]
        self._optimiser.forget()
        gc.collect()
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
        return Attempt(budget_s, fits, time.perf_counter() - began, peak)

    def _foreseen(self, budget_s: float) -> int:
        """Return what a budget is likely to hold: memory grows in proportion to the budget, beyond what a model alone holds."""
        (less_s, less), (more_s, more) = self._held if len(self._held) == 2 else (self._held[0], self._held[0])
        return more + round((budget_s - more_s) * max(0, more - less) / (more_s - less_s)) if more_s > less_s else more

    def _step(self, length_s: float, budget_s: float) -> None:
        run, replicas = self._run, self._replicas
        full_s = budget_s * (MOST if len(replicas) > 1 else 1.0)  # a batch that replicas share may hold more
        clips = max(1, int(full_s / length_s)) + (run.processes > 1)  # shares of a batch may differ by an utterance
        replicas.train()
        self._masking.apply(run.spec_augment.from_step if run.spec_augment else 0)
        parts = [self._part(length_s, len(share)) for share in np.array_split(np.arange(clips), min(clips, len(replicas)))]

        def loss_of(replica: Wav2Vec2ForCTC, part: Part) -> torch.Tensor:
            waveform_BS, mask_BS, labels_BU = (tensor.to(self._device) for tensor in part)
            self._masking.fit(waveform_BS.shape[1])
            with autocast(self._device, run.precision):
                mean = replica(waveform_BS, attention_mask=mask_BS, labels=labels_BU).loss
            return mean * (len(labels_BU) / clips)

        replicas.backward(parts, loss_of)
        torch.nn.utils.clip_grad_norm_(self._model.parameters(), run.clip_norm)
        self._optimiser.step()
        self._averaging.update()
        self._model.eval()
        with threads(run.threads * len(replicas)):
            at_once = (torch.get_num_threads() if self._device.type == "cpu" else 1) * max(1, int(4 * budget_s / length_s))
            noise = self._noise(length_s)
            decode_all(self._model, self._vocabulary, lambda _: noise, np.full(at_once, length_s), 4 * budget_s)

    def _part(self, length_s: float, clips: int) -> Part:
        padded_BS, mask_BS = collate([self._noise(length_s)] * clips, SAMPLE_RATE_HZ // 4)
        frames = int(num_frames(self._model, np.array([padded_BS.shape[1]]))[0])
        labels_BU = self._random.integers(1, self._model.config.vocab_size, (clips, max(1, min(int(LABELS_PER_SECOND * length_s), frames // 2))))
        return torch.from_numpy(padded_BS), torch.from_numpy(mask_BS), torch.from_numpy(labels_BU)

    def _noise(self, length_s: float) -> Any:
        return self._random.standard_normal(round(length_s * SAMPLE_RATE_HZ), dtype=np.float32)


@contextmanager
def alarm(seconds: float) -> Iterator[None]:
    """Raise TimeUp in the main thread after so long, between two of torch's operations; in another thread, never."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(*_: object) -> None:
        raise TimeUp

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def find_budget(config: Mapping[str, Any], run: Run, lengths_s: Sequence[float], device: torch.device, limit_bytes: int, ceiling_s: float,
                limit_s: float, told: Callable[[Attempt], object] = lambda _: None) -> Found:
    """Return the largest budget of a recipe that fits in so much of a device's memory.

    Args:
        config, lengths_s: as `Trial` takes them.
        ceiling_s, limit_s: as `search` takes them; making the model counts in.
        told: is given each attempt.

    Raises:
        TrainingError: not even one utterance of the longest fits, or was done in time.
    """
    began = time.perf_counter()
    if device.type == "cuda":  # torch then refuses what is beyond, whatever else the GPU has room for
        torch.cuda.set_per_process_memory_fraction(min(1.0, limit_bytes / torch.cuda.mem_get_info(device)[1]), device)
    trial = Trial(config, run, lengths_s, device, limit_bytes)

    def attempt(budget_s: float) -> Attempt:
        made = trial.attempt(budget_s)
        told(made)
        return made

    longest_s, left_s = max(lengths_s), limit_s - (time.perf_counter() - began)
    with alarm(left_s):
        found = search(attempt, longest_s, max(ceiling_s, longest_s), left_s)
    if found is None:
        raise TrainingError("budget", f"a step of one utterance of {longest_s:g} s does not fit in {limit_bytes / 2**30:.1f} GiB", "",
                            "set gradient_checkpointing: true or precision: bf16, lower max_duration_s of the corpora, or take a larger device")
    return found


def _forget_peak(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return
    with suppress(OSError, AttributeError):  # what was freed goes back (glibc), so that it does not count for the attempt to come
        ctypes.CDLL(None).malloc_trim(0)
    with suppress(OSError):  # no Linux, or a kernel that does not allow it: the peak is then that of the whole process so far
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _peak(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if sys.platform == "linux":
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM:"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
