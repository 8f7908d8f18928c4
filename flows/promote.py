"""The challenger of a run becomes champion: at once, or when somebody has said yes.

A yes binds to the run's commit, its verdict and the champion that was in use (`pipeline.registry.promotion.Approval`):
the question's key is made of them, so that a question about anything else is a new one.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.context import FlowRunContext
from prefect.exceptions import FlowPauseTimeout
from prefect.flow_runs import pause_flow_run, suspend_flow_run
from prefect.input import RunInput
from prefect.logging import get_run_logger
from prefect.runtime import deployment, flow_run
from prefect.states import Completed
from pydantic import Field

from flows.artifacts import verdict_rows
from flows.events import tell
from flows.runs import honest, run_name
from flows.workspace import registry_checkout
from pipeline.core.errors import MissingInputError, ParamsError, PromotionError
from pipeline.core.files import hash_json
from pipeline.registry import promotion
from pipeline.registry.git import resolves
from pipeline.registry.markdown import markdown_table
from pipeline.registry.promotion import Approval, Candidate
from pipeline.registry.record import Record, champion

Policy = Literal["auto", "approve", "never"]
POLICY: Final = "policy auto"


class Answer(RunInput):
    """What the form asks for."""

    decision: Literal["promote", "leave"] = Field(description="promote: the challenger becomes champion. leave: the champion stays.")
    by: str = Field(min_length=1, description="Who decides; it goes on record.")
    reason: str = Field(min_length=1, description="Why; it goes on record.")


@flow(name="promote", flow_run_name=run_name, persist_result=False, log_prints=True)
@honest
def promote(run: str, ask: bool = True, by: str | None = None, reason: str | None = None, override: str | None = None,
            approval_hours: float = 72.0) -> State[Any]:
    """Make the challenger of a finished run the champion.

    Args:
        run: Branch or commit of the run, such as retrain/2026-11-24-1a2b3c4d.
        ask: Suspend, and show a form with the verdict to whoever decides. Otherwise starting this flow is the yes, and by and reason say whose.
        by: Who decides, where nobody is asked.
        reason: Why, where nobody is asked.
        override: Why it is promoted in spite of a verdict that is not promote; empty where it is.
        approval_hours: Hours for the answer; after them the run fails and the champion stays.
    """
    if not ask and not (by and by.strip() and reason and reason.strip()):
        raise ParamsError("promote", ["by, reason: empty; expected who decides and why, as ask is off"])
    with registry_checkout(get_run_logger().info) as root:
        commit = resolves(root, f"refs/remotes/origin/{run}") or resolves(root, run)
    if commit is None:
        raise MissingInputError(f"run {run}", "no such branch or commit on the Git remote", "a run that was pushed", "look at its artifacts")
    return settle(commit, "approve" if ask else "auto", approval_hours, by or POLICY, reason, override or None)


def settle(commit: str, policy: Policy, approval_hours: float, by: str = POLICY, reason: str | None = None,
           override: str | None = None) -> State[Any]:
    """Promote the run at `commit`, ask, or stop, as the policy says; return how the flow ends.

    Raises:
        PromotionError: another promotion came first, or what was approved has moved.
    """
    said = get_run_logger().info
    with registry_checkout(said) as root:
        candidate = promotion.ask(root, commit)
        in_use, replaced = champion(root)
        done = replaced if replaced and replaced.commit == commit else None
        current = promotion.faces(candidate, in_use, replaced)
    verdict = candidate.verdict["verdict"]
    outcome = {"commit": commit, "artefact": candidate.artefact, "verdict": verdict, "promoted": done.version if done else None}
    if done:
        return _ended(f"{done.version} is in use already", outcome)
    if policy == "never":
        return _ended(f"{verdict}: {sentence(candidate)}", outcome)
    if verdict != "promote" and not override:
        return _ended(f"{verdict}, the champion stays: {sentence(candidate)}", outcome)
    if not current:
        raise PromotionError(f"verdict at {commit[:9]}", f"it compares with {candidate.verdict['champion']['model']}",
                             f"{replaced.version if replaced else in_use}, the champion by now", "retrain, so that the challenger meets it")
    if policy == "approve":
        answer = wanted(candidate, approval_hours)
        by, reason = answer.by, answer.reason
        if answer.decision == "leave":
            tell("approval.refused", candidate.artefact, f"{sentence(candidate)}: refused by {by} ({reason})", **outcome)
            return _ended(f"refused by {by}: {reason}; the champion stays", outcome, "Refused")
    with registry_checkout(said) as root:
        record = promotion.promote(root, candidate.approval, by, override, reason)
    show_record(record)
    tell("promotion.done", record.artefact, f"{record.artefact} {record.version} is the champion: {sentence(candidate)}; by {by}",
         **{**outcome, "promoted": record.version})
    return _ended(f"{record.version} is the champion: {sentence(candidate)}", {**outcome, "promoted": record.version})


def wanted(candidate: Candidate, hours: float) -> Answer:
    """Return the answer to the question whether to promote.

    A deployed run ends here and starts again from the top with the answer; another waits in its process. Without an
    answer in time the server ends either as Failed ("paused and never resumed"); the champion stays.

    Raises:
        PromotionError: there was no answer in time.
    """
    key = key_of(candidate.approval)
    context = FlowRunContext.get()
    asked = context.flow_run.empirical_policy.pause_keys if context and context.flow_run else None
    if key not in (asked or set()):
        tell("approval.wanted", candidate.artefact, f"Promote? {sentence(candidate)}", commit=candidate.approval.commit,
             flow_run=str(flow_run.id), champion=candidate.approval.champion)
    form = Answer.with_initial_data(description=question(candidate))
    halt = suspend_flow_run if deployment.id else pause_flow_run
    try:
        return halt(wait_for_input=form, timeout=round(hours * 3600), key=key)
    except FlowPauseTimeout:
        raise PromotionError(f"run {candidate.approval.commit[:9]}", f"no answer in {hours:g} hours", "a yes or a no",
                             "the champion stays; start promote to ask again") from None


def key_of(approval: Approval) -> str:
    """Return the name of the question about exactly this run, verdict and champion."""
    return hash_json([approval.commit, approval.verdict, approval.champion])[:24]


def sentence(candidate: Candidate) -> str:
    """Return what a promotion would change, in a line."""
    challenger, rival = candidate.verdict["challenger"], candidate.verdict["champion"]
    return (f"{candidate.artefact}, {challenger['system']} of run {candidate.approval.commit[:9]}: WER {100 * rival['wer']:.1f} % → "
            f"{100 * challenger['wer']:.1f} %")


def question(candidate: Candidate) -> str:
    """Return the form's text: what is asked, and the verdict's table."""
    approval = candidate.approval
    return "\n\n".join([
        f"**{sentence(candidate)}**",
        f"In place of {approval.champion or 'the donor of day one'}. Verdict: **{candidate.verdict['verdict']}**, SHA-256 `{approval.verdict[:12]}`, "
        f"commit `{approval.commit}`. The answer counts for these alone.",
        markdown_table(verdict_rows(candidate.verdict)),
    ])


def show_record(record: Record) -> None:
    """Show a promotion record as an artifact: the audit trail beside the log."""
    leave = record.leave
    rows = [{"": name, "record": value} for name, value in {
        "version": record.version, "in place of": record.replaces or "the donor of day one", "model of": record.restores or f"run {record.commit}",
        "by": leave.by, "reason": leave.reason or "–", "override": leave.override or "–",
        "verdict": f"{record.verdict.verdict}, SHA-256 {record.verdict.hash[:12]}, gate {record.verdict.gates} of its period",
        "measured": f"WER {100 * record.verdict.wer:.2f} %, CER {100 * record.verdict.cer:.2f} %, test set {record.test_set[:12]}",
        "weights": record.model.weights_hash, "at": record.promoted_at.isoformat()}.items()]
    create_markdown_artifact(markdown_table(rows), key=f"{record.artefact}-promotion", description=f"{record.artefact} {record.version}")


def _ended(message: str, outcome: dict[str, Any], name: str = "Completed") -> State[Any]:
    get_run_logger().info(message)
    return Completed(name=name, message=message, data=outcome)
