"""Clones that share the DVC cache and remotes of a checkout, with a real Git repository and a real DVC cache."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.core.errors import DataError, PipelineError
from pipeline.registry import store
from pipeline.registry.clone import Committer, check_signing, committer_of, has_committer, make_clone, set_up, sign_as, signing_of
from pipeline.registry.git import git
from tests.hostile_git import set_personal
from tests.toy_registry import own_state

CONTENT = "an out of some size\n" * 100


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A checkout with an out in its DVC cache, hard links to the cache, and a remote with a password that is not in Git."""
    folder = tmp_path_factory.mktemp("checkout")
    with pytest.MonkeyPatch.context() as patch:
        own_state(patch, folder)
        patch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
        root = folder / "checkout"
        git(folder, "init", "--quiet", "-b", "main", str(root))
        git(root, "config", "user.name", "Ana Reis")
        git(root, "config", "user.email", "ana@example.org")
        store.dvc(root, "init", "--quiet")
        (root / ".dvc/config.local").write_text("""[core]
    remote = store
[cache]
    type = hardlink
['remote "store"']
    url = https://example.org/store
    password = correct-horse
""")
        (root / "out.txt").write_text(CONTENT)
        store.dvc(root, "add", "out.txt")
        git(root, "add", "--all")
        git(root, "commit", "--quiet", "-m", "Add an out")
        yield root


def commit_of(root: Path) -> str:
    return git(root, "rev-parse", "HEAD")


def test_a_clone_checks_an_out_out_of_the_checkouts_cache(checkout: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    make_clone(str(checkout), clone)
    set_up(clone, commit_of(checkout), checkout=checkout)
    store.dvc(clone, "checkout", "out.txt")
    digest = hashlib.md5(CONTENT.encode()).hexdigest()
    cached = checkout / f".dvc/cache/files/md5/{digest[:2]}/{digest[2:]}"
    assert (clone / "out.txt").read_text() == CONTENT
    assert (clone / "out.txt").stat().st_ino == cached.stat().st_ino, "the out is a hard link to the cache"
    assert not (clone / ".dvc/cache").exists(), "the clone has no cache"


def test_without_the_checkouts_cache_the_out_is_missing(checkout: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    make_clone(str(checkout), clone)
    set_up(clone, commit_of(checkout), checkout=None, cache=tmp_path / "empty")
    with pytest.raises(DataError, match=r"out\.txt"):
        store.check_out(clone, ["out.txt"])


@pytest.mark.slow
def test_what_a_clone_adds_is_in_the_checkouts_cache(checkout: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    make_clone(str(checkout), clone)
    set_up(clone, commit_of(checkout), checkout=checkout)
    (clone / "new.txt").write_text("new")
    store.dvc(clone, "add", "new.txt")
    shutil.copy(clone / "new.txt.dvc", checkout)
    shutil.rmtree(clone)
    store.dvc(checkout, "checkout", "new.txt")
    assert (checkout / "new.txt").read_text() == "new"


def test_a_clone_has_the_remotes_with_their_secrets_outside_of_git(checkout: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    make_clone(str(checkout), clone)
    set_up(clone, commit_of(checkout), checkout=checkout)
    assert store.has_remote(clone)
    assert store.remotes(clone)["store"]["password"] == "correct-horse"
    assert git(clone, "status", "--porcelain") == ""


def test_a_clone_is_detached_or_on_a_new_branch_at_the_commit(checkout: Path, tmp_path: Path) -> None:
    first = commit_of(checkout)
    git(checkout, "commit", "--quiet", "--allow-empty", "-m", "Another")
    for name, branch in (("detached", None), ("branch", "main")):
        make_clone(str(checkout), tmp_path / name)
        set_up(tmp_path / name, first, checkout=checkout, branch=branch)
        assert commit_of(tmp_path / name) == first
        assert git(tmp_path / name, "branch", "--show-current") == (branch or "")


def test_options_of_git_clone_are_passed_on(checkout: Path, tmp_path: Path) -> None:
    make_clone(str(checkout), tmp_path / "shared", "--shared")
    assert (tmp_path / "shared/.git/objects/info/alternates").read_text() == f"{checkout}/.git/objects\n"
    with pytest.raises(PipelineError, match="git clone"):
        make_clone(str(tmp_path / "absent"), tmp_path / "none")


def test_a_clone_is_the_same_whatever_the_personal_settings(checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "personal").mkdir()
    set_personal(tmp_path / "personal", monkeypatch)
    clone = tmp_path / "clone"
    make_clone(str(checkout), clone)
    set_up(clone, commit_of(checkout), checkout=checkout, branch="main", committer=Committer("Ana", "ana@example.org"))
    assert git(clone, "remote") == "origin"
    assert git(clone, "status", "--porcelain") == ""
    (clone / "figures.json").write_text("{}\n")
    (clone / "notes.md").write_text("one\r\ntwo\n")
    git(clone, "add", "--all")
    git(clone, "commit", "--quiet", "-m", "Add figures")
    assert git(clone, "show", "--name-only", "--format=", "HEAD").split() == ["figures.json", "notes.md"]
    assert git(clone, "show", "HEAD:notes.md") == "one\r\ntwo"


def test_a_clone_signs_as_its_checkout(checkout: Path, tmp_path: Path) -> None:
    settings = {"commit.gpgsign": "true", "user.signingkey": "0123", "gpg.format": "openpgp", "gpg.ssh.program": "/usr/bin/ssh-keygen"}
    for name, value in settings.items():
        git(checkout, "config", name, value)
    try:
        assert signing_of(checkout) == settings
        make_clone(str(checkout), tmp_path / "clone")
        set_up(tmp_path / "clone", commit_of(checkout), checkout=checkout)
        assert signing_of(tmp_path / "clone") == settings
    finally:
        for name in settings:
            git(checkout, "config", "--unset", name)
    assert check_signing(checkout) is None
    sign_as(checkout, tmp_path / "clone")
    assert signing_of(tmp_path / "clone") == {}


def test_a_clone_commits_as_the_given_committer_or_as_git_is_configured(checkout: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    make_clone(str(checkout), clone)
    assert has_committer(checkout)
    assert not has_committer(clone)
    set_up(clone, commit_of(checkout), checkout=checkout)
    assert not has_committer(clone)
    set_up(clone, commit_of(checkout), checkout=checkout, committer=committer_of(checkout))
    assert committer_of(clone) == Committer("Ana Reis", "ana@example.org")
