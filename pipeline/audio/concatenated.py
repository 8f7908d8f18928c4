"""Files that are several audio files one after the other, whose first header knows of the first one only.

Chained Ogg is legal, and radio recorders, download managers and `cat` join MP3, FLAC and WAV. A decoder that trusts the first
header stops after it.
"""

from __future__ import annotations

import mmap
import re
import struct
from dataclasses import dataclass
from typing import Final

Content = bytes | mmap.mmap

FLAC_START: Final = re.compile(rb"fLaC[\x00\x80]\x00\x00\x22", re.DOTALL)
"""Magic number and the header of the first block, which is 34 bytes of stream information."""
TAG: Final = re.compile(rb"Xing|Info|VBRI")
TAG_OFFSETS: Final = (13, 21, 36)
"""Where the tag is in its MPEG frame: after header and side information of MPEG-2 mono, MPEG-2 stereo or MPEG-1 mono, MPEG-1 stereo."""
KBPS: Final = {3: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
               2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)}
RATES_HZ: Final = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
"""Layer III, by the version bits of a frame's header: 3 is MPEG-1, 2 is MPEG-2, 0 is MPEG-2.5 (ISO 11172-3, 2.4.2.3)."""
FRAME_SLACK: Final = 2
"""Frames by which a tag may miscount: encoders differ in whether they count the tag's own."""


@dataclass(frozen=True, slots=True)
class Part:
    """One of the audio files that a file consists of.

    Args:
        start: its first byte.
        end: the byte after its last one.
        prefix: bytes to put before it: an MP3 frame with the number of frames, where its own is missing or wrong.
    """

    start: int
    end: int
    prefix: bytes = b""

    def read(self, content: Content) -> bytes:
        """Return the part as a file."""
        return self.prefix + content[self.start : self.end]


def parts_of(content: Content) -> list[Part]:
    """Return the audio files that a file consists of; an ordinary file is one part without a prefix.

    Args:
        content: of the file.
    """
    start = bytes(content[:12])
    if start.startswith(b"ID3") or (len(start) > 1 and start[0] == 0xFF and start[1] & 0xE6 == 0xE2):
        return _mp3(content)
    starts = [0]
    if start.startswith(b"OggS"):
        starts = _ogg(content)
    elif start.startswith(b"fLaC"):
        starts = [match.start() for match in FLAC_START.finditer(content)] or [0]
    elif start.startswith(b"RIFF") and start[8:] == b"WAVE":
        starts = _wav(content)
    return [Part(first, end) for first, end in zip(starts, [*starts[1:], len(content)], strict=True)]


def _ogg(content: Content) -> list[int]:
    """Return where chains begin: at a page that begins a stream, after a page that does not (RFC 3533, section 6)."""
    last = content.rfind(b"OggS")
    if last < 0 or len(content) < last + 18 or content[last + 14 : last + 18] == content[14:18]:
        return [0]  # the last page belongs to the first stream
    starts, at, began = [0], 0, True
    while at >= 0 and at + 27 <= len(content):
        if content[at : at + 4] != b"OggS":
            at = content.find(b"OggS", at)
            continue
        begins = bool(content[at + 5] & 2)
        if begins and not began:
            starts.append(at)
        began = begins
        segments = content[at + 26]
        at += 27 + segments + sum(content[at + 27 : at + 27 + segments])
    return starts


def _wav(content: Content) -> list[int]:
    starts, at = [0], 0
    while at + 12 <= len(content):
        size = int.from_bytes(content[at + 4 : at + 8], "little")
        following = at + 8 + size + size % 2
        if size == 0 or content[following : following + 4] != b"RIFF" or content[following + 8 : following + 12] != b"WAVE":
            break
        starts.append(at := following)
    return starts


def _mp3(content: Content) -> list[Part]:
    """Return the pieces of an MP3 file: each tag begins one.

    A decoder plays as many frames as the tag counts. Without a tag it guesses them from the bit rate of the first frame. Where
    either is wrong, the part gets a tag that counts its frames.
    """
    frames = _frames(content)
    if not frames:
        return [Part(0, len(content))]
    tagged = [index for index, (at, size) in enumerate(frames) if _tag(content, at, size)]
    bounds = sorted({0, *tagged})
    parts = []
    for first, end in zip(bounds, [*bounds[1:], len(frames)], strict=True):
        start = 0 if first == 0 else frames[first][0]
        stop = len(content) if end == len(frames) else frames[end][0]
        tag = _tag(content, *frames[first])
        audio = end - first - bool(tag)
        if tag:
            right = abs(_counted_frames(content, tag) - audio) <= FRAME_SLACK
        else:
            sizes = {size for _, size in frames[first:end]}
            right = max(sizes) - min(sizes) <= 1  # constant bit rate, but for padding
        if right:
            parts.append(Part(start, stop))
        else:
            parts.append(Part(frames[first + bool(tag)][0] if audio else start, stop, _info_frame(content, frames[first][0], audio)))
    return parts


def _frames(content: Content) -> list[tuple[int, int]]:
    """Return offset and size of every layer III frame; what lies between them, such as tags, is skipped."""
    frames: list[tuple[int, int]] = []
    at, length = _after_id3(content), len(content)
    while at + 4 <= length:
        size = _frame_size(content[at : at + 4])
        if size and (at + size + 2 > length or _frame_size(content[at + size : at + size + 4]) or frames):
            frames.append((at, size))
            at += size
        elif content[at : at + 3] == b"ID3":
            at += _after_id3(content[at : at + 10])
        else:
            at = content.find(b"\xff", at + 1)
            if at < 0:
                break
    return frames


def _after_id3(head: Content) -> int:
    """Return the length of an ID3v2 tag at the start, 0 if there is none."""
    if head[:3] != b"ID3" or len(head) < 10:
        return 0
    first, second, third, fourth = head[6:10]
    return 10 + (first << 21 | second << 14 | third << 7 | fourth)


def _frame_size(header: bytes) -> int:
    """Return the size of a layer III frame by its header, 0 if it is none."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE6 != 0xE2:
        return 0
    version, rate = header[1] >> 3 & 3, header[2] >> 2 & 3
    kbps = header[2] >> 4
    if version == 1 or rate == 3 or kbps in (0, 15):
        return 0
    samples_by_8 = 144 if version == 3 else 72
    return samples_by_8 * KBPS[3 if version == 3 else 2][kbps] * 1000 // RATES_HZ[version][rate] + (header[2] >> 1 & 1)


def _tag(content: Content, at: int, size: int) -> re.Match[bytes] | None:
    """Return the tag in a frame, None if it is a frame of audio."""
    found = TAG.search(content, at, min(at + size, at + TAG_OFFSETS[-1] + 6))
    return found if found and found.start() - at in (*TAG_OFFSETS, *(offset + 2 for offset in TAG_OFFSETS)) else None


def _counted_frames(content: Content, tag: re.Match[bytes]) -> int:
    """Return how many frames a tag counts; -9 if it does not."""
    at = tag.start()
    if tag[0] == b"VBRI":
        return int.from_bytes(content[at + 14 : at + 18], "big")
    flags, frames = struct.unpack(">2I", content[at + 4 : at + 12])
    return frames if flags & 1 else -9


def _info_frame(content: Content, at: int, frames: int) -> bytes:
    """Return a frame that holds no audio but an `Info` tag with the number of frames that follow, coded as the frame at `at`."""
    header = bytearray(content[at : at + 4])
    header[1] |= 1  # no checksum
    mono, version = header[3] >> 6 == 3, header[1] >> 3 & 3
    offset = {(3, False): 36, (3, True): 21, (2, False): 21, (0, False): 21}.get((version, mono), 13)
    for kbps in range(header[2] >> 4, 15):  # the least that has room for the tag
        header[2] = kbps << 4 | header[2] & 0x0D
        if (size := _frame_size(bytes(header))) >= offset + 12:
            break
    frame = bytearray(size)
    frame[:4] = header
    frame[offset : offset + 12] = b"Info" + struct.pack(">2I", 1, frames)
    return bytes(frame)
