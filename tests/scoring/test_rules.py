"""Rules, their verdict, and the error level of the gates of a period."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pipeline.scoring.bootstrap import interval
from pipeline.scoring.paired import mapsswe
from pipeline.scoring.rules import Rule, at_most, disabled, spent_level, verdict_of


def rules_with(*results: bool | None) -> list[Rule]:
    return [Rule("a rule", True, 0.0, None, None, 0.0, result, "because") for result in results]


@pytest.mark.parametrize(("results", "verdict"), [
    ((True, True), "promote"), ((True, None), "inconclusive"), ((None, False, True), "reject"), ((), "reject"),
])
def test_one_failed_rule_rejects_and_one_undecided_rule_is_inconclusive(results: tuple[Any, ...], verdict: str) -> None:
    assert verdict_of(rules_with(*results)) == verdict


def test_a_disabled_rule_does_not_affect_the_verdict() -> None:
    assert verdict_of([disabled("off"), *rules_with(True)]) == "promote"
    assert verdict_of([disabled("off")]) == "reject"


@pytest.mark.parametrize(("low", "high", "passed"), [(0.1, 0.2, True), (0.15, 0.25, None), (0.2, 0.3, None), (0.21, 0.3, False)])
def test_a_limit_is_compared_with_the_whole_interval(low: float, high: float, passed: bool | None) -> None:
    assert at_most("max_wer", (low + high) / 2, low, high, 0.2, "WER").passed is passed


def test_the_data_needed_shrink_with_the_square_of_the_distance_to_the_limit() -> None:
    assert "about 4.0 times the test data (24 speakers)" in at_most("x", -0.01, -0.03, 0.01, 0.0, "change", "24 speakers").reason
    assert "more test data would not decide" in at_most("x", 0.01, -0.03, 0.05, 0.0, "change").reason


def test_the_levels_of_all_gates_of_a_period_sum_to_alpha() -> None:
    levels = [spent_level(0.05, gates) for gates in range(10_000)]
    assert levels[:2] == [0.025, pytest.approx(0.05 / 6)]
    assert levels == sorted(levels, reverse=True)
    assert 0.0499 < sum(levels) < 0.05


def test_a_period_of_gates_promotes_equal_systems_at_most_at_its_level() -> None:
    """Twelve nightly challengers, none better than the champion, against the same 24 test speakers."""
    generator = np.random.default_rng(11)
    periods, alpha, promoted = 400, 0.05, 0
    for period in range(periods):
        words = generator.integers(60, 140, size=24)
        own = np.minimum(0.2 * generator.lognormal(-0.125, 0.5, size=24), 0.95)
        champion = generator.binomial(words, own)
        for gates in range(12):
            difference = generator.binomial(words, own) - champion
            level = spent_level(alpha, gates)
            if mapsswe(difference) / 2 >= level:
                continue
            if interval(np.stack([difference, words], axis=1), 1 - 2 * level, 1_000, seed=period).high < 0:
                promoted += 1
                break
    assert promoted / periods <= alpha + 2 * np.sqrt(alpha * (1 - alpha) / periods)
    assert promoted > 0  # a gate that never promotes would pass the assertion above
