"""The stage `score`: from hypotheses to `vizinho.score/3`."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jiwer
import numpy as np
import pandas as pd
import pytest
import yaml
from jsonschema import Draft202012Validator

from pipeline import score
from pipeline.core.errors import DataError, MissingInputError, ParamsError
from pipeline.core.files import ROOT, read_json, write_json, write_table
from pipeline.core.manifest import HYPOTHESIS, SLICES, conform
from tests.served import served_greedily

FACTS: dict[str, Any] = {
    "system": "transfer", "audio_s": 180.0, "parameters": 1_200_000, "model_bytes": 4_800_000,
    "vocabulary_hash": "cd" * 32, "normaliser": "pt-BR/1",
    "invariance": {"max_logit_difference": 3e-6, "utterances_changed": 0, "utterances": 16},
    "trained_on_test": {"speakers": 0, "sentences": 0, "recordings": 0},
}


def table(number: int = 60) -> pd.DataFrame:
    generator = np.random.default_rng(0)
    references = [" ".join(generator.choice(["casa", "rio", "mar", "sol", "noite"], size=generator.integers(1, 9))) for _ in range(number)]
    rows = pd.DataFrame({
        "utterance_id": [f"speak-pt/{index:03d}" for index in range(number)], "speaker": [f"speak-pt/{index % 12}" for index in range(number)],
        **dict.fromkeys(SLICES, ""), "speaker_dependent": False, "duration_s": 3.0, "normaliser": "pt-BR/1",
        "reference": references, "reference_variants": references,
        "hypothesis": [text.replace("rio", "frio") for text in references], "confidence": 0.8,
        "word_confidence": [[0.7] * len(text.split()) for text in references], "robustness": [[] for _ in references],
    })
    return conform(served_greedily(rows).assign(locale=["pt-BR", "pt-PT"] * (number // 2), corpus="speak-pt"), HYPOTHESIS, "test")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    write_table(tmp_path / "data/transcribe/transfer.parquet", table())
    write_json(tmp_path / "data/transcribe/transfer.json", FACTS)
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"score": {"resamples": 1_000, "pairs": [["corpus", "locale"]]}}))
    return tmp_path


def scored(root: Path) -> dict[str, Any]:
    score.run("transfer", root)
    return dict(read_json(root / "data/score/transfer.json"))


def test_the_score_matches_its_schema(run: Path) -> None:
    schema = read_json(ROOT / "docs/schemas/score.json")
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(scored(run))


def test_the_score_has_slices_and_tolerant_rates_and_no_speed(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = scored(run)
    assert "rtfx" not in found
    assert found["normaliser"] == "pt-BR/1"
    assert found["tolerant"]["wer"] <= found["wer"]["value"]
    assert {tuple(part["slice"]) for part in found["slices"]} == {("corpus",), ("locale",), ("speech_rate",), ("corpus", "locale")}
    assert found["errors"]["substitutions"][0] == {"reference": "rio", "hypothesis": "frio", "count": found["counts"]["substitutions"]}
    rates = [f"{100 * found[name]['value']:.2f} %" for name in ("wer", "cer")]
    assert rates[0] != rates[1]
    line = rf"score@transfer: 60 utterances; WER {rates[0]} \(.*\), CER {rates[1]} \(.*\)\n"
    assert re.fullmatch(line, capsys.readouterr().out)


def test_the_same_hypotheses_give_the_same_bytes(run: Path) -> None:
    scored(run)
    first = (run / "data/score/transfer.json").read_bytes()
    scored(run)
    assert (run / "data/score/transfer.json").read_bytes() == first


@pytest.mark.parametrize("name", list(FACTS))
def test_a_missing_figure_is_reported(run: Path, name: str) -> None:
    write_json(run / "data/transcribe/transfer.json", {key: value for key, value in FACTS.items() if key != name})
    with pytest.raises(DataError, match=f"transfer.json: {name} is missing; expected .* run `dvc repro transcribe@transfer`"):
        scored(run)


def test_figures_of_another_system_are_refused(run: Path) -> None:
    write_json(run / "data/transcribe/transfer.json", {**FACTS, "system": "scratch"})
    with pytest.raises(DataError, match="system is 'scratch', not 'transfer'"):
        scored(run)


@pytest.mark.parametrize("name", ["transfer.parquet", "transfer.json"])
def test_a_missing_input_is_reported(run: Path, name: str) -> None:
    (run / "data/transcribe" / name).unlink()
    with pytest.raises(MissingInputError, match=f"data/transcribe/{name}: no such file"):
        scored(run)


@pytest.mark.parametrize(("column", "value", "message"), [
    ("confidence", 1.5, "confidence of 1 rows is not within 0..1, first speak-pt/005"),
    ("confidence", float("nan"), "confidence of 1 rows"),
    ("duration_s", 0.0, "duration of 1 rows is not above 0"),
    ("hypothesis", None, "hypothesis missing in 1 rows, first speak-pt/005"),
    ("hypothesis", "a", "1 rows lack one word_confidence within 0..1 per word, first speak-pt/005"),
    ("utterance_id", "speak-pt/004", "1 ids twice, first speak-pt/004"),
])
def test_invalid_hypotheses_are_refused_with_their_utterance(run: Path, column: str, value: Any, message: str) -> None:
    rows = table()
    rows.loc[5, column] = value
    write_table(run / "data/transcribe/transfer.parquet", served_greedily(rows))
    with pytest.raises(DataError, match=message):
        scored(run)


def test_empty_hypotheses_are_scored_and_need_no_confidence(run: Path) -> None:
    write_table(run / "data/transcribe/transfer.parquet", served_greedily(
        table().assign(hypothesis="", confidence=float("nan"), word_confidence=[[]] * 60)))
    found = scored(run)
    assert found["wer"]["value"] == 1.0
    assert found["counts"]["deletions"] == found["test_set"]["words"]


def test_each_condition_is_scored_on_its_sample_and_compared_with_clean_audio(run: Path) -> None:
    rows = table()
    rows["robustness"] = [[{"condition": "telephone", "hypothesis": "frio"}, {"condition": "slow", "hypothesis": text}] if number % 2 else []
                          for number, text in enumerate(rows["hypothesis"])]
    write_table(run / "data/transcribe/transfer.parquet", served_greedily(rows))
    with pytest.raises(DataError, match="robustness: hypotheses in telephone, slow; expected none"):
        scored(run)
    changes = {"telephone": {"telephone": True}, "slow": {"speed": 0.9}}
    write_json(run / "data/transcribe/transfer.json", {**FACTS, "robustness": {"conditions": changes}})
    found = scored(run)
    Draft202012Validator(read_json(ROOT / "docs/schemas/score.json")).validate(found)
    robust = found["robustness"]
    assert (robust["utterances"], robust["speakers"]) == (30, 6)
    sample = rows[1::2]
    telephone, slow = robust["conditions"]
    assert [entry["changes"] for entry in (telephone, slow)] == list(changes.values())
    assert telephone["wer"]["value"] == jiwer.wer(sample["reference"].tolist(), ["frio"] * 30)
    assert slow["wer"] == robust["wer"]
    assert slow["wer_change"] == {"value": 0.0, "low": 0.0, "high": 0.0}
    assert telephone["wer_change"]["value"] == pytest.approx(telephone["wer"]["value"] - robust["wer"]["value"])
    assert telephone["wer_change"]["low"] > 0
    rows.at[1, "robustness"] = [{"condition": "slow", "hypothesis": ""}]
    write_table(run / "data/transcribe/transfer.parquet", served_greedily(rows))
    with pytest.raises(DataError, match=r"robustness of speak-pt/003: 2 hypotheses in telephone, slow; expected one in each of slow"):
        scored(run)


def test_served_hypotheses_are_scored_beside_the_greedy_ones(run: Path) -> None:
    greedy = scored(run)
    assert all(greedy[f"{name}_served"] == greedy[name] for name in ("wer", "cer", "counts", "tolerant", "errors"))
    rows = table().assign(hypothesis_served=table()["reference"])
    rows["robustness"] = [[{"condition": "slow", "hypothesis": "frio", "hypothesis_served": text}] for text in rows["reference"]]
    rows["word_confidence_served"] = [[0.9] * len(text.split()) for text in rows["reference"]]
    write_table(run / "data/transcribe/transfer.parquet", rows)
    write_json(run / "data/transcribe/transfer.json", {**FACTS, "robustness": {"conditions": {"slow": {"speed": 0.9}}}})
    found = scored(run)
    Draft202012Validator(read_json(ROOT / "docs/schemas/score.json")).validate(found)
    assert (found["wer"], found["cer"]) == (greedy["wer"], greedy["cer"])
    assert (found["wer_served"]["value"], found["counts_served"]["hits"]) == (0.0, found["test_set"]["words"])
    assert all(part["wer_served"]["value"] == 0 < part["wer"]["value"] for part in found["slices"])
    assert found["robustness"]["conditions"][0]["wer_served"]["value"] == 0 < found["robustness"]["conditions"][0]["wer"]["value"]
    assert found["errors_served"]["word_calibration"]["ece"] == pytest.approx(0.1)


def test_all_invalid_params_are_reported_at_once(run: Path) -> None:
    (run / "params.yaml").write_text(yaml.safe_dump({"score": {"resamples": 10, "levle": 0.9}}))
    with pytest.raises(ParamsError, match=r"(?s)score.resamples.*score.levle: unknown key"):
        scored(run)


def test_the_stage_starts_without_torch_or_scipy_stats() -> None:
    heavy = {"torch", "transformers", "scipy.stats", "matplotlib"}
    listed = f"import sys; import pipeline.score, pipeline.gate; print(*sorted({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", listed], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip() == ""
