"""What a flow costs over bare `dvc repro`: where all is up to date, and where all has to be made, trainings included.

    python -m benchmarks.overhead [CACHED]

The pipeline at a size for tests, a real server, one worker, a bare Git remote and a local DVC remote. First every stage from nothing,
by hand in a clone with a cache of its own and then by `retrain/nightly`; then both in turn CACHED times (by default 3) on the commit
that the run has made. Seconds on the clock: compare them only where the load is alike.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

from benchmarks.soak import layout
from tests.flows.service import Service, prepare, running
from tests.small_run import dvc

ROW = "{:<14} {:>10} {:>10} {:>10} {:>12} {:>10}"


def by_hand(folder: Path) -> float:
    """Return the seconds that `dvc repro` takes."""
    began = time.monotonic()
    done = dvc(folder, "repro")
    assert done.returncode == 0, done.stdout[-3000:]
    return time.monotonic() - began


def by_flow(service: Service) -> tuple[str, float, float]:
    """Return a retraining, the seconds of its flow from begin to end, and those from the button to the end."""
    began = time.monotonic()
    run = service.run("retrain/nightly", promote="never")
    service.wait(run, seconds=3600)
    waited = time.monotonic() - began
    found = service.get(f"/flow_runs/{run}")
    flow = (datetime.fromisoformat(found["end_time"]) - datetime.fromisoformat(found["start_time"])).total_seconds()
    return run, flow, waited


def row(what: str, hand: float, flow: float, button: float) -> float:
    """Print a row and return the flow's seconds beyond those by hand."""
    beyond = flow - hand
    print(ROW.format(what, *(f"{figure:.1f}" for figure in (hand, flow, beyond, 100 * beyond / hand, button - hand))), flush=True)
    return beyond


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", *words], cwd=folder, check=True)


def main() -> None:
    """Print a row a comparison."""
    cached = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        project = layout(place)
        git(place, "clone", "--quiet", "remote.git", "bare")
        print(f"{len(os.sched_getaffinity(0))} cores, load {os.getloadavg()[0]:.1f}")
        print(ROW.format("", "by hand s", "flow s", "beyond s", "beyond %", "button s"), flush=True)
        with running(prepare(place / "service", VIZINHO_REPOSITORY=str(project)), worker=True) as service:
            hand = by_hand(place / "bare")
            run, flow, button = by_flow(service)
            made = row("from nothing", hand, flow, button)
            git(project, "pull", "--quiet", "origin", service.branch(run))
            git(project, "push", "--quiet", "origin", "HEAD:main")
            assert dvc(project, "pull", "--quiet").returncode == 0
            fixed = sorted(row(f"up to date {number}", by_hand(project), *by_flow(service)[1:]) for number in range(1, cached + 1))
    worst = max(made, fixed[-1])
    print(f"fixed: {fixed[len(fixed) // 2]:.1f} s (median); with every stage run: {made:.1f} s, 1 % of a run of {100 * worst / 60:.0f} min")
    print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
