"""The real pipeline, reduced for tests, under the flows: the same bytes as `dvc repro`, in spite of kills and cancels."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect.settings import PREFECT_API_URL

from pipeline.core.files import ROOT
from pipeline.registry.git import git
from tests import small_run
from tests.flows.conftest import children

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2400)]

FLOW = """
import json, sys
from flows.{name} import {name}
state = {name}(return_state=True, **json.loads(sys.argv[1]))
print("ENDED", json.dumps([state.name, state.message, state.result(raise_on_failure=False) if state.is_completed() else None]), flush=True)
"""


class Project:
    """A small project: a checkout with a bare Git remote and a DVC remote."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = small_run.clone(folder, "checkout")
        git(folder, "init", "--quiet", "--bare", "-b", "main", "origin.git")
        for key, value in (("user.name", "Ana Reis"), ("user.email", "ana@example.org")):
            git(self.path, "config", key, value)
        (self.path / ".dvc/config").write_text((ROOT / ".dvc/config").read_text().replace("[core]", "[core]\n    remote = store")
                                               + f"['remote \"store\"']\n    url = {folder}/dvc-remote\n")
        git(self.path, "checkout", "--quiet", "-B", "main")
        git(self.path, "add", "--all")
        git(self.path, "commit", "--quiet", "-m", "A small project")
        git(self.path, "remote", "set-url", "origin", str(folder / "origin.git"))
        git(self.path, "push", "--quiet", "origin", "main")
        self.cache = folder / "cache"
        (self.path / ".dvc/config.local").write_text(f"[cache]\n    dir = {self.cache}\n")

    def branch(self, name: str, files: Mapping[str, str | bytes]) -> str:
        """Commit files to a new branch of the remote and return the commit."""
        git(self.path, "checkout", "--quiet", "-B", name, "origin/main")
        for file, content in files.items():
            (self.path / file).parent.mkdir(parents=True, exist_ok=True)
            (self.path / file).write_bytes(content if isinstance(content, bytes) else content.encode())
        git(self.path, "add", "--all", "--force", *files)
        git(self.path, "commit", "--quiet", "-m", f"Add {', '.join(files)}")
        git(self.path, "push", "--quiet", "--force", "origin", name)
        commit = git(self.path, "rev-parse", "HEAD")
        git(self.path, "checkout", "--quiet", "main")
        return commit

    def environment(self) -> dict[str, str]:
        return small_run.environment(self.path) | {
            "VIZINHO_REPOSITORY": str(self.path), "PYTHONPATH": str(ROOT), "DO_NOT_TRACK": "1", "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_API_URL": str(PREFECT_API_URL.value())}

    def start(self, name: str, **parameters: Any) -> subprocess.Popen[bytes]:
        """Start a flow in a separate process."""
        with open(self.folder / "log", "w") as log:
            return subprocess.Popen([sys.executable, "-c", FLOW.format(name=name), json.dumps(parameters)], cwd=ROOT, env=self.environment(),
                                    stdout=log, stderr=subprocess.STDOUT)

    def run(self, name: str, **parameters: Any) -> list[Any]:
        """Return a flow's final state: name, message, outcome."""
        self.start(name, **parameters).wait()
        return self.ended()

    def ended(self) -> list[Any]:
        """Return how the last flow ended."""
        output = (self.folder / "log").read_text()
        found = "ENDED " in output
        ended: list[Any] = json.loads(output.rpartition("ENDED ")[2].splitlines()[0]) if found else ["none", output[-4000:], None]
        return ended


@pytest.fixture(scope="module")
def project(server: None, tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project(tmp_path_factory.mktemp("small"))


def until(found: Callable[[], Any], seconds: float = 900) -> Any:
    """Return the first true value of `found`."""
    limit = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < limit
        time.sleep(0.2)
    return value


def stage_processes(module: str) -> list[int]:
    """Return the ids of a stage's processes that descend from this one."""
    found = []
    for pid in children():
        try:
            arguments = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
        except OSError:
            continue
        if "-m" in arguments and f"pipeline.{module}" in arguments:
            found.append(pid)
    return found


def command_lines(text: str, folder: Path) -> list[str]:
    """Return the command lines that contain a text, of all processes whose working folder is below a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str(process.joinpath("cwd").resolve()).startswith(str(folder)) and text in (line := process.joinpath("cmdline").read_text()):
                found.append(line.replace("\0", " "))
        except OSError:
            continue
    return found


def test_kills_and_cancels_change_nothing_and_all_outs_are_those_of_dvc_repro(project: Project) -> None:
    # SIGKILL of the flow in the donor's training, once it has a resume state
    flow = project.start("retrain")
    until(lambda: stage_processes("donor"))
    time.sleep(8)
    flow.send_signal(signal.SIGKILL)
    flow.wait()
    until(lambda: not command_lines("pipeline.", project.folder), 15)

    # SIGTERM, which a cancel in the UI sends to the flow's process, during the training of the first system
    flow = project.start("retrain")
    until(lambda: stage_processes("train"))
    flow.send_signal(signal.SIGTERM)
    flow.wait(120)
    until(lambda: not command_lines("pipeline.", project.folder), 15)

    # SIGKILL of the training itself
    flow = project.start("retrain")
    pid = until(lambda: stage_processes("train"))[0]
    os.kill(pid, signal.SIGKILL)
    flow.wait()
    ended = project.ended()
    assert ended[0] == "Failed" and "train@" in ended[1] and "255" not in ended[1], ended

    name, message, outcome = project.run("retrain")
    assert name == "Completed", message
    assert not command_lines("pipeline.", project.folder)

    # A bare run of the run commit, with an empty cache, makes the same bytes: its lock file and metrics differ in nothing but timing
    manual = checkout(project, "manual", outcome["commit"], project.folder / "manual-cache")
    done = small_run.dvc(manual, "repro")
    assert done.returncode == 0, done.stdout
    assert "Running stage 'train@transfer'" in done.stdout
    assert not [line for line in git(manual, "status", "--porcelain").splitlines() if "data/timing/" not in line]
    assert small_run.outs(manual) == small_run.outs(manual, at="HEAD")

    # On the run commit no stage runs where a cache has its outs: that of the bare run, or what the flow pushed
    for name, cache in (("shared", project.folder / "manual-cache"), ("pulled", project.folder / "third")):
        clone = checkout(project, name, outcome["commit"], cache)
        fetched = small_run.dvc(clone, *(["checkout"] if name == "shared" else ["pull"]), "--force")
        assert fetched.returncode == 0, fetched.stdout
        assert "Running stage" not in small_run.dvc(clone, "repro").stdout


def checkout(project: Project, name: str, commit: str, cache: Path) -> Path:
    """Return a clone of the remote at a commit, with a DVC cache."""
    path = project.folder / name
    git(project.folder, "clone", "--quiet", "origin.git", str(path))
    git(path, "fetch", "--quiet", "origin", commit)
    git(path, "checkout", "--quiet", "--force", commit)
    (path / ".dvc/config.local").write_text(f"[cache]\n    dir = {cache}\n")
    return path


@pytest.mark.parametrize("flow", ["retrain", "watch"])
def test_what_a_worker_lacks_is_named_before_the_first_stage(project: Project, flow: str) -> None:
    params = yaml.safe_load((project.path / "params.yaml").read_text(encoding="utf-8"))
    params["ingest"]["fala"] = {"reader": "fleurs", "language": "portuguese", "source": "data/raw/fala"}
    params["normalise"]["fala"] = {"language": "portuguese", "locale": "pt-BR"}
    commit = project.branch("lacking", {"profiles/lacking.yaml": yaml.safe_dump(params)})
    began = time.monotonic()
    name, message, _ = project.run(flow, git_ref=commit, profile="lacking")
    assert name == "Failed" and "fala: data/raw/fala is missing" in message and "`dvc add` what is missing" in message, message
    assert not re.search(r"Running stage|ingest@speak-pt: ", (project.folder / "log").read_text()), "no stage runs"
    assert time.monotonic() - began < 60


def test_watch_and_evaluate_on_a_run(project: Project) -> None:
    name, message, _ = project.run("watch")
    assert (name, message.startswith("no retraining: 0 new utterances")) == ("Nothing to do", True), message
    commit = git(project.folder / "origin.git", "for-each-ref", "--format=%(objectname)", "refs/heads/retrain").split()[0]
    name, message, outcome = project.run("evaluate", git_ref=commit)
    assert (name, outcome["regressions"]) == ("Completed", []), message
    release = recordings(project.folder / "release")
    name, message, outcome = project.run("evaluate", git_ref=commit, release=str(release))
    assert name in ("Completed", "Regressed") and "30 utterances" in message, message


def test_the_champion_is_evaluated_on_a_release_of_another_reader_by_its_sets(project: Project) -> None:
    commit = with_random_champion(project)
    fleurs = in_sets(recordings(project.folder / "noise"), project.folder / "fleurs")
    name, message, outcome = project.run("evaluate", git_ref=commit, release=str(fleurs), reader="fleurs", options={"written": False}, sets=["dev"])
    assert name == "Completed" and "on 10 utterances" in message and outcome["regressions"] == [], message
    name, message, _ = project.run("evaluate", git_ref=commit, release=str(fleurs), reader="fleurs")
    assert name == "Completed" and "on 20 utterances" in message, message
    name, message, _ = project.run("evaluate", git_ref=commit, release=str(fleurs), reader="fleurs", sets=["train"])
    assert name == "Failed" and "no utterance of the release is in train; it has dev 10, test 20" in message, message
    name, message, _ = project.run("evaluate", git_ref=commit, release=str(fleurs), reader="fleurs", options={"writen": False})
    assert name == "Failed" and "ingest.release.writen: unknown key" in message and "correct the params" in message, message


def with_random_champion(project: Project) -> str:
    """Return a commit whose champion is a model that was never trained, with a WER of 100 %."""
    from pipeline import text
    from pipeline.model.artifact import save_model
    from pipeline.model.provenance import empty_trained_on
    from tests import tiny

    words = tiny.vocabulary("abcdefghijlmnopqrstuvz")
    meta = dict.fromkeys(("system", "label", "origin", "normaliser", "params", "figures")) | {
        "system": "donor", "label": "donor", "normaliser": text.version("pt-BR")}
    save_model(tiny.model(words), words, project.path / "random", meta, empty_trained_on)
    files = {str(file.relative_to(project.path)): file.read_bytes() for file in (project.path / "random").iterdir()}
    shutil.rmtree(project.path / "random")
    score = {"wer_served": {"value": 1.0, "low": 1.0, "high": 1.0}, "slices": [], "test_set": {"utterances": 1}}
    return project.branch("random", {**files, "champion.yaml": "champion: {path: random, version: null}\n",
                                     "data/score/champion.json": json.dumps(score)})


def in_sets(release: Path, folder: Path) -> Path:
    """Return the recordings of a release as one of FLEURS: twenty of test, ten of dev, in an archive."""
    lines = (release / "manifest.tsv").read_text(encoding="utf-8").splitlines()[1:]
    tables: dict[str, list[str]] = {"dev": [], "test": []}
    for index, line in enumerate(lines):
        path, text, _, _ = line.split("\t")
        name = "dev" if index < 10 else "test"
        (folder / "pt_br/audio" / name).mkdir(parents=True, exist_ok=True)
        shutil.copy(release / path, folder / "pt_br/audio" / name / f"{index}.flac")
        tables[name].append("\t".join([str(index), f"{index}.wav", text, text, "", "32000", "FEMALE"]))
    for name, rows in tables.items():
        (folder / "pt_br" / f"{name}.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return Path(shutil.make_archive(str(folder), "gztar", folder, "pt_br"))


def recordings(folder: Path) -> Path:
    """Return a release of thirty recordings, all noise, with sentences that are in no training set."""
    import numpy as np
    import soundfile

    (folder / "clips").mkdir(parents=True)
    random = np.random.default_rng(1)
    lines = ["path\ttext\tspeaker\tlocale"]
    for index in range(30):
        soundfile.write(folder / f"clips/{index}.flac", random.normal(0, 0.1, 32_000).astype("f4"), 16_000)
        colour = ("azul", "verde", "preto", "branco", "cinza")[index % 5]
        lines.append(f"clips/{index}.flac\to carro {colour} parou na porta {index}\tv{index % 3}\tpt-BR")
    (folder / "manifest.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder
