"""Retrain from one commit, gate the challenger, and promote it, request an approval or stop: `dvc repro` with a schedule, retries and a UI.

Its results are one commit, the run commit, on the branch `retrain/DATE-ID`. It is pushed to the Git remote after the data have been
pushed to the DVC remote. On the run commit all stages are up to date.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import yaml
from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from prefect.states import Completed

from flows import artifacts, runs
from flows.events import Name, emit_event
from flows.graph import base, read_graph
from flows.promote import Policy, apply_policy, summary
from flows.runs import fail_with_message, require_success
from flows.stages import THREADS, check_requirements, run_stages, summarise
from flows.workspace import Workspace, machine_lock, repository, state_folder, workspace
from pipeline.core.errors import ParamsError
from pipeline.core.params import load_section
from pipeline.core.timing import TIMING
from pipeline.registry import gates
from pipeline.registry.clone import check_signing
from pipeline.registry.git import git
from pipeline.registry.promotion import read_candidate
from pipeline.registry.record import Registry

EMBEDDED: Final = "embedded"
TRANSFERS: Final[dict[str, Any]] = {"retries": 3, "retry_delay_seconds": [5, 20, 60], "cache_policy": NO_CACHE, "persist_result": False}
"""Only transfers over a network are retried."""
VERDICTS: Final[dict[str, Name]] = {"promote": "verdict.promote", "reject": "verdict.reject", "inconclusive": "verdict.inconclusive"}
REFUSED: Final = re.compile(r"\[remote rejected\]|\[rejected\]|denied|declined|protected branch|Authentication failed", re.IGNORECASE)


@flow(name="retrain", flow_run_name=runs.run_name, persist_result=False, log_prints=True, task_runner=THREADS)
@fail_with_message
def retrain(profile: str = EMBEDDED, git_ref: str = "main", corpora: list[str] | None = None, promote: Policy = "never", push: bool = True,
            max_parallel: int | None = None, approval_hours: float = 72.0) -> State[Any]:
    """Retrain from one commit of the repository, gate the challenger, and promote it, request an approval or stop.

    Args:
        profile: Params of the run. embedded is params.yaml as committed; any other name is profiles/NAME.yaml.
        git_ref: Branch, tag or commit to run. It is resolved once, when the run begins.
        corpora: Corpora to update with `dvc update` before the run, by their name under data/raw; not a choice of data. Null: all; []: none.
        promote: What to do if the verdict is promote. auto: promote at once. approve: ask for approval in a form. never: do not promote.
        push: Push the data to the DVC remote and the run commit to the Git remote. If off, the results stay on the worker for a week.
        max_parallel: Maximum number of stages at the same time. Null: one per core. Trainings and transcriptions always run one at a time.
        approval_hours: Hours to wait for the approval, if promote is approve. Without an answer by then the run fails and the champion stays in use.

    Raises:
        ParamsError: a promotion without push.
    """
    if promote != "never" and not push:
        raise ParamsError("retrain", [f"promote: {promote}, but push is off; only a run on the Git remote can be promoted"])
    branch = f"retrain/{runs.date()}-{runs.short_id()}"
    commit = pushed_commit() if flow_run.id else None  # resumed after an approval request: the run is complete
    if commit is None:
        with machine_lock("retrain", get_run_logger().warning):
            commit = execute(branch, profile, git_ref, corpora, push, max_parallel)
    return apply_policy(commit, promote, approval_hours) if push else local_result(commit, branch.rpartition("/")[2])


def pushed_commit() -> str | None:
    """Return the run commit that this flow run has pushed already; None if it has not."""
    return next(iter(git(Path.cwd(), "ls-remote", repository().url, f"refs/heads/retrain/*-{runs.short_id()}").split()), None)


def execute(branch: str, profile: str, git_ref: str, corpora: list[str] | None, push: bool, max_parallel: int | None) -> str:
    """Run all stale stages and return the run commit; the parameters are those of `retrain`."""
    logger = get_run_logger()
    with workspace(branch.rpartition("/")[2], git_ref, logger.info, keep=not push) as space:
        logger.info("%s is %s, clone in %s", git_ref, space.commit[:9], space.path)
        check_git(space)
        if push:
            require_success(check_push(space, branch))
        apply_profile(space, profile)
        artefact = load_section(Registry, "registry", path=space.path / "params.yaml").artefact
        corpus_tags = [f"corpus:{name}" for name in corpora_of(space)]
        runs.add_tags([f"profile:{profile}", f"model:{artefact}", f"gpu:{artifacts.gpu() or 'none'}", *corpus_tags])
        pointers = imported_pointers(space, corpora)
        require_success(pull(space))
        require_success(update(space, pointers))
        graph = read_graph(space)
        logger.info("%d of %d stages are stale", len(graph.stale), len(graph.needs))
        gated = graph.after([stage for stage in graph.needs if base(stage) == "gate"])
        check_requirements(space, graph, graph.needs.keys() - gated)
        done = run_stages(space, graph, graph.needs.keys() - gated, max_parallel)
        if set_gate_index(space) or any(result.ran for result in done.values()):
            graph = read_graph(space)
        done |= run_stages(space, graph, gated, max_parallel)
        artifacts.publish_run(space.path, artefact, branch.rpartition("/")[2])
        commit = commit_run(space, profile, summarise(done))
        candidate = read_candidate(space.path, commit)
        verdict = candidate.verdict["verdict"]
        emit_event(VERDICTS[verdict], artefact, f"{artefact}: {verdict}, {summary(candidate)}; {summarise(done)}", commit=commit, branch=branch)
        if push:
            require_success(push_data(space))
            require_success(push_branch(space, commit, branch))
            artifacts.branch_link(space.repository.url, branch, commit, artefact)
        return commit


def check_git(space: Workspace) -> None:
    """Check before hours of work that git can do what follows them.

    Args:
        space: the run's clone.

    Raises:
        PipelineError: the clone is shallow, or git cannot sign commits as its configuration demands.
    """
    gates.check_history(space.path)
    check_signing(space.path)


def set_gate_index(space: Workspace) -> bool:
    """Write this evidence's gate index in the champion's tenure into the params; return whether it was another before."""
    gates.fetch_runs(space.path)
    index = gates.gate_index(space.path)
    changed = gates.write_gate_index(space.path, index)
    get_run_logger().info("gate %d since the last promotion", index + 1)
    return changed


def apply_profile(space: Workspace, profile: str) -> None:
    """Replace the clone's params with those of a profile.

    Args:
        space: the run's clone.
        profile: "embedded" for the params as committed, or the name of a file in profiles.

    Raises:
        ParamsError: there is no such profile at that commit.
    """
    if profile == EMBEDDED:
        return
    known = sorted(file.stem for file in (space.path / "profiles").glob("*.yaml"))
    if profile not in known:
        raise ParamsError("retrain", [f"profile: no profiles/{profile}.yaml at {space.commit[:9]}; profiles are {', '.join([EMBEDDED, *known])}"])
    shutil.copyfile(space.path / f"profiles/{profile}.yaml", space.path / "params.yaml")


def corpora_of(space: Workspace) -> list[str]:
    """Return the names of the corpora that the params ingest."""
    return sorted(yaml.safe_load((space.path / "params.yaml").read_text(encoding="utf-8")).get("ingest") or {})


def imported_pointers(space: Workspace, corpora: Sequence[str] | None) -> list[str]:
    """Return the pointers (`*.dvc`) of imported corpora (`dvc import`, `dvc import-url`).

    Args:
        space: the run's clone.
        corpora: names under data/raw; None: all of them.

    Raises:
        ParamsError: one of them is not imported.
    """
    pointers = [name for name in space.git("ls-files", "-z", "--", "*.dvc").split("\0") if name]
    known = {Path(name).stem: name for name in pointers if yaml.safe_load((space.path / name).read_text(encoding="utf-8")).get("deps")}
    if unknown := [name for name in corpora or () if name not in known]:
        raise ParamsError("retrain", [f"corpora: {name} is not imported; imported are {', '.join(known) or 'none'} "
                                      "(`dvc import-url URL data/raw/NAME`)" for name in unknown])
    return list(known.values()) if corpora is None else [known[name] for name in corpora]


def is_transient(_task: Any, _run: TaskRun, state: State[Any]) -> bool:
    """Return whether a failed transfer is to be retried: a remote that rejects it will reject it again."""
    return not REFUSED.search(state.message or "")


@task(name="pull", **TRANSFERS)
@fail_with_message
def pull(space: Workspace, targets: Sequence[str] = ()) -> None:
    """Check out the commit's results from this machine's cache, or from the DVC remote if one is configured.

    Args:
        space: the run's clone.
        targets: stages or outs; none: all.
    """
    command = "pull" if space.has_remote else "checkout"
    space.dvc(command, "--force", "--allow-missing", *targets, on_line=get_run_logger().info)


@task(name="update", **TRANSFERS)
@fail_with_message
def update(space: Workspace, pointers: Sequence[str]) -> None:
    """Update imported data from their source."""
    for pointer in pointers:
        space.dvc("update", pointer, on_line=get_run_logger().info)


@task(name="push check", retry_condition_fn=is_transient, **TRANSFERS)
@fail_with_message
def check_push(space: Workspace, branch: str) -> None:
    """Check that the Git remote would accept the run's branch, as far as it answers without a push: reachable, writable."""
    space.git("push", "--quiet", "--dry-run", "origin", f"HEAD:refs/heads/{branch}")


@task(name="push data", retry_condition_fn=is_transient, **TRANSFERS)
@fail_with_message
def push_data(space: Workspace) -> None:
    """Copy the run's data to the DVC remote; log a line if there is none."""
    if space.has_remote:
        space.dvc("push", on_line=get_run_logger().info)
    else:
        get_run_logger().info("no DVC remote: the data are only in this machine's cache")


@task(name="push branch", retry_condition_fn=is_transient, **TRANSFERS)
@fail_with_message
def push_branch(space: Workspace, commit: str, branch: str) -> None:
    """Push the run commit to its branch on the Git remote."""
    space.git("push", "--quiet", "origin", f"{commit}:refs/heads/{branch}")


def commit_run(space: Workspace, profile: str, done: str) -> str:
    """Commit the run's changes, data/timing included, and return the run commit.

    Without a change outside data/timing it is the commit that the run began with, or one that an interrupted attempt has made.

    Args:
        space: the run's clone.
        profile: of the run.
        done: which stages ran.
    """
    if space.git("status", "--porcelain", "--", ".", f":(exclude){TIMING}"):
        space.git("add", "--all")
        verdict = yaml.safe_load((space.path / gates.VERDICT).read_text(encoding="utf-8"))
        challenger = verdict["challenger"]
        space.git("commit", "--quiet", "--no-verify", "-m", f"Retrain {profile}: {verdict['verdict']}, WER {100 * challenger['wer']:.1f} %",
                  "-m", f"{challenger['system']} on {space.commit}; {done}. Flow run {flow_run.name} ({flow_run.id}).")
    return space.git("rev-parse", "HEAD")


def local_result(commit: str, name: str) -> State[Any]:
    """Return how a run without push ends.

    Args:
        commit: the run commit.
        name: of the run's clone.
    """
    path = state_folder() / "work" / name
    return Completed(message=f"{commit[:9]}, not pushed; kept in {path} for a week", data={"commit": commit, "path": str(path)})
