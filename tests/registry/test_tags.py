"""Versions and the champion as git tags that GTO reads and writes."""

from __future__ import annotations

import pytest

from pipeline.core.errors import PromotionError
from pipeline.registry import tags
from pipeline.registry.git import git
from tests.toy_registry import ARTEFACT, Toy


def test_versions_and_the_stage_are_tags_that_gto_reads(twice: Toy) -> None:
    assert [(found.tag, found.version) for found in tags.history(twice.path, ARTEFACT)] == [
        (f"{ARTEFACT}#champion#1", "v0.1.0"), (f"{ARTEFACT}#champion#2", "v0.2.0")]
    assert tags.current(twice.path, ARTEFACT).commit == twice.git("rev-parse", "HEAD")


def test_history_is_ordered_by_the_number_in_the_tag_and_not_by_its_time(twice: Toy) -> None:
    twice.git("tag", "--delete", f"{ARTEFACT}#champion#1")
    git(twice.path, "-c", "user.name=Slow", "tag", "--annotate", "--message=late", f"{ARTEFACT}#champion#1", f"{ARTEFACT}@v0.1.0^{{}}")
    assert [found.number for found in tags.history(twice.path, ARTEFACT)] == [1, 2]
    assert tags.current(twice.path, ARTEFACT).version == "v0.2.0"


def test_without_a_promotion_no_version_is_in_use(toy: Toy) -> None:
    assert tags.history(toy.path, ARTEFACT) == []
    assert tags.current(toy.path, ARTEFACT) is None


def test_a_version_is_registered_and_assigned_and_never_registered_again(toy: Toy) -> None:
    commit = toy.git("rev-parse", "HEAD")
    assert tags.register(toy.path, ARTEFACT, "v0.1.0", commit) == f"{ARTEFACT}@v0.1.0"
    assert tags.assign(toy.path, ARTEFACT, "v0.1.0") == f"{ARTEFACT}#champion#1"
    assert tags.current(toy.path, ARTEFACT) == tags.Assignment(f"{ARTEFACT}#champion#1", 1, "v0.1.0", commit)
    with pytest.raises(PromotionError, match=rf"tag {ARTEFACT}@v0\.1\.0"):
        tags.register(toy.path, ARTEFACT, "v0.1.0", commit)
