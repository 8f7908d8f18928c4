"""Git commands: their output, or one error with git's message.

Settings and variables of a person's environment that would change a result are replaced; credentials, identity, signing and hooks
of the checkout stay as they are.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pipeline.core.errors import MissingInputError, PipelineError

HTTP_TIMEOUT = {"GIT_HTTP_LOW_SPEED_LIMIT": "1", "GIT_HTTP_LOW_SPEED_TIME": "300"}
"""Over HTTP, a transfer without a byte for 300 s fails; git itself waits for ever. The environment may set other values."""
FIXED: Final = {
    "color.ui": "false", "log.showSignature": "false", "log.follow": "false", "core.quotePath": "false",  # what commands print
    "status.showUntrackedFiles": "normal", "i18n.commitEncoding": "UTF-8", "i18n.logOutputEncoding": "UTF-8",
    "core.fsmonitor": "false", "core.safecrlf": "false", "submodule.recurse": "false",
    "fetch.pruneTags": "false", "push.followTags": "false",  # refs are named in full
    "protocol.file.allow": "always", "clone.rejectShallow": "false", "init.defaultRefFormat": "files",  # clones on this machine, which DVC reads
}
"""Settings of every command, whatever the configuration of the system, the user or the repository says."""
REDIRECTS: Final = frozenset({
    "GIT_DIR", "GIT_WORK_TREE", "GIT_IMPLICIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_QUARANTINE_PATH", "GIT_NAMESPACE", "GIT_CONFIG", "GIT_SHALLOW_FILE", "GIT_GRAFT_FILE",
    "GIT_REPLACE_REF_BASE", "GIT_NO_REPLACE_OBJECTS", "GIT_TEMPLATE_DIR", "GIT_EXTERNAL_DIFF", "GIT_LITERAL_PATHSPECS",
    "GIT_GLOB_PATHSPECS", "GIT_NOGLOB_PATHSPECS", "GIT_ICASE_PATHSPECS",
})
"""Variables that point git to another repository, index or file. A hook or an alias of git sets some of them for its commands."""


def without_redirects(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without the variables that point git elsewhere."""
    return {name: value for name, value in environment.items() if name not in REDIRECTS}


def git(root: Path, *arguments: str, timeout_s: float | None = None) -> str:
    """Return what `git ARGUMENTS` prints in `root`, without the last line end. Bytes that are not UTF-8 become surrogates, as in file names.

    Raises:
        PipelineError: git failed, or took longer than `timeout_s`; its output is in the message.
        MissingInputError: git is not installed.
    """
    return git_bytes(root, *arguments, timeout_s=timeout_s).decode(errors="surrogateescape").rstrip("\n")


def git_bytes(root: Path, *arguments: str, timeout_s: float | None = None) -> bytes:
    """Return what `git ARGUMENTS` prints in `root`, as bytes; it never asks for anything, and its messages are English."""
    done = _run(root, arguments, timeout_s)
    if done.returncode:
        raise _error(root, arguments, done)
    return done.stdout


def settings(root: Path) -> dict[str, str]:
    """Return git's settings in a repository, from every file; section and key are in lower case, a key without a value is "true"."""
    entries = (entry.partition("\n") for entry in git(root, "config", "--null", "--list").split("\0"))
    return {name: value if line_end else "true" for name, line_end, value in entries}


def remote_of(root: Path) -> str:
    """Return what `root` pushes to: `origin`, or `.` (root itself) if there is no such remote."""
    return "origin" if "origin" in git(root, "remote").split() else "."


def is_partial(root: Path) -> bool:
    """Return whether a repository lacks objects that it would fetch on demand (`git clone --filter`); its clones would lack them."""
    return any(name.endswith(".promisor") and value == "true" for name, value in settings(root).items())


def resolves(root: Path, name: str) -> str | None:
    """Return the commit that a name refers to; None if there is none.

    Raises:
        PipelineError: the repository cannot be read.
    """
    arguments = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    done = _run(root, arguments)
    if done.returncode not in (0, 1):
        raise _error(root, arguments, done)
    return done.stdout.decode().strip() or None if done.returncode == 0 else None


def _run(root: Path, arguments: tuple[str, ...], timeout_s: float | None = None) -> subprocess.CompletedProcess[bytes]:
    fixed = [part for name, value in FIXED.items() for part in ("-c", f"{name}={value}")]
    environment = {**HTTP_TIMEOUT, **without_redirects(os.environ), "GIT_TERMINAL_PROMPT": "0", "GIT_EDITOR": ":", "LC_ALL": "C", "LANGUAGE": ""}
    if not os.path.isdir(environment.get("TMPDIR", "")):
        environment.pop("TMPDIR", None)  # git fails in a missing folder
    try:
        return subprocess.run(["git", *fixed, "-C", str(root), *arguments], stdin=subprocess.DEVNULL, capture_output=True, check=False,
                              env=environment, timeout=timeout_s)
    except FileNotFoundError:
        raise MissingInputError("git", "no such program", "git 2.24 or newer on the PATH", "install it (Debian: apt install git)") from None
    except subprocess.TimeoutExpired:
        raise PipelineError(f"git {arguments[0]} in {root}", f"no answer in {timeout_s:g} s") from None


def _error(root: Path, arguments: tuple[str, ...], done: subprocess.CompletedProcess[bytes]) -> PipelineError:
    """Return the error of a failed command. Some hooks print their reason on standard output."""
    message = " ".join(b" ".join([done.stderr, done.stdout[-2000:]]).decode(errors="replace").split())
    return PipelineError(f"git {arguments[0]} in {root}", message or f"exit code {done.returncode}")
