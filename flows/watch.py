"""Check whether there is a reason to retrain (new utterances, drift, age). Start `retrain` if there is; report why not otherwise.

Imported corpora are updated and processed up to their splits. That costs little compared with a training, and the retraining finds
the results in DVC's cache. New utterances are those that the last run of the same artefact lacks, whatever its verdict.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import pandas as pd
import yaml
from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterId,
    FlowRunFilter,
    FlowRunFilterIdempotencyKey,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import State, StateType
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound
from prefect.logging import get_run_logger
from prefect.states import Completed

from flows import runs
from flows.drift import Drift, drifts
from flows.events import emit_event
from flows.graph import base, read_graph, stages_of
from flows.promote import Policy
from flows.retrain import EMBEDDED, apply_profile, imported_pointers, pull, update
from flows.runs import fail_with_message, require_success
from flows.stages import THREADS, check_requirements, run_stages
from flows.workspace import Workspace, machine_lock, workspace
from pipeline.core.errors import MissingInputError, PipelineError
from pipeline.core.files import hash_file, hash_json, read_table
from pipeline.core.params import load_section
from pipeline.registry.git import git_bytes
from pipeline.registry.markdown import markdown_table
from pipeline.registry.record import Registry

LANGUAGE: Final = "portuguese"
SPLIT: Final = f"split@{LANGUAGE}"
MANIFESTS: Final = f"data/normalise/{LANGUAGE}"
TRAIN: Final = f"data/split/{LANGUAGE}/train.parquet"
COLUMNS: Final = ["utterance_id", "duration_s", "snr_db", "locale", "text", "keep"]


@dataclass(frozen=True, slots=True)
class NewData:
    """What is new since the last run.

    Args:
        last: branch of the last run.
        utterances: number of new utterances.
        hours: of new speech.
        age_days: since the last run.
        drifts: distances of the new utterances from the last run's training set.
    """

    last: str
    utterances: int
    hours: float
    age_days: float
    drifts: tuple[Drift, ...]


@flow(name="watch", flow_run_name=runs.run_name, persist_result=False, log_prints=True, task_runner=THREADS)
@fail_with_message
def watch(profile: str = EMBEDDED, git_ref: str = "main", corpora: list[str] | None = None, min_utterances: int = 1000, min_hours: float = 1.0,
          max_age_days: float | None = None, drift_length: float = 0.2, drift_snr: float = 0.2, drift_locales: float = 0.2,
          drift_vocabulary: float = 0.15, promote: Policy = "never", deployment: str = "retrain/nightly") -> State[Any]:
    """Check for reasons to retrain, and start a retraining if there is one.

    Args:
        profile: Params to check, and to retrain with. embedded is params.yaml as committed; any other name is profiles/NAME.yaml.
        git_ref: Branch, tag or commit to check, and to retrain from.
        corpora: Corpora to update with `dvc update` first, by their name under data/raw. Null: all; []: none.
        min_utterances: Retrain if there are this many new utterances.
        min_hours: Retrain if there are this many hours of new speech.
        max_age_days: Retrain if the last run is this many days old. Empty field: never for this reason.
        drift_length: Retrain if the lengths of new utterances are further from the training set than this distance, 0 to 1.
        drift_snr: Retrain if the signal-to-noise ratios of new utterances are further from the training set than this distance, 0 to 1.
        drift_locales: Retrain if the locales of new utterances are further from the training set than this distance, 0 to 1.
        drift_vocabulary: Retrain if more than this share of the new running words is missing from the training set, 0 to 1.
        promote: Of retrain: what to do if the verdict is promote. auto: promote at once. approve: ask for approval. never: do not promote.
        deployment: Deployment to start, as FLOW/DEPLOYMENT.
    """
    logger = get_run_logger()
    with machine_lock("watch", logger.warning), workspace(f"watch-{runs.date()}-{runs.short_id()}", git_ref, logger.info) as space:
        apply_profile(space, profile)
        artefact = load_section(Registry, "registry", path=space.path / "params.yaml").artefact
        last = last_run(space, artefact)
        before, trained = data_of(space, last.commit)
        apply_profile(space, profile)
        require_success(pull(space, ["--with-deps", SPLIT]))
        require_success(update(space, imported_pointers(space, corpora)))
        graph = read_graph(space)
        check_requirements(space, graph, graph.before([SPLIT]))
        run_stages(space, graph, graph.before([SPLIT]))
        now = manifests(space)
        new = now if before is None else now[~now["utterance_id"].isin(set(before["utterance_id"]))]
        bounds = {"length": drift_length, "snr": drift_snr, "locales": drift_locales, "vocabulary": drift_vocabulary}
        drift = [] if trained is None else drifts(new, trained, **bounds)
        found = NewData(last.branch, len(new), float(new["duration_s"].sum() / 3600), last.age_days, tuple(drift))
        state = hash_json([artefact, space.commit, fingerprint(space)])
    reasons = reasons_for(found, min_utterances, min_hours, max_age_days)
    parameters = {"profile": profile, "git_ref": git_ref, "corpora": corpora, "promote": promote}
    # One start per state of the data: a retraining that fails is not repeated every hour.
    key = hash_json([state, parameters, f"{datetime.now(UTC):%Y-%m-%d}" if any("days" in reason for reason in reasons) else ""])
    idle: str | None
    if not reasons:
        idle = reasons_against(found, min_utterances, min_hours, max_age_days)
    else:
        obstacle = active_run(deployment) or earlier_start(key)
        idle = f"{'; '.join(reasons)}, but {obstacle}" if obstacle else None
    message = f"no retraining: {idle}" if idle else f"retraining: {'; '.join(reasons)}"
    logger.info("%s", message)
    create_markdown_artifact(report(found, message), key=f"{artefact}-watch", description=f"{artefact}: new data since {found.last}")
    if idle:
        return Completed(name="Nothing to do", message=message)
    run: Any = run_deployment(deployment, parameters=parameters, timeout=0, as_subflow=False, idempotency_key=key, tags=["watch"],
                              flow_run_name=f"{profile} {runs.date()}")
    emit_event("watch.retrain", artefact, f"{artefact}: {message}", flow_run=str(run.id), reasons=reasons)
    return Completed(message=f"started {run.name}: {'; '.join(reasons)}", data={"flow_run": str(run.id), "reasons": reasons})


@dataclass(frozen=True, slots=True)
class LastRun:
    """The last run of an artefact; without one, the checked commit.

    Args:
        branch: of the run.
        commit: the run commit.
        age_days: since the run.
    """

    branch: str
    commit: str
    age_days: float


def last_run(space: Workspace, artefact: str) -> LastRun:
    """Return the newest run of an artefact on the Git remote; the checked commit if there is none.

    A run is a branch `retrain/DATE-ID` whose commit has the artefact's params; a branch of another name, such as retrain/try, is none.
    """
    listed = space.git("for-each-ref", "--format=%(refname:lstrip=3) %(objectname) %(committerdate:unix)", "refs/remotes/origin/retrain").splitlines()
    found = sorted((started, int(at), name, commit) for name, commit, at in map(str.split, listed) if (started := _date(name)))
    for started, _, branch, commit in reversed(found):
        if _artefact(space, commit) == artefact:
            return LastRun(branch, commit, _days(started))
    committed = space.git("log", "-1", "--format=%cI", "--", "dvc.lock")
    return LastRun(space.commit[:9], space.commit, _days(datetime.fromisoformat(committed)) if committed else float("inf"))


def _date(branch: str) -> datetime | None:
    """Return when the run of a branch was started, by its name; None if it is not named as a run's."""
    try:
        return datetime.strptime(branch.partition("/")[2][:11], "%Y-%m-%d-").replace(tzinfo=UTC)
    except ValueError:
        return None


def _artefact(space: Workspace, commit: str) -> object:
    """Return the artefact that a commit's params name; None if it has no readable params."""
    try:
        params = yaml.safe_load(git_bytes(space.path, "show", f"{commit}:params.yaml"))
    except (PipelineError, yaml.YAMLError):
        return None
    named = params.get("registry") if isinstance(params, dict) else None
    return named.get("artefact") if isinstance(named, dict) else None


def _days(moment: datetime) -> float:
    return (datetime.now(UTC) - moment).total_seconds() / 86_400


def data_of(space: Workspace, commit: str) -> tuple[pd.DataFrame | None, pd.DataFrame | None]:
    """Return the utterances and the training set of an earlier run; None for both if DVC has them no longer."""
    space.git("checkout", "--quiet", "--force", "--detach", commit)
    try:
        require_success(pull(space, [stage for stage in stages_of(space) if base(stage) in ("normalise", "split")]))  # not the audio
        return manifests(space), read_table(space.path / TRAIN, COLUMNS[:-1])
    except MissingInputError:
        return None, None
    finally:
        space.git("checkout", "--quiet", "--force", "--detach", space.commit)


def manifests(space: Workspace) -> pd.DataFrame:
    """Return the kept utterances of every corpus of the language.

    Raises:
        MissingInputError: there is no manifest.
    """
    files = sorted((space.path / MANIFESTS).glob("*/manifest.parquet"))
    if not files:
        raise MissingInputError(str(space.path / MANIFESTS), "no manifest", "CORPUS/manifest.parquet")
    table = pd.concat([read_table(file, COLUMNS) for file in files], ignore_index=True)
    return table[table["keep"]]


def fingerprint(space: Workspace) -> list[str]:
    """Return the hashes of the present manifests."""
    return [hash_file(file) for file in sorted((space.path / MANIFESTS).glob("*/manifest.parquet"))]


def days(age: float) -> str:
    """Return an age in whole days: "1 day", "3 days"."""
    return f"{age:.0f} day" + ("" if f"{age:.0f}" == "1" else "s")


def reasons_for(found: NewData, min_utterances: int, min_hours: float, max_age_days: float | None) -> list[str]:
    """Return the reasons to retrain; an empty list if there is none."""
    reasons = []
    if found.utterances >= min_utterances:
        reasons.append(f"{found.utterances} new utterances (threshold {min_utterances})")
    if found.hours >= min_hours:
        reasons.append(f"{found.hours:.2f} hours of new speech (threshold {min_hours:g})")
    if max_age_days is not None and found.age_days >= max_age_days:
        reasons.append(f"{days(found.age_days)} since the last run (threshold {max_age_days:g})")
    return reasons + [f"drift: {drift}" for drift in found.drifts if drift.exceeded]


def reasons_against(found: NewData, min_utterances: int, min_hours: float, max_age_days: float | None) -> str:
    """Return in one line why there is no reason to retrain."""
    age = f"{days(found.age_days)} since the last run" + (f" (threshold {max_age_days:g})" if max_age_days is not None else "")
    drift = ", ".join(map(str, found.drifts)) or "too few new utterances to measure drift"
    return (f"{found.utterances} new utterances (threshold {min_utterances}), {found.hours:.2f} hours (threshold {min_hours:g}), {age}; "
            f"{drift}")


def report(found: NewData, message: str) -> str:
    """Return the new data and the decision as Markdown.

    Args:
        found: the new data.
        message: the decision.
    """
    rows: list[dict[str, Any]] = [{"since": found.last, "new utterances": found.utterances, "hours": f"{found.hours:.2f}",
                                   "age in days": f"{found.age_days:.1f}"}]
    drift: list[dict[str, Any]] = [{"drift": one.name, "distance": f"{one.value:.3f}", "bound": one.bound,
                                    "exceeded": "yes" if one.exceeded else "no"} for one in found.drifts]
    return "\n\n".join(part for part in (f"**{message[0].upper()}{message[1:]}**", markdown_table(rows), markdown_table(drift)) if part)


def earlier_start(key: str) -> str | None:
    """Return which run was started for the same data, and its state; None if there is none.

    Args:
        key: idempotency key of that start.
    """
    with get_client(sync_client=True) as client:
        found = client.read_flow_runs(flow_run_filter=FlowRunFilter(idempotency_key=FlowRunFilterIdempotencyKey(any_=[key])))
    return (f"{found[0].name} was already started for the same data ({found[0].state_name}); to repeat it, *Retry* it or start a run manually"
            if found else None)


def active_run(deployment: str) -> str | None:
    """Return which run of a deployment has begun and not ended; None if there is none.

    Args:
        deployment: as FLOW/DEPLOYMENT.

    Raises:
        PipelineError: there is no such deployment.
    """
    with get_client(sync_client=True) as client:
        try:
            found = client.read_deployment_by_name(deployment)
        except ObjectNotFound:
            raise PipelineError(f"deployment {deployment}", "not registered with this Prefect server", "a deployment of retrain",
                                "register the deployments (make ui)") from None
        states = FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.PENDING, StateType.RUNNING, StateType.CANCELLING]))
        begun = client.read_flow_runs(flow_run_filter=FlowRunFilter(state=states),
                                      deployment_filter=DeploymentFilter(id=DeploymentFilterId(any_=[found.id])))
    return f"{begun[0].name} is still active" if begun else None
