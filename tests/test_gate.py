"""The gate: what it promotes, rejects and leaves undecided, and which evidence it refuses."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import json
import math
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jiwer
import numpy as np
import pandas as pd
import pytest
import yaml
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from scipy.special import stdtrit

from pipeline import gate, score
from pipeline.core.errors import DataError, LeakageError, MissingInputError, NotComparableError, ParamsError, PipelineError
from pipeline.core.files import ROOT, read_json, write_json, write_table
from pipeline.core.manifest import HYPOTHESIS, SLICES, conform
from pipeline.core.params import load_section
from pipeline.scoring.binding import TEST, expected_columns, read_test_split
from pipeline.scoring.bootstrap import Interval
from pipeline.scoring.evidence import ConditionResult, Corpus, Evidence, Rate, System, rescored
from pipeline.scoring.planted import PlantedChallenger
from pipeline.scoring.reading import read_evidence, read_system
from pipeline.scoring.scorecard import Resampling
from pipeline.scoring.utterances import Scored, scored
from tests.exports import write_exports
from tests.served import served_greedily

SYSTEMS = ("transfer", "champion", "scratch")
WORDS = ["".join(letters) for letters in itertools.islice(itertools.product("bdfgl", "aeiou", "mnprt", "aeio"), 500)]

POLICY: dict[str, Any] = {
    "challenger": "transfer", "baseline": "scratch", "longer_baseline": "scratch",
    "alpha": 0.05, "gates_since_promotion": 0, "level": 0.95, "resamples": 1_000, "seed": 0,
    "improvement": {"enabled": True},
    "max_wer": {"enabled": True, "limit": 0.5},
    "max_cer": {"enabled": False, "limit": 0.2},
    "min_relative_speed": {"enabled": True, "limit": 5.0},
    "max_model_bytes": {"enabled": True, "limit": 100_000_000},
    "non_inferiority": {"enabled": True, "margin": 0.02, "columns": ["locale", "gender"], "min_utterances": 30},
    "beats_baseline": {"enabled": True, "margin": 0.05},
    "certificate_clean": {"enabled": True},
    "not_trained_on_test": {"enabled": True, "accept_unknown": False},
    "invariance": {"enabled": True, "max_logit_difference": 1e-4},
    "licences": {"enabled": True, "allowed": ["CC0-1.0"], "tables": ["data/split/portuguese/train.parquet"]},
    "data_reports": {"enabled": True, "languages": ["portuguese"], "max_rejected": 0.05, "max_dropped": 0.05, "min_hours": 0.5,
                     "min_speakers": 10},
    "self_test": {"enabled": False},
    "export_parity": {"enabled": False, "max_wer_difference": 0.005},
    "robustness": {"enabled": False, "max_wer": {}, "margin": 0.05},
}
CONDITIONS = {"telephone": {"telephone": True}, "noise_10_db": {"snr_db": 10.0}}


@pytest.fixture(autouse=True, scope="module")
def _remember_alignments() -> Iterator[None]:
    """Align each pair of references and hypotheses once: most tests score the same tables as others."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("process_words", "process_characters"):
            patch.setattr(jiwer, name, remembering(getattr(jiwer, name)))
        yield


def remembering(process: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function of two lists of texts with its results kept."""
    kept = functools.cache(lambda references, hypotheses: process(list(references), list(hypotheses)))
    return lambda references, hypotheses: kept(tuple(references), tuple(hypotheses))


def garbled(references: list[str], share: float | np.ndarray[Any, Any], seed: int) -> list[str]:
    """Return hypotheses in which each word is wrong with probability `share` (one for all, or one per utterance)."""
    generator = np.random.default_rng(seed)
    shares = np.broadcast_to(share, len(references))
    return [" ".join(word if generator.random() > wrong else "xxx" for word in text.split())
            for text, wrong in zip(references, shares, strict=True)]


def hypotheses(hypothesis: list[str] | None = None, number: int = 240, speakers: int = 24) -> pd.DataFrame:
    """Return a test set of `number` utterances; by default the hypotheses equal the references."""
    table = perfect(number, speakers).copy()
    if hypothesis is None:
        return table
    return served_greedily(table.assign(hypothesis=hypothesis, word_confidence=[[0.9] * len(text.split()) for text in hypothesis]))


@functools.cache
def perfect(number: int, speakers: int) -> pd.DataFrame:
    """Return a test set whose hypotheses equal the references."""
    generator = np.random.default_rng(7)
    references = [" ".join(generator.choice(WORDS, size=generator.integers(4, 12))) for _ in range(number)]
    table = pd.DataFrame({
        "utterance_id": [f"speak-pt/{index:05d}" for index in range(number)],
        "speaker": [f"speak-pt/{index % speakers}" for index in range(number)],
        **dict.fromkeys(SLICES, ""),
        "speaker_dependent": False, "duration_s": 3.0, "normaliser": "pt-BR/1", "reference": references, "reference_variants": references,
        "hypothesis": references, "confidence": 0.9, "robustness": [[] for _ in references],
    })
    table["word_confidence"] = [[0.9] * len(text.split()) for text in table["hypothesis"]]
    table["locale"] = ["pt-BR" if index % 2 else "pt-PT" for index in range(number)]
    table["gender"] = ["female" if index % 3 else "male" for index in range(number)]
    table = table.assign(**expected_columns(with_source(table))[["duration_band", "numbers", "names"]])
    return conform(served_greedily(table), HYPOTHESIS, "test")


def with_source(table: pd.DataFrame) -> pd.DataFrame:
    """Return the test split that a system's hypotheses are of."""
    return table.assign(text=table["reference"], variants=table["reference_variants"], transcript=table["reference"], snr_db=math.nan)


def write_split(root: Path, table: pd.DataFrame) -> None:
    """Write the test split of a system's hypotheses."""
    write_table(root / TEST, with_source(table).drop(columns=["robustness", "word_confidence"]))


def in_conditions(table: pd.DataFrame, wrong: dict[str, float], sample: int = 120) -> pd.DataFrame:
    """Return a system's hypotheses with those in each condition, for the first `sample` utterances."""
    degraded = {name: garbled(table["reference"].tolist(), share, seed) for seed, (name, share) in enumerate(wrong.items(), 11)}
    return table.assign(robustness=[[{"condition": name, "hypothesis": texts[index]} for name, texts in degraded.items()] if index < sample else []
                                    for index in range(len(table))])


SPEED = {"stage": "transcribe", "weights_hash": "ab" * 32, "rtfx": 50.0, "relative_speed": {"value": 40.0, "low": 38.0, "high": 42.0, "level": 0.95}}


def write_system(root: Path, name: str, table: pd.DataFrame) -> None:
    """Write the outs of transcribe and score for a system."""
    table["word_confidence"] = [[0.9] * len(text.split()) for text in table["hypothesis"]]
    write_table(root / f"data/transcribe/{name}.parquet", served_greedily(table))
    write_json(root / f"data/transcribe/{name}.json", {
        "system": name, "model": f"data/train/{name}", "audio_s": 720.0, "parameters": 1_200_000,
        "model_bytes": 4_800_000, "weights_hash": "ab" * 32, "vocabulary_hash": "cd" * 32, "decoder": None,
        "normaliser": "pt-BR/1", "invariance": {"max_logit_difference": 3e-6, "utterances_changed": 0, "utterances": 16},
        "trained_on_test": {"speakers": 0, "sentences": 0, "recordings": 0}, "training_data_known": True,
        "robustness": {"conditions": CONDITIONS} if table["robustness"].str.len().any() else None,
    })
    write_json(root / f"data/timing/transcribe/{name}/timing.json", SPEED)
    params = yaml.safe_load((root / "params.yaml").read_text()) if (root / "params.yaml").exists() else {}
    (root / "params.yaml").write_text(yaml.safe_dump({**params, "score": {"resamples": 1_000}}))
    write_score(root, name)


SCORES: dict[tuple[bytes, ...], bytes] = {}
"""Files that `score` wrote in earlier tests, by its inputs."""


def write_score(root: Path, name: str) -> None:
    """Score a system, once for the same inputs in all tests."""
    inputs = tuple((root / file).read_bytes() for file in (f"data/transcribe/{name}.parquet", f"data/transcribe/{name}.json", "params.yaml"))
    if inputs not in SCORES:
        score.run(name, root)
        SCORES[inputs] = (root / f"data/score/{name}.json").read_bytes()
    (root / f"data/score/{name}.json").parent.mkdir(parents=True, exist_ok=True)
    (root / f"data/score/{name}.json").write_bytes(SCORES[inputs])


def write_run(root: Path, wrong: dict[str, Any], policy: dict[str, Any] | None = None, number: int = 240, speakers: int = 24) -> None:
    """Write a run folder in which each system gets a share of the words wrong."""
    references = hypotheses(None, number, speakers)["reference"].tolist()
    write_split(root, hypotheses(None, number, speakers))
    for seed, name in enumerate(SYSTEMS):
        write_system(root, name, hypotheses(garbled(references, wrong[name], seed), number, speakers))
    write_json(root / "data/split/portuguese/certificate.json",
               {"schema": "vizinho.certificate/1", "left_total": 0, "splits": {"test": {"utterances": number}}})
    write_table(root / "data/split/portuguese/train.parquet", pd.DataFrame({"licence": ["CC0-1.0"] * 10}))
    write_json(root / "data/ingest/portuguese/speak-pt/report.json", {"utterances": 980, "rejected": 20})
    write_json(root / "data/normalise/portuguese/speak-pt/report.json",
               {"utterances": 980, "kept": {"utterances": 960, "speakers": 60, "hours": 0.9}, "dropped": {"other script": 20}})
    write_policy(root, policy or {})


def write_policy(root: Path, changes: dict[str, Any]) -> None:
    policy = {name: {**value, **changes.get(name, {})} if isinstance(value, dict) else changes.get(name, value) for name, value in POLICY.items()}
    (root / "params.yaml").write_text(yaml.safe_dump({"gate": policy, "score": {"resamples": 1_000}}))


SELF_TEST = {"self_test": {"enabled": True}}


def change(root: Path, relative: str, edit: Callable[[Any], None]) -> None:
    value = read_json(root / relative)
    edit(value)
    (root / relative).write_text(json.dumps(value))  # NaN allowed: some tests write it


def verdict_on(root: Path) -> dict[str, Any]:
    gate.run(root)
    return dict(read_json(root / "data/gate/verdict.json"))


def rule(verdict: dict[str, Any], name: str) -> dict[str, Any]:
    return dict(next(rule for rule in verdict["rules"] if rule["name"] == name))


GOOD = {"transfer": 0.1, "champion": 0.3, "scratch": 0.4}


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose challenger is better everywhere; tests that change it copy it first."""
    root = tmp_path_factory.mktemp("good")
    write_run(root, GOOD)
    return root


@pytest.fixture
def run(good: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(good, tmp_path / "run"))


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


def validate(verdict: dict[str, Any]) -> None:
    schemas = {name: read_json(ROOT / f"docs/schemas/{name}.json") for name in ("verdict", "compare")}
    registry: Registry[Any] = Registry().with_resources([(f"{name}.json", Resource.from_contents(schema)) for name, schema in schemas.items()])
    Draft202012Validator.check_schema(schemas["verdict"])
    Draft202012Validator(schemas["verdict"], registry=registry).validate(verdict)


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


# ---- Failures: evidence that supports no verdict --------------------------------------------------------------------


@pytest.mark.parametrize("relative", [
    "data/score/transfer.json", "data/score/champion.json", "data/transcribe/scratch.parquet", "data/transcribe/transfer.json",
    "data/split/portuguese/certificate.json", "data/split/portuguese/train.parquet",
])
def test_a_missing_file_is_a_failure(run: Path, relative: str) -> None:
    (run / relative).unlink()
    with pytest.raises(MissingInputError, match=relative):
        gate.run(run)


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("place", ["wer", "cer"])
def test_a_non_finite_rate_is_a_failure(run: Path, place: str, value: float) -> None:
    change(run, "data/score/transfer.json", lambda score: score[place].update(value=value))
    with pytest.raises(DataError, match=f"{place}.value is {value}"):
        gate.run(run)


@pytest.mark.parametrize("edit", [
    lambda timing: timing.update(weights_hash="00" * 32), lambda timing: timing.pop("relative_speed"),
    lambda timing: timing["relative_speed"].update(low=None),
], ids=["of other weights", "without the ratio", "without a bound"])
def test_a_speed_that_was_not_measured_for_these_weights_leaves_the_verdict_inconclusive(run: Path, edit: Callable[[Any], None]) -> None:
    change(run, "data/timing/transcribe/transfer/timing.json", edit)
    verdict = verdict_on(run)
    assert verdict["verdict"] == "inconclusive"
    reason = rule(verdict, "min_relative_speed")["reason"]
    assert "not measured for these weights; run `dvc repro --force --single-item transcribe@transfer`" in reason


def test_a_verdict_is_equal_whatever_the_measured_speed_above_the_limit(run: Path) -> None:
    first = verdict_on(run)
    change(run, "data/timing/transcribe/transfer/timing.json", lambda timing: timing["relative_speed"].update(value=80.0, low=70.0, high=90.0))
    assert verdict_on(run) == first and first["verdict"] == "promote"
    assert read_json(run / "data/timing/gate/timing.json")["relative_speed"] == {"value": 80.0, "low": 70.0, "high": 90.0}


@pytest.mark.parametrize(("relative", "key", "message"), [
    ("data/transcribe/transfer.json", "invariance", "invariance.max_logit_difference is missing; invariance.utterances_changed is missing"),
    ("data/transcribe/champion.json", "trained_on_test", "trained_on_test.speakers is missing"),
    ("data/score/scratch.json", "wer", "wer.value is missing; wer.low is missing"),
])
def test_a_missing_figure_is_a_failure_whose_message_lists_it(run: Path, relative: str, key: str, message: str) -> None:
    change(run, relative, lambda figures: figures.pop(key))
    with pytest.raises(DataError, match=f"{relative}: {message}"):
        gate.run(run)


def test_a_missing_hypothesis_is_a_failure_whose_message_gives_its_utterance(run: Path) -> None:
    table = hypotheses()
    table.loc[5, "hypothesis"] = None
    write_table(run / "data/transcribe/transfer.parquet", table)
    with pytest.raises(DataError, match="hypothesis missing in 1 rows, first speak-pt/00005"):
        gate.run(run)


def test_a_score_that_differs_from_its_hypotheses_is_a_failure(run: Path) -> None:
    change(run, "data/score/transfer.json", lambda score: score["wer"].update(value=0.01))
    with pytest.raises(DataError, match="score of transfer: wer 0.01; expected 0.1043"):
        gate.run(run)


@pytest.fixture(scope="module")
def small_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 24 utterances with two conditions."""
    root = tmp_path_factory.mktemp("small")
    write_run(root, GOOD, number=24, speakers=12)
    add_conditions(root, "transfer", telephone=0.2, noise_10_db=0.4)
    return root


def evidence_in(root: Path, **changes: Any) -> Evidence:
    tables = ["data/split/portuguese/train.parquet"] * 2
    return read_evidence(root, **{"challenger": "transfer", "baseline": "scratch", "licence_tables": tables, "languages": ["portuguese"],
                                  "shown": ["champion"], **changes})


def test_the_evidence_has_the_systems_in_their_places(small_root: Path) -> None:
    found = evidence_in(small_root)
    assert [system.name for system in (*found.all_systems, *found.greedy)] == [*SYSTEMS, "champion"] * 2
    assert (found.leaked, found.licences, found.speaker_dependent, found.speed) == (0, {"CC0-1.0": 20}, False, Rate(40.0, 38.0, 42.0))
    assert found.corpora == [Corpus("portuguese", "speak-pt", 20, 980, 20, 0.9, 60)]
    assert list(found.challenger.conditions) == list(found.greedy[0].conditions) == list(CONDITIONS) and not found.champion.conditions
    assert found.challenger.conditions["telephone"].wer.value == found.challenger.conditions["telephone"].rows.words.rate()


CERTIFICATE, HYPOTHESES = "data/split/portuguese/certificate.json", "data/transcribe/transfer.parquet"


def in_score(edit: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda score: edit(score["robustness"]["conditions"])


@pytest.mark.parametrize(("relative", "edit", "message"), [
    (CERTIFICATE, lambda value: value.pop("left_total"), r"no usable 'left_total'; expected left_total and splits\.test\.utterances"),
    (CERTIFICATE, lambda value: value["splits"].clear(), "no usable 'test'"), (CERTIFICATE, lambda value: value.update(left_total=None), "no usable"),
    (CERTIFICATE, lambda value: value["splits"]["test"].update(utterances=25), "24 utterances; expected 25, which the certificate covers"),
    ("data/score/transfer.json", lambda value: value.update(schema="vizinho.score/2"), "vizinho.score/2 of transfer; expected vizinho.score/3 of tr"),
    ("data/score/transfer.json", lambda value: value.update(system="scratch"), "vizinho.score/3 of scratch; expected vizinho.score/3 of transfer"),
    ("data/transcribe/transfer.json", lambda value: value.update(system="scratch"), "expected vizinho.score/3 of transfer"),
    ("data/score/transfer.json", lambda value: value.update(normaliser="pt-BR/0"), "normaliser pt-BR/0; expected pt-BR/1, the version in its hyp"),
    ("data/transcribe/transfer.json", lambda value: value.update(model_bytes=1.5), "model_bytes is 1.5"),
    ("data/score/transfer.json", lambda value: value["wer"].pop("low"), r"wer\.low is missing"),
    ("data/score/transfer.json", in_score(lambda found: found[0]["wer"].update(value=0.01)), "wer 0.01 in telephone; expected 0"),
    ("data/score/transfer.json", in_score(lambda found: found[0]["wer_served"].update(value=9.5)), "wer_served 9.5 in telephone; expected 0"),
    ("data/score/transfer.json", in_score(lambda found: found.clear()), r"telephone\.wer_served\.value is missing"),
    ("data/score/transfer.json", lambda value: value.update(robustness=None), r"telephone\.wer_served\.value is missing"),
    (HYPOTHESES, lambda table: table[1:], "1 utterances missing, first speak-pt/00000; expected the utterances of"),
    (HYPOTHESES, lambda table: pd.concat([table, table[:1].assign(utterance_id="x")]), "1 utterances that are not in the test split, first x"),
    (HYPOTHESES, lambda table: table.assign(locale=["pt-BR", *table["locale"][1:]]), "locale of 1 utterances, first speak-pt/00000: 'pt-BR' inst"),
    (HYPOTHESES, lambda table: table.assign(hypothesis=[None, *table["hypothesis"][1:]]), "hypothesis missing in 1 rows, first speak-pt/00000"),
])
def test_evidence_that_contradicts_itself_is_refused(small_root: Path, tmp_path: Path, relative: str, edit: Callable[[Any], Any],
                                                    message: str) -> None:
    root = Path(shutil.copytree(small_root, tmp_path / "run"))
    if relative == HYPOTHESES:
        write_table(root / relative, edit(pd.read_parquet(root / relative)))
    else:
        change(root, relative, edit)
    with pytest.raises(DataError, match=message):
        evidence_in(root) if relative == CERTIFICATE else read_system("transfer", root, read_test_split(root))


def test_a_guarded_column_that_the_test_set_lacks_is_refused(run: Path) -> None:
    write_policy(run, {"non_inferiority": {"columns": ["locale", "dialect"]}})
    with pytest.raises(DataError, match=r"gate\.non_inferiority\.columns: dialect; expected columns of "):
        gate.run(run)


SPEAKERS = [f"voz/{index}" for index in range(240)]


@pytest.mark.parametrize(("change", "message"), [
    (lambda table: table.assign(reference=["outra frase", *table["reference"][1:]]),
     "reference of 1 utterances, first speak-pt/00000: 'outra frase'"),
    (lambda table: table.assign(normaliser="pt-BR/2"), r"normaliser of 240 utterances, .*'pt-BR/2' instead of 'pt-BR/1'"),
    (lambda table: table[40:].reset_index(drop=True), "40 utterances missing, first speak-pt/00000"),
    (lambda table: table.assign(utterance_id=["speak-pt/x", *table["utterance_id"][1:]]), "1 utterances that are not in the test split"),
    (lambda table: table.assign(speaker=SPEAKERS), "speaker of 240 utterances, first speak-pt/00000: 'voz/0' instead of 'speak-pt/0'"),
    (lambda table: table.assign(speaker_dependent=True), "speaker_dependent of 240 utterances"),
    (lambda table: table.assign(locale="pt-BR"), "locale of 120 utterances, first speak-pt/00000: 'pt-BR' instead of 'pt-PT'"),
    (lambda table: table.assign(duration_band="16 s and longer"), "duration_band of 240 utterances"),
], ids=["a reference", "the normaliser", "the worst are omitted", "an id", "speakers are unique", "speaker-dependent", "one slice", "a band"])
def test_hypotheses_of_another_test_split_are_a_failure(run: Path, change: Callable[[pd.DataFrame], pd.DataFrame], message: str) -> None:
    for name in SYSTEMS:
        write_system(run, name, conform(change(pd.read_parquet(run / f"data/transcribe/{name}.parquet")), HYPOTHESIS, "test"))
    with pytest.raises(DataError, match=rf"transfer\.parquet: .*{message}.*; expected the utterances of data/split/portuguese/test\.parquet"):
        gate.run(run)


@pytest.mark.parametrize(("change", "message"), [
    (lambda score: score["wer"].update(high=score["wer"]["value"] + 1e-6), r"transfer\.json: wer 0\.\d+ to 0\.\d+ instead of 0\.\d+ to 0\.\d+;"),
    (lambda score: score["cer"].update(low=score["cer"]["value"]), "cer 0"),
    (lambda score: score["wer"].update(level=0.1), "wer 0"),
    (lambda score: score["wer"].update(value=10**400), "wer.value is inf"),
], ids=["narrowed above", "narrowed below", "of another level", "a huge integer"])
def test_a_score_with_another_interval_than_its_hypotheses_have_is_a_failure(run: Path, change: Callable[[Any], None], message: str) -> None:
    globals()["change"](run, "data/score/transfer.json", change)
    with pytest.raises(DataError, match=message):
        gate.run(run)


def test_the_level_of_the_scores_does_not_change_the_verdict(run: Path) -> None:
    write_policy(run, {"max_wer": {"limit": 0.115}})  # above the rate of 0.104, within its interval at the level of the policy
    at_95 = verdict_on(run)
    params = yaml.safe_load((run / "params.yaml").read_text())
    (run / "params.yaml").write_text(yaml.safe_dump({**params, "score": {"resamples": 1_000, "level": 0.1}}))
    for name in SYSTEMS:
        score.run(name, run)
    at_10 = verdict_on(run)
    assert read_json(run / "data/score/transfer.json")["wer"]["high"] < 0.115 < rule(at_95, "max_wer")["high"]
    assert at_10.pop("policy_hash") != at_95.pop("policy_hash")
    assert at_10 == at_95 and at_95["verdict"] == "inconclusive"


@pytest.mark.parametrize("name", SYSTEMS)
@pytest.mark.parametrize("what", ["speakers", "sentences", "recordings"])
def test_a_system_trained_on_the_test_set_is_a_failure(run: Path, name: str, what: str) -> None:
    change(run, f"data/transcribe/{name}.json", lambda facts: facts["trained_on_test"].update({what: 2}))
    with pytest.raises(LeakageError, match=f"training data of {name}: 2 {what} of the test set"):
        gate.run(run)


def test_a_certificate_that_is_not_clean_is_a_failure(run: Path) -> None:
    change(run, "data/split/portuguese/certificate.json", lambda certificate: certificate.update(left_total=1))
    with pytest.raises(LeakageError, match="1 items shared by train, dev and test"):
        gate.run(run)


def test_a_certificate_of_another_split_is_a_failure(run: Path) -> None:
    change(run, "data/split/portuguese/certificate.json", lambda certificate: certificate["splits"]["test"].update(utterances=241))
    with pytest.raises(DataError, match="240 utterances; expected 241, which the certificate covers"):
        gate.run(run)


def test_a_missing_required_slice_is_a_failure(run: Path) -> None:
    write_policy(run, {"non_inferiority": {"required": ["locale=pt-PT", "locale=pt-AO"]}})
    with pytest.raises(DataError, match="no slice locale=pt-AO of 30 utterances"):
        gate.run(run)


def test_an_enabled_rule_without_its_measurement_is_a_failure(run: Path) -> None:
    write_policy(run, PARITY)
    with pytest.raises(MissingInputError, match=r"data/export/transfer/parity\.json: no such file"):
        gate.run(run)
    write_policy(run, ROBUST)
    with pytest.raises(DataError, match=r"score/transfer\.json: no robustness in noise_10_db; .* transcribe\.robustness"):
        gate.run(run)
    add_conditions(run, "transfer", telephone=0.2, noise_10_db=0.4)
    with pytest.raises(DataError, match=r"score/champion\.json: no robustness in noise_10_db"):
        gate.run(run)


PARITY = {"export_parity": {"enabled": True}}


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


ROBUST = {"robustness": {"enabled": True, "max_wer": {"telephone": 0.4, "noise_10_db": 0.6}}}


def add_conditions(root: Path, name: str, **wrong: float) -> None:
    """Add hypotheses in degraded conditions to a system."""
    write_system(root, name, in_conditions(pd.read_parquet(root / f"data/transcribe/{name}.parquet"), wrong))


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


# ---- Data reports ---------------------------------------------------------------------------------------------------


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
