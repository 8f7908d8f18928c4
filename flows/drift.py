"""How far new utterances lie from those that the model was trained on: four distances, each 0 (alike) to 1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pandas as pd

FEWEST: Final = 50  # with fewer new utterances a distance of 0.2 happens by chance (Kolmogorov–Smirnov, 5 %: 1.36 / sqrt(50) = 0.19)


@dataclass(frozen=True, slots=True)
class Drift:
    """One distance and its bound."""

    name: str
    value: float
    bound: float

    @property
    def exceeded(self) -> bool:
        return self.value > self.bound

    def __str__(self) -> str:
        return f"{self.name} {self.value:.2f} (bound {self.bound:g})"


def distance(one: pd.Series, other: pd.Series) -> float:
    """Return the largest difference of two distribution functions (Massey, JASA 46, 1951); missing values are left out."""
    left, right = (values.dropna().sort_values().to_numpy() for values in (one, other))
    if not len(left) or not len(right):
        return 0.0
    return max(float(abs(left.searchsorted(at, "right") / len(left) - right.searchsorted(at, "right") / len(right)).max()) for at in (left, right))


def mix(one: pd.Series, other: pd.Series) -> float:
    """Return the share that would have to change sides for two mixes to be the same (total variation)."""
    shares = one.value_counts(normalize=True).sub(other.value_counts(normalize=True), fill_value=0.0)
    return float(shares.abs().sum() / 2)


def unseen(texts: pd.Series, known: pd.Series) -> float:
    """Return the share of running words that never stand in the known texts."""
    words = {word for text in known for word in text.split()}
    running = [word for text in texts for word in text.split()]
    return sum(word not in words for word in running) / len(running) if running else 0.0


def drifts(new: pd.DataFrame, trained: pd.DataFrame, *, length: float, snr: float, locales: float, vocabulary: float) -> list[Drift]:
    """Return how far new utterances (`core.manifest.NORMALISED`) lie from the training set; nothing of too few."""
    if len(new) < FEWEST or trained.empty:
        return []
    return [
        Drift("length", distance(new["duration_s"], trained["duration_s"]), length),
        Drift("SNR", distance(new["snr_db"], trained["snr_db"]), snr),
        Drift("locale mix", mix(new["locale"], trained["locale"]), locales),
        Drift("words never trained on", unseen(new["text"], trained["text"]), vocabulary),
    ]
