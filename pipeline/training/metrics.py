"""What a training says of itself while it runs: rows for DVCLive, a line for the progress bar."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

LIVE = "live"
"""Folder within a model's that DVC shows: metrics.json with the last row, plots/metrics/*.tsv with all."""

Note = Callable[[int, Mapping[str, float]], None]
"""Takes a step, counted from 1, and its figures by name."""


def follow(folder: Path) -> Note:
    """Return what writes rows to a folder with DVCLive, and what does nothing where DVCLive is not installed.

    Rows of a run before are removed: a training that is resumed tells its own again. Nothing is committed, added to
    dvc.yaml or made an experiment, and nothing is sent to a Studio unless DVC_STUDIO_OFFLINE is set to false.
    """
    try:
        from dvclive import Live
    except ImportError:
        return silent
    shutil.rmtree(folder, ignore_errors=True)
    os.environ.setdefault("DVC_STUDIO_OFFLINE", "true")  # a token in somebody's configuration is no wish to send this run
    live = Live(str(folder), save_dvc_exp=False, dvcyaml=None, report=None)

    def note(step: int, figures: Mapping[str, float]) -> None:
        live.step = step
        for name, value in figures.items():
            live.log_metric(name, value)
        live.sync()  # never live.end(): within `dvc exp run` that would read the whole graph, to add the folder to Git

    return note


def silent(step: int, figures: Mapping[str, float]) -> None:
    """Note nothing."""


class Watch:
    """The figures of a running training, one row four times between looks at the development set and at each of them.

    A resumed run takes up the rows of the state and tells them again.

    Args:
        evaluate_every: steps between looks.
        note: is told each row.
    """

    def __init__(self, evaluate_every: int, note: Note) -> None:
        self._every, self._note = max(1, evaluate_every // 4), note
        self._rows: list[tuple[int, dict[str, float]]] = []
        self._losses: list[float] = []
        self._audio_s, self._since, self._waited = 0.0, time.perf_counter(), 0.0
        self._seen: dict[str, float] = {}

    def begin(self) -> None:
        """Tell the rows that there are, and take the time from now on."""
        for step, figures in self._rows:
            self._note(step, figures)
            self._seen |= figures
        self._since = time.perf_counter()

    def add(self, loss: float | None, audio_s: float) -> None:
        """Take note of a step; one that was passed over has no loss."""
        self._audio_s += audio_s
        if loss is not None:
            self._losses.append(loss)

    def due(self, step: int) -> bool:
        """Return whether a step has a row without a look."""
        return step % self._every == 0

    def tell(self, step: int, learning_rate: float, waited: float, more: Mapping[str, float]) -> str:
        """Tell a row and return the line for the progress bar.

        Args:
            waited: seconds that the run has waited for data so far.
            more: error rates on the development set, figures of the device.
        """
        now = time.perf_counter()
        passed = max(now - self._since, 1e-9)
        figures = {"loss": sum(self._losses) / len(self._losses)} if self._losses else {}
        figures |= {"learning_rate": learning_rate, "audio_seconds_per_second": self._audio_s / passed,
                    "waiting": (waited - self._waited) / passed, **more}
        self._rows.append((step, figures))
        self._note(step, figures)
        self._losses, self._audio_s, self._since, self._waited = [], 0.0, now, waited
        self._seen |= figures
        return ", ".join(form.format(self._seen[name]) for name, form in (
            ("loss", "loss {:.3f}"), ("dev_wer", "dev WER {:.1%}"), ("audio_seconds_per_second", "{:.0f} audio-s/s"),
            ("gpu_utilisation", "GPU {:.0%}"), ("gpu_memory_gb", "{:.1f} GB")) if name in self._seen)

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run needs."""
        return {"rows": list(self._rows), "losses": list(self._losses), "audio_s": self._audio_s}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up what `state_dict` returned; the time between is nobody's."""
        self._rows, self._losses, self._audio_s = list(state["rows"]), list(state["losses"]), 0.0
