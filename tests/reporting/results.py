"""Results of a small synthetic run, in the formats of the stages."""

from __future__ import annotations

import io
import json
import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import soundfile
import yaml

from pipeline.core.manifest import HYPOTHESIS, SHARD, SPLIT, conform, counts
from pipeline.reporting.curves import Curve, Point
from tests.served import served_greedily

SENTENCES = (
    "a menina comprou três maçãs no mercado da praça",
    "o trem das oito e meia chegou atrasado à estação",
    "meu avô guarda o relógio na gaveta do quarto",
    "as janelas da cozinha dão para o jardim",
    "amanhã vamos viajar de ônibus até o litoral",
    "ninguém sabia onde ficava a chave do portão",
    "o médico pediu vinte e cinco reais pela consulta",
    "choveu tanto que o rio cobriu a ponte",
)
DONOR_WER = 0.95


@dataclass(frozen=True, slots=True)
class Training:
    """A trained system: its WER on the test set, and its dev CER as an exponential decay over the steps."""

    wer: float
    steps: int
    final_cer: float
    decay_steps: int
    first_step: int
    params: Mapping[str, Any]


TRAININGS = {
    "transfer": Training(0.22, 400, 0.11, 60, 0, {"starts_from": "data/donor"}),
    "scratch": Training(0.6, 400, 0.3, 150, 80, {"starts_from": "data/donor/config.json"}),
    "scratch_long": Training(0.31, 1200, 0.12, 250, 90, {"starts_from": "data/donor/config.json", "steps_factor": 3}),
}


def interval(value: float, width: float) -> dict[str, Any]:
    """Return a rate in the form of a score file."""
    return {"value": value, "low": value - width, "high": value + width, "level": 0.95, "unit": "speaker", "resamples": 10_000}


def with_errors(text: str, rate: float, dice: random.Random) -> str:
    """Return a text with about a share `rate` of its words substituted, deleted or followed by an insertion."""
    words = []
    for word in text.split():
        if dice.random() >= rate:
            words.append(word)
        elif (kind := dice.random()) < 0.7:
            words.append(word[:-1] + dice.choice("aeios") if len(word) > 1 else "o")
        elif kind < 0.85:
            words += [word, "de"]
    return " ".join(words)


def flac(index: int, duration_s: float) -> bytes:
    """Return a soft tone as 16 kHz FLAC; its pitch rises with `index`."""
    time_S = np.arange(int(16_000 * duration_s)) / 16_000
    tone = 0.2 * np.sin(2 * np.pi * (180 + 15 * index) * time_S) * np.sin(np.pi * time_S / duration_s)
    buffer = io.BytesIO()
    soundfile.write(buffer, (tone * 32767).astype(np.int16), 16_000, format="FLAC", subtype="PCM_16")
    return buffer.getvalue()


def curve(system: str, *points: tuple[int, float]) -> Curve:
    """Return a learning curve with a CER at each of some steps; a step processes 6 s of audio."""
    return Curve(system, tuple(Point(step, cer, 6.0 * step) for step, cer in points), points[-1][0])


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, ensure_ascii=False))


def edit(path: Path, change: Callable[[Any], object]) -> None:
    """Change a JSON file by a function that changes its value in place."""
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))


def write_run(
    root: Path, trainings: Mapping[str, Training] = TRAININGS, challenger: str = "transfer", baseline: str = "scratch", clips: int = 8,
    audio_mb: float = 0,
) -> Path:
    """Write the params and all results of a run under `root`.

    Args:
        root: a folder; created.
        trainings: the trained systems by name; donor and champion are added.
        challenger: the trained system that the verdict is about.
        baseline: the trained system that it is compared with besides the champion.
        clips: `report.clips`.
        audio_mb: `report.audio_mb`.

    Returns:
        `root`.
    """
    data = root / "data"
    root.mkdir(parents=True, exist_ok=True)
    (root / "params.yaml").write_text(yaml.safe_dump({
        "train": {"systems": {name: dict(training.params) for name, training in trainings.items()}},
        "gate": {"challenger": challenger, "baseline": baseline},
        "report": {"clips": clips, "audio_mb": audio_mb},
    }, sort_keys=False))
    test = utterance_table()
    write_shards(data / "ingest/portuguese/speak-pt", test)
    write_split(data / "split/portuguese", test)
    write_manifest(data, test)
    for system, wer in {**{name: training.wer for name, training in trainings.items()}, "donor": DONOR_WER}.items():
        write_hypotheses(data, system, wer, test)
        write_score(data, system, wer, test, robustness=system in (challenger, "donor"))
    write_champion_like_donor(data)
    write_verdict(data, trainings, challenger, baseline)
    for system, training in trainings.items():
        write_training(data, system, training, head_plan=system == challenger)
    write_donor(data)
    for language, corpus in (("portuguese", "speak-pt"), ("spanish", "speak-es")):
        write_corpus_reports(data, language, corpus)
    write_ranking(data)
    return root


def utterance_table(speakers: int = 12) -> pd.DataFrame:
    """Return a test split of four utterances per speaker."""
    rows = []
    for index in range(4 * speakers):
        number = index % speakers
        text = SENTENCES[index % len(SENTENCES)]
        rows.append({
            "utterance_id": f"speak-pt/{index:05d}", "corpus": "speak-pt", "language": "portuguese", "speaker": f"speak-pt/s{number:03d}",
            "locale": ("pt-BR", "pt-PT")[number % 2], "gender": ("female", "male")[number // 2 % 2], "accent": "", "age": "",
            "licence": "CC0-1.0", "source": "espeak", "release_split": "",
            "transcript": text.capitalize() + ".", "text": text, "variants": text,
            "duration_s": 1.0 + index % 5 / 10, "peak": 0.2, "rms_db": -20.0, "clipped": 0.0, "dc_offset": 0.0, "snr_db": 25.0, "silence": 0.1,
            "audio_hash": f"{index:064x}", "fingerprint": "", "shard": f"shard-{index // 30:05d}.parquet", "row": index % 30,
            "normaliser": "pt-BR/1", "speaker_dependent": False,
        })
    return pd.DataFrame(rows)


def write_shards(folder: Path, test: pd.DataFrame) -> None:
    """Write the audio of the test split, in several row groups per shard."""
    folder.mkdir(parents=True)
    for shard, part in test.groupby("shard"):
        rows = [{**row, "audio": {"bytes": flac(int(row["row"]), row["duration_s"]), "path": None}} for row in part.to_dict("records")]
        pq.write_table(pa.Table.from_pylist(rows, schema=SHARD), folder / str(shard), row_group_size=7)


def write_split(folder: Path, test: pd.DataFrame) -> None:
    """Write the test split and a training set."""
    folder.mkdir(parents=True)
    for name, part in (("test", test), ("train", test[test["text"] != SENTENCES[-1]])):  # the words of the last sentence are in no training text
        conform(part, SPLIT, name).to_parquet(folder / f"{name}.parquet", index=False)


def write_manifest(data: Path, test: pd.DataFrame) -> None:
    """Write what ingest rejected and what normalisation kept and dropped: the test utterances, and two that it drops."""
    table = test.assign(keep=test.index > 1, drop_reason=["other script" if index < 2 else "" for index in test.index])
    table.loc[2, ["transcript", "text"]] = ["O café custa R$ 2,00 às 8h.", "o café custa dois reais às oito horas"]
    (data / "normalise/portuguese/speak-pt").mkdir(parents=True)
    table.to_parquet(data / "normalise/portuguese/speak-pt/manifest.parquet", index=False)
    rejects = [{"utterance_id": f"speak-pt/9{index}", "corpus": "speak-pt", "source": f"{index}.wav", "reason": "too short", "detail": "0.1 s"}
               for index in range(3)]
    pd.DataFrame(rejects).to_parquet(data / "ingest/portuguese/speak-pt/rejects.parquet", index=False)
    removed = {"utterance_id": "speak-pt/77", "split": "train", "rule": "near_duplicate", "meets": "speak-pt/00003"}
    pd.DataFrame([removed]).to_parquet(data / "split/portuguese/removed.parquet", index=False)


def write_hypotheses(data: Path, system: str, wer: float, test: pd.DataFrame) -> None:
    """Write the outs of `transcribe`; each utterance has its own error rate around `wer`."""
    dice = random.Random(7)
    table = test.assign(
        duration_band="0-2 s", snr_band="20-30 dB", reference=test["text"], reference_variants=test["text"],
        hypothesis=[with_errors(text, wer * (0.2 + 1.6 * dice.random()), dice) for text in test["text"]],
        confidence=0.9, numbers="no", names="", word_confidence=[[] for _ in test["text"]], robustness=[[] for _ in test["text"]],
    ).pipe(served_greedily)
    (data / "transcribe").mkdir(exist_ok=True)
    conform(table, HYPOTHESIS, system).to_parquet(data / f"transcribe/{system}.parquet", index=False)
    write_json(data / f"transcribe/{system}.json", {"system": system, "parameters": 1_204_352})


SLICES: Sequence[tuple[str, str, int, float]] = (
    ("locale", "pt-BR", 24, -0.02), ("locale", "pt-PT", 24, 0.02), ("gender", "female", 24, 0.01), ("gender", "", 2, -0.01),
)
"""Column, value, utterances, and difference of the WER from the whole test set's."""


def write_score(data: Path, system: str, wer: float, test: pd.DataFrame, robustness: bool) -> None:
    """Write a score with slices and error analysis, and with a condition of robustness if asked for."""
    write_json(data / f"score/{system}.json", {
        "schema": "vizinho.score/3", "system": system, "normaliser": "pt-BR/1",
        "test_set": {"hash": "5e" * 32, **counts(test), "words": 412, "speaker_dependent": False},
        "wer": interval(wer, 0.03), "cer": interval(wer / 3, 0.01), "wer_served": interval(wer, 0.03), "cer_served": interval(wer / 3, 0.01),
        "counts": {"substitutions": 60, "insertions": 12, "deletions": 20, "hits": 320},
        "counts_served": {"substitutions": 60, "insertions": 12, "deletions": 20, "hits": 320},
        "tolerant": {"wer": wer - 0.004, "cer": wer / 3 - 0.001}, "tolerant_served": {"wer": wer - 0.004, "cer": wer / 3 - 0.001},
        "slices": [
            {"slice": {key: value}, "utterances": size, "speakers": 6, "wer": interval(wer + shift, 0.05), "cer": interval(wer / 3, 0.02),
             "wer_served": interval(wer + shift, 0.05), "cer_served": interval(wer / 3, 0.02)}
            for key, value, size, shift in SLICES
        ],
        "errors": error_analysis(wer), "errors_served": error_analysis(wer),
        "robustness": robustness_figures(wer) if robustness else None,
    })


def error_analysis(wer: float) -> dict[str, Any]:
    """Return `errors` of a score."""
    return {
        "mer": wer * 0.95, "wil": wer * 1.4,
        "substitutions": [{"reference": "avô", "hypothesis": "avó", "count": 9}],
        "insertions": [{"token": "de", "count": 7}],
        "deletions": [{"token": "à", "count": 5}],
        "characters": {
            "substitutions": [{"reference": "ã", "hypothesis": "a", "count": 31}], "insertions": [{"token": " ", "count": 4}], "deletions": [],
            "groups": {"accents": 40, "s/z": 6, "lh/nh": 2, "other": 21},
        },
        "worst": [
            {"utterance_id": "speak-pt/00002", "reference": "o rio cobriu a ponte", "hypothesis": "o rico cobrir ponte", "errors": 3, "words": 5},
        ],
        "calibration": {"ece": 0.034, "bins": []}, "word_calibration": {"ece": 0.051, "bins": [
            {"low": 0.5, "high": 0.6, "words": 40, "confidence": 0.55, "accuracy": 0.425},
            {"low": 0.9, "high": 1.0, "words": 360, "confidence": 0.97, "accuracy": 0.931},
        ]},
    }


def robustness_figures(wer: float) -> dict[str, Any]:
    """Return `robustness` of a score, with one condition."""
    return {
        "utterances": 30, "speakers": 12, "words": 240, "wer": interval(wer, 0.05), "cer": interval(wer / 3, 0.02),
        "wer_served": interval(wer, 0.05), "cer_served": interval(wer / 3, 0.02),
        "conditions": [{
            "condition": "noise_10_db", "changes": {"speed": 1.0, "snr_db": 10.0, "telephone": False, "codec": None},
            "wer": interval(wer + 0.1, 0.05), "cer": interval(wer / 3 + 0.04, 0.02), "wer_change": {"value": 0.1, "low": 0.07, "high": 0.13},
            "wer_served": interval(wer + 0.1, 0.05), "cer_served": interval(wer / 3 + 0.04, 0.02),
            "wer_change_served": {"value": 0.1, "low": 0.07, "high": 0.13},
        }],
    }


def write_champion_like_donor(data: Path) -> None:
    """Write the champion's hypotheses and score as copies of the donor's: no Portuguese model is in use yet."""
    for name in ("parquet", "json"):
        (data / f"transcribe/champion.{name}").write_bytes((data / f"transcribe/donor.{name}").read_bytes())
    write_json(data / "score/champion.json", {**json.loads((data / "score/donor.json").read_text()), "system": "champion"})


def comparison(challenger_wer: float, rival_wer: float) -> dict[str, Any]:
    """Return a comparison in the form of a verdict."""
    figures = {}
    for name, divisor in (("wer", 1), ("cer", 3)):
        value = (challenger_wer - rival_wer) / divisor
        figures[name] = {
            "champion": rival_wer / divisor, "challenger": challenger_wer / divisor,
            "difference": {"value": value, "low": value - 0.04, "high": value + 0.04}, "p_bootstrap": 0.0001, "p_mapsswe": 0.0123,
        }
    return figures


def rule(name: str, **changed: Any) -> dict[str, Any]:
    """Return a rule of a verdict, enabled and passed unless changed."""
    return {
        "name": name, "enabled": True, "value": 0.22, "low": 0.19, "high": 0.25, "limit": 0.35, "passed": True,
        "reason": "the interval is below the limit", **changed,
    }


def write_verdict(data: Path, trainings: Mapping[str, Training], challenger: str, baseline: str) -> None:
    """Write a verdict that promotes, with a rule that is disabled."""
    wer = trainings[challenger].wer
    write_json(data / "gate/verdict.json", {
        "schema": "vizinho.verdict/5", "verdict": "promote", "policy_hash": "9a" * 32,
        "challenger": {"system": challenger, "model": f"data/train/{challenger}"},
        "champion": {"system": "champion", "model": "data/donor"},
        "rules": [
            rule("max_wer"),
            rule("beats_baseline", value=-0.38, low=-0.42, high=-0.34, limit=0, reason="the whole interval is below zero"),
            rule("export_parity", enabled=False, value=None, low=None, high=None, limit=None, passed=None, reason="no model was exported"),
        ],
        **{hypotheses: {"champion": comparison(wer, DONOR_WER), baseline: comparison(wer, trainings[baseline].wer)}
           for hypotheses in ("comparisons", "comparisons_greedy")},
        "self_test": {
            "passed": True,
            "planted": [{"name": "ids shuffled", "expected": "reject", "found": "reject", "passed": True, "reason": ""}],
        },
        "power": {"target": 0.8, "draws": 10_000, "gains": [{
            "gain": 0.1, "probability": 0.62, "limited_by": "improvement",
            "needed": {"enlarge": "test set", "times": 1.5, "unit": "speaker", "now": 32, "number": 48},
            "reason": "a true gain of 10 % passes with a probability of 62 %", "rules": [{"name": "improvement", "probability": 0.62}],
        }]},
    })


def write_training(data: Path, system: str, training: Training, head_plan: bool) -> None:
    """Write a training's history, evaluated every 50 steps, and its record."""

    def dev_cer(step: int) -> float:
        return training.final_cer + (1 - training.final_cer) * math.exp(-max(0, step - training.first_step) / training.decay_steps)

    history = [
        {
            "step": step, "audio_s": 12.0 * step, "learning_rate": 1e-3, "loss": 1.0,
            "dev_cer": dev_cer(step) if step % 50 == 0 else None, "dev_wer": None,
        }
        for step in range(25, training.steps + 1, 25)
    ]
    folder = data / "train" / system
    folder.mkdir(parents=True)
    pd.DataFrame(history).to_csv(folder / "history.csv", index=False)
    plan = [
        {"symbol": "a", "donor_symbol": "a", "donor_row": 3, "how": "copied"},
        {"symbol": "ã", "donor_symbol": "a", "donor_row": 3, "how": "base letter"},
        {"symbol": "ç", "donor_symbol": "", "donor_row": None, "how": "fresh"},
    ]
    write_json(folder / "vizinho.json", {
        "schema": "vizinho.model/2", "vocabulary_hash": "ab" * 32, "weights_hash": "cd" * 32, "label": f"train@{system}", "seed": 1,
        "normaliser": "pt-BR/1", "params": {"steps": training.steps, "peak_rate": 1e-3, "buckets": [2, 4, 8]},
        "head_plan": plan if head_plan else None, "versions": {"python": "3.11.9", "torch": "2.12.1"},
    })


def write_donor(data: Path) -> None:
    """Write the donor's history of 1000 steps, and its record."""
    (data / "donor").mkdir()
    pd.DataFrame({"step": [500, 1000], "dev_cer": [0.2, 0.04]}).to_csv(data / "donor/history.csv", index=False)
    write_json(data / "donor/vizinho.json", {"schema": "vizinho.model/2", "weights_hash": "ef" * 32, "seed": 1, "params": {"steps": 1000}})


def write_corpus_reports(data: Path, language: str, corpus: str) -> None:
    """Write the reports of ingest and normalise on a corpus, and its language's leakage certificate."""
    write_json(data / f"ingest/{language}/{corpus}/report.json", {
        "corpus": corpus, "utterances": 1496, "speakers": 120, "hours": 1.512, "rejected": 4, "rejects": {"too short": 3, "silent": 1},
        "synthetic": language == "portuguese",
    })
    write_json(data / f"normalise/{language}/{corpus}/report.json", {"kept": 1495, "dropped": {"other script": 1}})
    size = {"utterances": 400, "speakers": 40, "hours": 0.5, "unknown_speaker": 0, "speaker_dependent": 0}
    write_json(data / f"split/{language}/certificate.json", {
        "schema": "vizinho.certificate/1", "language": language, "left_total": 0, "left": {"speaker": 0, "sentence": 0},
        "removed": {"train": {"sentence": 12, "near_duplicate": 31}, "dev": {"sentence": 2, "near_duplicate": 0}},
        "splits": dict.fromkeys(("train", "dev", "test"), size),
        "notes": ["3 utterances have no fingerprint."],
    })


def write_ranking(data: Path) -> None:
    """Write a donor ranking of two candidates; Italian is first, and Spanish is not separated from it."""
    first = {"language": "it", "runner_up": "es", "lead": {"value": 0.5, "low": -0.1, "high": 1.1}, "not_distinguished": ["es"], "share_first": 0.7}
    values = {"it": {"value": 0.9, "low": 0.7, "high": 1.1, "rank": 1.0}, "es": {"value": -0.9, "low": -1.1, "high": -0.7, "rank": 2.0}}
    write_json(data / "rank/ranking.json", {
        "schema": "vizinho.rank/3", "target": "pt-BR", "concepts": 100, "nearest": first,
        "levels": [{"level": name, "counted": name != "acoustic", "values": values, **first, "not_distinguished": []}
                   for name in ("lexical", "phonological", "orthographic", "acoustic")],
        "agreement": {"in_words": "The 4 levels agree closely on the order."},
        "advice": {"take": "Take Italian or Spanish.", "sure": "These 2 are not separated.", "changes": ["A checkpoint trained on more hours."]},
        "candidates": [
            {"rank": 1, "language": "it", "name": "Italian", "score": {"value": 1.21, "low": 1.0, "high": 1.4}},
            {"rank": 2, "language": "es", "name": "Spanish", "score": {"value": -0.71, "low": -0.9, "high": -0.5}},
        ],
    })
