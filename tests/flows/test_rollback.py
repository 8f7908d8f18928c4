"""An earlier champion becomes the champion again."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from prefect.logging import disable_run_logger

from flows.promote import promote
from flows.rollback import rollback
from pipeline.registry.store import dvc
from tests.flows.conftest import Run
from tests.toy_registry import Toy

Start = Callable[..., Run]


@pytest.mark.slow
def test_an_earlier_champion_is_restored(toy: Toy, started: Start) -> None:
    for generation in (1, 2):
        if generation == 2:
            toy.git("pull", "--quiet", "origin", "main")
            dvc(toy.path, "pull")
            toy.run(2)
            toy.git("push", "--quiet", "origin", "main")
        assert started(promote, run="main", require_approval=False, by="Rui", reason="better").outcome["promoted"] == f"v0.{generation}.0"
    run = started(rollback, version="v0.1.0", by="Ana Reis", reason="numbers are wrong")
    assert run.state.is_completed(), run.state.message
    assert toy.in_use() == "v0.2.1"


@pytest.mark.slow
def test_the_champion_in_use_cannot_be_restored(toy: Toy, started: Start) -> None:
    assert started(promote, run="main", require_approval=False, by="Rui", reason="better").outcome["promoted"] == "v0.1.0"
    rejected = started(rollback, version="v0.1.0", by="Ana Reis", reason="a try")
    assert rejected.state.name == "Failed" and "already in use" in rejected.state.message


def test_every_field_is_required() -> None:
    with disable_run_logger():
        state = rollback.fn(version="v0.1.0", by=" ", reason="")
    assert state.name == "Failed" and "by: empty" in state.message and "reason: empty" in state.message
