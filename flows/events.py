"""What a flow tells the world: events that automations turn into messages. Resource: `vizinho.ARTEFACT`."""

from __future__ import annotations

from typing import Any, Final, Literal

from prefect.events import emit_event
from prefect.runtime import flow_run

from flows.redaction import redact

Name = Literal["verdict.promote", "verdict.reject", "verdict.inconclusive", "approval.wanted", "approval.refused", "promotion.done", "rollback.done",
               "evaluation.regression", "watch.retrain"]
PREFIX: Final = "vizinho"


def tell(name: Name, artefact: str, message: str, /, **payload: Any) -> None:
    """Emit `vizinho.NAME`.

    Args:
        message: one line for people.
        payload: plain values for whoever acts on it.
    """
    run = {"prefect.resource.id": f"prefect.flow-run.{flow_run.id}", "prefect.resource.role": "flow-run", "prefect.resource.name": str(flow_run.name)}
    emit_event(f"{PREFIX}.{name}", resource={"prefect.resource.id": f"{PREFIX}.{artefact}", "prefect.resource.name": artefact},
               related=[run] if flow_run.id else [], payload={"message": redact(message), **payload})
