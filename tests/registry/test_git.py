"""Git commands: their errors have git's message, and they do not wait for ever."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path

import pytest

from pipeline.core.errors import PipelineError
from pipeline.registry import git


def test_an_error_has_the_message_of_git(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="git rev-parse in .*not a git repository"):
        git.git(tmp_path, "rev-parse", "HEAD")


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
