"""Fixtures of the tests of the training loop."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import tiny


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with ten utterances to train on and three to evaluate on."""
    folder: Path = tmp_path_factory.mktemp("tones")
    tiny.write_split(folder, tiny.TEXTS)
    tiny.write_split(folder, tiny.TEXTS[:3], "dev", seed=100)
    return folder
