"""The words of a language, read from `pipeline/corpora/lexicon/`.

`concepts.tsv` is shared by all languages: the concepts, their semantic classes, and which verbs and adjectives combine with which
nouns. `LANGUAGE.tsv` gives a word for every concept, `LANGUAGE.verbs.tsv` the irregular verb forms.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.core.errors import DataError

FOLDER = Path(__file__).resolve().parents[1] / "lexicon"


@dataclass(frozen=True, slots=True, eq=False)
class Word:
    """A concept's word in one locale."""

    concept: str
    part: str                            # noun | verb | adjective | phrase | name
    text: str                            # citation form: singular, masculine, infinitive
    gender: str                          # m | f | mf (a form for each) | c (one form for both) | "" (none)
    classes: frozenset[str]              # semantic classes: of a noun, its own; of a verb, of its subject;
                                         # of an adjective, of the nouns that it modifies
    object_classes: frozenset[str] = frozenset()     # of a verb: classes of its object
    recipient_classes: frozenset[str] = frozenset()  # of a verb: classes of its indirect object
    forms: dict[str, str] = field(default_factory=dict)  # irregular forms and usage, e.g. plural=pães, preposition=de


@dataclass(frozen=True, slots=True)
class Lexicon:
    """All words of a locale, and the irregular forms of its verbs."""

    words: dict[str, Word]
    irregular: dict[str, dict[str, tuple[str, ...]]]  # infinitive -> tense -> forms

    def select(self, part: str, *classes: str) -> list[Word]:
        """Return the words of a part of speech that belong to any of the classes (all, if none is given)."""
        wanted = frozenset(classes)
        return [word for word in self.words.values() if word.part == part and (not wanted or word.classes & wanted)]


def read_rows(path: Path) -> Iterator[dict[str, str]]:
    """Yield the rows of a tab-separated table; cells left out at a row's end are empty."""
    with open(path, encoding="utf-8", newline="") as handle:
        yield from csv.DictReader(handle, delimiter="\t", quoting=csv.QUOTE_NONE, restval="")


def read_lexicon(language: str, locale: str) -> Lexicon:
    """Return the lexicon of `language` ("spanish") as it is in `locale` ("es-419").

    Raises:
        DataError: a concept lacks a word, or a word or class its concept.
    """
    concepts = {row["concept"]: row for row in read_rows(FOLDER / "concepts.tsv")}
    rows = {row["concept"]: row for row in read_rows(FOLDER / f"{language}.tsv") if row["locale"] in ("", locale)}
    with_word = {concept for concept, row in concepts.items() if row["part"] != "class"}
    if problems := sorted(with_word ^ rows.keys()):
        raise DataError(f"{language}.tsv", f"concepts.tsv and the table differ in {', '.join(problems)}",
                        f"one word for every concept in {locale}")
    classes = {concept: set(row["class"].split()) for concept, row in concepts.items()}
    for union, row in concepts.items():
        if row["part"] == "class":
            members = set(row["takes"].split())
            reached = [name for name in with_word if name in members or classes[name] & members and
                       concepts[name]["part"] == "noun"]
            if lost := members - set(reached) - {name for found in reached for name in classes[found]}:
                raise DataError("concepts.tsv", f"class {union} names {', '.join(sorted(lost))}", "concepts or classes")
            for name in reached:
                classes[name].add(union)
    words = {}
    for concept, row in rows.items():
        object_classes, _, recipient_classes = concepts[concept]["takes"].partition(">")
        forms = {key: value.replace("~", " ") for key, value in (pair.split("=", 1) for pair in row["forms"].split())}
        words[concept] = Word(concept, concepts[concept]["part"], row["word"], row["gender"],
                              frozenset(classes[concept]), frozenset(object_classes.split()), frozenset(recipient_classes.split()), forms)
    irregular: dict[str, dict[str, tuple[str, ...]]] = {}
    for row in read_rows(FOLDER / f"{language}.verbs.tsv"):
        if row["locale"] in ("", locale):
            irregular.setdefault(row["verb"], {})[row["tense"]] = tuple(row["forms"].split())
    return Lexicon(words, irregular)
