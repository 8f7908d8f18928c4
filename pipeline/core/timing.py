"""Measurements of a stage's own run: seconds, memory, throughput. They go to data/timing/, on which no stage depends.

An out that other stages depend on holds only values that inputs, params and code determine. So two runs of one commit have equal
hashes, and a clone with the cache of another run repeats nothing (docs/decisions/timing.md).

`data/timing/STAGE/timing.json`, or `data/timing/STAGE/NAME/timing.json` for a stage with a name; all of them again in `data/timing/all.json`
(a DVC metric) and `data/timing/timing.js` (loaded by the report beside it). `data/timing/curves/` holds the live metrics of trainings.
"""

from __future__ import annotations

import fcntl
import json
import os
import platform
import resource
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from pipeline.core.files import ROOT, read_json, write_json, write_text

TIMING: Final = "data/timing"

_recorded: dict[Path, dict[str, Any]] = {}


def timing_folder(stage: str, root: Path | str = ROOT) -> Path:
    """Return the folder of a stage's timing: "train@transfer" → data/timing/train/transfer, "gate" → data/timing/gate."""
    name, _, key = stage.partition("@")
    return Path(root) / TIMING / name / key if key else Path(root) / TIMING / name


def record_timing(stage: str, root: Path | str = ROOT, **figures: Any) -> None:
    """Record figures of the stage's current run; later calls of the same process add to the earlier ones.

    Args:
        stage: its DVC address, such as "train@transfer" or "gate".
        root: the checkout.
        figures: JSON values; seconds, bytes, ratios, named with their unit.
    """
    folder = timing_folder(stage, root)
    found = _recorded.setdefault(folder, {"stage": stage, "machine": machine()})
    found.update(figures)
    write_json(folder / "timing.json", found)
    _write_all(Path(root))


def read_timing(stage: str, root: Path | str = ROOT) -> dict[str, Any] | None:
    """Return the figures that the last run of a stage in this checkout recorded, None without a run."""
    file = timing_folder(stage, root) / "timing.json"
    return dict(read_json(file)) if file.exists() else None


def all_timings(root: Path | str = ROOT) -> dict[str, dict[str, Any]]:
    """Return every stage's figures by its DVC address, sorted."""
    found = [read_json(file) for file in sorted((Path(root) / TIMING).rglob("timing.json"))]
    return {entry["stage"]: entry for entry in found}


def machine() -> dict[str, Any]:
    """Return the machine that the figures are measured on: processor, cores that this process may use, system, Python."""
    return {"processor": _processor(), "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
            "system": f"{platform.system()} {platform.machine()}", "python": platform.python_version()}


def peak_memory_bytes() -> int:
    """Return the peak resident memory of this process, in bytes; on Linux since its counter was last reset (/proc/self/clear_refs)."""
    with suppress(OSError, StopIteration):  # getrusage cannot be reset there, and a child's starts at its parent's
        lines = Path("/proc/self/status").read_text(encoding="utf-8", errors="replace").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # macOS counts bytes


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def curves_folder(stage: str, root: Path | str = ROOT) -> Path:
    """Return the folder of a training's live curves: "train@transfer" → data/timing/curves/train/transfer."""
    return timing_folder(f"curves@{stage.replace('@', '/')}", root)


def _write_all(root: Path) -> None:
    with open(root / TIMING / ".lock", "w", encoding="utf-8") as lock:  # stages may run in parallel
        fcntl.flock(lock, fcntl.LOCK_EX)
        timings = all_timings(root)
        write_json(root / TIMING / "all.json", timings)
        content = json.dumps(timings, ensure_ascii=False, sort_keys=True, indent=1).replace("<", "\\u003c")
        write_text(root / TIMING / "timing.js", f"window.vizinhoTiming = {content};\n")
