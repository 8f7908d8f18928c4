"""Progress bars where a terminal is there, and the one line that a stage ends with."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any

from tqdm import tqdm

GRACE_S = 3.0
"""How long a hushed process keeps an error to itself: the process that speaks mostly meets the same one and ends the others."""
_hushed = False


def silence() -> None:
    """Leave bars and the log to another process of the same work from now on, and errors for as long as it may take to tell them itself."""
    global _hushed
    _hushed = True


def bar(total: float | None, unit: str, label: str) -> tqdm[Any]:
    """Return a progress bar on standard error; silent where that is no terminal."""
    return tqdm(total=total, unit=unit, desc=label, disable=_hushed or not sys.stderr.isatty(), dynamic_ncols=True, leave=False)


def log(line: str) -> None:
    """Print one line of a stage's own log, at once."""
    if not _hushed:
        print(line, flush=True)


def log_error(line: str) -> None:
    """Print an error on standard error."""
    if _hushed:
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
