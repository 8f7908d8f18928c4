"""A real Prefect server, optionally with a worker, for tests: the parts of flows/serve.py on a free port and in a separate folder."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from flows import serve
from flows.register import POOL
from pipeline.core.files import ROOT
from pipeline.registry.git import git
from pipeline.registry.store import dvc
from tests.toy_registry import Toy, build, own_state

FINAL = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")


def free_port() -> int:
    with socket.socket() as trial:
        trial.bind((serve.HOST, 0))
        return int(trial.getsockname()[1])


@dataclass(slots=True)
class Service:
    """Server and worker, and the API calls of the tests.

    Args:
        folder: of its home, state and logs.
        environment: of both.
        server: the server.
        worker: the worker.
        api: client of the server.
    """

    folder: Path
    environment: dict[str, str]
    server: serve.Part
    worker: serve.Part
    api: httpx.Client = field(default_factory=httpx.Client)

    def post(self, path: str, body: Any = None) -> Any:
        return self._ask("POST", path, json=body)

    def put(self, path: str, body: Any) -> Any:
        return self._ask("PUT", path, json=body)

    def get(self, path: str) -> Any:
        return self._ask("GET", path)

    def _ask(self, method: str, path: str, **given: Any) -> Any:
        """Return an answer; a server that is away or busy (503) is retried, as Prefect's own client does."""
        def try_once() -> list[httpx.Response]:
            with suppress(httpx.TransportError):
                found = self.api.request(method, path, **given)
                return [found] if found.status_code != 503 else []
            return []

        answer = until(try_once, 120)[0]
        assert answer.is_success, f"{path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def register(self, **more: str) -> None:
        """Run `python -m flows.register`."""
        done = subprocess.run([sys.executable, "-m", "flows.register"], cwd=ROOT, env={**self.environment, **more}, text=True, capture_output=True)
        assert done.returncode == 0, done.stderr + done.stdout

    def run(self, deployment: str, **parameters: Any) -> str:
        """Start a deployment, as the UI's button *Run* does; return the flow run's id."""
        found = self.get(f"/deployments/name/{deployment}")
        return str(self.post(f"/deployments/{found['id']}/create_flow_run", {"parameters": parameters})["id"])

    def state(self, run: str) -> dict[str, Any]:
        found: dict[str, Any] = self.get(f"/flow_runs/{run}")["state"]
        return found

    def wait(self, run: str, name: str = "Completed", seconds: float = 240.0) -> dict[str, Any]:
        """Return the run's state once it has this name.

        Raises:
            AssertionError: it ends in another state, or does not reach this one in time.
        """
        def details() -> str:
            return f"{self.state(run)}\n{self.log(run)[-4000:]}"

        def reached() -> Any:
            state = self.state(run)
            return state if state["name"] == name or state["type"] in FINAL else None

        found: dict[str, Any] = until(reached, seconds, details)
        assert found["name"] == name, details()
        return found

    def retry(self, run: str) -> None:
        """Start a run that has ended again, as the UI's button *Retry* does."""
        answer = self.post(f"/flow_runs/{run}/set_state", {"state": {"type": "SCHEDULED", "name": "AwaitingRetry"}, "force": True})
        assert answer["status"] == "ACCEPT", answer

    def answer(self, run: str, answer: dict[str, str]) -> None:
        """Answer a run's approval request, as the UI's form does."""
        result = self.post(f"/flow_runs/{run}/resume", {"run_input": answer})
        assert result["status"] == "ACCEPT", result

    def cancel(self, run: str) -> None:
        """Cancel a run, as the UI's button does."""
        self.post(f"/flow_runs/{run}/set_state", {"state": {"type": "CANCELLING", "name": "Cancelling"}})

    def log(self, run: str) -> str:
        """Return the run's whole log, as the UI shows it."""
        found, page = [], 200
        while True:
            query = {"logs": {"flow_run_id": {"any_": [run]}}, "limit": page, "offset": len(found), "sort": "TIMESTAMP_ASC"}
            lines = self.post("/logs/filter", query)
            found += [line["message"] for line in lines]
            if len(lines) < page:
                return "\n".join(found)

    def branch(self, run: str) -> str:
        """Return the branch that a retraining pushes to."""
        return f"retrain/{self.get(f'/flow_runs/{run}')['expected_start_time'][:10]}-{run[:8]}"

    def artifacts(self, run: str) -> dict[str, str]:
        """Return the artifacts of a run by their keys."""
        found = self.post("/artifacts/filter", {"artifacts": {"flow_run_id": {"any_": [run]}}, "limit": 200, "sort": "UPDATED_DESC"})
        return {artifact["key"]: str(artifact["data"]) for artifact in reversed(found)}

    def tasks(self, run: str) -> dict[str, str]:
        """Return each task run's state by name."""
        found = self.post("/task_runs/filter", {"task_runs": {"flow_run_id": {"any_": [run]}}, "limit": 200})
        return {task["name"]: task["state_name"] for task in found}


def own_code() -> dict[str, str]:
    """Return the environment that imports this checkout's modules first."""
    return {"PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])}


def until(ready: Callable[[], Any], seconds: float, details: Callable[[], str] = str) -> Any:
    """Return the first true value of `ready`.

    Raises:
        AssertionError: there was none in time; with `details`.
    """
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := ready():
            return found
        time.sleep(0.2)
    raise AssertionError(f"not within {seconds:g} s: {details()}")


def prepare(folder: Path, **more: str) -> Service:
    """Return a service whose parts are not started yet.

    Args:
        folder: of the service.
        more: additions to its environment.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    url = f"http://{serve.HOST}:{port}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VIZINHO_STATE", str(folder / "state"))
        for name in [name for name in os.environ if name.startswith(("PREFECT_", "VIZINHO_NOTIFY", "GIT_"))]:
            patch.delenv(name)
        environment = {**serve.environment_of(folder / "home", url), **own_code(), "DVC_SITE_CACHE_DIR": str(folder / "site"),
                       "DVC_GLOBAL_CONFIG_DIR": str(folder / "config"), **more}
    server = serve.Part("server", ("server", "start", "--host", serve.HOST, "--port", str(port), "--log-level", "WARNING"), environment,
                        folder / "server.log")
    worker = serve.Part("worker", ("worker", "start", "--pool", POOL, "--type", "process"), environment, folder / "worker.log")
    auth = tuple(environment["PREFECT_API_AUTH_STRING"].split(":", 1)) if "PREFECT_API_AUTH_STRING" in environment else None
    return Service(folder, environment, server, worker, httpx.Client(base_url=f"{url}/api", timeout=30, auth=auth))


@contextmanager
def running(service: Service, *, worker: bool) -> Iterator[Service]:
    """Yield the running service, with a worker also the registered deployments; end it afterwards."""
    try:
        service.server.start()
        serve.wait_for(service.server, str(service.api.base_url).removesuffix("/api/"))
        if worker:
            service.register()
            watch = service.get("/deployments/name/watch/hourly")["id"]
            service.post(f"/deployments/{watch}/pause_deployment")  # its schedule must not start it during a test
            service.worker.start()
        yield service
    finally:
        service.worker.stop()
        service.server.stop()
        service.api.close()


@contextmanager
def toy_service(folder: Path, first: str = "", prepared: Callable[[Toy], object] = lambda toy: None, **more: str) -> Iterator[tuple[Service, Toy]]:
    """Yield server and worker, and the pushed toy project that they work on.

    Args:
        folder: of both.
        first: Python that every stage of the project runs first.
        prepared: changes the project before the service starts.
        more: additions to the service's environment.
    """
    with pytest.MonkeyPatch.context() as patch:
        own_state(patch, folder)
        folder.mkdir(parents=True, exist_ok=True)
        build(folder / "toy")
        toy = Toy(folder / "toy")
        make = toy.path / "make.py"
        make.write_text(first + make.read_text())
        prepared(toy)
        toy.commit("Prepare for the tests")
        toy.git("push", "--quiet", "origin", "main")
        own = {"VIZINHO_REPOSITORY": str(toy.path), "PREFECT_WORKER_QUERY_SECONDS": "2"}
        with running(prepare(folder / "service", **(own | more)), worker=True) as service:
            yield service, toy


def family(folder: Path) -> dict[int, str]:
    """Return the processes of a folder's service by id: those with its path in their environment."""
    found = {}
    for process in Path("/proc").iterdir():
        if process.name.isdecimal() and int(process.name) != os.getpid():
            with suppress(OSError):
                if str(folder).encode() in (process / "environ").read_bytes() and (line := (process / "cmdline").read_bytes()):
                    found[int(process.name)] = line.replace(b"\0", b" ").decode(errors="replace")
    return found


def run_processes(service: Service) -> dict[int, str]:
    """Return the service's processes that are neither server nor worker: those of flow runs."""
    return {pid: line for pid, line in family(service.folder).items() if "prefect server start" not in line and "prefect worker start" not in line
            and "prefect.server.api.server" not in line}


def next_generation(toy: Toy, seconds: int = 0) -> int:
    """Commit the next generation to main and return its number.

    Args:
        toy: the toy project.
        seconds: how long its training takes.
    """
    toy.git("pull", "--quiet", "--ff-only", "origin", "main")  # a promotion may have moved it
    params = yaml.safe_load((toy.path / "params.yaml").read_text())
    params["train"] = {"generation": params["train"]["generation"] + 1, "seconds": seconds}
    (toy.path / "params.yaml").write_text(yaml.safe_dump(params))
    toy.commit(f"Train generation {params['train']['generation']}")
    toy.git("push", "--quiet", "origin", "HEAD:main")
    return int(params["train"]["generation"])


def check(service: Service, toy: Toy, run: str) -> None:
    """Check that a run commit equals what `dvc repro` makes of the same params in a clone with a separate cache, and that all its stages
    are up to date.
    """
    branch = service.branch(run)
    manual = toy.clone(f"manual-{run[:8]}")
    imported = [name for name in manual.git("ls-tree", "-r", "--name-only", f"origin/{branch}").splitlines() if name.endswith(".dvc")]
    manual.git("checkout", "--quiet", f"origin/{branch}", "--", "params.yaml", *imported)  # with the gate index that the flow has set
    if imported:
        dvc(manual.path, "pull", "--quiet", *imported)
    dvc(manual.path, "repro", "--quiet")
    for file in ("dvc.lock", "data/score/transfer.json", "data/gate/verdict.json"):
        assert git(toy.origin, "show", f"{branch}:{file}") == (manual.path / file).read_text().rstrip("\n"), file
    manual.git("checkout", "--quiet", "--force", f"origin/{branch}")
    done = subprocess.run([sys.executable, "-m", "dvc", "repro"], cwd=manual.path, text=True, capture_output=True, check=True)
    assert "Running stage" not in done.stdout + done.stderr
    shutil.rmtree(manual.path)
