"""Resampling by overlap-save, through a linear-phase low-pass filter.

Shapes: S samples, B blocks, K lines of a spectrum.
"""

from __future__ import annotations

import math
from functools import lru_cache
from math import gcd
from typing import Final

import numpy as np
import numpy.typing as npt
import scipy.fft

from pipeline.audio.samples import Waveform
from pipeline.core.manifest import SAMPLE_RATE_HZ


def resample(waveform_S: Waveform, rate_hz: int, to_hz: int = SAMPLE_RATE_HZ) -> Waveform:
    """Return the waveform at another rate, through a linear-phase low-pass filter at the lower Nyquist frequency.

    The pass band ends at 94 % of that frequency, the stop band begins at it: -120 dB by design, limited by single precision.
    The filter is finite (16 ms between 48 and 16 kHz), so that a transform per block of the waveform gives the same as one of
    the whole, and faster, since a block fits the cache. Length: ceil(S * to_hz / rate_hz). Comparison with other resamplers:
    `python -m benchmarks.resample`.

    Args:
        waveform_S: any full scale.
        rate_hz: its sample rate.
        to_hz: sample rate of the result.

    Source: overlap-save, Oppenheim and Schafer, "Discrete-time signal processing", section 8.7.3.
    """
    if rate_hz == to_hz or not len(waveform_S):
        return waveform_S
    step_in, step_out = rate_hz // gcd(rate_hz, to_hz), to_hz // gcd(rate_hz, to_hz)  # both rates meet on multiples of their steps
    reach = filter_reach(step_in, step_out)
    needed = -(-len(waveform_S) // step_in)
    steps = scipy.fft.next_fast_len(min(max(-(-TRANSFORM // step_in), 8 * reach), needed + 2 * reach), real=True)
    fresh = steps - 2 * reach  # that a block adds to the one before
    blocks = -(-needed // fresh)
    padded = np.zeros((blocks * fresh + 2 * reach) * step_in, np.float32)
    padded[reach * step_in : reach * step_in + len(waveform_S)] = waveform_S
    blocks_BS = np.lib.stride_tricks.sliding_window_view(padded, steps * step_in)[:: fresh * step_in]
    gain_K = _gain(step_in, step_out, steps)
    spectrum_BK = scipy.fft.rfft(blocks_BS, axis=1)[:, : len(gain_K)] * gain_K
    resampled_BS = scipy.fft.irfft(spectrum_BK, steps * step_out, axis=1)[:, reach * step_out : (reach + fresh) * step_out]
    return resampled_BS.reshape(-1)[: -(-len(waveform_S) * to_hz // rate_hz)]


TRANSFORM: Final = 6_144   # samples per block, about: longer blocks exceed the cache, shorter ones overlap by more
STOP_BAND_DB: Final = 120
PASS_BAND: Final = 0.94    # of the lower Nyquist frequency


def filter_reach(step_in: int, step_out: int) -> int:
    """Return how far the filter reaches to either side, in steps of `step_in` samples."""
    return -(-(len(_low_pass(step_in, step_out)) // 2) // step_in)


@lru_cache(maxsize=64)
def _low_pass(step_in: int, step_out: int) -> npt.NDArray[np.float64]:
    """Return the filter at the first of two rates, an odd number of taps.

    Source: Kaiser's window and its length, Oppenheim and Schafer, section 7.5.3.
    """
    nyquist = min(1, step_out / step_in) / 2  # in cycles per sample
    half = math.ceil((STOP_BAND_DB - 7.95) / (2.285 * 2 * math.pi * (1 - PASS_BAND) * nyquist) / 2)
    middle = (1 + PASS_BAND) * nyquist
    taps = middle * np.sinc(middle * np.arange(-half, half + 1)) * np.kaiser(2 * half + 1, 0.1102 * (STOP_BAND_DB - 8.7))
    return taps / taps.sum()


@lru_cache(maxsize=64)
def _gain(step_in: int, step_out: int, steps: int) -> Waveform:
    """Return the factor on each line of a block's spectrum: filter times ratio of the rates, up to the lower Nyquist frequency."""
    taps = _low_pass(step_in, step_out)
    half = len(taps) // 2
    response_K = np.fft.rfft(np.concatenate([taps[half:], np.zeros(steps * step_in - len(taps)), taps[:half]])).real
    kept = steps * min(step_in, step_out) // 2 + 1
    return (response_K[:kept] * (step_out / step_in)).astype(np.float32)
