"""Several audio files in one: all of the sound is read, at once and as a stream."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipeline.audio.codecs import Unreadable, read_audio
from pipeline.audio.concatenated import Part, _frames, parts_of
from pipeline.audio.samples import Waveform
from pipeline.audio.streaming import open_blocks
from tests.audio.signals import babble

FORMATS = [("ogg", "OGG", "VORBIS"), ("opus", "OGG", "OPUS"), ("mp3", "MP3", "MPEG_LAYER_III"), ("flac", "FLAC", "PCM_16"), ("wav", "WAV", "PCM_16")]


def encoded(waveform: Waveform, form: str, subtype: str, rate_hz: int = 16_000) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, waveform, rate_hz, format=form, subtype=subtype)
    return buffer.getvalue()


def without_tag(mp3: bytes) -> bytes:
    (tag, _), (audio, _), *_ = _frames(mp3)
    assert b"Info" in mp3[tag:audio] or b"Xing" in mp3[tag:audio]
    return mp3[audio:]


def streamed(path: Path) -> Waveform:
    with open_blocks(path) as blocks:
        return np.concatenate(list(blocks.blocks))


@pytest.mark.parametrize(("suffix", "form", "subtype"), FORMATS)
@pytest.mark.parametrize("count", [1, 2, 3])
def test_all_parts_of_a_joined_file_are_read(tmp_path: Path, suffix: str, form: str, subtype: str, count: int) -> None:
    rate_hz = 48_000 if suffix == "opus" else 16_000
    parts = [encoded(np.tile(babble(number), 1 + number), form, subtype, rate_hz) for number in range(count)]
    content = b"".join(parts)
    file = tmp_path / f"a.{suffix}"
    file.write_bytes(content)
    alone = np.concatenate([soundfile.read(io.BytesIO(part), dtype="float32")[0] for part in parts])
    assert [part.start for part in parts_of(content)] == [0, *np.cumsum([len(part) for part in parts])[:-1].tolist()]
    for source in (file, content):
        waveform, found_hz = read_audio(source, 60.0)
        assert (len(waveform), found_hz) == (len(alone), rate_hz)
        assert np.array_equal(waveform, alone) or np.abs(waveform - alone).max() < 1e-6
    assert len(streamed(file)) == pytest.approx(len(alone) * 16_000 / rate_hz, abs=count)
    assert len(read_audio(file, 0.5)[0]) == rate_hz // 2 + 1, "no more than asked for"


def test_mp3_pieces_under_the_header_of_the_first_are_read(tmp_path: Path) -> None:
    """A downloader joins pieces whose own headers were cut off: the first one's tag counts its own bytes only."""
    parts = [encoded(np.tile(babble(number), 2), "MP3", "MPEG_LAYER_III") for number in range(3)]
    file = tmp_path / "a.mp3"
    file.write_bytes(b"".join([parts[0], *map(without_tag, parts[1:])]))
    assert len(read_audio(file, 60.0)[0]) / 16_000 == pytest.approx(18, abs=0.5)
    assert len(streamed(file)) / 16_000 == pytest.approx(18, abs=0.5)


def test_mp3_of_variable_bit_rate_without_a_tag_is_read_to_its_end(tmp_path: Path) -> None:
    """Without a tag libsndfile takes the bit rate of the first frame, here of silence, for that of the file."""
    silence = np.zeros(48_000, np.float32)
    file = tmp_path / "a.mp3"
    file.write_bytes(without_tag(encoded(np.concatenate([silence, np.tile(babble(1), 4), silence]), "MP3", "MPEG_LAYER_III")))
    assert len(read_audio(file, 60.0)[0]) / 16_000 == pytest.approx(18, abs=0.3)
    assert len(streamed(file)) / 16_000 == pytest.approx(18, abs=0.3)


def test_parts_of_other_rates_are_resampled_and_of_other_channels_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.flac"
    file.write_bytes(encoded(babble(1), "FLAC", "PCM_16") + encoded(babble(2), "FLAC", "PCM_16", 8_000))
    assert len(read_audio(file, 60.0)[0]) == len(streamed(file)) == 9 * 16_000
    file.write_bytes(encoded(babble(1), "FLAC", "PCM_16") + encoded(np.stack([babble(2)] * 2, axis=1), "FLAC", "PCM_16"))
    for read in (lambda: read_audio(file, 60.0), lambda: streamed(file)):
        with pytest.raises(Unreadable, match="it is 2 files in one, with 1 and 2 channels: split it"):
            read()


@pytest.mark.parametrize("sizes", [(0, 0), (36, 0), (0xFFFFFFFF, 0xFFFFFFFF), (36 + 32_000, 32_000)])
def test_wav_with_more_audio_than_its_sizes_count_is_read_to_its_end(tmp_path: Path, sizes: tuple[int, int]) -> None:
    content = bytearray(encoded(babble(1), "WAV", "PCM_16"))
    content[4:8], content[40:44] = struct.pack("<I", sizes[0]), struct.pack("<I", sizes[1])
    file = tmp_path / "a.wav"
    file.write_bytes(content)
    expected = soundfile.read(io.BytesIO(encoded(babble(1), "WAV", "PCM_16")), dtype="float32")[0]
    for source in (file, bytes(content)):
        assert np.array_equal(read_audio(source, 60.0)[0], expected)
    assert np.array_equal(streamed(file)[:, 0], expected)


def test_chunks_after_the_audio_of_a_wav_file_are_not_audio(tmp_path: Path) -> None:
    content = bytearray(encoded(babble(1), "WAV", "PCM_16") + b"LIST" + struct.pack("<I", 20_000) + bytes(range(256)) * 79)
    content[4:8] = struct.pack("<I", len(content) - 8)
    file = tmp_path / "a.wav"
    file.write_bytes(content)
    assert len(read_audio(file, 60.0)[0]) == len(streamed(file)) == 3 * 16_000


def test_an_ordinary_file_of_any_kind_is_one_part(tmp_path: Path) -> None:
    for form, subtype in (("OGG", "VORBIS"), ("MP3", "MPEG_LAYER_III"), ("FLAC", "PCM_16"), ("WAV", "PCM_16"), ("AIFF", "PCM_16"), ("AU", "FLOAT")):
        for seed in range(8):
            content = encoded(babble(seed), form, subtype)
            assert parts_of(content) == [Part(0, len(content))], form
    noise = np.random.default_rng(0).integers(0, 256, 200_000, dtype=np.uint8).tobytes()
    assert parts_of(noise) == [Part(0, 200_000)]
    assert parts_of(b"") == [Part(0, 0)]
    tagged = encoded(babble(1), "MP3", "MPEG_LAYER_III") + b"TAG" + bytes(125)
    assert parts_of(tagged) == [Part(0, len(tagged))], "an ID3v1 tag at the end"


def test_channels_of_opposite_polarity_do_not_cancel(tmp_path: Path) -> None:
    speech = babble(1)
    soundfile.write(tmp_path / "a.wav", np.stack([speech, -speech], axis=1), 16_000, subtype="FLOAT")
    assert np.abs(read_audio(tmp_path / "a.wav", 60.0)[0] - speech).max() < 1e-6
    soundfile.write(tmp_path / "b.wav", np.stack([speech, babble(2)], axis=1), 16_000, subtype="FLOAT")
    assert np.abs(read_audio(tmp_path / "b.wav", 60.0)[0] - (speech + babble(2)) / 2).max() < 1e-6


def test_float_samples_in_the_range_of_integers_are_scaled_not_clipped(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", babble(1) * 32_768, 16_000, subtype="FLOAT")
    assert np.abs(read_audio(tmp_path / "a.wav", 60.0)[0] - babble(1) / np.abs(babble(1)).max()).max() < 1e-5
