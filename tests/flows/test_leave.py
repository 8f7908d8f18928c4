"""Leave to promote, through a real server and a real worker: given, refused, withheld, and for what has moved since.

A run that asks is suspended: it has no process. With the answer it starts again from the top.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pipeline.registry.git import git
from tests.flows.service import Service, at_work, next_generation, toy_service, until
from tests.toy_registry import Toy

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

YES = {"decision": "promote", "by": "Ana Reis", "reason": "heard twenty clips"}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, Toy]]:
    with toy_service(tmp_path_factory.mktemp("leave")) as found:
        yield found


def asked(service: Service, toy: Toy, hours: float = 1.0) -> str:
    """Start a retraining of a next generation and return it once it asks and its process has ended."""
    next_generation(toy)
    run = service.run("retrain/nightly", promote="approve", approval_hours=hours)
    service.wait(run, "Suspended")
    until(lambda: not at_work(service), 30, lambda: str(at_work(service)))
    return run


def events(service: Service, name: str) -> int:
    """Return how often an event was told."""
    return int(service.post("/events/filter", {"filter": {"event": {"name": [f"vizinho.{name}"]}}})["total"])


def test_a_yes_starts_the_run_again_and_promotes(place: tuple[Service, Toy]) -> None:
    service, toy = place
    before = toy.in_use()
    run = asked(service, toy)
    assert toy.in_use() == before
    told = events(service, "approval.wanted")
    for wrong in ({**YES, "reason": ""}, {**YES, "decision": "perhaps"}, {}):
        answer = service.api.post(f"/flow_runs/{run}/resume", json={"run_input": wrong})
        assert answer.is_error or answer.json()["status"] != "ACCEPT", answer.text
    assert service.state(run)["name"] == "Suspended"
    service.answer(run, YES)
    service.wait(run)
    version = toy.in_use()
    assert version and version != before and f"{version} is the champion" in service.state(run)["message"]
    record = git(toy.origin, "show", f"main:registry/records/{version}.json")
    assert "Ana Reis" in record and "heard twenty clips" in record and git(toy.origin, "rev-parse", service.branch(run)) in record
    assert "heard twenty clips" in service.artifacts(run)["asr-pt-toy-promotion"]
    assert "train@transfer" in service.tasks(run) and service.log(run).count("train@transfer: ") == 1, "nothing is made twice"
    until(lambda: events(service, "promotion.done") == 1, 30)
    assert events(service, "approval.wanted") == told == 1, "asked once"


def test_a_no_leaves_the_champion_and_says_who_and_why(place: tuple[Service, Toy]) -> None:
    service, toy = place
    before = git(toy.origin, "for-each-ref")
    run = asked(service, toy)
    service.answer(run, {"decision": "leave", "by": "Ana Reis", "reason": "numbers are misheard"})
    service.wait(run, "Refused")
    assert "refused by Ana Reis: numbers are misheard; the champion stays" in service.state(run)["message"]
    branch = service.branch(run)
    now = {line for line in git(toy.origin, "for-each-ref").splitlines() if not line.endswith((branch, "refs/heads/main"))}
    assert now <= set(before.splitlines())
    until(lambda: events(service, "approval.refused") == 1, 30)


def test_without_an_answer_in_time_the_run_fails_and_whoever_comes_late_may_ask_again(place: tuple[Service, Toy]) -> None:
    service, toy = place
    before = toy.in_use()
    run = asked(service, toy, hours=10 / 3600)
    service.wait(run, "Failed")
    assert "never resumed" in service.state(run)["message"]
    late = service.api.post(f"/flow_runs/{run}/resume", json={"run_input": YES})
    assert late.is_error or late.json()["status"] != "ACCEPT", late.text
    assert (service.state(run)["type"], toy.in_use(), at_work(service)) == ("FAILED", before, {})

    again = service.run("promote/manual", run=service.branch(run))
    service.wait(again, "Suspended")
    service.answer(again, YES)
    service.wait(again)
    assert toy.in_use() != before and git(toy.origin, "rev-parse", service.branch(run)) in git(
        toy.origin, "show", f"main:registry/records/{toy.in_use()}.json")


def test_a_yes_that_comes_after_another_promotion_promotes_nothing(place: tuple[Service, Toy]) -> None:
    service, toy = place
    run = asked(service, toy)
    next_generation(toy)
    other = service.run("retrain/nightly", promote="auto")
    service.wait(other)
    version = toy.in_use()
    assert version and git(toy.origin, "rev-parse", service.branch(other)) in git(toy.origin, "show", f"main:registry/records/{version}.json")
    service.answer(run, YES)
    service.wait(run, "Failed")
    assert "retrain, so that the challenger meets it" in service.state(run)["message"]
    assert toy.in_use() == version
