"""The reasons to retrain."""

from __future__ import annotations

from dataclasses import replace

from flows.drift import Drift
from flows.watch import NewData, reasons_against, reasons_for


def test_each_threshold_is_a_reason_and_below_all_of_them_the_flow_reports_why_not() -> None:
    found = NewData("retrain/2026-11-01-x", 10, 0.1, 3.0, ())
    assert reasons_for(found, 11, 0.2, None) == []
    assert reasons_against(found, 11, 0.2, None) == (
        "10 new utterances (threshold 11), 0.10 hours (threshold 0.2), 3 days since the last run; too few new utterances to measure drift")
    assert reasons_for(found, 10, 0.2, None) == ["10 new utterances (threshold 10)"]
    assert reasons_for(found, 11, 0.1, None) == ["0.10 hours of new speech (threshold 0.1)"]
    assert reasons_for(found, 11, 0.2, 3.0) == ["3 days since the last run (threshold 3)"]
    assert reasons_for(replace(found, age_days=1.2), 11, 0.2, 1.0) == ["1 day since the last run (threshold 1)"]
    assert reasons_for(replace(found, drifts=(Drift("length", 0.3, 0.2),)), 11, 0.2, None) == ["drift: length 0.30 (bound 0.2)"]
