"""Leave to promote: asked for, given, refused, not given in time, or for something that has moved since."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.flow_runs import resume_flow_run
from prefect.logging import disable_run_logger

from flows.promote import key_of, promote, question
from flows.rollback import rollback
from pipeline.registry.git import git
from pipeline.registry.promotion import ask
from pipeline.registry.store import dvc
from tests.flows.conftest import Run
from tests.toy_registry import Toy

Start = Callable[..., Run]


def answered(started: Start, before: Callable[[], object] = lambda: None, hours: float = 0.1, **answer: str) -> Run:
    """Start promote for main, answer its form as soon as it is there, and return the finished run."""
    seen = newest()
    ended: list[Run] = []
    thread = threading.Thread(target=lambda: ended.append(started(promote, run="main", approval_hours=hours)))
    thread.start()
    with get_client(sync_client=True) as client:
        until = time.monotonic() + 120
        while thread.is_alive():
            waiting = [run for run in client.read_flow_runs() if run.state and run.state.is_paused() and run.id not in seen]
            if waiting:
                before()
                if answer:
                    resume_flow_run(waiting[0].id, run_input=answer)
                break
            assert time.monotonic() < until
            time.sleep(0.3)
    thread.join(240)
    return ended[0]


def newest() -> set[Any]:
    with get_client(sync_client=True) as client:
        return {run.id for run in client.read_flow_runs()}


def test_a_yes_promotes_and_goes_on_record_and_a_rollback_undoes_it(toy: Toy, started: Start) -> None:
    run = answered(started, decision="promote", by="Ana Reis", reason="heard twenty clips")
    assert run.state.is_completed(), run.state.message
    assert toy.in_use() == run.outcome["promoted"] == "v0.1.0"
    record = git(toy.origin, "show", "main:registry/records/v0.1.0.json")
    assert "Ana Reis" in record and "heard twenty clips" in record
    assert "heard twenty clips" in run.artifacts["asr-pt-toy-promotion"].data

    refused = started(rollback, version="v0.1.0", by="Ana Reis", reason="a try")
    assert refused.state.name == "Failed" and "already in use" in refused.state.message


@pytest.mark.slow
def test_a_no_leaves_the_champion_with_its_reason(toy: Toy, started: Start) -> None:
    run = answered(started, decision="leave", by="Ana Reis", reason="numbers are misheard")
    assert (run.state.name, toy.in_use()) == ("Refused", None)
    assert "numbers are misheard" in run.state.message


@pytest.mark.slow
def test_no_answer_in_time_leaves_the_champion(toy: Toy, started: Start) -> None:
    run = answered(started, hours=0.005)
    assert (run.state.name, toy.in_use()) == ("Failed", None)
    assert "never resumed" in run.state.message or "no answer" in run.state.message


@pytest.mark.slow
def test_a_yes_to_what_another_has_promoted_meanwhile_promotes_nothing_twice(toy: Toy, started: Start) -> None:
    def another() -> None:
        assert started(promote, run="main", ask=False, by="Rui", reason="faster").outcome["promoted"] == "v0.1.0"

    run = answered(started, before=another, decision="promote", by="Ana Reis", reason="heard twenty clips")
    assert run.outcome["promoted"] == toy.in_use() == "v0.1.0"
    assert "Rui" in git(toy.origin, "show", "main:registry/records/v0.1.0.json")


@pytest.mark.slow
def test_an_earlier_champion_comes_back(toy: Toy, started: Start) -> None:
    for generation in (1, 2):
        if generation == 2:
            toy.git("pull", "--quiet", "origin", "main")
            dvc(toy.path, "pull")
            toy.run(2)
            toy.git("push", "--quiet", "origin", "main")
        assert started(promote, run="main", ask=False, by="Rui", reason="better").outcome["promoted"] == f"v0.{generation}.0"
    run = started(rollback, version="v0.1.0", by="Ana Reis", reason="numbers are misheard")
    assert run.state.is_completed(), run.state.message
    assert toy.in_use() == "v0.2.1"


def test_the_question_is_about_exactly_this(toy: Toy) -> None:
    candidate = ask(toy.path, "main")
    approval = candidate.approval
    others = [replace(approval, commit="0" * 40), replace(approval, verdict="0" * 64), replace(approval, champion="asr-pt-toy#champion#1")]
    assert len({key_of(approval), *map(key_of, others)}) == 4
    assert approval.commit in question(candidate) and "WER 90.0 % → 50.0 %" in question(candidate)


@pytest.mark.parametrize(("given", "message"), [
    ({"run": "main", "ask": False}, "expected who decides and why"),
    ({"run": "no-such"}, "run no-such: no such branch or commit"),
])
def test_what_cannot_be_meant_is_refused(toy: Toy, given: dict[str, Any], message: str) -> None:
    with disable_run_logger():
        state = promote.fn(**given)
    assert state.name == "Failed" and message in state.message
