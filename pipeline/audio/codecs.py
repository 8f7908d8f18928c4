"""Decoding of audio files, and FLAC, the format that the pipeline stores. No torch here.

Shapes: S samples, C channels.
"""

from __future__ import annotations

import io
import math
import mmap
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

import numpy as np
import soundfile

from pipeline.audio.concatenated import Content, Part, parts_of
from pipeline.audio.resample import resample
from pipeline.audio.samples import Samples, Waveform
from pipeline.audio.wav import SUBTYPES, is_wav, uncounted_header
from pipeline.core.manifest import SAMPLE_RATE_HZ


class Unreadable(OSError):
    """An audio file that cannot be decoded; the message has the action."""


@dataclass(frozen=True, slots=True)
class Headerless:
    """The encoding of a file without a header; `coding` is a key of `CODINGS`."""

    rate_hz: int
    coding: str
    channels: int


CODINGS: Final = {
    "s8": ("PCM_S8", None), "u8": ("PCM_U8", None), "s16le": ("PCM_16", "LITTLE"), "s16be": ("PCM_16", "BIG"), "s24le": ("PCM_24", "LITTLE"),
    "s32le": ("PCM_32", "LITTLE"), "f32le": ("FLOAT", "LITTLE"), "mulaw": ("ULAW", None), "alaw": ("ALAW", None),
}
"""libsndfile's subtype and byte order."""
HEADERS: Final = (b"RIFF", b"RIFX", b"RF64", b"fLaC", b"OggS", b"FORM", b".snd", b"caff", b"ID3")
FFMPEG_FORMATS: Final = {
    # first bytes of a file: FFmpeg's name of the format, its usual name
    rb"....ftyp": ("mov", "MPEG-4 (m4a, mp4, 3gp)"), rb"\x1a\x45\xdf\xa3": ("matroska", "WebM or Matroska"),
    rb"\x30\x26\xb2\x75": ("asf", "Windows Media"), rb"#!AMR": ("amr", "AMR"), rb"\xff[\xf1\xf9]": ("aac", "AAC"),
}
"""Formats that libsndfile does not read."""
SUFFIXES: Final = (".wav", ".wave", ".flac", ".mp3", ".mp2", ".ogg", ".oga", ".opus", ".spx", ".m4a", ".m4b", ".mp4", ".mov", ".aac", ".webm", ".mka",
                   ".mkv", ".wma", ".asf", ".amr", ".3gp", ".3g2", ".aif", ".aiff", ".aifc", ".au", ".snd", ".caf", ".w64", ".rf64", ".sph", ".nist",
                   ".raw", ".pcm")
"""The endings of files that look like recordings, without regard to case, whether or not they can be decoded."""
TIMEOUT_S: Final = 300  # FFmpeg decodes hours of audio in that time


def is_recording(name: str, more: Collection[str] = ()) -> bool:
    """Return whether a file looks like a recording by its name: by an ending of `SUFFIXES` or `more`, in lower or upper case.

    `._NAME.wav` does not: macOS puts such files into archives, beside each recording.
    """
    base = os.path.basename(name)
    ending = os.path.splitext(base)[1].lower()
    return (ending in SUFFIXES or (ending != "" and ending in more)) and not base.startswith("._")


def recording_paths(folder: Path, more: Collection[str] = ()) -> Iterator[str]:
    """Yield the paths, relative to a folder, of the recordings in it and below; links to folders are followed, each folder is read once."""
    read: set[tuple[int, int]] = set()
    root = str(folder)
    for at, folders, names in os.walk(root, followlinks=True):
        status = os.stat(at)
        if (status.st_dev, status.st_ino) in read:
            folders.clear()
            continue
        read.add((status.st_dev, status.st_ino))
        folders.sort()
        within = at[len(root):].lstrip(os.sep)
        yield from (os.path.join(within, name) for name in sorted(names) if is_recording(name, more))


def read_audio(path: Path | bytes, max_duration_s: float, start_s: float = 0.0, end_s: float = math.inf, channel: int = 0,
               headerless: Headerless | None = None) -> tuple[Waveform, int]:
    """Return the samples of an audio file from `start_s` to `end_s`, (S,), full scale 1.0, and their rate in Hz.

    Reading stops one sample after `max_duration_s`, whatever the header claims, and at the end of the file.

    Args:
        path: the file, or its content.
        max_duration_s: longest part to read.
        start_s: start of the part.
        end_s: end of the part.
        channel: 1 for the first; 0 for the mean of all.
        headerless: the encoding of a file without a header.

    Raises:
        soundfile.LibsndfileError: the file is not audio.
        OSError: the file is missing or may not be read, or (Unreadable) lacks that channel, or its decoder is not installed.
    """
    with open_sound(path, min(end_s, start_s + max_duration_s) + 1, headerless) as sound:
        rate_hz = int(sound.samplerate)
        if channel > sound.channels:
            raise Unreadable(f"channel {channel} is missing, it has {sound.channels}")
        first = min(round(start_s * rate_hz), sound.frames)
        if first:
            sound.seek(first)
        frames = min(int(max_duration_s * rate_hz) + 1, max(0, round(min(end_s, 1e9) * rate_hz) - first))
        waveform_SC = sound.read(frames, dtype="float32", always_2d=True)
    return to_mono(waveform_SC, channel), rate_hz


def to_mono(waveform_SC: Waveform, channel: int = 0) -> Waveform:
    """Return one channel (1 for the first), or the mean of all (0), within full scale, (S,).

    Channels of opposite polarity cancel in a mean: if less than a twentieth of their energy is left, the sign of those that
    oppose the loudest one is changed first. Floating-point samples beyond full scale are scaled by their peak, not clipped.
    """
    if channel or waveform_SC.shape[1] == 1:
        mono_S = np.ascontiguousarray(waveform_SC[:, max(0, channel - 1)])
    else:
        mono_S = waveform_SC.mean(axis=1, dtype=np.float32)
        energy_C = np.square(waveform_SC).sum(axis=0)
        if np.square(mono_S).sum() < 0.05 * energy_C.mean():
            signs_C = np.where((waveform_SC * waveform_SC[:, [int(energy_C.argmax())]]).sum(axis=0) < 0, -1, 1).astype(np.float32)
            mono_S = (waveform_SC * signs_C).mean(axis=1, dtype=np.float32)
    peak = float(np.abs(mono_S).max(initial=0))
    return mono_S / np.float32(peak) if 1 < peak < math.inf else mono_S


def duration_from_header(path: Path | bytes, headerless: Headerless | None = None) -> float:
    """Return the duration in an audio file's header in seconds, 0 if the header cannot be read."""
    try:
        with open_sound(path, math.inf, headerless) as sound:
            return float(sound.frames / sound.samplerate)
    except (soundfile.LibsndfileError, OSError):
        return 0.0


@contextmanager
def open_sound(path: Path | bytes, until_s: float, headerless: Headerless | None) -> Iterator[soundfile.SoundFile]:
    """Yield an audio file opened by libsndfile, decoded by FFmpeg up to `until_s` where libsndfile does not read its format.

    Raises:
        soundfile.LibsndfileError, OSError: as `read_audio`.
    """
    with ExitStack() as stack:
        handle: IO[bytes] = io.BytesIO(path) if isinstance(path, bytes) else stack.enter_context(open(path, "rb", buffering=0))
        start = handle.read(12)
        handle.seek(0)
        content = handle if isinstance(path, bytes) else handle.fileno()  # libsndfile reads a file itself: a seventh faster
        ffmpeg_format = ffmpeg_format_of(start)
        if headerless and not start.startswith(HEADERS):
            subtype, endian = CODINGS[headerless.coding]
            sound = soundfile.SoundFile(content, format="RAW", samplerate=headerless.rate_hz, channels=headerless.channels,
                                        subtype=subtype, endian=endian, closefd=False)
        elif ffmpeg_format:
            file = stack.enter_context(temporary_file(path)) if isinstance(path, bytes) else path
            sound = soundfile.SoundFile(io.BytesIO(decode_with_ffmpeg(file, *ffmpeg_format, until_s)))
        elif isinstance(path, Path) and path.suffix.lower() == ".raw":
            raise Unreadable("it has no header: declare how it is coded (ingest.CORPUS.headerless)")
        elif is_wav(start) and (header := uncounted_header(handle, _length(handle))):
            handle.seek(header.offset)
            sound = soundfile.SoundFile(io.BytesIO(handle.read()), format="RAW", samplerate=header.rate_hz, channels=header.channels,
                                        subtype=SUBTYPES[header.dtype], endian="LITTLE")
        elif (parts := parts_of(whole := stack.enter_context(_whole(handle)))) != [Part(0, len(whole))]:
            sound = soundfile.SoundFile(io.BytesIO(_joined(whole, parts, until_s)))
        else:
            handle.seek(0)
            sound = soundfile.SoundFile(content, closefd=False)
        with sound:
            yield sound


@contextmanager
def _whole(handle: IO[bytes]) -> Iterator[Content]:
    """Yield the content of a file, mapped into memory where it is one on disk."""
    if isinstance(handle, io.BytesIO):
        yield handle.getvalue()
    elif not _length(handle):
        yield b""
    else:
        with mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            yield mapped


def _length(handle: IO[bytes]) -> int:
    length = handle.seek(0, os.SEEK_END)
    handle.seek(0)
    return length


def _joined(content: Content, parts: list[Part], until_s: float) -> bytes:
    """Return the audio of several files in one, up to `until_s`, at the first one's rate: an AU file of 32-bit floats.

    Raises:
        Unreadable: their numbers of channels differ.
    """
    buffer, rate_hz, channels, duration_s = io.BytesIO(), 0, 0, 0.0
    output: soundfile.SoundFile | None = None
    for part in parts:
        waveform_SC, own_rate_hz = soundfile.read(io.BytesIO(part.read(content)), dtype="float32", always_2d=True)
        if output is None:
            rate_hz, channels = own_rate_hz, waveform_SC.shape[1]
            output = soundfile.SoundFile(buffer, "w", rate_hz, channels, format="AU", subtype="FLOAT")
        if waveform_SC.shape[1] != channels:
            raise Unreadable(f"it is {len(parts)} files in one, with {channels} and {waveform_SC.shape[1]} channels: split it")
        output.write(np.stack([resample(np.ascontiguousarray(lane), own_rate_hz, rate_hz) for lane in waveform_SC.T], axis=1))
        duration_s += len(waveform_SC) / own_rate_hz
        if duration_s > until_s:
            break
    assert output is not None
    output.close()
    return buffer.getvalue()


@contextmanager
def temporary_file(content: bytes) -> Iterator[Path]:
    """Yield a file with this content, for a program that has to seek in it."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        yield Path(file.name)


def decode_with_ffmpeg(path: Path, form: str, name: str, until_s: float) -> bytes:
    """Return the first audio track of a file, up to `until_s`, as FFmpeg decodes it: an AU file of 32-bit floats.

    Args:
        path: the file.
        form: FFmpeg's name of its format.
        name: its usual name, for the message.
        until_s: end of the part to decode; infinite for all.

    Raises:
        Unreadable: FFmpeg is not installed, or cannot decode it.
    """
    try:
        done = subprocess.run(ffmpeg_command(path, form, name, until_s), capture_output=True, timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        raise Unreadable(f"FFmpeg did not finish within {TIMEOUT_S} s") from None
    if done.returncode or len(done.stdout) < 24:
        message = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise Unreadable(f"FFmpeg cannot decode it: {message.replace(str(path), path.name)}")
    return done.stdout


def ffmpeg_format_of(start: bytes) -> tuple[str, str] | None:
    """Return FFmpeg's name and the usual name of the format of a file that libsndfile does not read, by its first twelve bytes."""
    return next((form for pattern, form in FFMPEG_FORMATS.items() if re.match(pattern, start, re.DOTALL)), None)


def ffmpeg_command(path: Path, form: str, name: str, until_s: float) -> list[str]:
    """Return the command that decodes the first audio track of a file to an AU file of 32-bit floats on standard output.

    FFmpeg opens the file as the given format, and no other file or address that it refers to.

    Args:
        path: the file.
        form: FFmpeg's name of its format.
        name: its usual name, for the message.
        until_s: end of the part to decode; infinite for all.

    Raises:
        Unreadable: FFmpeg is not installed.
    """
    program = shutil.which("ffmpeg")
    if program is None:
        raise Unreadable(f"{name} is decoded by FFmpeg, which is not on the path: install it (Debian: apt install ffmpeg)")
    length = ["-t", f"{until_s:.3f}"] if math.isfinite(until_s) else []
    return [program, "-nostdin", "-v", "error", "-protocol_whitelist", "file,pipe", "-f", form, "-i", f"file:{path}",
            "-map", "0:a:0", *length, "-c:a", "pcm_f32be", "-f", "au", "pipe:1"]


def encode_flac(samples_S: Samples) -> bytes:
    """Return the samples as a FLAC file: 16 kHz, mono, 16 bit."""
    buffer = io.BytesIO()
    soundfile.write(buffer, samples_S, SAMPLE_RATE_HZ, format="FLAC", subtype="PCM_16", compression_level=0.625)
    return buffer.getvalue()


