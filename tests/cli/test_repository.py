"""`vizinho doctor` on Git: a line per requirement of later steps, on real repositories."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.cli.repository import examine_repository
from pipeline.registry.git import git
from tests.hostile_git import configure, hook, set_personal

ANA = "[user]\n    name = Ana Reis\n    email = ana@example.org\n"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone of a repository with one commit on main."""
    configure(tmp_path, ANA, monkeypatch)
    git(tmp_path, "init", "--quiet", "-b", "main", "origin")
    (tmp_path / "origin/code.py").write_text("one\ntwo\n")
    (tmp_path / "origin/.gitattributes").write_text("* text=auto eol=lf\n")
    git(tmp_path / "origin", "add", "--all")
    git(tmp_path / "origin", "commit", "--quiet", "-m", "one")
    git(tmp_path / "origin", "commit", "--quiet", "--allow-empty", "-m", "two")
    git(tmp_path, "clone", "--quiet", "origin", "clone")
    return tmp_path / "clone"


def examined(root: Path) -> dict[str, tuple[str, bool]]:
    return {line[:17].strip(): (line[17:], good) for line, good in examine_repository(root)}


def test_a_clone_as_it_should_be(root: Path) -> None:
    found = examined(root)
    assert found.pop("git")[1]
    assert found == {"history": ("complete; on main", True), "line ends": ("as committed", True), "committer": ("Ana Reis <ana@example.org>", True),
                     "signatures": ("none demanded", True), "remote": ("origin", True)}


def test_personal_settings_are_no_problem(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "personal").mkdir()
    set_personal(tmp_path / "personal", monkeypatch)
    assert all(good for _, good in examine_repository(root))


def test_a_key_that_is_missing_stops_a_run(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gnupg").mkdir(mode=0o700)
    monkeypatch.setenv("GNUPGHOME", str(tmp_path / "gnupg"))
    git(root, "config", "commit.gpgSign", "true")
    line, good = examined(root)["signatures"]
    assert not good
    assert line.startswith("commit.gpgSign of git: it is on, and a trial signature (openpgp) failed: ")
    assert line.endswith("or switch the signatures off in this checkout (`git config commit.gpgSign false`)")


def test_a_shallow_clone_stops_a_run(root: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", "--depth=1", (tmp_path / "origin").as_uri(), "shallow")
    assert examined(tmp_path / "shallow")["history"] == (
        "a shallow clone: git fetch --unshallow, since gates are counted in the whole history", False)


def test_line_ends_of_another_system_stop_a_run_and_the_command_restores_them(root: Path) -> None:
    git(root, "config", "core.autocrlf", "true")
    (root / "code.py").write_bytes(b"one\r\ntwo\r\n")  # checked out before there was a .gitattributes
    git(root, "add", "--renormalize", ".")
    assert git(root, "status", "--porcelain") == ""
    line, good = examined(root)["line ends"]
    assert not good
    assert line.startswith("1 files have CRLF here and LF in Git (code.py): their stages would run again.")
    git(root, "rm", "-r", "--quiet", "--cached", ".")
    git(root, "reset", "--hard")
    assert (root / "code.py").read_bytes() == b"one\ntwo\n"
    assert examined(root)["line ends"][1]


def test_a_missing_committer_is_a_remark(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(tmp_path, "", monkeypatch)
    assert examined(root)["committer"] == (
        "not set: a promotion needs `git config --global user.name NAME` and `user.email ADDRESS`", True)


def test_a_committer_that_is_not_utf8_is_printable(root: Path) -> None:
    git(root, "config", "user.name", "Jo\udce3o")
    assert examined(root)["committer"][0] == "Jo\ufffdo <ana@example.org>"


def test_remotes_and_branches_that_promotions_do_not_use_are_remarks(root: Path) -> None:
    git(root, "checkout", "--quiet", "--detach")
    assert examined(root)["history"] == ("complete; on a detached HEAD (after a promotion: git switch main)", True)
    git(root, "update-ref", "-d", "refs/remotes/origin/main")
    assert "no branch main has been fetched" in examined(root)["remote"][0]
    git(root, "remote", "rename", "origin", "upstream")
    assert examined(root)["remote"] == (
        "none named origin (found upstream: `git remote rename upstream origin`): promotions stay in this checkout", True)
    git(root, "branch", "--quiet", "--move", "main", "master")
    assert examined(root)["remote"][0].endswith("; no branch main: `git branch main`")


def test_the_hook_that_a_promotion_runs_is_named(root: Path, tmp_path: Path) -> None:
    hook(root / ".git/hooks/pre-push", "exit 0")
    assert examined(root)["hooks"] == (f"{root}/.git/hooks/pre-push runs before the push of a promotion, and can refuse it", True)
    (tmp_path / "hooks").mkdir()
    git(root, "config", "core.hooksPath", str(tmp_path / "hooks"))
    assert "hooks" not in examined(root)


def test_a_worktree_and_a_submodule_are_checkouts(root: Path, tmp_path: Path) -> None:
    git(root, "worktree", "add", "--quiet", "--detach", str(tmp_path / "tree"))
    git(tmp_path, "init", "--quiet", "-b", "main", "super")
    git(tmp_path / "super", "submodule", "--quiet", "add", str(tmp_path / "origin"), "part")
    for folder in (tmp_path / "tree", tmp_path / "super/part"):
        assert (folder / ".git").is_file()
        assert all(good for _, good in examine_repository(folder))


def test_a_folder_without_a_repository_is_a_remark_and_one_of_another_owner_stops_a_run(root: Path, tmp_path: Path,
                                                                                       monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bare").mkdir()
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    line, good = examined(tmp_path / "bare")["repository"]
    assert good and line.endswith("runs are not committed, and nothing can be promoted")
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    line, good = examined(root)["repository"]
    assert not good and "git config --global --add safe.directory" in line


def test_without_git_there_is_one_line(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert [good for _, good in examine_repository(root)] == [False]
