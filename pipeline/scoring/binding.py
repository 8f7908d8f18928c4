"""Hypotheses and scores are bound to what they are made from: the test split, and the hypotheses.

A transcription may omit the worst utterances, call every utterance's speaker another one, or rename a slice. A score may state a narrower
interval than its hypotheses have. Neither has an effect on a verdict.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pandas as pd

from pipeline.core.errors import DataError
from pipeline.core.files import read_json, read_table
from pipeline.core.manifest import duration_band, has_names, has_numbers, snr_band
from pipeline.scoring.evidence import Evidence, Rate, System
from pipeline.scoring.scorecard import Resampling, rate
from pipeline.scoring.utterances import Scored, units_in

TEST: Final = "data/split/portuguese/test.parquet"
COPIED: Final = {"reference": "text", "reference_variants": "variants", **{name: name for name in (
    "speaker", "corpus", "locale", "accent", "gender", "age", "speaker_dependent", "duration_s", "normaliser")}}
"""Columns of the hypotheses that are columns of the test split, by their names in both."""
TOLERANCE: Final = 1e-9
"""Largest difference between a stated bound and the recomputed one: processors differ in the last digits."""


def expected_columns(test: pd.DataFrame) -> pd.DataFrame:
    """Return the columns of the hypotheses that a test split determines: texts, speakers and slices.

    Args:
        test: rows of data/split/portuguese/test.parquet.
    """
    return pd.DataFrame({
        "utterance_id": test["utterance_id"], **{name: test[source] for name, source in COPIED.items()},
        "duration_band": list(map(duration_band, test["duration_s"])), "snr_band": list(map(snr_band, test["snr_db"])),
        "numbers": list(map(has_numbers, test["transcript"], test["text"])), "names": list(map(has_names, test["transcript"], test["text"])),
    })


def read_test_split(root: Path) -> pd.DataFrame:
    """Return the columns of the hypotheses that the test split of a checkout determines, by utterance.

    Raises:
        MissingInputError: there is no test split.
    """
    return expected_columns(read_table(root / TEST)).set_index("utterance_id").sort_index()


def check_test_split(hypotheses: pd.DataFrame, expected: pd.DataFrame, where: str) -> None:
    """Check that hypotheses are of all utterances of the test split, with its texts, speakers and slices.

    Args:
        hypotheses: a system's.
        expected: what the test split determines, from `read_test_split`.
        where: their file, for the message.

    Raises:
        DataError: lists what differs, with the first utterance.
    """
    found = hypotheses.set_index("utterance_id").sort_index()
    problems = [f"{len(ids)} utterances {what}, first {ids[0]}" for what, ids in (
        ("missing", expected.index.difference(found.index)), ("that are not in the test split", found.index.difference(expected.index))) if len(ids)]
    common = expected.index.intersection(found.index)
    expected, found = expected.reindex(common), found.reindex(common)
    for name in expected.columns:
        before, now = (table[name].to_numpy(dtype=object) for table in (expected, found))
        if (differ := before != now).any():
            first = differ.argmax()
            problems.append(f"{name} of {int(differ.sum())} utterances, first {common[first]}: {now[first]!r} instead of {before[first]!r}")
    if problems:
        raise DataError(where, "; ".join(problems), f"the utterances of {TEST}", "run `dvc repro transcribe`")


def with_intervals(evidence: Evidence, resampling: Resampling) -> Evidence:
    """Return the evidence with every error rate and its interval computed from the hypotheses.

    Args:
        evidence: as read; its rates are the stated ones.
        resampling: level, number of resamples and seed of the gate.
    """
    def recomputed(system: System) -> System:
        conditions = {name: replace(found, wer=_rate(found.rows, "wer", resampling)) for name, found in system.conditions.items()}
        return replace(system, wer=_rate(system.rows, "wer", resampling), cer=_rate(system.rows, "cer", resampling), conditions=conditions)

    challenger, champion, baseline = map(recomputed, evidence.systems)
    return replace(evidence, challenger=challenger, champion=champion, baseline=baseline, greedy=tuple(map(recomputed, evidence.greedy)),
                   shown=tuple(map(recomputed, evidence.shown)))


def check_scores(root: Path, evidence: Evidence, seed: int) -> None:
    """Check the intervals in the score files of all systems: `check_stated`.

    Args:
        root: the checkout.
        evidence: as read.
        seed: of the scores' resampling.

    Raises:
        DataError: one differs from that of its hypotheses.
    """
    served = "_served" if evidence.greedy else ""
    for system, ending in (*((system, served) for system in evidence.all_systems), *((system, "") for system in evidence.greedy)):
        file = root / f"data/score/{system.name}.json"
        check_stated(system, read_json(file), ending, seed, str(file))


def check_stated(system: System, score: Mapping[str, Any], ending: str, seed: int, where: str) -> None:
    """Check that error rates and intervals in a score are those of its hypotheses, at the score's level.

    Args:
        system: with the hypotheses.
        score: its score file.
        ending: of the keys of its error rates: "_served" for served hypotheses, otherwise "".
        seed: of the score's resampling.
        where: the score file, for the message.

    Raises:
        DataError: a rate differs, or intervals do, which are listed.
    """
    stated = [("", measure, score[measure + ending], system.rows) for measure in ("wer", "cer")]
    stated += [(f" in {entry['condition']}", "wer", entry["wer" + ending], system.conditions[entry["condition"]].rows)
               for entry in (score.get("robustness") or {}).get("conditions", ()) if entry["condition"] in system.conditions]
    problems = []
    for place, measure, entry, rows in stated:
        found = _rate(rows, measure, Resampling(float(entry["level"]), int(entry["resamples"]), seed))
        if abs(entry["value"] - found.value) > TOLERANCE:
            raise DataError(f"score of {system.name}", f"{measure}{ending} {entry['value']}{place}", f"{found.value}, the rate of its hypotheses",
                            f"run `dvc repro score@{system.name}`")
        if any(abs(entry[part] - getattr(found, part)) > TOLERANCE for part in ("low", "high")):
            problems.append(f"{measure}{ending}{place} {entry['low']:.6g} to {entry['high']:.6g} instead of {found.low:.6g} to {found.high:.6g}")
    if problems:
        raise DataError(where, "; ".join(problems), "the intervals of its hypotheses", f"run `dvc repro score@{system.name}`")


def _rate(rows: Scored, measure: str, resampling: Resampling) -> Rate:
    found = rate(rows.words if measure == "wer" else rows.characters, units_in(rows.table), resampling)
    return Rate(*(float("nan") if found[part] is None else float(found[part]) for part in ("value", "low", "high")))
