"""A finished run, written once per worker; each test changes a copy."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.reporting.results import write_run


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("finished") / "run")


@pytest.fixture
def root(finished_run: Path, tmp_path: Path) -> Path:
    return shutil.copytree(finished_run, tmp_path / "run")
