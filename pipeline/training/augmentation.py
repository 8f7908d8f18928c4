"""Speech made harder for the model: other ends, another tempo, reverberation, noise, each at a seeded rate.

The changes to an utterance depend only on the seed of the run, the number of its batch and its index. So they do not depend on
the order of the loader's threads, and a resumed run is given the same audio as an uninterrupted one.

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
"""Tempos are multiples of this: the two sample rates then have a large common divisor, and resampling is cheap."""


def augment(waveform_S: Waveform, config: Augment, fits: Callable[[int], bool], random: np.random.Generator,
            normalise: bool = True) -> Waveform:
    """Return an augmented utterance, at zero mean and unit variance unless `normalise` is false.

    Args:
        waveform_S: samples at 16 kHz, (S,).
        config: rate and ranges of the changes.
        fits: whether the labels fit into a number of samples; a tempo at which they do not fit is not applied.
        random: the generator of this utterance; the number of draws does not depend on which changes are applied.
        normalise: whether the model expects zero mean and unit variance.
    """
    applied_3, position_3 = random.random(3) < config.rate, random.random(3)
    drawn = {name: low + (high - low) * position_3[index] for index, name in enumerate(("speed", "rt60_s", "snr_db"))
             if (pair := getattr(config, name)) is not None and applied_3[index] for low, high in (pair,)}
    original_S = waveform_S
    if config.edge_s is not None:
        applied, ends_2 = random.random() < config.rate, random.uniform(-config.edge_s, config.edge_s, 2)
        moved_S = move_ends(waveform_S, *np.rint(ends_2 * SAMPLE_RATE_HZ).astype(int).tolist())
        if applied and fits(len(moved_S)):
            waveform_S = moved_S
    if "speed" in drawn:
        rate_hz = round(round(drawn["speed"] / SPEED_STEP) * SPEED_STEP * SAMPLE_RATE_HZ)
        if fits(-(-len(waveform_S) * SAMPLE_RATE_HZ // rate_hz)):
            waveform_S = resample(waveform_S, rate_hz)
    if "rt60_s" in drawn:
        waveform_S = add_reverberation(waveform_S, drawn["rt60_s"], config.drr_db, random)
    if "snr_db" in drawn:
        waveform_S = add_noise(waveform_S, drawn["snr_db"], random)
    return standardise(waveform_S) if normalise and waveform_S is not original_S else waveform_S


def move_ends(waveform_S: Waveform, start: int, end: int) -> Waveform:
    """Return a waveform, (S,), that starts `start` samples later and ends `end` earlier; a negative number lengthens it by its mirror image."""
    kept_S = waveform_S[max(start, 0) : len(waveform_S) - max(end, 0)]
    return np.pad(kept_S, (max(-start, 0), max(-end, 0)), mode="reflect") if len(kept_S) else waveform_S
