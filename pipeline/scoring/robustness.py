"""Error rates of one system on a degraded sample of the test set, and their change in each condition."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipeline.core.errors import DataError
from pipeline.scoring.comparison import difference
from pipeline.scoring.scorecard import Resampling, number, rate
from pipeline.scoring.utterances import Scored, scored, units_in


def in_conditions(rows: Scored) -> tuple[Scored, dict[str, Scored]]:
    """Return the sample that was also transcribed in degraded conditions: its hypotheses on clean audio, and those in each condition.

    Raises:
        DataError: utterances of the sample differ in their conditions, or one has a condition twice.
    """
    by_condition = [{entry["condition"]: entry["hypothesis"] for entry in entries} for entries in rows.table["robustness"]]
    clean = rows.of(np.array([bool(texts) for texts in by_condition], dtype=bool))
    by_condition, given = [texts for texts in by_condition if texts], [len(entries) for entries in rows.table["robustness"] if len(entries)]
    for utterance_id, texts, entries in zip(clean.table["utterance_id"], by_condition, given, strict=True):
        if list(texts) != list(by_condition[0]) or len(texts) != entries:
            raise DataError(f"robustness of {utterance_id}", f"{entries} hypotheses in {', '.join(texts)}",
                            f"one in each of {', '.join(by_condition[0])}", "transcribe the test set again")
    names = by_condition[0] if by_condition else ()
    return clean, {name: scored(clean.table.assign(hypothesis=[texts[name] for texts in by_condition])) for name in names}


def robustness(rows: Scored, conditions: dict[str, Any] | None, resampling: Resampling) -> dict[str, Any] | None:
    """Return the key `robustness` of `vizinho.score/3`; None if nothing was measured.

    Args:
        rows: the hypotheses of the sample, with the column `robustness`.
        conditions: name of the condition to the changes of the audio, from data/transcribe/SYSTEM.json.
        resampling: level, number of resamples and seed of the intervals.

    Raises:
        DataError: the hypotheses have other conditions than `conditions`.
    """
    clean, found = in_conditions(rows)
    if set(found) != set(conditions or {}):
        raise DataError("robustness", f"hypotheses in {', '.join(found) or 'no condition'}", ", ".join(conditions or {}) or "none",
                        "transcribe the test set again")
    if not conditions:
        return None
    units = units_in(clean.table)
    entries = []
    for name, degraded in found.items():
        change, _ = difference(clean.words, degraded.words, units, resampling)
        entries.append({
            "condition": name, "changes": conditions[name],
            "wer": rate(degraded.words, units, resampling), "cer": rate(degraded.characters, units, resampling),
            "wer_change": {part: number(getattr(change, part)) for part in ("value", "low", "high")},
        })
    return {
        "utterances": len(clean.table), "speakers": int(clean.table.loc[clean.table["speaker"] != "", "speaker"].nunique()),
        "words": int(clean.words.reference_B.sum()), "wer": rate(clean.words, units, resampling), "cer": rate(clean.characters, units, resampling),
        "conditions": entries,
    }
