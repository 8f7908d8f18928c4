"""What the registry asks of DVC ends, whatever the remote does."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.core.errors import PipelineError
from pipeline.registry import store
from tests.flows.http_store import http_store
from tests.toy_registry import Toy


def test_a_remote_that_takes_connections_and_no_bytes_ends_a_push_with_a_sentence(
        toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with http_store(tmp_path / "http") as remote:
        config = toy.path / ".dvc/config"
        config.write_text(config.read_text().replace("url = ../../dvc-remote", f"url = {remote.url}\n    method = PUT"))
        remote.fail("silent", after=0)
        monkeypatch.setattr(store, "LIMIT_S", 4.0)
        with pytest.raises(PipelineError, match="dvc push .*not done after 4 s.*look at the DVC remote"):
            store.dvc(toy.path, "push")
