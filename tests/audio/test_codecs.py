"""Codecs: every coding decodes to the same audio, a part of a file is that part of its samples, and FLAC loses nothing."""

from __future__ import annotations

import io
import math
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from pipeline.audio.codecs import CODINGS, Headerless, Unreadable, duration_from_header, encode_flac, read_audio
from pipeline.audio.samples import to_int16
from tests.audio.signals import babble

NO_FFMPEG = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs FFmpeg")
TWO_S = np.sin(2 * np.pi * 440 * np.arange(32_000) / 16_000).astype(np.float32) * np.float32(0.3)


def written(path: Path, waveform: np.ndarray = TWO_S, **given: Any) -> Path:
    soundfile.write(path, waveform, 16_000, **given)
    return path


def test_a_flac_holds_exactly_the_samples() -> None:
    samples_S = to_int16(babble(1))
    decoded, rate_hz = soundfile.read(io.BytesIO(encode_flac(samples_S)), dtype="int16")
    assert rate_hz == 16_000
    assert np.array_equal(decoded, samples_S)
    assert encode_flac(samples_S) == encode_flac(samples_S.copy())


@pytest.mark.parametrize(("name", "subtype", "error"), [
    ("a.wav", "PCM_U8", 0.01), ("a.wav", "PCM_16", 1e-4), ("a.wav", "PCM_24", 1e-6), ("a.wav", "PCM_32", 1e-6), ("a.wav", "FLOAT", 1e-7),
    ("a.wav", "DOUBLE", 1e-7), ("a.wav", "ULAW", 0.02), ("a.wav", "ALAW", 0.02), ("a.wav", "IMA_ADPCM", 0.05), ("a.flac", "PCM_24", 1e-6),
    ("a.ogg", "VORBIS", 0.1), ("a.ogg", "OPUS", 0.1), ("a.aiff", "PCM_16", 1e-4), ("a.au", "ULAW", 0.02), ("a.w64", "PCM_16", 1e-4),
    ("a.rf64", "PCM_16", 1e-4), ("a.caf", "PCM_16", 1e-4),
])
def test_every_coding_decodes_to_the_same_audio(tmp_path: Path, name: str, subtype: str, error: float) -> None:
    waveform_S, rate_hz = read_audio(written(tmp_path / name, subtype=subtype), 30)
    assert rate_hz == 16_000
    assert len(waveform_S) == pytest.approx(32_000, abs=1_100)
    assert np.abs(waveform_S[4_000:28_000] - TWO_S[4_000:28_000]).max() < error
    assert np.array_equal(read_audio((tmp_path / name).read_bytes(), 30)[0], waveform_S), "and what is in the file, as a dataset holds it"


@pytest.mark.parametrize(("start_s", "end_s", "first", "last"), [
    (0.0, math.inf, 0, 32_000), (0.5, 1.5, 8_000, 24_000), (1.5, 9.0, 24_000, 32_000), (5.0, 9.0, 32_000, 32_000), (0.0, 0.25, 0, 4_000)])
def test_a_part_of_a_file_is_that_part_of_its_samples(tmp_path: Path, start_s: float, end_s: float, first: int, last: int) -> None:
    path = written(tmp_path / "a.flac", subtype="PCM_24")
    whole_S, _ = read_audio(path, 30)
    assert np.array_equal(read_audio(path, 30, start_s, end_s)[0], whole_S[first:last])


def test_reading_stops_one_sample_after_the_maximum_duration(tmp_path: Path) -> None:
    path = written(tmp_path / "a.wav")
    assert len(read_audio(path, 1.0)[0]) == 16_001
    assert len(read_audio(path, 1.0, 0.5)[0]) == 16_001


def test_one_channel_is_selected_or_all_are_mixed(tmp_path: Path) -> None:
    path = written(tmp_path / "a.wav", np.stack([TWO_S, np.zeros_like(TWO_S)], axis=1), subtype="FLOAT")
    assert np.array_equal(read_audio(path, 30, channel=1)[0], TWO_S)
    assert not read_audio(path, 30, channel=2)[0].any()
    assert np.allclose(read_audio(path, 30)[0], TWO_S / 2)
    with pytest.raises(Unreadable, match="channel 3 is missing, it has 2"):
        read_audio(path, 30, channel=3)


@pytest.mark.parametrize(("coding", "error"), [("s8", 0.01), ("u8", 0.01), ("s16le", 1e-4), ("s16be", 1e-4), ("s24le", 1e-6), ("s32le", 1e-6),
                                               ("f32le", 1e-7), ("mulaw", 0.02), ("alaw", 0.02)])
def test_samples_without_a_header_are_read_as_declared(tmp_path: Path, coding: str, error: float) -> None:
    subtype, endian = CODINGS[coding]
    path = written(tmp_path / "a.raw", np.stack([TWO_S, TWO_S], axis=1), format="RAW", subtype=subtype, endian=endian)
    declared = Headerless(16_000, coding, 2)
    assert np.abs(read_audio(path, 30, headerless=declared)[0] - TWO_S).max() < error
    assert duration_from_header(path, declared) == 2.0
    assert np.array_equal(read_audio(path.read_bytes(), 30, headerless=declared)[0], read_audio(path, 30, headerless=declared)[0])


def test_a_header_takes_precedence_over_the_declared_coding(tmp_path: Path) -> None:
    path = written(tmp_path / "a.wav", subtype="FLOAT")
    assert np.array_equal(read_audio(path, 30, headerless=Headerless(8_000, "s16le", 1))[0], TWO_S)


def test_an_undeclared_file_without_a_header_is_reported(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="it has no header: declare how it is coded"):
        read_audio(written(tmp_path / "a.raw", format="RAW", subtype="PCM_16"), 30)


@pytest.mark.parametrize(("start", "called"), [
    (b"\0\0\0\x1cftypM4A ", r"MPEG-4 \(m4a, mp4, 3gp\)"), (b"\x1aE\xdf\xa3", "WebM or Matroska"), (b"\x30\x26\xb2\x75", "Windows Media"),
    (b"#!AMR\n", "AMR"), (b"\xff\xf1\x50\x80", "AAC")])
def test_without_ffmpeg_the_error_names_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start: bytes, called: str) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "a").write_bytes(start + bytes(100))
    with pytest.raises(Unreadable, match=f"{called} is decoded by FFmpeg, which is not on the path: install it"):
        read_audio(tmp_path / "a", 30)
    assert duration_from_header(tmp_path / "a") == 0.0


@NO_FFMPEG
@pytest.mark.parametrize(("name", "options"), [
    ("a.m4a", []), ("a.aac", []), ("a.webm", ["-c:a", "libopus"]), ("a.mka", ["-c:a", "aac"]), ("a.wma", []),
])
def test_ffmpeg_decodes_what_libsndfile_does_not_read_to_the_same_audio(tmp_path: Path, name: str, options: list[str]) -> None:
    subprocess.run(["ffmpeg", "-v", "error", "-i", written(tmp_path / "in.wav"), *options, tmp_path / name], check=True, stdin=subprocess.DEVNULL)
    waveform_S, rate_hz = read_audio(tmp_path / name, 30)
    assert len(waveform_S) / rate_hz == pytest.approx(2.0, abs=0.15)  # bare AAC does not state how much of its start is padding
    middle_S = waveform_S[rate_hz // 2 : rate_hz // 2 + rate_hz]
    assert np.argmax(np.abs(np.fft.rfft(middle_S))) == pytest.approx(440, abs=1)
    assert np.sqrt(np.mean(middle_S**2)) == pytest.approx(0.3 / np.sqrt(2), rel=0.05)
    assert len(read_audio(tmp_path / name, 1.0, 0.25, 0.75)[0]) == rate_hz // 2
    assert np.array_equal(read_audio((tmp_path / name).read_bytes(), 30)[0], waveform_S)


@NO_FFMPEG
def test_a_file_that_ffmpeg_cannot_decode_is_reported(tmp_path: Path) -> None:
    (tmp_path / "a.m4a").write_bytes(b"\0\0\0\x1cftypM4A " + bytes(100))
    with pytest.raises(Unreadable, match="FFmpeg cannot decode it: "):
        read_audio(tmp_path / "a.m4a", 30)
