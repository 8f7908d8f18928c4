"""Comparison of two systems on the same utterances: `vizinho.compare/1`. A difference is challenger minus champion: negative is better."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipeline.core.errors import DataError, NotComparableError
from pipeline.scoring.bootstrap import Interval, Units, interval, unit_of, units_of
from pipeline.scoring.counts import Counts
from pipeline.scoring.paired import holm, mapsswe
from pipeline.scoring.scorecard import Resampling, number
from pipeline.scoring.utterances import Scored, describe_test_set, slices

SCHEMA = "vizinho.compare/1"


def difference(champion: Counts, challenger: Counts, units: Units, resampling: Resampling, null: float = 0.0) -> tuple[Interval, float]:
    """Return the difference of two error rates with its paired interval and p-value, and MAPSSWE's p-value.

    The interval is paired: it is over the difference of their errors in each unit.
    """
    sums_U2 = units.sums(challenger.errors_B - champion.errors_B, champion.reference_B)
    return interval(sums_U2, resampling.level, resampling.resamples, resampling.seed, null), mapsswe(sums_U2[:, 0])


def compare_rates(champion: Counts, challenger: Counts, units: Units, resampling: Resampling) -> dict[str, Any]:
    """Return one error rate's comparison, as in `vizinho.compare/1`."""
    found, p_mapsswe = difference(champion, challenger, units, resampling)
    return {
        "champion": number(champion.rate()), "challenger": number(challenger.rate()),
        "difference": {"value": number(found.value), "low": number(found.low), "high": number(found.high)},
        "p_bootstrap": number(found.p), "p_mapsswe": number(p_mapsswe),
    }


def check_same_utterances(champion: Scored, challenger: Scored) -> None:
    """Check that two systems can be compared.

    Raises:
        NotComparableError: utterances or references differ.
    """
    if champion.table["utterance_id"].tolist() != challenger.table["utterance_id"].tolist():
        raise NotComparableError("champion and challenger", "different utterances", "the same utterances", "transcribe the same test set with both")
    differing = champion.table.loc[
        champion.table["reference"].to_numpy() != challenger.table["reference"].to_numpy(), "utterance_id"
    ]
    if len(differing):
        raise NotComparableError("champion and challenger", f"different references, first {differing.iloc[0]}", "the same references",
                                 "transcribe the same test set with both")


def compare(
    champion: Scored, challenger: Scored, *, names: tuple[str, str], resampling: Resampling,
    slice_columns: Sequence[Sequence[str]] = (), min_utterances: int = 1, speaker_dependent: bool = False,
) -> dict[str, Any]:
    """Return the comparison of two systems as `vizinho.compare/1`, p-values of slices corrected by Holm's method.

    Args:
        champion: the champion's hypotheses with their counts.
        challenger: the challenger's, on the same utterances.
        names: names of champion and challenger.
        resampling: level, number of resamples and seed of every interval.
        slice_columns: combinations of columns to slice by.
        min_utterances: smallest slice that is compared, in utterances.
        speaker_dependent: whether the test speakers may be in the training data by declaration.

    Raises:
        NotComparableError: utterances or references differ.
        DataError: there is no reference word.
    """
    check_same_utterances(champion, challenger)
    words = int(champion.words.reference_B.sum())
    if not words:
        raise DataError(" and ".join(names), "no word in any reference", "at least one reference with words")
    unit = unit_of(champion.table["speaker"], speaker_dependent)
    units = units_of(champion.table["speaker"], unit)
    parts: list[dict[str, Any]] = []
    for name, mask in slices(champion.table, slice_columns, min_utterances):
        slice_units = units_of(champion.table.loc[mask, "speaker"], unit)
        parts.append({
            "slice": name, "utterances": int(mask.sum()),
            "speakers": int(champion.table.loc[mask & (champion.table["speaker"] != "").to_numpy(), "speaker"].nunique()),
            "unit": slice_units.name,
            "wer": compare_rates(champion.words.of(mask), challenger.words.of(mask), slice_units, resampling),
            "cer": compare_rates(champion.characters.of(mask), challenger.characters.of(mask), slice_units, resampling),
        })
    for measure in ("wer", "cer"):
        p_values = [part[measure]["p_bootstrap"] for part in parts]
        for part, corrected in zip(parts, holm([float("nan") if p is None else p for p in p_values]), strict=True):
            part[measure]["p_holm"] = number(corrected)
    return {
        "schema": SCHEMA, "champion": names[0], "challenger": names[1],
        "test_set": describe_test_set(champion.table, words, speaker_dependent),
        "unit": units.name, "units": units.number, "level": resampling.level, "resamples": resampling.resamples,
        "wer": compare_rates(champion.words, challenger.words, units, resampling),
        "cer": compare_rates(champion.characters, challenger.characters, units, resampling),
        "slices": parts,
    }
