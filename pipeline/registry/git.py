"""Git commands: their output, or one error with git's message."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from pipeline.core.errors import PipelineError

HTTP_TIMEOUT = {"GIT_HTTP_LOW_SPEED_LIMIT": "1", "GIT_HTTP_LOW_SPEED_TIME": "300"}
"""Over HTTP, a transfer without a byte for 300 s fails; git itself waits for ever. The environment may set other values."""


def git(root: Path, *arguments: str) -> str:
    """Return what `git ARGUMENTS` prints in `root`, without the last line end.

    Raises:
        PipelineError: git failed; its output is in the message.
    """
    return git_bytes(root, *arguments).decode().rstrip("\n")


def git_bytes(root: Path, *arguments: str) -> bytes:
    """Return what `git ARGUMENTS` prints in `root`, as bytes; it never asks for a password, and its messages are English."""
    done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, check=False,
                          env={**HTTP_TIMEOUT, **os.environ, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"})
    if done.returncode:
        message = " ".join(done.stderr.decode(errors="replace").split()) or f"exit code {done.returncode}"
        raise PipelineError(f"git {arguments[0]} in {root}", message)
    return done.stdout


def remote_of(root: Path) -> str:
    """Return what `root` pushes to: `origin`, or `.` (root itself) if there is no such remote."""
    return "origin" if "origin" in git(root, "remote").split() else "."


def resolves(root: Path, name: str) -> str | None:
    """Return the commit that a name refers to; None if there is none."""
    try:
        return git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    except PipelineError:
        return None
