"""The challenger of a run becomes the champion: at once, or after somebody has approved it.

An approval holds for the run commit, its verdict and the champion at that time (`pipeline.registry.promotion.ApprovalRequest`). The key
of the approval request is made of the three, so that any change leads to a new request.
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
from flows.events import emit_event
from flows.runs import fail_with_message, run_name
from flows.workspace import registry_checkout
from pipeline.core.errors import MissingInputError, ParamsError, PromotionError
from pipeline.core.files import hash_json
from pipeline.registry import promotion
from pipeline.registry.clone import check_signing
from pipeline.registry.git import resolves
from pipeline.registry.markdown import markdown_table
from pipeline.registry.promotion import ApprovalRequest, Candidate
from pipeline.registry.record import Record, champion

Policy = Literal["auto", "approve", "never"]
POLICY: Final = "policy auto"
"""Who decides without an approval request, as recorded."""


class Answer(RunInput):
    """The fields of the approval form."""

    decision: Literal["approve", "reject"] = Field(
        description="approve: the challenger becomes the champion. reject: the present champion stays in use.")
    by: str = Field(min_length=1, description="Who decides, such as your name. Recorded.")
    reason: str = Field(min_length=1, description="Why you approve or reject. Recorded.")


@flow(name="promote", flow_run_name=run_name, persist_result=False, log_prints=True)
@fail_with_message
def promote(run: str, require_approval: bool = True, by: str | None = None, reason: str | None = None, override: str | None = None,
            approval_hours: float = 72.0) -> State[Any]:
    """Make the challenger of a finished run the champion.

    Args:
        run: Branch or commit of the run, such as retrain/2026-11-24-1a2b3c4d.
        require_approval: Wait for an approval in a form that shows the verdict. If off, whoever starts this flow approves: fill in by and reason.
        by: Who approves, if require_approval is off. Recorded.
        reason: Why, if require_approval is off. Recorded.
        override: Reason for promoting despite an objection, such as a verdict of reject or inconclusive. Leave empty otherwise.
        approval_hours: Hours to wait for the approval. After them the run fails and the champion stays in use.

    Raises:
        ParamsError: by or reason is missing.
        MissingInputError: there is no such run.
    """
    if not require_approval and not (by and by.strip() and reason and reason.strip()):
        raise ParamsError("promote", ["by, reason: empty; required, because require_approval is off"])
    with registry_checkout(get_run_logger().info) as root:
        commit = resolves(root, f"refs/remotes/origin/{run}") or resolves(root, run)
    if commit is None:
        raise MissingInputError(f"run {run}", "no such branch or commit on the Git remote", "a run that was pushed", "see the run's artifacts")
    return apply_policy(commit, "approve" if require_approval else "auto", approval_hours, by or POLICY, reason, override or None)


def apply_policy(commit: str, policy: Policy, approval_hours: float, by: str = POLICY, reason: str | None = None,
                 override: str | None = None) -> State[Any]:
    """Promote the run at `commit`, request an approval or stop, according to the policy; return how the flow ends.

    Args:
        commit: the run commit.
        policy: "auto", "approve" or "never".
        approval_hours: hours to wait for an approval.
        by: who decides, if no approval is requested.
        reason: why, if no approval is requested.
        override: reason for promoting despite an objection, such as a verdict of reject or inconclusive.

    Raises:
        PromotionError: another promotion came first, or the approved facts have changed.
        PipelineError: git cannot sign as its configuration demands, and nobody is asked.
    """
    log = get_run_logger().info
    with registry_checkout(log) as root:
        candidate = promotion.read_candidate(root, commit)
        in_use, replaced = champion(root)
        done = replaced if replaced and replaced.commit == commit else None
        current = promotion.compares_with_champion(candidate, in_use, replaced)
    verdict = candidate.verdict["verdict"]
    outcome = {"commit": commit, "artefact": candidate.artefact, "verdict": verdict, "promoted": done.version if done else None}
    if done:
        return _completed(f"{done.version} is already the champion", outcome)
    if policy == "never":
        return _completed(f"{verdict}: {summary(candidate)}", outcome)
    if verdict != "promote" and not override:
        return _completed(f"{verdict}, the champion stays: {summary(candidate)}", outcome)
    if not current:
        raise PromotionError(f"verdict at {commit[:9]}", f"it compares with {candidate.verdict['champion']['model']}",
                             f"{replaced.version if replaced else in_use}, the present champion", "retrain, to compare the challenger with it")
    with registry_checkout(log) as root:
        check_signing(root)
    if policy == "approve":
        answer = request_approval(candidate, approval_hours, override)
        by, reason = answer.by, answer.reason
        if answer.decision == "reject":
            emit_event("approval.rejected", candidate.artefact, f"{summary(candidate)}: rejected by {by} ({reason})", **outcome)
            return _completed(f"rejected by {by}: {reason}; the champion stays", outcome, "Rejected")
    with registry_checkout(log) as root:
        record = promotion.promote(root, candidate.request, by, override, reason)
    publish_record(record)
    outcome["promoted"] = record.version
    message = f"{record.version} is the champion: {summary(candidate)}"
    emit_event("promotion.done", record.artefact, f"{record.artefact} {message}; approved by {by}", **outcome)
    return _completed(message, outcome)


def request_approval(candidate: Candidate, hours: float, override: str | None) -> Answer:
    """Return the answer to an approval request.

    A deployed flow run is suspended: it ends here and starts again from the top with the answer. Any other flow run waits in its process.
    Without an answer in time the server ends it as *Failed* ("paused and never resumed") and the champion stays.

    Args:
        candidate: what is to be approved.
        hours: to wait.
        override: reason for promoting despite an objection, such as a verdict of reject or inconclusive, shown in the form.

    Raises:
        PromotionError: there was no answer in time.
    """
    key = request_key(candidate.request)
    context = FlowRunContext.get()
    requested = context.flow_run.empirical_policy.pause_keys if context and context.flow_run else None
    if key not in (requested or set()):
        emit_event("approval.requested", candidate.artefact, f"Promote? {summary(candidate)}", commit=candidate.request.commit,
                   flow_run=str(flow_run.id), champion=candidate.request.champion)
    form = Answer.with_initial_data(description=request_text(candidate, override))
    halt = suspend_flow_run if deployment.id else pause_flow_run
    try:
        return halt(wait_for_input=form, timeout=round(hours * 3600), key=key)
    except FlowPauseTimeout:
        raise PromotionError(f"run {candidate.request.commit[:9]}", f"no answer in {hours:g} hours", "approve or reject",
                             "the champion stays; start promote to request an approval again") from None


def request_key(request: ApprovalRequest) -> str:
    """Return the key of the approval request for exactly this run, verdict and champion."""
    return hash_json([request.commit, request.verdict, request.champion])[:24]


def summary(candidate: Candidate) -> str:
    """Return in one line what a promotion would change: model, run and WER."""
    challenger, rival = candidate.verdict["challenger"], candidate.verdict["champion"]
    return (f"{candidate.artefact}, {challenger['system']} of run {candidate.request.commit[:9]}: WER {100 * rival['wer']:.1f} % → "
            f"{100 * challenger['wer']:.1f} %")


def request_text(candidate: Candidate, override: str | None = None) -> str:
    """Return the text of the approval form: the change, a requested override, and the verdict's table."""
    request = candidate.request
    return "\n\n".join([
        f"**{summary(candidate)}**",
        f"Replaces {request.champion or 'the donor of day one'}. Verdict: **{candidate.verdict['verdict']}**, SHA-256 `{request.verdict[:12]}`, "
        f"commit `{request.commit}`. If the run, the verdict or the champion changes, you are asked again.",
        *([f"**Override requested: the verdict is not promote.** Reason: {override}"] if override else []),
        markdown_table(verdict_rows(candidate.verdict)),
    ])


def publish_record(record: Record) -> None:
    """Publish a promotion record as an artifact."""
    approval = record.approval
    rows = [{"": name, "record": value} for name, value in {
        "version": record.version, "replaces": record.replaces or "the donor of day one",
        "model": f"of {record.restores}" if record.restores else f"of run {record.commit}",
        "approved by": approval.by, "reason": approval.reason or "–", "override": approval.override or "–",
        "verdict": f"{record.verdict.verdict or 'none on this model'}, SHA-256 {record.verdict.hash[:12]}, gate {record.verdict.gates} since the "
                   "last promotion",
        "measured": f"WER {100 * record.verdict.wer:.2f} %, CER {100 * record.verdict.cer:.2f} %, test set {record.test_set[:12]}",
        "weights": record.model.weights_hash, "promoted at": record.promoted_at.isoformat()}.items()]
    create_markdown_artifact(markdown_table(rows), key=f"{record.artefact}-promotion", description=f"{record.artefact} {record.version}")


def _completed(message: str, outcome: dict[str, Any], name: str = "Completed") -> State[Any]:
    get_run_logger().info(message)
    return Completed(name=name, message=message, data=outcome)
