"""A run folder as the gate reads it: systems that get a share of the words wrong, scores, reports and policy."""

from __future__ import annotations

import functools
import itertools
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from pipeline import gate, score
from pipeline.core.files import ROOT, read_json, write_json, write_table
from pipeline.core.manifest import HYPOTHESIS, SLICES, conform
from pipeline.scoring.binding import TEST, expected_columns
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


def validate(verdict: dict[str, Any]) -> None:
    schemas = {name: read_json(ROOT / f"docs/schemas/{name}.json") for name in ("verdict", "compare")}
    registry: Registry[Any] = Registry().with_resources([(f"{name}.json", Resource.from_contents(schema)) for name, schema in schemas.items()])
    Draft202012Validator.check_schema(schemas["verdict"])
    Draft202012Validator(schemas["verdict"], registry=registry).validate(verdict)


PARITY = {"export_parity": {"enabled": True}}

ROBUST = {"robustness": {"enabled": True, "max_wer": {"telephone": 0.4, "noise_10_db": 0.6}}}


def add_conditions(root: Path, name: str, **wrong: float) -> None:
    """Add hypotheses in degraded conditions to a system."""
    write_system(root, name, in_conditions(pd.read_parquet(root / f"data/transcribe/{name}.parquet"), wrong))
