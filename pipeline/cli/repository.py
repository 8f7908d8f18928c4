"""What commits, promotions and flows need of Git, checked before hours of work."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from pipeline.core.errors import PipelineError
from pipeline.registry import gates
from pipeline.registry.clone import check_signing, committer_of, has_committer
from pipeline.registry.git import git, remote_of, resolves
from pipeline.registry.private_clone import MAIN

OLDEST = (2, 24)
"""Git's release of November 2019: every option that is used exists since then."""

Line = tuple[str, bool]


def examine_repository(root: Path) -> Iterator[Line]:
    """Yield a line per requirement of Git, with whether a run can start.

    Args:
        root: the checkout. Without Git a run has results and no history: that is a remark.
    """
    try:
        version = git(root, "version").removeprefix("git version ")
    except PipelineError as error:
        yield f"git              {error}", False
        return
    found = tuple(map(int, re.findall(r"\d+", version)[:2]))
    yield f"git              {version}" + ("" if found >= OLDEST else ", older than 2.24: install a newer one"), found >= OLDEST
    try:
        git(root, "rev-parse", "--show-toplevel")
    except PipelineError as error:
        good = not (root / ".git").exists()
        yield f"repository       {f'none in {root}: runs are not committed, and nothing can be promoted' if good else error.found}", good
        return
    yield from (_history(root), _line_ends(root), _committer(root), _signing(root), _remote(root), *_hooks(root))


def _history(root: Path) -> Line:
    try:
        gates.check_history(root)
    except PipelineError as error:
        return f"history          {error.found}: {error.action}, since gates are counted in {error.expected.partition(',')[0]}", False
    branch = git(root, "branch", "--show-current") or "a detached HEAD"
    return f"history          complete; on {branch}" + ("" if branch == MAIN else f" (after a promotion: git switch {MAIN})"), True


def _line_ends(root: Path) -> Line:
    """Return the line on line ends: DVC hashes code byte by byte, so that CRLF makes stages stale."""
    listed = git(root, "ls-files", "--eol", "-z").split("\0")
    changed = [entry.rpartition("\t")[2] for entry in listed if re.match(r"i/lf\s+w/(crlf|mixed)\b", entry)]
    if not changed:
        return "line ends        as committed", True
    return (f"line ends        {len(changed)} files have CRLF here and LF in Git ({changed[0]}): their stages would run again. Commit your changes, "
            "then `git rm -r --quiet --cached . && git reset --hard`"), False


def _committer(root: Path) -> Line:
    if not has_committer(root):
        return "committer        not set: a promotion needs `git config --global user.name NAME` and `user.email ADDRESS`", True
    committer = committer_of(root)
    return f"committer        {_printable(f'{committer.name} <{committer.email}>')}", True


def _signing(root: Path) -> Line:
    try:
        kind = check_signing(root)
    except PipelineError as error:
        return f"signatures       {error}", False
    return f"signatures       {f'{kind}, a trial succeeded' if kind else 'none demanded'}", True


def _remote(root: Path) -> Line:
    remote, names = remote_of(root), git(root, "remote").split()
    if remote == ".":
        others = f" (found {', '.join(names)}: `git remote rename {names[0]} origin`)" if names else ""
        ours = "" if resolves(root, f"refs/heads/{MAIN}") else f"; no branch {MAIN}: `git branch {MAIN}`"
        return f"remote           none named origin{others}: promotions stay in this checkout{ours}", True
    if resolves(root, f"refs/remotes/origin/{MAIN}"):
        return "remote           origin", True
    return f"remote           origin, where no branch {MAIN} has been fetched: `git fetch origin`, or `git push origin HEAD:refs/heads/{MAIN}`", True


def _hooks(root: Path) -> Iterator[Line]:
    """Yield a line on the hook that a promotion runs: it pushes from the checkout."""
    hook = root / git(root, "rev-parse", "--git-path", "hooks/pre-push")
    if os.access(hook, os.X_OK):
        yield f"hooks            {hook} runs before the push of a promotion, and can refuse it", True


def _printable(text: str) -> str:
    return text.encode(errors="surrogateescape").decode(errors="replace")
