"""A Prefect task for each DVC stage: an up-to-date one is *Cached* at no cost, a stale one is `dvc repro -s` in its own
process group, its lines in the task's log, its progress bar an artifact.

Prefect caches nothing here; whether a stage has to run is DVC's to say.
"""

from __future__ import annotations

import os
import queue
import re
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from prefect import task
from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.futures import PrefectFuture
from prefect.logging import get_run_logger
from prefect.states import Cancelled, Completed
from prefect.task_runners import ThreadPoolTaskRunner

from flows.graph import Graph, base
from flows.process import Progress, run, stopping
from flows.runs import honest
from flows.workspace import Workspace, dvc_command, environment, said_last
from pipeline.core.errors import PipelineError

ALONE: Final = frozenset({"align", "donor", "train", "transcribe"})
"""Stages that take the whole machine, or its GPU: one at a time. `transcribe` measures its own speed."""
SKIPPED: Final = re.compile(r"^Stage '.*' (didn't change, skipping|is cached - skipping run, checking out outputs)")
REJECT: Final = re.compile(r"^\s*(?P<count>\d+)  (?P<reason>[^(]+?)(?: \((?:such as )?(?P<example>.*)\))?$")
THREADS: Final[Any] = ThreadPoolTaskRunner(max_workers=16)
"""Where the tasks of a flow wait for their processes."""
UPDATE_S: Final = 2.0  # between two states of a progress artifact: each is a row in the database


@dataclass(frozen=True, slots=True)
class Result:
    """How a stage's task ended.

    Args:
        ran: whether its command ran; not where DVC found it up to date or in its run-cache.
    """

    stage: str
    ran: bool
    seconds: float


def key_of(*words: str) -> str:
    """Return words as an artifact's key: "progress", "train@scratch_long" → "progress-train-scratch-long"."""
    return re.sub(r"[^a-z0-9]+", "-", "-".join(words).lower()).strip("-")


class Meter:
    """A stage's progress bar as a progress artifact, made at its first move."""

    def __init__(self, stage: str) -> None:
        self.stage, self.told_at, self.shown = stage, 0.0, -1
        self.artifact: Any = None

    def show(self, progress: Progress) -> None:
        """Show a state of the bar, if the last one is two seconds old or the bar is full."""
        now = time.monotonic()
        if progress.percent == self.shown or (progress.percent < 100 and now - self.told_at < UPDATE_S):
            return
        self.told_at, self.shown = now, progress.percent
        described = f"{self.stage}: {progress.label} {progress.rest}"
        if self.artifact is None:
            self.artifact = create_progress_artifact(float(progress.percent), key=key_of("progress", self.stage), description=described)
        else:
            update_progress_artifact(self.artifact, float(progress.percent), description=described)


@task(name="stage", task_run_name="{stage}", cache_policy=NO_CACHE, persist_result=False)
@honest
def stage_task(space: Workspace, stage: str, why: str | None) -> State[Result]:
    """Bring a stage up to date.

    Args:
        why: what makes it stale; None where nothing does.

    Raises:
        PipelineError: its command failed; with its last lines.
    """
    if why is None:
        return Completed(name="Cached", message="up to date", data=Result(stage, False, 0.0))
    if stopping.is_set():
        return Cancelled(message="the run was stopped before it began")
    logger, meter = get_run_logger(), Meter(stage)
    logger.info("%s: %s", stage, why)
    done = run(dvc_command("--wait-for-lock", "repro", "--single-item", stage), space.path, environment(space.path), logger.info, meter.show)
    if done.stopped:
        return Cancelled(message="its processes were ended with the run")
    if done.code:
        show_failure(stage, done.lines)
        raise PipelineError(stage, said_last([line for line in done.lines if not line.startswith("ERROR: failed to reproduce")]))
    skipped = [line for line in done.lines if SKIPPED.match(line)]
    result = Result(stage, not skipped, done.seconds)
    if skipped:
        return Completed(name="Cached", message=skipped[0], data=result)
    return Completed(message=f"{done.seconds:.0f} s", data=result)


def show_failure(stage: str, lines: Collection[str]) -> None:
    """Show why a stage failed: its last lines, and its reject table where it told one."""
    create_markdown_artifact("\n".join(["```", *lines, "```"]), key=key_of("failure", stage), description=f"{stage} failed: its last lines")
    if rows := rejects(lines):
        create_table_artifact(rows, key=key_of("rejects", stage), description=f"{stage}: utterances rejected, by reason")


def rejects(lines: Collection[str]) -> list[dict[str, Any]]:
    """Return the reject table within a stage's error message: reason, utterances, an example."""
    error = [index for index, line in enumerate(lines) if line.startswith("error: ")]
    found = map(REJECT.match, list(lines)[error[-1] + 1:] if error else [])
    return [{"reason": row["reason"].strip(), "utterances": int(row["count"]), "example": row["example"] or ""} for row in found if row]


def reasons(changes: Any) -> str:
    """Return what `dvc status` says of a stage in a line."""
    told = [f"{kind.removeprefix('changed ')}: " + ", ".join(f"{name} {how if isinstance(how, str) else 'changed'}" for name, how in what.items())
            for change in changes if isinstance(change, dict) for kind, what in change.items() if isinstance(what, dict)]
    return "; ".join(told) or "changed"


def run_stages(space: Workspace, graph: Graph, wanted: Collection[str], max_parallel: int | None = None) -> dict[str, Result]:
    """Bring the wanted stages up to date and return how each ended; independent ones run side by side.

    Those that depend on a stale one are left to DVC, which knows whether anything changed for them.

    Args:
        max_parallel: stages at a time, by default one a core; those that take the whole machine one at a time.

    Raises:
        PipelineError: stages failed; each is named with its last lines. What does not depend on them has still run to its end.
    """
    limit = max_parallel or len(os.sched_getaffinity(0))
    doubtful = graph.after([stage for stage in graph.stale if stage in wanted])
    waiting = [stage for stage in graph.needs if stage in wanted]
    running: dict[PrefectFuture[Any], str] = {}
    ended: queue.Queue[PrefectFuture[Any]] = queue.Queue()
    done: dict[str, Result] = {}
    broken: dict[str, State[Any]] = {}
    stopping.clear()
    try:
        while waiting or running:
            for stage in list(waiting):
                busy = [name for name in running.values() if name in doubtful]
                alone = any(base(name) in ALONE for name in [stage, *busy])
                ready = not graph.needs[stage] & {*waiting, *running.values()}
                if ready and (stage not in doubtful or not busy or (len(busy) < limit and not alone)):
                    future = stage_task.submit(space, stage, why(graph, stage, doubtful))
                    waiting.remove(stage)
                    running[future] = stage
                    future.add_done_callback(ended.put)
            future = ended.get()
            future.wait()  # its state is final only then
            stage = running.pop(future)
            if future.state.is_completed():
                done[stage] = future.result()
            else:
                broken[stage] = future.state
                waiting = [other for other in waiting if other not in graph.after([stage])]
    except BaseException:  # cancelled or interrupted: a task left to itself would go on training
        stopping.set()
        for future in running:
            future.wait()
        raise
    if broken:
        told = [str(state.message) for state in broken.values()]
        raise PipelineError(f"{len(broken)} of {len(wanted)} stages", "\n".join(told), action="mend it and run again: what is done stays done")
    return done


def why(graph: Graph, stage: str, doubtful: Collection[str]) -> str | None:
    """Return what makes a stage stale, None where nothing does."""
    if stage in graph.stale:
        return reasons(graph.stale[stage])
    if stage in doubtful:
        return "after " + ", ".join(sorted(graph.needs[stage] & set(doubtful)))
    return None


def counted(done: Mapping[str, Result]) -> str:
    """Return how many stages ran, and how long: "3 of 25 stages ran in 812 s"."""
    ran = [result for result in done.values() if result.ran]
    return f"{len(ran)} of {len(done)} stages ran" + (f" in {sum(result.seconds for result in ran):.0f} s" if ran else "")
