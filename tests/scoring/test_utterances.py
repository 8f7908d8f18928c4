"""The rows that are scored: speaker-independent rows, slices, speech rate."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from pipeline.core.errors import DataError
from pipeline.scoring.utterances import check_hypotheses, scored, serves_greedily, slices, speaker_independent, units_in

TABLE = pd.DataFrame({"utterance_id": ["b", "a", "c"], "speaker": ["s", "s", ""], "reference": ["um", "dois três", "um"],
                      "hypothesis": ["um", "dois", ""], "locale": ["pt-BR", "", "pt-BR"], "accent": "", "speaker_dependent": [False, True, False]})


def test_rows_are_sorted_by_utterance_id_with_their_counts() -> None:
    rows = scored(TABLE)
    assert rows.table["utterance_id"].tolist() == ["a", "b", "c"]
    assert rows.words.errors_B.tolist() == [1, 0, 1]


def test_selected_rows_keep_their_own_counts() -> None:
    rows = scored(TABLE)
    assert rows.of((rows.table["utterance_id"] != "b").to_numpy()).words.errors_B.tolist() == [1, 1]


def test_speaker_dependent_rows_are_excluded_unless_all_rows_are() -> None:
    mask, dependent = speaker_independent(TABLE)
    assert (mask.tolist(), dependent) == ([True, False, True], False)
    mask, dependent = speaker_independent(TABLE.assign(speaker_dependent=True))
    assert (mask.tolist(), dependent) == ([True, True, True], True)


def test_speakers_are_the_units_unless_all_rows_are_speaker_dependent() -> None:
    table = TABLE.assign(speaker=["s", "t", ""])
    assert units_in(table).name == units_in(table.drop(columns="speaker_dependent")).name == "speaker"
    assert units_in(table.assign(speaker_dependent=True)).name == "utterance"


def test_slices_are_sorted_and_an_unknown_value_is_a_slice() -> None:
    found = [(name, mask.tolist()) for name, mask in slices(TABLE, [["locale"], ["accent"]], 1)]
    assert found == [({"locale": "unknown"}, [False, True, False]), ({"locale": "pt-BR"}, [True, False, True])]
    assert [name for name, _ in slices(TABLE, [["locale"]], 2)] == [{"locale": "pt-BR"}]


def test_a_missing_column_is_refused() -> None:
    with pytest.raises(DataError, match="slices: no column dialect"):
        list(slices(TABLE, [["dialect"]], 1))


COMPLETE = pd.DataFrame({
    "utterance_id": ["a", "b"], "speaker": "s", "reference": "um", "reference_variants": "um", "normaliser": "pt-BR/1", "speaker_dependent": False,
    "duration_s": 1.0, "robustness": [[], []],
    **{f"{name}{ending}": value for ending in ("", "_served") for name, value in (
        ("hypothesis", ["um dois", ""]), ("confidence", [0.5, float("nan")]), ("word_confidence", [[0.0, 1.0], []]))}})


@pytest.mark.parametrize(("column", "values", "problem"), [
    ("utterance_id", ["a", "a"], "1 ids twice, first a"),
    ("speaker", ["s", None], "speaker missing in 1 rows, first b"),
    ("hypothesis_served", [None, ""], "hypothesis_served missing in 1 rows, first a"),
    ("confidence", [1.1, 0.5], r"confidence of 1 rows is not within 0\.\.1, first a"),
    ("confidence_served", [float("nan"), 0.5], r"confidence_served of 1 rows is not within 0\.\.1, first a"),
    ("word_confidence", [[0.5], []], r"1 rows lack one word_confidence within 0\.\.1 per word, first a"),
    ("word_confidence", [[0.5, 0.5], [0.5]], r"1 rows lack one word_confidence within 0\.\.1 per word, first b"),
    ("word_confidence_served", [[0.5, 1.5], []], r"1 rows lack one word_confidence_served within 0\.\.1 per word, first a"),
    ("word_confidence_served", [[-0.5, 0.5], []], r"1 rows lack one word_confidence_served within 0\.\.1 per word, first a"),
    ("duration_s", [1.0, 0.0], "duration of 1 rows is not above 0, first b"),
    ("duration_s", [float("nan"), 1.0], "duration of 1 rows is not above 0, first a"),
])
def test_an_incomplete_row_is_refused(column: str, values: list[Any], problem: str) -> None:
    check_hypotheses(COMPLETE, "here")
    with pytest.raises(DataError, match=f"^here: {problem};"):
        check_hypotheses(COMPLETE.assign(**{column: values}), "here")


def test_a_table_without_rows_is_refused() -> None:
    with pytest.raises(DataError, match="here: no utterance;"):
        check_hypotheses(COMPLETE.iloc[:0], "here")


@pytest.mark.parametrize(("column", "values"), [
    ("hypothesis_served", ["um", ""]), ("confidence_served", [0.4, float("nan")]), ("word_confidence_served", [[0.0, 0.9], []]),
    ("robustness", [[{"hypothesis": "um", "hypothesis_served": "dois"}], []])])
def test_a_system_serves_greedily_if_nothing_differs(column: str, values: list[Any]) -> None:
    assert serves_greedily(COMPLETE)
    assert not serves_greedily(COMPLETE.assign(**{column: values}))
