"""Planted challengers: challengers with a known verdict, which test the gate in every run.

They are made from the real hypotheses and compared with a planted champion that omits every third word. So which
system is better is known in advance, whatever the real systems are like.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from pipeline.scoring.bootstrap import MIN_RESAMPLED, units_of
from pipeline.scoring.evidence import Evidence, Rate, System
from pipeline.scoring.scorecard import Resampling
from pipeline.scoring.utterances import Mask, slices, units_in

MAX_UTTERANCES: Final = 2_000
"""Planted challengers are evaluated on at most this many utterances of the test set."""
FEW_UTTERANCES: Final = 30
"""Utterances of the challenger that is better only by chance."""
RESAMPLING: Final = Resampling(resamples=1_000)
"""Of the planted challengers' intervals."""


@dataclass(frozen=True, slots=True)
class PlantedChallenger:
    """A challenger and its expected verdicts; if it cannot be planted on this test set, `evidence` is None and `reason` gives the cause."""

    name: str
    expected: tuple[str, ...]
    evidence: Evidence | None
    reason: str = ""


def planted_challengers(evidence: Evidence, columns: Sequence[str], min_utterances: int) -> Iterator[PlantedChallenger]:
    """Yield the planted challengers. Of fewer than `MIN_RESAMPLED` units, any verdict may also be inconclusive.

    Args:
        evidence: the evidence of the real systems.
        columns: columns of the slices that non-inferiority guards.
        min_utterances: smallest guarded slice, in utterances.
    """
    number = len(evidence.challenger.rows.table)
    spread = np.zeros(number, dtype=bool)
    spread[np.linspace(0, number - 1, min(number, MAX_UTTERANCES)).astype(int)] = True
    challenger, champion = evidence.challenger.subset(spread, RESAMPLING), evidence.champion.subset(spread, RESAMPLING)
    references = challenger.rows.table["reference"].tolist()
    weak = champion.with_hypotheses(omit_words(references, lambda position: position % 3 == 2), RESAMPLING)
    base = replace(evidence, challenger=challenger, champion=weak, baseline=replace(weak, name=evidence.baseline.name), greedy=(), shown=(),
                   exports=())

    def against(planted: System) -> Evidence:
        return replace(base, challenger=planted)

    doubt = ("inconclusive",) if units_in(challenger.rows.table).number < MIN_RESAMPLED else ()
    hypotheses = challenger.rows.table["hypothesis"].tolist()
    half = len(hypotheses) // 2
    yield PlantedChallenger("ids shuffled", ("reject", *doubt), against(
        challenger.with_hypotheses(hypotheses[half:] + hypotheses[:half], RESAMPLING)))
    yield PlantedChallenger("half of the hypotheses blank", ("reject", *doubt), against(challenger.with_hypotheses(
        ["" if index % 2 else text for index, text in enumerate(hypotheses)], RESAMPLING)))
    yield _one_slice_destroyed(base, columns, min_utterances, doubt)
    yield PlantedChallenger("identical to the champion", ("reject", "inconclusive"), replace(
        base, challenger=replace(champion, name=challenger.name), champion=champion))
    yield _better_by_chance(base)
    perfect = challenger.with_hypotheses(references, RESAMPLING)
    single = [f"{column}={name[column]}" for column in columns for name, mask in slices(challenger.rows.table, [[column]], min_utterances)
              if not _has_interval(base, mask)]
    yield PlantedChallenger("much better everywhere", ("promote", *doubt), None if single else against(perfect),
                            f"one speaker has all words of {', '.join(single)}" if single else "")
    yield PlantedChallenger("another test set", ("failure",), against(replace(perfect, test_set="0" * 64)))
    yield PlantedChallenger("another normaliser", ("failure",), against(replace(perfect, normaliser=perfect.normaliser + "+")))
    yield PlantedChallenger("a non-finite error rate", ("failure",), against(replace(perfect, wer=Rate(math.nan, math.nan, math.nan))))
    yield PlantedChallenger("trained on the test set", ("failure",), against(replace(
        perfect, facts={**perfect.facts, "trained_on_test": {"speakers": 0, "sentences": 1, "recordings": 0}})))


def omit_words(references: Sequence[str], omitted: Callable[[int], bool]) -> list[str]:
    """Return the references without the words at the omitted positions, counted through the whole test set."""
    texts, position = [], 0
    for reference in references:
        words = reference.split()
        texts.append(" ".join(word for offset, word in enumerate(words, position) if not omitted(offset)))
        position += len(words)
    return texts


def _has_interval(base: Evidence, rows: Mask) -> bool:
    """Return whether a slice has words of at least two units."""
    table, words_B = base.challenger.rows.table, base.challenger.rows.words.reference_B
    words_U = units_of(table.loc[rows, "speaker"], units_in(table).name).sums(words_B[rows])
    return bool(words_U.max() < words_U.sum())


def _one_slice_destroyed(base: Evidence, columns: Sequence[str], min_utterances: int, doubt: Sequence[str]) -> PlantedChallenger:
    """Return a challenger that is perfect except in the smallest guarded slice, and better overall."""
    name, expected = "one slice destroyed while the mean improves", ("reject", *doubt)
    table, words_B = base.challenger.rows.table, base.challenger.rows.words.reference_B
    for column in columns:
        masks = [mask for _, mask in slices(table, [[column]], min_utterances) if _has_interval(base, mask)]
        if len(masks) < 2:
            continue
        mask = min(masks, key=lambda rows: int(words_B[rows].sum()))
        share = int(words_B[mask].sum()) / int(words_B.sum())
        lost = round(100 * min(0.9, 0.3 / share))
        broken = omit_words(table["reference"].tolist(), lambda position, lost=lost: position * 61 % 100 < lost)  # type: ignore[misc]
        texts = np.where(mask, np.array(broken, dtype=object), table["reference"].to_numpy(dtype=object)).tolist()
        return PlantedChallenger(name, expected, replace(base, challenger=base.challenger.with_hypotheses(texts, RESAMPLING)))
    return PlantedChallenger(name, expected, None, f"no two slices of {min_utterances} utterances")


def _better_by_chance(base: Evidence) -> PlantedChallenger:
    """Return a challenger that wins two utterances and loses one, of thirty."""
    name, expected = f"better by chance on {FEW_UTTERANCES} utterances", ("inconclusive",)
    eligible = np.flatnonzero(base.challenger.rows.words.reference_B >= 2)
    if len(eligible) < FEW_UTTERANCES:
        return PlantedChallenger(name, expected, None, f"fewer than {FEW_UTTERANCES} utterances of at least two words")
    selected = np.zeros(len(base.challenger.rows.table), dtype=bool)
    selected[eligible[np.linspace(0, len(eligible) - 1, FEW_UTTERANCES).astype(int)]] = True

    def with_words_dropped(system: System, dropped_words: Callable[[int], int]) -> System:
        part = system.subset(selected, RESAMPLING)
        texts = [" ".join(words[: len(words) - dropped_words(index)]) for index, words in enumerate(map(str.split, part.rows.table["reference"]))]
        return part.with_hypotheses(texts, RESAMPLING)

    champion = with_words_dropped(base.champion, lambda index: 1)
    challenger = with_words_dropped(base.challenger, lambda index: {7: 0, 15: 0, 23: 2}.get(index, 1))
    baseline = replace(champion, name=base.baseline.name)
    return PlantedChallenger(name, expected, replace(base, challenger=challenger, champion=champion, baseline=baseline))


def planted_entry(planted: PlantedChallenger, found: str) -> dict[str, Any]:
    """Return a planted challenger's entry in the verdict's `self_test`; `found` is a verdict, "failure" or "not tested"."""
    return {"name": planted.name, "expected": " or ".join(planted.expected), "found": found,
            "passed": None if found == "not tested" else found in planted.expected, "reason": planted.reason}
