from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from pipeline.core.errors import DataError
from pipeline.reporting.curves import Point, answers, curve_from, steps_saved
from tests.reporting.results import curve


def test_steps_saved_are_those_of_the_first_evaluation_that_reaches_the_error() -> None:
    transfer = curve("transfer", (50, 0.5), (100, 0.3), (150, 0.32), (200, 0.1))
    scratch = curve("scratch", (50, 1.0), (100, 0.9), (150, 0.5), (200, 0.4))
    assert steps_saved(transfer, scratch) == (transfer.points[1], scratch.points[3])
    found = answers(transfer, scratch, None, None)
    assert "at step 100 instead of 200 (10 instead of 20 minutes of audio processed" in found[2].answer


def test_a_transfer_that_never_reaches_the_error_saves_no_steps() -> None:
    found = answers(curve("transfer", (50, 0.9)), curve("scratch", (50, 0.4)), None, None)
    assert "no steps are saved" in found[2].answer
    assert "125 % more errors" in found[0].answer.replace("\N{NO-BREAK SPACE}", " ")


def test_equal_total_steps_count_those_of_the_donor() -> None:
    transfer, scratch = curve("transfer", (100, 0.3), (200, 0.2), (400, 0.1)), curve("scratch", (400, 0.4))
    found = answers(transfer, scratch, curve("scratch_long", (400, 0.5), (800, 0.3), (1200, 0.12)), 900)[1]
    assert found.measured
    assert (
        "Within 1 200 steps, dev CER is 20.0 % with transfer (900 Spanish + 200 Portuguese) and 12.0 % with scratch_long (1 200 Portuguese)"
        in (found.answer.replace("\N{NO-BREAK SPACE}", " "))
    )
    assert found.caveat == "transfer is evaluated in the middle of its learning-rate schedule, which is a disadvantage."


@pytest.mark.parametrize(("donor_steps", "with_longer"), [(1150, True), (None, True), (900, False)])
def test_equal_total_steps_that_no_training_reached_are_reported_as_not_measured(donor_steps: int | None, with_longer: bool) -> None:
    transfer, scratch = curve("transfer", (100, 0.3), (400, 0.1)), curve("scratch", (400, 0.4))
    longer = curve("scratch_long", (400, 0.5), (1200, 0.12)) if with_longer else None
    found = answers(transfer, scratch, longer, donor_steps)[1]
    assert not found.measured
    assert found.answer.startswith("Not measured: ")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"step": [1]}, "columns missing: dev_cer"),
        ({"step": [1], "dev_cer": [None]}, "no step has a dev_cer"),
        ({"step": [1], "dev_cer": ["low"]}, "not a number"),
    ],
)
def test_a_history_without_an_evaluation_is_refused(table: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=f"h.csv: {message}"):
        curve_from(pd.DataFrame(table), "transfer", "h.csv")


def test_a_curve_has_the_evaluated_steps_in_ascending_order_and_the_last_step_of_all() -> None:
    history = pd.DataFrame({"step": [300, 100, 200], "dev_cer": [None, 0.5, 0.25], "audio_s": [30.0, 10.0, None]})
    found = curve_from(history, "transfer", "h.csv")
    assert found.points == (Point(100, 0.5, 10.0), Point(200, 0.25, None))
    assert found.last.step == 200
    assert found.steps == 300
    assert found.at(199) == found.points[0]
    assert found.at(99) is None
