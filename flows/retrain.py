"""Retrain from one commit, judge, and promote, ask or stop: `dvc repro` with a clock, retries and spectators.

Its results are one commit R on the branch `retrain/DATE-ID`, pushed to the Git remote after the data have gone to the DVC
remote. On R `dvc repro` does nothing, whoever runs it.
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
from flows.events import Name, tell
from flows.graph import base, read_graph
from flows.promote import Policy, sentence, settle
from flows.runs import honest, must
from flows.stages import THREADS, counted, run_stages
from flows.workspace import Workspace, held, repository, state, workspace
from pipeline.core.errors import ParamsError
from pipeline.core.params import load_section
from pipeline.registry import gates
from pipeline.registry.git import git
from pipeline.registry.promotion import VERDICT, ask
from pipeline.registry.record import Registry

EMBEDDED: Final = "embedded"
TRANSFERS: Final[dict[str, Any]] = {"retries": 3, "retry_delay_seconds": [5, 20, 60], "cache_policy": NO_CACHE, "persist_result": False}
"""Only what crosses a network is tried again."""
VERDICTS: Final[dict[str, Name]] = {"promote": "verdict.promote", "reject": "verdict.reject", "inconclusive": "verdict.inconclusive"}
REFUSED: Final = re.compile(r"\[remote rejected\]|\[rejected\]|denied|declined|protected branch|Authentication failed", re.IGNORECASE)


@flow(name="retrain", flow_run_name=runs.run_name, persist_result=False, log_prints=True, task_runner=THREADS)
@honest
def retrain(profile: str = EMBEDDED, git_ref: str = "main", corpora: list[str] | None = None, promote: Policy = "never", push: bool = True,
            max_parallel: int | None = None, approval_hours: float = 72.0) -> State[Any]:
    """Retrain from one commit of the repository, judge the challenger, and promote it, ask, or stop.

    Args:
        profile: Params of the run: embedded is params.yaml as committed, another name is profiles/NAME.yaml.
        git_ref: Branch, tag or commit; what it stands for when the run begins counts to its end.
        corpora: Imported corpora to bring up to date first, by the name under data/raw; all of them where nothing is given, none for an empty list.
        promote: auto promotes where the verdict is promote; approve asks with a form; never stops after the verdict.
        push: Push data to the DVC remote and the run's branch to the Git remote. Otherwise the results stay in a clone on this machine, for a week.
        max_parallel: Stages at a time; one a core where nothing is given. Trainings and transcriptions always run alone.
        approval_hours: Hours for the answer, where promote is approve; after them the run fails and the champion stays.
    """
    if promote != "never" and not push:
        raise ParamsError("retrain", [f"promote: {promote}, but push is off; a run is promoted from the Git remote"])
    branch = f"retrain/{runs.date()}-{runs.short_id()}"
    commit = pushed() if flow_run.id else None  # taken up again after a question: the run is made
    if commit is None:
        with held("retrain", get_run_logger().warning):
            commit = make(branch, profile, git_ref, corpora, push, max_parallel)
    return settle(commit, promote, approval_hours) if push else settled_here(commit, branch.rpartition("/")[2])


def pushed() -> str | None:
    """Return the commit that this flow run has pushed before, None where it has not."""
    return next(iter(git(Path.cwd(), "ls-remote", repository().url, f"refs/heads/retrain/*-{runs.short_id()}").split()), None)


def make(branch: str, profile: str, git_ref: str, corpora: list[str] | None, push: bool, max_parallel: int | None) -> str:
    """Run what is stale and return the run's commit."""
    logger = get_run_logger()
    with workspace(branch.rpartition("/")[2], git_ref, logger.info, keep=not push) as space:
        logger.info("%s at %s, in %s", git_ref, space.commit[:9], space.path)
        take_profile(space, profile)
        artefact = load_section(Registry, "registry", path=space.path / "params.yaml").artefact
        runs.tag([f"profile:{profile}", f"model:{artefact}", f"gpu:{artifacts.gpu() or 'none'}", *(f"corpus:{name}" for name in corpora_of(space))])
        pointers = imported(space, corpora)
        must(pull(space))
        must(update(space, pointers))
        graph = read_graph(space)
        logger.info("%d of %d stages are stale", len(graph.stale), len(graph.needs))
        judging = graph.after([stage for stage in graph.needs if base(stage) == "gate"])
        done = run_stages(space, graph, graph.needs.keys() - judging, max_parallel)
        if take_place(space) or any(result.ran for result in done.values()):
            graph = read_graph(space)
        done |= run_stages(space, graph, judging, max_parallel)
        artifacts.publish_run(space.path, artefact, branch.rpartition("/")[2])
        commit = record_run(space, profile, counted(done))
        candidate = ask(space.path, commit)
        verdict = candidate.verdict["verdict"]
        tell(VERDICTS[verdict], artefact, f"{artefact}: {verdict}, {sentence(candidate)}; {counted(done)}", commit=commit, branch=branch)
        if push:
            must(push_data(space))
            must(push_branch(space, commit, branch))
            artifacts.branch_link(space.repository.url, branch, commit, artefact)
        return commit


def take_place(space: Workspace) -> bool:
    """Have the gate judge in the place that is left for this evidence in the champion's period; return whether that moves it."""
    gates.fetch_runs(space.path)
    place = gates.place(space.path)
    moved = gates.write_place(space.path, place)
    get_run_logger().info("gate %d since the last promotion", place + 1)
    return moved


def take_profile(space: Workspace, profile: str) -> None:
    """Lay a profile's params over the clone's.

    Raises:
        ParamsError: there is no such profile at that commit.
    """
    if profile == EMBEDDED:
        return
    there = sorted(file.stem for file in (space.path / "profiles").glob("*.yaml"))
    if profile not in there:
        raise ParamsError("retrain", [f"profile: no profiles/{profile}.yaml at {space.commit[:9]}; there are {', '.join([EMBEDDED, *there])}"])
    shutil.copyfile(space.path / f"profiles/{profile}.yaml", space.path / "params.yaml")


def corpora_of(space: Workspace) -> list[str]:
    """Return the names of the corpora that the params ingest."""
    return sorted(yaml.safe_load((space.path / "params.yaml").read_text(encoding="utf-8")).get("ingest") or {})


def imported(space: Workspace, corpora: Sequence[str] | None) -> list[str]:
    """Return the pointers of imported corpora (`dvc import`, `dvc import-url`), all of them or those asked for.

    Args:
        corpora: names under data/raw.

    Raises:
        ParamsError: one that is asked for is not imported.
    """
    pointers = [name for name in space.git("ls-files", "-z", "--", "*.dvc").split("\0") if name]
    known = {Path(name).stem: name for name in pointers if yaml.safe_load((space.path / name).read_text(encoding="utf-8")).get("deps")}
    if unknown := [name for name in corpora or () if name not in known]:
        raise ParamsError("retrain", [f"corpora: {name} is not imported; there are {', '.join(known) or 'none'} "
                                      "(`dvc import-url URL data/raw/NAME`)" for name in unknown])
    return list(known.values()) if corpora is None else [known[name] for name in corpora]


def is_transient(_task: Any, _run: TaskRun, state: State[Any]) -> bool:
    """Return whether a transfer is worth another try: a remote that refuses will refuse again."""
    return not REFUSED.search(state.message or "")


@task(name="pull", **TRANSFERS)
@honest
def pull(space: Workspace, targets: Sequence[str] = ()) -> None:
    """Lay the commit's results out, all or those named: from this machine's cache, else from the DVC remote where there is one."""
    word = "pull" if space.has_remote else "checkout"
    space.dvc(word, "--force", "--allow-missing", *targets, said=get_run_logger().info)


@task(name="update", **TRANSFERS)
@honest
def update(space: Workspace, pointers: Sequence[str]) -> None:
    """Bring imported data up to date with where they come from."""
    for pointer in pointers:
        space.dvc("update", pointer, said=get_run_logger().info)


@task(name="push data", retry_condition_fn=is_transient, **TRANSFERS)
@honest
def push_data(space: Workspace) -> None:
    """Copy the run's data to the DVC remote; say so where there is none."""
    if space.has_remote:
        space.dvc("push", said=get_run_logger().info)
    else:
        get_run_logger().info("no DVC remote: the data lie in this machine's cache alone")


@task(name="push branch", retry_condition_fn=is_transient, **TRANSFERS)
@honest
def push_branch(space: Workspace, commit: str, branch: str) -> None:
    """Push the run's commit to its branch on the Git remote."""
    space.git("push", "--quiet", "origin", f"{commit}:refs/heads/{branch}")


def record_run(space: Workspace, profile: str, what: str) -> str:
    """Commit what the run has changed and return the run's commit: the one it began with, where nothing has.

    A commit that an interrupted attempt has made is kept.
    """
    space.git("add", "--all")
    if space.git("status", "--porcelain"):
        verdict = yaml.safe_load((space.path / VERDICT).read_text(encoding="utf-8"))
        challenger = verdict["challenger"]
        space.git("commit", "--quiet", "--no-verify", "-m", f"Retrain {profile}: {verdict['verdict']}, WER {100 * challenger['wer']:.1f} %",
                  "-m", f"{challenger['system']} on {space.commit}; {what}. Flow run {flow_run.name} ({flow_run.id}).")
    return space.git("rev-parse", "HEAD")


def settled_here(commit: str, name: str) -> State[Any]:
    """Return how a run ends that was not pushed."""
    path = state() / "work" / name
    return Completed(message=f"{commit[:9]}, not pushed: in {path} for a week", data={"commit": commit, "path": str(path)})


