"""DVC commands end, whatever the remote does; clones share cache and remotes, whatever their paths."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.core.errors import PipelineError
from pipeline.registry import store
from tests.flows.http_store import http_store
from tests.toy_registry import Toy

NAMES = ("João's fala", 'a "quoted" place', "#1, ção, ñ [x] $HOME")


@pytest.mark.parametrize("name", NAMES)
def test_a_clone_shares_cache_and_remotes_whatever_their_paths(tmp_path: Path, name: str) -> None:
    root, clone = tmp_path / name / "root", tmp_path / name / "clone"
    for folder in (root, clone):
        (folder / ".dvc").mkdir(parents=True)
    (root / ".dvc/config").write_text("[core]\n    remote = store\n['remote \"store\"']\n    url = ../../dvc-remote\n", encoding="utf-8")
    store.share(root, clone)
    shared = store._config(clone)
    assert shared["cache"]["dir"] == str(root / ".dvc/cache")
    assert os.path.normpath(shared["remote"]["store"]["url"]) == str(tmp_path / name / "dvc-remote")


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
