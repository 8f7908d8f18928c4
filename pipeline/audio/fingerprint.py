"""A fingerprint of an utterance that survives re-encoding.

Shapes: S samples, F frames, B bands, T times, K lines of a spectrum.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt
import scipy.fft

from pipeline.audio.samples import Samples, Waveform
from pipeline.core.manifest import SAMPLE_RATE_HZ


def fingerprint(samples_S: Samples) -> str:
    """Return 256 bits, in hexadecimal, that survive re-encoding, resampling, a change of gain and silence at the ends.

    The utterance, from 1 % to 99 % of its loudness, is cut into 33 parts of equal loudness and 9 bands of 300 to
    3,400 Hz. A bit is whether the step in log power from one band to the next grows from one part to the next: whatever is
    constant over the utterance (gain, a microphone's frequency response) has no effect, and pauses, where a codec changes
    most, have almost none of the bits. Compare by Hamming distance: the same speech, coded anew, differs in a tenth of
    the bits, other speech in about half of them.

    Source: Haitsma and Kalker, "A highly robust audio fingerprinting system", ISMIR 2002, section 4.2 (there with frames
    of fixed length, to find excerpts). Loudness as a power of energy: Stevens, "The measurement of loudness", JASA 27,
    1955; its exponent 0.3 is 0.25 here, the best of those measured (docs/log.md).
    """
    window, edges_B = fingerprint_bands()
    waveform_S = np.zeros(len(samples_S) + 2 * WINDOW, np.float32)
    waveform_S[WINDOW:-WINDOW] = samples_S
    frames_FS = np.lib.stride_tricks.sliding_window_view(waveform_S, WINDOW)[::HOP]
    power_FB = np.empty((len(frames_FS), BANDS), np.float32)
    for start in range(0, len(frames_FS), BLOCK):
        lines_FK = scipy.fft.rfft(frames_FS[start : start + BLOCK] * window)[:, edges_B[0] : edges_B[-1]].view(np.float32)  # real, imaginary
        power_FB[start : start + BLOCK] = np.add.reduceat(np.square(lines_FK), 2 * (edges_B[:-1] - edges_B[0]), axis=1)
    energy_FB = np.concatenate([np.zeros((1, BANDS)), np.cumsum(power_FB, axis=0, dtype=np.float64)])
    power_F = power_FB.sum(axis=1, dtype=np.float64)
    loudness_F = np.concatenate([[0.0], np.cumsum((power_F / (power_F.max() + 1e-9) + 1e-12) ** 0.25)])
    cuts = np.interp(np.linspace(0.01, 0.99, TIMES + 1) * loudness_F[-1], loudness_F, np.arange(len(energy_FB)))
    before = cuts.astype(np.intp)  # each cut lies between two frames, never at the last: 0.99 of the loudness comes before it
    energy_TB = np.diff(energy_FB[before] + (cuts - before)[:, None] * power_FB[before], axis=0)
    power_TB = energy_TB / np.diff(cuts)[:, None]
    log_TB = np.log(power_TB + 1e-3 * power_TB.max() + 1e-9)
    return np.packbits(np.diff(np.diff(log_TB, axis=1), axis=0) > 0).tobytes().hex()


BANDS: Final = 9
TIMES: Final = 33
WINDOW: Final = 1_024  # samples: 64 ms, so that the lowest band has enough lines
HOP: Final = 384       # 24 ms; shorter finds no more copies (docs/log.md)
BLOCK: Final = 64     # frames at a time: what they need stays in the cache


@lru_cache(maxsize=1)
def fingerprint_bands() -> tuple[Waveform, npt.NDArray[np.intp]]:
    """Return the window, and the lines of the spectrum at which the bands begin (the last entry ends the last band)."""
    edges_hz = 300 * (3_400 / 300) ** (np.arange(BANDS + 1) / BANDS)
    return np.hanning(WINDOW).astype(np.float32), np.rint(edges_hz * WINDOW / SAMPLE_RATE_HZ).astype(np.intp)
