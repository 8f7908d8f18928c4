"""`make ui`: start, a first run, restarts of its parts, errors, and a complete stop."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import yaml

from flows.serve import HOST, alive, check_port, descendants
from pipeline.core.errors import PipelineError
from pipeline.core.files import ROOT
from tests.flows.service import family, free_port, own_code, until
from tests.toy_registry import Toy, build

COMMAND = [sys.executable, "-m", "flows.serve"]


@dataclass(slots=True)
class Started:
    """`make ui`, started in a separate state folder."""

    process: subprocess.Popen[bytes]
    folder: Path
    port: int

    def output(self) -> str:
        return (self.folder / "output").read_text(encoding="utf-8")

    def wait(self, text: str, times: int = 1, seconds: float = 150.0) -> None:
        until(lambda: self.output().count(text) >= times or self.process.poll() is not None, seconds, self.output)
        assert self.output().count(text) >= times, self.output()

    def stop(self, sign: int = signal.SIGINT) -> int:
        self.process.send_signal(sign)
        return self.process.wait(120)


def environment(folder: Path, port: int, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "VIZINHO_", "GIT_"))}
    own = {"VIZINHO_STATE": str(folder / "state"), "PREFECT_SERVER_API_PORT": str(port), "DVC_SITE_CACHE_DIR": str(folder / "site"),
           "DVC_GLOBAL_CONFIG_DIR": str(folder / "config")}
    return kept | own_code() | own | more


@contextmanager
def ui(folder: Path, **more: str) -> Iterator[Started]:
    folder.mkdir(exist_ok=True)
    port = free_port()
    with open(folder / "output", "w", encoding="utf-8") as output:
        process = subprocess.Popen(COMMAND, cwd=ROOT, env=environment(folder, port, **more), stdout=output, stderr=output, start_new_session=True)
    try:
        yield Started(process, folder, port)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        for pid in family(folder):
            os.kill(pid, signal.SIGKILL)


def beside(folder: Path, port: int) -> subprocess.CompletedProcess[str]:
    """Return how a second `make ui` ends."""
    return subprocess.run(COMMAND, cwd=ROOT, env=environment(folder, port), text=True, capture_output=True, timeout=60)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_it_starts_from_an_empty_folder_runs_a_flow_and_stops_completely(tmp_path: Path) -> None:
    build(tmp_path / "toy")
    toy = Toy(tmp_path / "toy")
    for attempt in (1, 2):  # at the second start pool, deployments and automations exist
        with ui(tmp_path / "ui", VIZINHO_REPOSITORY=str(toy.path)) as started:
            started.wait("ready after")
            api = httpx.Client(base_url=f"http://{HOST}:{started.port}/api", timeout=30)
            expected = sorted(f"{Path(found['entrypoint']).stem.partition('.')[0]}/{found['name']}"
                            for found in yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"])
            flows = {flow["id"]: flow["name"] for flow in api.post("/flows/filter", json={}).json()}
            there = api.post("/deployments/filter", json={}).json()
            assert sorted(f"{flows[found['flow_id']]}/{found['name']}" for found in there) == expected
            nightly = next(found for found in there if found["name"] == "nightly")
            assert [(schedule["active"], schedule["schedule"]["timezone"]) for schedule in nightly["schedules"]] == [(False, "Europe/Lisbon")]

            second, other = beside(tmp_path / "ui", started.port), beside(tmp_path / "other", started.port)
            assert (second.returncode, other.returncode) == (0, 1)
            assert f"already running: http://{HOST}:{started.port}" in second.stdout
            assert f"error: port {started.port} of {HOST}: Address already in use; expected a free port" in other.stderr
            assert "Traceback" not in other.stderr

            command = started.output().rpartition("start a run:  ")[2].splitlines()[0]
            done = subprocess.run(command, shell=True, cwd=ROOT,
                                  env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}, text=True, capture_output=True)
            assert done.returncode == 0, done.stderr
            wanted = {"sort": "EXPECTED_START_TIME_ASC", "flow_runs": {"deployment_id": {"any_": [nightly["id"]]}}}
            runs = until(lambda api=api, wanted=wanted: api.post("/flow_runs/filter", json=wanted).json(), 10)
            assert len(runs) == attempt
            until(lambda api=api, wanted=wanted: all(run["start_time"] for run in api.post("/flow_runs/filter", json=wanted).json()), 60,
                  lambda api=api, wanted=wanted: str([run["state"] for run in api.post("/flow_runs/filter", json=wanted).json()]))
            assert started.stop() == 0  # it interrupts the run
            assert started.output().rstrip().endswith("stopped")
            assert "Traceback" not in started.output()
            assert not family(tmp_path / "ui")
            api.close()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_killed_part_is_restarted_and_all_parts_end_with_the_service(tmp_path: Path) -> None:
    with ui(tmp_path / "ui") as started:
        started.wait("ready after")
        time.sleep(31)  # a part that ends sooner is not restarted
        for part, times in (("server start", 1), ("worker start", 1)):
            pid = next(pid for pid, line in family(tmp_path / "ui").items() if part in line)
            os.kill(pid, signal.SIGKILL)
            started.wait(f"the {part.split()[0]} has ended (exit code -9): restarting it", times)
        until(lambda: _answers(started.port), 120)
        os.kill(started.process.pid, signal.SIGKILL)
        started.process.wait()
        until(lambda: not family(tmp_path / "ui"), 60, lambda: str(family(tmp_path / "ui")))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_run_that_is_pending_when_the_machine_is_lost_is_started_by_the_next_service(tmp_path: Path) -> None:
    build(tmp_path / "toy")
    toy = Toy(tmp_path / "toy")
    runs: list[str] = []
    for attempt in (1, 2):
        with ui(tmp_path / "ui", VIZINHO_REPOSITORY=str(toy.path), PREFECT_WORKER_QUERY_SECONDS="2") as started:
            started.wait("ready after", seconds=240)
            with httpx.Client(base_url=f"http://{HOST}:{started.port}/api", timeout=30) as api:
                if attempt == 1:
                    nightly = api.get("/deployments/name/retrain/nightly").json()["id"]
                    runs.append(api.post(f"/deployments/{nightly}/create_flow_run", json={"parameters": {"promote": "never"}}).json()["id"])
                    until(lambda api=api: api.get(f"/flow_runs/{runs[0]}").json()["state_type"] == "PENDING", 60)
                    for pid in family(tmp_path / "ui"):
                        os.kill(pid, signal.SIGKILL)  # the service itself among them
                else:
                    assert "no worker is left for" in started.output()
                    until(lambda api=api: api.get(f"/flow_runs/{runs[0]}").json()["state_type"] == "COMPLETED", 300)


def test_a_port_in_use_is_an_error_with_an_action() -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        with pytest.raises(PipelineError) as raised:
            check_port(taken.getsockname()[1])
    assert "in use" in str(raised.value)
    assert "PREFECT_SERVER_API_PORT=4300 make ui" in str(raised.value)


@pytest.mark.parametrize("port", ["0", "65536", "http"])
def test_an_invalid_port_is_wrong_usage(port: str) -> None:
    done = subprocess.run(COMMAND, cwd=ROOT, env={**os.environ, "PREFECT_SERVER_API_PORT": port}, text=True,
                          capture_output=True)
    assert done.returncode == 2
    assert f"{port}: expected a number from 1 to 65535" in done.stderr


def test_descendants_are_found_and_a_zombie_is_not_alive() -> None:
    with subprocess.Popen([sys.executable, "-c", "import subprocess; subprocess.run(['sleep', '30'])"], start_new_session=True) as parent:
        children = until(lambda: descendants(parent.pid), 10)
        assert [alive(pid) for pid in (parent.pid, *children)] == [True] * (1 + len(children))
        os.killpg(parent.pid, signal.SIGKILL)
        until(lambda: not alive(parent.pid), 10)  # killed and not yet waited for


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://{HOST}:{port}/api/health").is_success
    except httpx.TransportError:
        return False
