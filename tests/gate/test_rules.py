"""The rules of the gate one by one, on figures and on small systems."""

from __future__ import annotations

import functools
import math
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy.special import stdtrit

from pipeline import gate
from pipeline.core.errors import DataError, LeakageError, NotComparableError, PipelineError
from pipeline.core.files import ROOT, read_json
from pipeline.core.params import load_section
from pipeline.scoring.bootstrap import Interval
from pipeline.scoring.evidence import ConditionResult, Corpus, Evidence, Rate, System, rescored
from pipeline.scoring.planted import PlantedChallenger
from pipeline.scoring.scorecard import Resampling
from pipeline.scoring.utterances import Scored, scored
from tests.gate_runs import (
    POLICY,
    garbled,
    hypotheses,
    rule,
    write_policy,
)


@pytest.mark.parametrize("margin, low, high, passed, reason", [
    (0.08, -0.12, -0.08, True, "the whole interval is at most -8.00 points"), (0.08, -0.12, -0.0799, None, "undecided: .* includes -8.00 points"),
    (0.08, -0.06, -0.02, None, "undecided: .* above -8.00 points: seeds alone may differ as much"), (0.08, -0.02, 0.02, None, "seeds alone"),
    (0.08, 0.0, 0.04, None, "seeds alone"), (0.08, 0.001, 0.04, False, "the whole interval is above -8.00 points"),
    (0.08, -0.1, 0.0, None, "undecided: .* includes -8.00 points"), (0.0, -0.04, -0.001, True, "at most 0"),
    (0.0, -0.04, 0.0, None, "the interval ends at 0"), (0.0, 0.0, 0.0, None, "the interval ends at 0"), (0.0, 0.001, 0.04, False, "above 0"),
])
def test_the_baseline_is_beaten_by_more_than_seeds_may_differ(margin: float, low: float, high: float, passed: bool | None, reason: str) -> None:
    comparison = {"wer": {"difference": {"value": (low + high) / 2, "low": low, "high": high}}}
    found = gate.beats_baseline(gate.Baseline(enabled=True, margin=margin), comparison, "scratch", "24 speakers now")
    assert (found.name, found.enabled, found.limit, found.passed) == ("beats_baseline", True, -margin, passed)
    assert (found.low, found.high) == (low, high)
    assert re.search(reason, found.reason)


def test_the_margin_to_the_baseline_is_that_of_the_recorded_seeds() -> None:
    rows = re.findall(r"^\| [\d.]+ h, `scratch` \|[^|]*\| ([\d., ]+) \|", (ROOT / "docs/results.md").read_text(encoding="utf-8"), re.MULTILINE)
    seeds = np.array([[float(wer) / 100 for wer in row.split(", ")] for row in rows])
    assert seeds.shape == (3, 3), "hours, seeds"
    deviation = math.sqrt(seeds.var(axis=1, ddof=1).mean())
    margin = math.sqrt(2) * deviation * -stdtrit(6, 0.025)
    for file in ("params.yaml", "profiles/real-voice.yaml", "profiles/common-voice-xlsr.yaml"):
        assert load_section(gate.Policy, "gate", path=ROOT / file).beats_baseline.margin == math.ceil(1000 * margin) / 1000


@pytest.mark.parametrize("low, high, p, gates, others, passed, reason", [
    (-0.03, -0.001, 0.04, 0, -0.03, True, "one-sided level 0.025, gate 1 "), (-0.03, 0.0, 0.04, 0, -0.03, None, "undecided: .*about"),
    (-0.03, 0.001, 0.0, 0, -0.03, None, "undecided: .*about"), (-0.03, -0.001, 0.05, 0, -0.03, None, "MAPSSWE's p-value is 0.025"),
    (-0.03, -0.001, 0.04, 1, -0.03, None, "level 0.0083, gate 2 .*MAPSSWE"), (-0.03, -0.001, 0.016, 1, -0.03, True, "level 0.0083"),
    (0.0, 0.03, 0.04, 0, 0.0, None, "undecided"), (-0.01, 0.03, 0.0, 0, 0.001, False, "the challenger is worse"),
    (-0.03, -0.001, 0.04, 0, 0.001, False, "the challenger is worse"), (-0.03, -0.001, math.nan, 0, -0.03, None, "MAPSSWE"),
    (math.nan, math.nan, math.nan, 0, math.nan, None, "undecided"),
])
@pytest.mark.parametrize("same", [False, True])
def test_an_improvement_needs_interval_and_matched_pairs_test_at_the_level_of_its_gate(
        monkeypatch: pytest.MonkeyPatch, low: float, high: float, p: float, gates: int, others: float, passed: bool | None, reason: str,
        same: bool) -> None:
    asked: list[float] = []

    def difference(champion: Any, challenger: Any, units: Any, resampling: Any) -> tuple[Interval, float]:
        asked.append(resampling.level)
        return Interval((low + high) / 2, low, high, 0.0), p

    def system(errors: list[int]) -> Any:
        return SimpleNamespace(rows=SimpleNamespace(table=None, words=SimpleNamespace(errors_B=np.array(errors))))

    monkeypatch.setattr(gate, "difference", difference)
    monkeypatch.setattr(gate, "units_in", lambda table: None)
    policy = gate.Policy.model_validate(POLICY | {"gates_since_promotion": gates})
    evidence: Any = SimpleNamespace(champion=system([1, 2]), challenger=system([1, 2 if same else 1]))
    found = gate.improvement(policy, evidence, {"wer": {"difference": {"low": others}}}, "24 speakers now")
    assert (found.enabled, found.limit, found.passed) == (True, 0.0, False if same else passed)
    assert re.search("as many errors" if same else reason, found.reason)
    assert asked == [pytest.approx(1 - 2 * (0.025, 0.05 / 6)[gates])]


def rules_of(changes: dict[str, Any], facts: dict[str, Any], **evidence: Any) -> dict[str, tuple[bool, bool | None]]:
    """Return whether each rule on facts and data is enabled and passes, at the limits of `POLICY` unless changed."""
    policy = gate.Policy.model_validate({name: {**value, **changes.get(name, {})} if isinstance(value, dict) else value
                                         for name, value in POLICY.items()})
    challenger: Any = SimpleNamespace(name="transfer", facts={
        "system": "transfer", "model_bytes": 100_000_000, "invariance": {"max_logit_difference": 1e-4, "utterances_changed": 0},
        "trained_on_test": {"speakers": 0, "sentences": 0, "recordings": 0}, "training_data_known": True,
        **facts})
    found: Any = SimpleNamespace(**{
        "challenger": challenger, "systems": [challenger], "leaked": 0, "licences": {"CC0-1.0": 2}, "speaker_dependent": False,
        "speed": Rate(5.0, 5.0, 5.0), "corpora": [Corpus("portuguese", "a", 50, 950, 1, 0.25, 5), Corpus("portuguese", "b", 1, 1_000, 50, 0.25, 5)],
        **evidence})
    rules = [*gate.fact_rules(policy, found), *gate.data_reports(policy.data_reports, found)]
    return {rule.name: (rule.enabled, rule.passed) for rule in rules}


@pytest.mark.parametrize(("name", "changes", "facts", "evidence", "passed"), [
    ("max_model_bytes", {}, {"model_bytes": 100_000_001}, {}, False),
    ("invariance", {}, {"invariance": {"max_logit_difference": 1.01e-4, "utterances_changed": 0}}, {}, False),
    ("invariance", {}, {"invariance": {"max_logit_difference": 0.0, "utterances_changed": 1}}, {}, False),
    ("certificate_clean", {}, {}, {"leaked": 1}, False),
    ("not_trained_on_test", {}, {"trained_on_test": {"speakers": 1, "sentences": 0, "recordings": 0}}, {}, False),
    ("not_trained_on_test", {}, {"trained_on_test": {"speakers": 1, "sentences": 0, "recordings": 0}}, {"speaker_dependent": True}, True),
    ("not_trained_on_test", {}, {"training_data_known": False}, {}, False),
    ("not_trained_on_test", {"not_trained_on_test": {"accept_unknown": True}}, {"training_data_known": False}, {}, True),
    ("licences", {}, {}, {"licences": {"CC0-1.0": 2, "": 1}}, False), ("licences", {"licences": {"allowed": [""]}}, {}, {"licences": {"": 1}}, True),
    ("min_relative_speed", {}, {}, {"speed": None}, None), ("min_relative_speed", {}, {}, {"speed": Rate(5.0, 4.99, 6.0)}, None),
    ("min_relative_speed", {}, {}, {"speed": Rate(4.9, 4.8, 5.0)}, None), ("min_relative_speed", {}, {}, {"speed": Rate(4.9, 4.8, 4.99)}, False),
    ("data_reports rejected", {"data_reports": {"max_rejected": 0.049}}, {}, {}, False),
    ("data_reports dropped", {"data_reports": {"max_dropped": 0.049}}, {}, {}, False),
    ("data_reports hours", {"data_reports": {"min_hours": 0.51}}, {}, {}, False),
    ("data_reports speakers", {"data_reports": {"min_speakers": 11}}, {}, {}, False),
])
def test_a_limit_itself_passes_and_what_is_beyond_it_fails(name: str, changes: dict[str, Any], facts: dict[str, Any], evidence: dict[str, Any],
                                                           passed: bool | None) -> None:
    assert set(rules_of({}, {}).values()) == {(True, True)}
    found = rules_of(changes, facts, **evidence)
    assert found.pop(name) == (True, passed)
    assert set(found.values()) == {(True, True)}
    switched_off = {rule: {"enabled": False} for rule in POLICY if isinstance(POLICY[rule], dict)}
    assert set(rules_of(switched_off, facts, **evidence).values()) == {(False, None)}


def test_the_reasons_name_licences_and_systems() -> None:
    systems = [SimpleNamespace(name=name, facts={"training_data_known": False, "trained_on_test": {}}) for name in ("transfer", "champion")]
    evidence: Any = SimpleNamespace(licences={"": 2, "MIT": 1, "CC0-1.0": 9}, systems=systems, speaker_dependent=False)
    licences = gate.Licences(enabled=True, allowed=("CC0-1.0",), tables=())
    assert gate._licences(licences, evidence).reason == "2 utterances or sentences under none stated, 1 utterances or sentences under MIT"
    assert gate._licences(licences, SimpleNamespace(licences={"CC0-1.0": 9})).reason == "all training data and texts are under allowed licences"
    for accept, handling in ((True, "accepted by the policy"), (False, "the policy requires them")):
        found = gate._not_trained_on_test(gate.TrainedOn(enabled=True, accept_unknown=accept), evidence)
        assert found.reason == f"training data of transfer, champion are unknown: {handling}"


def test_the_language_with_the_least_data_counts() -> None:
    corpora = [Corpus(language, name, 0, 10, 0, 0.3, 6) for language, name in (("portuguese", "a"), ("portuguese", "b"), ("spanish", "c"))]
    languages = {"data_reports": {"languages": ["portuguese", "spanish"], "min_hours": 0.4, "min_speakers": 7}}
    policy = gate.DataReports(**{**POLICY["data_reports"], **languages["data_reports"]})
    worst: Any = SimpleNamespace(corpora=[replace(corpora[0], rejected=10, dropped=2), *corpora[1:]])
    assert [rule.value for rule in gate.data_reports(policy, worst)] == [0.5, 0.2, 0.3, 6]
    found = rules_of(languages, {}, corpora=corpora)
    assert (found["data_reports hours"], found["data_reports speakers"]) == ((True, False), (True, False))


def compared(low: float | None, high: float | None, value: float | None = 0.0, unit: str = "speaker") -> dict[str, Any]:
    return {"slices": [{"slice": {"locale": "pt-PT"}, "utterances": 30, "speakers": 3, "unit": unit,
                        "wer": {"difference": {"value": value, "low": low, "high": high}}}]}


@pytest.mark.parametrize(("changes", "comparison", "expected"), [
    ({}, compared(-0.01, 0.02), [True, None]), ({}, compared(-0.01, 0.02, unit="utterance"), [True, None]),
    ({}, compared(-0.01, 0.0201), [None, None]), ({}, compared(0.02, 0.03), [None, None]),
    ({}, compared(0.0201, 0.03), [False, None]), ({}, compared(None, None), [None, None]),
    ({"required": ("locale=pt-PT",)}, compared(-0.01, 0.02), [True, None]), ({"required": ("locale=pt-BR",)}, compared(-0.01, 0.02), "no slice"),
    ({}, compared(None, None, None), "no interval"), ({}, compared(None, None, unit="utterance"), "no interval"),
    ({"columns": ()}, compared(-0.01, 0.02), [None]), ({"enabled": False}, compared(-0.01, 0.02), [None]),
])
def test_a_slice_may_lose_its_margin_and_no_more(changes: dict[str, Any], comparison: dict[str, Any], expected: list[bool | None] | str) -> None:
    policy = gate.NonInferiority(**{"enabled": True, "margin": 0.02, "columns": ("locale",), "min_utterances": 30, **changes})
    table = pd.DataFrame({"locale": ["pt-PT"] * 30 + ["pt-BR"] * 29})
    evidence: Any = SimpleNamespace(champion=SimpleNamespace(rows=SimpleNamespace(table=table)))
    if isinstance(expected, str):
        with pytest.raises(DataError, match=expected):
            gate.non_inferiority(policy, evidence, comparison)
        return
    by_name = {rule.name: rule for rule in gate.non_inferiority(policy, evidence, comparison)}
    assert [by_name[name].passed for name in sorted(by_name, reverse=True)] == expected
    assert all(rule.enabled is (policy.enabled and "pt-BR" not in name) for name, rule in by_name.items())
    assert all(" points [" in rule.reason for rule in by_name.values() if rule.low is not None)


SMALL: dict[str, Any] = {"resamples": 1_000, "non_inferiority": {"margin": 0.1, "min_utterances": 10}, "beats_baseline": {"margin": 0.0}}


def small_system(name: str, wrong: float, conditions: dict[str, float] | None = None, rows: int = 60, **facts: Any) -> System:
    """Return a system that gets a share of the words of 60 utterances wrong, of 12 speakers."""
    def found(share: float, seed: int, number: int = 60) -> Scored:
        table = hypotheses(number=60, speakers=12).head(number)
        return scored(table.assign(hypothesis=garbled(table["reference"].tolist(), share, seed)))

    like = System(name, found(wrong, 1), "", "pt-BR/1", Rate(0, 0, 0), Rate(0, 0, 0), {
        "system": name, "model_bytes": 4_800_000, "invariance": {"max_logit_difference": 0.0, "utterances_changed": 0}, "vocabulary_hash": "v",
        "trained_on_test": {"speakers": 0, "sentences": 0, "recordings": 0}, "training_data_known": True, "decoder": None, **facts})
    made = rescored(like, like.rows, Resampling(resamples=1_000))
    degraded = {condition: found(share, 7, rows) for condition, share in (conditions or {}).items()}
    return replace(made, conditions={condition: ConditionResult(part, rescored(like, part, Resampling(resamples=1_000)).wer)
                                     for condition, part in degraded.items()})


@functools.cache
def small_evidence() -> Evidence:
    challenger, champion, baseline = (small_system(name, wrong) for name, wrong in (("transfer", 0.05), ("champion", 0.4), ("scratch", 0.5)))
    return Evidence(challenger, champion, baseline, 0, {"CC0-1.0": 1}, False, [Corpus("portuguese", "a", 0, 1_000, 0, 0.9, 60)],
                    Rate(40.0, 38.0, 42.0))


def applied(evidence: Evidence, **changes: dict[str, Any]) -> tuple[str, dict[str, bool | None], dict[str, Any]]:
    """Return the verdict, the result of every enabled rule, and the comparisons."""
    policy = {name: {**value, **SMALL.get(name, {}), **changes.get(name, {})} if isinstance(value, dict) else value for name, value in POLICY.items()}
    verdict, rules, comparisons = gate.apply_rules(gate.Policy.model_validate(policy), evidence)
    return verdict, {rule.name: rule.passed for rule in rules if rule.enabled}, comparisons


def test_every_enabled_rule_counts_and_a_disabled_one_does_not() -> None:
    verdict, passed, comparisons = applied(small_evidence())
    assert (verdict, set(passed.values())) == ("promote", {True})
    assert set(passed) == {
        "improvement", "non_inferiority locale=pt-BR", "non_inferiority locale=pt-PT", "non_inferiority gender=female", "non_inferiority gender=male",
        "beats_baseline", "max_wer", "min_relative_speed", "max_model_bytes", "certificate_clean", "not_trained_on_test", "invariance", "licences",
        "data_reports rejected", "data_reports dropped", "data_reports hours", "data_reports speakers"}
    assert comparisons["comparisons_greedy"] is comparisons["comparisons"] and set(comparisons["comparisons"]) == {"champion", "scratch"}
    verdict, fewer, _ = applied(small_evidence(), improvement={"enabled": False})
    assert (verdict, fewer) == ("reject", {**{name: True for name in passed if name != "improvement"}, "threshold": False})
    verdict, one, _ = applied(small_evidence(), **{name: {"enabled": False} for name, value in POLICY.items()
                                                   if isinstance(value, dict) and name != "improvement"})
    assert (verdict, one) == ("promote", {"improvement": True})


def test_leaks_are_failures_unless_their_rules_are_disabled() -> None:
    leaked = replace(small_evidence(), leaked=1)
    trained = replace(small_evidence(), champion=small_system("champion", 0.4, trained_on_test={"speakers": 0, "sentences": 1, "recordings": 0}))
    for evidence, name in ((leaked, "certificate_clean"), (trained, "not_trained_on_test")):
        with pytest.raises(LeakageError):
            applied(evidence)
        assert applied(evidence, **{name: {"enabled": False}})[0] == "promote"


def test_the_baseline_is_compared_by_greedy_hypotheses_and_the_champion_as_it_serves() -> None:
    served = small_evidence()
    verdict, passed, comparisons = applied(replace(served, greedy=(small_system("transfer", 0.5), served.champion, served.baseline)))
    assert (verdict != "promote", passed["improvement"], passed["beats_baseline"] is not True) == (True, True, True)
    assert comparisons["comparisons_greedy"]["scratch"]["wer"]["challenger"] > 0.4 > comparisons["comparisons"]["scratch"]["wer"]["challenger"]
    better = replace(served, greedy=served.systems, challenger=small_system("transfer", 0.4))
    assert applied(better)[1]["improvement"] is False  # as many errors as the champion


def test_a_further_baseline_is_a_disabled_rule_with_its_greedy_difference() -> None:
    worse, better = small_system("worse", 0.6), small_system("better", 0.0)
    served, shown = small_evidence(), (small_system("worse", 0.2), small_system("better", 0.3))
    policy = gate.Policy.model_validate(POLICY)
    _, rules, comparisons = gate.apply_rules(policy, replace(served, shown=shown, greedy=(*served.systems, worse, better)))
    found = [rule for rule in rules if rule.name.startswith("beats_baseline ")]
    assert [(rule.name, rule.enabled, rule.passed, rule.limit) for rule in found] == [
        ("beats_baseline worse", False, None, None), ("beats_baseline better", False, None, None)]
    for name, rates in (("comparisons", (0.2, 0.3)), ("comparisons_greedy", (0.6, 0.0))):
        assert list(comparisons[name]) == ["champion", "scratch", "worse", "better"]
        assert [comparisons[name][system]["wer"]["champion"] for system in ("worse", "better")] == pytest.approx(rates, abs=0.06)
    assert found[0].low < found[0].value < found[0].high < 0 < found[1].low < found[1].value < found[1].high


def policy_of(**changes: Any) -> gate.Policy:
    return gate.Policy.model_validate({name: {**value, **changes.get(name, {})} if isinstance(value, dict) else changes.get(name, value)
                                       for name, value in POLICY.items()})


def test_the_self_test_applies_the_rules_on_hypotheses_and_fails_with_one_wrong_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    evidence, asked, given = small_evidence(), list[gate.Policy](), list[Any]()
    planted = [PlantedChallenger("bad", ("reject",), evidence), PlantedChallenger("broken", ("failure",), replace(evidence, leaked=1)),
               PlantedChallenger("none", ("promote",), None, "too few")]
    verdicts = {0: "reject"}

    def apply_rules(policy: gate.Policy, found: Evidence) -> tuple[str, list[Any], dict[str, Any]]:
        asked.append(policy)
        if found.leaked:
            raise LeakageError("certificate", "1 item", "none", "split")
        return verdicts[0], [], {}

    monkeypatch.setattr(gate, "planted_challengers", lambda *arguments: given.append(arguments[1:]) or planted)
    monkeypatch.setattr(gate, "apply_rules", apply_rules)
    policy = policy_of(robustness=ROBUSTNESS, max_cer={"enabled": True}, non_inferiority={"required": ("a",)},
                       not_trained_on_test={"enabled": False}, resamples=5_000)
    found = gate.self_test(policy, evidence)
    assert found["passed"] is True
    assert [(entry["found"], entry["passed"]) for entry in found["planted"]] == [("reject", True), ("failure", True), ("not tested", None)]
    off = ("max_wer", "max_cer", "min_relative_speed", "max_model_bytes", "invariance", "licences", "export_parity", "robustness", "data_reports")
    assert not any(getattr(asked[0], name).enabled for name in off)
    assert all(getattr(asked[0], name).enabled for name in ("improvement", "non_inferiority", "beats_baseline", "certificate_clean"))
    assert (asked[0].not_trained_on_test.enabled, asked[0].not_trained_on_test.accept_unknown, asked[0].non_inferiority.required) == (True, True, ())
    assert asked[0].resamples == 1_000 and given == [(("locale", "gender"), 30)]
    gate.self_test(policy_of(non_inferiority={"enabled": False}), evidence)
    assert given[1] == ((), 30)
    assert gate.self_test(policy_of(improvement={"enabled": False}), evidence) == {"passed": None, "planted": []} and len(given) == 2
    verdicts[0] = "promote"
    with pytest.raises(PipelineError, match="gate self-test: bad: promote, not reject; expected"):
        gate.self_test(policy, evidence)


@pytest.mark.parametrize(("changes", "tested", "row"), [
    ({"self_test": {"enabled": True}}, {"passed": True, "planted": [{"passed": True}, {"passed": None}]},
     (True, True, 0, 0, "1 planted challengers got their expected verdicts")),
    ({"self_test": {"enabled": True}, "improvement": {"enabled": False}}, {"passed": None, "planted": []},
     (False, None, None, 0, "not run, since nothing can be promoted")),
    ({}, {"passed": None, "planted": []}, (False, None, None, 0, "not enabled")),
])
def test_the_self_test_is_a_row_of_the_verdict(monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], tested: dict[str, Any],
                                               row: tuple[Any, ...]) -> None:
    monkeypatch.setattr(gate, "self_test", lambda policy, evidence: tested)
    monkeypatch.setattr(gate, "power_of", lambda *arguments: None)
    verdict = gate.make_verdict(policy_of(**{**SMALL, **changes}, gates_since_promotion=2), small_evidence())
    assert verdict["verdict"] == ("reject" if "improvement" in changes else "promote")
    assert tuple(rule(verdict, "self_test")[name] for name in ("enabled", "passed", "value", "limit", "reason")) == row
    assert (verdict["self_test"], verdict["period"]["gates_before"], verdict["power"]) == (tested, 2, None)


def test_the_power_is_that_of_the_enabled_rules_against_the_champion(monkeypatch: pytest.MonkeyPatch) -> None:
    evidence = replace(small_evidence(), challenger=small_system("transfer", 0.05, {"telephone": 0.1}, rows=40),
                       champion=small_system("champion", 0.4, {"telephone": 0.3}, rows=40))
    policy = policy_of(**SMALL, robustness=ROBUSTNESS)
    _, rules, _ = gate.apply_rules(policy, evidence)
    asked: list[Any] = []
    monkeypatch.setattr(gate, "power", lambda margins, *arguments: asked.append(margins) or {})
    assert gate.power_of(policy_of(improvement={"enabled": False}), evidence, rules) is None and not asked
    gate.power_of(policy, evidence, rules)
    by_name = {margin.name: margin for margin in asked[0]}
    assert list(by_name) == ["improvement", "non_inferiority locale=pt-BR", "non_inferiority locale=pt-PT", "non_inferiority gender=female",
                             "non_inferiority gender=male", "robustness telephone, change"]
    for found in rules:
        if found.name in by_name:
            assert (by_name[found.name].limit, by_name[found.name].reach) == (found.limit, found.high - found.value)
    whole, slice_, condition = by_name["improvement"], by_name["non_inferiority locale=pt-PT"], by_name["robustness telephone, change"]
    assert (whole.part, whole.size, whole.unit, whole.matched_pairs) == ("test set", 12, "speaker", 0.025)
    assert (slice_.part, slice_.size, slice_.unit, slice_.matched_pairs) == ("test set", 6, "speaker", None)
    assert (condition.part, condition.size, condition.unit, len(condition.code_B)) == ("conditions", 40, "utterance", 40)
    assert (condition.champion.rate() > condition.challenger.rate(), len(slice_.code_B)) == (True, 30)
    undecided = [replace(found, value=None) if "gender=male" in found.name else replace(found, high=None) if "female" in found.name else
                 replace(found, enabled=False) if "pt-BR" in found.name else found for found in rules]
    gate.power_of(policy, evidence, [found for found in undecided if "change" not in found.name])
    assert {margin.name: math.isinf(margin.reach) for margin in asked[1]} == {
        "improvement": False, "non_inferiority locale=pt-PT": False, "non_inferiority gender=female": True, "non_inferiority gender=male": True}


def test_the_rules_are_a_table_with_the_verdict_as_the_last_line() -> None:
    def row(name: str, value: float | None, low: float | None, limit: float | None, passed: bool | None, enabled: bool = True) -> dict[str, Any]:
        return {"name": name, "enabled": enabled, "value": value, "low": low, "high": low, "limit": limit, "passed": passed, "reason": f"as {name}"}

    verdict = {"verdict": "reject", "challenger": {"system": "a"}, "champion": {"system": "b"}, "power": {"gains": [{"reason": "a true gain"}]},
               "rules": [row("wer", 0.25, 0.125, 0.5, True), row("bytes", 1000.0, None, 2e6, False), row("off", None, None, 999.94, None, False),
                         row("open", -1234.5, None, 0.0, None)]}
    assert gate.rules_table(verdict).splitlines() == [
        "rule   outcome    value   interval        limit      reason",
        "wer    pass       0.25    0.125 .. 0.125  0.5        as wer",
        "bytes  fail       1,000                   2,000,000  as bytes",
        "off    disabled                           999.9      as off",
        "open   undecided  -1,234                  0          as open",
        "power: a true gain", "gate: reject, a against b"]
    assert gate.rules_table({**verdict, "power": None}).splitlines()[5:] == ["gate: reject, a against b"]


@pytest.mark.parametrize(("changes", "params", "read", "seed"), [
    ({}, {"score": {"seed": 4}}, (("data/split/portuguese/train.parquet",), ("portuguese",), ()), 4),
    ({"longer_baseline": "scratch_long"}, {"score": None}, (("data/split/portuguese/train.parquet",), ("portuguese",), ("scratch_long",)), 0),
    ({"licences": {"enabled": False}, "data_reports": {"enabled": False}}, {}, ((), (), ()), 0),
    ({"licences": {"texts": ["report.json"]}}, {"score": {}}, (("data/split/portuguese/train.parquet", "report.json"), ("portuguese",), ()), 0),
])
def test_the_gate_reads_what_its_enabled_rules_need(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
                                                    changes: dict[str, Any], params: dict[str, Any], read: tuple[Any, ...], seed: int) -> None:
    write_policy(tmp_path, changes)
    written = yaml.safe_load((tmp_path / "params.yaml").read_text())
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"gate": written["gate"], **params}))
    asked: list[Any] = []
    evidence = replace(small_evidence(), speed=None) if seed else small_evidence()
    monkeypatch.setattr(gate, "read_evidence", lambda root, challenger, baseline, tables, languages, shown: asked.append(
        (tuple(tables), tuple(languages), tuple(shown))) or evidence)
    monkeypatch.setattr(gate, "check_scores", lambda root, found, seed: asked.append(seed))
    monkeypatch.setattr(gate, "with_intervals", lambda found, resampling: asked.append(resampling) or found)
    monkeypatch.setattr(gate, "make_verdict", lambda policy, found: {"rules": []})
    monkeypatch.setattr(gate, "rules_table", lambda verdict: "the table")
    gate.run(tmp_path)
    assert asked == [read, seed, Resampling(0.95, 1_000, 0)]
    assert set(read_json(tmp_path / "data/gate/verdict.json")) == {"rules", "policy_hash"} and "the table" in capsys.readouterr().out
    assert read_json(tmp_path / "data/timing/gate/timing.json")["relative_speed"] == (
        None if seed else {"value": 40.0, "low": 38.0, "high": 42.0})


ROBUSTNESS = {"enabled": True, "max_wer": {"telephone": 0.3}, "margin": 0.05}


@pytest.mark.parametrize(("challenger", "champion", "limits", "expected"), [
    ({"telephone": 0.1}, {"telephone": 0.3}, {}, {"robustness telephone": True, "robustness telephone, change": True}),
    ({"telephone": 0.6}, {"telephone": 0.6}, {}, {"robustness telephone": False, "robustness telephone, change": True}),
    ({"telephone": 0.1}, {"telephone": 0.0}, {}, {"robustness telephone": True, "robustness telephone, change": False}),
    ({"telephone": 0.1}, {"telephone": 0.3}, {"max_wer": {}}, {"robustness": None}), ({"telephone": 0.1}, {}, {}, "champion.json: no robustness"),
    ({}, {"telephone": 0.1}, {}, "transfer.json: no robustness"), ({}, {}, {"enabled": False}, {}),
])
def test_the_challenger_is_limited_in_each_condition(challenger: dict[str, float], champion: dict[str, float], limits: dict[str, Any],
                                                     expected: dict[str, bool | None] | str) -> None:
    evidence = replace(small_evidence(), challenger=small_system("transfer", 0.05, challenger), champion=small_system("champion", 0.4, champion))
    if isinstance(expected, str):
        with pytest.raises(DataError, match=expected):
            applied(evidence, robustness={**ROBUSTNESS, **limits})
    else:
        passed = applied(evidence, robustness={**ROBUSTNESS, **limits})[1]
        assert {name: result for name, result in passed.items() if name.startswith("robustness")} == expected


def test_a_change_in_a_condition_is_in_points() -> None:
    evidence = replace(small_evidence(), challenger=small_system("transfer", 0.05, {"telephone": 0.1}),
                       champion=small_system("champion", 0.4, {"telephone": 0.3}))
    first, change = gate.robustness(gate.Robustness(**ROBUSTNESS), evidence, Resampling(resamples=1_000))
    assert (" points [" in first.reason, " points [" in change.reason) == (False, True)


def test_conditions_on_different_samples_are_not_comparable() -> None:
    evidence = replace(small_evidence(), challenger=small_system("transfer", 0.05, {"telephone": 0.1}),
                       champion=small_system("champion", 0.4, {"telephone": 0.3}, rows=59))
    with pytest.raises(NotComparableError, match="different utterances"):
        applied(evidence, robustness=ROBUSTNESS)
