"""Evidence is read from the stages' outs; incomplete reports and foreign speeds are not used."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pipeline.core.errors import DataError, MissingInputError
from pipeline.core.files import write_json
from pipeline.scoring.evidence import Corpus, Rate, System
from pipeline.scoring.reading import LARGEST, _check_figures, _licences, read_corpora, read_speed
from pipeline.scoring.utterances import scored

ROWS = scored(pd.DataFrame({"utterance_id": ["u"], "speaker": "", "reference": "um", "hypothesis": "um"}))
SYSTEM = System("transfer", ROWS, "", "pt-BR/1", Rate(0, 0, 0), Rate(0, 0, 0), {"weights_hash": "ab"})
INGEST, NORMALISE = (f"data/{stage}/portuguese/speak-pt/report.json" for stage in ("ingest", "normalise"))


def test_a_corpus_combines_the_reports_of_ingest_and_normalise(tmp_path: Path) -> None:
    write_json(tmp_path / INGEST, {"utterances": 90, "rejected": 10})
    write_json(tmp_path / NORMALISE, {"utterances": 90, "kept": {"utterances": 80, "hours": 0.5, "speakers": 7}})
    assert read_corpora(["portuguese"], tmp_path) == [Corpus("portuguese", "speak-pt", 10, 90, 10, 0.5, 7)]


def test_a_report_without_its_figures_or_its_counterpart_is_refused(tmp_path: Path) -> None:
    write_json(tmp_path / INGEST, {"utterances": 90, "rejected": 10})
    with pytest.raises(MissingInputError, match=NORMALISE):
        read_corpora(["portuguese"], tmp_path)
    write_json(tmp_path / NORMALISE, {"utterances": 90, "kept": {"utterances": 80}})
    with pytest.raises(DataError, match=r"kept\.hours is missing; kept\.speakers is missing"):
        read_corpora(["portuguese"], tmp_path)


@pytest.mark.parametrize(("timing", "speed"), [
    ({"weights_hash": "ab", "relative_speed": {"value": 40.0, "low": 38.0, "high": 42.0}}, Rate(40.0, 38.0, 42.0)),
    ({"weights_hash": "cd", "relative_speed": {"value": 40.0, "low": 38.0, "high": 42.0}}, None),
    ({"weights_hash": "ab", "relative_speed": {"value": 40.0, "low": None, "high": 42.0}}, None),
    ({"weights_hash": "ab", "relative_speed": {"value": 40.0, "low": 38.0, "high": "42"}}, None),
    ({"weights_hash": "ab", "relative_speed": {"value": 40.0, "low": 38.0, "high": math.inf}}, None), ({"weights_hash": "ab"}, None), (None, None),
], ids=["measured", "of other weights", "without a bound", "a text", "without an end", "without the ratio", "without a file"])
def test_a_speed_counts_only_if_it_is_complete_and_of_the_same_weights(tmp_path: Path, timing: dict[str, object] | None, speed: Rate | None) -> None:
    if timing is not None:
        (tmp_path / "data/timing/transcribe/transfer").mkdir(parents=True)
        (tmp_path / "data/timing/transcribe/transfer/timing.json").write_text(json.dumps(timing))
    assert read_speed(SYSTEM, tmp_path) == speed


@pytest.mark.parametrize(("found", "kind", "problem"), [
    ({"a": {"b": 1}}, int, None), ({"a": {"b": 1.5}}, (int, float), None), ({"a": {"b": True}}, bool, None), ({"a": {"b": LARGEST}}, int, None),
    ({"a": {"b": True}}, int, "a.b is True"), ({"a": {"b": 1.5}}, int, "a.b is 1.5"), ({"a": {"b": "1"}}, int, "a.b is '1'"),
    ({"a": {"b": 1}}, bool, "a.b is 1"), ({"a": {}}, int, "a.b is missing"), ({"a": 1}, int, "a.b is missing"), ([], int, "a.b is missing"),
    ({"a": {"b": None}}, int, "a.b is missing"), ({"a": {"b": math.nan}}, float, "a.b is nan"), ({"a": {"b": LARGEST + 1}}, int, "a.b is inf"),
    ({"a": {"b": -LARGEST - 1}}, int, "a.b is inf"), ({"a": {"b": 1}, "c": [0, {"d": [-math.inf]}]}, int, "c[1].d[0] is -inf"),
])
def test_a_figure_has_its_type_and_every_number_is_finite(found: Any, kind: Any, problem: str | None) -> None:
    if problem is None:
        _check_figures(found, {"a.b": kind}, Path("report.json"), "ingest")
    else:
        with pytest.raises(DataError) as caught:
            _check_figures(found, {"a.b": kind}, Path("report.json"), "ingest")
        assert str(caught.value).startswith(f"report.json: {problem}; expected a.b; ")


def test_a_text_under_several_licences_counts_for_each(tmp_path: Path) -> None:
    texts = {"a": {"sentences": 3, "licences": ["CC0-1.0", "MIT"]}, "b": {"sentences": 2, "licences": ["MIT"]}}
    write_json(tmp_path / "report.json", {"texts": texts})
    assert _licences(tmp_path / "report.json") == [("CC0-1.0", 3), ("MIT", 3), ("MIT", 2)]
    write_json(tmp_path / "none.json", {"texts": []})
    with pytest.raises(DataError, match="texts is "):
        _licences(tmp_path / "none.json")
    pd.DataFrame({"licence": ["MIT", "MIT", ""]}).to_parquet(tmp_path / "train.parquet")
    assert _licences(tmp_path / "train.parquet") == [("MIT", 2), ("", 1)]


@pytest.mark.parametrize(("ingested", "normalised", "message"), [
    ({"utterances": 0, "rejected": 10}, 0, "0 utterances; expected 0, as ingested, and at least one"),
    ({"utterances": 90, "rejected": 10}, 91, "91 utterances; expected 90, as ingested"), ({"utterances": 90}, 90, "rejected is missing"),
])
def test_the_two_reports_of_a_corpus_agree(tmp_path: Path, ingested: dict[str, int], normalised: int, message: str) -> None:
    write_json(tmp_path / INGEST, ingested)
    write_json(tmp_path / NORMALISE, {"utterances": normalised, "kept": {"utterances": 0, "hours": 0.0, "speakers": 0}})
    with pytest.raises(DataError, match=message):
        read_corpora(["portuguese"], tmp_path)
    with pytest.raises(MissingInputError, match=r"no report\.json of any corpus"):
        read_corpora(["spanish"], tmp_path)
