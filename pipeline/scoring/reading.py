"""Read the evidence of a verdict from the outs of earlier stages, and check that it is complete and finite."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pandas as pd

from pipeline.core.errors import DataError, MissingInputError
from pipeline.core.files import read_json, read_table
from pipeline.core.manifest import HYPOTHESIS, conform
from pipeline.core.timing import read_timing
from pipeline.scoring.binding import check_test_split, read_test_split
from pipeline.scoring.evidence import ConditionResult, Corpus, Evidence, Rate, System
from pipeline.scoring.robustness import in_conditions
from pipeline.scoring.scorecard import SCHEMA as SCORE
from pipeline.scoring.utterances import Scored, as_served, check_hypotheses, scored, speaker_independent

CERTIFICATE: Final = "data/split/portuguese/certificate.json"
NUMBER: Final = (int, float)
LARGEST: Final = 2**53
"""Largest integer that a figure may be: every float up to it is exact."""
SCORE_FIGURES: Final[dict[str, type | tuple[type, ...]]] = {
    "schema": str, "system": str, "test_set.hash": str, "normaliser": str,
    **{f"{rate}{ending}.{part}": NUMBER for rate in ("wer", "cer") for ending in ("", "_served") for part in ("value", "low", "high")},
}
FACT_FIGURES: Final[dict[str, type | tuple[type, ...]]] = {
    "system": str, "weights_hash": str, "model_bytes": int, "vocabulary_hash": str, "training_data_known": bool,
    "invariance.max_logit_difference": NUMBER, "invariance.utterances_changed": int,
    **{f"trained_on_test.{what}": int for what in ("speakers", "sentences", "recordings")},
}


def read_system(name: str, root: Path, test_split: pd.DataFrame) -> tuple[System, System, bool, int]:
    """Return a system as it serves and as it decodes greedily, whether its error rates are speaker-dependent, and the number of all utterances.

    Args:
        name: name of the system.
        root: the checkout.
        test_split: from `read_test_split`.

    Raises:
        MissingInputError: a file is missing.
        DataError: a file lacks a required figure, or has one that is not finite.
    """
    hypothesis_file, score_file, fact_file = (
        root / f"data/{where}" for where in (f"transcribe/{name}.parquet", f"score/{name}.json", f"transcribe/{name}.json")
    )
    table = conform(read_table(hypothesis_file), HYPOTHESIS, str(hypothesis_file))
    check_hypotheses(table, str(hypothesis_file))
    check_test_split(table, test_split, str(hypothesis_file))
    score, facts = read_json(score_file), read_json(fact_file)
    _check_figures(score, SCORE_FIGURES, score_file, f"score@{name}")
    _check_figures(facts, FACT_FIGURES, fact_file, f"transcribe@{name}")
    if (score["schema"], score["system"], facts["system"]) != (SCORE, name, name):
        raise DataError(str(score_file), f"{score['schema']} of {score['system']}", f"{SCORE} of {name}", f"run `dvc repro score@{name}`")
    normaliser = ", ".join(sorted(table["normaliser"].unique()))
    if score["normaliser"] != normaliser:
        raise DataError(str(score_file), f"normaliser {score['normaliser']}", f"{normaliser}, the version in its hypotheses",
                        f"run `dvc repro score@{name}`")
    rows, speaker_dependent = speaker_independent(table)

    def system(hypotheses: pd.DataFrame, ending: str) -> System:
        wer, cer = (Rate(*(score[rate + ending][part] for part in ("value", "low", "high"))) for rate in ("wer", "cer"))
        found = scored(hypotheses)
        conditions = _read_conditions(found, score, ending, score_file)
        return System(name, found, score["test_set"]["hash"], score["normaliser"], wer, cer, facts, conditions)

    return system(as_served(table[rows]), "_served"), system(table[rows], ""), speaker_dependent, len(table)


def _read_conditions(rows: Scored, score: Any, ending: str, where: Path) -> dict[str, ConditionResult]:
    """Return the hypotheses in each condition, with their WER from the score.

    Raises:
        DataError: the score lacks a condition, or its WER differs from that of the hypotheses.
    """
    stated = {entry["condition"]: entry for entry in (score.get("robustness") or {}).get("conditions", ())}
    _, by_condition = in_conditions(rows)
    expected = {f"{name}.wer{ending}.{part}": NUMBER for name in by_condition for part in ("value", "low", "high")}
    _check_figures(stated, expected, where, f"score@{score['system']}")
    results = {}
    for name, degraded in by_condition.items():
        wer = Rate(*(stated[name][f"wer{ending}"][part] for part in ("value", "low", "high")))
        if abs(wer.value - degraded.words.rate()) > 1e-12:
            raise DataError(str(where), f"wer{ending} {wer.value} in {name}", f"{degraded.words.rate()}, the rate of its hypotheses",
                            f"run `dvc repro score@{score['system']}`")
        results[name] = ConditionResult(degraded, wer)
    return results


def _check_figures(found: Any, expected: Mapping[str, type | tuple[type, ...]], where: Path, stage: str) -> None:
    """Check that a file has its required figures, and that all its numbers are finite.

    Raises:
        DataError: lists every figure that is missing, has another type or is not finite.
    """
    problems = [f"{key} is {value}" for key, value in _not_finite(found)]
    for path, kind in expected.items():
        value = found
        for key in path.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            problems.append(f"{path} is {'missing' if value is None else repr(value)}")
    if problems:
        raise DataError(str(where), "; ".join(problems), ", ".join(expected), f"run `dvc repro {stage}`")


def _not_finite(value: Any, path: str = "") -> list[tuple[str, float]]:
    if isinstance(value, dict):
        return [found for key, part in value.items() for found in _not_finite(part, f"{path}.{key}" if path else key)]
    if isinstance(value, list):
        return [found for index, part in enumerate(value) for found in _not_finite(part, f"{path}[{index}]")]
    if isinstance(value, int) and abs(value) > LARGEST:
        return [(path, math.inf)]
    return [(path, value)] if isinstance(value, float) and not math.isfinite(value) else []


def read_corpora(languages: Sequence[str], root: Path) -> list[Corpus]:
    """Return the figures of every corpus of the languages, from the reports of ingest and normalise.

    Raises:
        MissingInputError: a language has no report, or a corpus has only one of the two.
        DataError: a report lacks a figure, or the two differ in the number of utterances.
    """
    corpora = []
    for language in languages:
        folders = {path.parent.name for stage in ("ingest", "normalise") for path in (root / "data" / stage / language).glob("*/report.json")}
        if not folders:
            raise MissingInputError(f"data/ingest/{language}", "no report.json of any corpus", "one per corpus",
                                    "correct gate.data_reports.languages")
        for name in sorted(folders):
            ingest, normalise = (root / f"data/{stage}/{language}/{name}/report.json" for stage in ("ingest", "normalise"))
            ingested, normalised = read_json(ingest), read_json(normalise)
            _check_figures(ingested, {"utterances": int, "rejected": int}, ingest, f"ingest@{name}")
            _check_figures(normalised, {"utterances": int, "kept.utterances": int, "kept.hours": NUMBER, "kept.speakers": int}, normalise,
                           f"normalise@{name}")
            if normalised["utterances"] != ingested["utterances"] or not ingested["utterances"]:
                raise DataError(str(normalise), f"{normalised['utterances']} utterances", f"{ingested['utterances']}, as ingested, and at least one",
                                f"run `dvc repro normalise@{name}`")
            kept = normalised["kept"]
            corpora.append(Corpus(language, name, ingested["rejected"], ingested["utterances"],
                                  normalised["utterances"] - kept["utterances"], kept["hours"], kept["speakers"]))
    return corpora


def read_evidence(root: Path, challenger: str, baseline: str, licence_tables: Sequence[str] = (), languages: Sequence[str] = (),
                  shown: Sequence[str] = ()) -> Evidence:
    """Return everything that the verdict on the challenger depends on.

    Args:
        root: the checkout.
        challenger: the system that may become champion.
        baseline: the system that it is compared with besides the champion.
        licence_tables: paths of the train splits (.parquet), and of the reports of language models (.json), whose licences are checked.
        languages: languages whose corpora are checked.
        shown: further baselines, for information.

    Raises:
        MissingInputError: a file is missing.
        DataError: a file lacks a required figure, or the certificate is of another split.
    """
    test_split = read_test_split(root)
    found = [read_system(name, root, test_split) for name in (challenger, "champion", baseline, *shown)]
    certificate = read_json(root / CERTIFICATE)
    try:
        leaked, test_utterances = int(certificate["left_total"]), int(certificate["splits"]["test"]["utterances"])
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(str(root / CERTIFICATE), f"no usable {error}", "left_total and splits.test.utterances", "run `dvc repro split`") from None
    for system, _, _, utterances in found:
        if utterances != test_utterances:
            raise DataError(f"data/transcribe/{system.name}.parquet", f"{utterances} utterances", f"{test_utterances}, which the certificate covers",
                            f"run `dvc repro transcribe@{system.name}`")
    licences: dict[str, int] = {}
    for path in licence_tables:
        for name, count in _licences(root / path):
            licences[name] = licences.get(name, 0) + count
    first, second, third, *others = (system for system, _, _, _ in found)
    return Evidence(first, second, third, leaked, licences, speaker_dependent=found[0][2], corpora=read_corpora(languages, root),
                    speed=read_speed(first, root),
                    shown=tuple(others), greedy=tuple(greedy for _, greedy, _, _ in found))


def _licences(file: Path) -> list[tuple[str, int]]:
    """Return licences with the number of utterances (sentences) under each; a text under several counts for each."""
    if file.suffix != ".json":
        return [(str(name), int(count)) for name, count in read_table(file, ["licence"])["licence"].value_counts().items()]
    report = read_json(file)
    _check_figures(report, {"texts": dict}, file, "language_model")
    return [(str(licence), int(text["sentences"])) for text in report["texts"].values() for licence in text["licences"]]


def read_speed(system: System, root: Path) -> Rate | None:
    """Return a system's relative speed from data/timing/, None if it was not measured or was measured for other weights."""
    measured = read_timing(f"transcribe@{system.name}", root) or {}
    if measured.get("weights_hash") != system.facts["weights_hash"] or not isinstance(measured.get("relative_speed"), dict):
        return None
    bounds = [measured["relative_speed"].get(part) for part in ("value", "low", "high")]
    return Rate(*bounds) if all(isinstance(bound, int | float) and math.isfinite(bound) for bound in bounds) else None
