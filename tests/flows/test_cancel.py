"""A retraining is cancelled, as the UI's button does, in each of its phases: no process or lock is left, and the next run succeeds."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline.core.files import lock_free
from pipeline.registry.git import git
from pipeline.registry.store import dvc
from tests.flows.http_store import Store, http_store
from tests.flows.service import Service, check, next_generation, run_processes, toy_service, until
from tests.toy_registry import Toy

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

GIT = """#!/bin/sh
case " $* " in *" clone "*) if [ -e "FOLDER/hold-clone" ]; then : > "FOLDER/cloning"; fi; while [ -e "FOLDER/hold-clone" ]; do sleep 0.2; done;; esac
exec GIT "$@"
"""
STAGE = """import pathlib, sys, time
while pathlib.Path("FOLDER", "hold-" + sys.argv[1]).exists():
    print("held", flush=True)
    time.sleep(0.5)
"""


@dataclass(frozen=True, slots=True)
class Held:
    """Server, worker and toy project, whose runs can be held in a phase.

    Args:
        service: server and worker.
        toy: the project.
        store: the project's DVC remote.
        folder: of all.
    """

    service: Service
    toy: Toy
    store: Store
    folder: Path

    def hold(self, phase: str) -> None:
        """Make the next run halt in this phase."""
        if phase == "pull":
            shutil.rmtree(self.toy.path / ".dvc/cache")  # the remote has all files
            self.store.fail("silent", after=0)
        elif phase == "push":
            self.store.fail("silent", after=1)
        else:
            (self.folder / f"hold-{phase}").touch()

    def reached(self, phase: str, run: str) -> bool:
        """Return whether a run is in this phase."""
        match phase:
            case "clone":
                return (self.folder / "cloning").exists()
            case "pull":
                return self.store.failed > 0
            case "push":
                return self.store.cut > 0
            case "approval":
                return self.service.state(run)["name"] == "Suspended"
            case _:
                return "held" in self.service.log(run)

    def release(self) -> None:
        """Hold no phase any more."""
        self.store.fix()
        for file in self.folder.glob("hold-*"):
            file.unlink()

    def locks(self) -> list[str]:
        """Return the locks of runs that a process holds."""
        found = []
        for file in (self.service.folder / "state/work").glob("*"):
            if file.suffix in (".lock", ".run"):
                with open(file) as handle:
                    found += [] if lock_free(handle) else [file.name]
        return found


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Held]:
    folder = tmp_path_factory.mktemp("cancel")
    (folder / "git").write_text(GIT.replace("FOLDER", str(folder)).replace("GIT", str(shutil.which("git"))))
    (folder / "git").chmod(0o755)
    path = os.pathsep.join([str(folder), str(Path(sys.executable).parent), os.environ["PATH"]])
    with http_store(folder / "store") as store:
        def prepared(toy: Toy) -> None:
            config = toy.path / ".dvc/config"
            config.write_text(config.read_text().replace("url = ../../dvc-remote", f"url = {store.url}\n    method = PUT"))
            dvc(toy.path, "push", "--quiet")

        with toy_service(folder / "toy", STAGE.replace("FOLDER", str(folder)), prepared, PATH=path) as (service, toy):
            yield Held(service, toy, store, folder)


@pytest.mark.parametrize("phase", ["clone", "pull", "score", "train", "push", "approval"])
def test_a_cancelled_run_leaves_no_process_and_no_lock_and_the_next_run_succeeds(held: Held, phase: str) -> None:
    service, toy = held.service, held.toy
    next_generation(toy)
    held.hold(phase)
    try:
        run = service.run("retrain/nightly", promote="approve" if phase == "approval" else "never")
        until(lambda: held.reached(phase, run), 180, lambda: f"{service.state(run)}\n{service.log(run)[-3000:]}")
        service.cancel(run)
        service.wait(run, "Cancelled", 90)
        until(lambda: not run_processes(service), 30, lambda: str(run_processes(service)))
        assert held.locks() == []
        assert bool(git(toy.origin, "for-each-ref", f"refs/heads/retrain/*-{run[:8]}")) == (phase == "approval")  # it was pushed before
    finally:
        held.release()
    run = service.run("retrain/nightly", promote="never")
    service.wait(run)
    check(service, toy, run)
