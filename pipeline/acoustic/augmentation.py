"""Speech made harder on the way to the model: other tempo, a room's echo, noise, each at a seeded rate.

What happens to an utterance follows from the run's seed, the number of its batch and its own: nothing depends on which
thread is first, and a run that was cut off hears what an unbroken one would have heard.

Source: Ko et al., "Audio augmentation for speech recognition" (2015), for tempo with pitch; Ko et al., "A study on data
augmentation of reverberant speech" (2017), for rooms and noise.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.fft

from pipeline.acoustic.audio import resample
from pipeline.acoustic.clips import Waveform, standardise
from pipeline.acoustic.conditions import add_noise
from pipeline.acoustic.recipe import Augment
from pipeline.core.manifest import SAMPLE_RATE_HZ

SPEED_STEP = 0.05
"""Tempos are multiples of that: the two rates then have a large common divisor, and resampling is cheap."""


def augment(waveform_S: Waveform, chosen: Augment, fits: Callable[[int], bool], random: np.random.Generator,
            normalise: bool = True) -> Waveform:
    """Return an utterance as it might have been recorded elsewhere, at zero mean and unit variance unless `normalise` is false.

    Args:
        fits: whether the labels fit into so many samples; a tempo at which they do not is left out.
        random: the utterance's own; the same draws are made whatever is then done with them.
    """
    wanted_3, place_3 = random.random(3) < chosen.rate, random.random(3)
    drawn = {name: low + (high - low) * place_3[index] for index, name in enumerate(("speed", "echo_s", "noise_db"))
             if (pair := getattr(chosen, name)) is not None and wanted_3[index] for low, high in (pair,)}
    if "speed" in drawn:
        rate_hz = round(round(drawn["speed"] / SPEED_STEP) * SPEED_STEP * SAMPLE_RATE_HZ)
        if fits(-(-len(waveform_S) * SAMPLE_RATE_HZ // rate_hz)):
            waveform_S = resample(waveform_S, rate_hz)
    if "echo_s" in drawn:
        waveform_S = add_echo(waveform_S, drawn["echo_s"], chosen.direct_db, random)
    if "noise_db" in drawn:
        waveform_S = add_noise(waveform_S, drawn["noise_db"], random)
    return standardise(waveform_S) if drawn and normalise else waveform_S


def add_echo(waveform_S: Waveform, echo_s: float, direct_db: float, random: np.random.Generator) -> Waveform:
    """Return the waveform with a room's echo behind it: noise that falls by 60 dB in `echo_s`, `direct_db` below the direct sound."""
    size = max(2, round(echo_s * SAMPLE_RATE_HZ))
    room_S = random.standard_normal(size, dtype=np.float32) * np.power(np.float32(10), np.arange(size, dtype=np.float32) * np.float32(-3 / size))
    room_S *= np.float32(10 ** (-direct_db / 20)) / np.float32(np.sqrt(np.dot(room_S, room_S)))
    room_S[0] = 1.0
    length = scipy.fft.next_fast_len(len(waveform_S) + size - 1, real=True)
    echoed_S = scipy.fft.irfft(scipy.fft.rfft(waveform_S, length) * scipy.fft.rfft(room_S, length), length)
    return np.ascontiguousarray(echoed_S[: len(waveform_S)], dtype=np.float32)
