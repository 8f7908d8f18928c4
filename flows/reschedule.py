"""Correct the state of runs that nobody works on any more, while the work pool has no worker.

    python -m flows.reschedule

A worker that takes a run sets it to *Pending*, and then starts its process. Without that worker nobody starts it. A process that is killed
cannot report that its run has crashed. Both kinds of runs hold their place in the work queue, so that the next run does not start.
flows/serve.py calls this before it starts its worker.
"""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from flows.register import POOL
from pipeline.core.progress import log
from pipeline.core.stage import exit_with_code

GRACE_S: Final = 20.0
"""A process that a killed worker has started already sets its run to *Running* within this time."""


def reschedule(client: Any, grace_s: float = GRACE_S) -> list[str]:
    """Schedule the Pending runs of the work pool again, end the Cancelling ones and the Running ones without a process.

    Args:
        client: of the server.
        grace_s: seconds to wait, if runs are Pending or Cancelling, for processes that have been started already.

    Returns:
        For each of these runs, its name and what has become of it.
    """
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterState, FlowRunFilterStateType, WorkPoolFilter, WorkPoolFilterName
    from prefect.client.schemas.objects import StateType
    from prefect.states import Cancelled, Crashed, Scheduled

    gone = "The worker that took it is gone."
    states: dict[Any, tuple[Any, str]] = {
        StateType.PENDING: (Scheduled(message=gone), "is scheduled again"),
        StateType.CANCELLING: (Cancelled(message=gone), "is cancelled"),
        StateType.RUNNING: (Crashed(message="Its process is gone."), "has crashed")}
    wanted = {"flow_run_filter": FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=list(states)))),
              "work_pool_filter": WorkPoolFilter(name=WorkPoolFilterName(any_=[POOL]))}
    found = client.read_flow_runs(**wanted)
    if any(run.state_type != StateType.RUNNING for run in found):
        time.sleep(grace_s)
        found = client.read_flow_runs(**wanted)
    done = []
    for run in found:
        if run.state_type == StateType.RUNNING and has_process(str(run.id)):
            continue
        state, outcome = states[run.state_type]
        client.set_flow_run_state(run.id, state, force=True)
        done.append(f"{run.name} {outcome}")
    return done


def has_process(run_id: str) -> bool:
    """Return whether a process of this machine works on a run: Prefect sets the run's id in its environment and that of its children."""
    wanted = f"PREFECT__FLOW_RUN_ID={run_id}".encode()
    for file in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):  # it has ended, or is of another user
            if wanted in file.read_bytes().split(b"\0"):
                return True
    return False


def main() -> None:
    """Reschedule from the command line."""
    from prefect.client.orchestration import get_client

    with exit_with_code(), get_client(sync_client=True) as client:
        if done := reschedule(client):
            log(f"no worker is left for these runs: {', '.join(done)}")


if __name__ == "__main__":
    main()
