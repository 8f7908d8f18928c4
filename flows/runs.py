"""What flows and tasks share: their names, their tags, and how they fail."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cache, wraps
from typing import Any, ParamSpec, cast
from uuid import uuid4

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.exceptions import FailedRun
from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from prefect.states import Failed

from flows.redaction import redact
from pipeline.core.errors import PipelineError

P = ParamSpec("P")


def fail_with_message(body: Callable[P, Any]) -> Callable[P, Any]:
    """Return a flow or task function that ends in the state *Failed* with the error's message alone.

    Prefect prints and stores a traceback of every exception. A `PipelineError` needs none: its message contains what to do. Any other
    exception is raised unchanged, unless its message contains a secret.
    """
    @wraps(body)
    def wrapped(*arguments: P.args, **named: P.kwargs) -> Any:
        try:
            return body(*arguments, **named)
        except (PipelineError, FailedRun) as error:
            return failed(str(error))
        except Exception as error:
            if redact(str(error)) == str(error):
                raise
            return failed(f"{type(error).__name__}: {error}")

    cast(Any, wrapped).__signature__ = inspect.signature(body, eval_str=True)  # its types are names of the body's module
    return wrapped


def require_success(result: Any) -> None:
    """Check the result of a task that the flow has called: a task that fails returns a state and raises nothing.

    Raises:
        FailedRun: the task failed; with its message.
    """
    if isinstance(result, State) and not result.is_completed():
        raise FailedRun(result.message)


def failed(message: str) -> State[Any]:
    """Return a failed state with this message, secrets masked, and log it as an error."""
    clean = redact(message)
    get_run_logger().error("%s", clean)
    return Failed(message=clean)


@cache
def _own_id() -> str:
    return str(uuid4())


def short_id() -> str:
    """Return the first eight digits of the flow run's id; a resumed run keeps them."""
    return str(flow_run.id or _own_id())[:8]


def date() -> str:
    """Return the day for which the flow run was scheduled, "2026-11-24"; a resumed run keeps it."""
    due = flow_run.scheduled_start_time if flow_run.id else None
    return f"{due or datetime.now(UTC):%Y-%m-%d}"


def run_name() -> str:
    """Return a flow run's name: its profile, version or run, and the day: "embedded 2026-11-24"."""
    parameters = flow_run.parameters
    subject = next((str(parameters[name]) for name in ("profile", "version", "run") if parameters.get(name)), "")
    return f"{subject.removeprefix('retrain/')} {date()}".strip()


def add_tags(tags: Sequence[str]) -> None:
    """Add tags to the flow run."""
    if flow_run.id:
        with get_client(sync_client=True) as client:
            client.update_flow_run(flow_run.id, tags=sorted({*flow_run.tags, *tags}))
