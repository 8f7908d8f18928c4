"""Audio as the pipeline keeps it: decoding, resampling, FLAC, quality measures, fingerprint. No torch here.

Shapes: S samples, F frames, B bands or blocks, K lines of a spectrum.
"""

from __future__ import annotations

import io
import math
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from math import gcd
from pathlib import Path
from typing import IO, Final

import numpy as np
import numpy.typing as npt
import scipy.fft
import soundfile

from pipeline.core.manifest import SAMPLE_RATE_HZ

Waveform = npt.NDArray[np.float32]
Samples = npt.NDArray[np.int16]

FULL_SCALE: Final = 32_768
FRAME: Final = SAMPLE_RATE_HZ // 50  # 20 ms: the unit of level, silence and signal-to-noise ratio
FLOOR_DB: Final = -100.0             # below the quietest level that 16 bits hold: stands for digital silence


@dataclass(frozen=True, slots=True)
class Measures:
    """Quality of an utterance; the fields are columns of `core.manifest.DESCRIPTION`."""

    duration_s: float
    peak: float
    rms_db: float
    clipped: float
    dc_offset: float
    snr_db: float
    silence: float


class Unreadable(OSError):
    """A sound file that cannot be read here, and what would help."""


@dataclass(frozen=True, slots=True)
class Headerless:
    """How a file without a header is coded; `coding` is a key of `CODINGS`."""

    rate_hz: int
    coding: str
    channels: int


CODINGS: Final = {
    "s8": ("PCM_S8", None), "u8": ("PCM_U8", None), "s16le": ("PCM_16", "LITTLE"), "s16be": ("PCM_16", "BIG"), "s24le": ("PCM_24", "LITTLE"),
    "s32le": ("PCM_32", "LITTLE"), "f32le": ("FLOAT", "LITTLE"), "mulaw": ("ULAW", None), "alaw": ("ALAW", None),
}
"""libsndfile's subtype and order of bytes."""
HEADERS: Final = (b"RIFF", b"RIFX", b"RF64", b"fLaC", b"OggS", b"FORM", b".snd", b"caff", b"ID3")
FOREIGN: Final = {
    # how a file starts: FFmpeg's name of its form, what people call it
    rb"....ftyp": ("mov", "MPEG-4 (m4a, mp4, 3gp)"), rb"\x1a\x45\xdf\xa3": ("matroska", "WebM or Matroska"),
    rb"\x30\x26\xb2\x75": ("asf", "Windows Media"), rb"#!AMR": ("amr", "AMR"), rb"\xff[\xf1\xf9]": ("aac", "AAC"),
}
"""What libsndfile does not read."""
PATIENCE_S: Final = 300  # FFmpeg decodes hours in that; longer is a file that keeps it busy for ever


def read(path: Path | bytes, max_duration_s: float, start_s: float = 0.0, end_s: float = math.inf, channel: int = 0,
         headerless: Headerless | None = None) -> tuple[Waveform, int]:
    """Return the samples of a sound file, or of what is in one, from `start_s` to `end_s`, and their rate in Hz.

    Reading stops one sample after `max_duration_s`, whatever the header claims, and at the end of the file.

    Args:
        channel: 1 for the first; 0 for the mean of all.
        headerless: how the file is coded if it has no header.

    Raises:
        soundfile.LibsndfileError: it is no audio.
        OSError: there is no such file, or it may not be read, or (Unreadable) it lacks that channel, or a decoder is not installed.
    """
    with opened(path, min(end_s, start_s + max_duration_s) + 1, headerless) as sound:
        rate_hz = int(sound.samplerate)
        if channel > sound.channels:
            raise Unreadable(f"channel {channel} is asked for, it has {sound.channels}")
        first = min(round(start_s * rate_hz), sound.frames)
        if first:
            sound.seek(first)
        frames = min(int(max_duration_s * rate_hz) + 1, max(0, round(min(end_s, 1e9) * rate_hz) - first))
        waveform_SC = sound.read(frames, dtype="float32", always_2d=True)
    if channel or waveform_SC.shape[1] == 1:
        return np.ascontiguousarray(waveform_SC[:, max(0, channel - 1)]), rate_hz
    return waveform_SC.mean(axis=1, dtype=np.float32), rate_hz


def duration(path: Path | bytes, headerless: Headerless | None = None) -> float:
    """Return a sound file's length in seconds by its header, 0 where there is none to be read."""
    try:
        with opened(path, math.inf, headerless) as sound:
            return float(sound.frames / sound.samplerate)
    except (soundfile.LibsndfileError, OSError):
        return 0.0


@contextmanager
def opened(path: Path | bytes, until_s: float, headerless: Headerless | None) -> Iterator[soundfile.SoundFile]:
    """Yield a sound file opened by libsndfile, or what FFmpeg decodes of it up to `until_s`.

    Raises:
        soundfile.LibsndfileError, OSError: as `read`.
    """
    with ExitStack() as stack:
        handle: IO[bytes] = io.BytesIO(path) if isinstance(path, bytes) else stack.enter_context(open(path, "rb", buffering=0))
        start = handle.read(12)
        handle.seek(0)
        content = handle if isinstance(path, bytes) else handle.fileno()  # a file is read by libsndfile itself: a seventh faster
        foreign = next((form for pattern, form in FOREIGN.items() if re.match(pattern, start, re.DOTALL)), None)
        if headerless and not start.startswith(HEADERS):
            subtype, endian = CODINGS[headerless.coding]
            sound = soundfile.SoundFile(content, format="RAW", samplerate=headerless.rate_hz, channels=headerless.channels,
                                        subtype=subtype, endian=endian, closefd=False)
        elif foreign:
            file = stack.enter_context(on_disk(path)) if isinstance(path, bytes) else path
            sound = soundfile.SoundFile(io.BytesIO(decoded(file, *foreign, until_s)))
        elif isinstance(path, Path) and path.suffix.lower() == ".raw":
            raise Unreadable("it has no header: declare how it is coded (ingest.CORPUS.headerless)")
        else:
            sound = soundfile.SoundFile(content, closefd=False)
        with sound:
            yield sound


@contextmanager
def on_disk(content: bytes) -> Iterator[Path]:
    """Yield a file of this content, for a program that must be able to seek in it."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        yield Path(file.name)


def decoded(path: Path, form: str, called: str, until_s: float) -> bytes:
    """Return the first sound track of a file, up to `until_s`, as FFmpeg decodes it: an AU file of 32-bit floats.

    The file is opened as the form that its start says, and nothing that it refers to is.

    Raises:
        Unreadable: FFmpeg is not installed, or cannot decode it.
    """
    program = shutil.which("ffmpeg")
    if program is None:
        raise Unreadable(f"{called} is decoded by FFmpeg, which is not on the path: install it (Debian: apt install ffmpeg)")
    length = ["-t", f"{until_s:.3f}"] if math.isfinite(until_s) else []
    try:
        done = subprocess.run([program, "-nostdin", "-v", "error", "-protocol_whitelist", "file,pipe", "-f", form, "-i", f"file:{path}",
                               "-map", "0:a:0", *length, "-c:a", "pcm_f32be", "-f", "au", "pipe:1"], capture_output=True, timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        raise Unreadable(f"FFmpeg was not done with it in {PATIENCE_S} s") from None
    if done.returncode or len(done.stdout) < 24:
        message = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise Unreadable(f"FFmpeg cannot decode it: {message.replace(str(path), path.name)}")
    return done.stdout


def resample(waveform_S: Waveform, rate_hz: int, to_hz: int = SAMPLE_RATE_HZ) -> Waveform:
    """Return the waveform at another rate, through a linear-phase low-pass filter at the lower Nyquist frequency.

    The pass band ends at 94 % of that frequency, the stop band begins at it: 120 dB down by design, and what single
    precision leaves of that. The filter is one of finite length (16 ms between 48 and 16 kHz), so that blocks of the
    waveform, each a row of one transform, give what the whole would: the faster, the more blocks lie in the cache. Length:
    ceil(S * to_hz / rate_hz). Beside other resamplers: `python -m benchmarks.resample`.

    Source: overlap-save, Oppenheim and Schafer, "Discrete-time signal processing", section 8.7.3.
    """
    if rate_hz == to_hz or not len(waveform_S):
        return waveform_S
    step_in, step_out = rate_hz // gcd(rate_hz, to_hz), to_hz // gcd(rate_hz, to_hz)  # both rates meet on multiples of their steps
    reach = -(-(len(_low_pass(step_in, step_out)) // 2) // step_in)  # of the filter to either side, in steps
    needed = -(-len(waveform_S) // step_in)
    steps = scipy.fft.next_fast_len(min(max(-(-TRANSFORM // step_in), 8 * reach), needed + 2 * reach), real=True)
    fresh = steps - 2 * reach  # what a block adds to the one before
    blocks = -(-needed // fresh)
    padded = np.zeros((blocks * fresh + 2 * reach) * step_in, np.float32)
    padded[reach * step_in : reach * step_in + len(waveform_S)] = waveform_S
    blocks_BS = np.lib.stride_tricks.sliding_window_view(padded, steps * step_in)[:: fresh * step_in]
    gain_K = _gain(step_in, step_out, steps)
    spectrum_BK = scipy.fft.rfft(blocks_BS, axis=1)[:, : len(gain_K)] * gain_K
    resampled_BS = scipy.fft.irfft(spectrum_BK, steps * step_out, axis=1)[:, reach * step_out : (reach + fresh) * step_out]
    return resampled_BS.reshape(-1)[: -(-len(waveform_S) * to_hz // rate_hz)]  # type: ignore[no-any-return]


TRANSFORM: Final = 6_144   # samples in a block, about: longer ones leave the cache, shorter ones overlap by more
STOP_BAND_DB: Final = 120
PASS_BAND: Final = 0.94    # of the lower Nyquist frequency


@lru_cache(maxsize=64)
def _low_pass(step_in: int, step_out: int) -> npt.NDArray[np.float64]:
    """Return the filter at the first of two rates, an odd number of taps.

    Source: Kaiser's window and its length, Oppenheim and Schafer, section 7.5.3.
    """
    nyquist = min(1, step_out / step_in) / 2  # in cycles a sample
    half = math.ceil((STOP_BAND_DB - 7.95) / (2.285 * 2 * math.pi * (1 - PASS_BAND) * nyquist) / 2)
    middle = (1 + PASS_BAND) * nyquist
    taps = middle * np.sinc(middle * np.arange(-half, half + 1)) * np.kaiser(2 * half + 1, 0.1102 * (STOP_BAND_DB - 8.7))
    return taps / taps.sum()


@lru_cache(maxsize=64)
def _gain(step_in: int, step_out: int, steps: int) -> Waveform:
    """Return what each line of a block's spectrum is multiplied by: the filter, the ratio of the rates, nothing where one rate ends."""
    taps = _low_pass(step_in, step_out)
    half = len(taps) // 2
    response_K = np.fft.rfft(np.concatenate([taps[half:], np.zeros(steps * step_in - len(taps)), taps[:half]])).real
    kept = steps * min(step_in, step_out) // 2 + 1
    return (response_K[:kept] * (step_out / step_in)).astype(np.float32)


def to_int16(waveform_S: Waveform) -> Samples:
    """Return the waveform (full scale 1.0) as 16-bit samples, rounded, limited to full scale."""
    return np.clip(np.rint(waveform_S * FULL_SCALE), -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)


def trimmed(samples_S: Samples, keep_s: float) -> Samples:
    """Return 16 kHz samples (at least one) with at most `keep_s` of silence at either end.

    Silence is what `Measures.silence` counts: 20 ms frames 40 dB or more under the loudest.
    """
    levels_F = frames_of(samples_S)[1]
    sounding = np.flatnonzero(levels_F > levels_F.max() - 40)
    keep = round(keep_s * SAMPLE_RATE_HZ)
    return samples_S[max(0, int(sounding[0]) * FRAME - keep) : (int(sounding[-1]) + 1) * FRAME + keep]


def encode_flac(samples_S: Samples) -> bytes:
    """Return the samples as a FLAC file: 16 kHz, mono, 16 bit."""
    buffer = io.BytesIO()
    soundfile.write(buffer, samples_S, SAMPLE_RATE_HZ, format="FLAC", subtype="PCM_16", compression_level=0.625)
    return buffer.getvalue()


def clipped(samples_S: Samples) -> float:
    """Return the share of samples at full scale."""
    if samples_S.min() > -FULL_SCALE and samples_S.max() < FULL_SCALE - 1:
        return 0.0
    return (np.count_nonzero(samples_S == -FULL_SCALE) + np.count_nonzero(samples_S == FULL_SCALE - 1)) / len(samples_S)


def measure(samples_S: Samples) -> Measures:
    """Return the quality measures of 16 kHz samples (at least one). Frame levels leave a constant offset out."""
    offset, levels_F, power = frames_of(samples_S)
    quiet, loud = np.interp((0.05 * (len(levels_F) - 1), 0.9 * (len(levels_F) - 1)), np.arange(len(levels_F)), np.sort(levels_F))
    return Measures(
        duration_s=len(samples_S) / SAMPLE_RATE_HZ,
        peak=max(int(samples_S.max()), -int(samples_S.min())) / FULL_SCALE,
        rms_db=decibels(power),
        clipped=clipped(samples_S),
        dc_offset=offset,
        snr_db=float(loud - quiet),
        silence=float(np.mean(levels_F <= levels_F.max() - 40)),
    )


def decibels(power: float) -> float:
    """Return a mean square as dB relative to full scale, not under -100."""
    return max(FLOOR_DB, 10 * float(np.log10(power))) if power > 0 else FLOOR_DB


def frames_of(samples_S: Samples) -> tuple[float, Waveform, float]:
    """Return the constant offset, the level of each 20 ms frame without it in dB (not under -100), and the mean square with it.

    A rest shorter than a frame counts as one that is silent to its end. One array is filled and then worked on in place:
    of what measuring a clip takes, most is memory that is new.
    """
    number = -(-len(samples_S) // FRAME)
    frames_FS = np.zeros((number, FRAME), np.float32)
    flat_S = frames_FS.reshape(-1)[: len(samples_S)]
    flat_S[:] = samples_S
    offset = float(frames_FS.sum(axis=1).sum(dtype=np.float64)) / len(samples_S)  # of a frame exact: whole numbers under 2 ** 24
    flat_S -= np.float32(offset)
    energy_F = np.einsum("fs,fs->f", frames_FS, frames_FS)
    levels_F: Waveform = np.maximum(FLOOR_DB, 10 * np.log10(np.maximum(energy_F * np.float32(1 / FRAME / FULL_SCALE**2), 1e-12)))
    power = (float(energy_F.sum(dtype=np.float64)) / len(samples_S) + offset**2) / FULL_SCALE**2
    return offset / FULL_SCALE, levels_F, power


def fingerprint(samples_S: Samples) -> str:
    """Return 256 bits, in hexadecimal, that survive re-encoding, resampling, a change of gain and silence at the ends.

    The utterance, from 1 % to 99 % of its loudness, is cut into 33 parts of equal loudness and 9 bands of 300 to
    3,400 Hz. A bit says whether the step in log power from one band to the next grows from one part to the next: what is
    constant over the utterance (gain, the colour of a microphone) leaves no trace, and pauses, where a codec changes
    most, take next to none of the bits. Compare by Hamming distance: the same speech, coded anew, differs in a tenth of
    the bits, other speech in about half of them.

    Source: Haitsma and Kalker, "A highly robust audio fingerprinting system", ISMIR 2002, section 4.2 (there with frames
    of fixed length, to find excerpts). Loudness as a power of energy: Stevens, "The measurement of loudness", JASA 27,
    1955; its exponent 0.3 is 0.25 here, the best of those measured (docs/log.md).
    """
    window, edges_B = _fingerprint_plan()
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
WINDOW: Final = 1_024  # samples: 64 ms, so that the lowest band holds lines enough
HOP: Final = 384       # 24 ms; shorter finds no more copies (docs/log.md)
BLOCK: Final = 64     # frames at a time: what they need stays in the cache


@lru_cache(maxsize=1)
def _fingerprint_plan() -> tuple[Waveform, npt.NDArray[np.intp]]:
    """Return the window, and the lines of the spectrum at which the bands begin (the last entry ends the last band)."""
    edges_hz = 300 * (3_400 / 300) ** (np.arange(BANDS + 1) / BANDS)
    return np.hanning(WINDOW).astype(np.float32), np.rint(edges_hz * WINDOW / SAMPLE_RATE_HZ).astype(np.intp)
