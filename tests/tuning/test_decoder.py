"""The search for a decoder's settings."""

from __future__ import annotations

import pytest

from pipeline.decoding.beam import Settings
from pipeline.tuning.decoder import GRID, calibrate, log_loss, search


def bowl(settings: Settings) -> float:
    """Return an error rate with its minimum at a language weight of 1, a word score of 0.5 and an unknown score of -4."""
    return 0.1 + abs(settings.language_weight - 1) / 10 + abs(settings.word_score - 0.5) / 50 + abs(settings.unknown_score + 4) / 100


def test_the_search_finds_the_minimum_and_records_every_trial_once() -> None:
    best, trials = search(Settings(), bowl)
    assert (best.language_weight, best.word_score, best.unknown_score) == (1.0, 0.5, -4.0)
    assert min(trial["wer"] for trial in trials) == bowl(best)
    keys = [tuple(trial[name] for name in GRID) for trial in trials]
    assert len(keys) == len(set(keys)) <= 1 + 2 * sum(map(len, GRID.values()))
    assert trials[0] == {"language_weight": 0.5, "word_score": 1.5, "unknown_score": -10.0, "wer": bowl(Settings())}


def test_equal_results_change_nothing() -> None:
    best, _ = search(Settings(), lambda _: 0.2)
    assert best == Settings()


def test_a_temperature_is_chosen_by_log_loss() -> None:
    assert log_loss([0.9, 0.9], [True, True]) == pytest.approx(0.105, abs=1e-3)
    assert log_loss([0.9, 0.9], [True, False]) > log_loss([0.5, 0.5], [True, False])
    assert log_loss([1.0], [False]) < 7, "a single sure error does not decide alone"
    assert log_loss([], []) == 0
    assert calibrate(lambda temperature: abs(temperature - 2.4)) == 2.5
