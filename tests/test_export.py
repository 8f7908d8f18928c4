"""The stage `export`: both forms, their parity in the published form, and what it refuses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from jsonschema import Draft202012Validator

from pipeline import export, transcribe
from pipeline.core import params as core_params
from pipeline.core.errors import DataError, ParamsError
from pipeline.core.files import ROOT, hash_file, read_json
from pipeline.model.artifact import save_model
from pipeline.model.provenance import trained_on
from pipeline.scoring.scorecard import Resampling
from tests import tiny
from tests.gate_runs import hypotheses

WORDS = tiny.vocabulary()
SECTION: dict[str, Any] = {"utterances": 6, "seed": 1, "logit_utterances": 4, "batch_utterances": 3, "recording_s": 2, "speed_utterances": 2,
                           "threads": 1, "batch_s": 5}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A system that was transcribed and exported."""
    root: Path = tmp_path_factory.mktemp("export")
    with pytest.MonkeyPatch.context() as patch:
        prepare(root, patch)
        transcribe.run("transfer", "data/train/transfer")
        export.run("transfer", "data/train/transfer")
    return root


def prepare(root: Path, patch: pytest.MonkeyPatch) -> None:
    enter(root, patch)
    (root / "params.yaml").write_text(yaml.safe_dump({"export": SECTION, "transcribe": {
        "batch_s": 5, "threads": 1, "invariance_utterances": 4, "max_logit_difference": 1e-3, "speed_utterances": 1}}))
    tiny.write_split(root, tiny.TEXTS, "test")
    learned = trained_on(pd.read_parquet("data/split/portuguese/test.parquet")[:2])
    model = tiny.model(WORDS, seed=3)
    with torch.no_grad():
        model.lm_head.weight.mul_(60)
    save_model(model, WORDS, root / "data/train/transfer", {"normaliser": "pt-BR/1", "figures": None},
               lambda folder: learned.to_parquet(folder / "trained_on.parquet"))


def enter(root: Path, patch: pytest.MonkeyPatch) -> None:
    patch.chdir(root)
    patch.setattr("pipeline.decoding.speed.PAIRS", 2)
    patch.setattr(core_params.load_section, "__kwdefaults__", {"path": root / "params.yaml"})
    patch.setattr(export, "measure_memory", lambda *_: dict.fromkeys(("onnx", "onnx-int8"), 1))  # a process each


def test_parity_has_the_published_form_and_the_hashes_of_the_files(root: Path) -> None:
    folder = root / "data/export/transfer"
    assert sorted(path.name for path in folder.iterdir()) == ["hypotheses.parquet", "model.int8.onnx", "model.onnx", "parity.json"]
    parity = read_json(folder / "parity.json")
    Draft202012Validator(json.loads((ROOT / "docs/schemas/export.json").read_text(encoding="utf-8"))).validate(parity)
    assert parity["sample"]["utterances"] == 6 and parity["sample"]["of"] == len(tiny.TEXTS)
    assert [entry["backend"] for entry in parity["exports"]] == ["onnx", "onnx-int8"]
    for entry in parity["exports"]:
        assert (entry["hash"], entry["bytes"]) == (hash_file(folder / entry["file"]), (folder / entry["file"]).stat().st_size)


def test_fp32_has_the_texts_of_torch_alone_in_batches_and_in_a_recording(root: Path) -> None:
    entry = read_json(root / "data/export/transfer/parity.json")["exports"][0]
    assert entry["logits"]["max_difference"] < 1e-3 and entry["logits"]["frames_changed"] == 0
    assert entry["batch"]["batched"] and entry["batch"]["max_logit_difference"] < 1e-3
    assert (entry["utterances_changed"], entry["utterances_changed_served"]) == (0, 0)
    assert entry["wer"]["difference"]["value"] == 0 == entry["wer"]["difference"]["high"]
    assert entry["recording"]["same_windows"] and entry["recording"]["windows_changed"] == 0 < entry["recording"]["windows"]


def test_speed_and_memory_are_no_part_of_the_result(root: Path) -> None:
    text = (root / "data/export/transfer/parity.json").read_text()
    assert not any(word in text for word in ("rtfx", "memory", "relative"))
    timing = read_json(root / "data/timing/export/transfer/timing.json")
    assert set(timing["backends"]) == {"torch", "onnx", "onnx-int8"}
    assert timing["backends"]["torch"]["relative_to_torch"] == 1.0
    assert all(found["rtfx"] > 0 for found in timing["backends"].values())


def test_two_runs_give_the_same_bytes(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    enter(root, monkeypatch)
    before = {path.name: path.read_bytes() for path in (root / "data/export/transfer").iterdir()}
    export.run("transfer", "data/train/transfer")
    assert {path.name: path.read_bytes() for path in (root / "data/export/transfer").iterdir()} == before


def test_a_network_that_onnx_cannot_hold_has_no_export_and_a_reason(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                                    capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(root, tmp_path / "large")
    enter(tmp_path / "large", monkeypatch)
    monkeypatch.setattr("pipeline.exporting.network.LARGEST_BYTES", 1_000)
    export.run("transfer", "data/train/transfer")
    folder = tmp_path / "large/data/export/transfer"
    parity = read_json(folder / "parity.json")
    Draft202012Validator(json.loads((ROOT / "docs/schemas/export.json").read_text(encoding="utf-8"))).validate(parity)
    assert parity["exports"] == [] and parity["not_exported"].endswith("bytes of weights; an ONNX file holds at most 1,000")
    assert sorted(path.name for path in folder.iterdir()) == ["hypotheses.parquet", "parity.json"]
    assert pd.read_parquet(folder / "hypotheses.parquet").empty
    assert "export@transfer: not exported: " in capsys.readouterr().out


def test_an_utterance_that_was_not_transcribed_is_named(root: Path) -> None:
    table = pd.read_parquet(root / "data/split/portuguese/test.parquet")
    transcribed = pd.read_parquet(root / "data/transcribe/transfer.parquet")
    with pytest.raises(DataError, match=r"no hypothesis of 1 utterances, first tones/test-003; .* run `dvc repro transcribe@transfer`"):
        export.references(transcribed.drop(index=3), table, "transfer")


def test_a_sample_stays_when_others_come_and_keeps_the_order() -> None:
    table = pd.DataFrame({"utterance_id": [f"u{number:02d}" for number in range(40)]})
    few, more = (export.sample(table, count, 1)["utterance_id"].tolist() for count in (5, 12))
    assert len(few) == 5 and set(few) <= set(more) and few == sorted(few)
    assert export.sample(table[:30], 5, 1)["utterance_id"].tolist() != [] and len(export.sample(table, None, 1)) == 40
    assert set(export.spread(np.arange(10.0), 3)) == {0, 4, 9}


def test_text_parity_gives_the_paired_difference_of_both_decoders() -> None:
    reference = hypotheses(None, 60, 12)
    worse = reference.assign(hypothesis_served=[" ".join(text.split()[1:]) for text in reference["hypothesis_served"]])
    found = export.text_parity(reference, worse, Resampling(resamples=1000))
    assert found["wer"]["difference"]["value"] == 0 == found["utterances_changed"]
    assert found["wer_served"]["difference"]["low"] > 0.05 and found["utterances_changed_served"] == 60


def test_params_are_checked_all_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    enter(tmp_path, monkeypatch)
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"export": SECTION | {"utterances": 0, "batch_utterances": 1}}))
    with pytest.raises(ParamsError, match=r"2 problems\n.*export\.utterances.*\n.*export\.batch_utterances"):
        export.run("transfer", "data/train/transfer")
