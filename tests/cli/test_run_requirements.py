"""The requirements of a run are checked before it starts, and everything that is missing is reported at once."""

from __future__ import annotations

import copy
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import Result
from typer.testing import CliRunner

from pipeline.cli import run_requirements
from pipeline.cli.doctor import disagreements
from pipeline.cli.main import app
from pipeline.cli.run_requirements import examine_needs, unmet_needs
from pipeline.core.errors import MissingInputError
from pipeline.core.files import ROOT
from tests.checkpoints import lay

DEFAULT: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
XLSR: dict[str, Any] = yaml.safe_load((ROOT / "profiles/common-voice-xlsr.yaml").read_text(encoding="utf-8"))
CHECKPOINT = "data/raw/wav2vec2-large-xlsr-53-spanish"
SHAPE = {"model_type": "wav2vec2", "hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096,
         "conv_bias": True, "feat_extract_norm": "layer", "do_stable_layer_norm": True, "vocab_size": 40}


@pytest.fixture
def release(tmp_path: Path) -> Path:
    (tmp_path / "data/raw/common-voice-pt").mkdir(parents=True)
    (tmp_path / "data/raw/common-voice-pt/train.tsv").write_bytes(b"x" * 3_000_000)
    (tmp_path / CHECKPOINT).mkdir(parents=True)
    (tmp_path / CHECKPOINT / "config.json").write_text(json.dumps(SHAPE), encoding="utf-8")
    for name in ("vocab.json", "pytorch_model.bin"):
        (tmp_path / CHECKPOINT / name).write_bytes(b"{}")
    return tmp_path


def line(lines: list[str], name: str) -> str:
    (found,) = [one for one in lines if one.startswith(f"{name} ")]
    return found


def test_the_requirements_of_the_default_are_met() -> None:
    lines, ready = examine_needs(DEFAULT)
    assert ready, lines
    assert [one.split(":")[0].split()[1] for one in lines[:2]] == ["speak-es", "speak-pt"]
    assert "1.4 M parameters" in line(lines, "memory")


def test_a_release_at_an_address_is_fetched_by_the_run(tmp_path: Path) -> None:
    params = copy.deepcopy(XLSR)
    (section,) = (one for one in params["ingest"].values() if one["reader"] == "common_voice")
    section["source"] = "s3://bucket/cv-17.tar.gz"
    assert "common-voice-pt: s3://bucket/cv-17.tar.gz, fetched by the run" in line(examine_needs(params, tmp_path)[0], "data")


def test_everything_that_a_profile_lacks_is_reported_at_once(tmp_path: Path) -> None:
    lines, ready = examine_needs(XLSR, tmp_path)
    assert not ready
    assert "common-voice-pt: data/raw/common-voice-pt is missing" in line(lines, "data")
    assert f"{CHECKPOINT} is missing: put a checkpoint (config.json, vocab.json, weights) into it" in line(lines, "donor")
    assert "and more for what is missing" in line(lines, "space")
    import torch

    if not torch.cuda.is_available():
        assert "none found, and train.config.precision: bf16 needs one" in line(lines, "GPU")


def test_a_large_checkpoint_is_measured_by_its_configuration_alone(release: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines, ready = examine_needs(XLSR, release)
    assert f"{CHECKPOINT}, pytorch_model.bin" in line(lines, "donor")
    assert "315.5 M parameters" in line(lines, "memory")
    gib = float(line(lines, "space").split("about ")[1].split()[0])
    assert 14 <= gib <= 18, "twelve copies of 1.2 GiB"
    import torch

    if not torch.cuda.is_available():
        assert line(lines, "GPU") == "GPU              none found, and 315 M parameters need one"
        assert not ready
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 9, 1))
    assert not examine_needs(XLSR, release)[1]


def test_data_that_dvc_tracks_are_to_be_pulled(tmp_path: Path) -> None:
    (tmp_path / "data/raw").mkdir(parents=True)
    (tmp_path / "data/raw/common-voice-pt.dvc").write_text("outs: []", encoding="utf-8")
    assert "`dvc pull data/raw/common-voice-pt`" in line(examine_needs(XLSR, tmp_path)[0], "data")


def test_a_checkpoint_without_its_vocabulary_or_weights_is_incomplete(release: Path) -> None:
    (release / CHECKPOINT / "vocab.json").unlink()
    (release / CHECKPOINT / "pytorch_model.bin").unlink()
    found = line(examine_needs(XLSR, release)[0], "donor")
    assert "has no model.safetensors or pytorch_model.bin and no vocab.json" in found


def test_a_checkpoint_is_downloaded_from_a_hub_only_if_the_params_allow_it(release: Path) -> None:
    params = copy.deepcopy(XLSR)
    params["donor"] |= {"source": "data/raw/other", "hub": {"repository": "a/b", "revision": "0" * 40, "download": True}}
    assert "a/b at 000000000000, fetched by the run" in line(examine_needs(params, release)[0], "donor")
    params["donor"]["hub"]["download"] = False
    assert "is missing" in line(examine_needs(params, release)[0], "donor")


def test_a_system_that_starts_from_another_checkpoint_needs_it(release: Path) -> None:
    params = copy.deepcopy(XLSR)
    assert not any(line.startswith("start ") for line in examine_needs(params, release)[0])
    params["train"]["systems"]["multilingual"] = {"starts_from": "data/raw/xlsr", "head": "fresh", "peak_rate": 1e-4, "warmup_steps": 800}
    assert not list(disagreements(params)), "a system that dvc.yaml does not score is not a problem"
    assert line(examine_needs(params, release)[0], "start").endswith("multilingual: data/raw/xlsr is missing: put a checkpoint "
                                                                     "(config.json and weights) into it")
    lay(release / "data/raw/xlsr", "facebook/wav2vec2-large-xlsr-53")
    assert line(examine_needs(params, release)[0], "start") == "start            multilingual: data/raw/xlsr"


def brought(params: dict[str, Any]) -> None:
    """Add a text, a release of texts and an aligner to params."""
    params["language_model"]["portuguese"]["texts"] |= {"news": {"licence": "CC0-1.0", "file": "data/raw/news.txt"},
                                                        "books": {"licence": "CC0-1.0", "corpus": {"reader": "mls", "source": "data/raw/books"}}}
    params["align"]["portuguese"] = {"aligner": "data/raw/aligner"}


@pytest.mark.parametrize(("stages", "unmet"), [
    ([], []),
    (["split@portuguese", "ingest@speak-es", "score@transfer"], []),
    (["ingest@common-voice-pt"], ["common-voice-pt: data/raw/common-voice-pt is missing: docs/guides/corpora.md lists the files"]),
    (["donor"], [f"{CHECKPOINT} is missing: put a checkpoint"]),
    (["language_model@portuguese"], ["portuguese, news: data/raw/news.txt is missing", "portuguese, books: data/raw/books is missing"]),
    (["align@portuguese"], ["data/raw/aligner is missing: put a model"]),
    (["train@transfer"], []),
    (["train@multilingual", "donor"], [f"{CHECKPOINT} is missing", "multilingual: data/raw/xlsr is missing"]),
])
def test_stages_name_what_they_lack_and_nothing_else(stages: list[str], unmet: list[str], tmp_path: Path) -> None:
    params = copy.deepcopy(XLSR)
    brought(params)
    params["train"]["systems"]["multilingual"] = {"starts_from": "data/raw/xlsr", "head": "fresh", "peak_rate": 1e-4, "warmup_steps": 800}
    found = unmet_needs(params, stages, tmp_path, tmp_path)
    assert len(found) == len(unmet), found
    assert all(part in line for part, line in zip(unmet, found, strict=True)), found


def test_the_doctor_names_the_texts_and_the_aligner_that_are_missing(tmp_path: Path) -> None:
    params = copy.deepcopy(XLSR)
    brought(params)
    lines, _ = examine_needs(params, tmp_path)
    assert len([one for one in lines if one.startswith(("text ", "aligner ")) and "is missing" in one]) == 3


def test_a_gpu_that_the_driver_lists_is_believed_and_a_missing_one_is_confirmed(release: Path, tmp_path: Path) -> None:
    import torch

    expected = [] if torch.cuda.is_available() else ["GPU              none found, and 315 M parameters need one"]
    assert unmet_needs(XLSR, ["donor"], release, tmp_path / "without") == expected
    assert unmet_needs(XLSR, ["split@portuguese"], release, tmp_path / "without") == []
    (tmp_path / "system/proc/driver/nvidia/gpus/0000:00:1e.0").mkdir(parents=True)
    assert unmet_needs(XLSR, ["donor"], release, tmp_path / "system") == []


def test_a_flow_gets_one_message_with_all_that_its_stages_lack(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def answer(*stages: str) -> Result:
        return CliRunner().invoke(app, ["doctor", "--profile", "common-voice-xlsr", *(part for stage in stages for part in ("--stage", stage))])

    monkeypatch.setattr(run_requirements, "unmet_needs", lambda params, stages: unmet_needs(params, stages, tmp_path, tmp_path))
    found = answer("ingest@common-voice-pt", "donor")
    assert isinstance(found.exception, MissingInputError)
    assert str(found.exception).startswith("common-voice-xlsr.yaml: 2 requirements not met\n  data ")
    assert (answer("split@portuguese").exit_code, answer("split@portuguese").output) == (0, "")


@pytest.mark.slow
def test_a_flow_is_answered_without_torch() -> None:
    code = ("import sys\nfrom typer.testing import CliRunner\nfrom pipeline.cli.main import app\n"
            "assert CliRunner().invoke(app, sys.argv[1:]).exit_code == 0\nassert 'torch' not in sys.modules")
    stages = [part for stage in ("ingest@speak-es", "donor", "train@transfer", "gate") for part in ("--stage", stage)]
    subprocess.run([sys.executable, "-c", code, "doctor", *stages], cwd=ROOT, check=True)
