"""A Prefect task for each DVC stage.

An up-to-date stage is *Cached* without a process. A stale one is `dvc repro -s` in a separate process group, with its lines in the
task's log and its progress bar as an artifact.
Prefect caches nothing here: DVC alone decides whether a stage has to run.
"""

from __future__ import annotations

import queue
import re
import sys
import time
from collections.abc import Collection, Mapping, Sequence
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
from flows.runs import fail_with_message, require_success
from flows.workspace import Workspace, command_environment, dvc_command, last_lines
from pipeline.core.errors import PipelineError
from pipeline.core.processors import usable_processors

EXCLUSIVE: Final = frozenset({"align", "donor", "export", "train", "transcribe"})
"""Modules that use the whole machine, or its GPU: their stages run one at a time. `transcribe` and `export` measure speed."""
SKIPPED: Final = re.compile(r"^Stage '.*' (didn't change, skipping|is cached - skipping run, checking out outputs)")
FAILED_COMMAND: Final = re.compile(r"^ERROR: failed to reproduce '.*': failed to run: ")
REJECT: Final = re.compile(r"^\s*(?P<count>\d+)  (?P<reason>[^(]+?)(?: \((?:such as )?(?P<example>.*)\))?$")
THREADS: Final[Any] = ThreadPoolTaskRunner(max_workers=16)
"""Runs a flow's tasks, which wait for their processes."""
UPDATE_S: Final = 2.0
"""Seconds between two updates of a progress artifact: each is a row in the database."""
DOCTOR: Final = ("pipeline/cli/run_requirements.py", "def unmet_needs")
"""File and definition of the check in a clone; a commit from before it has none."""
PROVIDE: Final = {
    1: "a run works in a clone, which has what is committed and what `dvc pull` brings: `dvc add` what is missing under data/raw, commit the pointer "
       "and `dvc push`, or name an address or an absolute path on the worker in the params; then run again",
    2: "correct the params, commit and push them; then run again",
}
"""What to do about an unmet requirement, by the exit code of `vizinho doctor`."""


@dataclass(frozen=True, slots=True)
class Result:
    """How a stage's task ended.

    Args:
        stage: its DVC address.
        ran: whether its command ran; False if DVC found it up to date or in its run cache.
        seconds: how long it took.
    """

    stage: str
    ran: bool
    seconds: float


def key_of(*parts: str) -> str:
    """Return an artifact's key: "progress", "train@scratch_long" → "progress-train-scratch-long"."""
    return re.sub(r"[^a-z0-9]+", "-", "-".join(parts).lower()).strip("-")


class ProgressArtifact:
    """A stage's own progress bar as a progress artifact, created with the first state of the bar; bars of DVC are ignored."""

    def __init__(self, stage: str) -> None:
        """Prepare the artifact of a stage."""
        self.stage, self.label, self.updated_at, self.percent = stage, stage.replace("_existing", ""), 0.0, -1
        self.artifact: Any = None

    def show(self, progress: Progress) -> None:
        """Show a state of the bar, at most one per two seconds, and always the full bar."""
        now = time.monotonic()
        if progress.label != self.label or progress.percent == self.percent or (progress.percent < 100 and now - self.updated_at < UPDATE_S):
            return
        self.updated_at, self.percent = now, progress.percent
        description = f"{self.stage}: {progress.figures}"
        if self.artifact is None:
            self.artifact = create_progress_artifact(float(progress.percent), key=key_of("progress", self.stage), description=description)
        else:
            update_progress_artifact(self.artifact, float(progress.percent), description=description)

    def complete(self) -> None:
        """Show a bar that was drawn at all as full: a stage may end before its bar is drawn for the last time."""
        if self.artifact is not None and self.percent < 100:
            update_progress_artifact(self.artifact, 100.0)


def lines_of_failure(lines: Sequence[str]) -> list[str]:
    """Return the lines of a failed `dvc repro` without DVC's own last line, where that only repeats that the stage's command failed.

    A stage that DVC does not start, for instance for want of a dependency, is explained by that line alone.
    """
    return [line for line in lines if not FAILED_COMMAND.match(line)]


@task(name="stage", task_run_name="{stage}", cache_policy=NO_CACHE, persist_result=False)
@fail_with_message
def stage_task(space: Workspace, stage: str, reason: str | None) -> State[Result]:
    """Bring a stage up to date and return how its task ends.

    Args:
        space: the run's clone.
        stage: its DVC address.
        reason: why it may be stale; None if it is up to date.

    Raises:
        PipelineError: its command failed; with its last lines.
    """
    if reason is None:
        return Completed(name="Cached", message="up to date", data=Result(stage, False, 0.0))
    if stopping.is_set():
        return Cancelled(message="the run was stopped before this stage began")
    logger, artifact = get_run_logger(), ProgressArtifact(stage)
    logger.info("%s: %s", stage, reason)
    command = dvc_command("--wait-for-lock", "repro", "--single-item", stage)
    done = run(command, space.path, command_environment(space.path), logger.info, artifact.show)
    if done.stopped:
        return Cancelled(message="its processes were stopped with the run")
    if done.code:
        show_failure(stage, done.lines)
        raise PipelineError(stage, last_lines(lines_of_failure(done.lines)))
    artifact.complete()
    skipped = [line for line in done.lines if SKIPPED.match(line)]
    result = Result(stage, not skipped, done.seconds)
    if skipped:
        return Completed(name="Cached", message=skipped[0], data=result)
    return Completed(message=f"{done.seconds:.0f} s", data=result)


def show_failure(stage: str, lines: Collection[str]) -> None:
    """Publish the last lines of a failed stage, and the table of rejected utterances if its error message has one."""
    create_markdown_artifact("\n".join(["```", *lines, "```"]), key=key_of("failure", stage), description=f"{stage} failed: its last lines")
    if rows := parse_rejects(lines):
        create_table_artifact(rows, key=key_of("rejects", stage), description=f"{stage}: rejected utterances by reason")


def parse_rejects(lines: Collection[str]) -> list[dict[str, Any]]:
    """Return the rejected utterances in a stage's error message, a row per reason: reason, utterances, example."""
    errors = [index for index, line in enumerate(lines) if line.startswith("error: ")]
    found = map(REJECT.match, list(lines)[errors[-1] + 1:] if errors else [])
    return [{"reason": row["reason"].strip(), "utterances": int(row["count"]), "example": row["example"] or ""} for row in found if row]


def describe_changes(changes: Any) -> str:
    """Return in one line what `dvc status` reports for a stage."""
    parts = [f"{kind.removeprefix('changed ')}: " + ", ".join(f"{name} {how if isinstance(how, str) else 'changed'}" for name, how in what.items())
             for change in changes if isinstance(change, dict) for kind, what in change.items() if isinstance(what, dict)]
    return "; ".join(parts) or "changed"


def run_stages(space: Workspace, graph: Graph, stages: Collection[str], max_parallel: int | None = None) -> dict[str, Result]:
    """Bring stages up to date and return how each ended; independent stages run in parallel.

    Stages that depend on a stale one are passed to DVC, which checks whether anything changed for them.

    Args:
        space: the run's clone.
        graph: its graph, as it is now.
        stages: the stages to bring up to date.
        max_parallel: most stages at a time, by default one per core; `EXCLUSIVE` ones run alone.

    Raises:
        PipelineError: stages failed; each is named with its last lines. Stages that do not depend on them have still run.
    """
    limit = max_parallel or usable_processors()
    maybe_stale = graph.after([stage for stage in graph.stale if stage in stages])
    waiting = [stage for stage in graph.needs if stage in stages]
    running: dict[PrefectFuture[Any], str] = {}
    ended: queue.Queue[PrefectFuture[Any]] = queue.Queue()
    done: dict[str, Result] = {}
    failures: dict[str, State[Any]] = {}
    stopping.clear()
    try:
        while waiting or running:
            for stage in list(waiting):
                busy = [name for name in running.values() if name in maybe_stale]
                exclusive = any(base(name) in EXCLUSIVE for name in [stage, *busy])
                ready = not graph.needs[stage] & {*waiting, *running.values()}
                if ready and (stage not in maybe_stale or not busy or (len(busy) < limit and not exclusive)):
                    future = stage_task.submit(space, stage, stale_reason(graph, stage, maybe_stale))
                    waiting.remove(stage)
                    running[future] = stage
                    future.add_done_callback(ended.put)
            future = ended.get()
            future.wait()  # its state is final only then
            stage = running.pop(future)
            if future.state.is_completed():
                done[stage] = future.result()
            else:
                failures[stage] = future.state
                waiting = [other for other in waiting if other not in graph.after([stage])]
    except BaseException:  # cancelled or interrupted: a task without its flow would continue to train
        stopping.set()
        for future in running:
            future.wait()
        raise
    if failures:
        messages = [str(state.message) for state in failures.values()]
        raise PipelineError(f"{len(failures)} of {len(stages)} stages", "\n".join(messages), action="fix it and run again: completed stages are kept")
    return done


def check_requirements(space: Workspace, graph: Graph, stages: Collection[str]) -> None:
    """Ask `vizinho doctor`, in a process, whether the stages that may run have what they need; without such stages ask nothing.

    Args:
        space: the run's clone.
        graph: its graph, as it is now.
        stages: the stages to bring up to date.

    Raises:
        FailedRun: params are wrong, or a release, a text, a checkpoint or a GPU is missing.
    """
    stale = graph.after([stage for stage in graph.stale if stage in stages]) & set(stages)
    file, definition = space.path / DOCTOR[0], DOCTOR[1]
    if stale and file.is_file() and definition in file.read_text(encoding="utf-8"):
        require_success(doctor(space, [stage for stage in graph.needs if stage in stale]))


@task(name="doctor", cache_policy=NO_CACHE, persist_result=False)
@fail_with_message
def doctor(space: Workspace, stages: Sequence[str]) -> None:
    """Run `vizinho doctor` for some stages.

    Args:
        space: the run's clone.
        stages: their DVC addresses.

    Raises:
        PipelineError: a requirement is not met, or a param is wrong.
    """
    options = [argument for stage in stages for argument in ("--stage", stage)]
    done = run([sys.executable, "-m", "pipeline.cli", "doctor", *options], space.path, command_environment(space.path))
    if done.code:
        raise PipelineError("vizinho doctor", "stopped" if done.stopped else last_lines(done.lines), action=PROVIDE.get(done.code, ""))


def stale_reason(graph: Graph, stage: str, maybe_stale: Collection[str]) -> str | None:
    """Return why a stage may be stale; None if it is up to date.

    Args:
        graph: the clone's graph.
        stage: the stage.
        maybe_stale: the stale stages and all that depend on them.
    """
    if stage in graph.stale:
        return describe_changes(graph.stale[stage])
    if stage in maybe_stale:
        return "after " + ", ".join(sorted(graph.needs[stage] & set(maybe_stale)))
    return None


def summarise(done: Mapping[str, Result]) -> str:
    """Return how many stages ran, and how long: "3 of 25 stages ran in 812 s"."""
    ran = [result for result in done.values() if result.ran]
    return f"{len(ran)} of {len(done)} stages ran" + (f" in {sum(result.seconds for result in ran):.0f} s" if ran else "")
