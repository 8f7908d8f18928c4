"""The rows that are scored: which rows the error rates cover, their alignment, their slices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.core.errors import DataError
from pipeline.core.files import hash_json
from pipeline.core.manifest import SLICES
from pipeline.scoring.bootstrap import Units, unit_of, units_of
from pipeline.scoring.counts import Counts, align, count

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Scored:
    """One system's hypotheses with their counts, sorted by utterance id.

    `table` has at least the columns utterance_id, speaker, reference, hypothesis.
    """

    table: pd.DataFrame
    words: Counts
    characters: Counts

    def of(self, rows: Mask) -> Scored:
        """Return the selected utterances (a mask)."""
        return Scored(self.table.loc[rows].reset_index(drop=True), self.words.of(rows), self.characters.of(rows))


def check_hypotheses(table: pd.DataFrame, where: str) -> None:
    """Check the hypotheses of a system.

    Raises:
        DataError: the table is empty, an id occurs twice, a text is missing, or a confidence is not within 0..1.
    """
    problems = []
    if table.empty:
        problems.append("no utterance")
    if len(doubled := table.loc[table["utterance_id"].duplicated(), "utterance_id"]):
        problems.append(f"{len(doubled)} ids twice, first {doubled.iloc[0]}")
    for name in ("speaker", "reference", "reference_variants", "hypothesis", "hypothesis_served", "normaliser", "speaker_dependent"):
        if table[name].isna().any():
            missing = table.loc[table[name].isna(), "utterance_id"]
            problems.append(f"{name} missing in {len(missing)} rows, first {missing.iloc[0]}")
    for ending in ("", "_served"):
        texts = table[f"hypothesis{ending}"].fillna("")
        if len(invalid := table.loc[(texts.str.strip() != "") & ~table[f"confidence{ending}"].between(0, 1), "utterance_id"]):
            problems.append(f"confidence{ending} of {len(invalid)} rows is not within 0..1, first {invalid.iloc[0]}")
        valid = [values is not None and len(values) == len(text.split()) and all(0 <= value <= 1 for value in values)
                 for values, text in zip(table[f"word_confidence{ending}"], texts, strict=True)]
        if len(invalid := table.loc[np.logical_not(valid), "utterance_id"]):
            problems.append(f"{len(invalid)} rows lack one word_confidence{ending} within 0..1 per word, first {invalid.iloc[0]}")
    if len(invalid := table.loc[~(table["duration_s"] > 0), "utterance_id"]):
        problems.append(f"duration of {len(invalid)} rows is not above 0, first {invalid.iloc[0]}")
    if problems:
        raise DataError(where, "; ".join(problems), "one complete row per utterance", "transcribe the test set again")


def as_served(table: pd.DataFrame) -> pd.DataFrame:
    """Return the hypotheses of a system with those of its decoder as the hypotheses, in the conditions as well."""
    conditions = pd.Series([[{**entry, "hypothesis": entry["hypothesis_served"]} for entry in entries] for entries in table["robustness"]],
                           index=table.index, dtype=object)
    return table.assign(hypothesis=table["hypothesis_served"], confidence=table["confidence_served"],
                        word_confidence=table["word_confidence_served"], robustness=conditions)


def serves_greedily(table: pd.DataFrame) -> bool:
    """Return whether a system serves exactly what it decodes greedily, in the conditions as well."""
    return (table["hypothesis"].equals(table["hypothesis_served"]) and table["confidence"].equals(table["confidence_served"])
            and all(map(np.array_equal, table["word_confidence"], table["word_confidence_served"]))
            and all(entry["hypothesis"] == entry["hypothesis_served"] for entries in table["robustness"] for entry in entries))


def scored(table: pd.DataFrame) -> Scored:
    """Return the hypotheses with their word and character counts."""
    table = table.sort_values("utterance_id", kind="stable").reset_index(drop=True)
    references, hypotheses = table["reference"].tolist(), table["hypothesis"].tolist()
    return Scored(table, count(align(references, hypotheses, "words")), count(align(references, hypotheses, "characters")))


def speaker_independent(table: pd.DataFrame) -> tuple[Mask, bool]:
    """Return the mask of the rows that the error rates cover, and whether these rows are speaker-dependent.

    Rows of a corpus that was split by sentence are excluded and form separate slices, so that they never improve the
    error rates. If all rows are speaker-dependent, the error rates cover them and are marked so.
    """
    dependent = table["speaker_dependent"].to_numpy(dtype=bool)
    return (dependent, True) if dependent.all() else (~dependent, False)


def units_in(table: pd.DataFrame) -> Units:
    """Return the units of a test set; its column `speaker_dependent` may be missing."""
    dependent = "speaker_dependent" in table and bool(table["speaker_dependent"].all())
    return units_of(table["speaker"], unit_of(table["speaker"], dependent))


def describe_test_set(table: pd.DataFrame, words: int, speaker_dependent: bool) -> dict[str, object]:
    """Return a test set's description, as in `vizinho.score/3`; hours are null if no duration is known."""
    known = table.loc[table["speaker"] != "", "speaker"]
    return {
        "hash": hash_test_set(table["utterance_id"].tolist(), table["reference"].tolist()),
        "utterances": len(table), "speakers": int(known.nunique()), "words": words,
        "hours": float(table["duration_s"].sum() / 3600) if "duration_s" in table else None,
        "speaker_dependent": speaker_dependent,
    }


def hash_test_set(utterance_ids: Sequence[str], references: Sequence[str]) -> str:
    """Return the SHA-256 over the sorted pairs of utterance id and reference: scores with equal hashes are comparable."""
    return hash_json(sorted(zip(utterance_ids, references, strict=True)))


def speech_rate_band(words: int, duration_s: float) -> str:
    """Return the speech-rate slice of an utterance, from its number of reference words and its whole duration in seconds."""
    rate = words / duration_s if duration_s > 0 else 0.0
    return "under 2 words/s" if rate < 2 else "2-3 words/s" if rate < 3 else "3 words/s and over"


COLUMNS = (*SLICES, "speech_rate")
"""Columns that a test set is sliced by."""


def slices(table: pd.DataFrame, columns: Sequence[Sequence[str]], min_utterances: int) -> Iterator[tuple[dict[str, str], Mask]]:
    """Yield every slice of at least `min_utterances` utterances by each combination of columns, with its mask, sorted by name.

    An unknown value is the slice "unknown"; a column without any known value has no slices.

    Raises:
        DataError: a column is missing.
    """
    for names in columns:
        if absent := [name for name in names if name not in table.columns]:
            raise DataError("slices", f"no column {', '.join(absent)}", f"columns of {', '.join(COLUMNS)}", "correct the params")
        values = [table[name].to_numpy(dtype=object) for name in names]
        if any((value == "").all() for value in values):
            continue
        for key in sorted(set(zip(*values, strict=True))):
            rows = np.logical_and.reduce([value == part for value, part in zip(values, key, strict=True)])
            if rows.sum() >= min_utterances:
                yield {name: part or "unknown" for name, part in zip(names, key, strict=True)}, rows
