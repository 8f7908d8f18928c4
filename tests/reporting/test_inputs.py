from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pipeline.core.errors import DataError, MissingInputError, ParamsError
from pipeline.reporting.inputs import interval, outcome, point, read_flac, read_inputs, system_names
from tests.reporting.results import edit, flac, rule


@pytest.mark.parametrize(
    "name",
    [
        "score/transfer.json",
        "score/scratch.json",
        "gate/verdict.json",
        "train/transfer/history.csv",
        "train/scratch/vizinho.json",
        "transcribe/transfer.parquet",
        "split/portuguese/test.parquet",
    ],
)
@pytest.mark.parametrize("damaged", [True, False], ids=["damaged", "missing"])
def test_a_required_file_that_cannot_be_read_is_named(root: Path, name: str, damaged: bool) -> None:
    path = root / "data" / name
    path.write_bytes(b"\xff\xfe no valid content") if damaged else path.unlink()
    with pytest.raises(DataError if damaged else MissingInputError, match=re.escape(name)):
        read_inputs(root / "data")


@pytest.mark.parametrize(
    "name", ["rank/ranking.json", "donor/history.csv", "score/champion.json", "split/spanish/certificate.json"]
)
def test_an_optional_file_must_be_readable_if_it_exists(root: Path, name: str) -> None:
    (root / "data" / name).write_bytes(b"\xff\xfe no valid content")
    with pytest.raises(DataError, match=re.escape(name)):
        read_inputs(root / "data")


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        (
            "score/scratch.json",
            lambda score: score["wer"].update(value=float("nan")),
            "score/scratch.json: wer: found .*nan.*; expected value, low and high",
        ),
        ("score/scratch.json", lambda score: score["cer"].update(low=None), "score/scratch.json: cer: found"),
        ("score/transfer.json", lambda score: score.pop("wer"), "score/transfer.json: no 'wer'; found schema, system"),
        (
            "gate/verdict.json",
            lambda verdict: verdict.update(verdict="maybe"),
            "verdict 'maybe'; expected promote, reject or inconclusive",
        ),
        (
            "gate/verdict.json",
            lambda verdict: verdict["challenger"].update(system="other"),
            "challenger 'other' has no score or hypotheses",
        ),
        ("gate/verdict.json", lambda verdict: verdict["rules"][0].pop("limit"), "no 'limit'"),
    ],
)
def test_a_figure_that_is_missing_or_not_finite_is_refused(root: Path, name: str, change: Callable[[Any], None], message: str) -> None:
    edit(root / "data" / name, change)
    with pytest.raises(DataError, match=message):
        read_inputs(root / "data")


def test_every_file_that_was_read_is_listed_with_its_hash(finished_run: Path) -> None:
    found = read_inputs(finished_run / "data")
    assert {"gate/verdict.json", "score/donor.json", "train/transfer/history.csv", "rank/ranking.json"} <= set(found.hashes)
    assert all(re.fullmatch("[0-9a-f]{64}", value) for value in found.hashes.values())


def test_corpora_of_the_target_language_come_first(finished_run: Path) -> None:
    found = read_inputs(finished_run / "data").corpora
    assert list(found) == [("portuguese", "speak-pt"), ("spanish", "speak-es")]
    assert set(found["portuguese", "speak-pt"]) == {"ingest", "normalise"}


def test_audio_is_that_of_the_utterance_in_whatever_row_group(finished_run: Path) -> None:
    inputs = read_inputs(finished_run / "data")
    for row in inputs.test.iloc[[0, 7, 29, 30, 47]].to_dict("records"):
        duration_s = 1.0 + int(row["utterance_id"][-5:]) % 5 / 10
        assert read_flac(inputs, row["utterance_id"]) == flac(row["row"], duration_s)


def test_a_row_that_the_shard_lacks_is_refused(root: Path) -> None:
    path = root / "data/split/portuguese/test.parquet"
    pd.read_parquet(path).assign(row=30).to_parquet(path)
    with pytest.raises(DataError, match=r"shard-00000.parquet: no row 30; expected speak-pt/00000"):
        read_flac(read_inputs(root / "data"), "speak-pt/00000")


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"passed": True}, "pass"),
        ({"passed": False}, "fail"),
        ({"passed": None}, "undecided"),
        ({"enabled": False, "passed": None}, "disabled"),
    ],
)
def test_the_outcome_of_a_rule_is_one_of_four_words(changed: dict[str, Any], expected: str) -> None:
    assert outcome(rule("max_wer", **changed)) == expected


def test_systems_are_those_of_params_then_champion_and_donor(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("train: {systems: {b: {}, a: {}}}\n")
    assert system_names(tmp_path) == ["b", "a", "champion", "donor"]
    (tmp_path / "params.yaml").write_text("train: {systems: {}}\n")
    with pytest.raises(ParamsError, match=r"train.systems: found \{\}; expected at least one system"):
        system_names(tmp_path)


def test_rates_are_finite_numbers() -> None:
    assert point({"value": 0.5}, "here") == 0.5
    assert point(None, "here") is None
    with pytest.raises(DataError, match="here: found inf; expected a finite number or null"):
        point(float("inf"), "here")
    with pytest.raises(DataError, match="here: found 0.5; expected value, low and high"):
        interval(0.5, "here")
