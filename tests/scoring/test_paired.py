"""Paired tests: correct level on equal systems, sensitive to unequal ones."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pipeline.scoring.bootstrap import interval
from pipeline.scoring.paired import holm, mapsswe


def test_mapsswe_is_the_paired_t_test_on_segments() -> None:
    differences = np.random.default_rng(0).integers(-6, 8, size=40)
    assert mapsswe(differences) == pytest.approx(stats.ttest_1samp(differences, 0).pvalue, rel=1e-12)


def test_mapsswe_without_spread_is_one_for_equal_systems_and_zero_for_a_constant_difference() -> None:
    assert mapsswe(np.zeros(10, dtype=np.int64)) == 1.0
    assert mapsswe(np.full(10, 2)) == 0.0
    assert math.isnan(mapsswe(np.array([3])))


def test_holm_steps_down_as_in_the_paper() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_ignores_nan() -> None:
    corrected = holm([0.01, float("nan"), 0.04])
    assert corrected[0] == 0.02
    assert math.isnan(corrected[1])
    assert corrected[2] == 0.04


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_never_makes_a_p_value_smaller_nor_swaps_two(p_values: list[float]) -> None:
    corrected = holm(p_values)
    assert all(0 <= p <= q <= 1 for p, q in zip(p_values, corrected, strict=True))
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    assert [corrected[index] for index in order] == sorted(corrected)


@pytest.mark.slow
def test_equal_systems_differ_significantly_about_as_often_as_the_level() -> None:
    generator = np.random.default_rng(3)
    runs, bootstrap, matched = 1_000, 0, 0
    for run in range(runs):
        words = generator.integers(60, 140, size=24)
        own = np.minimum(0.2 * generator.lognormal(-0.125, 0.5, size=24), 0.95)
        difference = generator.binomial(words, own) - generator.binomial(words, own)
        bootstrap += interval(np.stack([difference, words], axis=1), 0.95, 600, seed=run).p < 0.05
        matched += mapsswe(difference) < 0.05
    assert 0.03 <= bootstrap / runs <= 0.07  # 0.05; a standard error is 0.007
    assert 0.03 <= matched / runs <= 0.07
