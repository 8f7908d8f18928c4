"""A clone that shares the DVC cache and remotes of a checkout: its outs are linked or copied from that cache, never transferred."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipeline.core.errors import MissingInputError, PipelineError
from pipeline.registry import store
from pipeline.registry.git import git, settings

SETTINGS: Final = {
    "core.autocrlf": "false", "core.eol": "lf",  # DVC hashes code byte by byte
    "core.hooksPath": "/dev/null", "core.excludesFile": "/dev/null", "core.attributesFile": "/dev/null",  # made for a person's own work
    "core.fsmonitor": "false",
}
"""Local settings of every clone, whatever this machine's configuration says."""
SIGNING: Final = r"^(commit\.gpgsign|tag\.(gpgsign|forcesignannotated)|user\.signingkey|gpg\..*)$"
"""Settings that decide whether and how commits and tags are signed."""
SIGNING_TIMEOUT_S: Final = 60.0
"""A trial signature takes at most this long: an agent may ask for a passphrase where nobody answers."""


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
    ours = [part for name, value in SETTINGS.items() for part in ("--config", f"{name}={value}")]
    git(path.parent, "clone", "--quiet", "--no-checkout", "--origin", "origin", "--template=", *ours, *options, url, str(path))


def set_up(path: Path, commit: str, *, checkout: Path | None, branch: str | None = None, committer: Committer | None = None,
           cache: Path | None = None) -> None:
    """Check out a commit in a new clone, and set its committer, signing, DVC cache and DVC remotes. DVC's outs are not checked out yet.

    Args:
        path: the clone.
        commit: to check out.
        checkout: whose signing, DVC cache and DVC remotes the clone uses, secrets included; None, or without DVC: those of the configuration.
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
    if checkout:
        sign_as(checkout, path)
    if checkout and (checkout / ".dvc").is_dir():
        store.share(checkout, path)
    elif cache:
        store.set_cache(path, cache)


def committer_of(root: Path) -> Committer:
    """Return the committer that git uses in a checkout.

    Raises:
        MissingInputError: git's configuration names none, and git cannot derive one from user and host name.
    """
    try:
        name, _, rest = git(root, "var", "GIT_COMMITTER_IDENT").partition(" <")
    except PipelineError as error:
        raise MissingInputError("git's committer", f"none ({error.found})", "the name and email address of whoever promotes",
                                "git config --global user.name NAME; git config --global user.email ADDRESS") from None
    return Committer(name, rest.partition(">")[0])


def has_committer(root: Path) -> bool:
    """Return whether git's configuration or environment names a committer."""
    try:
        git(root, "-c", "user.useConfigOnly=true", "var", "GIT_COMMITTER_IDENT")
    except PipelineError:
        return False
    return True


def signing_of(root: Path) -> dict[str, str]:
    """Return the settings of a checkout, from any file of its configuration, that decide whether and how git signs."""
    return {name: value for name, value in settings(root).items() if re.match(SIGNING, name)}


def sign_as(checkout: Path, path: Path) -> None:
    """Let a clone sign as a checkout does now; what it was told before is forgotten."""
    own = git(path, "config", "--local", "--null", "--list", "--name-only").split("\0")
    for name in {name for name in own if re.match(SIGNING, name)}:
        git(path, "config", "--local", "--unset-all", name)
    for name, value in signing_of(checkout).items():
        git(path, "config", "--local", name, value)


def check_signing(root: Path) -> str | None:
    """Return how commits and tags of a checkout are signed, after a trial signature; None if they are not signed.

    For the start of whatever commits hours later. The trial is a commit on no branch.

    Raises:
        PipelineError: the configuration demands signatures, and git cannot make one.
    """
    demanded = [name for name in ("commit.gpgSign", "tag.gpgSign", "tag.forceSignAnnotated")
                if git(root, "config", "--type=bool", "--default=false", "--get", name) == "true"]
    if not demanded:
        return None
    kind = git(root, "config", "--default=openpgp", "--get", "gpg.format")
    try:
        git(root, "commit-tree", "-S", "-m", "Trial signature", git(root, "mktree"), timeout_s=SIGNING_TIMEOUT_S)
    except PipelineError as error:
        raise PipelineError(f"{demanded[0]} of git", f"it is on, and a trial signature ({kind}) failed: {error.found}", "a key that signs unattended",
                            "set user.signingKey and start its agent, or switch the signatures off in this checkout "
                            f"(`git config {demanded[0]} false`)") from None
    return kind
