"""Read what a verdict rests on, from the files of the stages before it: nothing missing, no number that is none."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from pipeline.core.errors import DataError, MissingInputError
from pipeline.core.files import read_json, read_table
from pipeline.core.manifest import HYPOTHESIS, conform
from pipeline.core.timing import read_timing
from pipeline.scoring.evidence import Corpus, Evidence, ConditionResult, Rate, System
from pipeline.scoring.robustness import in_conditions
from pipeline.scoring.scorecard import SCHEMA as SCORE
from pipeline.scoring.utterances import Scored, check_hypotheses, scored, speaker_independent

CERTIFICATE: Final = "data/split/portuguese/certificate.json"
NUMBER: Final = (int, float)
SCORE_FIGURES: Final[dict[str, type | tuple[type, ...]]] = {
    "schema": str, "system": str, "test_set.hash": str, "normaliser": str,
    **{f"{rate}.{part}": NUMBER for rate in ("wer", "cer") for part in ("value", "low", "high")},
}
FACT_FIGURES: Final[dict[str, type | tuple[type, ...]]] = {
    "system": str, "weights_hash": str, "model_bytes": int, "vocabulary_hash": str, "training_data_known": bool,
    "invariance.max_logit_difference": NUMBER, "invariance.utterances_changed": int,
    **{f"trained_on_test.{what}": int for what in ("speakers", "sentences", "recordings")},
}


def read_system(name: str, root: Path) -> tuple[System, bool, int]:
    """Return a system from its files, whether its figures are speaker-dependent, and the number of all its utterances.

    Raises:
        MissingInputError: a file is not there.
        DataError: a file lacks what it must have, or holds a number that is none.
    """
    hypotheses, score_file, fact_file = (
        root / f"data/{where}" for where in (f"transcribe/{name}.parquet", f"score/{name}.json", f"transcribe/{name}.json")
    )
    table = conform(read_table(hypotheses), HYPOTHESIS, str(hypotheses))
    check_hypotheses(table, str(hypotheses))
    score, known = read_json(score_file), read_json(fact_file)
    _check_figures(score, SCORE_FIGURES, score_file, f"score@{name}")
    _check_figures(known, FACT_FIGURES, fact_file, f"transcribe@{name}")
    if (score["schema"], score["system"], known["system"]) != (SCORE, name, name):
        raise DataError(str(score_file), f"{score['schema']} of {score['system']}", f"{SCORE} of {name}", f"run `dvc repro score@{name}`")
    normaliser = ", ".join(sorted(table["normaliser"].unique()))
    if score["normaliser"] != normaliser:
        raise DataError(str(score_file), f"normaliser {score['normaliser']}", f"{normaliser}, as in its hypotheses",
                        f"run `dvc repro score@{name}`")
    rows, speaker_dependent = speaker_independent(table)
    wer, cer = (Rate(*(score[rate][part] for part in ("value", "low", "high"))) for rate in ("wer", "cer"))
    heard = scored(table[rows])
    system = System(name, heard, score["test_set"]["hash"], score["normaliser"], wer, cer, known, _conditions_of(heard, score, score_file))
    return system, speaker_dependent, len(table)


def _conditions_of(rows: Scored, score: Any, where: Path) -> dict[str, ConditionResult]:
    """Return what was heard in each condition, with its WER by the score.

    Raises:
        DataError: the score lacks a condition, or has another WER than the hypotheses.
    """
    stated = {entry["condition"]: entry for entry in (score.get("robustness") or {}).get("conditions", ())}
    _, under = in_conditions(rows)
    _check_figures(stated, {f"{name}.wer.{part}": NUMBER for name in under for part in ("value", "low", "high")}, where, f"score@{score['system']}")
    found = {}
    for name, heard in under.items():
        wer = Rate(*(stated[name]["wer"][part] for part in ("value", "low", "high")))
        if abs(wer.value - heard.words.rate()) > 1e-12:
            raise DataError(str(where), f"wer {wer.value} in {name}", f"{heard.words.rate()}, as its hypotheses have it",
                            f"run `dvc repro score@{score['system']}`")
        found[name] = ConditionResult(heard, wer)
    return found


def _check_figures(found: Any, expected: dict[str, type | tuple[type, ...]], where: Path, stage: str) -> None:
    """Check that a file has its figures, all of them finite.

    Raises:
        DataError: with everything that is missing, of another type or no finite number.
    """
    problems = [f"{place} is {value}" for place, value in _not_finite(found)]
    for place, kind in expected.items():
        value = found
        for key in place.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            problems.append(f"{place} is {'missing' if value is None else repr(value)}")
    if problems:
        raise DataError(str(where), "; ".join(problems), ", ".join(expected), f"run `dvc repro {stage}`")


def _not_finite(value: Any, place: str = "") -> list[tuple[str, float]]:
    if isinstance(value, dict):
        return [found for key, part in value.items() for found in _not_finite(part, f"{place}.{key}" if place else key)]
    if isinstance(value, list):
        return [found for index, part in enumerate(value) for found in _not_finite(part, f"{place}[{index}]")]
    return [(place, value)] if isinstance(value, float) and not math.isfinite(value) else []


def read_corpora(languages: Sequence[str], root: Path) -> list[Corpus]:
    """Return what ingest and normalise reported of every corpus of some languages.

    Raises:
        MissingInputError: a language has no report, or a corpus only one of the two.
        DataError: a report lacks a figure, or the two are not on the same utterances.
    """
    corpora = []
    for language in languages:
        folders = {path.parent.name for stage in ("ingest", "normalise") for path in (root / "data" / stage / language).glob("*/report.json")}
        if not folders:
            raise MissingInputError(f"data/ingest/{language}", "no report.json of any corpus", "one for each", "correct gate.data_reports.languages")
        for name in sorted(folders):
            ingest, normalise = (root / f"data/{stage}/{language}/{name}/report.json" for stage in ("ingest", "normalise"))
            taken, kept = read_json(ingest), read_json(normalise)
            _check_figures(taken, {"utterances": int, "rejected": int}, ingest, f"ingest@{name}")
            _check_figures(kept, {"utterances": int, "kept.utterances": int, "kept.hours": NUMBER, "kept.speakers": int}, normalise,
                           f"normalise@{name}")
            if kept["utterances"] != taken["utterances"] or not taken["utterances"]:
                raise DataError(str(normalise), f"{kept['utterances']} utterances", f"{taken['utterances']}, as ingested, and at least one",
                                f"run `dvc repro normalise@{name}`")
            corpora.append(Corpus(language, name, taken["rejected"], taken["utterances"], kept["utterances"] - kept["kept"]["utterances"],
                                  kept["kept"]["hours"], kept["kept"]["speakers"]))
    return corpora


def read_evidence(root: Path, challenger: str, baseline: str, licence_tables: Sequence[str] = (), languages: Sequence[str] = ()) -> Evidence:
    """Return everything that a verdict on the challenger rests on.

    Args:
        root: the checkout.
        challenger: the system that may become champion.
        baseline: the system that it is compared with besides the champion.
        licence_tables: the train splits whose licences count.
        languages: whose corpora's reports count.

    Raises:
        MissingInputError: a file is not there.
        DataError: a file lacks what it must have, or the certificate is of another split.
    """
    found = [read_system(name, root) for name in (challenger, "champion", baseline)]
    certificate = read_json(root / CERTIFICATE)
    try:
        left, tested = int(certificate["left_total"]), int(certificate["splits"]["test"]["utterances"])
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(str(root / CERTIFICATE), f"no usable {error}", "left_total and splits.test.utterances", "run split again") from None
    for system, _, utterances in found:
        if utterances != tested:
            raise DataError(f"data/transcribe/{system.name}.parquet", f"{utterances} utterances", f"{tested}, which the certificate covers",
                            f"run `dvc repro transcribe@{system.name}`")
    licences: dict[str, int] = {}
    for path in licence_tables:
        for name, count in read_table(root / path, ["licence"])["licence"].value_counts().items():
            licences[str(name)] = licences.get(str(name), 0) + int(count)
    systems = (system for system, _, _ in found)
    return Evidence(*systems, left, licences, speaker_dependent=found[0][1], corpora=read_corpora(languages, root),
                    speed=read_speed(found[0][0], root))


def read_speed(system: System, root: Path) -> Rate | None:
    """Return a system's relative speed from data/timing/, None if it was not measured or was measured for other weights."""
    measured = read_timing(f"transcribe@{system.name}", root) or {}
    if measured.get("weights_hash") != system.facts["weights_hash"] or not isinstance(measured.get("relative_speed"), dict):
        return None
    bounds = [measured["relative_speed"].get(part) for part in ("value", "low", "high")]
    return Rate(*bounds) if all(isinstance(bound, int | float) and math.isfinite(bound) for bound in bounds) else None
