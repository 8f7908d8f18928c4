"""The workspace of a study with a profile's params: a clone of the current commit that shares the checkout's DVC cache.

Trials are DVC experiments of a commit, and params.yaml is part of it. So a profile needs a separate commit, which is made in the clone and
never in the checkout.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from pipeline.core.errors import MissingInputError, ParamsError
from pipeline.core.files import ROOT, atomic_folder, state_dir
from pipeline.core.params import read_params
from pipeline.core.progress import log
from pipeline.registry.clone import Committer, make_clone, set_up
from pipeline.registry.git import git

SHARED_STAGES = ("donor", "tokenise@portuguese")
"""Stages that, with all that they need, are the same in every trial."""


def workspace(profile: str) -> Path:
    """Return the workspace of a profile at the current commit, with the shared stages up to date; create it if it is missing.

    Raises:
        ParamsError: there is no such profile.
        MissingInputError: data that it names are not under version control.
        PipelineError: git failed.
        SystemExit: DVC failed.
    """
    params = ROOT / f"profiles/{profile}.yaml"
    if not params.exists():
        profiles = ", ".join(sorted(file.stem for file in params.parent.glob("*.yaml")))
        raise ParamsError("--profile", [f"found {profile!r}; expected one of {profiles}"])
    commit = git(ROOT, "rev-parse", "HEAD")
    folder = state_dir().resolve() / "studies" / f"{profile}-{commit[:12]}"
    if not folder.exists():
        with atomic_folder(folder) as clone:
            make_clone(str(ROOT), clone)
            set_up(clone, commit, checkout=ROOT, branch=git(ROOT, "branch", "--show-current") or None,
                   committer=Committer("study", "study@localhost"))
            shutil.copyfile(params, clone / "params.yaml")
            _check_tracked(clone)
            _commit_all(clone, f"Use the params of {profile}")
    log(f"study: in {folder}")
    if sources := [f"{source}.dvc" for source in _raw_sources(folder)]:
        _dvc(folder, "checkout", "--quiet", *sources)
    _dvc(folder, "repro", *SHARED_STAGES)
    _commit_all(folder, "Run the stages that all trials share")
    return folder


def run_study(folder: Path, arguments: Sequence[str]) -> int:
    """Run the study in a workspace with its output passed through; return its exit code."""
    return subprocess.run([sys.executable, "-m", "studies.transfer", *arguments], cwd=folder, env=_environment(folder), check=False).returncode


def _raw_sources(folder: Path) -> list[str]:
    """Return the paths under data/raw that params.yaml names."""
    params = read_params(folder / "params.yaml")
    sources = [section["source"] for section in params["ingest"].values()] + [params["donor"]["source"]]
    return [source for source in sources if source.startswith("data/raw/")]


def _check_tracked(folder: Path) -> None:
    for source in _raw_sources(folder):
        if not (folder / f"{source}.dvc").exists():
            raise MissingInputError(source, f"no {source}.dvc in the current commit", "data under version control: every trial runs in a clone",
                                    f"dvc add {source}, and commit {source}.dvc")


def _commit_all(folder: Path, message: str) -> None:
    if git(folder, "status", "--porcelain"):
        git(folder, "add", "--all")  # dvc.lock and metrics may be new
        git(folder, "commit", "--quiet", "--message", message)


def _dvc(folder: Path, *arguments: str) -> None:
    code = subprocess.run(["dvc", *arguments], cwd=folder, env=_environment(folder), check=False).returncode
    if code:
        sys.exit(f"error: dvc {' '.join(arguments)}: ended with {code}; expected 0; see above, fix it, and start the study again")


def _environment(folder: Path) -> dict[str, str]:
    return os.environ | {"VIZINHO_STATE": str(state_dir().resolve()), "PYTHONPATH": str(folder)}
