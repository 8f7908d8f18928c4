"""The processors that this process may use. Imports nothing but the standard library: the Makefile runs it before anything is installed."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path


def usable_processors(root: Path = Path("/")) -> int:
    """Return how many processors this process may use: those of its affinity, within the quota of its control groups, at least 1.

    A container with a quota sees every processor of the machine. A quota of 1.5 counts as 2: one thread waits for data now and then.

    Args:
        root: the folder that has proc and sys/fs/cgroup.
    """
    visible = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([visible, *(math.ceil(quota) for quota in _quotas(root))]))


def _quotas(root: Path) -> Iterator[float]:
    """Yield the quotas of this process's control groups and of the groups that contain them, in processors; of version 1 and version 2."""
    mounted = root / "sys/fs/cgroup"
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        hierarchies = [mounted / name for name in (controllers, "cpu")] if controllers else [mounted, mounted / "unified"]
        for hierarchy in hierarchies:
            inner = hierarchy / path.lstrip("/")
            for group in (inner, *inner.parents):
                if not group.is_relative_to(hierarchy):
                    break
                quota, period = (_read(group / f"cpu.cfs_{name}_us") for name in ("quota", "period")) if controllers else (
                    [*_read(group / "cpu.max").split(), "", ""][:2])
                if quota.strip().isdigit() and period.strip().isdigit() and int(quota) and int(period):  # "max" and -1: none
                    yield int(quota) / int(period)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""


if __name__ == "__main__":
    print(usable_processors())
