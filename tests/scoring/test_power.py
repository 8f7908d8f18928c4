"""Power: it agrees with theory and with simulated gates, and its reason names the rule and the data that limit it."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from pipeline.scoring.bootstrap import interval
from pipeline.scoring.counts import Counts
from pipeline.scoring.paired import mapsswe
from pipeline.scoring.power import GAINS, Margin, _influence, power

SPEAKERS, WORDS = 24, 1_000


def counts(errors_U: np.ndarray, words_U: np.ndarray | int = WORDS) -> Counts:
    """Return the counts of one long utterance per unit."""
    zeros_U = np.zeros_like(errors_U)
    return Counts(errors_U, zeros_U, zeros_U, words_U - errors_U)


def margin(difference_U: np.ndarray, champion: int = 300, **changed: Any) -> Margin:
    """Return a rule on the test set in which the champion makes 300 errors of 1,000 words on each speaker."""
    champion_U = np.full(len(difference_U), champion)
    fields: dict[str, Any] = dict(name="improvement", champion=counts(champion_U), challenger=counts(champion_U + difference_U),
                                  code_B=np.arange(len(difference_U)), limit=0.0, reach=0.02, part="test set", size=len(difference_U), unit="speaker")
    return Margin(**{**fields, **changed})


def spread(seed: int, deviation: float = 60.0, number: int = SPEAKERS) -> np.ndarray:
    """Return differences of errors with mean 0 and this standard deviation."""
    values_U = np.random.default_rng(seed).normal(size=number)
    return np.round(deviation * (values_U - values_U.mean()) / values_U.std(ddof=1)).astype(np.int64)


def gain_of(margins: list[Margin], gain: float = 0.1) -> dict[str, Any]:
    found = power(margins, SPEAKERS, seed=1)
    assert found is not None
    return dict(found["gains"][GAINS.index(gain)])


ERROR = 0.06 / np.sqrt(SPEAKERS)
"""Standard error of a difference of WER that `spread` gives."""


def test_the_probability_of_one_rule_is_that_of_the_normal_distribution() -> None:
    assert gain_of([margin(spread(0))])["probability"] == pytest.approx(stats.norm.cdf((0.03 - 0.02) / ERROR), abs=0.015)
    assert gain_of([margin(spread(0))], 0.05)["probability"] == pytest.approx(stats.norm.cdf((0.015 - 0.02) / ERROR), abs=0.015)


@pytest.mark.parametrize(("difference", "variance"), [
    ([30, -30], 2 * 2 * (30 / 2_000) ** 2), ([30, 0, -30], 1.5 * 2 * (30 / 3_000) ** 2), ([30], 0.0)])
def test_the_influences_have_the_variance_of_the_difference_without_bias(difference: list[int], variance: float) -> None:
    influence_U = _influence(margin(np.array(difference)), len(difference))
    assert np.square(influence_U).sum() == pytest.approx(variance)


def test_the_gain_of_the_observed_challenger_does_not_count() -> None:
    assert gain_of([margin(spread(0) - 100)])["probability"] == gain_of([margin(spread(0))])["probability"]


def test_rules_that_share_their_deviations_pass_together_and_others_do_not() -> None:
    one, same, other = margin(spread(0)), margin(spread(0), name="same"), margin(spread(5), name="other")
    alone = gain_of([one])["probability"]
    assert gain_of([one, same])["probability"] == pytest.approx(alone, abs=0.015)
    assert gain_of([one, other])["probability"] == pytest.approx(alone**2, abs=0.1) != pytest.approx(alone, abs=0.05)


def test_the_rule_least_likely_to_pass_limits() -> None:
    found = gain_of([margin(spread(0)), margin(spread(1, 120.0), name="slice", limit=0.02, reach=0.1)])
    assert found["limited_by"] == "slice"
    assert [entry["name"] for entry in found["rules"]] == ["improvement", "slice"]
    assert found["rules"][1]["probability"] < found["rules"][0]["probability"]
    assert found["probability"] <= found["rules"][1]["probability"]


def test_the_data_needed_reach_the_target() -> None:
    needed = gain_of([margin(spread(0))])["needed"]
    times = ((0.02 + stats.norm.ppf(0.8) * ERROR) / 0.03) ** 2
    assert needed["times"] == 1.0 if times <= 1 else needed["times"] == pytest.approx(times, rel=0.03)
    found = gain_of([margin(spread(0))], 0.05)
    times = ((0.02 + stats.norm.ppf(0.8) * ERROR) / 0.015) ** 2
    assert found["needed"] == {"enlarge": "test set", "times": pytest.approx(times, rel=0.03), "unit": "speaker", "now": 24,
                               "number": pytest.approx(24 * times, rel=0.05)}
    assert f"limited by improvement; a test set of {found['needed']['times']:.1f} times the size lifts it to 80 %" in found["reason"]


def test_a_target_that_is_reached_needs_no_data() -> None:
    found = gain_of([margin(spread(0, 10.0), reach=0.001)])
    assert (found["probability"], found["needed"]["times"]) == (1.0, 1.0)
    assert found["reason"] == "a true gain of 10 % passes with a probability of 100 %"


def test_a_rule_without_an_interval_never_passes_and_no_data_lift_it() -> None:
    found = gain_of([margin(spread(0)), margin(spread(1), name="slice", reach=float("inf"))])
    assert (found["probability"], found["limited_by"], found["needed"]) == (0.0, "slice", None)
    assert found["reason"].endswith("limited by slice; more test data do not lift it to 80 %")


def test_only_the_sample_of_the_conditions_is_enlarged_if_only_it_limits() -> None:
    certain = margin(spread(0, 5.0), reach=0.001)
    condition = margin(spread(1, 200.0), name="robustness mp3, change", limit=0.05, reach=0.1, part="conditions", size=64, unit="utterance")
    found = gain_of([certain, condition])
    assert (found["needed"]["enlarge"], found["needed"]["now"]) == ("conditions", 64)
    assert found["needed"]["number"] > 64
    both = gain_of([margin(spread(0)), condition], 0.05)
    assert both["needed"]["enlarge"] == "both"


def test_matched_pairs_limit_a_rule_whose_interval_would_pass() -> None:
    free = margin(spread(0), reach=0.0)
    assert gain_of([replace(free, matched_pairs=0.0001)])["probability"] < gain_of([free])["probability"] - 0.3


def test_systems_that_make_the_same_errors_have_no_power() -> None:
    assert power([margin(np.zeros(SPEAKERS, dtype=np.int64))], SPEAKERS, seed=1) is None


def test_the_same_seed_gives_the_same_power() -> None:
    margins = [margin(spread(0)), margin(spread(1), name="other")]
    assert power(margins, SPEAKERS, 1) == power(margins, SPEAKERS, 1) != power(margins, SPEAKERS, 2)


@pytest.mark.slow
@pytest.mark.parametrize("speakers", [9, 24])
def test_the_power_agrees_with_the_share_of_simulated_challengers_that_are_promoted(speakers: int) -> None:
    generator = np.random.default_rng(speakers)
    estimated, promoted, runs = [], 0, 300
    words_U = np.full(speakers, 8 * 40)
    for _ in range(runs):
        shared_U = generator.normal(0, 0.03, size=speakers)
        champion_U, better_U, other_U = (generator.binomial(words_U, 0.37 * (1 - gain) + shared_U + generator.normal(0, 0.04, size=speakers))
                                         for gain in (0.0, 0.1, 0.0))
        found = interval(np.stack([better_U - champion_U, words_U], axis=1), 0.95, 1_000, 0)
        promoted += found.high < 0 and mapsswe(better_U - champion_U) / 2 < 0.025
        observed = interval(np.stack([other_U - champion_U, words_U], axis=1), 0.95, 1_000, 0)
        rule = Margin("improvement", counts(champion_U, words_U), counts(other_U, words_U), np.arange(speakers), 0.0, observed.high - observed.value,
                      "test set", speakers, "speaker", matched_pairs=0.025)
        whole = power([rule], speakers, seed=0)
        assert whole is not None
        estimated.append(whole["gains"][1]["probability"])
    assert 0.2 < promoted / runs < 0.95
    assert np.mean(estimated) == pytest.approx(promoted / runs, abs=0.08)


def test_twenty_rules_on_a_hundred_thousand_utterances_take_less_than_five_seconds() -> None:
    number = 100_000
    difference_U = np.random.default_rng(0).integers(-2, 3, size=number)
    margins = [margin(difference_U, name=f"rule {index}", reach=0.001) for index in range(20)]
    began = time.process_time()
    assert power(margins, number, seed=0) is not None
    assert time.process_time() - began < 5
