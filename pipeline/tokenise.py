"""List the symbols that a model of the language emits: the letters of its locales, and further ones that its training text has often.

Reads   data/split/LANGUAGE/train.parquet
Writes  data/tokenise/LANGUAGE/vocabulary.json, report.json
Params  tokenise.LANGUAGE

The vocabulary has the form of a Hugging Face `vocab.json` for CTC: symbol → row of the head, the blank first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import pandas as pd
from pydantic import Field

from pipeline.core.errors import DataError
from pipeline.core.files import read_table, write_json
from pipeline.core.params import PARAMS_FILE, Section, load_section
from pipeline.core.progress import log, stage_line
from pipeline.core.stage import stage_main
from pipeline.text import NATIVE

SPECIAL: Final = ("<pad>", "<unk>", "|")
"""The CTC blank, an unknown letter, the word boundary; rows 0, 1, 2."""


class Params(Section):
    """`tokenise.LANGUAGE`."""

    min_count: int = Field(ge=1, description="occurrences in train of a letter that only names and foreign words have (k); a rarer one becomes <unk>")


def count_letters(texts: pd.Series) -> dict[str, int]:
    """Return the count of each letter, in order of code point; spaces are not counted.

    Raises:
        DataError: a text has the sign of the word boundary.
    """
    counted = Counter("".join(texts))
    del counted[" "]
    if "|" in counted:
        raise DataError("train.parquet", f"'|' occurs {counted['|']} times in text", "the word boundary's sign nowhere",
                        "correct the normaliser")
    return dict(sorted(counted.items()))


def vocabulary_of(letters: dict[str, int], min_count: int, native: Iterable[str] = ()) -> dict[str, int]:
    """Return symbol → row: the special symbols, then the letters, sorted.

    Args:
        letters: count of each in train.
        min_count: smallest count of a letter that is not native.
        native: letters that are symbols however rare they are: without its row `â` can never be written.
    """
    kept = set(native) | {letter for letter, count in letters.items() if count >= min_count}
    return {symbol: row for row, symbol in enumerate([*SPECIAL, *sorted(kept)])}


def native_letters(normalisers: Iterable[str]) -> str:
    """Return the letters that words of the locales' own are written with, by the versions of the texts' normalisers (pt-BR/4)."""
    return "".join(sorted({letter for version in normalisers for letter in NATIVE.get(version.partition("/")[0], "")}))


def report(language: str, train: pd.DataFrame, letters: dict[str, int], vocabulary: dict[str, int]) -> dict[str, Any]:
    """Return the report (`vizinho.vocabulary/1`, docs/schemas/vocabulary.json)."""
    rare = [letter for letter in letters if letter not in vocabulary]
    affected = pd.DataFrame({letter: train["text"].str.contains(letter, regex=False) for letter in rare}, train.index)
    return {
        "schema": "vizinho.vocabulary/1",
        "language": language,
        "normaliser": sorted(train["normaliser"].unique()),
        "utterances": len(train),
        "symbols": len(vocabulary),
        "letters": letters,
        "left_out": {
            letter: {"count": letters[letter], "utterances": int(affected[letter].sum())} for letter in rare
        },
        "utterances_touched": int(affected.any(axis=1).sum()),
    }


def run(language: str, data: Path = Path("data"), params_file: Path = PARAMS_FILE) -> None:
    """Write the vocabulary of `language` and its report.

    Raises:
        DataError: no letter is frequent enough, or a text has the sign of the word boundary.
    """
    params = load_section(Params, "tokenise", language, path=params_file)
    train = read_table(data / "split" / language / "train.parquet", columns=["text", "normaliser"])
    letters = count_letters(train["text"])
    vocabulary = vocabulary_of(letters, params.min_count, native_letters(train["normaliser"].unique()))
    if len(vocabulary) == len(SPECIAL):
        found = f"none of {len(letters)} letters occurs {params.min_count} times in train"
        raise DataError(f"tokenise.{language}", found, "letters to learn", "lower min_count or add training data")
    described = report(language, train, letters, vocabulary)
    write_json(data / "tokenise" / language / "vocabulary.json", vocabulary)
    write_json(data / "tokenise" / language / "report.json", described)
    counted = {"symbols": len(vocabulary), "utterances": len(train), "letters left out": len(described["left_out"])}
    log(stage_line(f"tokenise@{language}", counted))


if __name__ == "__main__":
    stage_main(run)
