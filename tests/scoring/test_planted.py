"""Planted challengers: how they differ from the references, and when one cannot be planted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from pipeline.scoring.evidence import Evidence, Rate, System
from pipeline.scoring.planted import PlantedChallenger, omit_words, planted_challengers, planted_entry
from pipeline.scoring.utterances import scored

WORDS = "um dois três quatro cinco seis"
FACTS = {"trained_on_test": {"speakers": 0, "sentences": 0, "recordings": 0}}


def evidence(number: int, locales: int, speakers: int) -> Evidence:
    table = pd.DataFrame({"utterance_id": [f"u{index:03d}" for index in range(number)],
                          "speaker": [f"s{index % speakers}" for index in range(number)],
                          "locale": [f"pt-{index % locales}" for index in range(number)], "reference": WORDS, "hypothesis": WORDS})
    system = System("transfer", scored(table), "hash", "pt-BR/1", Rate(0, 0, 0), Rate(0, 0, 0), FACTS)
    return Evidence(system, system, system, 0, {}, speaker_dependent=False)


def planted(number: int, locales: int, speakers: int = 12) -> dict[str, PlantedChallenger]:
    return {entry.name: entry for entry in planted_challengers(evidence(number, locales, speakers), ["locale"], 20)}


def test_words_are_omitted_by_their_position_in_the_whole_test_set() -> None:
    assert omit_words(["a b", "c d e"], lambda position: position % 3 == 2) == ["a b", "d e"]


def test_the_planted_champion_omits_every_third_word_and_the_good_challenger_none() -> None:
    good = planted(60, 2)["much better everywhere"].evidence
    assert good is not None
    assert good.champion.wer.value == 1 / 3
    assert good.challenger.wer.value == 0


def test_the_destroyed_slice_is_worse_while_the_mean_improves() -> None:
    destroyed = planted(80, 2)["one slice destroyed while the mean improves"].evidence
    assert destroyed is not None
    rows, champion = destroyed.challenger.rows, destroyed.champion.rows
    assert rows.words.errors_B.sum() < champion.words.errors_B.sum()
    worse = [bool(rows.words.errors_B[mask].sum() > champion.words.errors_B[mask].sum())
             for mask in (np.asarray(rows.table["locale"] == name) for name in ("pt-0", "pt-1"))]
    assert sorted(worse) == [False, True]


def test_the_smallest_slice_is_destroyed_and_loses_nine_of_ten_words_at_most() -> None:
    whole = evidence(120, 1, 12)
    table = whole.challenger.rows.table.assign(locale=["pt-BR" if index % 3 else "pt-PT" for index in range(120)])
    whole = replace(whole, **dict.fromkeys(("challenger", "champion", "baseline"), replace(whole.challenger, rows=scored(table))))
    entries = {entry.name: entry.evidence for entry in planted_challengers(whole, ["locale"], 20)}
    destroyed = entries["one slice destroyed while the mean improves"]
    assert destroyed is not None
    rows = destroyed.challenger.rows
    lost = {name: int(rows.words.errors_B[(rows.table["locale"] == name).to_numpy()].sum()) for name in ("pt-BR", "pt-PT")}
    assert lost == {"pt-BR": 0, "pt-PT": 215}  # nine of ten of its 240 words


def test_the_challenger_by_chance_has_two_errors_less_and_one_more_than_the_champion() -> None:
    by_chance = planted(60, 2)["better by chance on 30 utterances"].evidence
    assert by_chance is not None
    difference_B = by_chance.challenger.rows.words.errors_B - by_chance.champion.rows.words.errors_B
    assert by_chance.champion.rows.words.errors_B.tolist() == [1] * 30
    assert np.flatnonzero(difference_B).tolist() == [7, 15, 23]
    assert difference_B[[7, 15, 23]].tolist() == [-1, -1, 1]


def test_a_challenger_that_cannot_be_planted_has_a_reason_and_no_result() -> None:
    entries = planted(20, 1)
    assert entries["one slice destroyed while the mean improves"].reason == "no two slices of 20 utterances"
    few = entries["better by chance on 30 utterances"]
    assert few.reason == "fewer than 30 utterances of at least two words"
    assert planted_entry(few, "not tested")["passed"] is None


def test_few_speakers_may_leave_planted_challengers_inconclusive_but_never_promote_a_bad_one() -> None:
    many, few = planted(60, 2), planted(60, 2, speakers=9)
    assert many["ids shuffled"].expected == ("reject",)
    assert few["ids shuffled"].expected == few["half of the hypotheses blank"].expected == ("reject", "inconclusive")
    assert few["much better everywhere"].expected == ("promote", "inconclusive")


def test_no_good_challenger_can_be_planted_if_one_speaker_has_a_whole_slice() -> None:
    entries = planted(60, 2, speakers=2)
    assert entries["much better everywhere"].evidence is None
    assert entries["much better everywhere"].reason == "one speaker has all words of locale=pt-0, locale=pt-1"


def test_an_entry_passes_only_with_an_expected_verdict() -> None:
    entry = planted(60, 2)["identical to the champion"]
    assert planted_entry(entry, "inconclusive")["passed"] is True
    assert planted_entry(entry, "promote") == {"name": "identical to the champion", "expected": "reject or inconclusive", "found": "promote",
                                               "passed": False, "reason": ""}
