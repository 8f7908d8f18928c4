"""Hypotheses are those of the test split, and scores those of the hypotheses, within the last digits."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.core.errors import DataError
from pipeline.core.files import write_json
from pipeline.scoring.binding import check_scores, check_stated, with_intervals
from pipeline.scoring.evidence import ConditionResult, Evidence, Rate, System
from pipeline.scoring.scorecard import Resampling, rate
from pipeline.scoring.utterances import Scored, scored, units_in

RESAMPLING = Resampling(0.9, 1_000, 3)


def rows(wrong: int) -> Scored:
    """Return an utterance per speaker, of 4, 5, 6 ... words, of which some are wrong in the first ones."""
    references = [" ".join(f"palavra{place}" for place in range(4 + index)) for index in range(12)]
    hypotheses = [" ".join("x" if index < wrong and place <= index % 4 else word for place, word in enumerate(text.split()))
                  for index, text in enumerate(references)]
    return scored(pd.DataFrame({"utterance_id": [f"u{index:02d}" for index in range(12)], "speaker": [f"s{index}" for index in range(12)],
                                "reference": references, "hypothesis": hypotheses}))


def system(name: str, wrong: int) -> System:
    """Return a system whose rates are stated wrongly, in one condition as well."""
    wrong_rate = Rate(0.5, 0.4, 0.6)
    return System(name, rows(wrong), "", "", wrong_rate, wrong_rate, {}, {"mp3": ConditionResult(rows(wrong + 3), wrong_rate)})


def entry(found: Scored, measure: str) -> dict[str, Any]:
    return rate(found.words if measure == "wer" else found.characters, units_in(found.table), RESAMPLING)


def score_of(found: System, ending: str = "") -> dict[str, Any]:
    """Return the score file of a system, with a condition besides those that it was transcribed in."""
    degraded = found.conditions["mp3"].rows
    return {f"wer{ending}": entry(found.rows, "wer"), f"cer{ending}": entry(found.rows, "cer"), "robustness": {"conditions": [
        {"condition": "mp3", f"wer{ending}": entry(degraded, "wer")}, {"condition": "noise", f"wer{ending}": None}]}}


CHANGES: list[tuple[Callable[[Any], Any], str | None]] = [
    (lambda score: None, None), (lambda score: score.update(robustness=None), None),
    *((lambda score, part=part, sign=sign: score["cer_served"].update({part: score["cer_served"][part] + sign * 0.9e-9}), None)
      for part in ("value", "low", "high") for sign in (1, -1)),
    *((lambda score, part=part, sign=sign: score["cer_served"].update({part: score["cer_served"][part] + sign * 1.1e-9}), message)
      for part, message in (("value", "score of a: cer_served 0"), ("low", "a.json: cer_served 0"), ("high", "a.json: cer_served 0"))
      for sign in (1, -1)),
    (lambda score: score["robustness"]["conditions"][0]["wer_served"].update(value=0.1), "wer_served 0.1 in mp3"),
    (lambda score: score["robustness"]["conditions"][0]["wer_served"].update(high=0.1), "wer_served in mp3 0.* to 0.1 instead of"),
    (lambda score: score["wer_served"].update(resamples=1_001), "wer_served 0"),
    (lambda score: score["wer_served"].update(level=0.91), "wer_served 0"),
]


@pytest.mark.parametrize(("change", "message"), CHANGES)
def test_a_score_states_the_rates_and_intervals_of_its_hypotheses(change: Callable[[Any], Any], message: str | None) -> None:
    score = score_of(system("a", 5), "_served")
    change(score)
    if message is None:
        check_stated(system("a", 5), score, "_served", RESAMPLING.seed, "a.json")
    else:
        with pytest.raises(DataError, match=message):
            check_stated(system("a", 5), score, "_served", RESAMPLING.seed, "a.json")
        with pytest.raises(DataError):
            check_stated(system("a", 5), score_of(system("a", 5), "_served"), "_served", RESAMPLING.seed + 1, "a.json")


SYSTEMS = [system(name, wrong) for wrong, name in enumerate("abcd", 4)]
EVIDENCE = Evidence(*SYSTEMS[:3], 0, {}, False, shown=(SYSTEMS[3],))


def test_every_rate_of_the_evidence_is_computed_from_its_hypotheses() -> None:
    greedy = tuple(replace(found, rows=rows(1)) for found in SYSTEMS)
    found = with_intervals(replace(EVIDENCE, greedy=greedy), RESAMPLING)
    for made, given in zip((*found.all_systems, *found.greedy), (*SYSTEMS, *greedy), strict=True):
        for stated, expected in ((made.wer, entry(given.rows, "wer")), (made.cer, entry(given.rows, "cer")),
                                 (made.conditions["mp3"].wer, entry(given.conditions["mp3"].rows, "wer"))):
            assert (stated.value, stated.low, stated.high) == (expected["value"], expected["low"], expected["high"])


def test_a_rate_without_an_interval_is_not_finite() -> None:
    single = system("a", 2)
    single = replace(single, rows=single.rows.of(np.arange(12) == 0))
    found = with_intervals(replace(EVIDENCE, challenger=single), RESAMPLING).challenger.wer
    assert found.value == 0.25 and np.isnan([found.low, found.high]).all()


@pytest.mark.parametrize(("broken", "ending", "greedy"), [
    (None, "", False), *((name, "", False) for name in "abcd"), (None, "", True), *((name, "", True) for name in "abcd"),
    *((name, "_served", True) for name in "abcd")])
def test_the_score_files_of_all_systems_are_checked(tmp_path: Path, broken: str | None, ending: str, greedy: bool) -> None:
    for found in SYSTEMS:
        score = score_of(found)
        if greedy:
            score = {**score, **score_of(found, "_served"), "robustness": None}
        if found.name == broken:
            score = copy.deepcopy(score)
            score[f"wer{ending}"]["high"] += 0.01
        write_json(tmp_path / f"data/score/{found.name}.json", score)
    evidence = replace(EVIDENCE, greedy=tuple(SYSTEMS) if greedy else ())
    if broken:
        with pytest.raises(DataError, match=rf"score/{broken}\.json: wer{ending} 0"):
            check_scores(tmp_path, evidence, RESAMPLING.seed)
    else:
        check_scores(tmp_path, evidence, RESAMPLING.seed)
