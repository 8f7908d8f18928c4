"""WAV headers: of a pipe, and of a file whose recorder ended before it wrote the sizes. libsndfile reads no sample of either."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import IO, Final, Protocol

import numpy as np

from pipeline.audio.samples import Waveform

DTYPES: Final = {(1, 8): "u1", (1, 16): "<i2", (1, 24): "<i3", (1, 32): "<i4", (3, 32): "<f4", (3, 64): "<f8"}
"""Samples by format tag and bits (`<i3`: three bytes, unpacked by hand)."""
SUBTYPES: Final = {"u1": "PCM_U8", "<i2": "PCM_16", "<i3": "PCM_24", "<i4": "PCM_32", "<f4": "FLOAT", "<f8": "DOUBLE"}
"""libsndfile's name of each."""
EXTENSIBLE: Final = 0xFFFE
UNKNOWN_SIZE: Final = 0x7FFF0000
"""A header that was written before its audio has 0 or a size from here up."""
TRAILING: Final = 4_096
"""Bytes after the counted audio that need an explanation: a chunk, or audio that the header does not count."""


class HeaderError(ValueError):
    """A WAV header that cannot be used; the message gives the reason."""


class Reader(Protocol):
    """A binary stream."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes, none at the end."""


@dataclass(frozen=True, slots=True)
class Header:
    """How the audio of a WAV stream is coded.

    Args:
        dtype: a value of `DTYPES`.
        channels: number of channels.
        rate_hz: sample rate.
        size: bytes of audio; None if the header does not know.
        offset: of the audio in the file.
    """

    dtype: str
    channels: int
    rate_hz: int
    size: int | None
    offset: int

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample of all channels."""
        return self.channels * int(self.dtype[-1])


def is_wav(start: bytes) -> bool:
    """Return whether a file with these first twelve bytes is RIFF WAV."""
    return start[:4] == b"RIFF" and start[8:12] == b"WAVE"


def read_header(stream: Reader) -> Header:
    """Return the header of a WAV stream that was read up to its twelfth byte, and read it up to its audio.

    Raises:
        HeaderError: it has no audio, no format, or a format other than PCM or float.
    """
    layout: tuple[str, int, int] | None = None
    offset = 12
    while True:
        head = read_exactly(stream, 8)
        if len(head) < 8:
            raise HeaderError("it ends before its audio begins")
        name, size = struct.unpack("<4sI", head)
        offset += 8
        if name == b"data":
            break
        content = read_exactly(stream, size + size % 2)
        offset += len(content)
        if name == b"fmt " and len(content) >= 16:
            tag, channels, rate_hz, _, _, bits = struct.unpack("<HHIIHH", content[:16])
            if tag == EXTENSIBLE and len(content) >= 26:
                tag = struct.unpack("<H", content[24:26])[0]
            if (tag, bits) not in DTYPES or not channels or not rate_hz:
                raise HeaderError(f"WAV of format {tag} with {bits} bits, {channels} channels at {rate_hz} Hz is not PCM or float")
            layout = DTYPES[tag, bits], channels, rate_hz
    if layout is None:
        raise HeaderError("its header has no format")
    return Header(*layout, None if size == 0 or size >= UNKNOWN_SIZE else size, offset)


def uncounted_header(file: IO[bytes], length: int) -> Header | None:
    """Return the header of a WAV file with audio that its sizes do not count; None if they count all of it.

    Args:
        file: at any position; afterwards at its start.
        length: of the file in bytes.
    """
    try:
        file.seek(12)
        header = read_header(file)
        if header.size is None:
            return header if length > header.offset else None
        end = header.offset + header.size + header.size % 2
        if length - end < TRAILING:
            return None
        file.seek(end)
        name = file.read(4)
        return None if all(32 <= byte < 127 for byte in name) else header  # a chunk's name is printable
    except HeaderError:
        return None
    finally:
        file.seek(0)


def to_float(content: bytes, dtype: str) -> Waveform:
    """Return samples at full scale 1.0.

    Args:
        content: whole samples.
        dtype: a value of `DTYPES`.
    """
    if dtype == "<i3":
        padded = np.zeros((len(content) // 3, 4), np.uint8)
        padded[:, 1:] = np.frombuffer(content, np.uint8).reshape(-1, 3)
        return (padded.view("<i4")[:, 0] / 2**31).astype(np.float32)
    samples = np.frombuffer(content, dtype)
    if dtype == "u1":
        return ((samples.astype(np.float32) - 128) / 128).astype(np.float32)
    return samples.astype(np.float32) if dtype.startswith("<f") else (samples / 2 ** (8 * samples.itemsize - 1)).astype(np.float32)


def read_exactly(stream: Reader, size: int) -> bytes:
    """Return the next `size` bytes of a stream, fewer only at its end."""
    parts = []
    while size > 0 and (part := stream.read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
