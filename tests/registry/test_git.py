"""Git under our hands: what it says is heard, and it does not wait for ever."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path

import pytest

from pipeline.core.errors import PipelineError
from pipeline.registry import git


def test_what_git_says_is_in_the_error(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="git rev-parse in .*not a git repository"):
        git.git(tmp_path, "rev-parse", "HEAD")


def test_a_remote_that_takes_a_connection_and_gives_no_byte_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_HTTP_LOW_SPEED_TIME", "2")
    held: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        def take() -> None:
            held.append(server.accept()[0])

        threading.Thread(target=take, daemon=True).start()
        began = time.monotonic()
        with pytest.raises(PipelineError, match="git ls-remote"):
            git.git(tmp_path, "ls-remote", f"http://127.0.0.1:{server.getsockname()[1]}/repository.git")
        assert 1 < time.monotonic() - began < 30
    for connection in held:
        connection.close()
