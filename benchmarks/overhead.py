"""The overhead of a flow over bare `dvc repro`: with all stages up to date, and with all stages stale, trainings included.

    python -m benchmarks.overhead [CACHED]

The small pipeline of the tests, a real server, one worker, a bare Git remote and a local DVC remote. First all stages from scratch, by
`dvc repro` in a clone with a separate cache and then by `retrain/nightly`. Then both in turn CACHED times (by default 3) on the run
commit. The figures are wall-clock seconds: compare only those measured at the same load.
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


def dvc_repro_s(folder: Path) -> float:
    """Return the seconds of `dvc repro`."""
    began = time.monotonic()
    done = dvc(folder, "repro")
    assert done.returncode == 0, done.stdout[-3000:]
    return time.monotonic() - began


def retrain_s(service: Service) -> tuple[str, float, float]:
    """Return a retraining's id, the seconds of its flow, and the seconds from its request to its end."""
    began = time.monotonic()
    run = service.run("retrain/nightly", promote="never")
    service.wait(run, seconds=3600)
    waited_s = time.monotonic() - began
    found = service.get(f"/flow_runs/{run}")
    flow_s = (datetime.fromisoformat(found["end_time"]) - datetime.fromisoformat(found["start_time"])).total_seconds()
    return run, flow_s, waited_s


def row(name: str, repro_s: float, flow_s: float, request_s: float) -> float:
    """Print a row and return the flow's overhead in seconds."""
    overhead_s = flow_s - repro_s
    figures = (repro_s, flow_s, overhead_s, 100 * overhead_s / repro_s, request_s - repro_s)
    print(ROW.format(name, *(f"{figure:.1f}" for figure in figures)), flush=True)
    return overhead_s


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=folder, check=True)


def main() -> None:
    """Print a row per comparison."""
    cached = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        project = layout(folder)
        git(folder, "clone", "--quiet", "remote.git", "bare")
        print(f"{len(os.sched_getaffinity(0))} cores, load {os.getloadavg()[0]:.1f}")
        print(ROW.format("", "repro s", "flow s", "overhead s", "overhead %", "request s"), flush=True)
        with running(prepare(folder / "service", VIZINHO_REPOSITORY=str(project)), worker=True) as service:
            repro_s = dvc_repro_s(folder / "bare")
            run, flow_s, request_s = retrain_s(service)
            stale = row("all stale", repro_s, flow_s, request_s)
            git(project, "pull", "--quiet", "origin", service.branch(run))
            git(project, "push", "--quiet", "origin", "HEAD:main")
            assert dvc(project, "pull", "--quiet").returncode == 0
            fixed = sorted(row(f"up to date {number}", dvc_repro_s(project), *retrain_s(service)[1:]) for number in range(1, cached + 1))
    worst = max(stale, fixed[-1])
    print(f"overhead: {fixed[len(fixed) // 2]:.1f} s up to date (median), {stale:.1f} s all stale; the larger is 1 % of {100 * worst / 60:.0f} min")
    print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
