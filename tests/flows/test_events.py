"""Events that flows emit."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from flows import events
from flows.notify import NOTIFICATIONS


def test_an_event_names_its_artefact_and_masks_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    emitted: list[tuple[str, dict[str, Any]]] = []
    monkeypatch.setattr(events, "emit_prefect_event", lambda name, **fields: emitted.append((name, fields)))
    monkeypatch.setenv("SOME_TOKEN", "correct-horse")
    events.emit_event("promotion.done", "asr-pt-toy", "v0.1.0 by correct-horse", version="v0.1.0")
    (name, fields), = emitted
    assert name == "vizinho.promotion.done"
    assert fields["resource"] == {"prefect.resource.id": "vizinho.asr-pt-toy", "prefect.resource.name": "asr-pt-toy"}
    assert fields["payload"] == {"message": "v0.1.0 by ***", "version": "v0.1.0"} and fields["related"] == []


def test_every_notification_waits_for_events_that_exist() -> None:
    ours = {event for notification in NOTIFICATIONS for event in notification.events if event.startswith(f"{events.PREFIX}.")}
    assert ours == {f"vizinho.{name}" for name in get_args(events.Name)} - {"vizinho.verdict.promote", "vizinho.watch.retrain"}
