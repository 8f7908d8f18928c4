"""Worker, server, disk or another run fails during a retraining: no process is left, and the retried run gives what `dvc repro` gives."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from flows import notify
from flows.serve import descendants
from pipeline.registry.git import git
from pipeline.registry.store import dvc
from tests.flows.service import Service, check, next_generation, run_processes, toy_service, until
from tests.toy_registry import Toy

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

SLOW = """import sys, time, yaml
if sys.argv[1] == "train":
    for second in range(yaml.safe_load(open("params.yaml"))["train"].get("seconds", 0)):
        print("second", second, flush=True)
        time.sleep(1)
"""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Server and worker for the tests of this module, with the toy project as their repository."""
    with toy_service(tmp_path_factory.mktemp("outages"), SLOW) as (started, _):
        yield started


@pytest.fixture
def toy(service: Service) -> Iterator[Toy]:
    """The toy project; after each test no process of a run may be left."""
    yield Toy(service.folder.parent / "toy")
    until(lambda: not run_processes(service), 60, lambda: str(run_processes(service)))


def training(service: Service, run: str) -> bool:
    return "second 2" in service.log(run)


def started(service: Service) -> str:
    """Start a retraining and return it once its training has begun."""
    run = service.run("retrain/nightly", promote="never")
    until(lambda: training(service, run) or service.state(run)["type"] in ("FAILED", "CRASHED"), 120, lambda: service.log(run)[-3000:])
    assert training(service, run), service.log(run)[-3000:]
    return run


def test_the_run_of_a_killed_worker_crashes_and_the_next_worker_resumes_it(service: Service, toy: Toy) -> None:
    next_generation(toy, seconds=15)
    run = started(service)
    assert service.worker.process
    os.kill(service.worker.process.pid, signal.SIGKILL)
    service.worker.process.wait()
    service.wait(run, "Crashed")
    until(lambda: not run_processes(service), 30, lambda: str(run_processes(service)))
    service.worker.start()
    service.retry(run)
    service.wait(run)
    check(service, toy, run)


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGINT])
def test_a_run_waits_for_a_server_that_restarts(service: Service, toy: Toy, sign: signal.Signals) -> None:
    next_generation(toy, seconds=15)
    run = started(service)
    assert service.state(run)["state_details"]["deployment_concurrency_lease_id"] is None, "a lease that a restarted server refuses ends the run"
    assert service.server.process
    os.killpg(service.server.process.pid, sign)
    service.server.process.wait(60)
    time.sleep(15)  # the training ends meanwhile
    service.server.start()
    service.wait(run)
    assert set(service.tasks(run).values()) <= {"Completed", "Cached"}
    check(service, toy, run)
    next_generation(toy)
    run = service.run("retrain/nightly", promote="never")  # the worker is connected again
    service.wait(run)


def test_of_two_simultaneous_retrainings_one_waits(service: Service, toy: Toy) -> None:
    next_generation(toy, seconds=10)
    runs = [service.run("retrain/nightly", promote="never") for _ in range(2)]
    seen: set[tuple[str, ...]] = set()

    def ended() -> bool:
        names = tuple(sorted(service.state(run)["name"] for run in runs))
        seen.add(names)
        return names == ("Completed", "Completed")

    until(ended, 240, lambda: str(seen))
    assert {("Running", "Scheduled"), ("Late", "Running")} & seen
    assert ("Running", "Running") not in seen
    for run in runs:
        check(service, toy, run)


def test_a_run_that_awaits_approval_does_not_block_the_next_run(service: Service, toy: Toy) -> None:
    next_generation(toy)
    waiting = service.run("retrain/nightly", promote="approve")
    service.wait(waiting, "Suspended")
    next_generation(toy)
    run = service.run("retrain/nightly", promote="never")
    service.wait(run)
    service.answer(waiting, {"decision": "reject", "by": "Ana Reis", "reason": "the next one is better"})
    service.wait(waiting, "Rejected")


def test_an_engineer_can_run_dvc_repro_at_the_same_time(service: Service, toy: Toy) -> None:
    next_generation(toy, seconds=12)
    run = started(service)
    dvc(toy.path, "repro", "--quiet")  # in the checkout whose cache the run uses
    assert service.state(run)["type"] in ("RUNNING", "COMPLETED")
    service.wait(run)
    check(service, toy, run)
    branch = service.branch(run)
    toy.git("fetch", "--quiet", "origin", branch)
    toy.git("checkout", "--quiet", "FETCH_HEAD", "--", "params.yaml")  # with the gate index that the flow has set
    dvc(toy.path, "repro", "--quiet")
    assert git(toy.origin, "show", f"{branch}:dvc.lock") == (toy.path / "dvc.lock").read_text().rstrip("\n")
    toy.git("reset", "--quiet", "--hard")


def test_the_stage_of_a_killed_flow_ends_with_it_and_the_retried_run_succeeds(service: Service, toy: Toy) -> None:
    next_generation(toy, seconds=15)
    run = started(service)
    flow, = (pid for pid, line in run_processes(service).items() if "prefect.flow_engine" in line or "prefect.engine" in line)
    os.kill(flow, signal.SIGKILL)
    service.wait(run, "Crashed")
    until(lambda: not run_processes(service), 30, lambda: str(run_processes(service)))
    service.retry(run)
    service.wait(run)
    check(service, toy, run)


def test_a_killed_training_is_a_failed_task_and_is_not_retried_automatically(service: Service, toy: Toy) -> None:
    next_generation(toy, seconds=15)
    run = started(service)
    stage = max(pid for pid, line in run_processes(service).items() if line.rstrip().endswith("make.py train"))
    os.kill(stage, signal.SIGKILL)
    service.wait(run, "Failed")
    assert "train@transfer" in service.state(run)["message"] and "second 2" in service.state(run)["message"]
    assert service.log(run).count("second 1\n") == 1 and service.tasks(run)["train@transfer"] == "Failed"
    until(lambda: not run_processes(service), 30, lambda: str(run_processes(service)))
    service.retry(run)
    service.wait(run)
    check(service, toy, run)


def test_a_git_remote_that_rejects_loses_nothing_and_the_retried_run_pushes(service: Service, toy: Toy) -> None:
    hook = toy.origin / "hooks/pre-receive"
    next_generation(toy)
    hook.write_text("#!/bin/sh\necho 'retrain branches are frozen' >&2\nexit 1\n")
    hook.chmod(0o755)
    try:
        run = service.run("retrain/nightly", promote="never")
        service.wait(run, "Failed")
    finally:
        hook.unlink()
    assert "retrain branches are frozen" in service.state(run)["message"]
    service.retry(run)
    service.wait(run)
    assert service.log(run).count("train@transfer: ") == 1, "completed stages do not run again"
    check(service, toy, run)


@contextmanager
def strand_after(service: Service, seconds: float) -> Iterator[None]:
    """Shorten the time after which a run without a worker is ended."""
    found = [one for one in service.post("/automations/filter", {}) if one["name"] in (notify.STRANDED, notify.UNCANCELLED)]
    kept = found[0]["trigger"]["within"]
    for within in (seconds, kept):
        for one in found:
            one["trigger"]["within"] = within
            service.put(f"/automations/{one['id']}", {key: one[key] for key in ("name", "description", "enabled", "trigger", "actions")})
        time.sleep(3)  # the server reloads changed automations periodically
        if within == seconds:
            yield


def lose_machine(service: Service, *, server: bool) -> None:
    """Kill the worker with all processes of its runs, and optionally the server, at once."""
    assert service.worker.process and service.server.process
    for pid in {service.worker.process.pid, *descendants(service.worker.process.pid)}:
        os.kill(pid, signal.SIGKILL)
    if server:
        os.killpg(service.server.process.pid, signal.SIGKILL)
        service.server.process.wait()
    service.worker.process.wait()


@pytest.mark.parametrize("server", [False, True], ids=["worker", "worker and server"])
@pytest.mark.parametrize("cancelled", [False, True], ids=["pending", "cancelling"])
def test_a_run_whose_machine_is_lost_before_it_starts_or_while_it_is_cancelled_ends_and_blocks_no_other(
        service: Service, toy: Toy, server: bool, cancelled: bool) -> None:
    next_generation(toy, seconds=60 if cancelled else 0)
    with strand_after(service, 30):
        if cancelled:
            run = started(service)
            os.kill(service.worker.process.pid, signal.SIGSTOP)  # type: ignore[union-attr]
            service.cancel(run)
        else:
            run = service.run("retrain/nightly", promote="never")
        until(lambda: service.state(run)["type"] == ("CANCELLING" if cancelled else "PENDING"), 60, lambda: str(service.state(run)))
        time.sleep(2)  # the server processes its events
        lose_machine(service, server=server)
        if server:
            service.server.start()
        service.worker.start()
        ended = until(lambda: (state := service.state(run))["type"] in ("CRASHED", "CANCELLED") and state, 120, lambda: str(service.state(run)))
    assert ended["type"] == ("CANCELLED" if cancelled else "CRASHED") and "is gone" in ended["message"], ended
    next_generation(toy)
    other = service.run("retrain/nightly", promote="never")
    service.wait(other)
    if not cancelled:
        service.retry(run)
        service.wait(run)
        check(service, toy, run)


@pytest.fixture
def small_disk(service: Service) -> Iterator[Path]:
    """Mount a disk of 4 MB for the clones; return its folder."""
    work = Path(service.environment["VIZINHO_STATE"]) / "work"
    work.mkdir(parents=True, exist_ok=True)
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(work)], capture_output=True).returncode:
        pytest.skip("no permission to mount a small disk")
    yield work
    until(lambda: not run_processes(service), 60)
    subprocess.run(["umount", "--lazy", str(work)], check=True)


def fill(disk: Path) -> Path:
    """Fill the disk with a file; return it."""
    filler = disk / "filler"
    done = subprocess.run(["dd", "if=/dev/zero", f"of={filler}", "bs=4096"], text=True, capture_output=True, env={**os.environ, "LC_ALL": "C"})
    assert "No space left on device" in done.stderr
    return filler


def grow(disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=200m", str(disk)], check=True)


def test_a_full_disk_is_named_and_the_next_run_succeeds_once_there_is_room(service: Service, toy: Toy, small_disk: Path) -> None:
    next_generation(toy)
    filler = fill(small_disk)
    run = service.run("retrain/nightly", promote="never")
    service.wait(run, "Failed")
    assert "No space left on device" in service.state(run)["message"] + service.log(run)
    assert "Traceback" not in service.state(run)["message"]
    filler.unlink()
    grow(small_disk)
    run = service.run("retrain/nightly", promote="never")
    service.wait(run)
    check(service, toy, run)


def test_a_disk_that_fills_up_during_a_stage_fails_that_stage_and_the_retried_run_succeeds(
        service: Service, toy: Toy, small_disk: Path) -> None:
    grow(small_disk)
    next_generation(toy, seconds=8)
    run = started(service)
    filler = fill(small_disk)
    service.wait(run, "Failed")
    assert "train@transfer" in service.state(run)["message"] and "No space left on device" in service.state(run)["message"]
    assert service.tasks(run)["train@transfer"] == "Failed"
    assert git(toy.origin, "for-each-ref", f"refs/heads/{service.branch(run)}") == ""
    filler.unlink()
    service.retry(run)
    service.wait(run)
    check(service, toy, run)
