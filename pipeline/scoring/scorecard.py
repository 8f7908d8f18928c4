"""One system's score: `vizinho.score/3`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pipeline.core.errors import DataError
from pipeline.scoring.analysis import analysis
from pipeline.scoring.bootstrap import UnitName, Units, interval, unit_of, units_of
from pipeline.scoring.counts import Counts, align, count
from pipeline.scoring.utterances import Scored, describe_test_set, scored, slices, speaker_independent

SCHEMA = "vizinho.score/3"


@dataclass(frozen=True, slots=True)
class Resampling:
    """Parameters of the bootstrap: two-sided confidence (0..1), number of resamples, seed."""

    level: float = 0.95
    resamples: int = 10_000
    seed: int = 0


def number(value: float) -> float | None:
    """Return the value, or None (null in JSON) if it is NaN: nothing was measured."""
    return None if math.isnan(value) else float(value)


def rate(counts: Counts, units: Units, resampling: Resampling) -> dict[str, Any]:
    """Return an error rate with its interval, as in `vizinho.score/3`; bounds are null if there is a single unit, and at least 0."""
    found = interval(units.sums(counts.errors_B, counts.reference_B), resampling.level, resampling.resamples, resampling.seed)
    return {
        "value": number(found.value), "low": number(np.maximum(found.low, 0.0)), "high": number(found.high),
        "level": resampling.level, "unit": units.name, "resamples": resampling.resamples,
    }


def percent(rate: dict[str, Any]) -> str:
    """Return a rate or difference with its interval as text: "23.30 % (22.14 to 24.48)"."""
    if rate["low"] is None:
        return f"{100 * rate['value']:.2f} % (no interval)"
    return f"{100 * rate['value']:.2f} % ({100 * rate['low']:.2f} to {100 * rate['high']:.2f})"


def tolerant(table: pd.DataFrame) -> dict[str, float | None] | None:
    """Return error rates that forgive spelling variants, hyphens and number forms; None if no variants are known.

    Both sides are in canonical form: the columns `reference_variants` and `hypothesis_variants`.
    """
    if "hypothesis_variants" not in table:
        return None
    references, hypotheses = table["reference_variants"].tolist(), table["hypothesis_variants"].tolist()
    return {
        "wer": number(count(align(references, hypotheses, "words")).rate()),
        "cer": number(count(align(references, hypotheses, "characters")).rate()),
    }


def slice_rows(
    rows: Scored, columns: Sequence[Sequence[str]], min_utterances: int, resampling: Resampling, unit: UnitName, **fixed: str,
) -> list[dict[str, Any]]:
    """Return the score of every slice, null if it is a single utterance or has no reference word.

    `unit` is that of the whole test set; `fixed` is added to each slice's name.
    """
    entries = []
    for name, mask in slices(rows.table, columns, min_utterances):
        part = rows.of(mask)
        units = units_of(part.table["speaker"], unit)
        wer, cer = rate(part.words, units, resampling), rate(part.characters, units, resampling)
        unknown = wer["value"] is None or len(part.table) == 1
        entries.append({
            "slice": {**name, **fixed}, "utterances": int(mask.sum()),
            "speakers": int(part.table.loc[part.table["speaker"] != "", "speaker"].nunique()),
            "wer": None if unknown else wer, "cer": None if unknown else cer,
        })
    return entries


def scorecard(
    table: pd.DataFrame, *, system: str, normaliser: str | None, resampling: Resampling,
    columns: Sequence[str] = (), pairs: Sequence[Sequence[str]] = (), min_utterances: int = 1, slice_resamples: int = 1_000,
    examples: int = 20,
) -> dict[str, Any]:
    """Return a system's score as `vizinho.score/3`; its key `robustness` is None.

    Args:
        table: one row per utterance with utterance_id, speaker, speaker_dependent, reference, hypothesis; optionally
            duration_s, confidence, word_confidence, reference_variants and hypothesis_variants, and the slice columns.
        system: name of the system.
        normaliser: versions of the rules that normalised the references; None if the texts were taken as they are.
        resampling: level, number of resamples and seed of the intervals over the whole test set.
        columns: columns to slice by; slices of any size count.
        pairs: pairs of columns to slice by.
        min_utterances: smallest slice by a pair of columns, in utterances.
        slice_resamples: number of resamples for a slice's intervals.
        examples: number of entries in each list of the error analysis.

    Raises:
        DataError: the table has no utterance, or no reference word.
    """
    if table.empty:
        raise DataError(system, "no utterance to score", "at least one", "check the test split")
    all_rows = scored(table)
    independent, speaker_dependent = speaker_independent(all_rows.table)
    rows = all_rows.of(independent)
    if not rows.words.reference_B.sum():
        raise DataError(system, "no word in any reference", "at least one reference with words", "check the test split")
    unit = unit_of(rows.table["speaker"], speaker_dependent)
    units = units_of(rows.table["speaker"], unit)
    slice_resampling = Resampling(resampling.level, slice_resamples, resampling.seed)
    parts = [entry for combinations, smallest in (([[name] for name in columns], 1), (pairs, min_utterances))
             for entry in slice_rows(rows, combinations, smallest, slice_resampling, unit)]
    if not independent.all() and not speaker_dependent:
        parts += slice_rows(all_rows.of(~independent), [["corpus"]], 1, slice_resampling, "utterance", speaker_dependent="yes")
    return {
        "schema": SCHEMA, "system": system,
        "test_set": describe_test_set(rows.table, int(rows.words.reference_B.sum()), speaker_dependent),
        "normaliser": normaliser,
        "wer": rate(rows.words, units, resampling), "cer": rate(rows.characters, units, resampling),
        "counts": rows.words.totals(), "tolerant": tolerant(rows.table), "slices": parts,
        "errors": analysis(rows, examples), "robustness": None,
    }


def with_served(greedy: dict[str, Any], served: dict[str, Any]) -> dict[str, Any]:
    """Return a score with the figures of the served hypotheses beside the greedy ones: `wer_served` beside `wer`, in every part."""
    def beside(part: dict[str, Any], other: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
        return part | {f"{name}_served": other[name] for name in names}

    card = beside(greedy, served, ("wer", "cer", "counts", "tolerant", "errors"))
    card["slices"] = [beside(part, other, ("wer", "cer")) for part, other in zip(greedy["slices"], served["slices"], strict=True)]
    if greedy["robustness"]:
        card["robustness"] = beside(greedy["robustness"], served["robustness"], ("wer", "cer")) | {"conditions": [
            beside(part, other, ("wer", "cer", "wer_change"))
            for part, other in zip(greedy["robustness"]["conditions"], served["robustness"]["conditions"], strict=True)]}
    return card
