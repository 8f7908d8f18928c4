"""Slices against earlier champions: losses of successive promotions add up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.registry import evidence
from pipeline.registry.gates import VERDICT
from pipeline.registry.git import git
from pipeline.registry.private_clone import PrivateClone
from pipeline.registry.record import Record
from pipeline.registry.slices import lost_slices, predecessors
from tests.toy_registry import ARTEFACT


def verdict(**changes: float) -> dict[str, Any]:
    """Return a verdict in which the WER of each slice changes by so many points, within one point, at a margin of two."""
    return {"verdict": "promote", "challenger": {"weights_hash": "z"}, "rules": [
        {"name": f"non_inferiority locale={name}", "enabled": True, "value": points / 100, "high": (points + 1) / 100, "limit": 0.02, "passed": True}
        for name, points in changes.items()], "comparisons": {"champion": {"slices": [
            {"slice": {"locale": name}, "wer": {"difference": {"value": points / 100}}} for name, points in changes.items()]}}}


def promoted(clone: Path, version: str, replaces: str | None, restores: str | None = None, **changes: float) -> Record:
    """Return the record of a promotion whose verdict states these changes."""
    (clone / VERDICT).parent.mkdir(parents=True, exist_ok=True)
    (clone / VERDICT).write_text(json.dumps(verdict(**changes)))
    (clone / "params.yaml").write_text("gate: {non_inferiority: {promotions: 2}}\n")
    git(clone, "add", "--all")
    git(clone, "commit", "--quiet", "--allow-empty", "-m", version)
    return Record.model_construct(version=version, replaces=replaces, restores=restores, commit=git(clone, "rev-parse", "HEAD"),
                                  model=type("", (), {"weights_hash": version})())


def test_a_slice_that_lost_within_its_margin_three_times_has_lost_more_than_its_margin(clone: Path) -> None:
    known = [promoted(clone, "v0.1.0", None, BR=0.9, PT=-5), promoted(clone, "v0.2.0", "v0.1.0", BR=0.9, PT=-5)]
    now = verdict(BR=0.9, PT=0.9)
    assert lost_slices(clone, now, known, 0) == []
    assert lost_slices(clone, now, known, 1) == ["locale=BR +1.80 points (up to +2.80, margin 2.00) against v0.1.0"]
    assert lost_slices(clone, verdict(BR=-0.5, PT=0.9), known, 1) == []
    assert lost_slices(clone, verdict(BR=-0.5, PT=0.9), known, 2) == [
        "locale=BR +1.30 points (up to +2.30, margin 2.00) against the donor of day one"]


def test_a_gain_in_between_is_no_loss_and_the_best_of_the_champions_counts(clone: Path) -> None:
    known = [promoted(clone, "v0.1.0", None, BR=-8), promoted(clone, "v0.2.0", "v0.1.0", BR=0.9)]
    assert lost_slices(clone, verdict(BR=0.9), known, 5) == ["locale=BR +1.80 points (up to +2.80, margin 2.00) against v0.1.0"]
    assert lost_slices(clone, verdict(BR=-3), known, 5) == []


def test_a_slice_that_an_earlier_verdict_lacks_is_compared_no_further(clone: Path) -> None:
    known = [promoted(clone, "v0.1.0", None, BR=5), promoted(clone, "v0.2.0", "v0.1.0", PT=5)]
    assert lost_slices(clone, verdict(BR=0.9), known, 5) == []
    assert lost_slices(clone, verdict(BR=0.9), [], 5) == []


@pytest.mark.parametrize("change", [{"name": "locale=BR"}, {"enabled": False}, {"value": None}, {"high": None}])
def test_only_enabled_rules_on_slices_with_an_interval_count(clone: Path, change: dict[str, Any]) -> None:
    known = [promoted(clone, "v0.1.0", None, BR=5)]
    now = verdict(BR=5)
    assert len(lost_slices(clone, now, known, 1)) == 1
    now["rules"][0] |= change
    assert lost_slices(clone, now, known, 1) == []


def test_a_slice_that_has_lost_exactly_its_margin_is_not_lost(clone: Path) -> None:
    known = [promoted(clone, "v0.1.0", None, BR=0.78125)]
    now = verdict(BR=0.78125)
    now["rules"][0] |= {"value": 0.0, "high": 0.25 - 0.0078125, "limit": 0.25}
    assert lost_slices(clone, now, known, 1) == []
    now["rules"][0]["limit"] = 0.2499999
    assert len(lost_slices(clone, now, known, 1)) == 1


def test_a_slice_without_a_change_and_a_verdict_that_cannot_be_read_are_compared_no_further(clone: Path) -> None:
    known = [promoted(clone, "v0.1.0", None, BR=5)]
    found = verdict(BR=5, PT=5)
    found["comparisons"]["champion"]["slices"][0]["wer"]["difference"]["value"] = None
    for content, lost in ((json.dumps(found), ["locale=PT"]), ("{", []), ("{}", []), ("[]", [])):
        (clone / VERDICT).write_text(content)
        git(clone, "add", "--all")
        git(clone, "commit", "--quiet", "-m", "Rewrite the verdict")
        record = known[0].model_copy(update={"commit": git(clone, "rev-parse", "HEAD")})
        assert [line.split()[0] for line in lost_slices(clone, verdict(BR=5, PT=5), [record], 1)] == lost
    assert lost_slices(clone, verdict(BR=5), [known[0].model_copy(update={"commit": "0" * 40})], 1) == []


def test_records_that_replace_each_other_end(clone: Path) -> None:
    first, second = promoted(clone, "v0.1.0", "v0.2.0"), promoted(clone, "v0.2.0", "v0.1.0")
    assert [record.version for record in predecessors([first, second])] == ["v0.2.0", "v0.1.0"]


def test_a_rollback_leads_back_to_the_record_that_it_restores(clone: Path) -> None:
    first = promoted(clone, "v0.1.0", None)
    second, third = promoted(clone, "v0.2.0", "v0.1.0"), promoted(clone, "v0.3.0", "v0.2.0")
    back = promoted(clone, "v0.3.1", "v0.3.0", restores="v0.2.0")
    assert [record.version for record in predecessors([first, second, third])] == ["v0.3.0", "v0.2.0", "v0.1.0"]
    assert [record.version for record in predecessors([first, second, third, back])] == ["v0.2.0", "v0.1.0"]
    assert predecessors([first, promoted(clone, "v0.1.1", "v0.1.0", restores="day-one")]) == []


def test_a_lost_slice_is_an_objection_to_a_promotion(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("index_used_twice", False), ("policy_objections", []), ("rolled_back", {})):
        monkeypatch.setattr(evidence, name, lambda *_, value=value: value)
    known = [promoted(clone, "v0.1.0", None, BR=0.9), promoted(clone, "v0.2.0", "v0.1.0", BR=0.9)]
    found, = evidence.objections(PrivateClone(clone, clone, ".", ARTEFACT, "HEAD"), "HEAD", verdict(BR=0.9), known)
    assert found.found.startswith("slices: locale=BR +1.80 points")
    assert found.expected == "no slice worse than in the last 3 champions by more than its margin"
