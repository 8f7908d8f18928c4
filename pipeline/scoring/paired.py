"""Matched-pairs test of two systems on the same utterances, and its correction for many slices."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import stdtr

from pipeline.scoring.counts import Integers


def mapsswe(differences_U: Integers) -> float:
    """Return the two-sided p-value that two systems make equally many errors: matched-pairs sentence-segment test.

    The segments are the units of the interval (speakers, or utterances if no two speakers are known), since the test
    requires segments whose errors are independent. Student's distribution replaces the normal one: segments may be few.

    Args:
        differences_U: errors of one system minus errors of the other in each segment.

    Returns:
        NaN for a single segment; 1.0 if no segment has a difference; 0.0 if all have the same difference.

    Source: Gillick and Cox, "Some statistical issues in the comparison of speech recognition algorithms"
    (ICASSP 1989), section 4; Pallett et al., "Tools for the analysis of benchmark speech recognition tests" (1990).
    """
    number = len(differences_U)
    if number < 2:
        return float("nan")
    mean, deviation = float(differences_U.mean()), float(differences_U.std(ddof=1))
    if deviation == 0:
        return 1.0 if mean == 0 else 0.0
    return 2 * float(stdtr(number - 1, -abs(mean) / (deviation / np.sqrt(number))))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the p-values corrected for their number, in the order given: Holm's step-down method.

    NaN (nothing to test) remains NaN and is not counted.

    Source: Holm, "A simple sequentially rejective multiple test procedure" (Scand. J. Statistics 6, 1979).
    """
    corrected = [float("nan")] * len(p_values)
    order = sorted((index for index, p in enumerate(p_values) if not math.isnan(p)), key=lambda index: p_values[index])
    largest = 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * p_values[index]))
        corrected[index] = largest
    return corrected
