"""Tuning of a beam search on a development set: a coordinate search over its weights, and the temperature of its confidences."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from pipeline.decoding.beam import Settings

GRID: Final[Mapping[str, Sequence[float]]] = {
    "language_weight": (0.25, 0.5, 0.75, 1.0, 1.5, 2.0),
    "word_score": (-1.0, 0.0, 0.5, 1.0, 1.5, 2.5, 4.0),
    "unknown_score": (-15.0, -10.0, -7.0, -4.0, -2.0, 0.0),
}
"""Values tried for each setting."""
ROUNDS: Final = 2
"""Times that every setting is searched: the second round sees the values that the first one chose for the others."""
TEMPERATURES: Final = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 7.0)
"""Values tried for the temperature."""


def search(start: Settings, wer_of: Callable[[Settings], float]) -> tuple[Settings, list[dict[str, Any]]]:
    """Return the settings with the lowest WER, and every trial: its settings and WER, in order.

    A coordinate search: one setting at a time, the others fixed. Of equal results the value nearer to the present one is kept, so that
    nothing moves without a reason.

    Args:
        start: the first settings.
        wer_of: returns the WER on the development set, a fraction.
    """
    trials: list[dict[str, Any]] = []
    known: dict[Settings, float] = {}

    def measure(settings: Settings) -> float:
        if settings not in known:
            known[settings] = wer_of(settings)
            trials.append({"language_weight": settings.language_weight, "word_score": settings.word_score,
                           "unknown_score": settings.unknown_score, "wer": known[settings]})
        return known[settings]

    best = start
    measure(best)
    for _ in range(ROUNDS):
        before = best
        for name, values in GRID.items():
            present = getattr(best, name)
            for value in sorted(values, key=lambda value: abs(value - present)):
                tried = replace(best, **{name: value})  # type: ignore[arg-type]
                if measure(tried) < measure(best):
                    best = tried
        if best == before:
            break
    return best, trials


def log_loss(confidence_W: Sequence[float], right_W: Sequence[bool]) -> float:
    """Return the mean negative log likelihood of words being right, in nats; lower is better calibrated and sharper."""
    confidence = np.clip(np.array(confidence_W, dtype=np.float64), 1e-3, 1 - 1e-3)
    right = np.array(right_W, dtype=bool)
    return float(-np.log(np.where(right, confidence, 1 - confidence)).mean()) if len(right) else 0.0


def calibrate(loss_of: Callable[[float], float]) -> float:
    """Return the temperature with the lowest log loss on the development set."""
    return min(TEMPERATURES, key=loss_of)
