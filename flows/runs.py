"""What flows and tasks have in common: their names, their tags, and an end that says what is wrong."""

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


def honest(body: Callable[P, Any]) -> Callable[P, Any]:
    """Have a flow or task that fails end *Failed* with its message: no traceback for what the user can mend, and no secret."""
    @wraps(body)
    def wrapped(*given: P.args, **named: P.kwargs) -> Any:
        try:
            return body(*given, **named)
        except (PipelineError, FailedRun) as error:
            return failed(str(error))
        except Exception as error:
            if redact(str(error)) == str(error):
                raise
            return failed(f"{type(error).__name__}: {error}")

    cast(Any, wrapped).__signature__ = inspect.signature(body, eval_str=True)  # its types are names of the body's module
    return wrapped


def must(ended: Any) -> None:
    """Let the flow go on only where a task that it has called did its work: a task that fails ends in a state, and raises nothing.

    Raises:
        FailedRun: with the task's message.
    """
    if isinstance(ended, State) and not ended.is_completed():
        raise FailedRun(ended.message)


def failed(message: str) -> State[Any]:
    """Return a failed state; its message is in the log as well."""
    clean = redact(message)
    get_run_logger().error("%s", clean)
    return Failed(message=clean)


@cache
def _own_id() -> str:
    return str(uuid4())


def short_id() -> str:
    """Return the first eight digits of the flow run's id, the same one however often it is taken up."""
    return str(flow_run.id or _own_id())[:8]


def date() -> str:
    """Return the day on which the flow run was due: it stays where a run is suspended and taken up later."""
    due = flow_run.scheduled_start_time if flow_run.id else None
    return f"{due or datetime.now(UTC):%Y-%m-%d}"


def run_name() -> str:
    """Return a flow run's name: its profile, version or ref, and the day."""
    given = flow_run.parameters
    what = next((str(given[name]) for name in ("profile", "version", "run") if given.get(name)), "")
    return f"{what.removeprefix('retrain/')} {date()}".strip()


def tag(tags: Sequence[str]) -> None:
    """Add tags to the flow run."""
    if flow_run.id:
        with get_client(sync_client=True) as client:
            client.update_flow_run(flow_run.id, tags=sorted({*flow_run.tags, *tags}))
