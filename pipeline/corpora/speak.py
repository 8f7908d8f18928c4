"""The synthetic speaker: generated sentences, synthesised by eSpeak NG in many voices, rooms and noises.

A *speaker* here is a voice of the locale with a variant, pitch, pitch range and rate, a room, a microphone's frequency
response and a noise level, all drawn from the seed and the speaker's number. eSpeak NG synthesises the normalised sentence
in its spoken form; the transcript is the written form.

eSpeak NG carries state from one utterance to the next: its samples are the same only for the same utterances in the same
order after a fresh start. So a shard is a fixed range of utterances, and a fresh child process (`pipeline.espeak`)
synthesises each shard.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal

import numpy as np
import scipy.fft
from pydantic import Field, model_validator

from pipeline.audio.degrade import Spectrum, noise_gain, noise_spectrum, room_response
from pipeline.audio.samples import FULL_SCALE, Waveform
from pipeline.corpora import Reject, Release, Utterance
from pipeline.corpora.sentences import sentence
from pipeline.espeak import launcher
from pipeline.espeak.launcher import RATE_HZ, Espeak
from pipeline.text import normalise

VOICES: Final = {
    # locale: eSpeak's voice, region
    "pt-BR": ("pt-br", "Brazil"),
    "pt-PT": ("pt", "Portugal"),
    "es": ("es", "Spain"),
    "es-419": ("es-419", "Latin America"),
}
VARIANTS: Final = {
    # all of eSpeak's except robots, whisper, croak, the Klatt synthesisers, and those with little energy above 4 kHz
    "female": ("f1", "f2", "f3", "f4", "f5", "Alicia", "Andrea", "Annie", "aunty", "belinda", "linda", "grandma"),
    "male": ("m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "Alex", "Andy", "Denis", "Diogo", "Henrique", "Hugo", "Lee",
             "Mario", "Michael", "Mike", "Nguyen", "boris", "ian", "john", "marcelo", "max", "michel", "norbert", "pablo",
             "pedro", "quincy", "rob", "robert", "sandro", "travis", "victor", "grandpa"),
}
AGES: Final = {"grandma": "seventies", "grandpa": "seventies"}
LICENCE: Final = "CC0-1.0"
VOLUME: Final = 60  # eSpeak's 0..200; louder, and some voices are limited


class Params(Release):
    """`ingest.CORPUS` with `reader: speak`."""

    reader: Literal["speak"]
    locales: dict[str, float] = Field(description="share of the speakers by locale; the shares sum to 1")
    speakers: int = Field(ge=1, description="utterance i is spoken by speaker i mod speakers")
    utterances: int = Field(ge=1, description="sentences spoken, before rejects")
    seed: int = Field(ge=0, description="of sentences, voices, rooms and noises")
    rate_wpm: tuple[int, int] = Field((130, 210), description="range of the speakers' rate, words per minute: slow to fast")
    variants: int = Field(50, ge=1, description="how many of eSpeak's voice variants per gender, from the first on; they differ in vocal tract")
    pitch: tuple[int, int] = Field((32, 68), description="range of the speakers' pitch; eSpeak's 0..100, 50 is the variant's own")
    snr_db: tuple[float, float] = Field((15.0, 40.0), description="range of the speakers' signal-to-noise ratio, dB")
    word_gap_ms: tuple[int, int] = Field((0, 0), description="range of the speakers' pause between words: 0 fluent, 50 dictation")
    drr_db: tuple[float, float] = Field((4.0, 16.0), description="range of the direct-to-reverberant ratio, dB: far to near")

    @model_validator(mode="after")
    def _check_speakers(self) -> Params:
        if unknown := sorted(set(self.locales) - set(VOICES)):
            raise ValueError(f"no voice for locale {', '.join(unknown)}; expected any of {', '.join(VOICES)}")
        if abs(sum(self.locales.values()) - 1) > 1e-6 or min(self.locales.values()) <= 0:
            raise ValueError(f"locales must be shares over 0 that sum to 1; they sum to {sum(self.locales.values()):g}")
        if self.limit_hours is not None:
            raise ValueError("limit_hours is for releases; set utterances instead")
        for name in ("rate_wpm", "pitch", "snr_db", "drr_db", "word_gap_ms"):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"{name} must be [lowest, highest]")
        return self


@dataclass(frozen=True, slots=True)
class Speaker:
    """The properties that all utterances of a speaker share."""

    id: str
    locale: str
    variant: str
    gender: str
    rate_wpm: float
    pitch: int            # eSpeak's 0..100; 50 is the variant's own
    pitch_range: int      # eSpeak's 0..100: monotonous to lively
    word_gap_ms: int      # in steps of 10 ms
    peak_db: float        # loudest sample, relative to full scale
    snr_db: float
    noise_slope: float    # noise power falls as f ** -slope: 0 hiss, 1.5 rumble
    rt60_s: float         # reverberation time of the room
    drr_db: float         # direct-to-reverberant ratio
    room_seed: int        # of the room's reverberation
    low_hz: float         # the microphone's pass band
    high_hz: float
    tilt_db: float        # the microphone's slope, dB per octave

    @property
    def voice(self) -> str:
        """The voice's name in eSpeak NG."""
        return f"{VOICES[self.locale][0]}+{self.variant}"


def speakers(params: Params) -> list[Speaker]:
    """Return the corpus's speakers. A larger number of speakers begins with the same ones."""
    number_of = dict.fromkeys(params.locales, 0)
    drawn = []
    for number in range(params.speakers):
        locale = max(number_of, key=lambda name: params.locales[name] * (number + 1) - number_of[name])
        drawn.append(_speaker(params, number, locale, number_of[locale]))
        number_of[locale] += 1
    return drawn


def _speaker(params: Params, number: int, locale: str, rank: int) -> Speaker:
    draw = np.random.default_rng([params.seed, number])
    gender = ("female", "male")[rank % 2]
    shuffled = np.random.default_rng([params.seed, *locale.encode()]).permutation(VARIANTS[gender][: params.variants])
    return Speaker(
        id=f"{number:04d}", locale=locale, gender=gender, variant=str(shuffled[rank // 2 % len(shuffled)]),
        rate_wpm=float(draw.uniform(*params.rate_wpm)),
        pitch=int(draw.integers(params.pitch[0], params.pitch[1] + 1)), pitch_range=int(draw.integers(35, 76)),
        peak_db=float(draw.uniform(-18, -2)), snr_db=float(draw.uniform(*params.snr_db)),
        noise_slope=float(draw.uniform(0, 1.5)),
        rt60_s=float(draw.uniform(0.10, 0.35)), drr_db=float(draw.uniform(*params.drr_db)),
        low_hz=float(draw.uniform(40, 220)), high_hz=float(np.exp(draw.uniform(np.log(4_500), np.log(11_000)))),
        tilt_db=float(draw.uniform(-2.5, 2.5)), room_seed=int(draw.integers(2**31)),
        word_gap_ms=10 * int(draw.integers(params.word_gap_ms[0] // 10, params.word_gap_ms[1] // 10 + 1)),
    )


def shards(params: Params, source: Path) -> Sequence[range]:
    """Return the range of utterances of each shard."""
    step = params.utterances_per_shard
    return [range(start, min(start + step, params.utterances)) for start in range(0, params.utterances, step)]


def read(params: Params, source: Path, task: range) -> Iterator[Utterance | Reject]:
    """Yield the utterances of one shard, synthesised in a child process of its own.

    Raises:
        MissingInputError: espeakng-loader is not installed.
        DataError: eSpeak NG cannot be loaded, returns an error, or its process died.
    """
    all_speakers = speakers(params)
    with Espeak(seed=params.seed * 1_000_003 + task.start) as espeak:
        for index in task:
            speaker = all_speakers[index % len(all_speakers)]
            draw = np.random.default_rng([params.seed, index, 1])
            written = sentence(speaker.locale, params.seed, index)
            spoken_S = synthesise(espeak, normalise(written, speaker.locale), speaker, pace=float(draw.uniform(0.94, 1.06)))
            name, voice = f"{index:06d}", f"eSpeak NG {speaker.voice}"
            if not len(spoken_S):
                yield Reject(name, voice, "empty", f"no sound for {written!r}")
                continue
            yield Utterance(
                id=name, source=voice, audio=(record(spoken_S, speaker, draw), RATE_HZ),
                transcript=written, locale=speaker.locale, licence=LICENCE, speaker=speaker.id, accent=VOICES[speaker.locale][1],
                gender=speaker.gender, age=AGES.get(speaker.variant, ""),
            )


def versions() -> dict[str, str]:
    """Return the version of the package that contains eSpeak NG.

    Raises:
        MissingInputError: it is not installed.
    """
    return {launcher.PACKAGE: launcher.version()}


def synthesise(espeak: Espeak, text: str, speaker: Speaker, pace: float = 1.0) -> Waveform:
    """Return the text as spoken by the speaker, without room and noise, at 22,050 Hz, silent ends cut off.

    Args:
        espeak: a running child.
        text: in spoken form.
        speaker: the voice.
        pace: factor on the speaker's rate.

    Raises:
        DataError: the voice does not exist, eSpeak returns an error, or its process died.
    """
    samples = espeak.synthesise(text, VOICES[speaker.locale][0], speaker.variant, rate_wpm=round(speaker.rate_wpm * pace), volume=VOLUME,
                                pitch=speaker.pitch, pitch_range=speaker.pitch_range, word_gap_ms=speaker.word_gap_ms)
    waveform_S = np.frombuffer(samples, np.int16).astype(np.float32) / np.float32(FULL_SCALE)
    sounding = np.flatnonzero(np.abs(waveform_S) > 1e-3)
    return waveform_S[sounding[0] : sounding[-1] + 1] if len(sounding) else waveform_S[:0]


def record(spoken_S: Waveform, speaker: Speaker, draw: np.random.Generator) -> Waveform:
    """Return dry speech as recorded by the speaker's microphone: with pauses around it, room, frequency response, noise, level.

    All steps work on one spectrum: the room is a convolution, the microphone a gain by frequency, and the noise a random
    spectrum scaled by the speech's energy (Parseval).

    Args:
        spoken_S: synthesised speech at 22,050 Hz.
        speaker: whose room, microphone and noise.
        draw: random numbers of the utterance.
    """
    lead, trail = (int(RATE_HZ * pause_s) for pause_s in draw.uniform(0.06, 0.30, 2))
    room_S = room(speaker)
    length = lead + len(spoken_S) + trail
    size = scipy.fft.next_fast_len(length + len(room_S), real=True)
    padded = np.zeros(size, np.float32)
    padded[lead : lead + len(spoken_S)] = spoken_S
    microphone_K, noise_K = frequency_responses(speaker, size)
    recorded_K = scipy.fft.rfft(padded) * scipy.fft.rfft(room_S, size) * microphone_K
    hiss_K = noise_spectrum(noise_K, draw)
    snr_db = speaker.snr_db + draw.uniform(-2, 2)
    hiss_K *= noise_gain(energy(recorded_K) / len(spoken_S), energy(hiss_K) / size, snr_db)
    recorded_S: Waveform = scipy.fft.irfft(recorded_K + hiss_K, size)[:length]
    peak = 10 ** ((speaker.peak_db + draw.uniform(-1, 1)) / 20)
    recorded_S *= np.float32(peak / np.abs(recorded_S).max())
    return recorded_S


def energy(spectrum_K: Spectrum) -> float:
    """Return the energy of a spectrum (without BLAS, whose order of summation depends on its threads)."""
    return float(np.square(spectrum_K.view(np.float32)).sum(dtype=np.float64))


@lru_cache(maxsize=1_024)
def room(speaker: Speaker) -> Waveform:
    """Return the impulse response of the speaker's room."""
    return room_response(speaker.rt60_s, speaker.drr_db, RATE_HZ, np.random.default_rng(speaker.room_seed))


def frequency_responses(speaker: Speaker, size: int) -> tuple[Waveform, Waveform]:
    """Return two gains by frequency, `size // 2 + 1` each: the microphone's, and the one that colours white noise."""
    hz = np.maximum(scipy.fft.rfftfreq(size, 1 / RATE_HZ), 20).astype(np.float32)
    microphone = (hz / 1_000) ** np.float32(speaker.tilt_db / 6.02)
    microphone /= np.sqrt((1 + (speaker.low_hz / hz) ** 4) * (1 + (hz / speaker.high_hz) ** 8))
    return microphone, microphone * hz ** np.float32(-speaker.noise_slope / 2)
