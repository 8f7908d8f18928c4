"""`dvc repro` with nothing to do, beside `dvc status`, which is the least that it can cost.

    python benchmarks/noop.py [--pairs 5]

Needs a checkout in which `dvc repro` has run. The two take turns; medians.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COMMANDS = {"dvc repro": ("dvc", "repro"), "dvc status": ("dvc", "status")}
NOTHING_TO_DO = "Data and pipelines are up to date."


def measured(command: tuple[str, ...]) -> tuple[float, float]:
    """Return the wall and processor time of a command that finds nothing to do, in seconds."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode or NOTHING_TO_DO not in done.stdout:
        raise SystemExit(f"error: {' '.join(command)}: {done.stdout[-2000:]}; expected {NOTHING_TO_DO!r}; run `dvc repro` first")
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=5)
    asked = parser.parse_args()
    measured(COMMANDS["dvc repro"])  # DVC's own index is built once
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in COMMANDS}
    for _ in range(asked.pairs):
        for name, command in COMMANDS.items():
            found[name].append(measured(command))
    medians = {name: [statistics.median(times) for times in zip(*pairs, strict=True)] for name, pairs in found.items()}
    for name, (wall, processor) in medians.items():
        print(f"{name:<12} {wall:6.2f} s wall {processor:6.2f} s CPU")
    (wall, processor), (other_wall, other_processor) = medians.values()
    print(f"ratio        {wall / other_wall:6.2f}        {processor / other_processor:6.2f}")


if __name__ == "__main__":
    main()
