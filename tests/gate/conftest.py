"""Fixtures of the gate: a run whose challenger is better everywhere."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import jiwer
import pytest

from tests.gate_runs import (
    GOOD,
    remembering,
    write_run,
)


@pytest.fixture(autouse=True, scope="module")
def _remember_alignments() -> Iterator[None]:
    """Align each pair of references and hypotheses once: most tests score the same tables as others."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("process_words", "process_characters"):
            patch.setattr(jiwer, name, remembering(getattr(jiwer, name)))
        yield


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose challenger is better everywhere; tests that change it copy it first."""
    root = tmp_path_factory.mktemp("good")
    write_run(root, GOOD)
    return root


@pytest.fixture
def run(good: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(good, tmp_path / "run"))
