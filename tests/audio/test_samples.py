"""Waveforms and samples: rounding and limits."""

from __future__ import annotations

import numpy as np

from pipeline.audio.samples import to_int16


def test_samples_over_full_scale_are_limited_not_wrapped() -> None:
    assert to_int16(np.array([-2, -1, 0, 0.5, 1, 2], np.float32)).tolist() == [-32768, -32768, 0, 16384, 32767, 32767]


def test_samples_survive_conversion_to_a_waveform_and_back() -> None:
    samples_S = np.arange(-32_768, 32_768).astype(np.int16)
    assert np.array_equal(to_int16(samples_S.astype(np.float32) / np.float32(32_768)), samples_S)
