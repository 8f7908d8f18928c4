"""A comparison is paired, corrected for many slices, and refuses systems that are not comparable."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.core.errors import NotComparableError
from pipeline.scoring.comparison import compare
from pipeline.scoring.scorecard import Resampling
from pipeline.scoring.utterances import Scored, scored

RESAMPLING = Resampling(resamples=2_000)


def system(wrong: float, seed: int, number: int = 240, **columns: Any) -> Scored:
    """Return a system with errors in a share of the words."""
    words = np.random.default_rng(0).integers(0, 500, size=(number, 8))
    generator = np.random.default_rng(seed)
    references = [" ".join(f"w{word}" for word in row) for row in words]
    hypotheses = [" ".join("x" if generator.random() < wrong else f"w{word}" for word in row) for row in words]
    table = pd.DataFrame({
        "utterance_id": [f"u{index:04d}" for index in range(number)], "speaker": [f"s{index % 24}" for index in range(number)],
        "locale": ["pt-BR" if index % 2 else "pt-PT" for index in range(number)], "reference": references, "hypothesis": hypotheses,
    })
    return scored(table.assign(**columns))


def compared(champion: Scored, challenger: Scored, **options: Any) -> dict[str, Any]:
    return compare(champion, challenger, names=("champion", "transfer"), resampling=RESAMPLING, **options)


def test_a_negative_difference_is_a_better_challenger() -> None:
    found = compared(system(0.3, 1), system(0.2, 2))
    difference = found["wer"]["difference"]
    assert difference["value"] == pytest.approx(found["wer"]["challenger"] - found["wer"]["champion"], abs=1e-12)
    assert difference["low"] < difference["value"] < difference["high"] < 0
    assert found["wer"]["p_bootstrap"] < 0.01
    assert found["wer"]["p_mapsswe"] < 0.01


def test_changing_sides_changes_the_sign() -> None:
    there, back = compared(system(0.3, 1), system(0.2, 2))["wer"], compared(system(0.2, 2), system(0.3, 1))["wer"]
    assert there["difference"]["value"] == -back["difference"]["value"]
    assert there["p_mapsswe"] == back["p_mapsswe"]
    assert there["difference"]["low"] == pytest.approx(-back["difference"]["high"], abs=0.004)


def test_a_system_against_itself_shows_no_difference() -> None:
    found = compared(system(0.3, 1), system(0.3, 1))["wer"]
    assert found["difference"] == {"value": 0.0, "low": 0.0, "high": 0.0}
    assert (found["p_bootstrap"], found["p_mapsswe"]) == (1.0, 1.0)


def test_a_paired_interval_detects_a_difference_smaller_than_the_unpaired_intervals() -> None:
    """The challenger is correct on every tenth utterance, and else equal to the champion."""
    champion = system(0.3, 1)
    table = champion.table.copy()
    table.loc[::10, "hypothesis"] = table.loc[::10, "reference"]
    found = compared(champion, scored(table))
    assert found["wer"]["difference"]["high"] < 0
    assert abs(found["wer"]["difference"]["value"]) < 0.05


def test_p_values_of_slices_are_corrected_for_their_number() -> None:
    found = compared(system(0.3, 1), system(0.27, 2), slice_columns=[["locale"]])["slices"]
    assert [part["slice"] for part in found] == [{"locale": "pt-BR"}, {"locale": "pt-PT"}]
    p_values = sorted(part["wer"]["p_bootstrap"] for part in found)
    assert min(part["wer"]["p_holm"] for part in found) == pytest.approx(min(1.0, 2 * p_values[0]))


def test_slices_under_the_smallest_size_are_left_out() -> None:
    assert compared(system(0.3, 1), system(0.2, 2), slice_columns=[["locale"]], min_utterances=121)["slices"] == []


def test_speakers_are_the_units_of_slices_however_few() -> None:
    speakers = [f"s{index % 6}" for index in range(240)]
    found = compared(system(0.3, 1, speaker=speakers), system(0.2, 2, speaker=speakers), slice_columns=[["locale"]])
    assert (found["unit"], found["units"], {part["unit"] for part in found["slices"]}) == ("speaker", 6, {"speaker"})


def test_a_slice_of_one_speaker_has_rates_and_no_interval() -> None:
    speakers = ["one" if index % 2 else f"s{index % 24}" for index in range(240)]
    one = compared(system(0.3, 1, speaker=speakers), system(0.2, 2, speaker=speakers), slice_columns=[["locale"]])["slices"][0]
    assert (one["slice"], one["unit"]) == ({"locale": "pt-BR"}, "speaker")
    assert one["wer"]["difference"]["value"] < 0
    assert (one["wer"]["difference"]["low"], one["wer"]["difference"]["high"], one["wer"]["p_bootstrap"]) == (None, None, None)


def test_utterances_are_the_units_of_a_single_speaker_and_of_a_speaker_dependent_test_set() -> None:
    assert compared(system(0.3, 1, speaker="voz"), system(0.2, 2, speaker="voz"))["unit"] == "utterance"
    assert compared(system(0.3, 1), system(0.2, 2), speaker_dependent=True)["unit"] == "utterance"


def test_different_utterances_or_references_are_not_comparable() -> None:
    champion = system(0.3, 1)
    with pytest.raises(NotComparableError, match="different utterances"):
        compared(champion, system(0.3, 1, number=239))
    table = champion.table.copy()
    table.loc[5, "reference"] = "outra"
    with pytest.raises(NotComparableError, match="different references, first u0005"):
        compared(champion, scored(table))
