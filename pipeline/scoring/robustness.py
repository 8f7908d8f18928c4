"""One system on a part of the test set made harder: its error rates in each condition, and what the condition costs."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipeline.core.errors import DataError
from pipeline.scoring.bootstrap import units_of
from pipeline.scoring.comparison import difference
from pipeline.scoring.scorecard import Resampling, number, rate
from pipeline.scoring.utterances import Scored, scored


def in_conditions(rows: Scored) -> tuple[Scored, dict[str, Scored]]:
    """Return the sample that was also heard in conditions, as heard without them and as heard in each.

    Raises:
        DataError: an utterance was heard in a condition that another one was not, or twice.
    """
    heard = [{entry["condition"]: entry["hypothesis"] for entry in entries} for entries in rows.table["robustness"]]
    clean = rows.of(np.array([bool(texts) for texts in heard], dtype=bool))
    heard, given = [texts for texts in heard if texts], [len(entries) for entries in rows.table["robustness"] if len(entries)]
    for utterance_id, texts, entries in zip(clean.table["utterance_id"], heard, given, strict=True):
        if list(texts) != list(heard[0]) or len(texts) != entries:
            raise DataError(f"robustness of {utterance_id}", f"{entries} hypotheses in {', '.join(texts)}",
                            f"one in each of {', '.join(heard[0])}", "transcribe the test set again")
    return clean, {name: scored(clean.table.assign(hypothesis=[texts[name] for texts in heard])) for name in (heard[0] if heard else ())}


def robustness(rows: Scored, conditions: dict[str, Any] | None, how: Resampling) -> dict[str, Any] | None:
    """Return the key `robustness` of `vizinho.score/1`; None where nothing was measured.

    Args:
        conditions: name to what was done, as `transcribe` says.

    Raises:
        DataError: hypotheses and `conditions` are not of the same conditions.
    """
    clean, under = in_conditions(rows)
    if set(under) != set(conditions or {}):
        raise DataError("robustness", f"hypotheses in {', '.join(under) or 'no condition'}", ", ".join(conditions or {}) or "none",
                        "transcribe the test set again")
    if not conditions:
        return None
    units = units_of(clean.table["speaker"])
    entries = []
    for name, found in under.items():
        change, _ = difference(clean.words, found.words, units, how)
        entries.append({
            "condition": name, "changes": conditions[name],
            "wer": rate(found.words, units, how), "cer": rate(found.characters, units, how),
            "wer_change": {part: number(getattr(change, part)) for part in ("value", "low", "high")},
        })
    return {
        "utterances": len(clean.table), "speakers": int(clean.table.loc[clean.table["speaker"] != "", "speaker"].nunique()),
        "words": int(clean.words.reference_B.sum()), "wer": rate(clean.words, units, how), "cer": rate(clean.characters, units, how),
        "conditions": entries,
    }
