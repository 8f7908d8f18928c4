"""After a kill at any point the same command finishes the work, with the result of an uninterrupted run."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from pipeline.core.files import read_json
from pipeline.core.params import read_params
from tests.small_run import clone, dvc, environment

SYSTEMS = tuple(read_params()["train"]["systems"])


def smaller(folder: Path) -> Path:
    """Shorten the trainings of a clone: the test compares bits, not error rates."""
    file = folder / "params.yaml"
    params = yaml.safe_load(file.read_text(encoding="utf-8"))
    params["donor"]["steps"], params["train"]["steps"] = 60, 40
    for section in ("donor", "train"):
        params[section]["config"] |= {"evaluate_every": 20, "checkpoint_s": 0.3}
    file.write_text(yaml.safe_dump(params, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return folder


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def kill_when(folder: Path, ready: Callable[[], bool], unless: Path, then_s: float = 0.0) -> None:
    """Start `dvc repro` and kill its whole process group `then_s` after it is `ready`, before `unless` exists."""
    with open(folder / "repro.log", "a", encoding="utf-8") as log:
        child = subprocess.Popen(["dvc", "repro"], cwd=folder, env=environment(folder), stdout=log, stderr=log, start_new_session=True)
    while child.poll() is None and not ready():
        time.sleep(0.02)
    time.sleep(then_s)
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    output = (folder / "repro.log").read_text(encoding="utf-8")
    assert child.returncode == -signal.SIGKILL, output[-3000:]
    assert not (folder / unless).exists(), f"{unless} was done before the kill"


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_three_kills_change_no_result(tmp_path: Path) -> None:
    whole, cut = smaller(clone(tmp_path, "whole")), smaller(clone(tmp_path, "cut"))
    state = Path(environment(cut)["VIZINHO_STATE"])

    kill_when(cut, lambda: any(state.glob("ingest/*/shard-*.json")), Path("data/ingest/spanish/speak-es"))
    kill_when(cut, lambda: any(state.glob("train/*/state.pt")), Path("data/donor/model.safetensors"), 1.0)
    known = set(state.glob("train/*/state.pt"))
    kill_when(cut, lambda: bool(set(state.glob("train/*/state.pt")) - known), Path("data/train/transfer/model.safetensors"), 0.5)
    finished, undisturbed = dvc(cut, "repro"), dvc(whole, "repro")
    assert finished.returncode == 0, finished.stdout[-3000:]
    assert undisturbed.returncode == 0, undisturbed.stdout[-3000:]

    output = (cut / "repro.log").read_text(encoding="utf-8") + finished.stdout
    assert "shards kept from an interrupted run" in output
    assert "donor: resumed at step" in output
    assert "train@transfer: resumed at step" in output
    for stage in ("normalise@speak-es", "split@spanish", "rank"):
        assert output.count(f"Running stage '{stage}'") == 1, "done once, kept after"
    assert not any(state.glob("*/*")), "no resume state is left"

    for model in ("donor", *(f"train/{system}" for system in SYSTEMS)):
        one, other = (folder / "data" / model for folder in (whole, cut))
        assert files_of(one) == files_of(other), model
    for system in (*SYSTEMS, "donor", "champion"):
        one, other = (read_json(folder / f"data/score/{system}.json") for folder in (whole, cut))
        for figure in ("wer", "cer", "counts", "tolerant", "test_set", "slices"):
            assert one[figure] == other[figure], (system, figure)
    rules = [{rule["name"]: rule["passed"] for rule in read_json(folder / "data/gate/verdict.json")["rules"] if rule["name"] != "min_relative_speed"}
             for folder in (whole, cut)]
    assert rules[0] == rules[1]
