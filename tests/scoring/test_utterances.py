"""The rows that are scored: speaker-independent rows, slices, speech rate."""

from __future__ import annotations

import pandas as pd
import pytest

from pipeline.core.errors import DataError
from pipeline.scoring.utterances import scored, slices, speaker_independent, units_in

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
