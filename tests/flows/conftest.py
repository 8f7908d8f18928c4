"""A Prefect server per session, and the toy project (tests/toy_registry.py) as the repository of the flows."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId, LogFilter, LogFilterFlowRunId
from prefect.states import State
from prefect.testing.utilities import prefect_test_harness

from tests.toy_registry import Toy, built, own_state


@pytest.fixture(scope="session")
def server() -> Iterator[None]:
    """Run a Prefect server with a separate database."""
    with prefect_test_harness(server_startup_timeout=240):
        yield


@pytest.fixture
def toy(server: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Toy:
    """The toy project with a pushed run of generation 1, as the repository of the flows, with a separate state folder."""
    own_state(monkeypatch, tmp_path)
    shutil.copytree(built("run"), tmp_path / "toy")
    monkeypatch.setenv("VIZINHO_REPOSITORY", str(tmp_path / "toy/clone"))
    return Toy(tmp_path / "toy")


def change(toy: Toy, **params: Any) -> str:
    """Commit changed params, `section__key=value`, to main without running anything, and push them."""
    file = toy.path / "params.yaml"
    values = yaml.safe_load(file.read_text())
    for name, value in params.items():
        section, _, key = name.partition("__")
        values[section][key] = value
    file.write_text(yaml.safe_dump(values))
    commit = toy.commit("Change params")
    toy.git("push", "--quiet", "origin", "main")
    return commit


def edit(toy: Toy, stage: str, line: str) -> None:
    """Prepend a line of Python to a stage of the toy's pipeline, on main."""
    file = toy.path / "dvc.yaml"
    pipeline = yaml.safe_load(file.read_text())
    body = pipeline["stages"][stage]
    body = body.get("do", body)
    (toy.path / f"{stage}_first.py").write_text(line + "\n")
    body["cmd"] = [f"{sys.executable} {stage}_first.py", body["cmd"]] if isinstance(body["cmd"], str) else body["cmd"]
    file.write_text(yaml.safe_dump(pipeline, sort_keys=False))
    toy.commit(f"Edit {stage}")
    toy.git("push", "--quiet", "origin", "main")


class Run:
    """A finished flow run, as its server has stored it."""

    def __init__(self, state: State[Any]) -> None:
        self.state = state
        self.id = state.state_details.flow_run_id
        self.lines = self._log()
        with get_client(sync_client=True) as client:
            self.run = client.read_flow_run(self.id)
            only = FlowRunFilter(id=FlowRunFilterId(any_=[self.id]))
            until = time.monotonic() + 60
            tasks = client.read_task_runs(flow_run_filter=only)
            while not all(task.state and task.state.is_final() for task in tasks):
                assert time.monotonic() < until  # a task's states arrive as events, with a delay
                time.sleep(0.2)
                tasks = client.read_task_runs(flow_run_filter=only)
            self.tasks = {task.name: task for task in tasks}
            self.artifacts = {artifact.key: artifact for artifact in client.read_artifacts(flow_run_filter=only)}

    @property
    def outcome(self) -> dict[str, Any]:
        found: dict[str, Any] = self.state.result()
        return found

    def states(self) -> dict[str, str]:
        """Return the state of each task by its name; a stage's task has the name of the stage."""
        return {name: str(task.state_name) for name, task in self.tasks.items()}

    def _log(self) -> list[str]:
        """Return the run's log lines once the last one has arrived; they are sent in batches."""
        only = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[self.id]))
        until = time.monotonic() + 60
        with get_client(sync_client=True) as client:
            while time.monotonic() < until:
                found = []
                while page := client.read_logs(only, limit=200, offset=len(found)):
                    found += page
                if any(log.task_run_id is None and log.message.startswith("Finished in state") for log in found):
                    return [log.message for log in found]
                time.sleep(0.2)
        raise AssertionError(f"the log of {self.id} is incomplete")


@pytest.fixture
def started(server: None) -> Callable[..., Run]:
    """Return a function that runs a flow to its end."""
    return lambda flow, **parameters: Run(flow(return_state=True, **parameters))


def children() -> set[int]:
    """Return the ids of the processes that descend from this one."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(stat.parent.name)] = int(fields[1])
    found = {os.getpid()}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {os.getpid()}
