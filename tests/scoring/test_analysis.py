"""Error analysis: the lists agree with hand-made errors."""

from __future__ import annotations

import pandas as pd
import pytest

from pipeline.scoring.analysis import analysis, calibration, word_calibration
from pipeline.scoring.utterances import Scored, scored


def rows(*pairs: tuple[str, str], confidence: list[float] | None = None) -> Scored:
    table = pd.DataFrame({"utterance_id": [f"u{index}" for index in range(len(pairs))], "speaker": "",
                          "reference": [pair[0] for pair in pairs], "hypothesis": [pair[1] for pair in pairs]})
    return scored(table if confidence is None else table.assign(confidence=confidence))


def test_confusions_are_counted_and_the_most_frequent_come_first() -> None:
    found = analysis(rows(("a casa", "a caza"), ("a casa azul", "a caza"), ("o rio", "o rio frio")), examples=5)
    assert found["substitutions"] == [{"reference": "casa", "hypothesis": "caza", "count": 2}]
    assert found["deletions"] == [{"token": "azul", "count": 1}]
    assert found["insertions"] == [{"token": "frio", "count": 1}]


def test_character_confusions_are_grouped_by_accents_sibilants_and_digraphs() -> None:
    found = analysis(rows(("maçã casa", "maca caza"), ("filho", "finho"), ("ninho", "nino"), ("bota", "cota")), examples=9)["characters"]
    assert found["groups"] == {"accents": 2, "s/z": 1, "lh/nh": 1, "lh/l": 0, "nh/n": 1, "other": 1}
    assert {"reference": "ã", "hypothesis": "a", "count": 1} in found["substitutions"]
    assert {"reference": "lh", "hypothesis": "nh", "count": 1} in found["substitutions"]


def test_the_worst_utterances_come_first_and_correct_ones_are_not_listed() -> None:
    found = analysis(rows(("um dois", "um dois"), ("um dois", "x y"), ("", "a b c"), ("um dois", "um y")), examples=2)["worst"]
    assert [(entry["utterance_id"], entry["errors"], entry["words"]) for entry in found] == [("u2", 3, 0), ("u1", 2, 2)]


def test_a_confidence_equal_to_the_accuracy_has_no_calibration_error() -> None:
    calibrated = calibration(rows(("abcd", "abcd"), ("abcd", "abxx"), confidence=[1.0, 0.5]))
    assert calibrated is not None
    assert calibrated["ece"] == 0
    overconfident = calibration(rows(("abcd", "abcd"), ("abcd", "abxx"), confidence=[1.0, 1.0]))
    assert overconfident is not None
    assert overconfident["ece"] == pytest.approx(0.25)


def test_without_confidence_or_output_there_is_no_calibration() -> None:
    assert calibration(rows(("abc", "abc"))) is None
    assert calibration(rows(("abc", ""), confidence=[float("nan")])) is None


def test_the_confidence_of_a_word_is_compared_with_that_word() -> None:
    table = rows(("a casa azul", "a caza azul bela"), ("o rio", "")).table
    calibrated = word_calibration(scored(table.assign(word_confidence=[[1.0, 0.0, 1.0, 0.0], []])))
    assert calibrated == {"ece": 0.0, "bins": [{"low": 0.0, "high": 0.1, "words": 2, "confidence": 0.0, "accuracy": 0.0},
                                           {"low": 0.9, "high": 1.0, "words": 2, "confidence": 1.0, "accuracy": 1.0}]}
    overconfident = word_calibration(scored(table.assign(word_confidence=[[1.0, 1.0, 1.0, 1.0], []])))
    assert overconfident is not None and overconfident["ece"] == pytest.approx(0.5)
    assert word_calibration(rows(("a", "a"))) is None
    assert word_calibration(scored(table.assign(hypothesis="", word_confidence=[[], []]))) is None
