"""An earlier champion becomes the champion again."""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.states import Completed

from flows.events import emit_event
from flows.promote import publish_record
from flows.runs import fail_with_message, run_name
from flows.workspace import registry_checkout
from pipeline.core.errors import ParamsError
from pipeline.registry import promotion


@flow(name="rollback", flow_run_name=run_name, persist_result=False, log_prints=True)
@fail_with_message
def rollback(version: str, by: str, reason: str) -> State[Any]:
    """Make the model of an earlier promotion the champion again.

    Args:
        version: The version whose model becomes the champion again, such as v0.1.0; day-one for the first donor.
        by: Who decides, such as a name. Recorded.
        reason: Why the earlier model is needed. Recorded.

    Raises:
        ParamsError: a field is empty.
    """
    if empty := [name for name, value in (("version", version), ("by", by), ("reason", reason)) if not value.strip()]:
        raise ParamsError("rollback", [f"{name}: empty" for name in empty])
    with registry_checkout(get_run_logger().info) as root:
        record = promotion.rollback(root, version, by, reason)
    publish_record(record)
    message = f"{record.artefact}: {record.version} restores the model of {version} ({reason}), decided by {by}"
    emit_event("rollback.done", record.artefact, message, version=record.version, restores=version)
    return Completed(message=message, data={"version": record.version, "restores": version, "artefact": record.artefact})
