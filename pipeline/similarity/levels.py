"""Levels of similarity: their intervals, their orders, and how far they agree.

Shapes: D donors, R resamples (the data themselves in column 0), J rankings.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
CONFIDENCE: Final = 0.95
"""Coverage of every interval."""


def ranks(values_D: Array) -> Array:
    """Return each donor's rank, 1 for the highest value; equals share the mean of their ranks. Shape (D, ...)."""
    higher = (values_D[None] > values_D[:, None]).sum(axis=1)
    equal = (values_D[None] == values_D[:, None]).sum(axis=1)
    return higher + (equal + 1) / 2


def concordance(values_JD: Array) -> float:
    """Return the agreement of J rankings of D donors: Kendall's W, 0 (none) to 1 (full).

    Source: Kendall & Babington Smith 1939, "The problem of m rankings", with Kendall's correction for ties.
    """
    rankings, donors = values_JD.shape
    ranks_JD = ranks(values_JD.T).T
    spread = ((ranks_JD.sum(axis=0) - rankings * (donors + 1) / 2) ** 2).sum()
    ties = sum(count**3 - count for row in ranks_JD for count in Counter(row.tolist()).values())
    return float(12 * spread / (rankings**2 * (donors**3 - donors) - rankings * ties))


def interval(values_R: Array) -> dict[str, float]:
    """Return value, low and high: the value ± 1.96 deviations of its resamples."""
    reach = NormalDist().inv_cdf((1 + CONFIDENCE) / 2) * float(values_R[1:].std())
    value = float(values_R[0])
    return {"value": rounded(value), "low": rounded(value - reach), "high": rounded(value + reach)}


def rounded(value: float) -> float:
    """Return a figure as it is written: six digits after the point, so that the last bits of a sum do not matter."""
    return round(float(value), 6) + 0.0  # no -0.0


def order_of(values_DR: Array) -> list[int]:
    """Return the donors by their value, the highest first; of equals the earlier one."""
    return sorted(range(len(values_DR)), key=lambda donor: (-values_DR[donor, 0], donor))


def leader(values_DR: Array, codes: Sequence[str]) -> dict[str, Any]:
    """Return the first donor, the second, the lead between them, and the donors that the first does not lead beyond an interval."""
    order = order_of(values_DR)
    first, second = order[:2]
    return {
        "language": codes[first],
        "runner_up": codes[second],
        "lead": interval(values_DR[first] - values_DR[second]),
        "not_distinguished": [codes[donor] for donor in order[1:] if interval(values_DR[first] - values_DR[donor])["low"] <= 0],
        "share_first": rounded((values_DR[first, 1:] >= values_DR[:, 1:].max(axis=0)).mean()),
    }


def describe_level(name: str, meaning: str, counted: bool, values_DR: Array, codes: Sequence[str]) -> dict[str, Any]:
    """Return a level as in ranking.json: its order, its leader, and value, interval and rank of each donor.

    Args:
        name: of the level.
        meaning: of its values.
        counted: whether the score contains it.
        values_DR: higher is nearer.
        codes: of the donors.
    """
    rank_D = ranks(values_DR[:, 0])
    return {
        "level": name, "meaning": meaning, "counted": counted, "order": [codes[donor] for donor in order_of(values_DR)],
        **leader(values_DR, codes),
        "values": {code: {**interval(values_DR[donor]), "rank": float(rank_D[donor])} for donor, code in enumerate(codes)},
    }


def agreement_in_words(levels: Sequence[Mapping[str, Any]], w: float, names: Mapping[str, str]) -> str:
    """Return how far levels agree, in a few sentences.

    Args:
        levels: as `describe_level` returns them.
        w: Kendall's W over them.
        names: of the languages, by code.
    """
    if len(levels) < 2:
        return "There is one level only."
    strength = "closely" if w >= 0.8 else "in part" if w >= 0.5 else "hardly"
    nearest: dict[str, list[str]] = {}
    for level in levels:
        nearest.setdefault(level["language"], []).append(level["level"])
    first = next(iter(nearest))
    if len(nearest) == 1:
        who = f"each puts {names[first]} first"
    else:
        who = "the first is " + ", ".join(f"{names[code]} on the {join_words(which)} level{'s' * (len(which) > 1)}"
                                          for code, which in nearest.items())
    close = [code for code in levels[0]["order"] if all(code == level["language"] or code in level["not_distinguished"] for level in levels)]
    common = f" No level separates {join_words([names[code] for code in close])} from its first." if len(close) > 1 else ""
    return f"The {len(levels)} levels agree {strength} on the order (Kendall's W {w:.2f}): {who}.{common}"


def join_words(words: Sequence[str], last: str = "and") -> str:
    """Return words as a list in a sentence: "a", "a and b", "a, b and c"."""
    return f" {last} ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))
