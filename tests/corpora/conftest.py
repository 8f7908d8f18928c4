"""Fixtures of the readers' tests."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep ingest's state of the tests out of the checkout."""
    monkeypatch.setenv("VIZINHO_STATE", str(tmp_path / "state"))
