"""Degraded speech: each condition has its defined effect, which is deterministic."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import soundfile

from pipeline.audio.degrade import CODECS, add_noise, add_reverberation, degrade, room_response, through_file
from pipeline.audio.samples import Samples, to_int16

RATE = 16_000


def tones(*hertz: float, seconds: float = 1.0) -> Samples:
    time_S = np.arange(int(RATE * seconds)) / RATE
    return to_int16(sum(0.2 * np.sin(2 * np.pi * hz * time_S) for hz in hertz).astype(np.float32))  # type: ignore[union-attr]


def power(waveform_S: Any, low: float, high: float) -> float:
    """Return the power between two frequencies, of the middle half of a waveform."""
    middle_S = waveform_S[len(waveform_S) // 4 : -len(waveform_S) // 4]
    line_K = np.abs(np.fft.rfft(middle_S * np.hanning(len(middle_S)))) ** 2
    hz_K = np.fft.rfftfreq(len(middle_S), 1 / RATE)
    return float(line_K[(hz_K >= low) & (hz_K < high)].sum())


def test_without_a_condition_an_utterance_is_unchanged() -> None:
    assert np.array_equal(to_int16(degrade(tones(440), seed=[1])), tones(440))


@pytest.mark.parametrize("snr_db", [20.0, 10.0, 0.0])
def test_noise_has_the_given_level_and_falls_with_frequency(snr_db: float) -> None:
    clean_S = tones(440).astype(np.float32) / 32_768
    noise_S = degrade(tones(440), seed=[1], snr_db=snr_db) - clean_S
    assert 10 * np.log10(np.mean(clean_S**2) / np.mean(noise_S**2)) == pytest.approx(snr_db, abs=0.01)
    octaves = [power(noise_S, low, 2 * low) for low in (250, 500, 1_000, 2_000, 4_000)]
    assert max(octaves) / min(octaves) < 2  # pink: the same power in every octave


def test_noise_depends_on_the_seed_alone() -> None:
    first, again, other = (degrade(tones(440), seed=seed, snr_db=10) for seed in ([1, 7], [1, 7], [1, 8]))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_silence_and_single_samples_are_accepted() -> None:
    assert not add_noise(np.zeros(100, np.float32), 10, np.random.default_rng(0)).any()
    for samples_S in (np.zeros(400, np.int16), np.ones(1, np.int16)):
        for changes in ({"snr_db": 10.0}, {"telephone": True}, {"speed": 1.1}, {"codec": "mp3"}):
            assert np.isfinite(degrade(samples_S, seed=[1], **changes)).all()  # type: ignore[arg-type]


@pytest.mark.parametrize("rate_hz", [16_000, 22_050])
def test_a_room_starts_with_the_direct_sound_and_decays_by_60_db_in_its_reverberation_time(rate_hz: int) -> None:
    response_S = room_response(0.6, 6.0, rate_hz, np.random.default_rng(1))
    gap = int(0.004 * rate_hz)
    assert response_S[0] == 1
    assert not response_S[1:gap].any()
    assert 10 * np.log10(1 / np.square(response_S[1:]).sum()) == pytest.approx(6.0, abs=0.01)
    tenth = rate_hz // 10
    early, late = (10 * np.log10(np.square(response_S[start : start + tenth]).mean()) for start in (gap, gap + 3 * tenth))
    assert early - late == pytest.approx(30.0, abs=1.0)
    assert len(response_S) / rate_hz == pytest.approx(0.4, abs=0.001), "down to -40 dB"


def test_reverberation_keeps_the_length_and_depends_on_the_seed_alone() -> None:
    click_S = np.zeros(8_000, np.float32)
    click_S[1_000] = 1
    first_S, again_S, other_S = (add_reverberation(click_S, 0.3, 6.0, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first_S.shape == click_S.shape
    assert first_S[1_000] == pytest.approx(1, abs=1e-5)
    assert np.abs(first_S[:1_000]).max() < 1e-5
    assert np.array_equal(first_S, again_S)
    assert not np.array_equal(first_S, other_S)


def test_a_room_of_a_few_milliseconds_is_the_direct_sound() -> None:
    assert room_response(0.005, 6.0, RATE, np.random.default_rng(1)).tolist() == [1.0] + [0.0] * 52


def test_a_telephone_passes_300_to_3400_hertz() -> None:
    output_S = degrade(tones(100, 1_000, 5_000), seed=[1], telephone=True)
    assert len(output_S) == RATE
    before_S = tones(100, 1_000, 5_000) / 32_768
    assert power(output_S, 900, 1_100) / power(before_S, 900, 1_100) == pytest.approx(1, abs=0.1)
    assert power(output_S, 50, 150) < 0.01 * power(before_S, 50, 150)
    assert power(output_S, 4_000, 8_000) < 1e-4 * power(before_S, 4_000, 8_000)


@pytest.mark.parametrize("speed", [0.9, 1.1])
def test_speed_changes_length_and_pitch(speed: float) -> None:
    output_S = degrade(tones(1_000), seed=[1], speed=speed)
    assert len(output_S) == pytest.approx(RATE / speed, abs=1)
    assert power(output_S, 1_000 * speed - 30, 1_000 * speed + 30) > 0.99 * power(output_S, 0, 8_000)


@pytest.mark.parametrize("codec", ["mp3", "opus"])
def test_a_codec_keeps_the_audio_in_a_sixth_of_the_bits(codec: Any) -> None:
    draw = np.random.default_rng(0)
    noisy_S = to_int16((tones(440, 880, seconds=4) / 32_768 + 0.02 * draw.standard_normal(4 * RATE)).astype(np.float32))
    coded = io.BytesIO()
    soundfile.write(coded, noisy_S, RATE, **CODECS[codec])
    assert len(coded.getvalue()) < noisy_S.nbytes / 6
    output_S = degrade(noisy_S, seed=[1], codec=codec)
    assert abs(len(output_S) - 4 * RATE) < 4_000
    assert power(output_S, 400, 920) / power(noisy_S / 32_768, 400, 920) == pytest.approx(1, abs=0.3)
    assert np.array_equal(output_S, degrade(noisy_S, seed=[1], codec=codec))


def test_a_waveform_over_full_scale_is_attenuated_and_not_clipped() -> None:
    loud_S = 1.8 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE).astype(np.float32)
    output_S = through_file(loud_S, RATE, format="WAV", subtype="PCM_16")
    assert power(output_S, 1_200, 1_400) < 1e-6 * power(output_S, 400, 480)
