"""A clone that shares the DVC cache and remotes of a checkout: its outs are linked or copied from that cache, never transferred."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.core.errors import PipelineError
from pipeline.registry import store
from pipeline.registry.git import git


@dataclass(frozen=True, slots=True)
class Committer:
    """Name and email address of commits."""

    name: str
    email: str


def make_clone(url: str, path: Path, *options: str) -> None:
    """Clone a repository without checking out a commit.

    Args:
        url: of the repository; a local one as an absolute path.
        path: folder of the clone; it does not exist yet.
        options: of `git clone`, such as `--shared`.

    Raises:
        PipelineError: git failed.
    """
    git(path.parent, "clone", "--quiet", "--no-checkout", *options, url, str(path))


def set_up(path: Path, commit: str, *, checkout: Path | None, branch: str | None = None, committer: Committer | None = None,
           cache: Path | None = None) -> None:
    """Check out a commit in a new clone, and set its committer, DVC cache and DVC remotes. DVC's outs are not checked out yet.

    Args:
        path: the clone.
        commit: to check out.
        checkout: whose DVC cache and remotes the clone uses, secrets included; None, or without DVC: those of DVC's configuration.
        branch: name of the branch to create at the commit; None for a detached HEAD.
        committer: None to use git's configuration.
        cache: DVC cache without such a checkout, unless DVC's configuration names one.

    Raises:
        PipelineError: git failed.
    """
    git(path, "checkout", "--quiet", "--force", *(("-B", branch) if branch else ("--detach",)), commit)
    if committer:
        git(path, "config", "user.name", committer.name)
        git(path, "config", "user.email", committer.email)
    if checkout and (checkout / ".dvc").is_dir():
        store.share(checkout, path)
    elif cache:
        store.set_cache(path, cache)


def committer_of(root: Path) -> Committer:
    """Return the committer that git uses in a checkout.

    Raises:
        PipelineError: git's configuration names none, and git cannot derive one from user and host name.
    """
    name, _, rest = git(root, "var", "GIT_COMMITTER_IDENT").partition(" <")
    return Committer(name, rest.partition(">")[0])


def has_committer(root: Path) -> bool:
    """Return whether git's configuration or environment names a committer."""
    try:
        git(root, "-c", "user.useConfigOnly=true", "var", "GIT_COMMITTER_IDENT")
    except PipelineError:
        return False
    return True
