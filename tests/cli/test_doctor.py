"""`vizinho doctor`: every problem of the params at once, and what the machine has."""

from __future__ import annotations

import copy
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from pipeline.cli import doctor
from pipeline.cli.main import app
from pipeline.core.errors import ParamsError
from pipeline.core.files import ROOT

DEFAULT: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
PROFILES = sorted((ROOT / "profiles").glob("*.yaml"))


@pytest.fixture
def broken(tmp_path: Path) -> Callable[[Callable[[dict[str, Any]], object]], list[str]]:
    """Return a function that changes a copy of the default params and returns its problems."""
    def problems(change: Callable[[dict[str, Any]], object]) -> list[str]:
        params = copy.deepcopy(DEFAULT)
        change(params)
        (tmp_path / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")
        return doctor.problems(tmp_path / "params.yaml")

    return problems


@pytest.mark.parametrize("path", [ROOT / "params.yaml", *PROFILES], ids=lambda path: path.stem)
def test_the_default_and_every_profile_are_valid(path: Path) -> None:
    assert doctor.problems(path) == []


def test_the_real_voice_starts_from_the_embedded_donor() -> None:
    """Stages with equal params in both are taken from DVC's cache."""
    profile = yaml.safe_load((ROOT / "profiles/real-voice.yaml").read_text(encoding="utf-8"))
    assert profile["donor"] == DEFAULT["donor"]
    for section, key in (("ingest", "speak-es"), ("normalise", "speak-es"), ("split", "spanish"), ("tokenise", "spanish")):
        assert profile[section][key] == DEFAULT[section][key], f"{section}.{key}"


@pytest.mark.parametrize(("change", "message"), [
    (lambda p: p["score"].update(levle=0.9), "score.levle: unknown key (value 0.9); remove it or correct its spelling"),
    (lambda p: p.update(bake={}), "bake: unknown section; expected one of ingest, normalise, split"),
    (lambda p: p["train"].update(steps="many"), "train.steps: found 'many'; expected a valid integer"),
    (lambda p: p["train"].update(steps=0), "train.steps: found 0; expected greater than or equal to 1"),
    (lambda p: p["train"]["config"].update(optimiser="sgd"), "train.config.optimiser: found 'sgd'; expected 'adamw' or 'muon'"),
    (lambda p: p["train"]["systems"]["transfer"].pop("peak_rate"), "train.systems.transfer.peak_rate: missing; expected a value"),
    (lambda p: p.pop("gate"), "gate: missing section"),
    (lambda p: p.update(rank=[]), "rank: found []; expected a mapping"),
    (lambda p: p.update(ingest=None), "ingest: found None; expected a mapping"),
    (lambda p: p["split"].update(spanish=7), "split.spanish: found 7; expected a mapping"),
    (lambda p: p["ingest"]["speak-pt"].update(reader="tape"), "ingest.speak-pt.reader: found 'tape'; expected one of speak, manifest"),
    (lambda p: p["ingest"].update({"speak-pt": None}), "ingest.speak-pt: found None; expected a mapping"),
    (lambda p: p["ingest"]["speak-pt"].update(speakers=0), "ingest.speak-pt.speakers: found 0; expected greater than or equal to 1"),
    (lambda p: p["split"]["spanish"].update(dev_share=0.5, test_share=0.5),
     "split.spanish: dev_share + test_share should be less than 1, not 1"),
    (lambda p: p["score"].update(level=float("nan")), "score.level: found nan; expected"),
    # sections that are valid by themselves and contradict each other
    (lambda p: p["normalise"].pop("speak-pt"), "normalise.speak-pt: missing; expected the corpora of ingest"),
    (lambda p: p["ingest"]["speak-pt"].update(language="spanish"),
     "normalise.speak-pt.language: found 'portuguese'; expected 'spanish', as under ingest"),
    (lambda p: p["split"].pop("spanish"), "split.spanish: missing; ingest has corpora of this language"),
    (lambda p: p["align"].update(galician={"aligner": "data/donor"}), "align.galician: unknown; expected a language of split (spanish, portuguese)"),
    (lambda p: p["align"].update(portuguese={"aligner": "data/champion"}), "align.portuguese.aligner: found 'data/champion'; expected a pinned"),
    (lambda p: p["train"].update(split="data/align/portuguese"), "train.split: found 'data/align/portuguese', which no stage writes; "
                                                                 "expected a section align.portuguese"),
    (lambda p: p["tokenise"].pop("spanish"), "tokenise.spanish: missing; expected the languages of split (spanish, portuguese)"),
    (lambda p: p["split"]["spanish"].update(one_speaker=["speak-pt"]),
     "split.spanish.one_speaker: found 'speak-pt'; expected a corpus of this language"),
    (lambda p: p["train"]["systems"].pop("scratch"),
     "gate.baseline: found 'scratch'; expected one of train.systems (transfer, scratch_long)"),
    (lambda p: p["train"]["systems"].update(champion=p["train"]["systems"]["transfer"]),
     "train.systems: found champion; expected other names, since these systems exist before a run trains any"),
    (lambda p: p["gate"].update(baseline="transfer"), "gate.baseline: found 'transfer', the challenger; expected another system"),
    (lambda p: p["gate"].update(longer_baseline="transfer"), "gate.longer_baseline: found 'transfer', the challenger; expected another system"),
    (lambda p: p["gate"].update(challenger="donor"), "gate.challenger: found 'donor'; expected one of train.systems (transfer"),
])
def test_a_problem_is_reported_with_key_value_and_expectation(broken: Callable[..., list[str]], change: Any, message: str) -> None:
    assert any(problem.startswith(message) for problem in broken(change)), broken(change)


def test_problems_of_several_sections_are_reported_at_once(broken: Callable[..., list[str]]) -> None:
    def change(params: dict[str, Any]) -> None:
        params["ingest"]["speak-es"]["pitch"] = [60, 40]
        params["donor"]["peak_rate"] = -1
        params["score"]["resamples"] = "all"
        params.pop("report")
        params["extra"] = 1

    assert sorted(problem.split(":")[0] for problem in broken(change)) == ["donor.peak_rate", "extra", "ingest.speak-es", "report", "score.resamples"]


@pytest.mark.parametrize(("content", "message"), [
    (b"ingest: [", "not YAML"), (b"\xff\xfe", "not YAML"), (b"- a\n- b\n", "found list; expected a mapping of stages to their params"),
    (b"", "found NoneType; expected a mapping"),
])
def test_a_file_without_params_is_one_problem(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "params.yaml").write_bytes(content)
    found = doctor.problems(tmp_path / "params.yaml")
    assert len(found) == 1
    assert found[0].startswith(message)


def test_a_missing_file_is_a_problem(tmp_path: Path) -> None:
    assert "no such file" in doctor.problems(tmp_path / "absent.yaml")[0]


def test_a_profile_is_found_by_its_name() -> None:
    assert doctor.params_file(None) == ROOT / "params.yaml"
    assert doctor.params_file("real-voice") == ROOT / "profiles/real-voice.yaml"
    with pytest.raises(ParamsError, match="found '../params'; expected one of common-voice-xlsr, real-voice"):
        doctor.params_file("../params")


def test_a_package_that_is_missing_or_not_as_locked_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    line, good = doctor._package("no-such-package")
    assert (good, line.split()[:2]) == (False, ["no-such-package", "missing:"])
    monkeypatch.setattr("importlib.metadata.version", lambda name: "0.0.1")
    line, good = doctor._package("fastapi")
    assert good
    assert "fastapi          0.0.1 (the lock has 0." in line


def test_the_exit_code_is_0_only_on_a_suitable_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for fit, code in ((True, 0), (False, 1)):
        monkeypatch.setattr(doctor, "examine", lambda fit=fit: (["disk             as found"], fit))
        done = CliRunner().invoke(app, ["doctor"])
        assert done.exit_code == code
        assert done.stdout.splitlines()[:2] == ["disk             as found", "params           params.yaml is valid"]
        assert done.stdout.splitlines()[2].startswith("data             speak-es: spoken here")


def test_the_findings_are_printed_in_spite_of_invalid_params(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "pipeline", tmp_path / "pipeline", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "requirements").mkdir()
    for lock in ("main.txt", "speak.txt"):
        shutil.copy(ROOT / "requirements" / lock, tmp_path / "requirements")
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(DEFAULT | {"report": {"clips": -1, "klips": 8}}), encoding="utf-8")
    done = subprocess.run([sys.executable, "-m", "pipeline.cli", "doctor"], cwd=tmp_path, capture_output=True, text=True)
    for name in ("python", *doctor.PACKAGES, "device", "eSpeak NG", "programs", "disk"):
        assert f"{name} " in done.stdout
    assert "missing" not in done.stdout
    assert done.returncode == 2
    assert done.stderr == ("error: params.yaml: 2 problems\n  report.clips: found -1; expected greater than or equal to 0\n"
                           "  report.klips: unknown key (value 8); remove it or correct its spelling\n")
