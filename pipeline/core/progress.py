"""Progress bars on a terminal, and the closing line of a stage."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any

from tqdm import tqdm

GRACE_S = 3.0
"""Delay of a silenced process's error message: the process that logs usually meets the same error, reports it and ends the others."""
_silenced = False


def silence() -> None:
    """Print no bars and no log from now on, since another process of the same work does, and delay errors by `GRACE_S`."""
    global _silenced
    _silenced = True


def bar(total: float | None, unit: str, label: str) -> tqdm[Any]:
    """Return a progress bar on standard error; silent if that is no terminal."""
    return tqdm(total=total, unit=unit, desc=label, disable=_silenced or not sys.stderr.isatty(), dynamic_ncols=True, leave=False)


def log(line: str) -> None:
    """Print one line of a stage's log and flush it."""
    if not _silenced:
        print(line, flush=True)


def log_error(line: str) -> None:
    """Print an error on standard error."""
    if _silenced:
        time.sleep(GRACE_S)
    print(f"error: {line}", file=sys.stderr, flush=True)


def stage_line(stage: str, counted: Mapping[str, Any], dropped: Mapping[str, int] | None = None) -> str:
    """Return a stage's closing line.

    `normalise@speak-pt: 1200 utterances, 1.12 hours; dropped 3 (2 other script, 1 empty)`
    """
    figures = ", ".join(f"{value:.2f} {name}" if isinstance(value, float) else f"{value} {name}" for name, value in counted.items())
    line = f"{stage}: {figures}"
    if dropped is not None:
        total = sum(dropped.values())
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(dropped.items(), key=lambda pair: -pair[1]) if count)
        line += f"; dropped {total}" + (f" ({reasons})" if total else "")
    return line
