"""The private clone of a promotion: what it contains, and that a checkout has one at a time."""

from __future__ import annotations

import pytest

from pipeline.core.errors import PipelineError, PromotionError
from pipeline.registry import private_clone, tags
from pipeline.registry.git import git
from pipeline.registry.promotion import promote, read_candidate
from pipeline.registry.store import check_out
from tests.toy_registry import ARTEFACT, Toy


def test_it_has_main_and_tags_of_the_remote_and_the_checkout_keeps_its_own(once: Toy) -> None:
    main, tag = once.git("rev-parse", "HEAD"), f"{ARTEFACT}@v0.1.0"
    once.git("reset", "--quiet", "--hard", "HEAD^")
    once.git("tag", "--delete", tag)
    before = once.git("show-ref", "--heads", "--tags")
    with private_clone.private_clone(once.path, ARTEFACT) as private:
        assert private.base == main
        assert private.clone.parent.is_relative_to(once.folder.parent / "VIZINHO_STATE")
        assert private_clone.git(private.clone, "rev-parse", "HEAD", "main") == f"{main}\n{main}"
        assert [found.version for found in tags.history(private.clone, ARTEFACT)] == ["v0.1.0"]
        assert private_clone.git(private.clone, "var", "GIT_COMMITTER_IDENT").startswith("Ana Reis <ana@example.org>")
        check_out(private.clone, ["data/champion"])
    assert not private.clone.exists()
    assert once.git("show-ref", "--heads", "--tags") == before


def test_a_second_promotion_in_the_same_checkout_is_refused_while_the_first_runs(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    approval = read_candidate(toy.path).request

    def meanwhile(*_: object) -> None:
        promote(toy.path, approval, "Rui")

    monkeypatch.setattr(private_clone, "fetch", meanwhile)
    with pytest.raises(PromotionError, match="another promotion is running in this checkout"):
        promote(toy.path, approval, "Ana Reis")


def test_without_a_remote_uncommitted_changes_on_main_are_refused(toy: Toy) -> None:
    toy.git("remote", "remove", "origin")
    (toy.path / "params.yaml").write_text("{}")
    with (pytest.raises(PromotionError, match="uncommitted changes on main; expected a clean checkout"),
          private_clone.private_clone(toy.path, ARTEFACT)):
        pass


def test_a_checkout_whose_remotes_have_other_names_is_told_that_nothing_is_pushed(once: Toy, capsys: pytest.CaptureFixture[str]) -> None:
    for renamed, message in ((False, ""), (True, "no remote is named origin (upstream): the promotion stays in this checkout")):
        if renamed:
            once.git("remote", "rename", "origin", "upstream")
        with private_clone.private_clone(once.path, ARTEFACT) as private:
            assert private.remote == ("." if renamed else "origin")
        assert message in (said := "".join(capsys.readouterr())) and ("no remote" in said) == renamed
    once.git("remote", "remove", "upstream")
    with private_clone.private_clone(once.path, ARTEFACT):
        assert "no remote" not in "".join(capsys.readouterr())


def test_the_branch_that_another_checkout_is_on_is_not_moved_under_it(once: Toy) -> None:
    git(once.origin, "config", "core.bare", "false")
    before = git(once.origin, "rev-parse", "main")
    with private_clone.private_clone(once.path, ARTEFACT) as private:
        git(private.clone, "commit", "--quiet", "--allow-empty", "-m", "one more")
        with pytest.raises(PipelineError, match="refusing to update checked out branch"):
            private_clone.publish(private, [])
    assert git(once.origin, "rev-parse", "main") == before


def test_a_checkout_whose_git_folder_is_elsewhere_needs_a_remote(once: Toy) -> None:
    once.git("init", "--quiet", "--separate-git-dir", str(once.folder / "part"))  # as a submodule has it
    with private_clone.private_clone(once.path, ARTEFACT) as private:
        assert private.remote == "origin"
    once.git("remote", "remove", "origin")
    with (pytest.raises(PromotionError, match="a submodule at main, without a remote named origin; expected a remote to push to"),
          private_clone.private_clone(once.path, ARTEFACT)):
        pass
