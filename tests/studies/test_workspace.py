"""The workspace of a profile's study: its commit, its DVC cache, and what it refuses."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import yaml

from pipeline.registry.git import git
from pipeline.registry.store import dvc
from studies import workspace
from tests.small_run import clone
from tests.studies.commands import command
from tests.toy_registry import own_state

PIPELINE = """
stages:
  donor: {cmd: cp params.yaml donor.txt, deps: [params.yaml], outs: [donor.txt]}
  tokenise:
    foreach: [portuguese]
    do: {cmd: "cp dvc.yaml ${item}.txt", outs: ["${item}.txt"]}
"""


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with the two shared stages as copies of files, one profile and one tracked source."""
    own_state(monkeypatch, tmp_path / "state")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:/usr/bin:/bin")
    root = tmp_path / "checkout"
    git(tmp_path, "init", "--quiet", "-b", "main", str(root))
    git(root, "config", "user.name", "Ana Reis")
    git(root, "config", "user.email", "ana@example.org")
    dvc(root, "init", "--quiet")
    (root / "data/raw").mkdir(parents=True)
    (root / "data/raw/voice.txt").write_text("voice")
    dvc(root, "add", "--quiet", "data/raw/voice.txt")
    (root / "profiles").mkdir()
    params = {"ingest": {"voice": {"source": "data/raw/voice.txt"}}, "donor": {"source": "random"}}
    (root / "profiles/voice.yaml").write_text(yaml.safe_dump(params))
    (root / "params.yaml").write_text("ingest: {}\n")
    (root / "dvc.yaml").write_text(PIPELINE)
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "-m", "Start")
    monkeypatch.setattr(workspace, "ROOT", root)
    return root


@pytest.mark.slow
def test_a_workspace_has_the_profiles_params_in_a_commit_and_the_checkouts_cache(checkout: Path, tmp_path: Path) -> None:
    commit = git(checkout, "rev-parse", "HEAD")
    folder = workspace.workspace("voice")
    assert folder == tmp_path / "state/VIZINHO_STATE/studies" / f"voice-{commit[:12]}"
    assert (folder / "params.yaml").read_text() == (checkout / "profiles/voice.yaml").read_text()
    assert git(folder, "log", "--format=%an <%ae> %s").splitlines() == [
        "study <study@localhost> Run the stages that all trials share", "study <study@localhost> Use the params of voice",
        "Ana Reis <ana@example.org> Start"]
    assert git(folder, "branch", "--show-current") == "main"
    assert (folder / "data/raw/voice.txt").read_text() == "voice"
    assert (folder / "donor.txt").is_file() and (folder / "portuguese.txt").is_file()
    assert not (folder / ".dvc/cache").exists()
    assert len([file for file in (checkout / ".dvc/cache/files").rglob("*") if file.is_file()]) == 3, "voice, donor and tokenise"
    assert git(checkout, "rev-parse", "HEAD") == commit
    assert git(checkout, "status", "--porcelain") == ""
    tip = git(folder, "rev-parse", "HEAD")
    assert (workspace.workspace("voice"), git(folder, "rev-parse", "HEAD")) == (folder, tip)


def commit_profile(folder: Path, **source: str) -> None:
    """Commit a small profile to a clone; its Portuguese is the embedded corpus unless a source is given."""
    params = yaml.safe_load((folder / "params.yaml").read_text(encoding="utf-8"))
    if source:
        params["ingest"]["speak-pt"] = {"reader": "manifest", "language": "portuguese", "licence": "CC0-1.0", **source}
    (folder / "profiles/small.yaml").write_text(yaml.safe_dump(params, sort_keys=False, allow_unicode=True), encoding="utf-8")
    assert command(folder, "git", "add", "--all").returncode == 0
    assert command(folder, "git", "commit", "--quiet", "--message", "small").returncode == 0


@pytest.mark.slow
def test_an_unknown_profile_and_untracked_data_are_refused(tmp_path: Path) -> None:
    folder = clone(tmp_path)
    commit_profile(folder, source="data/raw/voice")
    study = (sys.executable, "-m", "studies.transfer", "--profile")
    none = command(folder, *study, "nothing")
    assert none.returncode == 2
    assert "--profile: 1 problem\n  found 'nothing'; expected one of common-voice-xlsr, real-voice, small" in none.stdout
    untracked = command(folder, *study, "small")
    assert untracked.returncode == 1
    assert "error: data/raw/voice: no data/raw/voice.dvc in the current commit; expected data under version control" in untracked.stdout
    assert "Traceback" not in none.stdout + untracked.stdout
    assert not list((folder.with_name("clone.state") / "vizinho/studies").iterdir()), "no partial workspace is left"


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_study_of_a_profile_runs_once_in_its_workspace(tmp_path: Path) -> None:
    folder = clone(tmp_path)
    commit_profile(folder)
    arguments = (sys.executable, "-m", "studies.transfer", "--profile", "small", "--about", "pair", "--seeds", "1", "--hours", "0.08")
    first = command(folder, *arguments)
    assert first.returncode == 0, first.stdout[-4000:]
    tables = first.stdout[first.stdout.index("| hours of Portuguese") :]
    assert "0.08 h, `transfer`" in tables and "`scratch` needs, hours" in tables and "nan" not in tables
    (made,) = (folder.with_name("clone.state") / "vizinho/studies").iterdir()
    assert yaml.safe_load((made / "params.yaml").read_text()) == yaml.safe_load((folder / "profiles/small.yaml").read_text())
    again = command(folder, *arguments)
    assert "Running stage" not in again.stdout and tables in again.stdout
    assert command(folder, "git", "status", "--porcelain").stdout == "" and not (folder / "dvc.lock").exists(), "the checkout is unchanged"
