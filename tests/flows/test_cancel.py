"""A retraining is cancelled, as the UI's button does, at each kind of its work: nothing is left behind, and the next one goes well."""

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
from tests.flows.service import Service, at_work, check, next_generation, toy_service, until
from tests.toy_registry import Toy

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

GIT = """#!/bin/sh
case " $* " in *" clone "*) if [ -e "PLACE/hold-clone" ]; then : > "PLACE/cloning"; fi; while [ -e "PLACE/hold-clone" ]; do sleep 0.2; done;; esac
exec GIT "$@"
"""
STAGE = """import pathlib, sys, time
while pathlib.Path("PLACE", "hold-" + sys.argv[1]).exists():
    print("held", flush=True)
    time.sleep(0.5)
"""


@dataclass(frozen=True, slots=True)
class Held:
    """Server, worker and toy project, whose work can be held up at a point of it.

    Args:
        store: the project's DVC remote.
    """

    service: Service
    toy: Toy
    store: Store
    place: Path

    def hold(self, work: str) -> None:
        """Have the next run come to a halt at this work."""
        if work == "pull":
            shutil.rmtree(self.toy.path / ".dvc/cache")  # the remote has all of it
            self.store.fail("silent", after=0)
        elif work == "push":
            self.store.fail("silent", after=1)
        else:
            (self.place / f"hold-{work}").touch()

    def reached(self, work: str, run: str) -> bool:
        """Return whether a run is at this work."""
        match work:
            case "clone":
                return (self.place / "cloning").exists()
            case "pull":
                return self.store.failed > 0
            case "push":
                return self.store.cut > 0
            case "leave":
                return self.service.state(run)["name"] == "Suspended"
            case _:
                return "held" in self.service.log(run)

    def go_on(self) -> None:
        """Hold nothing up any more."""
        self.store.mend()
        for file in self.place.glob("hold-*"):
            file.unlink()

    def locks(self) -> list[str]:
        """Return the locks of runs that somebody holds."""
        found = []
        for file in (self.service.place / "state/work").glob("*"):
            if file.suffix in (".lock", ".run"):
                with open(file) as handle:
                    found += [] if lock_free(handle) else [file.name]
        return found


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Held]:
    place = tmp_path_factory.mktemp("cancel")
    (place / "git").write_text(GIT.replace("PLACE", str(place)).replace("GIT", str(shutil.which("git"))))
    (place / "git").chmod(0o755)
    path = os.pathsep.join([str(place), str(Path(sys.executable).parent), os.environ["PATH"]])
    with http_store(place / "store") as store:
        def prepared(toy: Toy) -> None:
            config = toy.path / ".dvc/config"
            config.write_text(config.read_text().replace("url = ../../dvc-remote", f"url = {store.url}\n    method = PUT"))
            dvc(toy.path, "push", "--quiet")

        with toy_service(place / "place", STAGE.replace("PLACE", str(place)), prepared, PATH=path) as (service, toy):
            yield Held(service, toy, store, place)


@pytest.mark.parametrize("work", ["clone", "pull", "score", "train", "push", "leave"])
def test_a_run_that_is_cancelled_leaves_no_process_and_no_lock_and_the_next_one_goes_well(held: Held, work: str) -> None:
    service, toy = held.service, held.toy
    next_generation(toy)
    held.hold(work)
    try:
        run = service.run("retrain/nightly", promote="approve" if work == "leave" else "never")
        until(lambda: held.reached(work, run), 180, lambda: f"{service.state(run)}\n{service.log(run)[-3000:]}")
        service.cancel(run)
        service.wait(run, "Cancelled", 90)
        until(lambda: not at_work(service), 30, lambda: str(at_work(service)))
        assert held.locks() == []
        assert bool(git(toy.origin, "for-each-ref", f"refs/heads/retrain/*-{run[:8]}")) == (work == "leave")  # it was pushed before
    finally:
        held.go_on()
    run = service.run("retrain/nightly", promote="never")
    service.wait(run)
    check(service, toy, run)
