"""Fixtures of the toy registry (tests/toy_registry.py): built once, copied for each test."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.registry import promotion
from tests.toy_registry import Toy, build, own_state


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Yield a folder with the toy project after its first run (`run`), one promotion (`once`) and two (`twice`)."""
    folder = tmp_path_factory.mktemp("registry")
    with pytest.MonkeyPatch.context() as patch:
        own_state(patch, folder)
        build(folder / "run")
        for before, after, generation in (("run", "once", 1), ("once", "twice", 2)):
            shutil.copytree(folder / before, folder / after)
            toy = Toy(folder / after)
            if generation > 1:
                toy.run(generation, gates=0)
            promotion.promote(toy.path, promotion.read_candidate(toy.path).request, "Ana Reis")
        yield folder


def _copy(folders: Path, name: str, tmp_path: Path, patch: pytest.MonkeyPatch) -> Toy:
    own_state(patch, tmp_path)
    shutil.copytree(folders / name, tmp_path / "toy")
    return Toy(tmp_path / "toy")


@pytest.fixture
def toy(folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Toy:
    """A run of generation 1 at HEAD, pushed; nothing promoted."""
    return _copy(folders, "run", tmp_path, monkeypatch)


@pytest.fixture
def once(folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Toy:
    """v0.1.0 in use."""
    return _copy(folders, "once", tmp_path, monkeypatch)


@pytest.fixture
def twice(folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Toy:
    """v0.2.0 in use instead of v0.1.0."""
    return _copy(folders, "twice", tmp_path, monkeypatch)
