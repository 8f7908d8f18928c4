"""Brings promotions and rollbacks from the remote into the checkout of the service.

    python -m pipeline.serving.pull CHECKOUT

does it once. The service runs this in a separate process, never for a request.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import re
import signal
import sys
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from pipeline.core.errors import PipelineError
from pipeline.core.files import ROOT
from pipeline.registry.git import git
from pipeline.registry.record import CHAMPION, CHAMPION_POINTER, champion, champion_folder
from pipeline.registry.store import check_out, databases, dvc, hashes, pointer_hash, share

MAIN: Final = "main"
FETCHED: Final = f"refs/remotes/origin/{MAIN}"
LIMIT_S: Final = 3600.0
TERMINATE_S: Final = 5.0
"""Time between SIGTERM and SIGKILL for a pull that is ended."""
SECRET: Final = re.compile(r"(?<=://)[^/@\s]+@")
"""User and password in an address."""

log = logging.getLogger(__name__)


def pull(root: Path) -> None:
    """Bring a checkout to the remote's main, with its tags and the champion's model.

    The model's bytes come first. If they cannot be had, the checkout stays as it is, so that the service can start again at any time.

    Raises:
        PipelineError: git or DVC failed; the remote's main is not ahead of the checkout.
    """
    try:
        git(root, "fetch", "--quiet", "--tags", "origin", f"+refs/heads/{MAIN}:{FETCHED}")
        if changes := git(root, "diff", "--name-only", "HEAD", FETCHED, "--").splitlines():
            if {CHAMPION_POINTER, f"{CHAMPION}.dvc"} & set(changes):
                _fetch_model(root)
            git(root, "merge", "--quiet", "--ff-only", "--no-squash", "--no-verify-signatures", FETCHED)
    finally:
        if not _complete(root):  # also after a kill between the merge and this
            check_out(root, [champion(root)[0]])


def _fetch_model(root: Path) -> None:
    """Bring the model of the fetched main's champion into the cache, by a working tree of that commit beside the checkout.

    DVC's index of the remote is made afresh: it would remember for ever that the remote once lacked a folder, for which DVC does not fail.
    """
    git(root, "worktree", "prune")  # of a pull that was killed
    with tempfile.TemporaryDirectory() as name:
        tree = Path(name) / "main"
        git(root, "worktree", "add", "--quiet", "--detach", str(tree), FETCHED)
        try:
            share(root, tree)
            dvc(tree, "fetch", CHAMPION, DVC_SITE_CACHE_DIR=name)
            hashes(databases(root)["cache"], pointer_hash(git(root, "show", f"{FETCHED}:{CHAMPION}.dvc")))
        except FileNotFoundError:
            raise PipelineError(f"dvc fetch {CHAMPION}", "the remote lacks the model, or files of it", "all of its files", "`dvc push` where it "
                                "was promoted") from None
        finally:
            git(root, "worktree", "remove", "--force", str(tree))


def _complete(root: Path) -> bool:
    """Return whether the champion's folder has the files that its record names."""
    try:
        return champion_folder(root).is_dir()
    except PipelineError:
        return False


class Puller:
    """Pulls again and again, each time in a new process.

    Args:
        root: of the checkout.
        every_s: time between two pulls; it is varied by a tenth, so that many services do not pull at the same time.
        then: is awaited after each pull.
        count: is called with True after a pull that worked, else with False.
    """

    def __init__(self, root: Path, every_s: float, then: Callable[[], Awaitable[object]], count: Callable[[bool], object]) -> None:
        self._root, self._every_s, self._then, self._count = root, every_s, then, count
        self._problem = ""
        self.state = "not done yet"
        self.running = False

    async def run(self) -> None:
        """Pull until the task is cancelled."""
        while True:
            await asyncio.sleep(self._every_s * random.uniform(0.9, 1.1))
            await self.once()
            await self._then()

    async def once(self) -> None:
        """Pull; log and count the result."""
        self.running = True
        try:
            problem = await self._pull()
        except OSError as error:
            problem = f"no process: {error.strerror}"
        finally:
            self.running = False
        self.state = "failed" if problem else "ok"
        self._count(not problem)
        if problem and problem != self._problem:
            log.error("the pull failed: %s", problem)
        elif self._problem and not problem:
            log.info("the pull works again")
        self._problem = problem

    async def _pull(self) -> str:
        """Pull once; return what went wrong, or nothing."""
        process = await asyncio.create_subprocess_exec(sys.executable, "-m", "pipeline.serving.pull", str(self._root), cwd=ROOT,
                                                       stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
                                                       stderr=asyncio.subprocess.PIPE, start_new_session=True)
        try:
            async with asyncio.timeout(LIMIT_S):
                _, message = await process.communicate()
        except TimeoutError:
            return f"not done after {LIMIT_S:g} s"
        finally:
            if process.returncode is None:  # late, or the service stops
                await _end(process)
        lines = message.decode(errors="replace").strip().splitlines()
        return (lines[-1] if lines else f"exit code {process.returncode}") if process.returncode else ""


async def _end(process: asyncio.subprocess.Process) -> None:
    """End a process and its children: git and DVC remove their locks, if they have time."""
    for sent in (signal.SIGTERM, signal.SIGKILL):
        with suppress(TimeoutError, ProcessLookupError):
            os.killpg(process.pid, sent)
            async with asyncio.timeout(TERMINATE_S):
                await process.wait()
                return


def main() -> int:
    """Pull once; return the exit code."""
    try:
        pull(Path(sys.argv[1]).resolve())
    except PipelineError as error:
        print(SECRET.sub("", " ".join(str(error).split())), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
