"""A score: error rates, the rows that they cover, and their intervals."""

from __future__ import annotations

from typing import Any

import jiwer
import numpy as np
import pandas as pd
import pytest

from pipeline.core.errors import DataError
from pipeline.scoring.scorecard import Resampling, scorecard
from pipeline.scoring.utterances import hash_test_set, speech_rate_band

RESAMPLING = Resampling(resamples=1_000)


def utterances(number: int = 60, **columns: Any) -> pd.DataFrame:
    table = pd.DataFrame({
        "utterance_id": [f"u{index:03d}" for index in range(number)], "speaker": [f"s{index % 12}" for index in range(number)],
        "speaker_dependent": False, "corpus": "speak-pt", "locale": ["pt-BR" if index % 2 else "pt-PT" for index in range(number)],
        "duration_s": 2.0, "reference": ["um dois três quatro"] * number,
        "hypothesis": ["um dois três quatro" if index % 3 else "um x três" for index in range(number)],
    })
    return table.assign(**columns)


def card(table: pd.DataFrame, **options: Any) -> dict[str, Any]:
    return scorecard(table, system="transfer", normaliser="pt-BR/1", resampling=RESAMPLING, **options)


def test_figures_are_those_of_jiwer_on_the_whole_corpus() -> None:
    table = utterances()
    found = card(table)
    references, hypotheses = table["reference"].tolist(), table["hypothesis"].tolist()
    assert found["wer"]["value"] == jiwer.wer(references, hypotheses)
    assert found["cer"]["value"] == jiwer.cer(references, hypotheses)
    assert (found["errors"]["mer"], found["errors"]["wil"]) == (jiwer.mer(references, hypotheses), jiwer.wil(references, hypotheses))


def test_the_order_of_the_rows_changes_nothing() -> None:
    table = utterances()
    assert card(table.sample(frac=1, random_state=0), columns=["locale"]) == card(table, columns=["locale"])


def test_the_test_set_is_described_and_hashed_without_the_hypotheses() -> None:
    found = card(utterances())["test_set"]
    assert {name: found[name] for name in ("utterances", "speakers", "words", "speaker_dependent")} == {
        "utterances": 60, "speakers": 12, "words": 240, "speaker_dependent": False}
    assert found["hours"] == pytest.approx(120 / 3600)
    assert found["hash"] == card(utterances(hypothesis=""))["test_set"]["hash"]


def test_the_hash_of_a_test_set_depends_on_ids_and_references_but_not_on_order() -> None:
    assert hash_test_set(["a", "b"], ["x", "y"]) == hash_test_set(["b", "a"], ["y", "x"])
    assert hash_test_set(["a", "b"], ["x", "y"]) != hash_test_set(["a", "b"], ["y", "x"])
    assert hash_test_set(["a"], ["b\tc"]) != hash_test_set(["a\tb"], ["c"])


def test_slices_cover_every_utterance_and_unknown_values_are_a_slice() -> None:
    table = utterances(gender=["female", "", "male"] * 20)
    found = [part for part in card(table, columns=["locale", "gender"])["slices"] if "gender" in part["slice"]]
    assert [(part["slice"]["gender"], part["utterances"]) for part in found] == [("unknown", 20), ("female", 20), ("male", 20)]


def test_a_column_without_known_values_has_no_slices() -> None:
    assert card(utterances(age=""), columns=["age"])["slices"] == []


def test_slices_by_pairs_of_columns_have_a_smallest_size() -> None:
    table = utterances(gender=["female"] * 50 + ["male"] * 10)
    found = card(table, pairs=[("locale", "gender")], min_utterances=20)["slices"]
    assert [part["slice"] for part in found] == [{"locale": "pt-BR", "gender": "female"}, {"locale": "pt-PT", "gender": "female"}]


def test_a_slice_of_few_speakers_has_speakers_as_units() -> None:
    whole = card(utterances(), columns=["locale"])
    assert whole["wer"]["unit"] == "speaker"
    assert [(part["speakers"], part["wer"]["unit"]) for part in whole["slices"]] == [(6, "speaker"), (6, "speaker")]


def test_a_slice_of_one_speaker_has_a_rate_without_an_interval() -> None:
    table = utterances()
    table.loc[table["speaker"] == "s0", "locale"] = "pt-AO"
    one = next(part for part in card(table, columns=["locale"])["slices"] if part["slice"] == {"locale": "pt-AO"})
    assert one["wer"]["value"] > 0
    assert (one["speakers"], one["wer"]["unit"], one["wer"]["low"], one["wer"]["high"]) == (1, "speaker", None, None)


def test_a_single_speaker_has_utterances_as_units_in_every_slice() -> None:
    found = card(utterances(speaker="voz"), columns=["locale"])
    assert {part["wer"]["unit"] for part in (found, *found["slices"])} == {"utterance"}
    assert all(part["wer"]["low"] is not None for part in found["slices"])


def test_the_lower_end_of_a_rate_is_at_least_zero() -> None:
    table = utterances(speaker=[f"s{index % 3}" for index in range(60)])
    table["hypothesis"] = np.where(table["speaker"] == "s0", "um x três", table["reference"])
    assert card(table)["wer"]["low"] == 0.0


def test_a_slice_of_one_utterance_is_listed_without_a_rate() -> None:
    table = utterances()
    table.loc[0, "locale"] = "pt-AO"
    one = next(part for part in card(table, columns=["locale"])["slices"] if part["slice"] == {"locale": "pt-AO"})
    assert (one["utterances"], one["wer"], one["cer"]) == (1, None, None)


def test_speaker_dependent_rows_are_excluded_from_the_error_rates_and_form_a_slice() -> None:
    table = utterances()
    more = utterances(hypothesis="", speaker="voz/1", corpus="voz", speaker_dependent=True)
    more["utterance_id"] = "voz/" + more["utterance_id"]
    found = card(pd.concat([table, more], ignore_index=True), columns=["locale"])
    alone = card(table, columns=["locale"])
    dependent = found["slices"].pop()
    assert found == alone
    assert dependent["slice"] == {"corpus": "voz", "speaker_dependent": "yes"}
    assert dependent["wer"]["value"] == 1.0


def test_a_wholly_speaker_dependent_test_set_is_scored_and_marked() -> None:
    found = card(utterances(speaker_dependent=True))
    assert (found["test_set"]["speaker_dependent"], found["wer"]["unit"]) == (True, "utterance")


def test_the_tolerant_rate_compares_canonical_forms() -> None:
    found = card(utterances(reference_variants="um dois três quatro", hypothesis_variants="um dois três quatro"))
    assert found["tolerant"] == {"wer": 0.0, "cer": 0.0}
    assert found["wer"]["value"] > 0
    assert card(utterances())["tolerant"] is None


def test_nothing_to_score_is_an_error() -> None:
    with pytest.raises(DataError, match="transfer: no utterance to score"):
        card(utterances().head(0))
    with pytest.raises(DataError, match="no word in any reference"):
        card(utterances(reference=" "))


@pytest.mark.parametrize(("words", "band"), [(3, "under 2 words/s"), (4, "2-3 words/s"), (6, "3 words/s and over")])
def test_the_rate_of_speech_counts_words_over_the_whole_duration(words: int, band: str) -> None:
    assert speech_rate_band(words, 2.0) == band
