"""Robustness: the sample in degraded conditions is compared with the same sample on clean audio."""

from __future__ import annotations

import pandas as pd
import pytest

from pipeline.core.errors import DataError
from pipeline.scoring.robustness import in_conditions, robustness
from pipeline.scoring.scorecard import Resampling
from pipeline.scoring.utterances import Scored, scored

RESAMPLING = Resampling(resamples=1_000)


def rows(entries: list[list[dict[str, str]]]) -> Scored:
    number = len(entries)
    return scored(pd.DataFrame({"utterance_id": [f"u{index}" for index in range(number)], "speaker": "", "reference": "a casa azul",
                                "hypothesis": "a casa azul", "robustness": entries}))


def test_only_utterances_with_conditions_form_the_sample() -> None:
    clean, degraded = in_conditions(rows([[{"condition": "mp3", "hypothesis": "a casa"}], [], [{"condition": "mp3", "hypothesis": "a"}]]))
    assert clean.table["utterance_id"].tolist() == ["u0", "u2"]
    assert degraded["mp3"].words.errors_B.tolist() == [1, 2]


def test_a_repeated_condition_is_refused() -> None:
    entry = {"condition": "mp3", "hypothesis": "a"}
    with pytest.raises(DataError, match="robustness of u0: 2 hypotheses in mp3; expected one in each of mp3"):
        in_conditions(rows([[entry, entry]]))


def test_without_conditions_there_is_no_robustness() -> None:
    assert robustness(rows([[], []]), None, RESAMPLING) is None


def test_the_change_is_that_of_the_condition_against_clean_audio() -> None:
    found = robustness(rows([[{"condition": "mp3", "hypothesis": "a casa"}]] * 3), {"mp3": {"codec": "mp3"}}, RESAMPLING)
    assert found is not None
    assert (found["wer"]["value"], found["conditions"][0]["wer_change"]["value"]) == (0.0, 1 / 3)
