"""Look whether there is reason to retrain: new utterances, data that drift, or age; start `retrain` if so, say why not if not.

Imported corpora are brought up to date and taken in up to their splits, which costs little beside a training, and which
the retraining then finds in DVC's cache. New is what the last run of the same artefact did not have, whatever came of it.
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
from flows.events import tell
from flows.graph import base, read_graph, stages_of
from flows.promote import Policy
from flows.retrain import EMBEDDED, imported, pull, take_profile, update
from flows.runs import honest, must
from flows.stages import THREADS, run_stages
from flows.workspace import Workspace, held, workspace
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
class Seen:
    """What was found.

    Args:
        utterances: new ones, that the last run did not have.
        hours: of new speech.
        age_days: since the last run.
        drifts: of the new utterances from the last run's training set.
    """

    last: str
    utterances: int
    hours: float
    age_days: float
    drifts: tuple[Drift, ...]


@flow(name="watch", flow_run_name=runs.run_name, persist_result=False, log_prints=True, task_runner=THREADS)
@honest
def watch(profile: str = EMBEDDED, git_ref: str = "main", corpora: list[str] | None = None, min_utterances: int = 1000, min_hours: float = 1.0,
          max_age_days: float | None = None, drift_length: float = 0.2, drift_snr: float = 0.2, drift_locales: float = 0.2,
          drift_vocabulary: float = 0.15, promote: Policy = "never", deployment: str = "retrain/nightly") -> State[Any]:
    """Look for reasons to retrain, and start retrain where there is one.

    Args:
        profile: Params that are watched, and retrained with: embedded, or the name of a file in profiles.
        git_ref: Branch, tag or commit, likewise.
        corpora: Imported corpora to look after; all of them where nothing is given.
        min_utterances: New utterances that are reason enough.
        min_hours: Hours of new speech that are reason enough.
        max_age_days: Days since the last run that are reason enough; nothing for never.
        drift_length: Bound of the distance between the lengths of new and of training utterances, 0 to 1.
        drift_snr: Likewise of their signal-to-noise ratios.
        drift_locales: Share of utterances by which their mix of locales may differ.
        drift_vocabulary: Share of running words of the new utterances that may be new to the training set.
        promote: What retrain does with its verdict.
        deployment: The deployment that is started, FLOW/DEPLOYMENT.
    """
    logger = get_run_logger()
    with held("watch", logger.warning), workspace(f"watch-{runs.date()}-{runs.short_id()}", git_ref, logger.info) as space:
        take_profile(space, profile)
        artefact = load_section(Registry, "registry", path=space.path / "params.yaml").artefact
        last = last_run(space, artefact)
        before, trained = data_of(space, last.commit)
        take_profile(space, profile)
        must(pull(space, ["--with-deps", SPLIT]))
        must(update(space, imported(space, corpora)))
        graph = read_graph(space)
        run_stages(space, graph, graph.before([SPLIT]))
        now = manifests(space)
        new = now if before is None else now[~now["utterance_id"].isin(set(before["utterance_id"]))]
        bounds = {"length": drift_length, "snr": drift_snr, "locales": drift_locales, "vocabulary": drift_vocabulary}
        drift = [] if trained is None else drifts(new, trained, **bounds)
        found = Seen(last.branch, len(new), float(new["duration_s"].sum() / 3600), last.age_days, tuple(drift))
        state = hash_json([artefact, space.commit, fingerprint(space)])
    wanted = reasons(found, min_utterances, min_hours, max_age_days)
    parameters = {"profile": profile, "git_ref": git_ref, "corpora": corpora, "promote": promote}
    # One start for a state of the data: a retraining that fails is not tried again every hour.
    key = hash_json([state, parameters, f"{datetime.now(UTC):%Y-%m-%d}" if any("days" in reason for reason in wanted) else ""])
    if not wanted:
        idle = against(found, min_utterances, min_hours, max_age_days)
    else:
        in_the_way = at_work(deployment) or begun_before(key)
        idle = f"{'; '.join(wanted)}, but {in_the_way}" if in_the_way else None
    message = f"no retraining: {idle}" if idle else f"retraining: {'; '.join(wanted)}"
    logger.info("%s", message)
    create_markdown_artifact(told(found, message), key=f"{artefact}-watch", description=f"{artefact}: what is new since {found.last}")
    if idle:
        return Completed(name="Nothing to do", message=message)
    run: Any = run_deployment(deployment, parameters=parameters, timeout=0, as_subflow=False, idempotency_key=key, tags=["watch"],
                              flow_run_name=f"{profile} {runs.date()}")
    tell("watch.retrain", artefact, f"{artefact}: {message}", flow_run=str(run.id), reasons=wanted)
    return Completed(message=f"started {run.name}: {'; '.join(wanted)}", data={"flow_run": str(run.id), "reasons": wanted})


@dataclass(frozen=True, slots=True)
class Last:
    """The last run of an artefact: its branch; the ref that is watched, where there was none."""

    branch: str
    commit: str
    age_days: float


def last_run(space: Workspace, artefact: str) -> Last:
    """Return the newest run of the artefact on the Git remote."""
    listed = space.git("for-each-ref", "--format=%(refname:lstrip=3) %(objectname) %(committerdate:unix)", "refs/remotes/origin/retrain").splitlines()
    found = sorted(((name, int(at), commit) for name, commit, at in map(str.split, listed)), key=lambda one: (one[0].split("/")[1][:10], one[1]))
    for branch, _, commit in reversed(found):
        params = yaml.safe_load(git_bytes(space.path, "show", f"{commit}:params.yaml"))
        if (params.get("registry") or {}).get("artefact") == artefact:
            return Last(branch, commit, _days(datetime.strptime(branch.split("/")[1][:10], "%Y-%m-%d").replace(tzinfo=UTC)))
    committed = space.git("log", "-1", "--format=%cI", "--", "dvc.lock")
    return Last(space.commit[:9], space.commit, _days(datetime.fromisoformat(committed)) if committed else float("inf"))


def _days(moment: datetime) -> float:
    return (datetime.now(UTC) - moment).total_seconds() / 86_400


def data_of(space: Workspace, commit: str) -> tuple[pd.DataFrame | None, pd.DataFrame | None]:
    """Return the utterances and the training set of an earlier run; None for what no cache has any more."""
    space.git("checkout", "--quiet", "--force", "--detach", commit)
    try:
        must(pull(space, [stage for stage in stages_of(space) if base(stage) in ("normalise", "split")]))  # not the audio
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
    """Return the hashes of the utterances as they are now."""
    return [hash_file(file) for file in sorted((space.path / MANIFESTS).glob("*/manifest.parquet"))]


def days(age: float) -> str:
    """Return an age in whole days: "1 day", "3 days"."""
    return f"{age:.0f} day" + ("" if f"{age:.0f}" == "1" else "s")


def reasons(found: Seen, min_utterances: int, min_hours: float, max_age_days: float | None) -> list[str]:
    """Return the reasons to retrain; none where there is none."""
    told = []
    if found.utterances >= min_utterances:
        told.append(f"{found.utterances} new utterances ({min_utterances} are enough)")
    if found.hours >= min_hours:
        told.append(f"{found.hours:.2f} hours of new speech ({min_hours:g} are enough)")
    if max_age_days is not None and found.age_days >= max_age_days:
        told.append(f"{days(found.age_days)} since the last run ({max_age_days:g} are enough)")
    return told + [f"drift: {drift}" for drift in found.drifts if drift.exceeded]


def against(found: Seen, min_utterances: int, min_hours: float, max_age_days: float | None) -> str:
    """Return why there is no reason to retrain."""
    age = f"{days(found.age_days)} since the last run" + (f" (of {max_age_days:g})" if max_age_days is not None else "")
    drift = ", ".join(map(str, found.drifts)) or "too few new utterances to judge drift"
    return f"{found.utterances} new utterances (of {min_utterances}), {found.hours:.2f} hours (of {min_hours:g}), {age}; {drift}"


def told(found: Seen, message: str) -> str:
    """Return what was found, and what comes of it, as Markdown."""
    rows: list[dict[str, Any]] = [{"since": found.last, "new utterances": found.utterances, "hours": f"{found.hours:.2f}",
                                   "age in days": f"{found.age_days:.1f}"}]
    drift: list[dict[str, Any]] = [{"drift": one.name, "distance": f"{one.value:.3f}", "bound": one.bound,
                                    "exceeded": "yes" if one.exceeded else "no"} for one in found.drifts]
    return "\n\n".join(part for part in (f"**{message[0].upper()}{message[1:]}**", markdown_table(rows), markdown_table(drift)) if part)


def begun_before(key: str) -> str | None:
    """Return which run was started for the same data and what came of it; None where none was."""
    with get_client(sync_client=True) as client:
        found = client.read_flow_runs(flow_run_filter=FlowRunFilter(idempotency_key=FlowRunFilterIdempotencyKey(any_=[key])))
    return (f"{found[0].name} was started for the same data already ({found[0].state_name}); *Retry* it, or start one by hand, to have it again"
            if found else None)


def at_work(deployment: str) -> str | None:
    """Return which run of the deployment has begun and not ended; None where there is none.

    Raises:
        PipelineError: there is no such deployment.
    """
    with get_client(sync_client=True) as client:
        try:
            found = client.read_deployment_by_name(deployment)
        except ObjectNotFound:
            raise PipelineError(f"deployment {deployment}", "not registered with this Prefect server", "one of the retrain flow",
                                "register the deployments (make ui)") from None
        states = FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.PENDING, StateType.RUNNING, StateType.CANCELLING]))
        begun = client.read_flow_runs(flow_run_filter=FlowRunFilter(state=states),
                                      deployment_filter=DeploymentFilter(id=DeploymentFilterId(any_=[found.id])))
    return f"{begun[0].name} is at work already" if begun else None
