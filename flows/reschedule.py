"""Schedule the runs again that a worker has taken and not started, while the pool has no worker; end those that it was to cancel.

    python -m flows.reschedule

A worker that takes a run sets it to *Pending*, and then starts its process. Without that worker nobody starts it, and it holds its place in the
work queue. flows/serve.py calls this before it starts its worker.
"""

from __future__ import annotations

import time
from typing import Any, Final

from flows.register import POOL
from pipeline.core.progress import log
from pipeline.core.stage import exit_with_code

GRACE_S: Final = 20.0
"""A process that a killed worker has started already sets its run to *Running* within this time."""


def reschedule(client: Any, grace_s: float = GRACE_S) -> list[str]:
    """Schedule the Pending runs of the work pool again, cancel the Cancelling ones, and return the names of all.

    Args:
        client: of the server.
        grace_s: seconds to wait, if there are any, for processes that have been started already.
    """
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterState, FlowRunFilterStateType, WorkPoolFilter, WorkPoolFilterName
    from prefect.client.schemas.objects import StateType
    from prefect.states import Cancelled, Scheduled

    kinds = [StateType.PENDING, StateType.CANCELLING]
    wanted = {"flow_run_filter": FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=kinds))),
              "work_pool_filter": WorkPoolFilter(name=WorkPoolFilterName(any_=[POOL]))}
    if not client.read_flow_runs(**wanted):
        return []
    time.sleep(grace_s)
    found = client.read_flow_runs(**wanted)
    for run in found:
        state = Cancelled if run.state_type == StateType.CANCELLING else Scheduled
        client.set_flow_run_state(run.id, state(message="The worker that took it is gone."), force=True)
    return [run.name for run in found]


def main() -> None:
    """Reschedule from the command line."""
    from prefect.client.orchestration import get_client

    with exit_with_code(), get_client(sync_client=True) as client:
        if names := reschedule(client):
            log(f"no worker is left for {', '.join(names)}: scheduled again, or cancelled")


if __name__ == "__main__":
    main()
