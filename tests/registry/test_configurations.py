"""Promotions in checkouts as people have them: their settings, hooks, keys, tags and kinds of checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from pipeline.core.errors import MissingInputError, PipelineError, PromotionError
from pipeline.registry import tags
from pipeline.registry.git import git
from pipeline.registry.private_clone import PrivateClone
from pipeline.registry.promotion import merge, promote, read_candidate, rollback
from pipeline.registry.record import champion
from pipeline.registry.store import dvc
from pipeline.registry.verify import verify
from tests.hostile_git import configure, hook, set_personal
from tests.toy_registry import ARTEFACT, Toy, set_up

pytestmark = pytest.mark.slow


def promote_head(toy: Toy, ref: str = "HEAD") -> None:
    promote(toy.path, read_candidate(toy.path, ref).request, "Ana Reis")


# ---- Settings --------------------------------------------------------------------------------------------------------


def test_promotion_and_rollback_succeed_whatever_the_personal_settings(toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    toy.git("switch", "--quiet", "--create", "retrain/2026-11-28-ab12")
    commit = toy.run(2)
    toy.git("switch", "--quiet", "main")
    (toy.path / "notes.md").write_text("meanwhile\n")
    toy.commit("Write notes")
    toy.git("push", "--quiet", "origin", "main")
    toy.git("tag", "unrelated", "-m", "not to be pushed")
    (tmp_path / "personal").mkdir()
    set_personal(tmp_path / "personal", monkeypatch)
    promote_head(toy, "retrain/2026-11-28-ab12")
    assert toy.in_use() == "v0.1.0"
    assert commit in git(toy.origin, "log", "-1", "--format=%P", "main").split()
    assert "\r" not in git(toy.origin, "show", "main:champion.yaml") + git(toy.origin, "show", "main:registry/records/v0.1.0.json")
    assert git(toy.origin, "tag", "--list", "unrelated") == ""
    rollback(toy.path, "day-one", "Ana Reis", "# no better than the donor: ção")
    assert toy.in_use() == "v0.1.1"
    assert "# no better than the donor: ção" in git(toy.origin, "log", "-1", "--format=%B", "main")
    assert [proof.problems for proof in verify(toy.path)] == [(), (), ()]


@pytest.mark.parametrize(("setting", "value"), [
    ("merge.ff", "only"), ("merge.ff", "false"), ("merge.verifySignatures", "true"), ("branch.main.mergeOptions", "--squash"),
    ("branch.main.mergeOptions", "--no-ff --edit"), ("pull.rebase", "true"), ("merge.log", "true"), ("merge.autoStash", "true")])
@pytest.mark.parametrize("moved", [False, True])
def test_a_run_is_merged_alike_under_every_setting_of_merges(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str, value: str,
                                                             moved: bool) -> None:
    configure(tmp_path, "[user]\n    name = Ana\n    email = ana@example.org\n", monkeypatch)
    git(tmp_path, "init", "--quiet", "-b", "main", "clone")
    clone = tmp_path / "clone"
    (clone / "data").mkdir()
    (clone / "data/champion.dvc").write_text("pointer\n")
    for branch, name in (("main", "one"), ("run", "two"), ("main", "three") if moved else ("run", "four")):
        git(clone, "checkout", "--quiet", *(["-B", branch] if name == "two" else [branch] if name in ("three", "four") else ["-B", "main"]))
        (clone / name).write_text(name)
        git(clone, "add", "--all")
        git(clone, "commit", "--quiet", "-m", name)
    run = git(clone, "rev-parse", "run")
    git(clone, "checkout", "--quiet", "main")
    git(clone, "config", "--global", setting, value)
    merge(PrivateClone(clone, clone, ".", ARTEFACT, ""), run)
    git(clone, "commit", "--quiet", "--allow-empty", "-m", "Promote")
    assert (run in git(clone, "log", "-1", "--format=%P").split(), len(git(clone, "log", "-1", "--format=%P").split())) == (True, 1 + moved)
    assert (clone / "two").exists()


def test_only_a_conflict_asks_for_a_new_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(tmp_path, "[user]\n    name = Ana\n    email = ana@example.org\n", monkeypatch)
    git(tmp_path, "init", "--quiet", "-b", "main", "clone")
    clone = tmp_path / "clone"
    (clone / "data").mkdir()
    (clone / "data/champion.dvc").write_text("pointer\n")
    git(clone, "add", "--all")
    git(clone, "commit", "--quiet", "-m", "one")
    git(clone, "checkout", "--quiet", "--orphan", "other")
    git(clone, "commit", "--quiet", "-m", "unrelated")
    with pytest.raises(PipelineError, match="refusing to merge unrelated histories") as caught:
        merge(PrivateClone(clone, clone, ".", ARTEFACT, ""), git(clone, "rev-parse", "other"))
    assert "merge main" not in str(caught.value)


# ---- Keys and committers ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("setting", ["commit.gpgSign", "tag.gpgSign"])
@pytest.mark.parametrize(("kind", "key"), [("openpgp", "0123456789ABCDEF"), ("ssh", "/nowhere/key.pub"), ("x509", "nobody")])
def test_signatures_without_a_usable_key_are_named_before_anything_is_done(toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                                           setting: str, kind: str, key: str) -> None:
    monkeypatch.setenv("GNUPGHOME", str(tmp_path / "gnupg"))
    (tmp_path / "gnupg").mkdir(mode=0o700)
    configure(tmp_path, f"[gpg]\n    format = {kind}\n[user]\n    signingKey = {key}\n", monkeypatch)
    toy.git("config", "--global", setting, "true")
    before = git(toy.origin, "for-each-ref")
    with pytest.raises(PipelineError, match=rf"{setting} of git: it is on, and a trial signature \({kind}\) failed: .*set user\.signingKey"):
        promote_head(toy)
    assert (git(toy.origin, "for-each-ref"), toy.git("tag"), toy.git("status", "--porcelain")) == (before, "", "")


@pytest.mark.parametrize("scope", ["--global", "--local"])
def test_commit_and_tags_are_signed_where_that_is_demanded(toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scope: str) -> None:
    configure(tmp_path, "", monkeypatch)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "key")], check=True)
    for name, value in (("gpg.format", "ssh"), ("user.signingKey", str(tmp_path / "key.pub")), ("commit.gpgSign", "true"), ("tag.gpgSign", "true")):
        toy.git("config", scope, name, value)
    hook(toy.origin / "hooks/update",
         'case $1 in refs/tags/*) git cat-file tag "$3" | grep -q "SSH SIGNATURE" || { echo unsigned >&2; exit 1; };; esac')
    promote_head(toy)
    assert toy.in_use() == "v0.1.0"
    assert "gpgsig -----BEGIN SSH SIGNATURE" in git(toy.origin, "cat-file", "commit", "main")
    assert [found.version for found in tags.history(toy.path, ARTEFACT)] == ["v0.1.0"]


def test_without_a_committer_the_promotion_names_the_settings(toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(tmp_path, "[user]\n    useConfigOnly = true\n", monkeypatch)
    toy.git("config", "--unset", "user.name")
    toy.git("config", "--unset", "user.email")
    with pytest.raises(MissingInputError, match=r"git's committer: none \(.*\); expected the name .* git config --global user\.name NAME"):
        promote_head(toy)
    assert git(toy.origin, "tag") == ""


def test_a_committer_whose_name_is_not_utf8_is_kept(toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(tmp_path, "", monkeypatch)
    toy.git("config", "user.name", "Jo\udce3o Simões")
    promote_head(toy)
    assert toy.in_use() == "v0.1.0"


# ---- Hooks -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", ["1", "2"])
def test_the_reason_of_a_hook_that_refuses_the_push_is_shown(toy: Toy, stream: str) -> None:
    hook(toy.path / ".git/hooks/pre-push", f"echo models are not pushed on Fridays >&{stream}\nexit 1")
    with pytest.raises(PipelineError, match="models are not pushed on Fridays"):
        promote_head(toy)
    assert (toy.in_use(), toy.git("tag")) == (None, "")


# ---- Tags made by hand ------------------------------------------------------------------------------------------------


def test_tags_of_gtos_other_forms_neither_stop_a_promotion_nor_change_the_champion(once: Toy, capsys: pytest.CaptureFixture[str]) -> None:
    annotated = [f"{ARTEFACT}#champion", f"{ARTEFACT}#champion!", f"{ARTEFACT}#champion!#5", f"{ARTEFACT}@v1.0.0-rc1", f"{ARTEFACT}@v0.2.0",
                 f"{ARTEFACT}#staging#6", f"{ARTEFACT}@v0.1.0!", f"{ARTEFACT}@deprecated", f"{ARTEFACT}#champion#x", f"{ARTEFACT}@latest"]
    lightweight = [f"{ARTEFACT}#champion#7", f"{ARTEFACT}@v0.3.0", f"{ARTEFACT}@v2.0.0+build.1", f"{ARTEFACT}#staging"]
    for name in annotated:
        once.git("tag", "-a", "-m", "by hand", name, "HEAD^")
    for name in lightweight:
        once.git("tag", name)
    once.git("push", "--quiet", "origin", "--tags")
    assert [(found.tag, found.version) for found in tags.history(once.path, ARTEFACT)] == [(f"{ARTEFACT}#champion#1", "v0.1.0")]
    once.run(2, gates=0)
    promote_head(once)
    assert champion(once.path)[1].version == "v0.4.0"  # 0.2.0 and 0.3.0 are taken
    assert [(found.number, found.version) for found in tags.history(once.path, ARTEFACT)] == [(1, "v0.1.0"), (8, "v0.4.0")]
    named = [f"{ARTEFACT}{end}" for end in ("#champion", "#champion!", "#champion!#5", "@deprecated", "@v0.1.0!")]
    assert tags.by_hand(once.path, ARTEFACT) == named
    found = {proof.version: proof.problems for proof in verify(once.path)}
    assert [problem.split(": made by hand")[0] for problem in found.pop("champion")] == [f"tag {name}" for name in named]
    assert set(found.values()) == {()}
    rollback(once.path, "v0.1.0", "Ana Reis", "worse")
    assert champion(once.path)[1].version == "v0.4.1"


def test_an_assignment_of_a_commit_without_a_version_is_none(once: Toy) -> None:
    once.git("tag", "-a", "-m", "by hand", f"{ARTEFACT}#champion#9", "HEAD^")
    assert tags.current(once.path, ARTEFACT).version == "v0.1.0"
    once.git("tag", "-a", "-m", "a blob", f"{ARTEFACT}#champion#10", "HEAD:champion.yaml")
    assert tags.current(once.path, ARTEFACT).version == "v0.1.0"


def test_gto_reads_what_a_promotion_has_tagged(twice: Toy) -> None:
    import gto.api

    assigned = [event for event in gto.api.history(twice.path.as_posix(), ARTEFACT) if event["event"] == "assignment"]
    assert sorted((event["ref"].removeprefix(ARTEFACT), event["version"]) for event in assigned) == [
        ("#champion#1", "v0.1.0"), ("#champion#2", "v0.2.0")]


# ---- Kinds of checkout ------------------------------------------------------------------------------------------------


def test_a_detached_head_promotes(toy: Toy) -> None:
    toy.git("checkout", "--quiet", "--detach")
    promote_head(toy)
    assert toy.in_use() == "v0.1.0"
    assert toy.git("branch", "--show-current") == ""


def test_a_worktree_promotes(toy: Toy) -> None:
    dvc(toy.path, "push")
    toy.git("worktree", "add", "--quiet", "--detach", "../tree")
    tree = Toy(toy.folder, "tree")
    promote_head(tree)
    assert toy.in_use() == "v0.1.0"


def test_a_submodule_promotes(toy: Toy) -> None:
    dvc(toy.path, "push")
    git(toy.folder, "init", "--quiet", "-b", "trunk")
    git(toy.folder, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(toy.origin), "part")
    part = Toy(toy.folder, "part")
    assert (part.path / ".git").is_file()
    set_up(part.path)
    part.git("remote", "set-url", "origin", str(toy.origin))
    promote_head(part)
    assert toy.in_use() == "v0.1.0"
    assert champion(part.path)[1].version == "v0.1.0"
    part.git("remote", "remove", "origin")
    with pytest.raises(PromotionError, match=r"a submodule at main, without a remote named origin; .*; git remote add origin URL"):
        rollback(part.path, "day-one", "Ana Reis", "worse")


def test_without_a_remote_a_worktree_promotes_to_the_main_of_its_checkout(toy: Toy) -> None:
    toy.git("remote", "remove", "origin")
    toy.git("worktree", "add", "--quiet", "--detach", "../tree")
    shutil.copytree(toy.path / ".dvc/cache", toy.folder / "tree/.dvc/cache")
    promote_head(Toy(toy.folder, "tree"))
    assert champion(toy.path)[1].version == "v0.1.0"
    assert toy.git("status", "--porcelain") == ""


@pytest.mark.parametrize(("option", "message"), [("--depth=1", r"a shallow clone; .*; git fetch --unshallow"),
                                                 ("--filter=blob:none", r"a partial clone; .*; clone again without --filter")])
def test_a_clone_without_the_whole_history_is_refused_with_the_command_that_completes_it(toy: Toy, option: str, message: str) -> None:
    toy.run(2)
    toy.git("push", "--quiet", "origin", "main")
    git(toy.origin, "config", "uploadpack.allowFilter", "true")
    git(toy.folder, "clone", "--quiet", option, toy.origin.as_uri(), "part")
    set_up(toy.folder / "part")
    with pytest.raises(PipelineError, match=message):
        promote_head(Toy(toy.folder, "part"))


def test_a_repository_without_main_is_named(toy: Toy) -> None:
    toy.git("branch", "--quiet", "--move", "main", "master")
    toy.git("push", "--quiet", "origin", "master")
    git(toy.origin, "symbolic-ref", "HEAD", "refs/heads/master")
    git(toy.origin, "branch", "--quiet", "-D", "main")
    with pytest.raises(PromotionError, match=r"remote origin: no branch main; .*; git push origin HEAD:refs/heads/main"):
        promote_head(toy)


def test_a_remote_of_another_name_is_logged(toy: Toy, capsys: pytest.CaptureFixture[str]) -> None:
    toy.git("remote", "rename", "origin", "upstream")
    promote_head(toy)
    assert "registry: no remote is named origin (upstream): the promotion stays in this checkout" in capsys.readouterr().out
    assert champion(toy.path)[1].version == "v0.1.0"


def test_a_checkout_of_another_owner_is_named_and_promotes_once_it_is_safe(toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(tmp_path, "", monkeypatch)
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    with pytest.raises(PipelineError, match=r"dubious ownership .*git config --global --add safe\.directory"):
        read_candidate(toy.path)
    monkeypatch.delenv("GIT_TEST_ASSUME_DIFFERENT_OWNER")
    if os.geteuid() == 0:
        toy.git("remote", "set-url", "origin", str(toy.origin))
        for folder in (toy.path, toy.origin):
            subprocess.run(["chown", "-R", "12345", str(folder)], check=True)
            git(tmp_path, "config", "--global", "--add", "safe.directory", str(folder))
        promote_head(toy)
        assert toy.in_use() == "v0.1.0"
