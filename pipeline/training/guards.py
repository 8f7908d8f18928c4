"""What a training watches for: a wish that it end, losses that are no numbers, and the plateau of blanks."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

from pipeline.core.errors import TrainingError
from pipeline.core.progress import log

PLATEAU = 2
"""Looks in a row at nothing but blanks before it is said."""


@dataclass
class Wish:
    """Whether somebody has asked the process to end, and by which signal."""

    number: int | None = None


@contextmanager
def wishes(once: bool = True) -> Iterator[Wish]:
    """Take note of the first SIGTERM or SIGINT instead of ending at once; a second one acts as ever, if only the first is to be noted:
    torchrun hands on what a terminal or a supervisor has already sent to every process.

    Python lets only the main thread handle signals: in another, nothing is noted.
    """
    wish = Wish()
    if threading.current_thread() is not threading.main_thread():
        yield wish
        return

    def note(number: int, _: FrameType | None) -> None:
        wish.number = number
        if once:
            restore()

    before = {number: signal.signal(number, note) for number in (signal.SIGTERM, signal.SIGINT)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    try:
        yield wish
    finally:
        restore()


def skip_step(skipped: list[dict[str, Any]], step: int, loss: float, norm: float, utterances: Sequence[str], limit: int, label: str) -> None:
    """Note a step whose loss or gradient is no number, and say so.

    Args:
        skipped: the steps passed over so far; this one is added.
        utterances: ids of those whose own loss is no number, or of the whole batch where each is one.
        limit: how many such steps a run bears.

    Raises:
        TrainingError: there have been more.
    """
    skipped.append({"step": step + 1, "utterances": list(utterances)})
    if len(skipped) > limit:
        listed = "; ".join(f"step {one['step']}: {_some(one['utterances'])}" for one in skipped[-5:])
        raise TrainingError(label, f"the loss is {loss} and its gradient's norm {norm} at step {step + 1}, the {len(skipped)}. such step ({listed})",
                            f"finite numbers, but for {limit} steps", "lower the peak rate, lengthen the warm-up, or look at these utterances")
    log(f"{label}: step {step + 1} passed over, the loss is {loss} and its gradient's norm {norm}: {_some(utterances)}")


def note_blanks(hypotheses: Sequence[str], before: int, loss: float, label: str) -> int:
    """Return how many looks in a row have found nothing but blanks, this one included; say so when they become a plateau."""
    if any(hypotheses):
        return 0
    if before + 1 == PLATEAU:
        log(f"{label}: nothing but blanks on the development set, {PLATEAU} looks in a row (the CTC plateau; loss {loss:.3f}). It mostly ends by "
            "itself while the loss falls. If not: a higher peak_rate or a longer warmup_steps, a smaller batch_s for more steps, the head alone "
            "first (freeze_encoder_steps), a front end that starts as a filter bank (donor.model.front_end); or audio and transcripts do not "
            "belong together")
    return before + 1


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
