"""A place where a study of a profile's params runs: a clone of the current commit, beside the checkout, sharing its DVC cache.

Trials are DVC experiments of a commit, and params.yaml is part of it; so a profile needs a commit of its own, which is made
there and never in the checkout.
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

MADE_ONCE = ("donor", "tokenise@portuguese")
"""What no trial changes, with all that it needs."""


def workspace(profile: str) -> Path:
    """Return the workspace of a profile at the current commit: made, and brought up to date, where that has not been done.

    Raises:
        ParamsError: there is no such profile.
        MissingInputError: data that it names are not under version control.
        SystemExit: git or DVC failed.
    """
    params = ROOT / f"profiles/{profile}.yaml"
    if not params.exists():
        there = ", ".join(sorted(file.stem for file in params.parent.glob("*.yaml")))
        raise ParamsError("--profile", [f"found {profile!r}; expected one of {there}"])
    commit = _out("git", "rev-parse", "HEAD", at=ROOT)
    folder = state_dir().resolve() / "studies" / f"{profile}-{commit[:12]}"
    if not folder.exists():
        with atomic_folder(folder) as made:
            _run("git", "clone", "--quiet", str(ROOT), str(made), at=ROOT)
            shutil.copyfile(params, made / "params.yaml")
            for what, value in (("name", "study"), ("email", "study@localhost")):
                _run("git", "config", f"user.{what}", value, at=made)
            _run("dvc", "cache", "dir", "--quiet", "--local", _out("dvc", "cache", "dir", at=ROOT), at=made)
            _tracked(made)
            _commit(made, f"Take the params of {profile}")
    log(f"study: in {folder}")
    if brought := [f"{source}.dvc" for source in _raw(folder)]:
        _run("dvc", "checkout", "--quiet", *brought, at=folder)
    _run("dvc", "repro", *MADE_ONCE, at=folder)
    _commit(folder, "Make what no trial changes")
    return folder


def inside(folder: Path, words: Sequence[str]) -> int:
    """Run the study in a workspace, its output passed through; return its exit code."""
    state = {"VIZINHO_STATE": str(state_dir().resolve()), "PYTHONPATH": str(folder)}
    return subprocess.run([sys.executable, "-m", "studies.transfer", *words], cwd=folder, env=os.environ | state).returncode


def _raw(folder: Path) -> list[str]:
    params = read_params(folder / "params.yaml")
    sources = [section["source"] for section in params["ingest"].values()] + [params["donor"]["source"]]
    return [source for source in sources if source.startswith("data/raw/")]


def _tracked(folder: Path) -> None:
    for source in _raw(folder):
        if not (folder / f"{source}.dvc").exists():
            raise MissingInputError(source, f"no {source}.dvc in the current commit", "data under version control: every trial has a clone",
                                    f"dvc add {source}, and commit {source}.dvc")


def _commit(folder: Path, message: str) -> None:
    if _out("git", "status", "--porcelain", at=folder):
        _run("git", "add", "--all", at=folder)  # dvc.lock and metrics may be new there
        _run("git", "commit", "--quiet", "--message", message, at=folder)


def _run(*words: str, at: Path) -> None:
    done = subprocess.run(words, cwd=at, env=os.environ | {"VIZINHO_STATE": str(state_dir().resolve()), "PYTHONPATH": str(at)})
    if done.returncode:
        sys.exit(f"error: {' '.join(words)}: ended with {done.returncode}; expected 0; see above, fix it, and start the study again")


def _out(*words: str, at: Path) -> str:
    return subprocess.run(words, cwd=at, text=True, capture_output=True, check=True).stdout.strip()
