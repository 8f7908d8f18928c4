"""Clones of the repository, their lock and their environment."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from flows import workspace
from flows.workspace import Repository, command_environment, last_lines, repository
from pipeline.core.errors import MissingInputError
from pipeline.registry.git import git
from tests.hostile_git import set_personal


def test_a_second_run_waits_for_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIZINHO_STATE", str(tmp_path))
    waited: list[str] = []
    order: list[str] = []

    def second() -> None:
        with workspace.machine_lock("retrain", waited.append):
            order.append("second")

    with workspace.machine_lock("retrain", waited.append):
        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(0.5)
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]
    assert waited == [f"waiting: process {os.getpid()} holds the lock retrain of this machine"]


def test_a_commands_environment_has_the_shared_state_and_nothing_of_prefects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIZINHO_STATE", str(tmp_path))
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:4200/api")
    monkeypatch.setenv("GIT_INDEX_FILE", "/elsewhere")
    found = command_environment(tmp_path / "clone")
    assert found["VIZINHO_STATE"] == str(tmp_path)
    assert not [name for name in found if name.startswith(("PREFECT_", "GIT_INDEX"))]


def test_the_repository_of_a_checkout_is_its_remote_or_the_checkout_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git(tmp_path, "init", "--quiet", "checkout")
    monkeypatch.setenv("VIZINHO_REPOSITORY", str(tmp_path / "checkout"))
    assert repository() == Repository(str(tmp_path / "checkout"), tmp_path / "checkout")
    git(tmp_path / "checkout", "remote", "add", "origin", "https://example.org/team/vizinho.git")
    assert repository() == Repository("https://example.org/team/vizinho.git", tmp_path / "checkout")
    monkeypatch.setenv("VIZINHO_REPOSITORY", "git@example.org:team/vizinho.git")
    assert repository() == Repository("git@example.org:team/vizinho.git", None)
    monkeypatch.setenv("VIZINHO_REPOSITORY", str(tmp_path / "absent"))
    with pytest.raises(MissingInputError, match="no folder"):
        repository()


def test_a_clone_of_a_run_is_the_same_whatever_the_personal_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "personal").mkdir()
    git(tmp_path, "init", "--quiet", "--bare", "-b", "main", "origin.git")
    git(tmp_path, "init", "--quiet", "-b", "main", "checkout")
    (tmp_path / "checkout/params.yaml").write_text("one\n")
    git(tmp_path / "checkout", "add", "--all")
    git(tmp_path / "checkout", "-c", "user.name=a", "-c", "user.email=b", "commit", "--quiet", "-m", "one")
    git(tmp_path / "checkout", "remote", "add", "origin", str(tmp_path / "origin.git"))
    git(tmp_path / "checkout", "push", "--quiet", "origin", "main")
    monkeypatch.setenv("VIZINHO_REPOSITORY", str(tmp_path / "checkout"))
    monkeypatch.setenv("VIZINHO_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(workspace.store, "set_cache", lambda *_: None)
    monkeypatch.setattr(workspace.store, "remotes", lambda _: {})
    set_personal(tmp_path / "personal", monkeypatch)
    with workspace.workspace("run", "main", print) as space:
        assert (space.path / "params.yaml").read_bytes() == b"one\n"
        (space.path / "figures.json").write_text("{}\n")
        space.git("add", "--all")
        space.git("commit", "--quiet", "--no-verify", "-m", "Retrain: ção")
        space.git("push", "--quiet", "origin", "HEAD:refs/heads/retrain/one")
    assert git(tmp_path / "origin.git", "show", "retrain/one:figures.json") == "{}"
    assert git(tmp_path / "origin.git", "log", "-1", "--format=%an %s", "retrain/one") == "vizinho Retrain: ção"


def test_a_repository_of_another_owner_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git(tmp_path, "init", "--quiet", "checkout")
    monkeypatch.setenv("VIZINHO_REPOSITORY", str(tmp_path / "checkout"))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    with pytest.raises(MissingInputError, match=r"that this user can read \(.*git config --global --add safe\.directory"):
        repository()


def test_the_last_lines_of_a_command_never_cut_its_error_message() -> None:
    lines = ["read", "error: three problems", *(f"  problem {number}" for number in range(20))]
    assert last_lines(lines).splitlines()[1] == "  error: three problems"
    assert last_lines(["one", "two"], 1) == "\n  two"
    assert last_lines([]) == "it failed without a message"
