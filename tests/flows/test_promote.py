"""Approval of a promotion: approved, rejected, unanswered, or outdated."""

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

from flows.promote import promote, request_key, request_text
from pipeline.registry.git import git
from pipeline.registry.promotion import read_candidate
from tests.flows.conftest import Run
from tests.toy_registry import Toy

Start = Callable[..., Run]


def answered(started: Start, before: Callable[[], object] = lambda: None, hours: float = 0.1, **answer: str) -> Run:
    """Start promote for main, answer its form as soon as it is shown, and return the finished run."""
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


@pytest.mark.slow
def test_an_approval_promotes_and_is_recorded(toy: Toy, started: Start) -> None:
    run = answered(started, decision="approve", by="Ana Reis", reason="twenty clips checked")
    assert run.state.is_completed(), run.state.message
    assert toy.in_use() == run.outcome["promoted"] == "v0.1.0"
    record = git(toy.origin, "show", "main:registry/records/v0.1.0.json")
    assert "Ana Reis" in record and "twenty clips checked" in record
    assert "twenty clips checked" in run.artifacts["asr-pt-toy-promotion"].data


@pytest.mark.slow
def test_a_rejection_keeps_the_champion_and_its_reason_is_shown(toy: Toy, started: Start) -> None:
    run = answered(started, decision="reject", by="Ana Reis", reason="numbers are wrong")
    assert (run.state.name, toy.in_use()) == ("Rejected", None)
    assert "numbers are wrong" in run.state.message


@pytest.mark.slow
def test_without_an_answer_in_time_the_champion_stays(toy: Toy, started: Start) -> None:
    run = answered(started, hours=0.005)
    assert (run.state.name, toy.in_use()) == ("Failed", None)
    assert "never resumed" in run.state.message or "no answer" in run.state.message


@pytest.mark.slow
def test_an_approval_of_a_run_that_was_promoted_meanwhile_promotes_nothing_twice(toy: Toy, started: Start) -> None:
    def another() -> None:
        assert started(promote, run="main", require_approval=False, by="Rui", reason="faster").outcome["promoted"] == "v0.1.0"

    run = answered(started, before=another, decision="approve", by="Ana Reis", reason="twenty clips checked")
    assert run.outcome["promoted"] == toy.in_use() == "v0.1.0"
    assert "Rui" in git(toy.origin, "show", "main:registry/records/v0.1.0.json")


@pytest.mark.slow
def test_an_approval_request_is_about_one_run_verdict_and_champion(toy: Toy) -> None:
    candidate = read_candidate(toy.path, "main")
    request = candidate.request
    others = [replace(request, commit="0" * 40), replace(request, verdict="0" * 64), replace(request, champion="asr-pt-toy#champion#1")]
    assert len({request_key(request), *map(request_key, others)}) == 4
    assert request.commit in request_text(candidate) and "WER 90.0 % → 50.0 %" in request_text(candidate)
    assert "Override requested" not in request_text(candidate)
    assert "Override requested: the verdict is not promote.** Reason: urgent" in request_text(candidate, "urgent")


@pytest.mark.parametrize(("given", "message"), [
    ({"run": "main", "require_approval": False}, "required, because require_approval is off"),
    ({"run": "no-such"}, "run no-such: no such branch or commit"),
])
def test_impossible_parameters_are_rejected(toy: Toy, given: dict[str, Any], message: str) -> None:
    with disable_run_logger():
        state = promote.fn(**given)
    assert state.name == "Failed" and message in state.message
