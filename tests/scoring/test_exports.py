"""Exports as the gate judges them: what is shipped, what is not, and which evidence is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pipeline.core.errors import DataError, MissingInputError
from pipeline.core.files import read_json, write_json, write_table
from pipeline.scoring.evidence import Export, Rate, System
from pipeline.scoring.exports import judge, planted_export_entries, planted_exports, read_exports
from pipeline.scoring.scorecard import Resampling
from pipeline.scoring.utterances import scored
from tests.exports import write_exports
from tests.gate_runs import garbled, hypotheses

RESAMPLING = Resampling(resamples=1000)


def system(table: pd.DataFrame) -> System:
    return System("transfer", scored(table), "0" * 64, "pt-BR/1", Rate(0, 0, 0), Rate(0, 0, 0), {"weights_hash": "ab" * 32, "decoder": None})


def exported(lost: float, **changed: Any) -> Export:
    table = hypotheses()
    reference = scored(table)
    rows = scored(table.assign(hypothesis=garbled(table["hypothesis"].tolist(), lost, 5)))
    return replace(Export("onnx", "model.onnx", "0" * 64, 10, reference, rows, True, 1e-6), **changed)


@pytest.mark.parametrize(("lost", "changed", "shipped", "reason"), [
    (0.0, {}, True, "the whole interval is at most"),
    (0.2, {}, False, "the whole interval is above"),
    (0.005, {}, False, "undecided"),
    (0.0, {"batch_difference": 0.1}, False, "in another batch a logit differs by 1.0e-01, at most 1.0e-03"),
    (0.0, {"batch_difference": 0.1, "batched": False}, True, "the whole interval is at most"),
    (0.0, {"batch_difference": float("nan")}, False, "in another batch"),
], ids=["no loss", "loss", "undecided", "batch", "no batches", "not a number"])
def test_an_export_is_shipped_only_if_it_keeps_the_wer_and_no_batch_changes_it(lost: float, changed: dict[str, Any], shipped: bool,
                                                                               reason: str) -> None:
    found = judge(exported(lost, **changed), 0.005, 1e-3, RESAMPLING)
    assert (found.shipped, reason in found.reason) == (shipped, True), found.reason
    assert found.as_json()["shipped"] is shipped


def test_without_an_interval_an_export_is_not_shipped() -> None:
    table = hypotheses(None, 30)
    table["speaker"] = ["one"] * 29 + ["two"]
    table.loc[29, ["reference", "hypothesis"]] = ""
    found = judge(exported(0.0, reference=scored(table), rows=scored(table)), 0.005, 1e-3, RESAMPLING)
    assert not found.shipped and "no interval" in found.reason
    json.dumps(found.as_json(), allow_nan=False)


@pytest.mark.parametrize("margin", [0.0, 0.005, 0.2, 0.9])
def test_planted_exports_get_their_outcomes_with_any_margin(margin: float) -> None:
    found = planted_export_entries(system(hypotheses(garbled(hypotheses()["reference"].tolist(), 0.9, 1))), margin, 1e-3)
    assert [(entry["found"], entry["passed"]) for entry in found] == [("shipped", True), ("refused", True), ("refused", True)]
    assert sum("int8" in name for name, _, _ in planted_exports(system(hypotheses()), margin, 1e-3)) == 1


def test_exports_are_read_with_the_hypotheses_of_torch_on_the_same_utterances(tmp_path: Path) -> None:
    write_exports(tmp_path, hypotheses(), {"onnx": 0.0, "onnx-int8": 0.1})
    one, other = read_exports(tmp_path, system(hypotheses()))
    assert (one.backend, other.backend, one.batched, other.batched) == ("onnx", "onnx-int8", True, False)
    assert one.rows.words.rate() == one.reference.words.rate() == 0.0 < other.rows.words.rate()
    part = pd.read_parquet(tmp_path / "data/export/transfer/hypotheses.parquet")
    write_table(tmp_path / "data/export/transfer/hypotheses.parquet", part[part["utterance_id"] < "speak-pt/00040"])
    assert [len(export.rows.table) for export in read_exports(tmp_path, system(hypotheses()))] == [40, 40]


@pytest.mark.parametrize(("changed", "message"), [
    ({"weights_hash": "ef" * 32}, "weights_hash 'efef"), ({"decoder": {"hash": "0"}}, "decoder {'hash': '0'}"),
    ({"schema": "vizinho.export/0"}, "schema 'vizinho.export/0'"), ({"system": "scratch"}, "system 'scratch'"),
], ids=["weights", "decoder", "schema", "system"])
def test_exports_of_another_system_are_refused(tmp_path: Path, changed: dict[str, Any], message: str) -> None:
    write_exports(tmp_path, hypotheses(), {"onnx": 0.0}, **changed)
    with pytest.raises(DataError, match=message) as caught:
        read_exports(tmp_path, system(hypotheses()))
    assert "run `dvc repro export`" in str(caught.value)


def test_missing_exports_and_unusable_hypotheses_are_failures(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match=r"data/export/transfer/parity\.json: no such file"):
        read_exports(tmp_path, system(hypotheses()))
    write_exports(tmp_path, hypotheses(), {"onnx": 0.0})
    write_json(tmp_path / "data/export/transfer/parity.json", json.loads(json.dumps(read_json(tmp_path / "data/export/transfer/parity.json")).replace(
        '"backend": "onnx"', '"backend": "onnx-int8"')))
    with pytest.raises(DataError, match="no usable hypotheses of onnx-int8"):
        read_exports(tmp_path, system(hypotheses()))
