"""Who is told what: Prefect automations that write to Slack, by e-mail or to a webhook, and the one that ends dead runs.

Where to is `VIZINHO_NOTIFY`, words between blanks, each one of

- a notification block that is saved on the server: `slack-webhook/team`, `sendgrid-email/on-call`, `custom-webhook/pager`
- an address in Apprise's form: `mailtos://user:password@example.org?to=ana@example.org`, `jsons://example.org/hook`,
  `https://hooks.slack.com/services/...`; it is kept in a block of its own, encrypted, and never shown again

Automations are known by their names: a second call changes them in place.
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
"""Tag of every deployment in prefect.yaml: on a shared server nobody hears of other people's runs."""

SILENT_S: Final = 100
"""A run that sends no heartbeat for so long is dead: three of them (flows/serve.py) are missing."""

MESSAGE = "{{ event.payload.message }}\n{{ flow_run|ui_url }}"


@dataclass(frozen=True, slots=True)
class Notice:
    """What is told.

    Args:
        events: by which it is told.
        subject, body: Jinja, with Prefect's `event` and `flow_run`.
        related: what the event has to do with; None: its name says enough.
    """

    name: str
    events: frozenset[str]
    subject: str
    body: str = MESSAGE
    related: ResourceSpecification | None = None


NOTICES: Final = (
    Notice("vizinho: a run failed", frozenset(f"prefect.flow-run.{state}" for state in ("Failed", "Crashed", "TimedOut")),
           "{{ flow_run.name }}: {{ flow_run.state.name }}", "{{ flow_run.state.message }}\n{{ flow_run|ui_url }}",
           ResourceSpecification({"prefect.resource.id": f"prefect.tag.{TAG}", "prefect.resource.role": "tag"})),
    Notice("vizinho: approval wanted", frozenset({"vizinho.approval.wanted"}), "{{ flow_run.name }}: approval wanted"),
    Notice("vizinho: not promoted", frozenset({"vizinho.verdict.reject", "vizinho.verdict.inconclusive", "vizinho.approval.refused"}),
           "{{ flow_run.name }}: {{ event.event|replace('vizinho.', '')|replace('.', ' ') }}"),
    Notice("vizinho: new champion", frozenset({"vizinho.promotion.done", "vizinho.rollback.done"}),
           "{{ event.resource.id|replace('vizinho.', '') }}: {{ event.event|replace('vizinho.', '')|replace('.done', '') }}"),
    Notice("vizinho: the champion got worse", frozenset({"vizinho.evaluation.regression"}), "{{ flow_run.name }}: regression"),
)


def automations(blocks: Sequence[Any]) -> list[AutomationCore]:
    """Return the automations: what is told to each of the notification blocks (their ids), and the end of dead runs."""
    told = [
        AutomationCore(
            name=notice.name,
            trigger=EventTrigger(
                expect=set(notice.events), posture=Posture.Reactive, threshold=1, within=timedelta(0), for_each={"prefect.resource.id"},
                match_related=notice.related or ResourceSpecification({}),
            ),
            actions=[SendNotification(block_document_id=block, subject=notice.subject, body=notice.body) for block in blocks],
        )
        for notice in NOTICES
    ]
    # Any event of the run counts as a sign of life, its last one too: a run that is suspended until somebody approves
    # sends no heartbeat and is not dead.
    zombies = AutomationCore(
        name="vizinho: crash zombie flows",
        trigger=EventTrigger(
            after={"prefect.flow-run.heartbeat"}, expect={"prefect.flow-run.*"}, posture=Posture.Proactive, threshold=1,
            within=timedelta(seconds=SILENT_S), match=ResourceSpecification({"prefect.resource.id": ["prefect.flow-run.*"]}),
            for_each={"prefect.resource.id"},
        ),
        actions=[ChangeFlowRunState(name=None, state=StateType.CRASHED, force=False,
                                    message=f"No heartbeat for {SILENT_S} s: its process or machine is gone.")],
    )
    return [*(told if blocks else ()), zombies]


def register(client: SyncPrefectClient, where: str | None = None) -> list[str]:
    """Create or change the automations on the server; return their names.

    Args:
        where: as `VIZINHO_NOTIFY`, which is the default; nothing: only dead runs are looked for.

    Raises:
        ParamsError: a block that is not there, or an address that nothing understands.
    """
    words = (os.environ.get("VIZINHO_NOTIFY", "") if where is None else where).split()
    wanted = automations(_blocks(client, words))
    there = {found.name: found for found in client.read_automations()}
    for automation in wanted:
        if automation.name in there:
            client.update_automation(there[automation.name].id, automation)
        else:
            client.create_automation(automation)
    for notice in NOTICES:
        if not words and notice.name in there:
            client.delete_automation(there[notice.name].id)
    return [automation.name for automation in wanted]


def _blocks(client: SyncPrefectClient, words: Sequence[str]) -> list[Any]:
    """Return the ids of the notification blocks."""
    from apprise import Apprise

    found, problems = [], []
    for number, word in enumerate(words, 1):
        if "://" in word:
            scheme = word.partition("://")[0]
            if Apprise.instantiate(word) is None:
                problems.append(f"word {number}, {scheme}://...: no address that Apprise understands")
            else:
                # Prefect has no block of its own for mail and the rest: this one hands what is no Slack hook on to Apprise.
                found.append(SlackWebhook(url=SecretStr(word)).save(f"vizinho-notify-{number}", overwrite=True))
        else:
            kind, _, name = word.partition("/")
            try:
                found.append(client.read_block_document_by_name(name, kind).id)
            except ObjectNotFound:
                problems.append(f"{word}: no such block on the server; expected TYPE/NAME as `prefect block ls` shows it")
    if problems:
        raise ParamsError("VIZINHO_NOTIFY", problems)
    return found
