"""Which evaluation wins, ties included, and when a run gives up."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.training.selection import best, gives_up


def history(*rates: tuple[float, float]) -> list[dict[str, Any]]:
    return [{"dev_wer": wer, "dev_cer": cer} for wer, cer in rates]


@pytest.mark.parametrize(("rates", "place"), [
    ([(0.9, 0.3), (0.5, 0.4), (0.6, 0.1)], 1),
    ([(0.5, 0.4), (0.5, 0.2), (0.5, 0.3)], 1),
    ([(0.5, 0.2), (0.5, 0.2)], 0),
    ([(1.0, 1.0)], 0),
])
def test_the_lowest_wer_wins_then_the_lowest_cer_then_the_first(rates: list[tuple[float, float]], place: int) -> None:
    assert best(history(*rates)) == place


def test_patience_counts_evaluations_since_the_best() -> None:
    rates = history((0.9, 0.3), (0.5, 0.2), (0.5, 0.2), (0.6, 0.1))
    assert [gives_up(rates[:count], 2) for count in range(5)] == [False, False, False, False, True]
    assert not gives_up(rates, 3)
    assert not gives_up(rates, None)


def test_a_falling_cer_is_progress_while_every_word_is_still_wrong() -> None:
    assert not gives_up(history((1.0, 0.9), (1.0, 0.8), (1.0, 0.7)), 1)
