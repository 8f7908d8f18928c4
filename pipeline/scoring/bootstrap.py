"""Intervals and p-values over speakers, since the errors of one speaker are not independent.

Many speakers are resampled. Few speakers, or very unequal ones, get Student's t on the jackknife over speakers.

Shape suffixes: B utterances, U units (speakers or utterances), K distinct units, R resamples.

Sources: Bisani and Ney, "Bootstrap estimates for confidence intervals in ASR performance evaluation" (ICASSP 2004),
sections 3 and 4, for rates and paired differences; Liu et al., "Statistical testing on ASR performance via blockwise
bootstrap" (Interspeech 2020) for resampling blocks; Hesterberg, "What teachers should know about the bootstrap"
(The American Statistician 69, 2015), section 3.4, for the expanded percentile interval; MacKinnon, Nielsen and Webb,
"Fast and reliable jackknife and bootstrap methods for cluster-robust inference" (J. Applied Econometrics 38, 2023),
section 2, for the jackknife over groups (CV3) with Student's t; Potthoff, Woodbury and Manton, "Equivalent sample size
and equivalent degrees of freedom refinements for inference using survey weights" (JASA 87, 1992) for its degrees of
freedom.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
from scipy.special import stdtr, stdtrit

from pipeline.scoring.counts import Integers

MIN_RESAMPLED: Final = 10
"""Fewer units are not resampled: their jackknife and Student's t have a coverage nearer to the nominal one."""

MIN_EVENNESS: Final = 0.5
"""Smallest ratio of the effective number of units to their number at which units are resampled."""

_CELLS: Final = 4_000_000
"""Number of resampling weights drawn at once (32 MB)."""

Floats = npt.NDArray[np.float64]
UnitName = Literal["speaker", "utterance"]


@dataclass(frozen=True, slots=True)
class Units:
    """What counts as independent: `code_B` is the unit of each utterance, 0 .. number - 1."""

    code_B: Integers
    number: int
    name: UnitName

    def sums(self, *values_B: Integers) -> Integers:
        """Return the sums of per-utterance integers by unit, shape (U, number of arguments)."""
        return np.stack([np.bincount(self.code_B, weights=v, minlength=self.number) for v in values_B], axis=1).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Interval:
    """A rate or difference with its interval and p-value; `low`, `high` and `p` are NaN if one unit has all reference words."""

    value: float
    low: float
    high: float
    p: float


def unit_of(speakers: npt.ArrayLike, speaker_dependent: bool = False) -> UnitName:
    """Return the unit of a test set: the speaker if two or more are known ("" is unknown), else the utterance.

    The utterance is also the unit of a speaker-dependent test set: its rates hold for its own speakers only.
    """
    names = np.asarray(speakers, dtype=object)
    return "utterance" if speaker_dependent or len(set(names[names != ""])) < 2 else "speaker"


def units_of(speakers: npt.ArrayLike, unit: UnitName | None = None) -> Units:
    """Return the units of a test set or of a part of it.

    If speakers are the units, each utterance of an unknown speaker is one unit; utterances are the units of a part without
    any known speaker.

    Args:
        speakers: speaker of each utterance, "" if unknown.
        unit: unit of the whole test set, for a part of it; None to derive it from `speakers`.
    """
    names = np.asarray(speakers, dtype=object)
    known = names != ""
    if (unit or unit_of(names)) == "utterance" or not known.any():
        return Units(np.arange(len(names)), len(names), "utterance")
    _, code_B = np.unique(names[known].astype(str), return_inverse=True)
    number, unknown = int(code_B.max()) + 1, int((~known).sum())
    codes = np.empty(len(names), dtype=np.int64)
    codes[known] = code_B
    codes[~known] = number + np.arange(unknown)
    return Units(codes, number + unknown, "speaker")


def effective_number(size_U: Integers) -> float:
    """Return the effective number of units of unequal sizes: the number of equal ones whose mean varies as much.

    (5, 5, 5, 5) → 4.0; (17, 1, 1, 1) → 1.37

    Source: Kish, "Survey sampling" (1965), section 11.7: the square of the sum over the sum of squares.
    """
    return float(size_U.sum()) ** 2 / float((size_U.astype(np.float64) ** 2).sum())


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
    """Return a ratio of sums with its interval, and the two-sided p-value of `null` that inverts it.

    Fewer than `MIN_RESAMPLED` units, or units with an effective number below `MIN_EVENNESS` of their number, get the
    interval of `jackknife`, the others that of `percentile`. There is no interval if one unit has all reference words.

    Args:
        sums_U2: errors (or differences of errors) and reference words of each unit, shape (U, 2).
        level: two-sided confidence, 0..1.
        resamples: number of draws.
        seed: of the random generator.
        null: the ratio that the p-value tests.
    """
    top, bottom = (int(total) for total in sums_U2.sum(axis=0))
    nan = float("nan")
    if not bottom or sums_U2[:, 1].max() == bottom:
        return Interval(top / bottom if bottom else nan, nan, nan, nan)
    if len(sums_U2) < MIN_RESAMPLED or effective_number(sums_U2[:, 1]) < MIN_EVENNESS * len(sums_U2):
        return jackknife(sums_U2, level, null)
    return percentile(sums_U2, level, resamples, seed, null)


def percentile(sums_U2: Integers, level: float, resamples: int, seed: int, null: float = 0.0) -> Interval:
    """Return a ratio of sums with its expanded percentile interval over resampled units, and the p-value of `null`.

    The percentile interval is too narrow by about sqrt((n - 1) / n), and because it uses normal quantiles instead of
    Student's. Its tail a is expanded to Phi(-sqrt(n / (n - 1)) t(1 - a; n - 1)). The p-value is two-sided: twice the
    tail probability at which an end of the interval equals `null`.

    Args:
        sums_U2: errors (or differences of errors) and reference words of each unit, shape (U, 2), U at least 2.
        level: two-sided confidence, 0..1.
        resamples: number of draws.
        seed: of the random generator.
        null: the ratio that the p-value tests.
    """
    top, bottom = (int(total) for total in sums_U2.sum(axis=0))
    number = len(sums_U2)
    ratios_R = resample(sums_U2, resamples, seed)
    stretch = np.sqrt(number / (number - 1))
    normal = NormalDist()
    tail = normal.cdf(float(stretch * stdtrit(number - 1, (1 - level) / 2)))
    low, high = np.quantile(ratios_R, [tail, 1 - tail])
    share = (min((ratios_R >= null).sum(), (ratios_R <= null).sum()) + 1) / (len(ratios_R) + 1)
    p = min(1.0, 2 * float(stdtr(number - 1, normal.inv_cdf(min(share, 0.5)) / stretch)))
    return Interval(top / bottom, float(low), float(high), p)


def jackknife(sums_U2: Integers, level: float, null: float = 0.0) -> Interval:
    """Return a ratio of sums with the interval of Student's t on the jackknife over units, and the p-value of `null`.

    The standard error is that of the ratios without one unit, around the ratio of all units (CV3). The degrees of freedom
    are the effective number of units less one, and at least one.

    Args:
        sums_U2: errors (or differences of errors) and reference words of each unit, shape (U, 2); no unit has all words.
        level: two-sided confidence, 0..1.
        null: the ratio that the p-value tests.
    """
    top, bottom = (int(total) for total in sums_U2.sum(axis=0))
    value, number = top / bottom, len(sums_U2)
    change_U = (sums_U2[:, 0] - value * sums_U2[:, 1]) / (bottom - sums_U2[:, 1])
    error = float(np.sqrt((number - 1) / number * (change_U**2).sum()))
    freedom = max(effective_number(sums_U2[:, 1]) - 1, 1.0)
    reach = error * -float(stdtrit(freedom, (1 - level) / 2))
    if error == 0:
        return Interval(value, value, value, 1.0 if value == null else 0.0)
    return Interval(value, value - reach, value + reach, 2 * float(stdtr(freedom, -abs(value - null) / error)))
