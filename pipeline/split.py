"""Divide the utterances of a language into train, dev and test, and prove that nothing leaks between them.

Reads   data/normalise/LANGUAGE/*/manifest.parquet (rows that are kept)
Writes  data/split/LANGUAGE/{train,dev,test}.parquet, removed.parquet, certificate.json
Params  split.LANGUAGE

1. Assign. The hash of salt and speaker determines the split of a speaker, so that more data change no assignment. An
   official dev or test set keeps its members and accepts no others from its corpus. A corpus declared to have one speaker
   is divided by sentence instead, and its rows are marked.
2. Remove. Utterances that match one in test are removed from train and dev, then those that match one in dev are removed
   from train (rules: pipeline/leakage/search.py).
3. Certify. Another method counts the matches between the written files; the stage fails if there is one.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
from pydantic import Field, model_validator

from pipeline.core.errors import DataError, LeakageError, MissingInputError
from pipeline.core.files import atomic_folder, read_table, write_json, write_table
from pipeline.core.manifest import NORMALISED, SPLIT, conform, counts
from pipeline.core.params import PARAMS_FILE, Section, load_section
from pipeline.core.progress import log, stage_line
from pipeline.core.stage import stage_main
from pipeline.leakage import search

SPLITS: Final = ("train", "dev", "test")
PAIRS: Final = (("dev", "test"), ("train", "test"), ("train", "dev"))
"""Lower, higher: an utterance of the lower split that matches one of the higher is removed."""

REMOVED: Final[dict[str, pa.DataType]] = {
    "utterance_id": pa.string(),
    "split": pa.string(),           # from which it was removed
    "rule": pa.string(),            # the first rule that matched
    "meets": pa.string(),           # the utterance_id that it matched
}
"""`data/split/LANGUAGE/removed.parquet`: utterances removed from train or dev, and why."""


class Params(Section):
    """`split.LANGUAGE`."""

    salt: str = Field(min_length=1, description="hashed with each speaker; another salt is another assignment")
    dev_share: float = Field(gt=0, lt=1, description="share of speakers; of sentences where the corpus has one speaker")
    test_share: float = Field(gt=0, lt=1, description="likewise")
    one_speaker: tuple[str, ...] = Field(default=(), description="corpora to divide by sentence, rows marked")
    respect_release: bool = Field(default=True, description="official dev and test sets do not change")
    near_duplicate: float = Field(default=0.8, ge=0.5, le=1, description="Jaccard similarity; one word of nine is 0.8")
    fingerprint_bits: float = Field(default=0.25, ge=0, lt=0.4, description="share that may differ; by chance 0.5")
    fingerprint_s: float = Field(default=0.25, ge=0, description="difference in seconds; codecs pad, trimming differs")
    limit_train_hours: float | None = Field(default=None, gt=0, description="hours; train under a smaller limit is a subset")

    @model_validator(mode="after")
    def _train_has_a_share(self) -> Params:
        if self.dev_share + self.test_share >= 1:
            raise ValueError(f"dev_share + test_share should be less than 1, not {self.dev_share + self.test_share:g}")
        return self


def position(salt: str, key: str) -> float:
    """Return the position of a key in 0..1: uniform over keys, and independent of machine and other keys."""
    return int.from_bytes(hashlib.sha256(f"{salt}\0{key}".encode()).digest()[:8]) / 2**64


def assign(rows: pd.DataFrame, params: Params, language: str) -> pd.Series:
    """Return the split of each row, "train", "dev" or "test", before anything is removed.

    Official dev and test rows keep their split. A hash assigns every other row: of its speaker, of its sentence where the
    corpus has one speaker (numbers masked, so that copies get one split), or of its id where the speaker is unknown. A row
    that the hash assigns to an official set of its corpus goes to train instead.
    """
    def key(speaker: str, utterance_id: str, variants: str, dependent: bool) -> str:
        if dependent:
            return "sentence/" + " ".join(sorted(search.words_of(variants, language)))
        return search.identity(speaker) or f"utterance/{utterance_id}"

    def split_at(name: str) -> str:
        at = position(params.salt, name)
        return "test" if at < params.test_share else "dev" if at < params.test_share + params.dev_share else "train"

    columns = (rows[name] for name in ("speaker", "utterance_id", "variants", "speaker_dependent"))
    keys = pd.Series(map(key, *columns), index=rows.index)
    hashed = keys.map({name: split_at(name) for name in keys.unique()})
    closed = _official_sets(rows, params)
    official = [pair in closed for pair in zip(rows["corpus"], rows["release_split"], strict=True)]
    excluded = [pair in closed for pair in zip(rows["corpus"], hashed, strict=True)]
    return hashed.mask(np.array(excluded, bool), "train").mask(np.array(official, bool), rows["release_split"])


def _official_sets(rows: pd.DataFrame, params: Params) -> set[tuple[str, str]]:
    """Return the official dev and test sets that keep their members: corpus and name."""
    members = rows[rows["release_split"].isin(["dev", "test"]) & params.respect_release]
    return set(zip(members["corpus"], members["release_split"], strict=True))


def remove(tables: dict[str, pd.DataFrame], bounds: search.Bounds) -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    """Return the splits without the utterances that match one of a higher split, and a table of those removed (`REMOVED`)."""
    removed = []
    dev_matches = search.find(tables["dev"], tables["test"], bounds)
    dev = tables["dev"].drop(index=dev_matches.index)
    train_matches = search.find(tables["train"], pd.concat([tables["test"], dev]), bounds)
    for name, matches in (("dev", dev_matches), ("train", train_matches)):
        removed.append(matches.assign(utterance_id=tables[name]["utterance_id"].loc[matches.index], split=name))
    clean = {"train": tables["train"].drop(index=train_matches.index), "dev": dev, "test": tables["test"]}
    return clean, pd.concat(removed).sort_values("utterance_id")


def limit(train: pd.DataFrame, salt: str, hours: float | None) -> pd.DataFrame:
    """Return at most `hours` of `train`, in order of hash: a smaller limit returns a subset of what a larger one returns."""
    if hours is None:
        return train
    ordered = train.iloc[np.argsort([position(salt, f"limit/{name}") for name in train["utterance_id"]], kind="stable")]
    return ordered[ordered["duration_s"].cumsum() <= hours * 3600].sort_values("utterance_id")


def recount(tables: dict[str, pd.DataFrame], bounds: search.Bounds) -> dict[str, int]:
    """Return the number of matches that remain, by rule, over all pairs of splits."""
    found = [search.recount(tables[low], tables[high], bounds) for low, high in PAIRS]
    return {rule: sum(pair[rule] for pair in found) for rule in search.RULES}


def certificate(
    language: str,
    params: Params,
    tables: dict[str, pd.DataFrame],
    removed: pd.DataFrame,
    left_out: int,
    remaining: dict[str, int],
) -> dict[str, Any]:
    """Return the certificate (`vizinho.certificate/1`, docs/schemas/certificate.json).

    Args:
        language: of the split.
        params: of the stage.
        tables: the splits as written.
        removed: utterances that were removed from them (`REMOVED`).
        left_out: utterances of train beyond `limit_train_hours`.
        remaining: leaks that the recount found, by rule.
    """
    everything = pd.concat(tables.values())
    independent = everything[~everything["speaker_dependent"] & (everything["speaker"] != "")]
    official = _official_sets(everything, params)
    return {
        "schema": "vizinho.certificate/1",
        "language": language,
        "left_total": sum(remaining.values()),
        "left": remaining,
        "removed": {
            name: {rule: int(((removed["split"] == name) & (removed["rule"] == rule)).sum()) for rule in search.RULES}
            for name in ("train", "dev")
        },
        "splits": {
            name: {
                **counts(table),
                "unknown_speaker": int((table["speaker"] == "").sum()),
                "speaker_dependent": int(table["speaker_dependent"].sum()),
            }
            for name, table in tables.items()
        },
        "corpora": {
            corpus: {
                **{name: int((table["corpus"] == corpus).sum()) for name, table in tables.items()},
                "official": ", ".join(sorted(name for owner, name in official if owner == corpus)),
            }
            for corpus in sorted(everything["corpus"].unique())
        },
        "compared": {
            "speakers": int(independent["speaker"].map(search.identity).nunique()),
            "sentences": int(everything["text"].nunique()),
            "audio_hashes": int((everything["audio_hash"] != "").sum()),
            "fingerprints": int((everything["fingerprint"] != "").sum()),
        },
        "bounds": {name: getattr(params, name) for name in ("near_duplicate", "fingerprint_bits", "fingerprint_s")},
        "left_out_by_limit": left_out,
        "notes": list(_notes(everything)),
    }


def _notes(rows: pd.DataFrame) -> Iterator[str]:
    """Yield the limits of the certificate."""
    if any(map(search.is_common_voice, rows["speaker"].unique())):
        yield ("Common Voice's client_id is approximate: one person may hold several, and several may share one; "
               "speakers of Common Voice are disjoint as far as client_id tells.")
    if unknown := int((rows["speaker"] == "").sum()):
        yield (f"{unknown} utterances have no known speaker: they fall by their own id, and it cannot be shown that "
               "their speakers are in one split only.")
    for corpus in sorted(rows.loc[rows["speaker_dependent"], "corpus"].unique()):
        yield f"{corpus} has one speaker: it is divided by sentence, its rows are marked speaker-dependent."
    for column, name in (("audio_hash", "audio hash"), ("fingerprint", "fingerprint")):
        if lacking := int((rows[column] == "").sum()):
            yield f"{lacking} utterances have no {name}: they could not be compared by it."


def _read(language: str, folder: Path, params: Params) -> pd.DataFrame:
    """Return the kept rows of all corpora in order of utterance_id; rows of a corpus of one speaker are marked."""
    paths = sorted(folder.glob("*/manifest.parquet"))
    if not paths:
        raise MissingInputError(str(folder), "no manifest", "CORPUS/manifest.parquet", "run `dvc repro normalise`")
    tables = [conform(read_table(path), NORMALISED, str(path)) for path in paths]
    rows = pd.concat([table[table["keep"]] for table in tables])
    rows = rows.sort_values("utterance_id", ignore_index=True)
    rows["speaker_dependent"] = rows["corpus"].isin(params.one_speaker)
    problems = []
    if duplicate := sorted(rows.loc[rows["utterance_id"].duplicated(), "utterance_id"].unique()):
        problems.append(f"{len(duplicate)} utterance_id occur more than once, first {duplicate[0]}")
    if empty := rows.loc[(rows["text"] == "") | (rows["variants"] == ""), "utterance_id"].tolist():
        problems.append(f"{len(empty)} kept rows have no text or variants, first {empty[0]}")
    if len(lengths := sorted(set(rows["fingerprint"].str.len()) - {0})) > 1:
        problems.append(f"fingerprints of {' and '.join(map(str, lengths))} hexadecimal digits cannot be compared")
    for corpus in params.one_speaker:
        speakers = rows.loc[rows["corpus"] == corpus, "speaker"]
        if speakers.empty:
            corpora = ", ".join(sorted(rows["corpus"].unique()))
            problems.append(f"{corpus} is declared under one_speaker, but is none of the corpora: {corpora}")
        elif speakers.nunique() > 1:
            problems.append(f"{corpus} is declared under one_speaker, but has {speakers.nunique()} speakers")
    if problems:
        raise DataError(f"split.{language}", "; ".join(problems), action="correct the corpora or params.yaml")
    return rows


def run(language: str, data: Path = Path("data"), params_file: Path = PARAMS_FILE) -> None:
    """Write the splits of `language` and their certificate.

    Raises:
        DataError: the corpora contradict each other or their params, or a split is empty.
        LeakageError: the recount found a leak that the removal missed.
    """
    params = load_section(Params, "split", language, path=params_file)
    bounds = search.Bounds(language, params.near_duplicate, params.fingerprint_bits, params.fingerprint_s)
    rows = _read(language, data / "normalise" / language, params)
    split_of = assign(rows, params, language)
    clean, removed = remove({name: rows[split_of == name] for name in SPLITS}, bounds)
    tables = {**clean, "train": limit(clean["train"], params.salt, params.limit_train_hours)}
    if empty := [name for name in SPLITS if tables[name].empty]:
        assigned = ", ".join(f"{name} {int((split_of == name).sum())}" for name in SPLITS)
        found = f"nothing is left in {', '.join(empty)} (assigned: {assigned}; removed: {len(removed)})"
        raise DataError(f"split.{language}", found, "utterances in each", "add speakers, or change shares or bounds")
    with atomic_folder(data / "split" / language) as folder:
        for name, table in tables.items():
            write_table(folder / f"{name}.parquet", conform(table, SPLIT, name))
        write_table(folder / "removed.parquet", conform(removed, REMOVED, "removed"))
        written = {name: read_table(folder / f"{name}.parquet") for name in SPLITS}
        remaining = recount(written, bounds)
        left_out = len(clean["train"]) - len(tables["train"])
        write_json(folder / "certificate.json", certificate(language, params, written, removed, left_out, remaining))
        if any(remaining.values()):
            shown = ", ".join(f"{count} by {rule}" for rule, count in remaining.items() if count)
            raise LeakageError(f"split.{language}", f"train, dev and test still share something: {shown}", "none",
                               "the removal is at fault, not the data: report it")
    dropped = Counter(removed["split"] + " " + removed["rule"])
    if left_out:
        dropped["train over the limit"] = left_out
    sizes = {f"{name} utterances": len(table) for name, table in tables.items()}
    hours = {f"{name} hours": float(table["duration_s"].sum() / 3600) for name, table in tables.items()}
    log(stage_line(f"split@{language}", {**sizes, **hours}, dropped))


if __name__ == "__main__":
    stage_main(run)
