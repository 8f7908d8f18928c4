"""Exports, degraded audio and data reports in the verdict."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pipeline import gate
from pipeline.core.errors import DataError, MissingInputError, PipelineError
from pipeline.core.files import write_json
from pipeline.core.manifest import HYPOTHESIS, conform
from tests.exports import write_exports
from tests.gate_runs import (
    PARITY,
    ROBUST,
    SELF_TEST,
    SYSTEMS,
    add_conditions,
    change,
    rule,
    validate,
    verdict_on,
    write_policy,
    write_split,
    write_system,
)


def test_an_export_that_loses_too_much_is_not_shipped_and_the_verdict_does_not_depend_on_it(run: Path) -> None:
    write_exports(run, pd.read_parquet(run / "data/transcribe/transfer.parquet"), {"onnx": 0.0, "onnx-int8": 0.05})
    write_policy(run, PARITY | SELF_TEST)
    verdict = verdict_on(run)
    assert verdict["verdict"] == "promote"
    assert [(export["backend"], export["shipped"]) for export in verdict["exports"]] == [("onnx", True), ("onnx-int8", False)]
    assert verdict["exports"][1]["wer_difference"]["low"] > 0.005
    found = rule(verdict, "export_parity")
    assert (found["enabled"], found["passed"], found["value"], found["high"], found["limit"]) == (True, True, 0, 0, 0.005)
    assert "onnx is shipped: change in WER +0.00" in found["reason"] and "onnx-int8 is refused: change in WER +4" in found["reason"]
    planted = {entry["name"]: entry for entry in verdict["self_test"]["planted"]}
    assert planted["an int8 export that loses words"] == {
        "name": "an int8 export that loses words", "expected": "refused", "found": "refused", "passed": True, "reason": ""}
    assert "planted challengers and exports got" in rule(verdict, "self_test")["reason"]
    validate(verdict)


def test_nothing_is_shipped_while_the_rule_is_disabled(run: Path) -> None:
    write_exports(run, pd.read_parquet(run / "data/transcribe/transfer.parquet"), {"onnx": 0.0})
    verdict = verdict_on(run)
    assert verdict["exports"] == []
    assert rule(verdict, "export_parity")["reason"] == "not enabled: no export is shipped"


def test_a_gate_that_would_ship_a_bad_export_is_unreliable(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.scoring import exports

    write_exports(run, pd.read_parquet(run / "data/transcribe/transfer.parquet"), {"onnx": 0.0})
    write_policy(run, PARITY | SELF_TEST)
    blind = exports.judge

    def judge(export: Any, *arguments: Any) -> Any:
        return blind(dataclasses.replace(export, rows=export.reference), *arguments)

    monkeypatch.setattr(exports, "judge", judge)
    with pytest.raises(PipelineError, match="gate self-test: an int8 export that loses words: shipped, not refused"):
        gate.run(run)


@pytest.mark.parametrize(("challenger", "champion", "results"), [
    ({"telephone": 0.2, "noise_10_db": 0.4}, {"telephone": 0.4, "noise_10_db": 0.6}, [True, True, True, True]),
    ({"telephone": 0.2, "noise_10_db": 0.8}, {"telephone": 0.4, "noise_10_db": 0.9}, [True, True, False, True]),
    ({"telephone": 0.3, "noise_10_db": 0.2}, {"telephone": 0.1, "noise_10_db": 0.6}, [True, False, True, True]),
    ({"telephone": 0.37, "noise_10_db": 0.2}, {"telephone": 0.6, "noise_10_db": 0.6}, [None, True, True, True]),
], ids=["robust", "over a limit", "more fragile than the champion", "at the limit"])
def test_a_challenger_must_pass_in_every_condition(
    run: Path, challenger: dict[str, float], champion: dict[str, float], results: list[bool | None],
) -> None:
    write_policy(run, ROBUST)
    add_conditions(run, "transfer", **challenger)
    add_conditions(run, "champion", **champion)
    verdict = verdict_on(run)
    names = ["robustness telephone", "robustness telephone, change", "robustness noise_10_db", "robustness noise_10_db, change"]
    assert [rule(verdict, name)["passed"] for name in names] == results
    assert verdict["verdict"] == ("reject" if False in results else "inconclusive" if None in results else "promote")
    assert "24 speakers" in rule(verdict, names[0])["reason"] or results[0] is True


def test_a_robustness_rule_without_conditions_never_passes(run: Path) -> None:
    write_policy(run, {"robustness": {"enabled": True}})
    verdict = verdict_on(run)
    assert (rule(verdict, "robustness")["passed"], verdict["verdict"]) == (None, "inconclusive")


def test_robustness_that_differs_from_its_hypotheses_is_a_failure(run: Path) -> None:
    write_policy(run, ROBUST)
    for name in ("transfer", "champion"):
        add_conditions(run, name, telephone=0.2, noise_10_db=0.4)
    change(run, "data/score/transfer.json", lambda found: found["robustness"]["conditions"][0]["wer"].update(value=0.01))
    with pytest.raises(DataError, match="wer 0.01 in telephone; expected 0.2"):
        gate.run(run)
    change(run, "data/score/transfer.json", lambda found: found["robustness"]["conditions"].pop(0))
    with pytest.raises(DataError, match=r"telephone\.wer_served\.value is missing"):
        gate.run(run)


INGEST, NORMALISE = (f"data/{stage}/portuguese/speak-pt/report.json" for stage in ("ingest", "normalise"))


@pytest.mark.parametrize(("relative", "figures", "name", "reason"), [
    (INGEST, {"rejected": 100}, "rejected", "100 of 1080 utterances of speak-pt rejected, the largest share of 1 corpora"),
    (NORMALISE, {"kept": {"utterances": 900, "speakers": 60, "hours": 0.9}}, "dropped", "80 of 980 utterances of speak-pt dropped"),
    (NORMALISE, {"kept": {"utterances": 960, "speakers": 60, "hours": 0.4}}, "hours", "0.4 hours of portuguese kept in all splits together"),
    (NORMALISE, {"kept": {"utterances": 960, "speakers": 9, "hours": 0.9}}, "speakers", "9 speakers of portuguese kept in all splits together"),
])
def test_data_out_of_bounds_reject_the_challenger(run: Path, relative: str, figures: dict[str, Any], name: str, reason: str) -> None:
    assert rule(verdict_on(run), f"data_reports {name}")["passed"] is True
    change(run, relative, lambda report: report.update(figures))
    verdict = verdict_on(run)
    assert rule(verdict, f"data_reports {name}")["passed"] is False
    assert reason in rule(verdict, f"data_reports {name}")["reason"]
    assert verdict["verdict"] == "reject"


def test_a_missing_or_inconsistent_data_report_is_a_failure(run: Path) -> None:
    change(run, NORMALISE, lambda report: report.update(utterances=979))
    with pytest.raises(DataError, match="979 utterances; expected 980, as ingested"):
        gate.run(run)
    change(run, NORMALISE, lambda report: report.update(utterances=980, kept={"utterances": 960, "speakers": 60, "hours": math.nan}))
    with pytest.raises(DataError, match="kept.hours is nan"):
        gate.run(run)
    (run / NORMALISE).unlink()
    with pytest.raises(MissingInputError, match=NORMALISE):
        gate.run(run)
    write_policy(run, {"data_reports": {"languages": ["portuguese", "galician"]}})
    write_json(run / NORMALISE, {"utterances": 980, "kept": {"utterances": 960, "speakers": 60, "hours": 0.9}})
    with pytest.raises(MissingInputError, match=r"data/ingest/galician: no report\.json of any corpus"):
        gate.run(run)


def test_a_verdict_on_a_speaker_dependent_test_set_is_marked_so(run: Path) -> None:
    write_policy(run, {})
    for name in SYSTEMS:
        table = pd.read_parquet(run / f"data/transcribe/{name}.parquet")
        write_split(run, table.assign(speaker_dependent=True, speaker="voz/1"))
        write_system(run, name, conform(table.assign(speaker_dependent=True, speaker="voz/1"), HYPOTHESIS, "test"))
        change(run, f"data/transcribe/{name}.json", lambda facts: facts["trained_on_test"].update(speakers=1))
    verdict = verdict_on(run)
    assert verdict["comparisons"]["champion"]["test_set"]["speaker_dependent"] is True
    assert verdict["comparisons"]["champion"]["unit"] == "utterance"
