"""The private clone in which a promotion is made, and its transfer to the remote's main.

`fetch` makes it at the remote's present main, `publish` pushes its main and tags with one `git push --atomic`, `follow` brings the checkout
to the new main and the champion's model. Without a remote named origin, the checkout's own main is the one that is fetched and pushed.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipeline.core.errors import PipelineError, PromotionError
from pipeline.core.files import hash_bytes, lock_free, state_dir
from pipeline.core.progress import log
from pipeline.registry import gates, store
from pipeline.registry.clone import check_signing, committer_of, make_clone, set_up
from pipeline.registry.git import git, remote_of
from pipeline.registry.record import CHAMPION

MAIN: Final = "main"
OF_ROOT: Final = "--upload-pack=git -c safe.directory='*' upload-pack"
"""For transfers from the checkout. Where git works in it, another user's checkout is declared safe, but its folder .git may not be."""


@dataclass(frozen=True, slots=True)
class PrivateClone:
    """A private clone at the remote's main.

    Args:
        root: the checkout that it belongs to.
        clone: its folder.
        remote: what root pushes to: `origin`, or `.` (root itself) if there is no such remote.
        artefact: name of the model in the registry.
        base: the remote's main at the start.
    """

    root: Path
    clone: Path
    remote: str
    artefact: str
    base: str


@contextmanager
def private_clone(root: Path, artefact: str) -> Iterator[PrivateClone]:
    """Yield a private clone at the remote's main; remove the clone of a killed promotion first.

    Args:
        root: the checkout; one promotion at a time runs in it.
        artefact: name of the model in the registry.

    Raises:
        PromotionError: another promotion runs in this checkout.
    """
    folder = state_dir(root) / "registry" / hash_bytes(str(root).encode())[:12]
    folder.mkdir(parents=True, exist_ok=True)
    clone = folder / "clone"
    with open(folder / "lock", "w") as handle:
        if not lock_free(handle):
            raise PromotionError("registry", "another promotion is running in this checkout", "one at a time",
                                 "wait for it, check the new champion and start again")
        shutil.rmtree(clone, ignore_errors=True)
        try:
            yield fetch(root, clone, artefact)
        finally:
            shutil.rmtree(clone, ignore_errors=True)


def fetch(root: Path, clone: Path, artefact: str) -> PrivateClone:
    """Return the private clone with the remote's present main and tags of the artefact.

    They are fetched to refs/vizinho in root, so that its own branches and tags do not change; so are the branches of runs,
    whose verdicts count (`registry.gates`).

    Args:
        root: the checkout.
        clone: folder of the clone.
        artefact: name of the model in the registry.

    Raises:
        PromotionError: there is no branch main, or no remote and main has uncommitted changes or is checked out in a submodule.
        MissingInputError: git knows no committer.
        PipelineError: the checkout is shallow, git cannot sign as its configuration demands, or the remote cannot be reached.
    """
    remote, committer = remote_of(root), committer_of(root)
    gates.check_history(root)
    check_signing(root)
    if remote == "." and (others := git(root, "remote").split()):
        log(f"registry: no remote is named origin ({', '.join(others)}): the promotion stays in this checkout")
    if remote == "." and git(root, "branch", "--show-current") == MAIN:
        if git(root, "status", "--porcelain", "--untracked-files=no"):
            raise PromotionError(str(root), "uncommitted changes on main", "a clean checkout, as there is no remote named origin",
                                 "commit or stash them")
        if (root / git(root, "rev-parse", "--git-common-dir")).name != ".git":  # git then looks for the files of main in the wrong folder
            raise PromotionError(str(root), "a submodule at main, without a remote named origin", "a remote to push to", "git remote add origin URL")
    gates.fetch_runs(root)
    if not git(root, "ls-remote", "--heads", remote, f"refs/heads/{MAIN}"):
        raise PromotionError(f"remote {remote}", f"no branch {MAIN}", "the branch of all promotions", f"git push {remote} HEAD:refs/heads/{MAIN}")
    git(root, "fetch", "--quiet", "--no-tags", "--prune", remote, f"+refs/heads/{MAIN}:refs/vizinho/{MAIN}",
        *(f"+refs/tags/{artefact}{kind}*:refs/vizinho/tags/{artefact}{kind}*" for kind in "@#"))
    base = git(root, "rev-parse", f"refs/vizinho/{MAIN}")
    make_clone(str(root), clone, "--shared", "--no-tags", OF_ROOT)
    git(clone, "fetch", "--quiet", "--no-tags", OF_ROOT, str(root), "+refs/vizinho/tags/*:refs/tags/*")
    set_up(clone, base, checkout=root, branch=MAIN, committer=committer)
    return PrivateClone(root, clone, remote, artefact, base)


def publish(private: PrivateClone, tags: list[str]) -> None:
    """Push main and the tags, all or none: the commit point.

    Args:
        private: the private clone.
        tags: names of the tags.

    Raises:
        PromotionError: another push came first.
        PipelineError: the remote cannot be reached, or refuses.
    """
    names = [f"refs/heads/{MAIN}", *(f"refs/tags/{tag}" for tag in tags)]
    objects = [git(private.clone, "rev-parse", name) for name in names]
    git(private.root, "fetch", "--quiet", "--no-tags", str(private.clone), *names)
    receive = ["--receive-pack=git -c safe.directory='*' -c receive.denyCurrentBranch=updateInstead receive-pack"] if private.remote == "." else []
    try:
        git(private.root, "push", "--quiet", "--atomic", *receive, private.remote,
            *(f"{pushed}:{name}" for pushed, name in zip(objects, names, strict=True)))
    except PipelineError as error:
        found = git(private.root, "ls-remote", private.remote, names[0]).split()
        if found[:1] == objects[:1]:
            return  # the push arrived, only the response was lost
        if found[:1] != [private.base]:
            raise PromotionError(f"{MAIN} on {private.remote}", f"another push came first ({found[0][:9] if found else 'no such branch'})",
                                 f"{private.base[:9]}, as at the start", "check the champion and start again") from None
        raise error


def follow(private: PrivateClone) -> None:
    """Bring the checkout to the new main and check out the champion's model; log what prevents it."""
    on_main = git(private.root, "branch", "--show-current") == MAIN
    try:
        if private.remote != ".":
            git(private.root, "fetch", "--quiet", "--tags", private.remote, MAIN)
            if on_main:
                git(private.root, "merge", "--quiet", "--ff-only", "--no-squash", "--no-verify-signatures", "FETCH_HEAD")
        if on_main:
            store.check_out(private.root, [CHAMPION])
    except PipelineError as error:
        log(f"registry: done, but this checkout was not updated ({error}); `git pull --tags && dvc checkout {CHAMPION}`")
