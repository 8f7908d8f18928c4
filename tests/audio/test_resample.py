"""The resampler against its design filter and against the usual filters."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.signal

from pipeline.audio.resample import PASS_BAND, STOP_BAND_DB, _low_pass, resample
from pipeline.audio.samples import FULL_SCALE, Waveform
from pipeline.core.manifest import SAMPLE_RATE_HZ
from tests.audio.signals import tone


def level_db(waveform_S: Waveform) -> float:
    middle_S = waveform_S[len(waveform_S) // 8 : -len(waveform_S) // 8]
    return float(10 * np.log10(2 * np.mean(np.square(middle_S, dtype=np.float64)) + 1e-20))


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


def test_a_click_spreads_no_further_than_the_filter() -> None:
    click_S = np.zeros(96_000, np.float32)
    click_S[48_000] = 1
    away_S = np.abs(resample(click_S, 48_000))
    assert away_S[16_000] > 0.3
    assert max(away_S[: 16_000 - 132].max(), away_S[16_000 + 132 :].max()) < 1e-6  # 8.2 ms to either side


@pytest.mark.parametrize("rate_hz", [8_000, 22_050, 48_000])
@pytest.mark.parametrize("samples", [1, 7, 1_000, 22_051])
def test_resampling_gives_the_length_of_the_ratio(rate_hz: int, samples: int) -> None:
    resampled_S = resample(np.ones(samples, np.float32), rate_hz)
    assert len(resampled_S) == -(-samples * SAMPLE_RATE_HZ // rate_hz)


def test_resampling_keeps_the_position_of_a_click_and_wraps_nothing_around() -> None:
    click_S = np.zeros(48_000, np.float32)
    click_S[36_000] = 1
    resampled_S = resample(click_S, 48_000)
    assert int(np.argmax(np.abs(resampled_S))) == 12_000
    late_S = np.zeros(48_000, np.float32)
    late_S[-100:] = 1
    assert np.abs(resample(late_S, 48_000)[:8_000]).max() < 1e-3
