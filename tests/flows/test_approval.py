"""Approval of a promotion, through a real server and a real worker: approved, rejected, unanswered, outdated.

A run that requests an approval is suspended: it has no process. With the answer it starts again from the top.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pipeline.registry.git import git
from tests.flows.service import Service, next_generation, run_processes, toy_service, until
from tests.toy_registry import Toy

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

APPROVE = {"decision": "approve", "by": "Ana Reis", "reason": "twenty clips checked"}


@pytest.fixture(scope="module")
def running_toy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, Toy]]:
    with toy_service(tmp_path_factory.mktemp("approval")) as found:
        yield found


def requested(service: Service, toy: Toy, hours: float = 1.0) -> str:
    """Start a retraining of the next generation and return it once it has requested an approval and its process has ended."""
    next_generation(toy)
    run = service.run("retrain/nightly", promote="approve", approval_hours=hours)
    service.wait(run, "Suspended")
    until(lambda: not run_processes(service), 30, lambda: str(run_processes(service)))
    return run


def events(service: Service, name: str) -> int:
    """Return how often an event was emitted."""
    return int(service.post("/events/filter", {"filter": {"event": {"name": [f"vizinho.{name}"]}}})["total"])


def test_an_approval_resumes_the_run_and_promotes(running_toy: tuple[Service, Toy]) -> None:
    service, toy = running_toy
    before = toy.in_use()
    run = requested(service, toy)
    assert toy.in_use() == before
    count = events(service, "approval.requested")
    for wrong in ({**APPROVE, "reason": ""}, {**APPROVE, "decision": "perhaps"}, {}):
        answer = service.api.post(f"/flow_runs/{run}/resume", json={"run_input": wrong})
        assert answer.is_error or answer.json()["status"] != "ACCEPT", answer.text
    assert service.state(run)["name"] == "Suspended"
    service.answer(run, APPROVE)
    service.wait(run)
    version = toy.in_use()
    assert version and version != before and f"{version} is the champion" in service.state(run)["message"]
    record = git(toy.origin, "show", f"main:registry/records/{version}.json")
    assert "Ana Reis" in record and "twenty clips checked" in record and git(toy.origin, "rev-parse", service.branch(run)) in record
    assert "twenty clips checked" in service.artifacts(run)["asr-pt-toy-promotion"]
    assert "train@transfer" in service.tasks(run) and service.log(run).count("train@transfer: ") == 1, "no stage runs twice"
    until(lambda: events(service, "promotion.done") == 1, 30)
    assert events(service, "approval.requested") == count == 1, "requested once"


def test_a_rejection_keeps_the_champion_and_names_who_and_why(running_toy: tuple[Service, Toy]) -> None:
    service, toy = running_toy
    before = git(toy.origin, "for-each-ref")
    run = requested(service, toy)
    service.answer(run, {"decision": "reject", "by": "Ana Reis", "reason": "numbers are wrong"})
    service.wait(run, "Rejected")
    assert "rejected by Ana Reis: numbers are wrong; the champion stays" in service.state(run)["message"]
    branch = service.branch(run)
    now = {line for line in git(toy.origin, "for-each-ref").splitlines() if not line.endswith((branch, "refs/heads/main"))}
    assert now <= set(before.splitlines())
    until(lambda: events(service, "approval.rejected") == 1, 30)


def test_without_an_answer_in_time_the_run_fails_and_a_new_approval_can_be_requested(running_toy: tuple[Service, Toy]) -> None:
    service, toy = running_toy
    before = toy.in_use()
    run = requested(service, toy, hours=10 / 3600)
    service.wait(run, "Failed")
    assert "never resumed" in service.state(run)["message"]
    late = service.api.post(f"/flow_runs/{run}/resume", json={"run_input": APPROVE})
    assert late.is_error or late.json()["status"] != "ACCEPT", late.text
    assert (service.state(run)["type"], toy.in_use(), run_processes(service)) == ("FAILED", before, {})

    second = service.run("promote/manual", run=service.branch(run))
    service.wait(second, "Suspended")
    service.answer(second, APPROVE)
    service.wait(second)
    assert toy.in_use() != before and git(toy.origin, "rev-parse", service.branch(run)) in git(
        toy.origin, "show", f"main:registry/records/{toy.in_use()}.json")


def test_an_approval_after_another_promotion_promotes_nothing(running_toy: tuple[Service, Toy]) -> None:
    service, toy = running_toy
    run = requested(service, toy)
    next_generation(toy)
    other = service.run("retrain/nightly", promote="auto")
    service.wait(other)
    version = toy.in_use()
    assert version and git(toy.origin, "rev-parse", service.branch(other)) in git(toy.origin, "show", f"main:registry/records/{version}.json")
    service.answer(run, APPROVE)
    service.wait(run, "Failed")
    assert "retrain, to compare the challenger with it" in service.state(run)["message"]
    assert toy.in_use() == version
