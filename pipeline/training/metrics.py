"""Live metrics of a running training: rows for DVCLive, and a line for the progress bar.

The rows hold throughput and waiting times, so they are written to data/timing and never to the model's folder.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

METRICS = "metrics.json"
"""File with the last row, as DVCLive writes it."""

LogRow = Callable[[int, Mapping[str, float]], None]
"""Takes a step, counted from 1, and its metrics by name."""


def dvclive_logger(folder: Path, curves: Path) -> LogRow:
    """Return a function that writes rows with DVCLive; `discard` if DVCLive is not installed.

    Rows of an earlier run are removed, since a resumed training logs its own rows again; other files in the folder are kept.
    Nothing is committed, added to dvc.yaml or made an experiment, and nothing is sent to a Studio unless DVC_STUDIO_OFFLINE is false.

    Args:
        folder: for metrics.json, the last row.
        curves: for metrics/NAME.tsv, all rows; a folder with nothing else in it, so that DVC can plot all of it.
    """
    try:
        from dvclive import Live
    except ImportError:
        return discard

    class LiveWithCurves(Live):
        @property
        def plots_dir(self) -> str:
            return str(curves)

    shutil.rmtree(curves, ignore_errors=True)
    (folder / METRICS).unlink(missing_ok=True)
    os.environ.setdefault("DVC_STUDIO_OFFLINE", "true")  # a token in a configuration is no request to send this run
    live = LiveWithCurves(str(folder), save_dvc_exp=False, dvcyaml=None, report=None)

    def log_row(step: int, metrics: Mapping[str, float]) -> None:
        live.step = step
        for name, value in metrics.items():
            live.log_metric(name, value)
        live.sync()  # never live.end(): within `dvc exp run` that would read the whole graph, to add the folder to Git

    return log_row


def discard(step: int, metrics: Mapping[str, float]) -> None:
    """Do nothing with a row."""


class MetricsLog:
    """The metrics of a running training: a row at every evaluation, and three evenly spaced rows between two evaluations.

    A resumed run restores the earlier rows and logs them again.

    Args:
        evaluate_every: steps between evaluations.
        log_row: is called with each row.
    """

    def __init__(self, evaluate_every: int, log_row: LogRow) -> None:
        self._every, self._log_row = max(1, evaluate_every // 4), log_row
        self._rows: list[tuple[int, dict[str, float]]] = []
        self._losses: list[float] = []
        self._audio_s, self._since, self._waited_s = 0.0, time.perf_counter(), 0.0
        self._latest: dict[str, float] = {}

    def start(self) -> None:
        """Log the restored rows, and measure throughput from now on."""
        for step, metrics in self._rows:
            self._log_row(step, metrics)
            self._latest |= metrics
        self._since = time.perf_counter()

    def add_step(self, loss: float | None, audio_s: float) -> None:
        """Add a step.

        Args:
            loss: None if the step was skipped.
            audio_s: seconds of audio processed.
        """
        self._audio_s += audio_s
        if loss is not None:
            self._losses.append(loss)

    def is_due(self, step: int) -> bool:
        """Return whether a step, counted from 1, has a row without an evaluation."""
        return step % self._every == 0

    def add_row(self, step: int, learning_rate: float, waited_s: float, more: Mapping[str, float]) -> str:
        """Log a row and return the line for the progress bar.

        Args:
            step: counted from 1.
            learning_rate: of the step.
            waited_s: seconds that the run has waited for data so far.
            more: error rates on the development set, metrics of the GPU.
        """
        now = time.perf_counter()
        elapsed = max(now - self._since, 1e-9)
        metrics = {"loss": sum(self._losses) / len(self._losses)} if self._losses else {}
        metrics |= {"learning_rate": learning_rate, "audio_seconds_per_second": self._audio_s / elapsed,
                    "waiting": (waited_s - self._waited_s) / elapsed, **more}
        self._rows.append((step, metrics))
        self._log_row(step, metrics)
        self._losses, self._audio_s, self._since, self._waited_s = [], 0.0, now, waited_s
        self._latest |= metrics
        return ", ".join(form.format(self._latest[name]) for name, form in (
            ("loss", "loss {:.3f}"), ("dev_wer", "dev WER {:.1%}"), ("audio_seconds_per_second", "{:.0f} audio-s/s"),
            ("gpu_utilisation", "GPU {:.0%}"), ("gpu_memory_gb", "{:.1f} GB")) if name in self._latest)

    def state_dict(self) -> dict[str, Any]:
        """Return the resume state."""
        return {"rows": list(self._rows), "losses": list(self._losses), "audio_s": self._audio_s}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the resume state; audio processed before the interruption does not count towards the throughput."""
        self._rows, self._losses, self._audio_s = list(state["rows"]), list(state["losses"]), 0.0
