"""Speech as it sounds outside of a quiet room: noise, telephone, another speed, a lossy codec. No torch here.

Shapes: S samples, K lines of a spectrum.
"""

from __future__ import annotations

import io
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import scipy.fft
import scipy.signal
import soundfile

from pipeline.audio.resample import resample
from pipeline.audio.samples import FULL_SCALE, Samples, Waveform
from pipeline.core.manifest import SAMPLE_RATE_HZ

TELEPHONE_HZ: Final = (300, 3_400)
"""Pass band of a telephone line (ITU-T G.712)."""

Codec = Literal["mp3", "opus"]
CODECS: Final[dict[Codec, dict[str, Any]]] = {
    "mp3": {"format": "MP3", "compression_level": 0.9},                        # some 28 kbit/s; 150 times real time
    "opus": {"format": "OGG", "subtype": "OPUS", "compression_level": 0.976},  # some 14 kbit/s, a voice message; 20 times
}


def degrade(samples_S: Samples, *, seed: list[int], speed: float = 1.0, snr_db: float | None = None, telephone: bool = False,
            codec: Codec | None = None) -> Waveform:
    """Return an utterance as it would be heard under a condition, (S',), full scale 1.0: speed, noise, line, codec in turn.

    Args:
        samples_S: 16 kHz, 16 bit.
        seed: of the noise; the same seed gives the same noise.
        speed: tempo and pitch, 1.1 a tenth faster.
        snr_db: signal-to-noise ratio, the utterance's power over that of the noise.
        telephone: over a line of 300 to 3,400 Hz, G.711 μ-law at 8 kHz.
        codec: coded and decoded again at a low rate.
    """
    waveform_S = samples_S.astype(np.float32) / np.float32(FULL_SCALE)
    if speed != 1.0:
        waveform_S = resample(waveform_S, round(SAMPLE_RATE_HZ * speed))
    if snr_db is not None:
        waveform_S = add_noise(waveform_S, snr_db, np.random.default_rng(seed))
    if telephone:
        waveform_S = through_telephone(waveform_S)
    if codec is not None:
        waveform_S = through_file(waveform_S, SAMPLE_RATE_HZ, **CODECS[codec])
    return waveform_S


def add_noise(waveform_S: Waveform, snr_db: float, random: np.random.Generator) -> Waveform:
    """Return the waveform with pink noise (power falls as 1 / f, as that of rooms and streets does) at a ratio in dB."""
    size = scipy.fft.next_fast_len(len(waveform_S), real=True)
    shape_K = np.arange(size // 2 + 1, dtype=np.float32)
    shape_K[1:] **= np.float32(-0.5)
    drawn_2K = random.standard_normal((2, len(shape_K)), dtype=np.float32)
    noise_S = scipy.fft.irfft((drawn_2K[0] + 1j * drawn_2K[1]) * shape_K, size)[: len(waveform_S)]
    power, own = (float(np.mean(np.square(part_S), dtype=np.float64)) for part_S in (waveform_S, noise_S))
    gain = np.sqrt(power / max(own, 1e-12) * 10 ** (-snr_db / 10))  # a single sample has no noise: pink has no constant part
    return waveform_S + noise_S * np.float32(gain)  # type: ignore[no-any-return]


def through_telephone(waveform_S: Waveform) -> Waveform:
    """Return the waveform as it comes out of a telephone line."""
    rate_hz = SAMPLE_RATE_HZ // 2
    line = scipy.signal.butter(4, TELEPHONE_HZ, "bandpass", fs=rate_hz, output="sos")
    narrow_S = scipy.signal.sosfilt(line, resample(waveform_S, SAMPLE_RATE_HZ, rate_hz)).astype(np.float32)
    return resample(through_file(narrow_S, rate_hz, format="WAV", subtype="ULAW"), rate_hz)[: len(waveform_S)]


def through_file(waveform_S: Waveform, rate_hz: int, **form: Any) -> Waveform:
    """Return the waveform after it was written in some form (as `soundfile.write` takes it) and read again.

    What is over full scale is first made softer: a coder would clip it.
    """
    buffer = io.BytesIO()
    soundfile.write(buffer, waveform_S / max(1.0, float(np.abs(waveform_S).max(initial=0.0))), rate_hz, **form)
    buffer.seek(0)
    read_S: npt.NDArray[np.float32] = soundfile.read(buffer, dtype="float32")[0]
    return read_S


def add_reverberation(waveform_S: Waveform, rt60_s: float, drr_db: float, random: np.random.Generator) -> Waveform:
    """Return the waveform with a room's echo behind it: noise that falls by 60 dB in `rt60_s`, `drr_db` below the direct sound."""
    size = max(2, round(rt60_s * SAMPLE_RATE_HZ))
    room_S = random.standard_normal(size, dtype=np.float32) * np.power(np.float32(10), np.arange(size, dtype=np.float32) * np.float32(-3 / size))
    room_S *= np.float32(10 ** (-drr_db / 20)) / np.float32(np.sqrt(np.dot(room_S, room_S)))
    room_S[0] = 1.0
    length = scipy.fft.next_fast_len(len(waveform_S) + size - 1, real=True)
    echoed_S = scipy.fft.irfft(scipy.fft.rfft(waveform_S, length) * scipy.fft.rfft(room_S, length), length)
    return np.ascontiguousarray(echoed_S[: len(waveform_S)], dtype=np.float32)
