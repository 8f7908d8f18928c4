"""The verdicts of the gate on whole runs: what it promotes, rejects and leaves undecided."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline import gate, score
from pipeline.core.errors import DataError, ParamsError, PipelineError
from pipeline.core.files import read_json, write_table
from pipeline.core.manifest import HYPOTHESIS, conform
from pipeline.core.params import load_section
from tests.gate_runs import (
    CONDITIONS,
    GOOD,
    POLICY,
    ROBUST,
    SELF_TEST,
    SYSTEMS,
    add_conditions,
    change,
    garbled,
    hypotheses,
    rule,
    validate,
    verdict_on,
    write_policy,
    write_run,
    write_split,
    write_system,
)


def test_a_challenger_that_is_better_everywhere_is_promoted(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    verdict = verdict_on(run)
    assert verdict["verdict"] == "promote"
    assert all(row["passed"] for row in verdict["rules"] if row["enabled"])
    difference = verdict["comparisons"]["champion"]["wer"]["difference"]
    assert difference["low"] < -0.2 < difference["high"] < 0
    shown = capsys.readouterr().out
    assert shown.rstrip().endswith("gate: promote, transfer against champion")
    assert all(row["name"] in shown for row in verdict["rules"])


def test_the_verdict_matches_its_schema_and_is_equal_in_two_runs(run: Path) -> None:
    verdict = verdict_on(run)
    first = (run / "data/gate/verdict.json").read_bytes()
    validate(verdict)
    gate.run(run)
    assert (run / "data/gate/verdict.json").read_bytes() == first


def test_every_planted_challenger_gets_its_expected_verdict(run: Path) -> None:
    write_policy(run, SELF_TEST)
    planted = verdict_on(run)["self_test"]["planted"]
    assert {entry["name"]: entry["found"] for entry in planted} == {
        "ids shuffled": "reject", "half of the hypotheses blank": "reject", "one slice destroyed while the mean improves": "reject",
        "identical to the champion": "reject", "better by chance on 30 utterances": "inconclusive", "much better everywhere": "promote",
        "another test set": "failure", "another normaliser": "failure", "a non-finite error rate": "failure",
        "trained on the test set": "failure",
    }


@pytest.mark.parametrize("wrong", [
    {"transfer": 0.95, "champion": 0.99, "scratch": 1.0}, {"transfer": 0.0, "champion": 0.0, "scratch": 0.0},
    {"transfer": 1.0, "champion": 0.0, "scratch": 0.5},
], ids=["all bad", "all perfect", "champion perfect"])
def test_the_self_test_passes_for_good_and_bad_systems(tmp_path: Path, wrong: dict[str, float]) -> None:
    write_run(tmp_path, wrong, SELF_TEST)
    assert verdict_on(tmp_path)["self_test"]["passed"] is True


def test_a_gate_that_promotes_a_planted_challenger_fails_and_writes_no_verdict(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_policy(run, SELF_TEST)
    monkeypatch.setattr(gate, "verdict_of", lambda rules: "promote")
    with pytest.raises(PipelineError, match="gate self-test: ids shuffled: promote, not reject; .*identical to the champion: promote"):
        gate.run(run)
    assert not (run / "data/gate/verdict.json").exists()


def test_a_gate_without_its_checks_fails_its_self_test(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_policy(run, SELF_TEST)
    monkeypatch.setattr(gate, "check", lambda evidence, **switches: None)
    with pytest.raises(PipelineError, match="another test set: promote, not failure; another normaliser: promote"):
        gate.run(run)


def test_a_policy_that_tolerates_the_loss_of_a_slice_fails_the_self_test(run: Path) -> None:
    write_policy(run, {"non_inferiority": {"margin": 0.9}, **SELF_TEST})
    with pytest.raises(PipelineError, match="one slice destroyed while the mean improves: (promote|inconclusive), not reject"):
        gate.run(run)


def serve(root: Path, name: str, share: float) -> None:
    """Give a system a decoder with which it gets a share of the words wrong."""
    table = pd.read_parquet(root / f"data/transcribe/{name}.parquet")
    served = garbled(table["reference"].tolist(), share, 99)
    table = table.assign(hypothesis_served=served, word_confidence_served=[[0.9] * len(text.split()) for text in served])
    write_table(root / f"data/transcribe/{name}.parquet", conform(table, HYPOTHESIS, "test"))
    score.run(name, root)


def test_challenger_and_champion_are_compared_as_they_serve_each_with_its_own_decoder(run: Path) -> None:
    serve(run, "champion", 0.02)
    verdict = verdict_on(run)
    assert (verdict["verdict"], rule(verdict, "improvement")["passed"]) == ("reject", False), "greedy, the challenger is far better"
    assert verdict["comparisons_greedy"]["champion"]["wer"]["difference"]["high"] < 0 < verdict["comparisons"]["champion"]["wer"]["difference"]["low"]
    assert verdict["champion"]["wer_served"] < verdict["challenger"]["wer_served"] == verdict["challenger"]["wer"] < verdict["champion"]["wer"]
    serve(run, "transfer", 0.001)
    assert verdict_on(run)["verdict"] == "promote"


def test_a_decoder_neither_hides_nor_replaces_what_the_transfer_is_worth(tmp_path: Path) -> None:
    write_run(tmp_path, GOOD | {"transfer": 0.4})
    serve(tmp_path, "transfer", 0.01)
    verdict = verdict_on(tmp_path)
    assert rule(verdict, "improvement")["passed"] is True
    assert rule(verdict, "beats_baseline")["passed"] is not True, "greedy, the challenger is no better than the baseline"
    assert verdict["verdict"] != "promote"
    write_system(tmp_path, "transfer", hypotheses(garbled(hypotheses()["reference"].tolist(), 0.1, 0)))
    write_policy(tmp_path, {})
    serve(tmp_path, "transfer", 0.01)
    serve(tmp_path, "scratch", 0.005)
    assert rule(verdict_on(tmp_path), "beats_baseline")["passed"] is True, "as served, the baseline is better"


def test_a_further_baseline_is_shown_and_checked_but_decides_nothing(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_system(run, "scratch_long", hypotheses())
    write_policy(run, {"longer_baseline": "scratch_long", **SELF_TEST})
    verdict = verdict_on(run)
    row = rule(verdict, "beats_baseline scratch_long")
    assert (verdict["verdict"], row["enabled"], row["passed"], row["limit"]) == ("promote", False, None, None)
    assert 0 < row["low"] < row["value"] < row["high"]
    assert row["value"] == pytest.approx(verdict["challenger"]["wer"]), "scratch_long makes no error"
    assert "beats_baseline scratch_long" in capsys.readouterr().out
    change(run, "data/score/scratch_long.json", lambda score: score["wer"].update(low=score["wer"]["low"] - 0.01))
    with pytest.raises(DataError, match=r"scratch_long\.json: wer -0\.01 to 0 instead of 0 to 0"):
        gate.run(run)


def test_a_worse_challenger_is_rejected(tmp_path: Path) -> None:
    write_run(tmp_path, {"transfer": 0.35, "champion": 0.2, "scratch": 0.5})
    verdict = verdict_on(tmp_path)
    assert verdict["verdict"] == "reject"
    assert rule(verdict, "improvement")["passed"] is False
    assert "the challenger is worse" in rule(verdict, "improvement")["reason"]


def test_a_challenger_identical_to_the_champion_is_rejected(run: Path) -> None:
    table = pd.read_parquet(run / "data/transcribe/champion.parquet")
    write_system(run, "transfer", conform(table, HYPOTHESIS, "test"))
    verdict = verdict_on(run)
    assert verdict["verdict"] == "reject"
    assert rule(verdict, "improvement")["reason"] == "the challenger makes as many errors as the champion in every utterance"


def test_a_small_gain_is_inconclusive_and_the_reason_estimates_the_data_that_would_decide(tmp_path: Path) -> None:
    write_run(tmp_path, {"transfer": 0.292, "champion": 0.3, "scratch": 0.6}, {"non_inferiority": {"margin": 0.1}})
    verdict = verdict_on(tmp_path)
    assert verdict["verdict"] == "inconclusive"
    improvement = rule(verdict, "improvement")
    assert improvement["passed"] is None
    assert improvement["low"] < 0 < improvement["high"]
    assert "times the test data (24 speakers now) would decide" in improvement["reason"]


def test_a_slice_that_gets_worse_rejects_a_challenger_that_is_better_overall(tmp_path: Path) -> None:
    table = hypotheses()
    share = np.where(table["locale"] == "pt-PT", 0.4, 0.0)
    write_run(tmp_path, {"transfer": share, "champion": 0.3, "scratch": 0.5})
    verdict = verdict_on(tmp_path)
    assert rule(verdict, "improvement")["passed"] is True
    assert rule(verdict, "non_inferiority locale=pt-PT")["passed"] is False
    assert rule(verdict, "non_inferiority locale=pt-BR")["passed"] is True
    assert verdict["verdict"] == "reject"


def test_a_challenger_that_does_not_beat_the_baseline_is_not_promoted(tmp_path: Path) -> None:
    write_run(tmp_path, {"transfer": 0.2, "champion": 0.5, "scratch": 0.1})
    assert verdict_on(tmp_path)["verdict"] == "reject"
    write_run(tmp_path, {"transfer": 0.2, "champion": 0.5, "scratch": 0.2})
    assert verdict_on(tmp_path)["verdict"] == "inconclusive"


@pytest.mark.parametrize(("name", "limits", "passed"), [
    ("max_wer", {"limit": 0.05}, False), ("max_wer", {"limit": 0.1}, None), ("max_cer", {"enabled": True, "limit": 0.01}, False),
    ("min_relative_speed", {"limit": 43.0}, False), ("min_relative_speed", {"limit": 40.0}, None), ("max_model_bytes", {"limit": 4_799_999}, False),
    ("invariance", {"max_logit_difference": 1e-6}, False), ("licences", {"allowed": []}, False),
])
def test_a_challenger_over_a_limit_is_not_promoted(run: Path, name: str, limits: dict[str, Any], passed: bool | None) -> None:
    write_policy(run, {name: limits})
    verdict = verdict_on(run)
    assert rule(verdict, name)["passed"] is passed
    assert verdict["verdict"] == ("inconclusive" if passed is None else "reject")


def test_a_limit_is_compared_with_the_interval_and_not_the_point_estimate(run: Path) -> None:
    value = read_json(run / "data/score/transfer.json")["wer"]["value"]
    write_policy(run, {"max_wer": {"limit": value + 1e-6}})
    assert rule(verdict_on(run), "max_wer")["passed"] is None


def test_hypotheses_that_change_with_the_batch_are_rejected(run: Path) -> None:
    change(run, "data/transcribe/transfer.json", lambda facts: facts["invariance"].update(utterances_changed=1))
    assert verdict_on(run)["verdict"] == "reject"


def test_unknown_training_data_are_accepted_only_by_policy(run: Path) -> None:
    change(run, "data/transcribe/champion.json", lambda facts: facts.update(training_data_known=False))
    verdict = verdict_on(run)
    assert verdict["verdict"] == "reject"
    assert rule(verdict, "not_trained_on_test")["reason"] == "training data of champion are unknown: the policy requires them"
    write_policy(run, {"not_trained_on_test": {"accept_unknown": True}})
    assert verdict_on(run)["verdict"] == "promote"


def test_without_the_improvement_rule_nothing_is_promoted(run: Path) -> None:
    write_policy(run, {"improvement": {"enabled": False}})
    verdict = verdict_on(run)
    assert verdict["verdict"] == "reject"
    assert "no enabled rule would show that the challenger is better" in rule(verdict, "threshold")["reason"]


def test_with_every_rule_disabled_nothing_is_promoted(run: Path) -> None:
    write_policy(run, {name: {"enabled": False} for name, value in POLICY.items() if isinstance(value, dict)})
    assert verdict_on(run)["verdict"] == "reject"


def test_small_slices_are_listed_as_disabled(run: Path) -> None:
    write_policy(run, {"non_inferiority": {"min_utterances": 100}})
    row = rule(verdict_on(run), "non_inferiority gender=male")
    assert not row["enabled"]
    assert row["reason"] == "80 utterances, fewer than 100"


def by_speaker(shares: list[float], number: int = 240) -> np.ndarray[Any, Any]:
    """Return the share of wrong words of each utterance, one for each speaker."""
    return np.array([shares[index % len(shares)] for index in range(number)])


def test_nine_speakers_who_differ_do_not_show_an_improvement_that_their_utterances_seem_to_show(tmp_path: Path) -> None:
    challenger = by_speaker([0.1, 0.5, 0.1, 0.5, 0.1, 0.5, 0.1, 0.1, 0.4])
    write_run(tmp_path, {"transfer": challenger, "champion": 0.35, "scratch": 0.9}, {"non_inferiority": {"enabled": False}}, speakers=9)
    verdict = verdict_on(tmp_path)
    improvement = rule(verdict, "improvement")
    assert verdict["comparisons"]["champion"]["unit"] == "speaker"
    assert (improvement["passed"], improvement["low"] < 0 < improvement["high"], verdict["verdict"]) == (None, True, "inconclusive")
    assert "(9 speakers now)" in improvement["reason"]


def test_a_slice_of_few_speakers_who_differ_is_undecided(tmp_path: Path) -> None:
    table = hypotheses(speakers=12)
    share = by_speaker([0.0, 0.1, 0.7, 0.1, 0.0, 0.1, 0.0, 0.1, 0.5, 0.1, 0.0, 0.1])
    assert table.loc[table["locale"] == "pt-PT", "speaker"].nunique() == 6
    write_run(tmp_path, {"transfer": share, "champion": 0.3, "scratch": 0.9}, speakers=12)
    slice_rule = rule(verdict_on(tmp_path), "non_inferiority locale=pt-PT")
    assert slice_rule["value"] < 0.0 < 0.02 < slice_rule["high"]
    assert slice_rule["passed"] is None
    assert "(120 utterances of 6 speakers now)" in slice_rule["reason"]


def test_a_slice_of_one_speaker_is_undecided_and_the_reason_gives_the_speakers_needed(run: Path) -> None:
    for name in SYSTEMS:
        table = pd.read_parquet(run / f"data/transcribe/{name}.parquet")
        table.loc[table["locale"] == "pt-PT", "speaker"] = "speak-pt/one"
        write_split(run, table)
        write_system(run, name, conform(table, HYPOTHESIS, "test"))
    write_policy(run, SELF_TEST)
    verdict = verdict_on(run)
    found = rule(verdict, "non_inferiority locale=pt-PT")
    assert (found["passed"], found["low"], found["high"], verdict["verdict"]) == (None, None, None, "inconclusive")
    assert "one speaker has all words of the slice; at least 2 speakers are needed, better 10" in found["reason"]
    planted = {entry["name"]: entry["found"] for entry in verdict["self_test"]["planted"]}
    assert planted["much better everywhere"] == "not tested"
    assert planted["one slice destroyed while the mean improves"] == "reject"
    assert verdict["power"]["gains"][0]["limited_by"] == "non_inferiority locale=pt-PT"
    assert verdict["power"]["gains"][0]["probability"] == 0


@pytest.mark.parametrize("speakers", [2, 3, 5, 9])
def test_the_self_test_passes_with_few_speakers(tmp_path: Path, speakers: int) -> None:
    write_run(tmp_path, GOOD, {**SELF_TEST, "non_inferiority": {"columns": ["gender"]}}, speakers=speakers)
    assert verdict_on(tmp_path)["self_test"]["passed"] is True


def test_the_conditions_of_few_speakers_are_measured_over_speakers(tmp_path: Path) -> None:
    write_run(tmp_path, GOOD, {**ROBUST, "non_inferiority": {"enabled": False}}, speakers=9)
    for name, share in (("transfer", by_speaker([0.1, 0.6, 0.2])), ("champion", 0.3)):
        table = pd.read_parquet(tmp_path / f"data/transcribe/{name}.parquet")
        texts = garbled(table["reference"].tolist(), share, 3)
        write_system(tmp_path, name, table.assign(robustness=[[{"condition": condition, "hypothesis": text} for condition in CONDITIONS]
                                                              for text in texts]))
    write_policy(tmp_path, {**ROBUST, "non_inferiority": {"enabled": False}})
    found = rule(verdict_on(tmp_path), "robustness telephone, change")
    assert found["passed"] is None
    assert "(9 speakers now)" in found["reason"] or "more test data would not decide" in found["reason"]
    assert found["high"] - found["low"] > 0.2


def test_the_verdict_states_what_the_test_set_can_decide(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    add_conditions(run, "transfer", telephone=0.2, noise_10_db=0.4)
    add_conditions(run, "champion", telephone=0.4, noise_10_db=0.6)
    write_policy(run, ROBUST)
    power = verdict_on(run)["power"]
    assert [entry["gain"] for entry in power["gains"]] == [0.05, 0.1]
    assert [entry["name"] for entry in power["gains"][0]["rules"]] == [
        "improvement", "non_inferiority locale=pt-BR", "non_inferiority locale=pt-PT", "non_inferiority gender=female", "non_inferiority gender=male",
        "robustness telephone, change", "robustness noise_10_db, change",
    ]
    assert power["gains"][0]["probability"] < power["gains"][1]["probability"] <= 1
    shown = capsys.readouterr().out.splitlines()
    assert [line for line in shown if line.startswith("power: ")] == [f"power: {entry['reason']}" for entry in power["gains"]]


def test_more_test_data_have_more_power(tmp_path: Path) -> None:
    found = []
    for number, speakers in ((240, 12), (480, 24)):
        write_run(tmp_path / str(number), {"transfer": 0.3, "champion": 0.3, "scratch": 0.6}, {"non_inferiority": {"margin": 0.1}}, number, speakers)
        found.append(verdict_on(tmp_path / str(number))["power"]["gains"][1])
    assert found[0]["probability"] < found[1]["probability"]
    assert found[0]["needed"]["unit"] == "speaker"


def test_without_the_improvement_rule_or_without_any_difference_there_is_no_power(run: Path) -> None:
    write_policy(run, {"improvement": {"enabled": False}})
    assert verdict_on(run)["power"] is None
    write_policy(run, {})
    write_system(run, "transfer", conform(pd.read_parquet(run / "data/transcribe/champion.parquet"), HYPOTHESIS, "test"))
    write_policy(run, {})
    assert verdict_on(run)["power"] is None


def test_matched_pairs_leave_undecided_what_the_resamples_are_too_few_for(tmp_path: Path) -> None:
    write_run(tmp_path, {"transfer": 0.2, "champion": 0.3, "scratch": 0.9}, {"gates_since_promotion": 60}, speakers=12)
    improvement = rule(verdict_on(tmp_path), "improvement")
    assert (improvement["high"] < 0, improvement["passed"]) == (True, None)
    assert "one-sided level 1.3e-05, gate 61 since the last promotion, but MAPSSWE's p-value is" in improvement["reason"]


def test_later_gates_of_a_period_have_a_smaller_level(run: Path) -> None:
    widths = []
    for gates in (0, 1, 5):
        write_policy(run, {"gates_since_promotion": gates})
        improvement = rule(verdict_on(run), "improvement")
        widths.append(improvement["high"] - improvement["low"])
    assert widths == sorted(widths)
    assert widths[0] < widths[2]
    assert "one-sided level 0.0012, gate 6 since the last promotion" in improvement["reason"]
    assert verdict_on(run)["period"] == {"gates_before": 5, "one_sided_level": pytest.approx(0.05 / 42)}


def test_all_invalid_params_are_reported_at_once(run: Path) -> None:
    write_policy(run, {"alpha": 0.9, "max_wer": {"limit": -1.0}, "min_relative_speed": {"limits": 3}})
    with pytest.raises(ParamsError) as caught:
        gate.run(run)
    assert all(key in str(caught.value) for key in ("gate.alpha", "gate.max_wer.limit", "gate.min_relative_speed.limits"))
    assert caught.value.exit_code == 2


def test_a_disabled_self_test_is_listed(run: Path) -> None:
    write_policy(run, {})
    assert not rule(verdict_on(run), "self_test")["enabled"]


def test_the_policy_is_read_as_written(run: Path) -> None:
    policy = load_section(gate.Policy, "gate", path=run / "params.yaml")
    assert policy.model_dump(mode="json")["non_inferiority"] == {**POLICY["non_inferiority"], "promotions": 0, "required": []}
