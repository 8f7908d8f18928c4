"""Intervals have their nominal coverage, also over few or unequal speakers; resampling agrees with a plain bootstrap."""

from __future__ import annotations

import time

import numpy as np
import pytest
from scipy import stats

from pipeline.scoring.bootstrap import effective_number, interval, jackknife, percentile, resample, unit_of, units_of


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


@pytest.mark.slow
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


def shared_effects(generator: np.random.Generator, sizes: list[int], effect: float = 0.06) -> np.ndarray:
    """Return errors and words of speakers who say `sizes` utterances of eight words, at a WER of 0.3 with effects of the speakers."""
    words = 8 * np.array(sizes)
    return np.stack([generator.binomial(words, np.clip(generator.normal(0.3, effect, size=len(sizes)), 0, 1)), words], axis=1)


UNEQUAL = [200, 90, 60, 40, 30, 20, 15, 10, 8]
VERY_UNEQUAL = [max(1, 300 // rank) for rank in range(1, 41)]


@pytest.mark.parametrize("sizes", [[60] * 3, [60] * 5, [15] * 8, [60] * 9, UNEQUAL, VERY_UNEQUAL],
                         ids=["3", "5", "8", "9", "unequal", "very unequal"])
def test_intervals_of_few_or_unequal_speakers_have_the_nominal_coverage(sizes: list[int]) -> None:
    generator = np.random.default_rng(len(sizes))
    runs = 3_000
    hits = sum(found.low <= 0.3 <= found.high for found in (interval(shared_effects(generator, sizes), 0.95, 1_000, 0) for _ in range(runs)))
    assert 0.935 <= hits / runs <= 0.975  # a standard error is 0.004


def test_resampling_three_speakers_would_give_intervals_that_are_too_narrow() -> None:
    generator = np.random.default_rng(3)
    hits = sum(found.low <= 0.3 <= found.high for found in (percentile(shared_effects(generator, [60] * 3), 0.95, 1_000, 0) for _ in range(500)))
    assert hits / 500 < 0.91


def test_the_jackknife_of_equal_speakers_is_the_t_interval_of_their_rates() -> None:
    sums = shared_effects(np.random.default_rng(1), [20] * 6)
    found = jackknife(sums, 0.9, null=0.25)
    rates = sums[:, 0] / sums[:, 1]
    low, high = stats.t.interval(0.9, 5, rates.mean(), rates.std(ddof=1) / np.sqrt(6))
    assert (found.value, found.low, found.high) == (pytest.approx(rates.mean()), pytest.approx(low), pytest.approx(high))
    assert found.p == pytest.approx(stats.ttest_1samp(rates, 0.25).pvalue)


def test_the_jackknife_of_unequal_speakers_uses_the_ratios_without_one_speaker_and_their_effective_number() -> None:
    sums = shared_effects(np.random.default_rng(2), UNEQUAL)
    value = sums[:, 0].sum() / sums[:, 1].sum()
    without = np.array([(sums[:, 0].sum() - errors) / (sums[:, 1].sum() - words) for errors, words in sums])
    error = np.sqrt(8 / 9 * ((without - value) ** 2).sum())
    found = jackknife(sums, 0.95)
    assert found.high - found.value == pytest.approx(stats.t.ppf(0.975, effective_number(sums[:, 1]) - 1) * error)


def test_two_very_unequal_speakers_have_at_least_one_degree_of_freedom() -> None:
    found = jackknife(np.array([[30, 100], [4_000, 10_000]]), 0.95)
    assert found.high - found.value == pytest.approx(stats.t.ppf(0.975, 1) * np.sqrt(((0.3 - found.value) ** 2 + (0.4 - found.value) ** 2) / 2))


def test_equal_units_have_no_spread_and_a_p_value_of_one_at_their_ratio_and_zero_elsewhere() -> None:
    assert jackknife(np.array([[0, 5]] * 4), 0.95).p == 1.0
    assert jackknife(np.array([[0, 5]] * 4), 0.95, null=0.1).p == 0.0


def test_the_effective_number_of_units_falls_with_unequal_sizes() -> None:
    assert effective_number(np.array([5, 5, 5, 5])) == 4
    assert effective_number(np.array([17, 1, 1, 1])) == pytest.approx(400 / 292)


def test_ten_even_units_are_resampled_and_fewer_or_uneven_ones_are_not() -> None:
    ten = shared_effects(np.random.default_rng(3), [20] * 10)
    assert interval(ten, 0.95, 1_000, 0) == percentile(ten, 0.95, 1_000, 0)
    assert interval(ten[1:], 0.95, 1_000, 0) == jackknife(ten[1:], 0.95)
    for large, expected in ((5, percentile), (7, jackknife)):  # effective numbers 5.8 and 4.7 of ten
        uneven = shared_effects(np.random.default_rng(4), [20] * 9 + [20 * large])
        found = interval(uneven, 0.95, 1_000, 0)
        assert found == (percentile(uneven, 0.95, 1_000, 0) if expected is percentile else jackknife(uneven, 0.95))


def test_speakers_are_the_units_if_at_least_two_are_known() -> None:
    assert units_of(["a", "b", "a", "b"]).name == "speaker"
    assert units_of(["a", "a", "a", ""]).name == "utterance"
    assert units_of([""] * 40).name == "utterance"


def test_utterances_are_the_units_of_a_speaker_dependent_test_set() -> None:
    assert unit_of(["a", "b"], speaker_dependent=False) == "speaker"
    assert unit_of(["a", "b"], speaker_dependent=True) == "utterance"


def test_a_part_has_the_unit_of_the_whole_test_set() -> None:
    assert (units_of(["a"] * 5, "speaker").name, units_of(["a"] * 5, "speaker").number) == ("speaker", 1)
    assert (units_of(["a", "b"] * 5, "utterance").name, units_of(["a", "b"] * 5, "utterance").number) == ("utterance", 10)
    assert (units_of([""] * 5, "speaker").name, units_of([""] * 5, "speaker").number) == ("utterance", 5)


def test_each_utterance_of_an_unknown_speaker_is_one_unit() -> None:
    units = units_of([f"s{index % 10}" for index in range(20)] + ["", ""])
    assert (units.name, units.number) == ("speaker", 12)
    assert units.sums(np.ones(22, dtype=np.int64))[:, 0].tolist() == [2] * 10 + [1, 1]


@pytest.mark.parametrize("sums", [[[1, 4]], [[1, 4], [0, 0]]], ids=["alone", "beside a unit without words"])
def test_a_unit_that_has_all_words_has_no_interval(sums: list[list[int]]) -> None:
    found = interval(np.array(sums), 0.95, 1_000, 0)
    assert found.value == 0.25
    assert np.isnan([found.low, found.high, found.p]).all()


def test_draws_without_a_reference_word_are_left_out() -> None:
    found = percentile(np.array([[1, 0], [1, 4]]), 0.95, 1_000, 0)
    assert np.isfinite([found.low, found.high]).all()


def test_the_same_seed_gives_the_same_interval() -> None:
    sums = speakers_with_errors(np.random.default_rng(1), 24)
    assert interval(sums, 0.95, 1_000, 3) == interval(sums, 0.95, 1_000, 3) != interval(sums, 0.95, 1_000, 4)


@pytest.mark.slow
def test_ten_thousand_resamples_of_a_hundred_thousand_utterances_take_little_processor_time() -> None:
    generator = np.random.default_rng(0)
    characters = generator.integers(10, 110, size=100_000)
    sums = np.stack([generator.binomial(characters, 0.1), characters], axis=1)
    began = time.process_time()
    found = interval(sums, 0.95, 10_000, seed=0)
    assert time.process_time() - began < 10
    assert found.high - found.low < 0.002
