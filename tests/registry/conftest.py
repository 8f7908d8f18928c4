"""Fixtures of the toy registry (tests/toy_registry.py): built once, copied for each test."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pipeline.registry.git import git
from tests.toy_registry import Toy, built, own_state


def _copy(name: str, tmp_path: Path, patch: pytest.MonkeyPatch) -> Toy:
    own_state(patch, tmp_path)
    shutil.copytree(built(name), tmp_path / "toy")
    return Toy(tmp_path / "toy")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """An empty repository with a committer."""
    git(tmp_path, "init", "--quiet", "-b", "main")
    git(tmp_path, "config", "user.name", "Ana Reis")
    git(tmp_path, "config", "user.email", "ana@example.org")
    return tmp_path


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Toy:
    """A run of generation 1 at HEAD, pushed; nothing promoted."""
    return _copy("run", tmp_path, monkeypatch)


@pytest.fixture
def once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Toy:
    """v0.1.0 in use."""
    return _copy("once", tmp_path, monkeypatch)


@pytest.fixture
def twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Toy:
    """v0.2.0 in use instead of v0.1.0."""
    return _copy("twice", tmp_path, monkeypatch)
