"""The whole pipeline, for real and small, in a clone: every stage, every file in form, and transfer well ahead of scratch."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from pipeline.core.files import read_json
from tests.preloaded import served
from tests.small_run import clone, dvc

pytestmark = pytest.mark.timeout(1800)  # about two minutes where the machine is free
SYSTEMS = ("transfer", "scratch", "donor", "champion")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = clone(tmp_path_factory.mktemp("run"))
    with served(tmp_path_factory.mktemp("preloaded")) as python:
        done = dvc(folder, "repro", python=python)
    assert done.returncode == 0, done.stdout[-4000:]
    return folder


def schemas(folder: Path) -> dict[str, Any]:
    return {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in sorted((folder / "docs/schemas").glob("*.json"))}


def test_transfer_has_far_fewer_errors_than_scratch_and_than_its_donor(run: Path) -> None:
    cer = {system: read_json(run / f"data/score/{system}.json")["cer"]["value"] for system in SYSTEMS}
    assert cer["transfer"] < 0.8 * cer["scratch"], cer
    assert cer["transfer"] < 0.9 * cer["donor"], cer
    assert cer["champion"] == cer["donor"], "day one: the champion is the donor"


def test_all_systems_were_asked_the_same_test_set_and_learned_from_none_of_it(run: Path) -> None:
    hashes = {read_json(run / f"data/score/{system}.json")["test_set"]["hash"] for system in SYSTEMS}
    assert len(hashes) == 1
    for system in SYSTEMS:
        assert read_json(run / f"data/transcribe/{system}.json")["trained_on_test"] == {"speakers": 0, "sentences": 0, "recordings": 0}


def test_there_is_a_verdict_and_a_page(run: Path) -> None:
    verdict = read_json(run / "data/gate/verdict.json")
    assert verdict["verdict"] in ("promote", "reject", "inconclusive")
    assert verdict["self_test"]["passed"] is True
    page = (run / "data/report/index.html").read_text(encoding="utf-8")
    assert verdict["verdict"] in page and all(system in page for system in SYSTEMS)


def test_every_file_with_a_schema_is_valid(run: Path) -> None:
    known = schemas(run)
    registry: Registry[Any] = Registry().with_resources([(name, Resource.from_contents(schema)) for stem, schema in known.items()
                                                         for name in {schema.get("$id", stem), f"{stem}.json"}])
    seen = set()
    for file in sorted((run / "data").rglob("*.json")):
        stated = content.get("schema", "") if isinstance(content := read_json(file), dict) else ""
        stem = str(stated).removeprefix("vizinho.").partition("/")[0]
        if stem in known:
            Draft202012Validator(known[stem], registry=registry).validate(content)
            seen.add(stem)
    assert seen >= {"certificate", "normalise", "rank", "score", "verdict", "vocabulary"}


def test_histories_are_whole_and_transfer_leaves_scratch_behind(run: Path) -> None:
    history = {system: pd.read_csv(run / f"data/train/{system}/history.csv") for system in ("transfer", "scratch")}
    assert history["transfer"]["step"].tolist() == history["scratch"]["step"].tolist()
    assert (history["transfer"]["dev_cer"] < history["scratch"]["dev_cer"]).all()


@pytest.mark.slow
def test_a_second_run_has_nothing_to_do(run: Path) -> None:
    again = dvc(run, "repro")
    assert again.returncode == 0
    assert "Running stage" not in again.stdout
    assert "Data and pipelines are up to date." in again.stdout


def test_a_clone_of_the_locked_commit_with_the_cache_of_the_run_runs_nothing(run: Path, tmp_path: Path) -> None:
    for key, value in (("user.name", "Ana Reis"), ("user.email", "ana@example.org")):
        subprocess.run(["git", "config", key, value], cwd=run, check=True)
    subprocess.run(["git", "add", "--all"], cwd=run, check=True)
    subprocess.run(["git", "commit", "--quiet", "--message", "Lock the run"], cwd=run, check=True)
    fresh = tmp_path / "fresh"
    subprocess.run(["git", "clone", "--quiet", str(run), str(fresh)], check=True)
    (fresh / ".dvc/config.local").write_text(f"[cache]\n    dir = {run}/.dvc/cache\n")
    restored = dvc(fresh, "checkout")
    assert restored.returncode == 0, restored.stdout
    done = dvc(fresh, "repro")
    assert "Running stage" not in done.stdout
    assert subprocess.run(["git", "status", "--porcelain"], cwd=fresh, text=True, capture_output=True, check=True).stdout == ""


def test_the_page_of_plots_needs_no_internet(run: Path) -> None:
    shown = dvc(run, "plots", "show")
    assert shown.returncode == 0, shown.stdout
    page = (run / "dvc_plots/index.html").read_text(encoding="utf-8")
    logged = len(list((run / "data/timing/curves").rglob("*.tsv")))
    assert logged >= len(SYSTEMS) - 1, "each training logs curves while it runs"
    assert page.count("vegaEmbed('#") == 3 + logged, "CER, WER and loss of all systems in one plot each, then every logged curve"
    assert page.count("<img") == 3, "learning curve, systems and ranking, drawn by the report"
    assert not re.search(r"<(script|link|img|iframe)[^>]+(src|href)=[\"']?(https?:)?//", page)
