"""Planted challengers: the gate proves in every run that it cannot be fooled by them.

They are made of the hypotheses at hand, against a planted champion that leaves out every third word, so that what is
better and what is worse is known beforehand whatever the real systems are like.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from pipeline.scoring.evidence import Evidence, Rate, System
from pipeline.scoring.scorecard import Resampling
from pipeline.scoring.utterances import slices

MOST_UTTERANCES: Final = 2_000
"""Planted challengers are judged on a part of a larger test set: their verdicts need no more."""
FEW: Final = 30
"""Utterances of the challenger that is better by chance."""
HOW: Final = Resampling(resamples=1_000)


@dataclass(frozen=True, slots=True)
class PlantedChallenger:
    """A challenger and the answers that the gate may give; `evidence` None: it cannot be planted here, and why."""

    name: str
    expected: tuple[str, ...]
    evidence: Evidence | None
    reason: str = ""


def planted_challengers(evidence: Evidence, columns: Sequence[str], fewest: int) -> Iterator[PlantedChallenger]:
    """Yield the planted challengers.

    Args:
        columns: slice columns that the gate guards.
        fewest: utterances that a guarded slice has.
    """
    number = len(evidence.challenger.rows.table)
    spread = np.zeros(number, dtype=bool)
    spread[np.linspace(0, number - 1, min(number, MOST_UTTERANCES)).astype(int)] = True
    challenger, champion = evidence.challenger.on(spread, HOW), evidence.champion.on(spread, HOW)
    references = challenger.rows.table["reference"].tolist()
    weak = champion.with_hypotheses(leave_out(references, lambda place: place % 3 == 2), HOW)
    base = replace(evidence, challenger=challenger, champion=weak, baseline=replace(weak, name=evidence.baseline.name))

    def against(planted: System) -> Evidence:
        return replace(base, challenger=planted)

    heard = challenger.rows.table["hypothesis"].tolist()
    half = len(heard) // 2
    yield PlantedChallenger("ids shuffled", ("reject",), against(challenger.with_hypotheses(heard[half:] + heard[:half], HOW)))
    yield PlantedChallenger("half of the hypotheses blank", ("reject",), against(challenger.with_hypotheses(
        ["" if place % 2 else text for place, text in enumerate(heard)], HOW)))
    yield _one_slice_destroyed(base, columns, fewest)
    yield PlantedChallenger("identical to the champion", ("reject", "inconclusive"), replace(
        base, challenger=replace(champion, name=challenger.name), champion=champion))
    yield _better_by_chance(base)
    right = challenger.with_hypotheses(references, HOW)
    yield PlantedChallenger("much better everywhere", ("promote",), against(right))
    yield PlantedChallenger("another test set", ("failure",), against(replace(right, test_set="0" * 64)))
    yield PlantedChallenger("another normaliser", ("failure",), against(replace(right, normaliser=right.normaliser + "+")))
    yield PlantedChallenger("a non-finite error rate", ("failure",), against(replace(right, wer=Rate(math.nan, math.nan, math.nan))))
    yield PlantedChallenger("trained on the test set", ("failure",), against(replace(
        right, facts={**right.facts, "trained_on_test": {"speakers": 0, "sentences": 1, "recordings": 0}})))


def leave_out(references: Sequence[str], leaves: Callable[[int], bool]) -> list[str]:
    """Return the references without the words at some places, counted through the whole test set."""
    texts, place = [], 0
    for reference in references:
        words = reference.split()
        texts.append(" ".join(word for offset, word in enumerate(words, place) if not leaves(offset)))
        place += len(words)
    return texts


def _one_slice_destroyed(base: Evidence, columns: Sequence[str], fewest: int) -> PlantedChallenger:
    """Return a challenger that is right everywhere but in the smallest guarded slice, and better on the whole."""
    name, expected = "one slice destroyed while the mean improves", ("reject",)
    table, words_B = base.challenger.rows.table, base.challenger.rows.words.reference_B
    for column in columns:
        found = [mask for _, mask in slices(table, [[column]], fewest)]
        if len(found) < 2:
            continue
        mask = min(found, key=lambda rows: int(words_B[rows].sum()))
        share = int(words_B[mask].sum()) / int(words_B.sum())
        lost = round(100 * min(0.9, 0.3 / share))
        broken = leave_out(table["reference"].tolist(), lambda place, lost=lost: place * 61 % 100 < lost)  # type: ignore[misc]
        texts = np.where(mask, np.array(broken, dtype=object), table["reference"].to_numpy(dtype=object)).tolist()
        return PlantedChallenger(name, expected, replace(base, challenger=base.challenger.with_hypotheses(texts, HOW)))
    return PlantedChallenger(name, expected, None, f"no two slices of {fewest} utterances")


def _better_by_chance(base: Evidence) -> PlantedChallenger:
    """Return a challenger that wins two utterances and loses one, of thirty."""
    name, expected = f"better by chance on {FEW} utterances", ("inconclusive",)
    several = np.flatnonzero(base.challenger.rows.words.reference_B >= 2)
    if len(several) < FEW:
        return PlantedChallenger(name, expected, None, f"fewer than {FEW} utterances of two words or more")
    some = np.zeros(len(base.challenger.rows.table), dtype=bool)
    some[several[np.linspace(0, len(several) - 1, FEW).astype(int)]] = True

    def on(system: System, lost: Callable[[int], int]) -> System:
        part = system.on(some, HOW)
        texts = [" ".join(words[: len(words) - lost(place)]) for place, words in enumerate(map(str.split, part.rows.table["reference"]))]
        return part.with_hypotheses(texts, HOW)

    champion = on(base.champion, lambda place: 1)
    challenger = on(base.challenger, lambda place: {7: 0, 15: 0, 23: 2}.get(place, 1))
    return PlantedChallenger(name, expected, replace(base, challenger=challenger, champion=champion, baseline=replace(champion, name=base.baseline.name)))


def outcome(planted: PlantedChallenger, found: str) -> dict[str, Any]:
    """Return a planted challenger's entry in the verdict's `self_test`; `found` is a verdict, "failure" or "not tested"."""
    return {"name": planted.name, "expected": " or ".join(planted.expected), "found": found,
            "passed": None if found == "not tested" else found in planted.expected, "reason": planted.reason}
