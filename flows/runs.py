"""What a flow run is called, and how it is told from others."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from uuid import uuid4

from prefect.client.orchestration import get_client
from prefect.runtime import flow_run


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
