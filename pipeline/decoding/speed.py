"""The speed of a system, relative to a reference workload in the same process.

Audio-seconds per second depend on the machine and its load. Their ratio to a fixed workload depends on them much less: both
run in turn, on the same threads, within the same seconds. So a busy machine cannot change a verdict (docs/decisions/timing.md).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from transformers import Wav2Vec2Config, Wav2Vec2Model

REFERENCE: Final = "wav2vec2-base shape cut to 2 blocks, random weights, batches of 2 x 1 s, fp32"
"""The reference network; a relative speed of 1 is its number of audio-seconds per second in a forward pass."""
REFERENCE_BATCH: Final = (2, 16_000)  # utterances, samples at 16 kHz
PAIRS: Final = 5
"""Repetitions of system and reference: their spread gives the interval."""
T_975: Final = 2.776
"""97.5 % quantile of Student's t with PAIRS - 1 = 4 degrees of freedom."""


@dataclass(frozen=True, slots=True)
class RelativeSpeed:
    """A system's audio-seconds per second over those of the reference network, with a 95 % interval."""

    value: float
    low: float
    high: float

    def as_json(self) -> dict[str, Any]:
        """Return the ratio and its reference."""
        return {"value": self.value, "low": self.low, "high": self.high, "level": 0.95, "repeats": PAIRS, "reference": REFERENCE}


def relative_speed(run_system: Callable[[], float], device: torch.device) -> RelativeSpeed:
    """Return how many times as fast as the reference network a system transcribes.

    System and reference alternate; each pair gives one ratio. The interval is Student's t on the logarithms of the ratios: speeds
    vary by factors. The first pair warms up and is dropped.

    Args:
        run_system: transcribes a fixed sample and returns its length in seconds of audio.
        device: where the system runs.
    """
    run_reference = _reference(device)
    logs = []
    for repetition in range(PAIRS + 1):
        audio_s, seconds = _timed(run_system, device)
        reference_s, reference_seconds = _timed(run_reference, device)
        if repetition:
            logs.append(math.log(audio_s / seconds) - math.log(reference_s / reference_seconds))
    mean, spread = float(np.mean(logs)), T_975 * float(np.std(logs, ddof=1)) / math.sqrt(PAIRS)
    return RelativeSpeed(math.exp(mean), math.exp(mean - spread), math.exp(mean + spread))


def _reference(device: torch.device) -> Callable[[], float]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = Wav2Vec2Model(Wav2Vec2Config(num_hidden_layers=2, apply_spec_augment=False)).eval().to(device)
        waveform_BS = torch.randn(REFERENCE_BATCH).to(device)

    def run() -> float:
        with torch.inference_mode():
            network(waveform_BS)
        return waveform_BS.numel() / 16_000

    return run


def _timed(work: Callable[[], float], device: torch.device) -> tuple[float, float]:
    """Return what `work` returns and the seconds that it took."""
    began = time.perf_counter()
    result = work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return result, time.perf_counter() - began
