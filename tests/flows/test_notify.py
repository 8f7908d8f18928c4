"""Notifications arrive at a real webhook and a real mailbox, from a real server; zombie runs are detected."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from flows import notify
from tests.flows.receivers import mailbox, webhook
from tests.flows.service import Service, prepare, running, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(prepare(tmp_path_factory.mktemp("notify") / "service"), worker=False) as started:
        yield started


def flow_run(service: Service, name: str, tags: tuple[str, ...] = (notify.TAG,)) -> str:
    """Return a flow run on the server, as created by a process elsewhere."""
    flow = service.post("/flows/", {"name": "retrain"})["id"]
    run = {"flow_id": flow, "name": name, "tags": list(tags), "state": {"type": "RUNNING", "name": "Running"}}
    return str(service.post("/flow_runs/", run)["id"])


def set_state(service: Service, run: str, kind: str, name: str, message: str = "") -> None:
    answer = service.post(f"/flow_runs/{run}/set_state", {"state": {"type": kind, "name": name, "message": message}, "force": True})
    assert answer["status"] == "ACCEPT", answer


def emit(service: Service, event: str, run: str, resource: str = "vizinho.asr-pt-embedded", **payload: Any) -> None:
    service.post("/events", [{
        "event": event, "id": str(uuid.uuid4()), "occurred": datetime.now(UTC).isoformat(), "resource": {"prefect.resource.id": resource},
        "payload": payload, "related": [{"prefect.resource.id": f"prefect.flow-run.{run}", "prefect.resource.role": "flow-run"}],
    }])


def test_failures_verdicts_approvals_and_promotions_are_notified_once_each(service: Service) -> None:
    with webhook() as (port, hooked), mailbox() as (mail_port, mailed), webhook() as (own_port, own):
        custom = service.get("/block_types/slug/custom-webhook")["id"]
        schema = service.post("/block_schemas/filter", {"block_schemas": {"block_type_id": {"any_": [custom]}}})[0]["id"]
        service.post("/block_documents/", {"name": "pager", "block_type_id": custom, "block_schema_id": schema, "data": {
            "name": "pager", "url": f"http://127.0.0.1:{own_port}/{{{{token}}}}", "json_data": {"title": "{{subject}}", "message": "{{body}}"},
            "secrets": {"token": "s3cret-of-the-pager"}}})
        where = (f"json://127.0.0.1:{port}/hook mailto://127.0.0.1:{mail_port}?from=vizinho@example.org&to=ana@example.org&mode=insecure "
                 "custom-webhook/pager")
        service.register(VIZINHO_NOTIFY=where)
        names = [found["name"] for found in service.post("/automations/filter", {})]
        service.register(VIZINHO_NOTIFY=where)
        again = [found["name"] for found in service.post("/automations/filter", {})]
        expected_names = [*(notification.name for notification in notify.NOTIFICATIONS), notify.ZOMBIES, notify.STRANDED, notify.UNCANCELLED]
        assert sorted(names) == sorted(again) == sorted(expected_names)
        time.sleep(3)  # the server reloads changed automations periodically

        run = flow_run(service, "embedded 2026-11-24")
        set_state(service, run, "FAILED", "Failed", "train@transfer failed: non-finite loss")
        set_state(service, flow_run(service, "of another team", tags=()), "FAILED", "Failed", "not one of ours")
        emit(service, "vizinho.approval.requested", run, message="transfer, WER 37.3 %, replaces v0.1.0?")
        emit(service, "vizinho.verdict.reject", run, message="improvement: 0.4 points")
        emit(service, "vizinho.promotion.done", run, message="v0.2.0 replaces v0.1.0")
        emit(service, "vizinho.evaluation.regression", run, message="WER 52.0 %")
        emit(service, "vizinho.watch.retrain", run, message="3 new hours")  # its run is notified when it ends
        expected = {
            "embedded 2026-11-24: Failed": ("non-finite loss", f"/runs/flow-run/{run}"),
            "embedded 2026-11-24: approval requested": ("transfer, WER 37.3 %, replaces v0.1.0?", f"/runs/flow-run/{run}"),
            "embedded 2026-11-24: verdict reject": ("improvement: 0.4 points",),
            "asr-pt-embedded: promotion": ("v0.2.0 replaces v0.1.0",),
            "embedded 2026-11-24: regression": ("WER 52.0 %",),
        }
        for got in (lambda: {sent["title"]: sent["message"] for sent in hooked}, lambda: dict(mailed),
                    lambda: {sent["title"]: sent["message"] for sent in own}):
            until(lambda got=got: len(got()) >= len(expected), 60, lambda got=got: str(got()))
        time.sleep(2)
        for titles in ([sent["title"] for sent in hooked], [subject for subject, _ in mailed], [sent["title"] for sent in own]):
            assert sorted(titles) == sorted(expected), "each once, and no other"
        for title, parts in expected.items():
            for text in ({sent["title"]: sent["message"] for sent in hooked}[title], dict(mailed)[title]):
                assert all(part in text for part in parts), text


def test_a_wrong_address_or_block_is_named_without_its_secret(service: Service) -> None:
    with pytest.raises(AssertionError) as raised:
        service.register(VIZINHO_NOTIFY="nonsense://user:s3cret@example.org slack-webhook/nobody")
    text = str(raised.value)
    assert "2 problems" in text
    assert "receiver 1, nonsense://...: no address that Apprise can parse" in text
    assert "slack-webhook/nobody: no such block on the server" in text
    assert "s3cret" not in text


def test_a_zombie_run_is_crashed_and_a_suspended_one_is_not(service: Service) -> None:
    service.register()
    names = [found["name"] for found in service.post("/automations/filter", {})]
    assert sorted(names) == sorted([notify.ZOMBIES, notify.STRANDED, notify.UNCANCELLED]), "there are no receivers"
    time.sleep(3)
    dead, waiting, busy = (flow_run(service, name) for name in ("dead", "waiting", "busy"))
    for run in (dead, waiting, busy):
        emit(service, "prefect.flow-run.heartbeat", run, f"prefect.flow-run.{run}")
    time.sleep(5)  # the server processes events one by one, not always in order
    set_state(service, waiting, "PAUSED", "Suspended")
    began = time.monotonic()

    def found() -> bool:
        if int(time.monotonic() - began) % 20 == 0:
            emit(service, "prefect.flow-run.heartbeat", busy, f"prefect.flow-run.{busy}")
        return service.state(dead)["type"] == "CRASHED"

    until(found, notify.SILENT_S + 60)
    assert time.monotonic() - began > notify.SILENT_S - 5
    assert "No heartbeat" in service.state(dead)["message"]
    time.sleep(10)
    assert service.state(waiting)["name"] == "Suspended"
    assert service.state(busy)["name"] == "Running"
