"""The events that flows emit and that automations turn into notifications. Resource: `vizinho.ARTEFACT`."""

from __future__ import annotations

from typing import Any, Final, Literal

from prefect.events import emit_event as emit_prefect_event
from prefect.runtime import flow_run

from flows.redaction import redact

Name = Literal["verdict.promote", "verdict.reject", "verdict.inconclusive", "approval.requested", "approval.rejected", "promotion.done",
               "rollback.done", "evaluation.regression", "watch.retrain"]
PREFIX: Final = "vizinho"


def emit_event(name: Name, artefact: str, message: str, /, **payload: Any) -> None:
    """Emit the event `vizinho.NAME`, related to the present flow run.

    Args:
        name: kind of the event, without the prefix.
        artefact: name of the model in the registry.
        message: one line for people; secrets are masked.
        payload: plain values for programs.
    """
    run = {"prefect.resource.id": f"prefect.flow-run.{flow_run.id}", "prefect.resource.role": "flow-run", "prefect.resource.name": str(flow_run.name)}
    emit_prefect_event(f"{PREFIX}.{name}", resource={"prefect.resource.id": f"{PREFIX}.{artefact}", "prefect.resource.name": artefact},
                       related=[run] if flow_run.id else [], payload={"message": redact(message), **payload})
