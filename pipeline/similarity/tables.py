"""The two tables that `rank` is based on, with checks.

`languages.tsv`: one language per row: its code, its name, its column in the word list, its eSpeak NG voice, and its
alphabet (the letters of the main set of exemplar characters that Unicode CLDR gives for it).

`wordlists.tsv`: one concept per row, one language per column, ordinary spelling. The concepts are the 100 of Swadesh
(1971, "The origin and diversification of language", p. 283), with `snow` (of his longer list of 1952) instead of
`stand`, which takes several words in most of these languages, and `fat` and `nail` as English for `grease` and
`claw`. Nouns are in the singular, adjectives in the masculine singular (`many` in the plural), verbs in the
infinitive. One word per concept: the ordinary one, and in Portuguese one that is used in both Brazil and Portugal.
"""

from __future__ import annotations

import csv
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from pipeline.core.errors import DataError

LANGUAGES = Path(__file__).with_name("languages.tsv")
WORDS = Path(__file__).with_name("wordlists.tsv")


@dataclass(frozen=True, slots=True)
class Language:
    """A language of `languages.tsv`."""

    code: str      # "pt-BR": as in params.yaml
    name: str      # "Brazilian Portuguese"
    words: str     # column of wordlists.tsv: "pt"
    voice: str     # eSpeak NG voice: "pt-BR"
    alphabet: str  # its letters, in lower case


def read_languages() -> dict[str, Language]:
    """Return the languages by code, in the table's order."""
    return {row["code"]: Language(**row) for row in _rows(LANGUAGES)}


def read_words() -> dict[str, dict[str, str]]:
    """Return column → concept → word, as spelt (German nouns with their capitals).

    Raises:
        DataError: a word is missing, is not one word, is not in Unicode's composed form (NFC), or a concept occurs
            twice; lists all problems.
    """
    rows = _rows(WORDS)
    concepts = [row["concept"] for row in rows]
    problems = [f"{concept!r} occurs twice" for concept in sorted({c for c in concepts if concepts.count(c) > 1})]
    for row in rows:
        problems += [f"{row['concept']}, {column}: {word!r}" for column, word in row.items()
                     if not word or word != unicodedata.normalize("NFC", word) or not word.isalpha()]
    if problems:
        raise DataError(WORDS.name, "; ".join(problems), "one word of letters (NFC) per concept and language",
                        "correct the table")
    return {column: {row["concept"]: row[column] for row in rows} for column in rows[0] if column != "concept"}


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle, delimiter="\t", quoting=csv.QUOTE_NONE))
    if ragged := [number for number, row in enumerate(rows, 2) if None in row or None in row.values()]:
        raise DataError(path.name, f"lines {ragged} have too few or too many columns",
                        "one value per column, separated by tabs", "correct the table")
    return rows
