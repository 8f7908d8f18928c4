"""How flows and tasks fail, and what they are called."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from prefect.client.schemas.objects import State
from prefect.exceptions import FailedRun
from prefect.logging import disable_run_logger
from prefect.states import Completed, Failed

from flows import runs
from pipeline.core.errors import PipelineError


@runs.fail_with_message
def body(error: Exception) -> State[Any]:
    raise error


def test_a_pipeline_error_becomes_a_failed_state_with_its_message_alone() -> None:
    with disable_run_logger():
        state = body(PipelineError("gate", "no verdict", "one", "run it"))
    assert (state.name, state.message) == ("Failed", "gate: no verdict; expected one; run it")


def test_another_error_is_raised_unless_its_message_contains_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="a mistake in the code"):
        body(ValueError("a mistake in the code"))
    monkeypatch.setenv("SOME_TOKEN", "correct-horse")
    with disable_run_logger():
        state = body(ValueError("login with correct-horse"))
    assert (state.name, state.message) == ("Failed", "ValueError: login with ***")


def test_a_decorated_flow_keeps_its_parameters() -> None:
    assert inspect.signature(body).parameters["error"].annotation is Exception


def test_a_flow_stops_after_a_failed_task_and_continues_after_another() -> None:
    runs.require_success(Completed())
    runs.require_success(None)
    with pytest.raises(FailedRun, match="no remote"):
        runs.require_success(Failed(message="no remote"))
