"""Quality measures of known signals."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.audio.measures import clipped_share, measure, trim_silence
from pipeline.audio.samples import to_int16
from tests.audio.signals import tone


def test_known_signals_have_the_known_measures() -> None:
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


def test_the_clipped_share_counts_samples_at_either_end_of_the_scale() -> None:
    assert clipped_share(np.array([-32_768, 0, 32_767, 32_766], np.int16)) == 0.5
    assert clipped_share(np.array([-32_767, 0, 32_766], np.int16)) == 0.0


def test_silence_at_the_ends_is_trimmed_to_what_is_to_be_kept() -> None:
    speech_S = to_int16(np.concatenate([np.zeros(8_000, np.float32), tone(440, 16_000), np.zeros(8_000, np.float32)]))
    assert np.array_equal(trim_silence(speech_S, 0.0), speech_S[8_000:24_000])
    assert len(trim_silence(speech_S, 0.1)) == 16_000 + 2 * 1_600
    assert np.array_equal(trim_silence(speech_S, 9.0), speech_S)
