"""Worker, server, disk and neighbours fail while a retraining is at work: nothing is left behind, and the same run, started again where
it has ended, comes to what an undisturbed `dvc repro` comes to."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from pipeline.registry.git import git
from pipeline.registry.store import dvc
from tests.flows.service import Service, family, prepare, running, until
from tests.toy_registry import Toy, build, own_state

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

SLOW = """import sys, time, yaml
if sys.argv[1] == "train":
    for second in range(yaml.safe_load(open("params.yaml"))["train"].get("seconds", 0)):
        print("second", second, flush=True)
        time.sleep(1)
"""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Server and worker for the tests of this module; their repository is the toy project."""
    place = tmp_path_factory.mktemp("outages")
    with pytest.MonkeyPatch.context() as patch:
        own_state(patch, place)
        build(place / "toy")
        toy = Toy(place / "toy")
        make = toy.path / "make.py"
        make.write_text(SLOW + make.read_text())
        with running(prepare(place / "service", VIZINHO_REPOSITORY=str(toy.path)), worker=True) as started:
            yield started


@pytest.fixture
def toy(service: Service) -> Iterator[Toy]:
    """The toy project; after each test nothing of a run may be left."""
    yield Toy(service.place.parent / "toy")
    until(lambda: not at_work(service), 60, lambda: str(at_work(service)))


def at_work(service: Service) -> dict[int, str]:
    """Return the processes that are neither server nor worker."""
    return {pid: line for pid, line in family(service.place).items() if "prefect server start" not in line and "prefect worker start" not in line
            and "prefect.server.api.server" not in line}


def change(toy: Toy, seconds: int = 0) -> int:
    """Commit a next generation to main, whose training takes so many seconds; return its number."""
    params = yaml.safe_load((toy.path / "params.yaml").read_text())
    params["train"] = {"generation": params["train"]["generation"] + 1, "seconds": seconds}
    (toy.path / "params.yaml").write_text(yaml.safe_dump(params))
    toy.commit(f"Ask for generation {params['train']['generation']}")
    toy.git("push", "--quiet", "origin", "HEAD:main")
    return int(params["train"]["generation"])


def training(service: Service, run: str) -> bool:
    return "second 2" in service.log(run)


def started(service: Service) -> str:
    """Start a retraining and return it once its training is at work."""
    run = service.run("retrain/nightly", promote="never")
    until(lambda: training(service, run) or service.state(run)["type"] in ("FAILED", "CRASHED"), 120, lambda: service.log(run)[-3000:])
    assert training(service, run), service.log(run)[-3000:]
    return run


def check(service: Service, toy: Toy, run: str) -> None:
    """Check that a run's commit is what `dvc repro` by hand makes of the same params, in a clone with a cache of its own, and that there
    is nothing to do on it."""
    found = service.get(f"/flow_runs/{run}")
    branch = f"retrain/{found['expected_start_time'][:10]}-{run[:8]}"
    by_hand = toy.clone(f"by-hand-{run[:8]}")
    by_hand.git("checkout", "--quiet", f"origin/{branch}", "--", "params.yaml")  # with the place in the period that the flow has taken
    dvc(by_hand.path, "repro", "--quiet")
    for file in ("dvc.lock", "data/score/transfer.json", "data/gate/verdict.json"):
        assert git(toy.origin, "show", f"{branch}:{file}") == (by_hand.path / file).read_text().rstrip("\n"), file
    by_hand.git("checkout", "--quiet", "--force", f"origin/{branch}")
    done = subprocess.run([sys.executable, "-m", "dvc", "repro"], cwd=by_hand.path, text=True, capture_output=True, check=True)
    assert "Running stage" not in done.stdout + done.stderr
    shutil.rmtree(by_hand.path)


def test_a_killed_worker_takes_its_run_along_and_the_next_worker_takes_it_up_again(service: Service, toy: Toy) -> None:
    change(toy, seconds=15)
    run = started(service)
    assert service.worker.process
    os.kill(service.worker.process.pid, signal.SIGKILL)
    service.worker.process.wait()
    service.wait(run, "Crashed")
    until(lambda: not at_work(service), 30, lambda: str(at_work(service)))
    service.worker.start()
    service.again(run)
    service.wait(run)
    check(service, toy, run)


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGINT])
def test_a_server_that_goes_and_comes_back_is_waited_for(service: Service, toy: Toy, sign: signal.Signals) -> None:
    change(toy, seconds=15)
    run = started(service)
    assert service.server.process
    os.killpg(service.server.process.pid, sign)
    service.server.process.wait(60)
    time.sleep(15)  # the training ends without it
    service.server.start()
    service.wait(run)
    assert set(service.tasks(run).values()) <= {"Completed", "Cached"}
    check(service, toy, run)
    change(toy)
    run = service.run("retrain/nightly", promote="never")  # and the worker has found it again
    service.wait(run)


def test_of_two_retrainings_at_once_one_waits(service: Service, toy: Toy) -> None:
    change(toy, seconds=10)
    runs = [service.run("retrain/nightly", promote="never") for _ in range(2)]
    seen: set[tuple[str, ...]] = set()

    def ended() -> bool:
        names = tuple(sorted(service.state(run)["name"] for run in runs))
        seen.add(names)
        return names == ("Completed", "Completed")

    until(ended, 240, lambda: str(seen))
    assert ("AwaitingConcurrencySlot", "Running") in seen
    assert ("Running", "Running") not in seen
    for run in runs:
        check(service, toy, run)


def test_a_run_that_waits_for_leave_lets_the_next_one_go(service: Service, toy: Toy) -> None:
    change(toy)
    waiting = service.run("retrain/nightly", promote="approve")
    service.wait(waiting, "Suspended")
    change(toy)
    run = service.run("retrain/nightly", promote="never")
    service.wait(run)
    answer = {"decision": "leave", "by": "Ana Reis", "reason": "the next one is better"}
    service.post(f"/flow_runs/{waiting}/resume", {"run_input": answer})
    service.wait(waiting, "Refused")


def test_a_cancelled_run_leaves_no_process_and_no_lock(service: Service, toy: Toy) -> None:
    change(toy, seconds=60)
    run = started(service)
    service.post(f"/flow_runs/{run}/set_state", {"state": {"type": "CANCELLING", "name": "Cancelling"}})
    service.wait(run, "Cancelled")
    until(lambda: not at_work(service), 30, lambda: str(at_work(service)))
    assert service.tasks(run)["train@transfer"] in ("Cancelled", "Crashed")
    change(toy, seconds=1)
    run = service.run("retrain/nightly", promote="never")
    service.wait(run)
    check(service, toy, run)


def test_an_engineer_may_reproduce_beside_it(service: Service, toy: Toy) -> None:
    change(toy, seconds=12)
    run = started(service)
    dvc(toy.path, "repro", "--quiet")  # in the checkout whose cache the run uses
    assert service.state(run)["type"] in ("RUNNING", "COMPLETED")
    service.wait(run)
    check(service, toy, run)
    branch = f"retrain/{service.get(f'/flow_runs/{run}')['expected_start_time'][:10]}-{run[:8]}"
    toy.git("fetch", "--quiet", "origin", branch)
    toy.git("checkout", "--quiet", "FETCH_HEAD", "--", "params.yaml")  # with the place in the period that the flow has taken
    dvc(toy.path, "repro", "--quiet")
    assert git(toy.origin, "show", f"{branch}:dvc.lock") == (toy.path / "dvc.lock").read_text().rstrip("\n")
    toy.git("reset", "--quiet", "--hard")


def test_a_full_disk_is_named_and_once_there_is_room_the_run_ends_well(service: Service, toy: Toy) -> None:
    work = Path(service.environment["VIZINHO_STATE"]) / "work"
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(work)], capture_output=True).returncode:
        pytest.skip("no leave to mount a small disk")
    try:
        change(toy)
        filler = work / "filler"
        with pytest.raises(OSError):
            filler.write_bytes(b"0" * 5_000_000)
        run = service.run("retrain/nightly", promote="never")
        service.wait(run, "Failed")
        assert "No space left on device" in service.state(run)["message"] + service.log(run)
        assert "Traceback" not in service.state(run)["message"]
        filler.unlink()
        subprocess.run(["mount", "-o", "remount,size=200m", str(work)], check=True)
        run = service.run("retrain/nightly", promote="never")
        service.wait(run)
        check(service, toy, run)
    finally:
        until(lambda: not at_work(service), 60)
        subprocess.run(["umount", "--lazy", str(work)], check=True)
