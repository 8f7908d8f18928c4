"""Speech made harder on the way to the model: other tempo, a room's echo, noise, each at a seeded rate.

What happens to an utterance follows from the run's seed, the number of its batch and its own: nothing depends on which
thread is first, and a run that was cut off hears what an unbroken one would have heard.

Source: Ko et al., "Audio augmentation for speech recognition" (2015), for tempo with pitch; Ko et al., "A study on data
augmentation of reverberant speech" (2017), for rooms and noise.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pipeline.audio.degrade import add_noise, add_reverberation
from pipeline.audio.resample import resample
from pipeline.batching.waveforms import Waveform, standardise
from pipeline.core.manifest import SAMPLE_RATE_HZ
from pipeline.training.config import Augment

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
    drawn = {name: low + (high - low) * place_3[index] for index, name in enumerate(("speed", "rt60_s", "snr_db"))
             if (pair := getattr(chosen, name)) is not None and wanted_3[index] for low, high in (pair,)}
    if "speed" in drawn:
        rate_hz = round(round(drawn["speed"] / SPEED_STEP) * SPEED_STEP * SAMPLE_RATE_HZ)
        if fits(-(-len(waveform_S) * SAMPLE_RATE_HZ // rate_hz)):
            waveform_S = resample(waveform_S, rate_hz)
    if "rt60_s" in drawn:
        waveform_S = add_reverberation(waveform_S, drawn["rt60_s"], chosen.drr_db, random)
    if "snr_db" in drawn:
        waveform_S = add_noise(waveform_S, drawn["snr_db"], random)
    return standardise(waveform_S) if drawn and normalise else waveform_S


