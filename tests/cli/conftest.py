"""Fixtures of the commands: plain transcript files, and the toy registry."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.plain_files import BETTER, REFERENCES, WORSE, write
from tests.registry.conftest import once, toy, twice  # noqa: F401  # fixtures


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """A reference file with speakers, and the hypothesis files of two systems."""
    return {"reference": write(tmp_path / "reference.tsv", REFERENCES, speakers=True),
            "champion": write(tmp_path / "champion.tsv", WORSE), "challenger": write(tmp_path / "challenger.tsv", BETTER)}
