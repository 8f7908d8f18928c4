"""Words spoken by eSpeak NG, for the acoustic level: every word by the same few voices in each language."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from pipeline.audio.resample import resample
from pipeline.audio.samples import FULL_SCALE, Waveform
from pipeline.core.errors import DataError
from pipeline.espeak.launcher import RATE_HZ, Espeak

VARIANTS: Final = ("f1", "m1", "f2", "m3", "f3", "m4", "Andrea", "Andy")
"""eSpeak NG's variants, the same for every language; a voice is a language's voice with a variant."""
RATE_WPM: Final = 160
VOLUME: Final = 60
SILENT: Final = 1e-3  # samples below are cut off at the ends


def speak_words(voice: str, words: Sequence[str], variants: Sequence[str], seed: int) -> list[Waveform]:
    """Return the words as spoken by each variant in turn, at 16 kHz, without room and noise, silent ends cut off.

    Args:
        voice: eSpeak NG's voice of the language.
        words: in lower case.
        variants: of the voice.
        seed: of eSpeak NG's random numbers.

    Raises:
        MissingInputError: espeakng-loader is not installed.
        DataError: eSpeak NG has no such voice, gives no sound for a word, or died.
    """
    spoken = []
    with Espeak(seed) as espeak:
        for variant in variants:
            for word in words:
                samples = espeak.synthesise(word, voice, variant, rate_wpm=RATE_WPM, volume=VOLUME, pitch=50, pitch_range=50, word_gap_ms=0)
                waveform_S = np.frombuffer(samples, np.int16).astype(np.float32) / np.float32(FULL_SCALE)
                sounding = np.flatnonzero(np.abs(waveform_S) > SILENT)
                if not len(sounding):
                    raise DataError(f"eSpeak NG voice {voice}+{variant}", f"gives no sound for {word!r}", "a sound for every word",
                                    "correct pipeline/similarity/wordlists.tsv")
                spoken.append(resample(waveform_S[sounding[0] : sounding[-1] + 1], RATE_HZ))
    return spoken
