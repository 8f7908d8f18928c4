"""DVC commands end, whatever the remote does."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.core.errors import PipelineError
from pipeline.registry import store
from tests.flows.http_store import http_store
from tests.toy_registry import Toy


@pytest.mark.slow
def test_a_push_to_a_remote_that_accepts_connections_and_no_bytes_times_out_with_a_message(
        toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with http_store(tmp_path / "http") as remote:
        config = toy.path / ".dvc/config"
        config.write_text(config.read_text().replace("url = ../../dvc-remote", f"url = {remote.url}\n    method = PUT"))
        remote.fail("silent", after=0)
        monkeypatch.setattr(store, "LIMIT_S", 4.0)
        with pytest.raises(PipelineError, match="dvc push .*not done after 4 s.*check the DVC remote"):
            store.dvc(toy.path, "push")
