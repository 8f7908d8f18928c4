"""`vizinho budget`: the shape and the lengths that are tried, with or without data, and the report."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from pipeline.cli.budget import budget_of, lengths, render_budget, rounded, shape
from pipeline.core.errors import ParamsError
from pipeline.core.files import ROOT
from tests import tiny

DEFAULT: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
XLSR: dict[str, Any] = yaml.safe_load((ROOT / "profiles/common-voice-xlsr.yaml").read_text(encoding="utf-8"))


def test_the_shape_is_that_of_the_params_or_of_the_checkpoint(tmp_path: Path) -> None:
    assert shape(DEFAULT, "scratch", tmp_path)["hidden_size"] == DEFAULT["donor"]["model"]["hidden_size"]
    assert shape(DEFAULT, "donor", tmp_path)["feat_extract_norm"] == "layer"
    with pytest.raises(ParamsError, match="donor.source: data/raw/wav2vec2-large-xlsr-53-spanish has no config.json; fetch the checkpoint first"):
        shape(XLSR, "transfer", tmp_path)
    (tmp_path / "data/donor").mkdir(parents=True)
    (tmp_path / "data/donor/config.json").write_text(json.dumps({"hidden_size": 1024}))
    vocabulary = tmp_path / "data/tokenise/portuguese"
    vocabulary.mkdir(parents=True)
    (vocabulary / "vocabulary.json").write_text(json.dumps({str(row): row for row in range(51)}))
    assert shape(XLSR, "transfer", tmp_path) == {"hidden_size": 1024, "vocab_size": 51}
    with pytest.raises(ParamsError, match="a checkpoint; no system is trained with donor.config"):
        shape(XLSR, "donor", tmp_path)


def test_lengths_are_those_of_the_split_or_the_corpora_bounds(tmp_path: Path) -> None:
    assert lengths(XLSR, "transfer", tmp_path) == ((15.0, 1.0), 3600.0)
    table = tiny.write_split(tmp_path, tiny.TEXTS)
    (longest_s, short_s), audio_s = lengths(XLSR, "transfer", tmp_path)
    assert longest_s == table["duration_s"].max() and short_s == pytest.approx(table["duration_s"].quantile(0.01))
    assert audio_s == pytest.approx(table["duration_s"].sum())
    table[:0].to_parquet(tmp_path / "data/split/portuguese/train.parquet")
    assert lengths(XLSR, "transfer", tmp_path)[0] == (15.0, 1.0)


def test_a_budget_is_rounded_downwards_to_three_figures() -> None:
    assert [rounded(value) for value in (7.219, 28.0, 233.9, 1234.5)] == [7.21, 28.0, 233.0, 1230.0]


@pytest.mark.slow
def test_the_training_config_of_a_system_is_tried_and_the_report_has_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    params = copy.deepcopy(DEFAULT)
    params["donor"]["model"] = tiny.SHAPE
    pd.DataFrame(tiny.write_split(tmp_path, tiny.TEXTS * 2))
    found = budget_of(params, "scratch", None, tmp_path)
    assert not found["closed"], "there is less audio than memory"
    audio_s = pd.read_parquet(tmp_path / "data/split/portuguese/train.parquet")["duration_s"].sum()
    assert found["batch_s"] == rounded(audio_s) and found["now"] == params["train"]["config"]["batch_s"]
    assert capsys.readouterr().err.count(" fits ") == len(found["attempts"]) >= 3
    report = render_budget(found)
    assert report.startswith(f"train.config.batch_s: {found['batch_s']:g}\nthe largest that fits ")
    assert "more may fit: the time limit was reached, or all of the audio is used" in report and "Write it into the params yourself" in report
