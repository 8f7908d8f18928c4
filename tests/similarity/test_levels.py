from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pipeline.similarity.advice import advice_lines, advise
from pipeline.similarity.levels import agreement_in_words, concordance, describe_level, interval, join_words, leader, ranks

NAMES = {"es": "Spanish", "it": "Italian", "de": "German"}
CODES = ["es", "it", "de"]


def values(*rows: list[float]) -> Any:
    return np.array(rows, dtype=float)


def test_equals_share_the_mean_of_their_ranks() -> None:
    assert ranks(np.array([5.0, 7.0, 5.0, 1.0])).tolist() == [2.5, 1.0, 2.5, 4.0]


def test_kendalls_w_is_1_in_agreement_and_0_in_cancelling_disagreement() -> None:
    assert concordance(np.array([[3.0, 2.0, 1.0]] * 4)) == pytest.approx(1.0)
    assert concordance(np.array([[3.0, 2.0, 1.0], [1.0, 2.0, 3.0]])) == pytest.approx(0.0)
    assert concordance(np.array([[2.0, 2.0, 1.0]] * 3)) == pytest.approx(1.0)


def test_an_interval_is_the_value_and_its_deviations() -> None:
    assert interval(np.array([5.0, 1.0, 3.0])) == {"value": 5.0, "low": 3.040036, "high": 6.959964}


def test_the_leader_is_compared_by_paired_resamples() -> None:
    """Spanish and Italian vary together, so that a small lead is certain; German varies by itself, so that a large one is not."""
    found = leader(values([1.0, 0.0, 2.0], [0.9, -0.1, 1.9], [0.1, 4.0, -4.0]), CODES)
    assert (found["language"], found["runner_up"], found["not_distinguished"]) == ("es", "it", ["de"])
    assert found["lead"] == {"value": 0.1, "low": 0.1, "high": 0.1}
    assert found["share_first"] == 0.5


def test_a_level_has_its_order_and_ranks() -> None:
    level = describe_level("acoustic", "a cosine", False, values([0.5, 0.5, 0.5], [0.9, 0.9, 0.9], [0.5, 0.5, 0.5]), CODES)
    assert level["order"] == ["it", "es", "de"]
    assert {code: value["rank"] for code, value in level["values"].items()} == {"es": 2.5, "it": 1.0, "de": 2.5}
    assert level["not_distinguished"] == []


@pytest.mark.parametrize(("w", "second", "close", "words"), [
    (0.9, "es", [], "The 2 levels agree closely on the order (Kendall's W 0.90): each puts Spanish first."),
    (0.6, "it", [], "The 2 levels agree in part on the order (Kendall's W 0.60): the first is Spanish on the lexical level, "
                    "Italian on the acoustic level."),
    (0.2, "it", ["es"], "The 2 levels agree hardly on the order (Kendall's W 0.20): the first is Spanish on the lexical level, "
                        "Italian on the acoustic level. No level separates Spanish and Italian from its first."),
])
def test_agreement_is_told_in_words(w: float, second: str, close: list[str], words: str) -> None:
    levels = [{"level": "lexical", "language": "es", "order": CODES, "not_distinguished": ["it"] if close else []},
              {"level": "acoustic", "language": second, "order": CODES, "not_distinguished": close}]
    assert agreement_in_words(levels, w, NAMES) == words


@pytest.mark.parametrize(("close", "take", "sure"), [
    ([], "Take Spanish, unless another language has a much better checkpoint.",
     "By words it leads every other candidate by more than the interval (Spanish is first in 60% of the resamples)."),
    (["it"], "Take Spanish or Italian, whichever has the better checkpoint.",
     "By words these 2 are not separated (Spanish is first in 60% of the resamples). German is farther from Portuguese by more than the interval."),
    (["it", "de"], "The ranking does not decide: take the language with the best checkpoint.",
     "By words none of the 3 candidates is separated from the first (Spanish is first in 60% of the resamples)."),
])
def test_advice_names_every_candidate_that_the_ranking_does_not_separate(close: list[str], take: str, sure: str) -> None:
    found = advise({"language": "es", "not_distinguished": close, "share_first": 0.6}, CODES, NAMES, "Portuguese", "words", recorded=False)
    assert (found["take"], found["sure"], found["donor"], found["alternatives"]) == (take, sure, "es", close)
    assert "rank --audio" in "\n".join(advice_lines(found))
    assert "rank --audio" not in "\n".join(advice_lines(advise(
        {"language": "es", "not_distinguished": close, "share_first": 0.6}, CODES, NAMES, "Portuguese", "speech", recorded=True)))


def test_words_are_joined_as_in_a_sentence() -> None:
    assert [join_words(list("abc")[:number]) for number in range(4)] == ["", "a", "a and b", "a, b and c"]
