"""The champion's error rates on new test data."""

from __future__ import annotations

from typing import Any

import pytest

from flows.evaluate import RELEASE, as_test, compare, stages_to_score
from flows.graph import Graph, parse
from pipeline.core.errors import DataError


def card(value: float, low: float, high: float, corpus: str = "speak-pt", utterances: int = 100) -> dict[str, Any]:
    wer = {"value": value, "low": low, "high": high}
    return {"wer_served": wer, "test_set": {"utterances": utterances},
            "slices": [{"slice": {"corpus": corpus}, "utterances": utterances, "wer_served": wer}]}


def test_a_regression_is_an_interval_above_the_known_rate_plus_a_margin() -> None:
    known = card(0.30, 0.28, 0.32)
    assert [row.is_regression(0.02) for row in compare(known, card(0.35, 0.31, 0.39), 50, None)] == [False, False]
    worse = compare(known, card(0.40, 0.33, 0.45), 50, None)
    assert [(row.where, row.is_regression(0.02)) for row in worse] == [("all", True), ("corpus=speak-pt", True)]
    assert len(compare(known, card(0.40, 0.33, 0.45), 101, None)) == 1
    assert [row.where for row in compare(known, card(0.4, 0.3, 0.5, RELEASE), 50, RELEASE)] == [RELEASE]
    with pytest.raises(DataError, match="none of its utterances"):
        compare(known, card(0.4, 0.3, 0.5), 50, RELEASE)


def test_every_row_of_a_release_becomes_test_data() -> None:
    assert as_test("path\tsplit\ttext\na.wav\ttrain\tolá\n") == "path\ttext\tsplit\na.wav\tolá\ttest\n"
    with pytest.raises(DataError, match="no rows"):
        as_test("path\ttext\n")


def test_only_the_champions_stages_run_whatever_systems_are_trained() -> None:
    dot = """
"donor" -> "train@mine";
"donor" -> "transcribe_existing@champion";
"split@portuguese" -> "transcribe_existing@champion";
"train@mine" -> "transcribe@mine";
"transcribe@mine" -> "score@mine";
"transcribe_existing@champion" -> "score_existing@champion";
"""
    assert stages_to_score(Graph(parse(dot), {})) == {"split@portuguese", "transcribe_existing@champion", "score_existing@champion"}
