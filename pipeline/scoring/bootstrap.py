"""Intervals and p-values by resampling speakers, since the errors of one speaker are not independent.

Shape suffixes: B utterances, U units (speakers or utterances), K distinct units, R resamples.

Sources: Bisani and Ney, "Bootstrap estimates for confidence intervals in ASR performance evaluation" (ICASSP 2004),
sections 3 and 4, for rates and paired differences; Liu et al., "Statistical testing on ASR performance via blockwise
bootstrap" (Interspeech 2020) for resampling blocks; Hesterberg, "What teachers should know about the bootstrap"
(The American Statistician 69, 2015), section 3.4, for the expanded percentile interval.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
from scipy.special import stdtr, stdtrit

from pipeline.scoring.counts import Integers

MIN_SPEAKERS: Final = 10
"""With fewer known speakers, the spread between speakers cannot be estimated, and utterances are resampled instead."""

_CELLS: Final = 4_000_000
"""Number of resampling weights drawn at once (32 MB)."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Units:
    """What is resampled: `code_B` is the unit of each utterance, 0 .. number - 1."""

    code_B: Integers
    number: int
    name: Literal["speaker", "utterance"]

    def sums(self, *values_B: Integers) -> Integers:
        """Return the sums of per-utterance integers by unit, shape (U, number of arguments)."""
        return np.stack([np.bincount(self.code_B, weights=v, minlength=self.number) for v in values_B], axis=1).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Interval:
    """A rate or difference with its interval and p-value; `low`, `high` and `p` are NaN if there is a single unit."""

    value: float
    low: float
    high: float
    p: float


def units_of(speakers: npt.ArrayLike) -> Units:
    """Return the units: speakers if ten or more are known ("" is unknown), else utterances.

    If speakers are the units, each utterance of an unknown speaker is one unit.
    """
    names = np.asarray(speakers, dtype=object)
    known = names != ""
    _, code_B = np.unique(names[known].astype(str), return_inverse=True)
    number = int(code_B.max()) + 1 if len(code_B) else 0
    if number < MIN_SPEAKERS:
        return Units(np.arange(len(names)), len(names), "utterance")
    codes = np.empty(len(names), dtype=np.int64)
    codes[known] = code_B
    unknown = int((~known).sum())
    codes[~known] = number + np.arange(unknown)
    return Units(codes, number + unknown, "speaker")


def resample(sums_U2: Integers, resamples: int, seed: int) -> Floats:
    """Return the ratio (first column over second) of `resamples` draws of U units with replacement, sorted.

    A resample is a multinomial draw over units. Units with equal sums are interchangeable, so the draw is made over
    the K distinct pairs with their multiplicities: the same distribution, exactly, at a cost of K instead of U.
    Draws without any reference word have no ratio and are left out.

    Args:
        sums_U2: numerator and denominator of each unit, shape (U, 2).
        resamples: number of draws.
        seed: of the random generator.
    """
    pairs_K2, multiplicity_K = np.unique(sums_U2, axis=0, return_counts=True)
    number = len(sums_U2)
    generator = np.random.default_rng(seed)
    step = max(1, _CELLS // len(pairs_K2))
    ratios: list[Floats] = []
    for start in range(0, resamples, step):
        weights_RK = generator.multinomial(number, multiplicity_K / number, size=min(step, resamples - start))
        top_R, bottom_R = (weights_RK @ pairs_K2).T
        ratios.append(top_R[bottom_R > 0] / bottom_R[bottom_R > 0])
    return np.sort(np.concatenate(ratios))


def interval(sums_U2: Integers, level: float, resamples: int, seed: int, null: float = 0.0) -> Interval:
    """Return a ratio of sums with its expanded percentile interval, and the p-value of `null` that inverts it.

    The percentile interval is too narrow by about sqrt((n - 1) / n), and because it uses normal quantiles instead of
    Student's. Its tail a is expanded to Phi(-sqrt(n / (n - 1)) t(1 - a; n - 1)). The p-value is two-sided: twice the
    tail probability at which an end of the interval equals `null`.

    Args:
        sums_U2: errors (or differences of errors) and reference words of each unit, shape (U, 2).
        level: two-sided confidence, 0..1.
        resamples: number of draws.
        seed: of the random generator.
        null: the ratio that the p-value tests.
    """
    top, bottom = (int(total) for total in sums_U2.sum(axis=0))
    nan = float("nan")
    value = top / bottom if bottom else nan
    number = len(sums_U2)
    if number < 2 or not bottom:
        return Interval(value, nan, nan, nan)
    ratios_R = resample(sums_U2, resamples, seed)
    stretch = np.sqrt(number / (number - 1))
    normal = NormalDist()
    tail = normal.cdf(float(stretch * stdtrit(number - 1, (1 - level) / 2)))
    low, high = np.quantile(ratios_R, [tail, 1 - tail])
    share = (min((ratios_R >= null).sum(), (ratios_R <= null).sum()) + 1) / (len(ratios_R) + 1)
    p = min(1.0, 2 * float(stdtr(number - 1, normal.inv_cdf(min(share, 0.5)) / stretch)))
    return Interval(value, float(low), float(high), p)
