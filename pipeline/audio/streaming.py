"""Audio as a stream of blocks at 16 kHz, in bounded memory: files of any length, and WAV from a pipe.

Shapes: S samples, C channels.
"""

from __future__ import annotations

import math
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from math import gcd
from pathlib import Path
from typing import IO, Final

import numpy as np
import soundfile

from pipeline.audio.codecs import Unreadable, ffmpeg_command, ffmpeg_format_of
from pipeline.audio.resample import filter_reach, resample
from pipeline.audio.samples import Waveform
from pipeline.core.manifest import SAMPLE_RATE_HZ

BLOCK_S: Final = 10.0
"""Length of a block that is read at once; also bounds how much of a stream is in memory."""
PIPE_BLOCK_S: Final = 0.25
"""Length of a block from a pipe: a live transcript waits at most this long for more audio."""
WAV_DTYPES: Final = {(1, 8): "u1", (1, 16): "<i2", (1, 24): "<i3", (1, 32): "<i4", (3, 32): "<f4", (3, 64): "<f8"}
"""Samples of a WAV file by format tag and bits (`<i3`: three bytes, unpacked by hand)."""
UNKNOWN_SIZE: Final = 0x7FFF0000
"""A WAV header that was written before its audio has 0 or a size from here up: the audio ends with the file."""


@dataclass(slots=True)
class Blocks:
    """A recording as it is read.

    Args:
        channels: number of channels.
        total_s: length in seconds by the header; None if it has none.
        blocks: waveforms at 16 kHz, (S, C), full scale 1.0; each is read when it is asked for.
    """

    channels: int
    total_s: float | None
    blocks: Iterator[Waveform]


@contextmanager
def open_blocks(source: Path | IO[bytes]) -> Iterator[Blocks]:
    """Yield a recording as blocks of 16 kHz audio, at most `BLOCK_S` of it in memory at a time.

    libsndfile reads what it knows, FFmpeg the rest. A pipe is read as it fills where it carries WAV; other formats need
    to be read twice, so a pipe of them is first written to a temporary file.

    Args:
        source: a file, or a binary stream such as standard input.

    Raises:
        soundfile.LibsndfileError: the source is not audio.
        OSError: it is missing or may not be read, or (Unreadable) its decoder is not installed or failed.
    """
    with ExitStack() as stack:
        if isinstance(source, Path):
            handle: IO[bytes] = stack.enter_context(open(source, "rb", buffering=0))
            start, pipe = handle.read(12), False
            handle.seek(0)
        else:
            handle, pipe = source, True
            start = _read(handle, 12)
        if start.startswith(b"RIFF") and start[8:12] == b"WAVE" and (pipe or _is_truncated(handle)):
            if not pipe:
                handle.seek(12)
            yield _resampled(*_wav(handle, PIPE_BLOCK_S if pipe else BLOCK_S))
            return
        if pipe:
            file = stack.enter_context(tempfile.NamedTemporaryFile())
            file.write(start)
            shutil.copyfileobj(handle, file)
            file.flush()
            source, handle = Path(file.name), stack.enter_context(open(file.name, "rb", buffering=0))
        assert isinstance(source, Path)
        found = ffmpeg_format_of(start)
        yield _resampled(*(stack.enter_context(_ffmpeg(source, *found)) if found else _libsndfile(stack, handle)))


def resample_blocks(blocks: Iterable[Waveform], rate_hz: int, to_hz: int = SAMPLE_RATE_HZ) -> Iterator[Waveform]:
    """Yield blocks of one channel at another rate, equal to `resample` of the whole up to rounding.

    Each block is resampled with as much audio to both sides as the filter reaches.

    Args:
        blocks: waveforms, (S,).
        rate_hz: their sample rate.
        to_hz: sample rate of the result.
    """
    if rate_hz == to_hz:
        yield from blocks
        return
    step_in, step_out = rate_hz // gcd(rate_hz, to_hz), to_hz // gcd(rate_hz, to_hz)
    reach = filter_reach(step_in, step_out)
    pending = np.zeros(reach * step_in, np.float32)
    received = returned = 0
    for block in blocks:
        received += len(block)
        pending = np.concatenate([pending, block])
        if (ready := len(pending) // step_in - 2 * reach) > 0:
            yield resample(pending[: (ready + 2 * reach) * step_in], rate_hz, to_hz)[reach * step_out : (reach + ready) * step_out]
            returned += ready * step_out
            pending = pending[ready * step_in :]
    if rest := -(-received * to_hz // rate_hz) - returned:
        yield resample(pending, rate_hz, to_hz)[reach * step_out :][:rest]


def _resampled(rate_hz: int, channels: int, frames: int | None, blocks: Iterator[Waveform]) -> Blocks:
    """Return a source's blocks at 16 kHz; the channels are resampled in step."""
    def split() -> Iterator[Waveform]:
        lanes: list[list[Waveform]] = [[] for _ in range(channels)]

        def lane(number: int) -> Iterator[Waveform]:
            while True:
                while not lanes[number]:
                    try:
                        block_SC = next(blocks)
                    except StopIteration:
                        return
                    for other in range(channels):
                        lanes[other].append(np.ascontiguousarray(block_SC[:, other]))
                yield lanes[number].pop(0)

        resampled = [resample_blocks(lane(number), rate_hz) for number in range(channels)]
        for parts in zip(*resampled, strict=True):
            yield np.stack(parts, axis=1)

    return Blocks(channels, None if frames is None else frames / rate_hz, split())


def _libsndfile(stack: ExitStack, handle: IO[bytes]) -> tuple[int, int, int | None, Iterator[Waveform]]:
    sound = stack.enter_context(soundfile.SoundFile(handle.fileno(), closefd=False))
    return sound.samplerate, sound.channels, sound.frames, sound.blocks(round(BLOCK_S * sound.samplerate), dtype="float32", always_2d=True)


@contextmanager
def _ffmpeg(path: Path, form: str, name: str) -> Iterator[tuple[int, int, int | None, Iterator[Waveform]]]:
    """Yield what FFmpeg decodes of a file while it decodes: it writes an AU file, whose header has rate and channels."""
    with subprocess.Popen(ffmpeg_command(path, form, name, math.inf), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          stdin=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            header = _read(process.stdout, 24)
            if len(header) < 24:
                process.wait()
                raise _ffmpeg_error(process.stderr.read(), path)
            _, offset, _, _, rate_hz, channels = struct.unpack(">4s5I", header)
            _read(process.stdout, offset - 24)

            def blocks() -> Iterator[Waveform]:
                assert process.stdout is not None
                assert process.stderr is not None
                while content := _read(process.stdout, round(BLOCK_S * rate_hz) * 4 * channels):
                    yield np.frombuffer(content[: len(content) // (4 * channels) * 4 * channels], ">f4").astype(np.float32).reshape(-1, channels)
                if process.wait():
                    raise _ffmpeg_error(process.stderr.read(), path)

            yield rate_hz, channels, None, blocks()
        finally:
            process.kill()


def _ffmpeg_error(message: bytes, path: Path) -> Unreadable:
    return Unreadable(f"FFmpeg cannot decode it: {message.decode(errors='replace').strip().rpartition(chr(10))[2].replace(str(path), path.name)}")


def _is_truncated(handle: IO[bytes]) -> bool:
    """Return whether a WAV file's recorder ended before it wrote the sizes; libsndfile reads no sample of such a file."""
    try:
        sound = soundfile.SoundFile(handle.fileno(), closefd=False)
        with sound:
            return bool(sound.frames == 0)
    except soundfile.LibsndfileError:
        return False
    finally:
        handle.seek(0)


def _wav(handle: IO[bytes], block_s: float) -> tuple[int, int, int | None, Iterator[Waveform]]:
    """Return a WAV stream after its first twelve bytes, read to the end of its audio or of the stream."""
    layout: tuple[str, int, int, int] | None = None  # dtype, channels, rate, bytes per frame
    while True:
        head = _read(handle, 8)
        if len(head) < 8:
            raise Unreadable("it ends before its audio begins")
        name, size = struct.unpack("<4sI", head)
        if name == b"data":
            break
        content = _read(handle, size + size % 2)
        if name == b"fmt " and len(content) >= 16:
            tag, channels, rate_hz, _, _, bits = struct.unpack("<HHIIHH", content[:16])
            if tag == 0xFFFE and len(content) >= 26:
                tag = struct.unpack("<H", content[24:26])[0]
            if (tag, bits) not in WAV_DTYPES:
                raise Unreadable(f"WAV of format {tag} with {bits} bits: pipe PCM or float samples, or give the file by its name")
            layout = WAV_DTYPES[tag, bits], channels, rate_hz, channels * bits // 8
    if layout is None or not layout[1] or not layout[2]:
        raise Unreadable("its header has no format")
    dtype, channels, rate_hz, width = layout

    def blocks() -> Iterator[Waveform]:
        left = math.inf if size == 0 or size >= UNKNOWN_SIZE else size
        while left and (content := _read(handle, int(min(left, round(block_s * rate_hz) * width)))):
            left -= len(content)
            if whole := len(content) // width * width:
                yield _to_float(content[:whole], dtype).reshape(-1, channels)

    return rate_hz, channels, None, blocks()


def _to_float(content: bytes, dtype: str) -> Waveform:
    """Return WAV samples at full scale 1.0."""
    if dtype == "<i3":
        padded = np.zeros((len(content) // 3, 4), np.uint8)
        padded[:, 1:] = np.frombuffer(content, np.uint8).reshape(-1, 3)
        return (padded.view("<i4")[:, 0] / 2**31).astype(np.float32)
    samples = np.frombuffer(content, dtype)
    if dtype == "u1":
        return ((samples.astype(np.float32) - 128) / 128).astype(np.float32)
    return samples.astype(np.float32) if dtype.startswith("<f") else (samples / 2 ** (8 * samples.itemsize - 1)).astype(np.float32)


def _read(handle: IO[bytes], size: int) -> bytes:
    """Return the next `size` bytes of a stream, fewer only at its end."""
    parts = []
    while size > 0 and (part := handle.read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
