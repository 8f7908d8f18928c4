"""An earlier champion comes back."""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.states import Completed

from flows.events import tell
from flows.promote import show_record
from flows.runs import honest, run_name
from flows.workspace import registry_checkout
from pipeline.core.errors import ParamsError
from pipeline.registry import promotion


@flow(name="rollback", flow_run_name=run_name, persist_result=False, log_prints=True)
@honest
def rollback(version: str, by: str, reason: str) -> State[Any]:
    """Bring the model of an earlier promotion back as champion.

    Args:
        version: The version whose model comes back, such as v0.1.0.
        by: Who decides; it goes on record.
        reason: Why; it goes on record.
    """
    if empty := [name for name, value in (("version", version), ("by", by), ("reason", reason)) if not value.strip()]:
        raise ParamsError("rollback", [f"{name}: empty" for name in empty])
    with registry_checkout(get_run_logger().info) as root:
        record = promotion.rollback(root, version, by, reason)
    show_record(record)
    message = f"{record.artefact}: the model of {version} is back as {record.version} ({reason}), by {by}"
    tell("rollback.done", record.artefact, message, version=record.version, restores=version)
    return Completed(message=message, data={"version": record.version, "restores": version, "artefact": record.artefact})
