"""Cut a stream of audio at its pauses into parts no longer than what a model was trained on.

Words are lost where a part ends inside of one, and words of two utterances run together where a model meets a pause that
its training utterances never had. So each pause of `PAUSE_S` ends a part, and a stretch without one is cut where it is
quietest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.ndimage import maximum_filter1d, minimum_filter1d, uniform_filter1d

from pipeline.audio.samples import Waveform
from pipeline.core.manifest import SAMPLE_RATE_HZ

FRAME_S: Final = 0.02
FRAME: Final = round(FRAME_S * SAMPLE_RATE_HZ)
NEAR: Final = round(2.0 / FRAME_S)
"""Frames before a frame, and after it, among which the loudest and the quietest decide whether it is quiet."""
QUIET: Final = 0.2
"""A frame is quiet below this share of the way, in dB, from the quietest to the loudest frame before it, or after it.

Each side by itself, since where a loud voice meets a soft one the floor of the loud one is above that of the soft one.
"""
PAUSE: Final = round(0.2 / FRAME_S)
"""Quiet frames that end a part; closures of p, t and k take up to 0.15 s."""
GAP: Final = round(0.1 / FRAME_S)
"""Quiet frames at which an over-long part may be cut."""
SHORTEST: Final = round(1.0 / FRAME_S)
"""Frames of the shortest part, but for the last one."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a recording, (S,) samples from `start_s` on."""

    start_s: float
    waveform: Waveform


class PauseCutter:
    """Cuts audio that is pushed block by block; where it cuts does not depend on the blocks.

    Args:
        longest_s: longest part.
        whole_if_short: whether a recording of at most that length is one part, pauses or not.
    """

    def __init__(self, longest_s: float, whole_if_short: bool = True) -> None:
        self._longest = max(2 * SHORTEST, int(longest_s / FRAME_S))
        self._whole_if_short = whole_if_short
        self._audio = np.zeros(0, np.float32)                      # since the last cut
        self._energy_db: npt.NDArray[np.float32] = np.zeros(0, np.float32)  # of the frames from `_first` on
        self._first = 0                                            # frame of the first energy
        self._cut = 0                                              # frame of the last cut

    def push(self, waveform_S: Waveform) -> list[Part]:
        """Return the parts that are complete after a further block of 16 kHz audio, (S,)."""
        self._audio = np.concatenate([self._audio, waveform_S])
        known = self._cut + len(self._audio) // FRAME
        fresh = self._audio[(self._first + len(self._energy_db) - self._cut) * FRAME : (known - self._cut) * FRAME].reshape(-1, FRAME)
        self._energy_db = np.concatenate([self._energy_db, 10 * np.log10(np.square(fresh).mean(1) + 1e-9)])
        if self._cut == 0 and self._whole_if_short and known <= self._longest:
            return []
        return self._parts(known - NEAR - 2, ended=False)

    def finish(self) -> list[Part]:
        """Return the remaining parts at the end of the recording."""
        known = self._first + len(self._energy_db)
        parts = [] if self._cut == 0 and self._whole_if_short and known <= self._longest else self._parts(known, ended=True)
        if len(self._audio):
            parts.append(Part(self._cut * FRAME_S, self._audio))
        return parts

    def _parts(self, decided: int, ended: bool) -> list[Part]:
        """Return the parts whose end is certain.

        Args:
            decided: the first frame whose surroundings are not yet known.
            ended: whether the recording ends there.
        """
        parts = []
        pauses, smooth_db = self._pauses(decided)
        while (cut := self._next_cut(pauses, smooth_db, decided, ended)) is not None:
            samples = (cut - self._cut) * FRAME
            parts.append(Part(self._cut * FRAME_S, self._audio[:samples].copy()))
            self._audio = self._audio[samples:]
            self._cut = cut
        if (old := self._cut - NEAR - 2 - self._first) > 0:
            self._energy_db = self._energy_db[old:]
            self._first += old
        return parts

    def _pauses(self, decided: int) -> tuple[list[tuple[int, int]], npt.NDArray[np.float32]]:
        """Return start and end of every run of `GAP` or more quiet frames, and the smoothed energies."""
        if not len(self._energy_db):
            return [], self._energy_db
        smooth_db = uniform_filter1d(self._energy_db, 3)
        quiet = np.zeros(len(smooth_db), dtype=bool)
        for side in (NEAR // 2, -(NEAR // 2)):
            low_db, high_db = (extreme(smooth_db, NEAR + 1, origin=side) for extreme in (minimum_filter1d, maximum_filter1d))
            quiet |= smooth_db < low_db + QUIET * (high_db - low_db)
        quiet = quiet[: max(0, decided - self._first)]
        edges = np.flatnonzero(np.diff(np.concatenate([[False], quiet, [False]]).astype(np.int8))).reshape(-1, 2) + self._first
        return [(start, end) for start, end in edges.tolist() if end - start >= GAP], smooth_db

    def _next_cut(self, pauses: list[tuple[int, int]], smooth_db: npt.NDArray[np.float32], decided: int, ended: bool) -> int | None:
        earliest, latest = self._cut + SHORTEST, self._cut + self._longest
        last = min(decided - SHORTEST // 2, latest) if ended else latest
        clipped = [(start, min(end, latest)) for start, end in pauses]  # whatever is known after `latest`
        usable = [(start, end) for start, end in clipped if earliest <= (start + end) // 2 <= last and (end < decided or ended)]
        for start, end in usable:
            if end - start >= PAUSE:
                return (start + end) // 2
        if decided <= latest:
            return None
        if usable:
            start, end = max(usable, key=lambda pause: pause[1] - pause[0])
            return (start + end) // 2
        span = smooth_db[earliest - self._first : min(latest, decided - SHORTEST // 2) - self._first]
        return earliest + int(uniform_filter1d(span, 7).argmin())
