"""How far new utterances are from the training set: four distances, each from 0 (alike) to 1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pandas as pd

MIN_UTTERANCES: Final = 50
"""With fewer new utterances a distance of 0.2 occurs by chance. Source: Kolmogorov–Smirnov bound at 5 %, 1.36 / sqrt(50) = 0.19."""


@dataclass(frozen=True, slots=True)
class Drift:
    """One distance and its bound, both from 0 to 1."""

    name: str
    value: float
    bound: float

    @property
    def exceeded(self) -> bool:
        """Whether the distance is above its bound."""
        return self.value > self.bound

    def __str__(self) -> str:
        """Return the distance and its bound: "length 0.30 (bound 0.2)"."""
        return f"{self.name} {self.value:.2f} (bound {self.bound:g})"


def distance(one: pd.Series, other: pd.Series) -> float:
    """Return the largest difference between two empirical distribution functions, 0 to 1; missing values are ignored.

    Source: Massey, The Kolmogorov-Smirnov Test for Goodness of Fit, JASA 46, 1951.
    """
    left, right = (values.dropna().sort_values().to_numpy() for values in (one, other))
    if not len(left) or not len(right):
        return 0.0
    return max(float(abs(left.searchsorted(at, "right") / len(left) - right.searchsorted(at, "right") / len(right)).max()) for at in (left, right))


def category_distance(one: pd.Series, other: pd.Series) -> float:
    """Return the total variation distance between two categorical distributions, 0 to 1: half the sum of absolute differences of shares."""
    shares = one.value_counts(normalize=True).sub(other.value_counts(normalize=True), fill_value=0.0)
    return float(shares.abs().sum() / 2)


def unseen_share(texts: pd.Series, known: pd.Series) -> float:
    """Return the share of running words in `texts` that do not occur in `known`, 0 to 1."""
    words = {word for text in known for word in text.split()}
    running = [word for text in texts for word in text.split()]
    return sum(word not in words for word in running) / len(running) if running else 0.0


def drifts(new: pd.DataFrame, trained: pd.DataFrame, *, length: float, snr: float, locales: float, vocabulary: float) -> list[Drift]:
    """Return the four distances of new utterances from the training set; an empty list for too few utterances.

    Args:
        new: rows of `core.manifest.NORMALISED`.
        trained: likewise, of the training set.
        length: bound of the distance between utterance lengths, 0 to 1.
        snr: bound of the distance between signal-to-noise ratios.
        locales: bound of the distance between the locale distributions.
        vocabulary: bound of the share of running words that the training set lacks.
    """
    if len(new) < MIN_UTTERANCES or trained.empty:
        return []
    return [
        Drift("length", distance(new["duration_s"], trained["duration_s"]), length),
        Drift("SNR", distance(new["snr_db"], trained["snr_db"]), snr),
        Drift("locales", category_distance(new["locale"], trained["locale"]), locales),
        Drift("unseen words", unseen_share(new["text"], trained["text"]), vocabulary),
    ]
