"""Where a flow works: a private clone of the repository at one commit, with the machine's DVC cache and resume state.

All that a run makes outlives its clone: stage outs in the shared DVC cache, resume state in `VIZINHO_STATE`, results as a
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
from pipeline.registry.git import git, resolves

KEPT_DAYS: Final = 7  # a clone that a failed run left behind
PATIENCE_S: Final = 600.0
"""A transfer that shows no progress for so long is stopped. DVC waits for ever for a remote that takes connections and no bytes."""
RESOLVED: Final = ".git/vizinho-commit"
SECRET_KEYS: Final = ("password", "secret_access_key", "access_key_id", "session_token", "token", "sas_token", "connection_string", "account_key",
                      "client_secret", "passphrase")


@dataclass(frozen=True, slots=True)
class Repository:
    """Where clones come from and results go to.

    Args:
        url: of the Git remote; a path where that is a folder.
        checkout: this machine's own, whose DVC configuration and cache are used; None where there is none.
    """

    url: str
    checkout: Path | None


@dataclass(frozen=True, slots=True)
class Workspace:
    """A clone for one run.

    Args:
        commit: what the run's ref stood for when it began; the clone may have moved on since.
    """

    path: Path
    repository: Repository
    commit: str

    def git(self, *words: str) -> str:
        return git(self.path, *words)

    def dvc(self, *words: str, said: Callable[[str], object] = lambda line: None) -> Finished:
        """Run `dvc WORDS` to its end.

        Raises:
            PipelineError: it failed; its last lines are in the message.
        """
        done = run(dvc_command(*words), self.path, environment(self.path), said, patience_s=PATIENCE_S)
        if done.stuck:
            raise PipelineError(f"dvc {words[0]}", f"nothing moved for {PATIENCE_S:g} s", "a remote that takes and gives bytes",
                                "look at the DVC remote, then run again: what has arrived is not sent twice")
        if done.code:
            raise PipelineError(f"dvc {words[0]}", "stopped" if done.stopped else said_last(done.lines))
        return done

    def ask_dvc(self, *words: str) -> str:
        """Return what `dvc WORDS` prints on standard output.

        Raises:
            PipelineError: it failed.
        """
        done = subprocess.run(dvc_command(*words), cwd=self.path, env=environment(self.path), capture_output=True, text=True, check=False)
        if done.returncode:
            raise PipelineError(f"dvc {words[0]}", said_last([redact(line) for line in done.stderr.splitlines()]))
        return done.stdout

    @property
    def has_remote(self) -> bool:
        """Whether a default DVC remote is configured."""
        return store.has_remote(self.path)


def dvc_command(*words: str) -> list[str]:
    """Return the `dvc` command of this Python."""
    return [sys.executable, "-m", "dvc", *words]


def said_last(lines: list[str] | tuple[str, ...], count: int = 15) -> str:
    """Return a command's last lines as an error message shows them; its own error message whole, where it has one."""
    errors = [index for index, line in enumerate(lines) if line.startswith("error: ")]
    shown = list(lines)[min(errors[-1], len(lines) - count) if errors else -count:] if len(lines) > count else lines
    return "\n  ".join(["", *shown]) if shown else "it failed without a word"


def environment(path: Path) -> dict[str, str]:
    """Return the environment of a command in a clone: this Python first, state shared, nothing of Prefect's."""
    kept = {name: value for name, value in os.environ.items()
            if not name.startswith(("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX", "PREFECT_", "VIRTUAL_ENV"))}
    return kept | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', os.defpath)}",
        "VIZINHO_STATE": str(state()),
        "DVC_SITE_CACHE_DIR": str(path / ".dvc/tmp/site"),  # what DVC remembers of a folder goes with it
        "DVC_NO_ANALYTICS": "1", "GIT_TERMINAL_PROMPT": "0", "PYTHONUNBUFFERED": "1", "NO_COLOR": "1", "PYTHONSAFEPATH": "",
    }


def state() -> Path:
    """Return the state folder, the same one for every clone of the machine."""
    found = repository()
    return state_dir(found.checkout or Path.home()).resolve()


def repository() -> Repository:
    """Return the repository that the flows work on: `VIZINHO_REPOSITORY`, by default the checkout that this code lies in.

    A checkout stands for its remote `origin`; for itself where it has none.

    Raises:
        MissingInputError: neither is there.
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
    except PipelineError:
        raise MissingInputError(str(path), "no Git repository", "a clone of the project, or VIZINHO_REPOSITORY=URL in the environment") from None
    if "origin" not in git(top, "remote").split():
        return Repository(str(top), top)
    url = git(top, "remote", "get-url", "origin")
    beside = (top / url).resolve()
    return Repository(str(beside) if "://" not in url and beside.exists() else url, top)


@contextmanager
def held(name: str, waiting: Callable[[str], object]) -> Iterator[None]:
    """Hold this machine's lock of that name; the kernel drops it with the process, however that ends."""
    place = _place()
    with open(place / f"{name}.lock", "a+") as handle:
        if not lock_free(handle):
            handle.seek(0)
            waiting(f"waiting: {handle.read().strip() or 'another run'} holds {name} on this machine")
            fcntl.flock(handle, fcntl.LOCK_EX)
        handle.truncate(0)
        handle.write(f"process {os.getpid()}\n")
        handle.flush()
        yield


def _place() -> Path:
    place = state() / "work"
    place.mkdir(parents=True, exist_ok=True, mode=0o700)  # a clone's DVC configuration may hold credentials
    return place


@contextmanager
def workspace(name: str, ref: str, said: Callable[[str], object], keep: bool = False) -> Iterator[Workspace]:
    """Yield the clone of the run `name` at `ref`; the same one, at the same commit, to the same run started again.

    It is removed where all went well, and kept to be looked at where not (and with `keep`), for a week.

    Raises:
        ParamsError: the repository has no such ref.
        PipelineError: the run is at work already, or git failed.
    """
    place, found = _place(), repository()
    path = place / name
    with open(place / f"{name}.run", "w") as handle:
        if not lock_free(handle):
            raise PipelineError(f"run {name}", "it is at work already", "one process a run", "wait for it, or cancel it")
        sweep(place)
        if (path / RESOLVED).is_file():
            (path / ".dvc/tmp/rwlock").unlink(missing_ok=True)  # of a process that was killed: this run's lock is ours
            (path / ".git/index.lock").unlink(missing_ok=True)
            opened = Workspace(path, found, (path / RESOLVED).read_text(encoding="utf-8").strip())
            said(f"taking {path} up again, at {opened.commit[:9]}")
        else:
            shutil.rmtree(path, ignore_errors=True)
            opened = _clone(found, path, ref)
        yield opened
        if not keep:
            remove(path)
            Path(handle.name).unlink(missing_ok=True)


def _clone(found: Repository, path: Path, ref: str) -> Workspace:
    """Return a fresh clone at what `ref` stands for now, its results not yet laid out."""
    known = ["--reference-if-able", str(found.checkout)] if found.checkout and found.url != str(found.checkout) else []
    git(path.parent, "clone", "--quiet", "--no-checkout", *known, found.url, str(path))
    commit = resolves(path, f"refs/remotes/origin/{ref}") or resolves(path, ref)
    if commit is None:
        there = git(path, "for-each-ref", "--format=%(refname:lstrip=3)", "refs/remotes/origin").split()
        shutil.rmtree(path)
        raise ParamsError("git_ref", [f"{ref!r}: no such branch, tag or commit in {redact(found.url)}; "
                                      f"branches are {', '.join(name for name in there if name != 'HEAD')}"])
    git(path, "checkout", "--quiet", "--detach", commit)
    identify(path)
    share_cache(found, path)
    write_text(path / RESOLVED, f"{commit}\n")
    return Workspace(path, found, commit)


def identify(path: Path) -> None:
    """Give a clone somebody to commit as, where the machine names nobody."""
    if not resolves_identity(path):
        git(path, "config", "user.name", "vizinho")
        git(path, "config", "user.email", "vizinho@localhost")


def resolves_identity(path: Path) -> bool:
    """Return whether git knows who commits here."""
    try:
        git(path, "-c", "user.useConfigOnly=true", "var", "GIT_COMMITTER_IDENT")
    except PipelineError:
        return False
    return True


def share_cache(found: Repository, path: Path) -> None:
    """Let a clone use this machine's DVC cache and remotes, and learn their secrets so that no log tells them."""
    if found.checkout and (found.checkout / ".dvc").is_dir():
        store.share(found.checkout, path)
    else:
        store.set_cache(path, state() / "cache")
    for remote in store.remotes(path).values():
        keep_secret(*(str(value) for key, value in remote.items() if key in SECRET_KEYS))


def remove(path: Path) -> None:
    """Remove a clone; what DVC linked from its cache is read-only there, not here."""
    shutil.rmtree(path, ignore_errors=True)


def sweep(place: Path) -> None:
    """Remove what runs left behind that ended badly a week ago."""
    for left in place.glob("*.run"):
        with suppress(OSError), open(left) as handle:
            if lock_free(handle) and time.time() - left.stat().st_mtime > KEPT_DAYS * 86_400:
                remove(left.with_suffix(""))
                left.unlink()


@contextmanager
def registry_checkout(said: Callable[[str], object]) -> Iterator[Path]:
    """Yield the checkout in which the registry works, at the remote's main: one for the machine, one user at a time.

    Without a remote it is the repository itself.
    """
    found = repository()
    if found.checkout and found.url == str(found.checkout):
        yield found.checkout
        return
    with held("registry", said):
        path = _place() / "registry"
        if not (path / RESOLVED).is_file() or git(path, "remote", "get-url", "origin") != found.url:
            shutil.rmtree(path, ignore_errors=True)
            _clone(found, path, "main")
        git(path, "fetch", "--quiet", "--force", "--tags", "--prune", "origin", "+refs/heads/*:refs/remotes/origin/*")
        git(path, "checkout", "--quiet", "--force", "--detach", "refs/remotes/origin/main")
        yield path
