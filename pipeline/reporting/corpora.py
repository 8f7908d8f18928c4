"""What the corpora of a run contain, what was rejected, and what normalisation changed: figures for the page on the data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd
from rapidfuzz.distance import Levenshtein

from pipeline.core.files import read_table
from pipeline.reporting.inputs import TARGET, Inputs

MANIFEST_COLUMNS: Final = [
    "utterance_id", "speaker", "locale", "gender", "age", "licence", "transcript", "text", "duration_s", "snr_db", "rms_db", "silence",
    "keep", "drop_reason",
]
EXAMPLES: Final = 8  # per reason
CHANGED_FROM: Final = 20_000  # utterances per corpus, at most, whose transcript and text are compared
SHOWN_CHANGES: Final = 40
PUNCTUATION: Final = ".,;:!?…\"“”„«»()[]–—¿¡"
MEASURES: Final = {  # column: title with its unit
    "duration_s": "Duration, s",
    "characters_per_second": "Characters per second",
    "snr_db": "SNR, dB",
    "rms_db": "Level, dBFS",
    "silence": "Share of silence",
}

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Corpus:
    """A corpus of a run.

    Attributes:
        language: folder name, such as "portuguese".
        name: the corpus.
        groups: by dimension ("locale", "gender", …): value, utterances, speakers and hours of each group.
        measures: by title: the 5th, 50th and 95th percentile.
        values: by title: the value of each utterance.
        rejects: by reason: the examples, each with `utterance_id`, `source` and `detail`.
        dropped: by reason: the examples, each with `utterance_id` and `transcript`.
        changes: what normalisation changed: before, after and the number of times, most frequent first.
        compared: utterances whose transcript was compared with its text.
        rules: by rule of the normaliser: the number of times.
        letters_missing: letters of the alphabet that no text has.
    """

    language: str
    name: str
    groups: dict[str, list[Row]]
    measures: dict[str, tuple[float, float, float]]
    values: dict[str, pd.Series]
    rejects: dict[str, list[Row]]
    dropped: dict[str, list[Row]]
    changes: list[tuple[str, str, int]]
    compared: int
    rules: list[tuple[str, int]]
    letters_missing: str


def read_corpora(inputs: Inputs) -> list[Corpus]:
    """Return the corpora of a run, those of the target language first.

    Raises:
        DataError: a table is damaged, or lacks a column.
    """
    return [_read_corpus(inputs.folder, language, name, reports) for (language, name), reports in inputs.corpora.items()]


def _read_corpus(folder: Path, language: str, name: str, reports: Mapping[str, Any]) -> Corpus:
    rejects, manifest = folder / f"ingest/{language}/{name}/rejects.parquet", folder / f"normalise/{language}/{name}/manifest.parquet"
    table = read_table(manifest, MANIFEST_COLUMNS) if manifest.exists() else pd.DataFrame(columns=MANIFEST_COLUMNS)
    kept = table[table["keep"].astype(bool)]
    kept = kept.assign(characters_per_second=kept["text"].str.len() / kept["duration_s"])
    values = {title: kept[column].astype(float) for column, title in MEASURES.items()}
    compared = kept.head(CHANGED_FROM)
    normalise = reports.get("normalise", {})
    return Corpus(
        language=language,
        name=name,
        groups={column: _groups(kept, column) for column in ("locale", "gender", "age", "licence") if (kept[column] != "").any()},
        measures={title: _percentiles(found) for title, found in values.items() if found.notna().any()},
        values=values,
        rejects=_examples(read_table(rejects, ["utterance_id", "source", "reason", "detail"]), "reason") if rejects.exists() else {},
        dropped=_examples(table[~table["keep"].astype(bool)].rename(columns={"drop_reason": "reason"}), "reason"),
        changes=changes(compared["transcript"], compared["text"])[:SHOWN_CHANGES],
        compared=len(compared),
        rules=sorted(normalise.get("rules", {}).items(), key=lambda pair: (-pair[1], pair[0])),
        letters_missing=str(normalise.get("letters_missing", "")),
    )


def _groups(table: pd.DataFrame, column: str) -> list[Row]:
    found = table.groupby(column, sort=True).agg(utterances=("utterance_id", "size"), speakers=("speaker", "nunique"), seconds=("duration_s", "sum"))
    return [
        {"value": str(value) or "unknown", "utterances": utterances, "speakers": speakers, "hours": seconds / 3600}
        for value, utterances, speakers, seconds in zip(found.index, *(found[name].tolist() for name in found), strict=True)
    ]


def _percentiles(values: pd.Series) -> tuple[float, float, float]:
    low, median, high = values.quantile([0.05, 0.5, 0.95])
    return float(low), float(median), float(high)


def _examples(table: pd.DataFrame, column: str) -> dict[str, list[Row]]:
    """Return the first rows of each value of a column, the most frequent value first."""
    return {str(reason): table[table[column] == reason].head(EXAMPLES).to_dict("records") for reason in table[column].value_counts().index}


def changes(transcripts: Iterable[str], texts: Iterable[str]) -> list[tuple[str, str, int]]:
    """Return what normalisation changed besides case and punctuation, with counts, most frequent first.

    "Preciso de 272 g de sal." and "preciso de duzentos e setenta e dois gramas de sal" → 272 g, duzentos e setenta e dois gramas, 1.

    Args:
        transcripts: as found in a corpus.
        texts: their spoken form.
    """
    counts: Counter[tuple[str, str]] = Counter()
    for transcript, text in zip(transcripts, texts, strict=True):
        before = [bare for word in transcript.lower().split() if (bare := word.strip(PUNCTUATION))]
        after = text.split()
        if before != after:
            counts.update(_changed_blocks(before, after))
    return [(*pair, number) for pair, number in sorted(counts.items(), key=lambda found: (-found[1], found[0]))]


def _changed_blocks(before: Sequence[str], after: Sequence[str]) -> Iterable[tuple[str, str]]:
    """Yield each run of words that differs, before and after."""
    old: list[str] = []
    new: list[str] = []
    for step in Levenshtein.opcodes(before, after):
        if step.tag == "equal":
            if old or new:
                yield " ".join(old), " ".join(new)
            old, new = [], []
        else:
            old += before[step.src_start:step.src_end]
            new += after[step.dest_start:step.dest_end]
    if old or new:
        yield " ".join(old), " ".join(new)


def split_rows(inputs: Inputs) -> list[Row]:
    """Return a row per split of the target language: its size by locale and gender, and how much of its words training has seen."""
    rows = []
    for name in ("train", "dev", "test"):
        path = inputs.folder / f"split/{TARGET}/{name}.parquet"
        if not path.exists():
            continue
        table = read_table(path, ["utterance_id", "speaker", "locale", "gender", "duration_s", "text"])
        tokens = table["text"].str.split().explode().dropna()
        seen = tokens.isin(list(inputs.training_words)) if inputs.training_words is not None else None
        rows.append({
            "name": name, "utterances": len(table), "speakers": table["speaker"].nunique(), "hours": float(table["duration_s"].sum()) / 3600,
            "locales": _shares(table, "locale"), "genders": _shares(table, "gender"), "tokens": len(tokens), "types": tokens.nunique(),
            "tokens_seen": float(seen.mean()) if seen is not None and len(tokens) else None,
            "types_seen": float(seen[~tokens.duplicated()].mean()) if seen is not None and len(tokens) else None,
            "unseen": _frequent(tokens[~seen]) if seen is not None else [],
        })
    return rows


def _shares(table: pd.DataFrame, column: str) -> list[tuple[str, float]]:
    """Return the share of the hours of each value of a column."""
    hours = table.groupby(column)["duration_s"].sum()
    return [(str(value) or "unknown", float(part / hours.sum())) for value, part in hours.items()]


def _frequent(tokens: pd.Series) -> list[tuple[str, int]]:
    counted = tokens.value_counts().rename_axis("word").reset_index(name="times").sort_values(["times", "word"], ascending=[False, True])
    return list(zip(counted["word"].head(40).tolist(), counted["times"].head(40).tolist(), strict=True))


def removed_rows(inputs: Inputs) -> dict[str, list[Row]]:
    """Return examples of utterances that were removed from a split of the target language, by rule."""
    path = inputs.folder / f"split/{TARGET}/removed.parquet"
    return _examples(read_table(path, ["utterance_id", "split", "rule", "meets"]), "rule") if path.exists() else {}
