"""Which evaluation is selected, ties included, and when a run stops early."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.training.selection import best_evaluation, should_stop_early


def history(*rates: tuple[float, float]) -> list[dict[str, Any]]:
    return [{"dev_wer": wer, "dev_cer": cer} for wer, cer in rates]


@pytest.mark.parametrize(("rates", "index"), [
    ([(0.9, 0.3), (0.5, 0.4), (0.6, 0.1)], 1),
    ([(0.5, 0.4), (0.5, 0.2), (0.5, 0.3)], 1),
    ([(0.5, 0.2), (0.5, 0.2)], 0),
    ([(1.0, 1.0)], 0),
])
def test_the_lowest_wer_is_selected_then_the_lowest_cer_then_the_first(rates: list[tuple[float, float]], index: int) -> None:
    assert best_evaluation(history(*rates)) == index


def test_patience_counts_evaluations_since_the_best() -> None:
    rates = history((0.9, 0.3), (0.5, 0.2), (0.5, 0.2), (0.6, 0.1))
    assert [should_stop_early(rates[:count], 2) for count in range(5)] == [False, False, False, False, True]
    assert not should_stop_early(rates, 3)
    assert not should_stop_early(rates, None)


def test_a_falling_cer_is_an_improvement_while_every_word_is_wrong() -> None:
    assert not should_stop_early(history((1.0, 0.9), (1.0, 0.8), (1.0, 0.7)), 1)
