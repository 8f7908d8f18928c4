"""Degraded speech: rooms, noise, telephone, another speed, a lossy codec. No torch here.

Shapes: S samples, K lines of a spectrum.
"""

from __future__ import annotations

import io
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import scipy.fft
import soundfile

from pipeline.audio.resample import resample
from pipeline.audio.samples import FULL_SCALE, Samples, Waveform
from pipeline.core.manifest import SAMPLE_RATE_HZ

Spectrum = npt.NDArray[np.complex64]
TELEPHONE_HZ: Final = (300, 3_400)
"""Pass band of a telephone line (ITU-T G.712)."""

Codec = Literal["mp3", "opus"]
CODECS: Final[dict[Codec, dict[str, Any]]] = {
    "mp3": {"format": "MP3", "compression_level": 0.9},                        # some 28 kbit/s; 150 times real time
    "opus": {"format": "OGG", "subtype": "OPUS", "compression_level": 0.976},  # some 14 kbit/s, a voice message; 20 times
}


def degrade(samples_S: Samples, *, seed: list[int], speed: float = 1.0, snr_db: float | None = None, telephone: bool = False,
            codec: Codec | None = None) -> Waveform:
    """Return an utterance under a condition, (S',), full scale 1.0: speed, noise, line, codec in turn.

    Args:
        samples_S: 16 kHz, 16 bit.
        seed: of the noise; the same seed gives the same noise.
        speed: factor on tempo and pitch, 1.1 is a tenth faster.
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
    """Return the waveform with pink noise (power falls as 1 / f, as that of rooms and streets does) at a signal-to-noise ratio.

    Args:
        waveform_S: any rate.
        snr_db: the waveform's power over that of the noise.
        random: of the noise.
    """
    size = scipy.fft.next_fast_len(len(waveform_S), real=True)
    colour_K = np.arange(size // 2 + 1, dtype=np.float32)
    colour_K[1:] **= np.float32(-0.5)
    noise_S = scipy.fft.irfft(noise_spectrum(colour_K, random), size)[: len(waveform_S)]
    signal_power, noise_power = (float(np.mean(np.square(part_S), dtype=np.float64)) for part_S in (waveform_S, noise_S))
    return waveform_S + noise_S * noise_gain(signal_power, noise_power, snr_db)


def noise_spectrum(colour_K: Waveform, random: np.random.Generator) -> Spectrum:
    """Return the spectrum of Gaussian noise, `colour_K` its amplitude by frequency."""
    drawn_2K = random.standard_normal((2, len(colour_K)), np.float32)
    spectrum_K: Spectrum = (drawn_2K[0] + 1j * drawn_2K[1]) * colour_K
    return spectrum_K


def noise_gain(signal_power: float, noise_power: float, snr_db: float) -> np.float32:
    """Return the factor on a noise that gives the signal-to-noise ratio. Of a single sample pink noise is 0: it stays so."""
    return np.float32(np.sqrt(signal_power / max(noise_power, 1e-12) * 10 ** (-snr_db / 10)))


def add_reverberation(waveform_S: Waveform, rt60_s: float, drr_db: float, random: np.random.Generator) -> Waveform:
    """Return a 16 kHz waveform with the reverberation of a room, of the same length.

    Args:
        waveform_S: 16 kHz.
        rt60_s: reverberation time, until the room's sound has fallen by 60 dB.
        drr_db: energy of the direct sound over that of the room's.
        random: of the room.
    """
    room_S = room_response(rt60_s, drr_db, SAMPLE_RATE_HZ, random)
    size = scipy.fft.next_fast_len(len(waveform_S) + len(room_S) - 1, real=True)
    reverberant_S = scipy.fft.irfft(scipy.fft.rfft(waveform_S, size) * scipy.fft.rfft(room_S, size), size)
    return np.ascontiguousarray(reverberant_S[: len(waveform_S)], dtype=np.float32)


def room_response(rt60_s: float, drr_db: float, rate_hz: int, random: np.random.Generator) -> Waveform:
    """Return a room's impulse response down to -40 dB: the direct sound, a gap of 4 ms, then noise that decays exponentially.

    The gap is a reflection's path to the nearest wall, 70 cm away, and back.

    Args:
        rt60_s: reverberation time, until the room's sound has fallen by 60 dB.
        drr_db: energy of the direct sound over that of the room's.
        rate_hz: sample rate.
        random: of the noise.

    Source: Polack's model, Polack, "La transmission de l'énergie sonore dans les salles", thesis, Le Mans, 1988.
    """
    time_s = np.arange(max(1, int(rate_hz * rt60_s * 2 / 3))) / rate_hz
    response_S = random.standard_normal(len(time_s)) * 10 ** (-3 * time_s / rt60_s)
    response_S[: int(rate_hz * 0.004)] = 0
    energy = np.square(response_S).sum()
    if energy > 0:  # a room of under 6 ms has no reverberation
        response_S *= np.sqrt(10 ** (-drr_db / 10) / energy)
    response_S[0] = 1
    return response_S.astype(np.float32)


def through_telephone(waveform_S: Waveform) -> Waveform:
    """Return a 16 kHz waveform after a telephone line: 300 to 3,400 Hz, G.711 μ-law at 8 kHz."""
    import scipy.signal  # late: takes a third of a second, which the synthetic speaker does not need

    rate_hz = SAMPLE_RATE_HZ // 2
    line = scipy.signal.butter(4, TELEPHONE_HZ, "bandpass", fs=rate_hz, output="sos")
    narrow_S = scipy.signal.sosfilt(line, resample(waveform_S, SAMPLE_RATE_HZ, rate_hz)).astype(np.float32)
    return resample(through_file(narrow_S, rate_hz, format="WAV", subtype="ULAW"), rate_hz)[: len(waveform_S)]


def through_file(waveform_S: Waveform, rate_hz: int, **form: Any) -> Waveform:
    """Return the waveform after it was written in some format and read again.

    A waveform over full scale is attenuated first: a coder would clip it.

    Args:
        waveform_S: full scale 1.0.
        rate_hz: sample rate.
        form: format arguments of `soundfile.write`.
    """
    buffer = io.BytesIO()
    soundfile.write(buffer, waveform_S / max(1.0, float(np.abs(waveform_S).max(initial=0.0))), rate_hz, **form)
    buffer.seek(0)
    read_S: npt.NDArray[np.float32] = soundfile.read(buffer, dtype="float32")[0]
    return read_S
