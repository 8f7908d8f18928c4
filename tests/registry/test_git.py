"""Git commands: their errors have git's message, and they do not wait for ever."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path

import pytest

from pipeline.core.errors import MissingInputError, PipelineError
from pipeline.registry import git
from tests.hostile_git import set_personal


def test_an_error_has_the_message_of_git(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="git rev-parse in .*not a git repository"):
        git.git(tmp_path, "rev-parse", "HEAD")


def test_variables_and_settings_of_a_person_change_no_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "personal").mkdir()
    set_personal(tmp_path / "personal", monkeypatch)
    git.git(tmp_path, "-c", "core.hooksPath=/dev/null", "init", "--quiet", "-b", "main", "--template=", "one")
    root = tmp_path / "one"
    (root / "maçã.txt").write_text("one\n")
    git.git(root, "add", "--force", "--all")
    git.git(root, "-c", "user.name=João", "-c", "user.email=j@example.org", "-c", "core.hooksPath=/dev/null", "-c", "commit.template=",
            "commit", "--quiet", "-m", "ção")
    assert git.git(root, "ls-files") == "maçã.txt"
    assert git.git(root, "log", "-1", "--format=%an %s") == "João ção"
    (root / "new").write_text("new\n")
    assert git.git(root, "status", "--porcelain") == "?? new"
    with pytest.raises(PipelineError, match="unknown revision or path not in the working tree"):  # in English
        git.git(root, "log", "nowhere")


def test_output_that_is_not_utf8_is_kept(tmp_path: Path) -> None:
    git.git(tmp_path, "init", "--quiet")
    git.git(tmp_path, "config", "user.name", "Jo\udce3o")
    assert git.git(tmp_path, "config", "user.name") == "Jo\udce3o"
    assert git.git_bytes(tmp_path, "config", "user.name") == b"Jo\xe3o\n"


def test_a_name_resolves_or_not_and_a_repository_that_cannot_be_read_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PipelineError, match="not a git repository"):
        git.resolves(tmp_path, "HEAD")
    git.git(tmp_path, "init", "--quiet")
    assert git.resolves(tmp_path, "HEAD") is None
    assert git.resolves(tmp_path, "no such name") is None
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    with pytest.raises(PipelineError, match=r"git config --global --add safe\.directory"):
        git.resolves(tmp_path, "HEAD")


def test_without_git_the_program_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingInputError, match=r"git: no such program; expected git 2\.24 or newer on the PATH; install it"):
        git.git(tmp_path, "version")


def test_git_is_not_told_of_a_temporary_folder_that_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = ("-c", 'alias.folder=!echo "${TMPDIR-none}"', "folder")
    git.git(tmp_path, "init", "--quiet")
    for folder, expected in ((tmp_path, str(tmp_path)), (tmp_path / "missing", "none")):
        monkeypatch.setenv("TMPDIR", str(folder))
        assert git.git(tmp_path, *told) == expected


def test_a_command_without_an_answer_ends_at_its_time_limit(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="no answer in 0.2 s"):
        git.git(tmp_path, "-c", "alias.wait=!exec sleep 5", "wait", timeout_s=0.2)


def test_a_transfer_from_a_remote_that_sends_no_byte_times_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_HTTP_LOW_SPEED_TIME", "2")
    held: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        def accept() -> None:
            held.append(server.accept()[0])

        threading.Thread(target=accept, daemon=True).start()
        began = time.monotonic()
        with pytest.raises(PipelineError, match="git ls-remote"):
            git.git(tmp_path, "ls-remote", f"http://127.0.0.1:{server.getsockname()[1]}/repository.git")
        assert 1 < time.monotonic() - began < 30
    for connection in held:
        connection.close()
