"""Audio as a stream of blocks at 16 kHz, in bounded memory: files of any length, and WAV from a pipe.

Shapes: S samples, C channels.
"""

from __future__ import annotations

import io
import math
import mmap
import os
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
from pipeline.audio.concatenated import Content, Part, parts_of
from pipeline.audio.resample import filter_reach, resample
from pipeline.audio.samples import Waveform
from pipeline.audio.wav import HeaderError, Reader, is_wav, read_exactly, read_header, to_float, uncounted_header
from pipeline.core.manifest import SAMPLE_RATE_HZ

BLOCK_S: Final = 10.0
"""Length of a block that is read at once; also bounds how much of a stream is in memory."""
PIPE_BLOCK_S: Final = 0.25
"""Length of a block from a pipe: a live transcript waits at most this long for more audio."""

RATES_HZ: Final = (1_000, 768_000)
"""Lowest and highest sample rate: the filter of a rate beyond them does not fit in memory."""
MOST_CHANNELS: Final = 64
"""A block of more channels does not fit in memory; nor does one that a damaged header announces."""


@dataclass(slots=True)
class Blocks:
    """A recording as it is read.

    Args:
        channels: number of channels.
        blocks: waveforms at 16 kHz, (S, C), full scale 1.0; each is read when it is asked for.
    """

    channels: int
    blocks: Iterator[Waveform]


@contextmanager
def open_blocks(source: Path | IO[bytes], most_channels: int = MOST_CHANNELS) -> Iterator[Blocks]:
    """Yield a recording as blocks of 16 kHz audio, at most `BLOCK_S` of it in memory at a time.

    libsndfile reads what it knows, FFmpeg the rest. A pipe is read as it fills where it carries WAV; other formats need
    to be read twice, so a pipe of them is first written to a temporary file.

    Args:
        source: a file, or a binary stream such as standard input.
        most_channels: a recording of more channels is refused.

    Raises:
        soundfile.LibsndfileError: the source is not audio.
        OSError: it is missing or may not be read, or (Unreadable) its decoder is not installed or failed, or it has too many channels,
            or a sample rate beyond `RATES_HZ`.
    """
    with ExitStack() as stack:
        if isinstance(source, Path):
            file: IO[bytes] = stack.enter_context(open(source, "rb", buffering=0))
        else:
            start = read_exactly(source, 12)
            if is_wav(start):
                yield _resampled(*_wav(source, PIPE_BLOCK_S), most_channels)
                return
            file = stack.enter_context(tempfile.NamedTemporaryFile())
            file.write(start)
            shutil.copyfileobj(source, file)
            file.flush()
        yield _resampled(*_file(stack, file), most_channels)


def _file(stack: ExitStack, file: IO[bytes]) -> tuple[int, int, Iterator[Waveform]]:
    """Return rate, channels and blocks of a file, (S, C)."""
    file.seek(0)
    start = file.read(12)
    if found := ffmpeg_format_of(start):
        return stack.enter_context(_ffmpeg(Path(file.name), *found))
    length = file.seek(0, os.SEEK_END)
    if is_wav(start) and uncounted_header(file, length):
        file.seek(12)
        return _wav(file, BLOCK_S, to_end=True)
    content = stack.enter_context(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)) if length else b""
    parts = parts_of(content)
    if parts != [Part(0, length)]:
        return _joined(content, parts)
    if isinstance(content, mmap.mmap):
        content.close()  # the search for parts has read all of the file, whose pages count as memory of the process
    file.seek(0)
    sound = stack.enter_context(soundfile.SoundFile(file.fileno(), closefd=False))
    return sound.samplerate, sound.channels, _sound(sound)


def _sound(sound: soundfile.SoundFile) -> Iterator[Waveform]:
    """Yield the blocks of an open file. Where its header counts more samples than it has, libsndfile repeats the last ones without end."""
    size = round(BLOCK_S * sound.samplerate)
    read = size
    while read == size:
        start = sound.tell()
        block_SC = sound.read(size, dtype="float32", always_2d=True)
        read = sound.tell() - start
        yield block_SC[:read]


def _joined(content: Content, parts: list[Part]) -> tuple[int, int, Iterator[Waveform]]:
    """Return several files in one as one stream, at the first one's rate."""
    with soundfile.SoundFile(io.BytesIO(parts[0].read(content))) as first:
        rate_hz, channels = first.samplerate, first.channels

    def blocks() -> Iterator[Waveform]:
        for part in parts:
            with soundfile.SoundFile(io.BytesIO(part.read(content))) as sound:
                if sound.channels != channels:
                    raise Unreadable(f"it is {len(parts)} files in one, with {channels} and {sound.channels} channels: split it")
                lanes = sound.blocks(round(BLOCK_S * sound.samplerate), dtype="float32", always_2d=True)
                if sound.samplerate == rate_hz:
                    yield from lanes
                else:
                    whole_SC = np.concatenate(list(lanes))
                    yield np.stack([resample(np.ascontiguousarray(lane), sound.samplerate, rate_hz) for lane in whole_SC.T], axis=1)

    return rate_hz, channels, blocks()


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


def _resampled(rate_hz: int, channels: int, blocks: Iterator[Waveform], most_channels: int) -> Blocks:
    """Return a source's blocks at 16 kHz; the channels are resampled in step."""
    if not RATES_HZ[0] <= rate_hz <= RATES_HZ[1] or channels > most_channels:
        raise Unreadable(f"{channels} channels at {rate_hz} Hz; at most {most_channels} channels, at {RATES_HZ[0]} to {RATES_HZ[1]} Hz, are read")

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

    return Blocks(channels, split())


@contextmanager
def _ffmpeg(path: Path, form: str, name: str) -> Iterator[tuple[int, int, Iterator[Waveform]]]:
    """Yield what FFmpeg decodes of a file while it decodes: it writes an AU file, whose header has rate and channels."""
    with subprocess.Popen(ffmpeg_command(path, form, name, math.inf), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          stdin=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            header = read_exactly(process.stdout, 24)
            if len(header) < 24:
                process.wait()
                raise _ffmpeg_error(process.stderr.read(), path)
            _, offset, _, _, rate_hz, channels = struct.unpack(">4s5I", header)
            read_exactly(process.stdout, offset - 24)

            def blocks() -> Iterator[Waveform]:
                assert process.stdout is not None
                assert process.stderr is not None
                while content := read_exactly(process.stdout, round(BLOCK_S * rate_hz) * 4 * channels):
                    yield np.frombuffer(content[: len(content) // (4 * channels) * 4 * channels], ">f4").astype(np.float32).reshape(-1, channels)
                if process.wait():
                    raise _ffmpeg_error(process.stderr.read(), path)

            yield rate_hz, channels, blocks()
        finally:
            process.kill()


def _ffmpeg_error(message: bytes, path: Path) -> Unreadable:
    return Unreadable(f"FFmpeg cannot decode it: {message.decode(errors='replace').strip().rpartition(chr(10))[2].replace(str(path), path.name)}")


def _wav(stream: Reader, block_s: float, to_end: bool = False) -> tuple[int, int, Iterator[Waveform]]:
    """Return a WAV stream that was read up to its twelfth byte; it is read to the end of its audio or of the stream."""
    try:
        header = read_header(stream)
    except HeaderError as error:
        raise Unreadable(str(error)) from None

    def blocks() -> Iterator[Waveform]:
        left = math.inf if to_end or header.size is None else header.size
        while left and (content := read_exactly(stream, int(min(left, round(block_s * header.rate_hz) * header.frame_bytes)))):
            left -= len(content)
            if whole := len(content) // header.frame_bytes * header.frame_bytes:
                yield to_float(content[:whole], header.dtype).reshape(-1, header.channels)

    return header.rate_hz, header.channels, blocks()
