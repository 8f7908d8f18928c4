"""The training data of a model: speakers, sentences and recordings, and its overlap with a test split."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.core.files import hash_bytes, hash_file, read_table

TRAINED_ON = "trained_on.parquet"


def trained_on(table: pd.DataFrame) -> pd.DataFrame:
    """Return the `trained_on` table of a split: speaker, sentence hash, audio hash; one row per utterance."""
    return pd.DataFrame({"speaker": table["speaker"], "sentence": [hash_bytes(text.encode())[:24] for text in table["text"]],
                         "audio": table["audio_hash"]})


def overlap(before: pd.DataFrame, test: pd.DataFrame) -> dict[str, int]:
    """Return how many speakers, sentences and recordings of a test split a model was trained on."""
    asked = trained_on(test)
    asked.loc[test["speaker_dependent"], "speaker"] = ""  # one speaker by declaration: shared on purpose and marked
    return {f"{name}s" if name != "audio" else "recordings": int(asked[name][asked[name] != ""].drop_duplicates().isin(set(before[name])).sum())
            for name in ("speaker", "sentence", "audio")}


def describe_trained_on(folder: Path) -> dict[str, Any] | None:
    """Return number of rows and SHA-256 of a model folder's `trained_on`; None if it has none."""
    file = folder / TRAINED_ON
    return {"rows": len(read_table(file)), "hash": hash_file(file)} if file.exists() else None


def empty_trained_on(folder: Path) -> None:
    """Write the `trained_on` of a checkpoint whose training data are not known."""
    pd.DataFrame({"speaker": [], "sentence": [], "audio": []}, dtype=str).to_parquet(folder / TRAINED_ON, index=False)
