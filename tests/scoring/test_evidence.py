"""Evidence: systems are comparable, or the check raises an error."""

from __future__ import annotations

import math
from dataclasses import replace

import pandas as pd
import pytest

from pipeline.core.errors import DataError, LeakageError, NotComparableError
from pipeline.scoring.evidence import Evidence, Rate, System, check, overlap_with_training, rescored
from pipeline.scoring.scorecard import Resampling
from pipeline.scoring.utterances import scored

TABLE = pd.DataFrame({"utterance_id": [f"u{index}" for index in range(4)], "speaker": "", "reference": "um dois", "hypothesis": "um"})
FACTS = {"trained_on_test": {"speakers": 2, "sentences": 0, "recordings": 0}}
SYSTEM = rescored(System("transfer", scored(TABLE), "", "pt-BR/1", Rate(0, 0, 0), Rate(0, 0, 0), FACTS), scored(TABLE), Resampling(resamples=1_000))
EVIDENCE = Evidence(SYSTEM, replace(SYSTEM, name="champion"), replace(SYSTEM, name="scratch"), 0, {}, speaker_dependent=True)


def test_comparable_systems_pass() -> None:
    check(EVIDENCE, certificate=True, trained_on=True)


@pytest.mark.parametrize(("champion", "error", "message"), [
    (replace(SYSTEM, wer=Rate(math.nan, 0, 1)), DataError, "wer is nan"), (replace(SYSTEM, wer=Rate(0.4, 0, 1)), DataError, "wer 0.4; expected 0.5"),
    (replace(SYSTEM, test_set="0" * 64), NotComparableError, "test set 000000000000"),
    (replace(SYSTEM, normaliser="pt-BR/2"), NotComparableError, "normaliser pt-BR/2"),
])
def test_broken_or_incomparable_evidence_is_an_error(champion: System, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        check(replace(EVIDENCE, champion=champion), certificate=True, trained_on=True)


def test_leaks_are_errors_only_if_their_checks_are_enabled() -> None:
    leaked = replace(EVIDENCE, leaked=1, speaker_dependent=False)
    check(leaked, certificate=False, trained_on=False)
    with pytest.raises(LeakageError, match="1 items shared"):
        check(leaked, certificate=True, trained_on=False)
    with pytest.raises(LeakageError, match="training data of transfer: 2 speakers of the test set"):
        check(leaked, certificate=False, trained_on=True)


def test_shared_speakers_do_not_count_on_a_speaker_dependent_test_set() -> None:
    assert overlap_with_training(SYSTEM, speaker_dependent=True) == {"sentences": 0, "recordings": 0}
    assert overlap_with_training(SYSTEM, speaker_dependent=False)["speakers"] == 2


def test_a_rate_without_an_interval_has_no_finite_bounds() -> None:
    found = SYSTEM.subset((TABLE["utterance_id"] == "u0").to_numpy(), Resampling(resamples=1_000))
    assert found.wer.value == 0.5 and math.isnan(found.wer.low) and math.isnan(found.wer.high)
    with pytest.raises(DataError, match="score of transfer: wer is 0.5"):
        check(replace(EVIDENCE, challenger=found), certificate=True, trained_on=True)
