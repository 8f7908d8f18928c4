"""Intervals have their nominal coverage, and resampling agrees with a plain bootstrap."""

from __future__ import annotations

import time

import numpy as np
import pytest
from scipy import stats

from pipeline.scoring.bootstrap import interval, resample, units_of


def speakers_with_errors(generator: np.random.Generator, speakers: int, rate: float = 0.2, spread: float = 0.5) -> np.ndarray:
    """Return errors and words of simulated speakers whose own error rates differ (log-normal, mean `rate`)."""
    words = generator.integers(60, 140, size=speakers)
    own = rate * generator.lognormal(-(spread**2) / 2, spread, size=speakers)
    return np.stack([generator.binomial(words, np.minimum(own, 0.95)), words], axis=1)


def naive(sums: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """Return the ratios of a plain bootstrap: draw units one by one, with replacement."""
    generator = np.random.default_rng(seed)
    drawn = sums[generator.integers(len(sums), size=(resamples, len(sums)))].sum(axis=1)
    return np.sort(drawn[:, 0] / drawn[:, 1])


@pytest.mark.parametrize("speakers", [12, 24, 300])
def test_resampling_agrees_with_an_independent_bootstrap(speakers: int) -> None:
    sums = speakers_with_errors(np.random.default_rng(speakers), speakers)
    ours, other = resample(sums, 20_000, seed=0), naive(sums, 20_000, seed=1)
    assert stats.ks_2samp(ours, other).pvalue > 0.001
    assert ours.std() == pytest.approx(other.std(), rel=0.03)


def test_units_with_equal_sums_are_drawn_in_proportion_to_their_number() -> None:
    sums = np.array([[1, 2]] * 40 + [[0, 3]] * 60)
    assert stats.ks_2samp(resample(sums, 20_000, seed=0), naive(sums, 20_000, seed=1)).pvalue > 0.001


def test_the_interval_is_the_expanded_percentile_interval() -> None:
    sums = speakers_with_errors(np.random.default_rng(5), 24)
    found = interval(sums, 0.95, 40_000, seed=0)
    tail = stats.norm.cdf(np.sqrt(24 / 23) * stats.t.ppf(0.025, 23))
    low, high = np.quantile(naive(sums, 40_000, seed=1), [tail, 1 - tail])
    assert (found.low, found.high) == (pytest.approx(low, rel=0.01), pytest.approx(high, rel=0.01))
    assert found.value == sums[:, 0].sum() / sums[:, 1].sum()


def test_the_p_value_is_the_level_at_which_the_interval_ends_at_the_null() -> None:
    sums = speakers_with_errors(np.random.default_rng(6), 24)
    null = 0.16
    found = interval(sums, 0.95, 20_000, seed=0, null=null)
    touching = interval(sums, 1 - found.p, 20_000, seed=0)
    assert 0.001 < found.p < 0.5
    assert touching.low == pytest.approx(null, abs=5e-4)


@pytest.mark.parametrize("speakers", [12, 24, 60])
def test_intervals_of_simulated_speakers_have_nearly_nominal_coverage(speakers: int) -> None:
    generator = np.random.default_rng(speakers)
    runs = 1_000
    hits = 0
    for run in range(runs):
        found = interval(speakers_with_errors(generator, speakers), 0.95, 600, seed=run)
        hits += found.low <= 0.2 <= found.high
    assert 0.915 <= hits / runs <= 0.975  # 0.95 less the loss by skewed speakers; a standard error is 0.007


def test_resampling_utterances_instead_of_speakers_gives_intervals_that_are_too_narrow() -> None:
    generator = np.random.default_rng(0)
    own = 0.2 * generator.lognormal(-0.125, 0.5, size=24)
    speakers = np.repeat(np.arange(24), 20)
    words = np.full(480, 8)
    errors = generator.binomial(words, own[speakers])
    by_speaker = units_of([f"s{code}" for code in speakers]).sums(errors, words)
    by_utterance = np.stack([errors, words], axis=1)
    wide, narrow = interval(by_speaker, 0.95, 2_000, 0), interval(by_utterance, 0.95, 2_000, 0)
    assert wide.value == narrow.value
    assert wide.high - wide.low > 1.5 * (narrow.high - narrow.low)


def test_speakers_are_resampled_if_at_least_ten_are_known() -> None:
    assert units_of([f"s{index % 10}" for index in range(40)]).name == "speaker"
    assert units_of([f"s{index % 9}" for index in range(40)]).name == "utterance"
    assert units_of([""] * 40).name == "utterance"


def test_each_utterance_of_an_unknown_speaker_is_one_unit() -> None:
    units = units_of([f"s{index % 10}" for index in range(20)] + ["", ""])
    assert (units.name, units.number) == ("speaker", 12)
    assert units.sums(np.ones(22, dtype=np.int64))[:, 0].tolist() == [2] * 10 + [1, 1]


def test_a_single_unit_has_no_interval() -> None:
    found = interval(np.array([[1, 4]]), 0.95, 1_000, 0)
    assert found.value == 0.25
    assert np.isnan([found.low, found.high, found.p]).all()


def test_draws_without_a_reference_word_are_left_out() -> None:
    found = interval(np.array([[1, 0], [1, 4]]), 0.95, 1_000, 0)
    assert np.isfinite([found.low, found.high]).all()


def test_the_same_seed_gives_the_same_interval() -> None:
    sums = speakers_with_errors(np.random.default_rng(1), 24)
    assert interval(sums, 0.95, 1_000, 3) == interval(sums, 0.95, 1_000, 3) != interval(sums, 0.95, 1_000, 4)


def test_ten_thousand_resamples_of_a_hundred_thousand_utterances_take_little_processor_time() -> None:
    generator = np.random.default_rng(0)
    characters = generator.integers(10, 110, size=100_000)
    sums = np.stack([generator.binomial(characters, 0.1), characters], axis=1)
    began = time.process_time()
    found = interval(sums, 0.95, 10_000, seed=0)
    assert time.process_time() - began < 10
    assert found.high - found.low < 0.002
