"""Notifications: Prefect automations that send a message to Slack, by e-mail or to a webhook. And the detection of zombie and stranded runs.

`VIZINHO_NOTIFY` names the receivers, separated by blanks. Each is one of

- a notification block on the server: `slack-webhook/team`, `sendgrid-email/on-call`, `custom-webhook/pager`
- an address in Apprise's form: `mailtos://user:password@example.org?to=ana@example.org`, `jsons://example.org/hook`,
  `https://hooks.slack.com/services/...`; it is stored encrypted in a block, and never shown again

Automations are identified by their names: a second registration updates them.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from prefect.automations import AutomationCore, ChangeFlowRunState, EventTrigger, Posture, ResourceSpecification, SendNotification
from prefect.blocks.notifications import SlackWebhook
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import StateType
from prefect.exceptions import ObjectNotFound
from pydantic import SecretStr

from pipeline.core.errors import ParamsError

TAG: Final = "vizinho"
"""Tag of every deployment in prefect.yaml: on a shared server it keeps the runs of other projects out."""

SILENT_S: Final = 100
"""A run without a heartbeat for this long is a zombie: it has missed three of them (flows/serve.py)."""

ZOMBIES: Final = "vizinho: zombie-run detection"

PENDING_S: Final = {"process": 300, "kubernetes": 2400}
"""A run that is Pending or Cancelling for this long has lost its worker, by the type of the work pool. A process starts and ends within seconds;
a pod may wait for a GPU, half an hour at most (flows/kubernetes.json)."""

STRANDED: Final = "vizinho: stranded-run detection"

UNCANCELLED: Final = "vizinho: unfinished-cancel detection"

MESSAGE = "{{ event.payload.message }}\n{{ flow_run|ui_url }}"


OURS: Final = ResourceSpecification({"prefect.resource.id": f"prefect.tag.{TAG}", "prefect.resource.role": "tag"})
"""Relates an event to a run of a deployment with `TAG`."""


@dataclass(frozen=True, slots=True)
class Notification:
    """A message and the events that trigger it.

    Args:
        name: of the automation.
        events: any of them triggers it.
        subject: of the message; a Jinja template with Prefect's `event` and `flow_run`.
        body: likewise.
        related: a resource that the event must be related to; None: any.
    """

    name: str
    events: frozenset[str]
    subject: str
    body: str = MESSAGE
    related: ResourceSpecification | None = None


NOTIFICATIONS: Final = (
    Notification("vizinho: run failed", frozenset(f"prefect.flow-run.{state}" for state in ("Failed", "Crashed", "TimedOut")),
                 "{{ flow_run.name }}: {{ flow_run.state.name }}", "{{ flow_run.state.message }}\n{{ flow_run|ui_url }}", OURS),
    Notification("vizinho: approval requested", frozenset({"vizinho.approval.requested"}), "{{ flow_run.name }}: approval requested"),
    Notification("vizinho: not promoted", frozenset({"vizinho.verdict.reject", "vizinho.verdict.inconclusive", "vizinho.approval.rejected"}),
                 "{{ flow_run.name }}: {{ event.event|replace('vizinho.', '')|replace('.', ' ') }}"),
    Notification("vizinho: new champion", frozenset({"vizinho.promotion.done", "vizinho.rollback.done"}),
                 "{{ event.resource.id|replace('vizinho.', '') }}: {{ event.event|replace('vizinho.', '')|replace('.done', '') }}"),
    Notification("vizinho: regression", frozenset({"vizinho.evaluation.regression"}), "{{ flow_run.name }}: regression"),
)


def automations(blocks: Sequence[Any], pending_s: float) -> list[AutomationCore]:
    """Return the automations: the notifications, if there are receivers, and the detection of zombie runs and stranded runs.

    Args:
        blocks: ids of the notification blocks.
        pending_s: seconds after which a run that is Pending or Cancelling is stranded.
    """
    notifications = [
        AutomationCore(
            name=notification.name,
            trigger=EventTrigger(
                expect=set(notification.events), posture=Posture.Reactive, threshold=1, within=timedelta(0), for_each={"prefect.resource.id"},
                match_related=notification.related or ResourceSpecification({}),
            ),
            actions=[SendNotification(block_document_id=block, subject=notification.subject, body=notification.body) for block in blocks],
        )
        for notification in NOTIFICATIONS
    ]
    # Any later event of the run stops the clock, its final one too: a run that is suspended until somebody approves sends no
    # heartbeat and is no zombie.
    zombies = AutomationCore(
        name=ZOMBIES,
        trigger=EventTrigger(
            after={"prefect.flow-run.heartbeat"}, expect={"prefect.flow-run.*"}, posture=Posture.Proactive, threshold=1,
            within=timedelta(seconds=SILENT_S), match=ResourceSpecification({"prefect.resource.id": ["prefect.flow-run.*"]}),
            for_each={"prefect.resource.id"},
        ),
        actions=[ChangeFlowRunState(name=None, state=StateType.CRASHED, force=False,
                                    message=f"No heartbeat for {SILENT_S} s: its process or machine is gone.")],
    )
    # A worker sets a run to Pending, then starts its process; it ends the process of a run that is Cancelling. A worker that is gone does
    # neither, and the run would hold its place in the work queue. Heartbeats may still arrive from a run that is Cancelling, and the server
    # lets it become Cancelled only.
    any_event, ends = {"prefect.flow-run.*"}, {f"prefect.flow-run.{state}" for state in ("Cancelled", "Crashed", "Failed", "Completed")}
    stranded, uncancelled = (
        AutomationCore(
            name=name,
            trigger=EventTrigger(
                after={f"prefect.flow-run.{state}" for state in states}, expect=expected, posture=Posture.Proactive, threshold=1,
                within=timedelta(seconds=pending_s), match=ResourceSpecification({"prefect.resource.id": ["prefect.flow-run.*"]}),
                match_related=OURS, for_each={"prefect.resource.id"},
            ),
            actions=[ChangeFlowRunState(name=None, state=outcome, force=False, message=message)],
        )
        for name, states, expected, outcome, message in (
            (STRANDED, ("Pending", "Submitting", "InfrastructurePending"), any_event, StateType.CRASHED,
             f"Not started within {pending_s:g} s: the worker that took it is gone. Retry starts it on any worker."),
            (UNCANCELLED, ("Cancelling",), ends, StateType.CANCELLED, f"Not ended within {pending_s:g} s: its worker is gone."),
        )
    )
    return [*(notifications if blocks else ()), zombies, stranded, uncancelled]


def register(client: SyncPrefectClient, pool_type: str = "process", receivers: str | None = None) -> list[str]:
    """Create or update the automations on the server and return their names.

    Args:
        client: of the server.
        pool_type: of the work pool: "process" or "kubernetes".
        receivers: in the form of `VIZINHO_NOTIFY`, which is the default; empty: no notifications.

    Raises:
        ParamsError: a block that the server lacks, or an address that Apprise cannot parse.
    """
    named = (os.environ.get("VIZINHO_NOTIFY", "") if receivers is None else receivers).split()
    expected = automations(_blocks(client, named), PENDING_S[pool_type])
    existing = {found.name: found for found in client.read_automations()}
    for automation in expected:
        if automation.name in existing:
            client.update_automation(existing[automation.name].id, automation)
        else:
            client.create_automation(automation)
    for notification in NOTIFICATIONS:
        if not named and notification.name in existing:
            client.delete_automation(existing[notification.name].id)
    return [automation.name for automation in expected]


def _blocks(client: SyncPrefectClient, receivers: Sequence[str]) -> list[Any]:
    """Return the ids of the receivers' notification blocks."""
    from apprise import Apprise

    found, problems = [], []
    for number, receiver in enumerate(receivers, 1):
        if "://" in receiver:
            scheme = receiver.partition("://")[0]
            if Apprise.instantiate(receiver) is None:
                problems.append(f"receiver {number}, {scheme}://...: no address that Apprise can parse")
            else:
                # Prefect has no block for mail and other schemes: this one passes any address that is no Slack hook on to Apprise.
                found.append(SlackWebhook(url=SecretStr(receiver)).save(f"vizinho-notify-{number}", overwrite=True))
        else:
            kind, _, name = receiver.partition("/")
            try:
                found.append(client.read_block_document_by_name(name, kind).id)
            except ObjectNotFound:
                problems.append(f"{receiver}: no such block on the server; expected TYPE/NAME as `prefect block ls` shows it")
    if problems:
        raise ParamsError("VIZINHO_NOTIFY", problems)
    return found
