"""Audio: the resampler against what it replaces, the measures against known signals, the fingerprint against codecs."""

from __future__ import annotations

import io
import math
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.signal
import soundfile

from pipeline.audio.codecs import CODINGS, Headerless, Unreadable, duration_from_header, encode_flac, read_audio
from pipeline.audio.fingerprint import fingerprint
from pipeline.audio.measures import measure
from pipeline.audio.resample import PASS_BAND, STOP_BAND_DB, _low_pass, resample
from pipeline.audio.samples import FULL_SCALE, Waveform, to_int16
from pipeline.core.files import ROOT
from pipeline.core.manifest import SAMPLE_RATE_HZ

CLIPS = ROOT.parent / "shared" / "speech" / "cv-corpus-6.1-2020-12-11" / "pt" / "clips"


def tone(hz: float, rate_hz: int, duration_s: float = 1.0, amplitude: float = 1.0) -> Waveform:
    return (amplitude * np.sin(2 * np.pi * hz * np.arange(int(rate_hz * duration_s)) / rate_hz)).astype(np.float32)


def level_db(waveform_S: Waveform) -> float:
    middle_S = waveform_S[len(waveform_S) // 8 : -len(waveform_S) // 8]
    return float(10 * np.log10(2 * np.mean(np.square(middle_S, dtype=np.float64)) + 1e-20))


def babble(seed: int, duration_s: float = 3.0) -> Waveform:
    """Noise whose bands rise and fall independently, as in speech."""
    draw = np.random.default_rng(seed)
    length = int(SAMPLE_RATE_HZ * duration_s)
    heard_S = np.zeros(length)
    for low_hz, high_hz in ((200, 500), (500, 900), (900, 1_500), (1_500, 2_400), (2_400, 3_800)):
        bounds = scipy.signal.butter(2, (low_hz, high_hz), "band", fs=SAMPLE_RATE_HZ, output="sos")
        knots = np.arange(0, length + 2_000, 2_000)
        gain_S = np.interp(np.arange(length), knots, draw.exponential(size=len(knots)))
        heard_S += scipy.signal.sosfilt(bounds, draw.standard_normal(length)) * gain_S
    return (heard_S / np.abs(heard_S).max() / 2).astype(np.float32)


def bits(waveform_S: Waveform) -> np.ndarray:
    return np.unpackbits(np.frombuffer(bytes.fromhex(fingerprint(to_int16(waveform_S))), np.uint8))


def through(waveform_S: Waveform, rate_hz: int, **form: str) -> Waveform:
    """Return 16 kHz audio after coding at another rate."""
    encoded = io.BytesIO()
    soundfile.write(encoded, resample(waveform_S, SAMPLE_RATE_HZ, rate_hz), rate_hz, **form)
    encoded.seek(0)
    return resample(soundfile.read(encoded, dtype="float32")[0], rate_hz)


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 22_050, 32_000, 44_100, 48_000, 44_057])
def test_resampling_keeps_the_pass_band_within_a_hundredth_of_a_decibel(rate_hz: int) -> None:
    for share in (0.03, 0.3, 0.6, 0.93):
        hz = share * min(rate_hz, SAMPLE_RATE_HZ) / 2
        assert level_db(resample(tone(hz, rate_hz), rate_hz)) == pytest.approx(0, abs=0.01), hz


@pytest.mark.parametrize("rate_hz", [22_050, 44_100, 48_000])
def test_resampling_lets_no_alias_through_where_the_usual_filters_do(rate_hz: int) -> None:
    for hz in (8_000.5, 8_100.0, 8_500.0, 0.49 * rate_hz):
        assert level_db(resample(tone(hz, rate_hz), rate_hz)) < -120, hz
    assert level_db(scipy.signal.resample_poly(tone(8_100.0, rate_hz), 320, rate_hz // 50)) > -20


@pytest.mark.parametrize("rate_hz", [8_000, 16_001, 22_050, 44_100, 48_000])
def test_resampling_by_blocks_is_the_filter_on_the_whole_to_a_twentieth_of_the_last_bit(rate_hz: int) -> None:
    """Against a sum in double precision over each output's own neighbours, in the first blocks, between them and at the end."""
    waveform_S = (np.random.default_rng(3).standard_normal(60_000) / 5).astype(np.float32)
    resampled_S = resample(waveform_S, rate_hz)
    step = math.gcd(rate_hz, SAMPLE_RATE_HZ)
    step_in, step_out = rate_hz // step, SAMPLE_RATE_HZ // step
    nyquist, half = min(1, step_out / step_in) / 2, len(_low_pass(step_in, step_out)) // 2
    for index in [*range(0, 60), *range(0, len(resampled_S), 97), *range(len(resampled_S) - 60, len(resampled_S))]:
        place = index * step_in / step_out
        at = np.arange(max(0, math.ceil(place - half)), min(len(waveform_S), math.floor(place + half) + 1))
        middle, beta = (1 + PASS_BAND) * nyquist, 0.1102 * (STOP_BAND_DB - 8.7)
        window = np.i0(beta * np.sqrt(np.clip(1 - ((at - place) / half) ** 2, 0, None))) / np.i0(beta)
        expected = float((waveform_S[at] * middle * np.sinc(middle * (at - place)) * window).sum())
        assert resampled_S[index] == pytest.approx(expected, abs=0.05 / FULL_SCALE), index


def test_resampling_reaches_no_further_than_its_filter() -> None:
    click_S = np.zeros(96_000, np.float32)
    click_S[48_000] = 1
    away_S = np.abs(resample(click_S, 48_000))
    assert away_S[16_000] > 0.3
    assert max(away_S[: 16_000 - 132].max(), away_S[16_000 + 132 :].max()) < 1e-6  # 8.2 ms to either side


@pytest.mark.parametrize("rate_hz", [8_000, 22_050, 48_000])
@pytest.mark.parametrize("samples", [1, 7, 1_000, 22_051])
def test_resampling_gives_the_length_that_the_ratio_says(rate_hz: int, samples: int) -> None:
    resampled_S = resample(np.ones(samples, np.float32), rate_hz)
    assert len(resampled_S) == -(-samples * SAMPLE_RATE_HZ // rate_hz)


def test_resampling_keeps_the_place_of_a_click_and_wraps_nothing_round() -> None:
    click_S = np.zeros(48_000, np.float32)
    click_S[36_000] = 1
    resampled_S = resample(click_S, 48_000)
    assert int(np.argmax(np.abs(resampled_S))) == 12_000
    late_S = np.zeros(48_000, np.float32)
    late_S[-100:] = 1
    assert np.abs(resample(late_S, 48_000)[:8_000]).max() < 1e-3


def test_a_flac_holds_exactly_the_samples() -> None:
    samples_S = to_int16(babble(1))
    decoded, rate_hz = soundfile.read(io.BytesIO(encode_flac(samples_S)), dtype="int16")
    assert rate_hz == 16_000
    assert np.array_equal(decoded, samples_S)
    assert encode_flac(samples_S) == encode_flac(samples_S.copy())


def test_samples_over_full_scale_are_limited_not_wrapped() -> None:
    assert to_int16(np.array([-2, -1, 0, 0.5, 1, 2], np.float32)).tolist() == [-32768, -32768, 0, 16384, 32767, 32767]


def test_the_measures_of_known_signals_are_the_known_ones() -> None:
    half = measure(to_int16(tone(1_000, 16_000, amplitude=0.5)))
    assert (half.duration_s, half.clipped, half.silence) == (1.0, 0.0, 0.0)
    assert half.peak == pytest.approx(0.5, abs=1e-3)
    assert half.rms_db == pytest.approx(-9.03, abs=0.01)
    assert measure(to_int16(tone(1_000, 16_000, amplitude=0.5) + np.float32(0.1))).dc_offset == pytest.approx(0.1, abs=1e-3)
    assert measure(to_int16(tone(997, 16_000, amplitude=4))).clipped == pytest.approx(0.84, abs=0.02)
    half_silent = measure(to_int16(np.concatenate([tone(1_000, 16_000), np.zeros(16_000, np.float32)])))
    assert half_silent.silence == pytest.approx(0.5)


def test_the_signal_to_noise_estimate_follows_the_true_ratio() -> None:
    draw = np.random.default_rng(0)
    speech_S = tone(300, 16_000, 3)
    speech_S[:4_800] = speech_S[-4_800:] = 0
    for snr_db in (10, 20, 30, 40):
        noisy_S = 0.3 * (speech_S + draw.standard_normal(len(speech_S)) * np.sqrt(0.5 * 10 ** (-snr_db / 10)))
        assert measure(to_int16(noisy_S.astype(np.float32))).snr_db == pytest.approx(snr_db, abs=2)


def test_digital_silence_has_finite_measures() -> None:
    silent = measure(np.zeros(16_000, np.int16))
    assert (silent.rms_db, silent.snr_db, silent.peak) == (-100, 0, 0)


@pytest.mark.parametrize("samples", [1, 100, 5_000, 160_000])
def test_a_fingerprint_has_256_bits_whatever_the_length(samples: int) -> None:
    assert len(fingerprint(np.full(samples, 7, np.int16))) == 64


@pytest.mark.parametrize(("change", "limit"), [
    (lambda waveform_S: waveform_S / 8, 12),
    (lambda waveform_S: np.concatenate([np.zeros(4_000, np.float32), waveform_S, np.zeros(2_000, np.float32)]), 40),
    (lambda waveform_S: through(waveform_S, 48_000, format="WAV", subtype="PCM_16"), 8),
    (lambda waveform_S: through(waveform_S, 8_000, format="WAV", subtype="ULAW"), 30),
    (lambda waveform_S: through(waveform_S, 44_100, format="MP3"), 40),
    (lambda waveform_S: through(waveform_S, 48_000, format="OGG", subtype="OPUS"), 48),
], ids=["gain", "silence at the ends", "48 kHz", "telephone", "mp3", "opus"])
def test_a_fingerprint_survives(change, limit) -> None:  # type: ignore[no-untyped-def]
    for seed in range(5):
        speech_S = babble(seed)
        assert int((bits(change(speech_S)) != bits(speech_S)).sum()) <= limit


def test_fingerprints_of_other_recordings_differ_in_about_half_of_the_bits() -> None:
    prints = [bits(babble(seed)) for seed in range(30)]
    distances = [int((one != other).sum()) for number, one in enumerate(prints) for other in prints[:number]]
    assert min(distances) > 80
    assert 118 < np.median(distances) < 138


@pytest.mark.skipif(not CLIPS.exists(), reason="needs the recorded speech")
def test_real_clips_are_nearer_to_their_copies_than_to_each_other() -> None:
    clips = [resample(*read_audio(path, 30)) for path in sorted(Path(CLIPS).glob("*.mp3"))[:20]]
    prints = [bits(clip) for clip in clips]
    copies = [int((bits(through(clip, 22_050, format="MP3")) != own).sum()) for clip, own in zip(clips, prints, strict=True)]
    others = [int((one != other).sum()) for number, one in enumerate(prints) for other in prints[:number]]
    assert max(copies) <= 64 < min(others)


# ---- Files --------------------------------------------------------------------------------------------------------------

NO_FFMPEG = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs FFmpeg")
TWO_S = np.sin(2 * np.pi * 440 * np.arange(32_000) / 16_000).astype(np.float32) * np.float32(0.3)


def written(path: Path, waveform: np.ndarray = TWO_S, **given: Any) -> Path:
    soundfile.write(path, waveform, 16_000, **given)
    return path


@pytest.mark.parametrize(("name", "subtype", "error"), [
    ("a.wav", "PCM_U8", 0.01), ("a.wav", "PCM_16", 1e-4), ("a.wav", "PCM_24", 1e-6), ("a.wav", "PCM_32", 1e-6), ("a.wav", "FLOAT", 1e-7),
    ("a.wav", "DOUBLE", 1e-7), ("a.wav", "ULAW", 0.02), ("a.wav", "ALAW", 0.02), ("a.wav", "IMA_ADPCM", 0.05), ("a.flac", "PCM_24", 1e-6),
    ("a.ogg", "VORBIS", 0.1), ("a.ogg", "OPUS", 0.1), ("a.aiff", "PCM_16", 1e-4), ("a.au", "ULAW", 0.02), ("a.w64", "PCM_16", 1e-4),
    ("a.rf64", "PCM_16", 1e-4), ("a.caf", "PCM_16", 1e-4),
])
def test_whatever_the_coding_it_is_the_same_sound(tmp_path: Path, name: str, subtype: str, error: float) -> None:
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


def test_reading_stops_one_sample_after_the_longest_that_is_wanted(tmp_path: Path) -> None:
    path = written(tmp_path / "a.wav")
    assert len(read_audio(path, 1.0)[0]) == 16_001
    assert len(read_audio(path, 1.0, 0.5)[0]) == 16_001


def test_a_channel_is_picked_or_all_are_mixed(tmp_path: Path) -> None:
    path = written(tmp_path / "a.wav", np.stack([TWO_S, np.zeros_like(TWO_S)], axis=1), subtype="FLOAT")
    assert np.array_equal(read_audio(path, 30, channel=1)[0], TWO_S)
    assert not read_audio(path, 30, channel=2)[0].any()
    assert np.allclose(read_audio(path, 30)[0], TWO_S / 2)
    with pytest.raises(Unreadable, match="channel 3 is asked for, it has 2"):
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


def test_a_header_counts_for_more_than_what_is_declared(tmp_path: Path) -> None:
    path = written(tmp_path / "a.wav", subtype="FLOAT")
    assert np.array_equal(read_audio(path, 30, headerless=Headerless(8_000, "s16le", 1))[0], TWO_S)


def test_a_headerless_file_that_nobody_declared_is_told(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="it has no header: declare how it is coded"):
        read_audio(written(tmp_path / "a.raw", format="RAW", subtype="PCM_16"), 30)


@pytest.mark.parametrize(("start", "called"), [
    (b"\0\0\0\x1cftypM4A ", r"MPEG-4 \(m4a, mp4, 3gp\)"), (b"\x1aE\xdf\xa3", "WebM or Matroska"), (b"\x30\x26\xb2\x75", "Windows Media"),
    (b"#!AMR\n", "AMR"), (b"\xff\xf1\x50\x80", "AAC")])
def test_without_ffmpeg_it_is_told_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start: bytes, called: str) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "a").write_bytes(start + bytes(100))
    with pytest.raises(Unreadable, match=f"{called} is decoded by FFmpeg, which is not on the path: install it"):
        read_audio(tmp_path / "a", 30)
    assert duration_from_header(tmp_path / "a") == 0.0


@NO_FFMPEG
@pytest.mark.parametrize(("name", "options"), [
    ("a.m4a", []), ("a.aac", []), ("a.webm", ["-c:a", "libopus"]), ("a.mka", ["-c:a", "aac"]), ("a.wma", []),
])
def test_with_ffmpeg_what_libsndfile_does_not_read_is_the_same_sound(tmp_path: Path, name: str, options: list[str]) -> None:
    subprocess.run(["ffmpeg", "-v", "error", "-i", written(tmp_path / "in.wav"), *options, tmp_path / name], check=True, stdin=subprocess.DEVNULL)
    waveform_S, rate_hz = read_audio(tmp_path / name, 30)
    assert len(waveform_S) / rate_hz == pytest.approx(2.0, abs=0.15)  # bare AAC does not say how much of its start is padding
    middle_S = waveform_S[rate_hz // 2 : rate_hz // 2 + rate_hz]
    assert np.argmax(np.abs(np.fft.rfft(middle_S))) == pytest.approx(440, abs=1)
    assert np.sqrt(np.mean(middle_S**2)) == pytest.approx(0.3 / np.sqrt(2), rel=0.05)
    assert len(read_audio(tmp_path / name, 1.0, 0.25, 0.75)[0]) == rate_hz // 2
    assert np.array_equal(read_audio((tmp_path / name).read_bytes(), 30)[0], waveform_S)


@NO_FFMPEG
def test_what_ffmpeg_cannot_decode_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.m4a").write_bytes(b"\0\0\0\x1cftypM4A " + bytes(100))
    with pytest.raises(Unreadable, match="FFmpeg cannot decode it: "):
        read_audio(tmp_path / "a.m4a", 30)
