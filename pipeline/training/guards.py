"""What a training checks as it runs: shutdown requests, non-finite losses, and the plateau of blanks."""

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
"""Evaluations in a row with nothing but blanks before a warning is logged."""


@dataclass
class ShutdownRequest:
    """The signal by which a shutdown was requested, None as long as there was none."""

    signal_number: int | None = None


@contextmanager
def shutdown_requests(once: bool = True) -> Iterator[ShutdownRequest]:
    """Record the first SIGTERM or SIGINT instead of ending the process at once.

    Python lets only the main thread handle signals: in another thread nothing is recorded.

    Args:
        once: whether a second signal has its usual effect. Under torchrun it must not: torchrun repeats a signal that a terminal or
            a supervisor has already sent to every process.
    """
    request = ShutdownRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return

    def record(number: int, _: FrameType | None) -> None:
        request.signal_number = number
        if once:
            restore()

    before = {number: signal.signal(number, record) for number in (signal.SIGTERM, signal.SIGINT)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    try:
        yield request
    finally:
        restore()


def skip_step(skipped: list[dict[str, Any]], step: int, loss: float, norm: float, utterances: Sequence[str], limit: int, label: str) -> None:
    """Record a skipped step, whose loss or gradient is not finite, and log it.

    Args:
        skipped: the steps skipped so far; this one is appended.
        step: counted from 0.
        loss: the step's loss.
        norm: norm of its gradient.
        utterances: ids of the utterances with a non-finite loss, or of the whole batch.
        limit: number of steps that may be skipped in a run.
        label: the stage, for messages.

    Raises:
        TrainingError: more than `limit` steps have been skipped.
    """
    skipped.append({"step": step + 1, "utterances": list(utterances)})
    if len(skipped) > limit:
        listed = "; ".join(f"step {one['step']}: {_first_few(one['utterances'])}" for one in skipped[-5:])
        raise TrainingError(label, f"the loss is {loss} and its gradient's norm {norm} at step {step + 1}, the {len(skipped)}. such step ({listed})",
                            f"finite numbers in all but {limit} steps", "lower the peak rate, lengthen the warm-up, or check these utterances")
    log(f"{label}: step {step + 1} skipped, the loss is {loss} and its gradient's norm {norm}: {_first_few(utterances)}")


def count_blank_evaluations(hypotheses: Sequence[str], before: int, loss: float, label: str) -> int:
    """Return the number of evaluations in a row with nothing but blanks, this one included; log a warning at the second.

    Args:
        hypotheses: of this evaluation.
        before: the number after the evaluation before it.
        loss: the current training loss, for the warning.
        label: the stage, for the warning.
    """
    if any(hypotheses):
        return 0
    if before + 1 == PLATEAU:
        log(f"{label}: nothing but blanks on the development set, {PLATEAU} evaluations in a row (the CTC plateau; loss {loss:.3f}). It usually ends "
            "by itself while the loss falls. If not, try: a higher peak_rate or a longer warmup_steps, a smaller batch_s for more steps, the head "
            "alone first (freeze_encoder_steps), a filter bank as the first convolution (donor.model.front_end); or check whether audio and "
            "transcripts match")
    return before + 1


def _first_few(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
