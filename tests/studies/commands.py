"""Commands in a small clone, with a committer for the commits that they make."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.small_run import environment

IDENTITY = {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in (("NAME", "x"), ("EMAIL", "x@localhost"))}


def command(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Return a finished command in a clone, its output as text."""
    return subprocess.run(arguments, cwd=folder, env=environment(folder) | IDENTITY, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
