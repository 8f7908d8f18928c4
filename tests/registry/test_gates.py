"""The gates of a period, counted from git: the gate index of new evidence, and an index that two pieces of evidence share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.core.errors import DataError, MissingInputError, ParamsError, PipelineError, PromotionError
from pipeline.core.files import read_json, write_json
from pipeline.registry import gates
from pipeline.registry.git import git
from pipeline.registry.promotion import promote, read_candidate
from pipeline.registry.record import records
from pipeline.registry.store import dvc
from tests.toy_registry import Toy

CHAMPION = "c" * 64


def verdict(challenger: str, index: int, champion: str = CHAMPION) -> dict[str, Any]:
    return {"challenger": {"weights_hash": challenger, "test_set": "t"}, "champion": {"weights_hash": champion},
            "period": {"gates_before": index}}


def commit(clone: Path, found: Any, branch: str = "") -> None:
    if branch:
        git(clone, "switch", "--quiet", "--create", branch)
    (clone / "data/gate").mkdir(parents=True, exist_ok=True)
    (clone / gates.VERDICT).write_text(found if isinstance(found, str) else json.dumps(found))
    git(clone, "add", "--all")
    git(clone, "commit", "--quiet", "--allow-empty", "-m", "Run")


def test_every_verdict_in_any_branch_that_compares_with_the_champion_counts_once(clone: Path) -> None:
    commit(clone, verdict("a", 0))
    commit(clone, verdict("a", 0) | {"rules": ["rewritten"]})
    commit(clone, verdict("b", 1), "retrain/2026-11-22-ab12")
    commit(clone, verdict("c", 7, champion="of another period"))
    commit(clone, "not JSON")
    git(clone, "switch", "--quiet", "main")
    git(clone, "merge", "--quiet", "--strategy=ours", "-m", "Leave it", "retrain/2026-11-22-ab12")
    git(clone, "branch", "--quiet", "-D", "retrain/2026-11-22-ab12")
    assert gates.spent(clone, CHAMPION) == {("a", CHAMPION, "t"): {0}, ("b", CHAMPION, "t"): {1}}
    assert gates.spent(clone, "nobody") == {}


def test_evidence_keeps_its_gate_index_and_new_evidence_gets_the_next_one() -> None:
    a, b, c = (("weights", CHAMPION, name) for name in "abc")
    assert gates.free_index({}, a) == 0
    assert gates.free_index({a: {0}, b: {3}}, a) == 0
    assert gates.free_index({a: {0}, b: {3}}, c) == 4
    assert gates.free_index({a: {0}, b: {0}}, a) == 1
    assert gates.free_index({a: {0, 1}, b: {0}}, a) == 1
    assert gates.free_index({a: {0, 2}, b: {1}}, a) == 0


@pytest.mark.parametrize("challenger, champion, index", [("a", CHAMPION, 0), ("b", CHAMPION, 1), ("b", "d" * 64, 0)])
def test_the_gate_index_of_a_checkout_is_that_of_its_weights_and_test_set(clone: Path, challenger: str, champion: str, index: int) -> None:
    commit(clone, verdict("a", 0))
    (clone / gates.PARAMS).write_text("gate: {challenger: transfer}\n")
    for name, found in {"transcribe/transfer": {"weights_hash": challenger}, "transcribe/champion": {"weights_hash": champion},
                        "score/transfer": {"test_set": {"hash": "t"}}}.items():
        write_json(clone / f"data/{name}.json", found)
    assert gates.gate_index(clone) == index
    write_json(clone / "data/score/transfer.json", {})
    with pytest.raises(DataError, match="data/transcribe or data/score of transfer: no usable 'test_set'"):
        gates.gate_index(clone)


def test_an_index_that_two_challengers_have_was_spent_twice_and_one_that_was_evaluated_again_was_not(clone: Path) -> None:
    commit(clone, verdict("a", 0))
    assert not gates.index_used_twice(clone, verdict("a", 0))
    assert gates.index_used_twice(clone, verdict("b", 0))
    assert not gates.index_used_twice(clone, verdict("b", 1))
    assert not gates.index_used_twice(clone, verdict("b", 0, champion="another"))


def test_the_verdicts_of_runs_that_were_pushed_count(clone: Path) -> None:
    git(clone, "init", "--quiet", "--bare", "remote.git")
    git(clone, "remote", "add", "origin", str(clone / "remote.git"))
    commit(clone, verdict("a", 0))
    commit(clone, verdict("b", 1), "retrain/2026-11-22-ab12")
    git(clone, "push", "--quiet", "origin", "retrain/2026-11-22-ab12")
    git(clone, "switch", "--quiet", "main")
    git(clone, "branch", "--quiet", "-D", "retrain/2026-11-22-ab12")
    git(clone, "update-ref", "-d", "refs/remotes/origin/retrain/2026-11-22-ab12")
    assert len(gates.spent(clone, CHAMPION)) == 1
    gates.fetch_runs(clone)
    assert gates.spent(clone, CHAMPION) == {("a", CHAMPION, "t"): {0}, ("b", CHAMPION, "t"): {1}}


def test_a_verdict_without_a_period_is_the_first_of_it() -> None:
    assert gates.gate_index_of({}) == gates.gate_index_of({"period": {}}) == 0
    assert gates.gate_index_of(verdict("a", 3)) == 3


def test_in_a_partial_clone_gates_cannot_be_counted(clone: Path) -> None:
    commit(clone, verdict("a", 0))
    git(clone, "config", "remote.origin.promisor", "true")
    with pytest.raises(PipelineError, match=r"a partial clone; expected the whole history, .*without --filter"):
        gates.spent(clone, CHAMPION)
    git(clone, "config", "remote.origin.promisor", "false")
    assert len(gates.spent(clone, CHAMPION)) == 1


def test_in_a_shallow_clone_gates_cannot_be_counted(clone: Path) -> None:
    for index in range(2):
        commit(clone, verdict("a", index))
    git(clone, "clone", "--quiet", "--depth=1", f"file://{clone}", "shallow")
    with pytest.raises(PipelineError, match=r"a shallow clone; expected the whole history, .*git fetch --unshallow"):
        gates.spent(clone / "shallow", CHAMPION)


def test_only_the_number_of_the_gate_index_is_rewritten(tmp_path: Path) -> None:
    text = "# how strict\ngate:\n  alpha: 0.05\n  gates_since_promotion: 0    # by git\n  level: 0.95\n"
    (tmp_path / "params.yaml").write_text(text)
    assert gates.write_gate_index(tmp_path, 12) is True
    assert (tmp_path / "params.yaml").read_text() == text.replace("promotion: 0", "promotion: 12")
    assert gates.write_gate_index(tmp_path, 12) is False
    (tmp_path / "params.yaml").write_text("gate: {gates_since_promotion: 0}\n")
    with pytest.raises(ParamsError, match="found 0 times on a line of its own; expected once"):
        gates.write_gate_index(tmp_path, 1)


def test_without_the_scores_of_the_run_the_gate_index_is_unknown(toy: Toy) -> None:
    (toy.path / "data/transcribe/champion.json").write_text("{}")
    with pytest.raises(DataError, match="no usable 'weights_hash'"):
        gates.gate_index(toy.path)
    (toy.path / "data/transcribe/champion.json").unlink()
    with pytest.raises(MissingInputError, match=r"data/transcribe/champion\.json"):
        gates.gate_index(toy.path)


@pytest.mark.slow
def test_a_second_run_needs_a_gate_index_that_no_other_has_and_a_promotion_starts_a_new_period(toy: Toy) -> None:
    """The second run is refused with the gate index of the first, and promoted after a gate with the next index."""
    assert gates.gate_index(toy.path) == 0  # evaluated already: it keeps its index
    toy.run(2, gates=0)
    assert (gates.gate_index(toy.path), gates.write_gate_index(toy.path, 0)) == (1, False)
    with pytest.raises(PromotionError, match="gate 1 of its period, like another verdict; expected a gate index that no other evidence has"):
        promote(toy.path, read_candidate(toy.path).request, "Ana Reis")
    assert toy.in_use() is None
    assert gates.write_gate_index(toy.path, gates.gate_index(toy.path))
    dvc(toy.path, "repro", "--quiet")
    toy.commit("Gate it as the second")
    assert gates.gate_index(toy.path) == 1  # a rerun has nothing to do
    record = promote(toy.path, read_candidate(toy.path).request, "Ana Reis")
    assert record.verdict.gates == 2
    assert yaml.safe_load((toy.path / "params.yaml").read_text())["gate"]["gates_since_promotion"] == 0
    assert toy.git("show", "--name-only", "--format=", "HEAD").split()[-2:] == ["params.yaml", "registry/records/v0.1.0.json"]
    dvc(toy.path, "repro", "--quiet")
    assert gates.gate_index(toy.path) == 0
    assert read_json(toy.path / gates.VERDICT)["champion"]["model"] == "data/champion"


@pytest.mark.slow
def test_an_override_promotes_a_run_whose_index_was_spent_twice_and_is_recorded(toy: Toy) -> None:
    toy.run(2, gates=0)
    promote(toy.path, read_candidate(toy.path).request, "Ana Reis", override="the first run was a rehearsal")
    assert records(toy.path)[0].approval.override == "the first run was a rehearsal"


def test_a_verdict_on_a_branch_of_the_remote_counts_without_a_fetch(toy: Toy) -> None:
    other = toy.clone("other")
    other.git("switch", "--quiet", "--create", "retrain/2026-11-22-cd34")
    (other.path / gates.VERDICT).write_text(json.dumps({
        **read_json(toy.path / gates.VERDICT), "challenger": {"weights_hash": "f" * 64, "test_set": "a" * 64}}))
    other.commit("Gate another")
    other.git("push", "--quiet", "origin", "retrain/2026-11-22-cd34")
    with pytest.raises(PromotionError, match="that error level was spent"):
        promote(toy.path, read_candidate(toy.path).request, "Ana Reis")
