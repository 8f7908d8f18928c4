"""Git, as registry uses it: one command, its output, or one clear error."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from pipeline.core.errors import PipelineError

PATIENCE = {"GIT_HTTP_LOW_SPEED_LIMIT": "1", "GIT_HTTP_LOW_SPEED_TIME": "300"}
"""Over HTTP, a transfer that moves no byte for 300 s ends: git itself waits for ever. Who sets these differently is obeyed."""


def git(root: Path, *words: str) -> str:
    """Return what `git WORDS` prints in `root`, without the last line end.

    Raises:
        PipelineError: git failed; what it said is in the message.
    """
    return git_bytes(root, *words).decode().rstrip("\n")


def git_bytes(root: Path, *words: str) -> bytes:
    """Return what `git WORDS` prints in `root`, byte by byte; it never asks for a password and speaks English."""
    done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, check=False,
                          env={**PATIENCE, **os.environ, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"})
    if done.returncode:
        said = " ".join(done.stderr.decode(errors="replace").split()) or f"exit code {done.returncode}"
        raise PipelineError(f"git {words[0]} in {root}", said)
    return done.stdout


def remote_of(root: Path) -> str:
    """Return where `root` pushes to: `origin`, or `.` (root itself) where there is none."""
    return "origin" if "origin" in git(root, "remote").split() else "."


def resolves(root: Path, name: str) -> str | None:
    """Return the commit that a name stands for; None if it stands for none."""
    try:
        return git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    except PipelineError:
        return None
