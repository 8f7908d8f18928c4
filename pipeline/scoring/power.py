"""What a test set can decide: the probability that a challenger with a given true gain passes the rules against the champion.

The differences of a challenger with another gain are assumed to vary between units as those observed.

Shape suffixes: B utterances, U units, K rules, R draws.

Source: Bisani and Ney, "Bootstrap estimates for confidence intervals in ASR performance evaluation" (ICASSP 2004), for the
linearised ratio; a bootstrap with normal multipliers and a shifted mean instead of their resampling, so that rules that
share speakers vary together: Mammen, "Bootstrap and wild bootstrap for high dimensional linear models" (Annals of
Statistics 21, 1993).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, sqrt
from typing import Any, Final, Literal

import numpy as np
from scipy.special import stdtrit

from pipeline.scoring.bootstrap import Floats
from pipeline.scoring.counts import Counts, Integers

GAINS: Final = (0.05, 0.10)
"""True gains whose probability to pass is estimated: fractions of the champion's WER."""
TARGET: Final = 0.8
"""Probability to pass that the test data needed are estimated for, as usual in the planning of trials."""
DRAWS: Final = 10_000
"""Simulated test sets: the standard error of a probability is at most 0.005."""
MAX_TIMES: Final = 1_000.0
"""Largest multiple of the test data that is considered."""

Part = Literal["test set", "conditions"]


@dataclass(frozen=True, slots=True)
class Margin:
    """A rule that the difference of two systems' WER, challenger minus champion, is at most a limit.

    Args:
        name: name of the rule.
        champion: counts of the champion.
        challenger: counts of the challenger, on the same utterances.
        code_B: unit of each utterance in the whole test set, 0 .. U - 1.
        limit: largest difference that passes, a fraction.
        reach: distance from the difference to the upper end of its interval, a fraction; infinite if it has no interval.
        part: which data the rule is measured on.
        size: number of its units, or of the sample's utterances if the part is the conditions.
        unit: name of what `size` counts.
        matched_pairs: one-sided level of MAPSSWE if the rule has it as a second condition.
    """

    name: str
    champion: Counts
    challenger: Counts
    code_B: Integers
    limit: float
    reach: float
    part: Part
    size: int
    unit: str
    matched_pairs: float | None = None


def power(margins: Sequence[Margin], units: int, seed: int) -> dict[str, Any] | None:
    """Return the probability to pass for each gain, as `power` in `vizinho.verdict/5`; None if the two systems do not differ.

    Args:
        margins: the rules that compare the challenger with the champion.
        units: number of units of the whole test set.
        seed: of the random generator.
    """
    if not margins or all((margin.champion.errors_B == margin.challenger.errors_B).all() for margin in margins):
        return None
    deviation_RK = _deviations(margins, units, seed)
    return {"target": TARGET, "draws": DRAWS, "gains": [_gain(margins, deviation_RK, gain, units) for gain in GAINS]}


def _deviations(margins: Sequence[Margin], units: int, seed: int) -> Floats:
    """Return the deviation of each rule's difference from its mean in R simulated test sets, shape (R, K)."""
    influence_UK = np.stack([_influence(margin, units) for margin in margins], axis=1)
    root_KK: Floats = np.asarray(np.linalg.qr(influence_UK, mode="r"))
    root_KK *= np.where(np.diag(root_KK) < 0, -1.0, 1.0)[:, None]  # the signs depend on the library
    return np.random.default_rng(seed).standard_normal((DRAWS, len(root_KK))) @ root_KK


def _influence(margin: Margin, units: int) -> Floats:
    """Return the influence of each unit on a rule's difference, shape (U,): its sum of squares is the variance."""
    residual_U, words_U = _residuals(margin, units)
    number = int((words_U > 0).sum())
    return residual_U / words_U.sum() * sqrt(number / max(number - 1, 1))


def _residuals(margin: Margin, units: int) -> tuple[Floats, Floats]:
    """Return the difference of errors beyond the mean difference, and the reference words, of each unit."""
    words_B = margin.champion.reference_B
    difference_U = np.bincount(margin.code_B, weights=margin.challenger.errors_B - margin.champion.errors_B, minlength=units).astype(np.float64)
    words_U = np.bincount(margin.code_B, weights=words_B, minlength=units).astype(np.float64)
    return difference_U - difference_U.sum() / words_U.sum() * words_U, words_U


def _reach(margin: Margin, difference: float, units: int) -> float:
    """Return the distance that a rule's difference must keep from its limit, for a challenger with that true difference."""
    if margin.matched_pairs is None:
        return margin.reach
    residual_U, words_U = _residuals(margin, units)
    deviation = float(np.std(residual_U + difference * words_U, ddof=1))
    return max(margin.reach, -float(stdtrit(units - 1, margin.matched_pairs)) * deviation * sqrt(units) / float(words_U.sum()))


def _gain(margins: Sequence[Margin], deviation_RK: Floats, gain: float, units: int) -> dict[str, Any]:
    """Return the entry of one gain: probability to pass, the rule that limits it, the test data that would lift it."""
    difference_K = np.array([-gain * margin.champion.rate() for margin in margins])
    reach_K = np.array([_reach(margin, difference, units) for margin, difference in zip(margins, difference_K, strict=True)])
    limit_K = np.array([margin.limit for margin in margins])

    def passed_RK(times_K: Floats) -> np.ndarray[Any, np.dtype[np.bool_]]:
        return difference_K + (deviation_RK + reach_K) / np.sqrt(times_K) <= limit_K

    now_RK = passed_RK(np.ones(len(margins)))
    probability_K = now_RK.mean(axis=0)
    first = int(probability_K.argmin())
    limiting = margins[first]

    def multiple(parts: Sequence[Part]) -> float | None:
        """Return the smallest multiple of these parts of the test data that reaches the target, None if there is none."""
        enlarged_K = np.array([margin.part in parts for margin in margins])

        def reaches(times: float) -> bool:
            return bool(passed_RK(np.where(enlarged_K, times, 1.0)).all(axis=1).mean() >= TARGET)

        low, high = 1.0, MAX_TIMES
        if reaches(low):
            return low
        if not reaches(high):
            return None
        while high / low > 1.005:
            middle = sqrt(low * high)
            low, high = (low, middle) if reaches(middle) else (middle, high)
        return high

    needed = None
    attempts: tuple[tuple[str, tuple[Part, ...]], ...] = ((limiting.part, (limiting.part,)), ("both", ("test set", "conditions")))
    for enlarge, parts in attempts:
        if (times := multiple(parts)) is not None:
            needed = {"enlarge": enlarge, "times": times, "unit": limiting.unit, "now": limiting.size, "number": ceil(times * limiting.size)}
            break
    probability = float(now_RK.all(axis=1).mean())
    return {
        "gain": gain, "probability": probability, "limited_by": limiting.name, "needed": needed,
        "reason": _reason(gain, probability, limiting.name, needed),
        "rules": [{"name": margin.name, "probability": float(found)} for margin, found in zip(margins, probability_K, strict=True)],
    }


def _reason(gain: float, probability: float, limited_by: str, needed: Mapping[str, Any] | None) -> str:
    """Return the power for one gain as a sentence."""
    text = f"a true gain of {100 * gain:g} % passes with a probability of {100 * probability:.0f} %"
    if probability >= TARGET:
        return text
    if needed is None:
        return f"{text}, limited by {limited_by}; more test data do not lift it to {100 * TARGET:g} %"
    enlarged = {"test set": "test set", "conditions": "sample of the conditions", "both": "test set and sample of the conditions"}[needed["enlarge"]]
    return (f"{text}, limited by {limited_by}; a {enlarged} of {needed['times']:.1f} times the size lifts it to {100 * TARGET:g} % "
            f"({needed['number']} {needed['unit']}s for this rule, {needed['now']} now)")
