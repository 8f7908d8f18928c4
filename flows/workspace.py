"""The private clone that a flow works in: one commit, with this machine's DVC cache and resume state.

Everything that a run makes outlives its clone: stage outs in the shared DVC cache, resume state in `VIZINHO_STATE`, results as a
commit on the Git remote.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flows.process import Finished, run
from flows.redaction import keep_secret, redact
from pipeline.core.errors import MissingInputError, ParamsError, PipelineError
from pipeline.core.files import ROOT, lock_free, state_dir, write_text
from pipeline.registry import store
from pipeline.registry.clone import Committer, has_committer, make_clone, set_up, sign_as
from pipeline.registry.git import git, is_partial, resolves, without_redirects

KEPT_DAYS: Final = 7
"""Days for which the clone of a failed run is kept."""
STALL_TIMEOUT_S: Final = 600.0
"""A transfer without progress for this long is stopped. DVC itself waits for ever for a remote that accepts connections and no bytes."""
COMMIT_FILE: Final = ".git/vizinho-commit"
SECRET_KEYS: Final = ("password", "secret_access_key", "access_key_id", "session_token", "token", "sas_token", "connection_string", "account_key",
                      "client_secret", "passphrase")


@dataclass(frozen=True, slots=True)
class Repository:
    """The repository that flows clone from and push to.

    Args:
        url: of the Git remote; a path if that is a folder.
        checkout: this machine's checkout, whose DVC configuration and cache are used; None if there is none.
    """

    url: str
    checkout: Path | None


@dataclass(frozen=True, slots=True)
class Workspace:
    """The clone of one run.

    Args:
        path: its folder.
        repository: that it is a clone of.
        commit: the commit that the run's ref named at its start; HEAD may have moved since.
    """

    path: Path
    repository: Repository
    commit: str

    def git(self, *arguments: str) -> str:
        """Return what `git ARGUMENTS` prints in the clone.

        Raises:
            PipelineError: git failed.
        """
        return git(self.path, *arguments)

    def dvc(self, *arguments: str, on_line: Callable[[str], object] = lambda line: None) -> Finished:
        """Run `dvc ARGUMENTS` to its end and return how it ended.

        Raises:
            PipelineError: it failed or stalled; its last lines are in the message.
        """
        done = run(dvc_command(*arguments), self.path, command_environment(self.path), on_line, stall_timeout_s=STALL_TIMEOUT_S)
        if done.stalled:
            raise PipelineError(f"dvc {arguments[0]}", f"no progress for {STALL_TIMEOUT_S:g} s", "a remote that sends and receives bytes",
                                "check the DVC remote, then run again: completed transfers are not repeated")
        if done.code:
            raise PipelineError(f"dvc {arguments[0]}", "stopped" if done.stopped else last_lines(done.lines))
        return done

    def dvc_output(self, *arguments: str) -> str:
        """Return what `dvc ARGUMENTS` prints on standard output.

        Raises:
            PipelineError: it failed.
        """
        done = subprocess.run(dvc_command(*arguments), cwd=self.path, env=command_environment(self.path), capture_output=True, text=True, check=False)
        if done.returncode:
            raise PipelineError(f"dvc {arguments[0]}", last_lines([redact(line) for line in done.stderr.splitlines()]))
        return done.stdout

    @property
    def has_remote(self) -> bool:
        """Whether a default DVC remote is configured."""
        return store.has_remote(self.path)


def dvc_command(*arguments: str) -> list[str]:
    """Return the command that runs `dvc ARGUMENTS` with this Python."""
    return [sys.executable, "-m", "dvc", *arguments]


def last_lines(lines: list[str] | tuple[str, ...], count: int = 15) -> str:
    """Return a command's last lines for an error message; the command's own error message is never cut.

    Args:
        lines: its output.
        count: how many lines to show, if its error message is shorter.
    """
    errors = [index for index, line in enumerate(lines) if line.startswith("error: ")]
    shown = list(lines)[min(errors[-1], len(lines) - count) if errors else -count:] if len(lines) > count else lines
    return "\n  ".join(["", *shown]) if shown else "it failed without a message"


def command_environment(path: Path) -> dict[str, str]:
    """Return the environment of a command in the clone at `path`: this Python first, the shared state folder, no variable of Prefect's."""
    kept = {name: value for name, value in without_redirects(os.environ).items() if not name.startswith(("PREFECT_", "VIRTUAL_ENV"))}
    return kept | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', os.defpath)}",
        "VIZINHO_STATE": str(state_folder()),
        "DVC_SITE_CACHE_DIR": str(path / ".dvc/tmp/site"),  # removed with the clone
        "DVC_NO_ANALYTICS": "1", "GIT_TERMINAL_PROMPT": "0", "PYTHONUNBUFFERED": "1", "NO_COLOR": "1", "PYTHONSAFEPATH": "",
    }


def state_folder() -> Path:
    """Return the state folder, which all clones of this machine share."""
    found = repository()
    return state_dir(found.checkout or Path.home()).resolve()


def repository() -> Repository:
    """Return the repository of the flows: `VIZINHO_REPOSITORY`, by default the checkout that contains this code.

    For a checkout that is its remote `origin`; without one, the checkout itself.

    Raises:
        MissingInputError: there is no such folder, or it is not a Git repository.
    """
    named = os.environ.get("VIZINHO_REPOSITORY") or str(ROOT)
    path = Path(named).expanduser()
    if not path.is_dir():
        if "://" in named or ":" in named:
            return Repository(named, None)
        raise MissingInputError("VIZINHO_REPOSITORY", f"no folder {named}", "a Git URL, or the path of a repository")
    path = path.resolve()
    try:
        if git(path, "rev-parse", "--is-bare-repository") == "true":
            return Repository(str(path), None)
        top = Path(git(path, "rev-parse", "--show-toplevel"))
    except PipelineError as error:
        raise MissingInputError(str(path), f"not a Git repository that this user can read ({error.found})",
                                "a clone of the project, or VIZINHO_REPOSITORY=URL in the environment") from None
    if "origin" not in git(top, "remote").split():
        return Repository(str(top), top)
    url = git(top, "remote", "get-url", "origin")
    local = (top / url).resolve()
    return Repository(str(local) if "://" not in url and local.exists() else url, top)


@contextmanager
def machine_lock(name: str, on_wait: Callable[[str], object]) -> Iterator[None]:
    """Hold this machine's lock of that name; the kernel releases it when the process ends, for any reason.

    Args:
        name: of the lock.
        on_wait: called with a message if another process holds it.
    """
    with open(_work_folder() / f"{name}.lock", "a+") as handle:
        if not lock_free(handle):
            handle.seek(0)
            on_wait(f"waiting: {handle.read().strip() or 'another run'} holds the lock {name} of this machine")
            fcntl.flock(handle, fcntl.LOCK_EX)
        handle.truncate(0)
        handle.write(f"process {os.getpid()}\n")
        handle.flush()
        yield


def _work_folder() -> Path:
    folder = state_folder() / "work"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)  # a clone's DVC configuration may contain credentials
    return folder


@contextmanager
def workspace(name: str, ref: str, log: Callable[[str], object], keep: bool = False) -> Iterator[Workspace]:
    """Yield the clone of a run at `ref`. A run that is started again gets the same clone, at the same commit.

    The clone is removed after success. After a failure, and with `keep`, it stays for a week.

    Args:
        name: of the run.
        ref: branch, tag or commit.
        log: called with a message if the clone exists already.
        keep: whether the clone stays after success.

    Raises:
        ParamsError: the repository has no such ref.
        PipelineError: the run is already active, or git failed.
    """
    folder, found = _work_folder(), repository()
    path = folder / name
    with open(folder / f"{name}.run", "w") as handle:
        if not lock_free(handle):
            raise PipelineError(f"run {name}", "it is already active", "one process per run", "wait for it, or cancel it")
        remove_old_clones(folder)
        if (path / COMMIT_FILE).is_file():
            (path / ".dvc/tmp/rwlock").unlink(missing_ok=True)  # left by a killed process: this process holds the run's lock
            (path / ".git/index.lock").unlink(missing_ok=True)
            opened = Workspace(path, found, (path / COMMIT_FILE).read_text(encoding="utf-8").strip())
            if found.checkout:
                sign_as(found.checkout, path)
            log(f"resuming in {path}, at {opened.commit[:9]}")
        else:
            shutil.rmtree(path, ignore_errors=True)
            opened = _clone(found, path, ref)
        yield opened
        if not keep:
            remove_clone(path)
            Path(handle.name).unlink(missing_ok=True)


def _clone(found: Repository, path: Path, ref: str) -> Workspace:
    """Return a new clone at the commit that `ref` names now, and mask the secrets of its DVC remotes in every log."""
    reference = found.checkout if found.checkout and found.url != str(found.checkout) and not is_partial(found.checkout) else None
    make_clone(found.url, path, *(("--reference-if-able", str(reference)) if reference else ()))
    commit = resolves(path, f"refs/remotes/origin/{ref}") or resolves(path, ref)
    if commit is None:
        branches = git(path, "for-each-ref", "--format=%(refname:lstrip=3)", "refs/remotes/origin").split()
        shutil.rmtree(path)
        raise ParamsError("git_ref", [f"{ref!r}: no such branch, tag or commit in {redact(found.url)}; "
                                      f"branches are {', '.join(name for name in branches if name != 'HEAD')}"])
    committer = None if has_committer(path) else Committer("vizinho", "vizinho@localhost")
    set_up(path, commit, checkout=found.checkout, committer=committer, cache=state_folder() / "cache")
    for remote in store.remotes(path).values():
        keep_secret(*(str(value) for key, value in remote.items() if key in SECRET_KEYS))
    write_text(path / COMMIT_FILE, f"{commit}\n")
    return Workspace(path, found, commit)


def remove_clone(path: Path) -> None:
    """Remove a clone; files that DVC linked from its cache stay in the cache."""
    shutil.rmtree(path, ignore_errors=True)


def remove_old_clones(folder: Path) -> None:
    """Remove the clones of runs that failed more than a week ago."""
    for marker in folder.glob("*.run"):
        with suppress(OSError), open(marker) as handle:
            if lock_free(handle) and time.time() - marker.stat().st_mtime > KEPT_DAYS * 86_400:
                remove_clone(marker.with_suffix(""))
                marker.unlink()


@contextmanager
def registry_checkout(on_wait: Callable[[str], object]) -> Iterator[Path]:
    """Yield the checkout that the registry works in, at the remote's main: one per machine, one user at a time.

    Without a remote it is the repository itself.

    Args:
        on_wait: called with a message if another process uses it.
    """
    found = repository()
    if found.checkout and found.url == str(found.checkout):
        yield found.checkout
        return
    with machine_lock("registry", on_wait):
        path = _work_folder() / "registry"
        if not (path / COMMIT_FILE).is_file() or git(path, "remote", "get-url", "origin") != found.url:
            shutil.rmtree(path, ignore_errors=True)
            _clone(found, path, "main")
        elif found.checkout:
            sign_as(found.checkout, path)
        git(path, "fetch", "--quiet", "--force", "--tags", "--prune", "origin", "+refs/heads/*:refs/remotes/origin/*")
        git(path, "checkout", "--quiet", "--force", "--detach", "refs/remotes/origin/main")
        yield path
