"""Exports of the challenger: reading them, judging them against PyTorch, and planted ones with a known outcome.

An export that loses too much is not shipped. The verdict on the model does not depend on it: the model serves without it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from pipeline.core.errors import DataError
from pipeline.core.files import read_json, read_table
from pipeline.scoring.comparison import difference
from pipeline.scoring.evidence import Export, System
from pipeline.scoring.planted import MAX_UTTERANCES, RESAMPLING, omit_words
from pipeline.scoring.rules import Rule, at_most
from pipeline.scoring.scorecard import Resampling, number
from pipeline.scoring.utterances import Scored, scored, units_in

EXPORT: Final = "vizinho.export/1"
SHIPPED, REFUSED = "shipped", "refused"


@dataclass(frozen=True, slots=True)
class Judged:
    """An export with what the gate makes of it; `rule` compares its WER with that of PyTorch."""

    export: Export
    rule: Rule
    shipped: bool
    reason: str

    def as_json(self) -> dict[str, Any]:
        """Return the export as an entry of `exports` in `vizinho.verdict/5`."""
        return {"backend": self.export.backend, "file": self.export.file, "bytes": self.export.size, "hash": self.export.hash,
                "shipped": self.shipped, "utterances": len(self.export.rows.table), "limit": self.rule.limit,
                "wer_difference": {"value": self.rule.value, "low": self.rule.low, "high": self.rule.high}, "reason": self.reason}


def judge(export: Export, max_wer_difference: float, max_logit_difference: float, resampling: Resampling) -> Judged:
    """Return whether an export is shipped: its WER, as served, is at most `max_wer_difference` above PyTorch's by the whole paired interval.

    One that runs in batches must also give the same logits in every batch.

    Args:
        export: with the hypotheses of both.
        max_wer_difference: fraction.
        max_logit_difference: largest change of a logit by the batch.
        resampling: of the interval.
    """
    units = units_in(export.reference.table)
    found, _ = difference(export.reference.words, export.rows.words, units, resampling)
    name = f"export_parity {export.backend}"
    if math.isnan(found.high):
        rule = Rule(name, True, number(found.value), None, None, max_wer_difference, None, "undecided: no interval, since one speaker has all words")
    else:
        rule = at_most(name, found.value, found.low, found.high, max_wer_difference, "change in WER", f"{units.number} {units.name}s now",
                       points=True)
    if export.batched and not export.batch_difference <= max_logit_difference:
        reason = f"in another batch a logit differs by {export.batch_difference:.1e}, at most {max_logit_difference:.1e}"
        return Judged(export, rule, False, reason)
    return Judged(export, rule, rule.passed is True, rule.reason)


def read_exports(root: Path, system: System) -> tuple[Export, ...]:
    """Return the exports of a system as it serves, with PyTorch's hypotheses of the same utterances.

    Args:
        root: the checkout.
        system: as it serves.

    Raises:
        MissingInputError: the system was not exported.
        DataError: the exports are of other weights or another decoder, or have hypotheses of other utterances.
    """
    folder = root / "data/export" / system.name
    parity, texts = read_json(folder / "parity.json"), read_table(folder / "hypotheses.parquet", ["utterance_id", "backend", "hypothesis_served"])
    again = f"run `dvc repro export`, after transcribe@{system.name}"
    for key, expected in (("schema", EXPORT), ("system", system.name), ("weights_hash", system.facts["weights_hash"]),
                          ("decoder", system.facts.get("decoder"))):
        if parity.get(key) != expected:
            raise DataError(str(folder / "parity.json"), f"{key} {parity.get(key)!r}", f"{expected!r}, as the gate and the transcription have it",
                            again)
    found = []
    for entry in parity["exports"]:
        served = texts[texts["backend"] == entry["backend"]].set_index("utterance_id")["hypothesis_served"]
        reference = system.rows.of(system.rows.table["utterance_id"].isin(served.index).to_numpy())
        if served.index.duplicated().any() or reference.table.empty or served.isna().any():
            raise DataError(str(folder / "hypotheses.parquet"), f"no usable hypotheses of {entry['backend']}",
                            "one per utterance, of utterances of the test split", again)
        rows = _with_texts(reference, served.loc[reference.table["utterance_id"]].tolist())
        found.append(Export(entry["backend"], entry["file"], entry["hash"], entry["bytes"], reference, rows, bool(entry["batch"]["batched"]),
                            float(entry["batch"]["max_logit_difference"])))
    return tuple(found)


def planted_exports(system: System, max_wer_difference: float, max_logit_difference: float) -> Iterator[tuple[str, str, Export]]:
    """Yield exports with a known outcome: name, outcome and export. PyTorch's hypotheses are the references themselves.

    Args:
        system: the challenger.
        max_wer_difference: the policy's; the bad export loses more than twice as much.
        max_logit_difference: the policy's.
    """
    size = len(system.rows.table)
    some = np.unique(np.linspace(0, size - 1, min(size, MAX_UTTERANCES)).astype(int))
    rows = np.zeros(size, dtype=bool)
    rows[some] = True
    chosen = system.rows.of(rows)
    texts = chosen.table["reference"].tolist()
    perfect = _with_texts(chosen, texts)
    every = max(1, int(1 / (2 * max_wer_difference + 0.05)))
    lossless = Export("planted", "planted.onnx", "0" * 64, 1, perfect, perfect, batched=True, batch_difference=max_logit_difference)
    yield "an export without loss", SHIPPED, lossless
    yield "an int8 export that loses words", REFUSED, replace(
        lossless, rows=_with_texts(chosen, omit_words(texts, lambda position: position % every == every - 1)))
    yield "an export whose logits depend on the batch", REFUSED, replace(lossless, batch_difference=10 * max_logit_difference + 1.0)


def planted_export_entries(system: System, max_wer_difference: float, max_logit_difference: float) -> list[dict[str, Any]]:
    """Return the entries of the planted exports in the verdict's `self_test`."""
    entries = []
    for name, expected, export in planted_exports(system, max_wer_difference, max_logit_difference):
        found = SHIPPED if judge(export, max_wer_difference, max_logit_difference, RESAMPLING).shipped else REFUSED
        entries.append({"name": name, "expected": expected, "found": found, "passed": found == expected, "reason": ""})
    return entries


def _with_texts(rows: Scored, texts: list[str]) -> Scored:
    return scored(rows.table.assign(hypothesis=texts))
