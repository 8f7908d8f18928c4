"""`make ui`: from nothing to a run that can be seen; it stays up, says what is in its way, and leaves nothing behind."""

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
    """`make ui`, started in a state folder of its own."""

    process: subprocess.Popen[bytes]
    place: Path
    port: int

    def said(self) -> str:
        return (self.place / "said").read_text(encoding="utf-8")

    def wait(self, text: str, times: int = 1, seconds: float = 150.0) -> None:
        until(lambda: self.said().count(text) >= times or self.process.poll() is not None, seconds, self.said)
        assert self.said().count(text) >= times, self.said()

    def stop(self, sign: int = signal.SIGINT) -> int:
        self.process.send_signal(sign)
        return self.process.wait(120)


def environment(place: Path, port: int, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "VIZINHO_", "GIT_"))}
    own = {"VIZINHO_STATE": str(place / "state"), "PREFECT_SERVER_API_PORT": str(port), "DVC_SITE_CACHE_DIR": str(place / "site"),
           "DVC_GLOBAL_CONFIG_DIR": str(place / "config")}
    return kept | own_code() | own | more


@contextmanager
def ui(place: Path, **more: str) -> Iterator[Started]:
    place.mkdir(exist_ok=True)
    port = free_port()
    with open(place / "said", "w", encoding="utf-8") as output:
        process = subprocess.Popen(COMMAND, cwd=ROOT, env=environment(place, port, **more), stdout=output, stderr=output, start_new_session=True)
    try:
        yield Started(process, place, port)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        for pid in family(place):
            os.kill(pid, signal.SIGKILL)


def beside(place: Path, port: int) -> subprocess.CompletedProcess[str]:
    """Return how `make ui` ends that is in the way of another."""
    return subprocess.run(COMMAND, cwd=ROOT, env=environment(place, port), text=True, capture_output=True, timeout=60)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_from_nothing_to_a_run_that_can_be_seen_and_back_to_nothing(tmp_path: Path) -> None:
    build(tmp_path / "toy")
    toy = Toy(tmp_path / "toy")
    for attempt in (1, 2):  # the second start finds its pool, deployments and automations
        with ui(tmp_path / "ui", VIZINHO_REPOSITORY=str(toy.path)) as started:
            started.wait("ready after")
            api = httpx.Client(base_url=f"http://{HOST}:{started.port}/api", timeout=30)
            wanted = sorted(f"{Path(found['entrypoint']).stem.partition('.')[0]}/{found['name']}"
                            for found in yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"])
            flows = {flow["id"]: flow["name"] for flow in api.post("/flows/filter", json={}).json()}
            there = api.post("/deployments/filter", json={}).json()
            assert sorted(f"{flows[found['flow_id']]}/{found['name']}" for found in there) == wanted
            nightly = next(found for found in there if found["name"] == "nightly")
            assert [(schedule["active"], schedule["schedule"]["timezone"]) for schedule in nightly["schedules"]] == [(False, "Europe/Lisbon")]

            second, other = beside(tmp_path / "ui", started.port), beside(tmp_path / "other", started.port)
            assert (second.returncode, other.returncode) == (0, 1)
            assert f"it runs already: http://{HOST}:{started.port}" in second.stdout
            assert f"error: port {started.port} of {HOST}: Address already in use; expected a free port" in other.stderr
            assert "Traceback" not in other.stderr

            command = started.said().rpartition("a run:  ")[2].splitlines()[0]
            done = subprocess.run(command, shell=True, cwd=ROOT,
                                  env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}, text=True, capture_output=True)
            assert done.returncode == 0, done.stderr
            runs = api.post("/flow_runs/filter", json={"flow_runs": {"deployment_id": {"any_": [nightly["id"]]}}}).json()
            assert len(runs) == attempt
            until(lambda api=api, run=runs[0]["id"]: api.get(f"/flow_runs/{run}").json()["start_time"], 60)  # while it works:
            assert started.stop() == 0
            assert started.said().rstrip().endswith("stopped")
            assert "Traceback" not in started.said()
            assert not family(tmp_path / "ui")
            api.close()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_what_is_killed_is_started_again_and_with_the_service_itself_all_ends(tmp_path: Path) -> None:
    with ui(tmp_path / "ui") as started:
        started.wait("ready after")
        time.sleep(31)  # what ends at once is not started again
        for part, times in (("server start", 1), ("worker start", 1)):
            pid = next(pid for pid, line in family(tmp_path / "ui").items() if part in line)
            os.kill(pid, signal.SIGKILL)
            started.wait(f"the {part.split()[0]} has ended (exit code -9): started again", times)
        until(lambda: _answers(started.port), 120)
        os.kill(started.process.pid, signal.SIGKILL)
        started.process.wait()
        until(lambda: not family(tmp_path / "ui"), 60, lambda: str(family(tmp_path / "ui")))


def test_a_port_in_use_is_named_with_what_to_do() -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        with pytest.raises(PipelineError) as told:
            check_port(taken.getsockname()[1])
    assert "in use" in str(told.value)
    assert "PREFECT_SERVER_API_PORT=4300 make ui" in str(told.value)


@pytest.mark.parametrize("port", ["0", "65536", "http"])
def test_a_port_that_is_none_is_wrong_usage(port: str) -> None:
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
