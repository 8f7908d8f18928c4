"""Audio as a stream: the same samples as when it is read at once, from files and from pipes, whatever its header claims."""

from __future__ import annotations

import io
import shutil
import struct
import subprocess
from pathlib import Path
from typing import IO

import numpy as np
import pytest
import soundfile

from pipeline.audio.codecs import Unreadable
from pipeline.audio.resample import resample
from pipeline.audio.samples import Waveform
from pipeline.audio.streaming import BLOCK_S, open_blocks, resample_blocks
from tests.audio.signals import babble, tone


class Pipe(io.RawIOBase):
    """A stream that cannot be sought, and returns a few bytes at a time."""

    def __init__(self, content: bytes) -> None:
        self.content, self.at = content, 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        size = len(self.content) if size < 0 else min(size, 4_097)
        part = self.content[self.at : self.at + size]
        self.at += len(part)
        return part


def samples(source: Path | IO[bytes]) -> Waveform:
    with open_blocks(source) as blocks:
        parts = list(blocks.blocks)
    assert all(len(part) <= BLOCK_S * 16_000 + 1_000 for part in parts)
    return np.concatenate(parts) if parts else np.zeros((0, 1), np.float32)


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 22_050, 44_100, 48_000])
def test_a_stream_is_resampled_as_the_whole_is(rate_hz: int) -> None:
    whole = np.concatenate([tone(440, rate_hz, 1.3), babble(1)[: rate_hz // 2], tone(1_900, rate_hz, 0.7)])
    for length in (7, 1_000, rate_hz, len(whole)):
        blocks = (whole[start : start + length] for start in range(0, len(whole), length)) if length > 7 else (whole[:7],)
        expected = resample(whole if length > 7 else whole[:7], rate_hz)
        found = np.concatenate(list(resample_blocks(blocks, rate_hz)))
        assert len(found) == len(expected)
        assert np.abs(found - expected).max() < 2e-6


def test_an_mp3_whose_header_counts_too_many_samples_ends_where_its_audio_ends(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.mp3", np.tile(babble(1), 4), 16_000)
    content = bytearray((tmp_path / "a.mp3").read_bytes())
    at = max(content.find(b"Xing"), content.find(b"Info")) + 8
    content[at : at + 4] = struct.pack(">I", 10**8)
    (tmp_path / "b.mp3").write_bytes(content)
    expected, found = samples(tmp_path / "a.mp3"), samples(tmp_path / "b.mp3")
    assert abs(len(found) - len(expected)) < 2_500, "the delay of the encoder is not cut off"


@pytest.mark.parametrize(("channels", "rate_hz", "most"), [(65, 16_000, 64), (3, 16_000, 2), (1, 999, 64), (1, 768_001, 64)])
def test_a_recording_that_would_not_fit_in_memory_is_refused(tmp_path: Path, channels: int, rate_hz: int, most: int) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros((10, channels)), rate_hz)
    with pytest.raises(Unreadable, match=f"{channels} channels at {rate_hz} Hz; at most {most} channels"), open_blocks(tmp_path / "a.wav", most):
        pass


def test_a_file_of_two_channels_is_read_in_blocks_without_loss(tmp_path: Path) -> None:
    channels = np.stack([np.tile(babble(1), 9), np.tile(babble(2), 9)], axis=1)  # 27 s: three blocks
    soundfile.write(tmp_path / "a.flac", channels, 16_000)
    assert np.abs(samples(tmp_path / "a.flac") - channels).max() < 1e-4
    soundfile.write(tmp_path / "b.wav", channels, 44_100)
    second = soundfile.read(tmp_path / "b.wav", dtype="float32")[0][:, 1].copy()
    assert np.abs(samples(tmp_path / "b.wav")[:, 1] - resample(second, 44_100)).max() < 2e-6


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_wav_from_a_pipe_is_read_as_it_comes(tmp_path: Path, subtype: str) -> None:
    soundfile.write(tmp_path / "a.wav", np.stack([babble(1), babble(2)], axis=1), 16_000, subtype=subtype)
    content = (tmp_path / "a.wav").read_bytes()
    expected = soundfile.read(tmp_path / "a.wav", dtype="float32", always_2d=True)[0]
    assert np.abs(samples(Pipe(content)) - expected).max() < 1e-6
    tagged = content + b"LIST\x04\x00\x00\x00abcd"  # what follows the audio is not audio
    assert len(samples(Pipe(tagged))) == len(expected)


@pytest.mark.parametrize("sizes", [(0, 0), (36, 0), (0xFFFFFFFF, 0xFFFFFFFF), (0x7FFFFFFF, 0x7FFFFFDB)])
def test_wav_whose_sizes_were_never_written_is_read_to_its_end(tmp_path: Path, sizes: tuple[int, int]) -> None:
    soundfile.write(tmp_path / "a.wav", babble(1), 16_000)
    content = bytearray((tmp_path / "a.wav").read_bytes())
    content[4:8], content[40:44] = struct.pack("<I", sizes[0]), struct.pack("<I", sizes[1])
    expected = soundfile.read(tmp_path / "a.wav", dtype="float32", always_2d=True)[0]
    assert np.array_equal(samples(Pipe(bytes(content))), expected)
    (tmp_path / "b.wav").write_bytes(content)
    assert np.array_equal(samples(tmp_path / "b.wav"), expected)


def test_other_formats_come_through_a_pipe_too(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.flac", babble(1), 16_000)
    assert np.array_equal(samples(Pipe((tmp_path / "a.flac").read_bytes())), samples(tmp_path / "a.flac"))


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="FFmpeg is not installed")
def test_ffmpeg_decodes_while_its_output_is_read(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.tile(babble(1), 9), 44_100)
    subprocess.run(["ffmpeg", "-v", "error", "-i", tmp_path / "a.wav", "-c:a", "aac", tmp_path / "a.m4a"], check=True)
    with open_blocks(tmp_path / "a.m4a") as blocks:
        assert len(next(blocks.blocks)) > 16_000  # an abandoned stream ends its FFmpeg
    assert len(samples(tmp_path / "a.m4a")) == pytest.approx(9 * 3 * 16_000 * 16_000 / 44_100, rel=0.01)


def test_what_is_not_audio_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="it ends before its audio begins"):
        samples(Pipe(b"RIFF\x00\x00\x00\x00WAVEfmt "))
    with pytest.raises(soundfile.LibsndfileError):
        samples(Pipe(b"this is no audio at all, but text"))
    with pytest.raises(Unreadable, match="WAV of format 85 with 0 bits, 1 channels at 16000 Hz is not PCM or float"):
        samples(Pipe(b"RIFF\x00\x00\x00\x00WAVEfmt \x10\x00\x00\x00" + struct.pack("<HHIIHH", 85, 1, 16_000, 0, 0, 0) + b"data\x00\x00\x00\x00"))
