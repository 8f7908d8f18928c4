"""Quality measures of an utterance: level, clipping, offset, signal-to-noise ratio, silence.

Shapes: S samples, F frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from pipeline.audio.samples import FULL_SCALE, Samples, Waveform
from pipeline.core.manifest import SAMPLE_RATE_HZ

FRAME: Final = SAMPLE_RATE_HZ // 50  # 20 ms: the unit of level, silence and signal-to-noise ratio
FLOOR_DB: Final = -100.0             # below the quietest level that 16 bits hold: is the level of digital silence


@dataclass(frozen=True, slots=True)
class Measures:
    """Quality of an utterance; the fields are columns of `core.manifest.DESCRIPTION`."""

    duration_s: float
    peak: float
    rms_db: float
    clipped: float
    dc_offset: float
    snr_db: float
    silence: float


def trim_silence(samples_S: Samples, keep_s: float) -> Samples:
    """Return 16 kHz samples (at least one) with at most `keep_s` of silence at either end.

    Silence is defined as in `Measures.silence`: 20 ms frames 40 dB or more below the loudest.
    """
    levels_F = frame_levels(samples_S)[1]
    sounding = np.flatnonzero(levels_F > levels_F.max() - 40)
    keep = round(keep_s * SAMPLE_RATE_HZ)
    return samples_S[max(0, int(sounding[0]) * FRAME - keep) : (int(sounding[-1]) + 1) * FRAME + keep]


def clipped_share(samples_S: Samples) -> float:
    """Return the share of samples at full scale."""
    if samples_S.min() > -FULL_SCALE and samples_S.max() < FULL_SCALE - 1:
        return 0.0
    return (np.count_nonzero(samples_S == -FULL_SCALE) + np.count_nonzero(samples_S == FULL_SCALE - 1)) / len(samples_S)


def measure(samples_S: Samples) -> Measures:
    """Return the quality measures of 16 kHz samples (at least one). Frame levels exclude a constant offset."""
    offset, levels_F, power = frame_levels(samples_S)
    quiet, loud = np.interp((0.05 * (len(levels_F) - 1), 0.9 * (len(levels_F) - 1)), np.arange(len(levels_F)), np.sort(levels_F))
    return Measures(
        duration_s=len(samples_S) / SAMPLE_RATE_HZ,
        peak=max(int(samples_S.max()), -int(samples_S.min())) / FULL_SCALE,
        rms_db=decibels(power),
        clipped=clipped_share(samples_S),
        dc_offset=offset,
        snr_db=float(loud - quiet),
        silence=float(np.mean(levels_F <= levels_F.max() - 40)),
    )


def decibels(power: float) -> float:
    """Return a mean square as dB relative to full scale, at least -100."""
    return max(FLOOR_DB, 10 * float(np.log10(power))) if power > 0 else FLOOR_DB


def frame_levels(samples_S: Samples) -> tuple[float, Waveform, float]:
    """Return the constant offset, the level of each 20 ms frame without it in dB (at least -100), and the mean square with it.

    The last frame is padded with silence. All steps work in place on one array: most of the time to measure an utterance is
    spent on new memory.
    """
    number = -(-len(samples_S) // FRAME)
    frames_FS = np.zeros((number, FRAME), np.float32)
    flat_S = frames_FS.reshape(-1)[: len(samples_S)]
    flat_S[:] = samples_S
    offset = float(frames_FS.sum(axis=1).sum(dtype=np.float64)) / len(samples_S)  # of a frame exact: whole numbers under 2 ** 24
    flat_S -= np.float32(offset)
    energy_F = np.einsum("fs,fs->f", frames_FS, frames_FS)
    levels_F: Waveform = np.maximum(FLOOR_DB, 10 * np.log10(np.maximum(energy_F * np.float32(1 / FRAME / FULL_SCALE**2), 1e-12)))
    power = (float(energy_F.sum(dtype=np.float64)) / len(samples_S) + offset**2) / FULL_SCALE**2
    return offset / FULL_SCALE, levels_F, power
