"""Evidence that supports no verdict: the gate fails, and names the file."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from pipeline import gate, score
from pipeline.core.errors import DataError, LeakageError, MissingInputError
from pipeline.core.files import read_json, write_table
from pipeline.core.manifest import HYPOTHESIS, conform
from pipeline.scoring.binding import read_test_split
from pipeline.scoring.evidence import Corpus, Evidence, Rate
from pipeline.scoring.reading import read_evidence, read_system
from tests.gate_runs import (
    CONDITIONS,
    GOOD,
    PARITY,
    ROBUST,
    SYSTEMS,
    add_conditions,
    change,
    hypotheses,
    rule,
    verdict_on,
    write_policy,
    write_run,
    write_system,
)


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
