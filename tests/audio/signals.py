"""Signals that the audio tests share."""

from __future__ import annotations

import numpy as np
import scipy.signal

from pipeline.audio.samples import Waveform
from pipeline.core.manifest import SAMPLE_RATE_HZ


def tone(hz: float, rate_hz: int, duration_s: float = 1.0, amplitude: float = 1.0) -> Waveform:
    return (amplitude * np.sin(2 * np.pi * hz * np.arange(int(rate_hz * duration_s)) / rate_hz)).astype(np.float32)


def babble(seed: int, duration_s: float = 3.0) -> Waveform:
    """Noise whose bands rise and fall independently, as in speech."""
    draw = np.random.default_rng(seed)
    length = int(SAMPLE_RATE_HZ * duration_s)
    output_S = np.zeros(length)
    for low_hz, high_hz in ((200, 500), (500, 900), (900, 1_500), (1_500, 2_400), (2_400, 3_800)):
        bounds = scipy.signal.butter(2, (low_hz, high_hz), "band", fs=SAMPLE_RATE_HZ, output="sos")
        knots = np.arange(0, length + 2_000, 2_000)
        gain_S = np.interp(np.arange(length), knots, draw.exponential(size=len(knots)))
        output_S += scipy.signal.sosfilt(bounds, draw.standard_normal(length)) * gain_S
    return (output_S / np.abs(output_S).max() / 2).astype(np.float32)
