"""Generated sentences of the donor languages: one table of word forms per language over the same concepts, and the same frames.

`lexicon/concepts.tsv` lists the concepts, each with its part of speech and its class. `lexicon/LANGUAGE.tsv` writes every form of a
concept out, articles and elisions included, so that no inflection is computed. `lexicon/LANGUAGE.frames.txt` has the sentence frames, in
the syntax of the default's grammar (`pipeline/corpora/grammar/frames.py`); word order is part of a frame. Portuguese is not among the
languages: it comes from the default's corpus, so that no donor has any of its sentences.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from pipeline.core.errors import DataError
from pipeline.corpora.grammar.frames import Draft, Frames

FOLDER: Final = Path(__file__).resolve().parent / "lexicon"

LANGUAGES: Final[Mapping[str, tuple[str, str, str]]] = {
    # code: name, voice of eSpeak NG, letters
    "es": ("Spanish", "es", "abcdefghijklmnopqrstuvwxyzáéíñóúü"),
    "ca": ("Catalan", "ca", "abcdefghijklmnopqrstuvwxyzàçèéíïòóúü"),
    "it": ("Italian", "it", "abcdefghijklmnopqrstuvwxyzàèéìòù"),
    "fr": ("French", "fr", "abcdefghijklmnopqrstuvwxyzàâæçèéêëîïôùûüÿœ"),
    "ro": ("Romanian", "ro", "abcdefghijklmnopqrstuvwxyzâîășț"),
    "en": ("English", "en-us", "abcdefghijklmnopqrstuvwxyz"),
}

FORMS: Final[Mapping[str, tuple[str, ...]]] = {
    # part of speech: names of its forms, the columns of LANGUAGE.tsv from the third on
    "noun": ("definite", "definite_plural", "indefinite", "plural"),
    "person": ("definite", "definite_plural", "indefinite", "plural", "of", "to"),
    "place": ("definite", "definite_plural", "indefinite", "plural", "at"),
    "adjective": ("m", "f", "m_plural", "f_plural"),
    "verb": ("infinitive", "present_first", "present", "present_plural", "past", "past_plural"),
    "phrase": ("text",),
}

ADJECTIVE_FIRST: Final = {"en"}
"""Languages with the adjective between article and noun; their adjectives have one more form, with the indefinite article: `an empty`."""

ELISIONS: Final = {"fr": (re.compile(r"\b([Jj]|[Qq]u)e (?=[aeiouéèêh])"), r"\1'")}
"""Elisions across two slots, by language: `Je oublie` → `J'oublie`. The others are written out in the tables."""


@dataclass(frozen=True, slots=True)
class Word:
    """The forms of a concept in one language."""

    concept: str
    part: str
    of_class: str
    gender: str  # m | f | n (masculine in the singular, feminine in the plural) | "" (none)
    forms: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Agreement:
    """What a verb or an adjective agrees with."""

    gender: str = "m"
    is_plural: bool = False

    def adjective_form(self) -> str:
        """Return the name of the adjective's form: `m`, `f`, `m_plural` or `f_plural`."""
        gender = ("f" if self.is_plural else "m") if self.gender == "n" else self.gender or "m"
        return f"{gender}_plural" if self.is_plural else gender


def read_words(language: str) -> dict[str, Word]:
    """Return the words of a language by concept.

    Raises:
        DataError: the table lacks a concept, has another one or one twice, or a word lacks a form.
    """
    concepts = {concept: (part, of_class) for concept, part, of_class in _rows("concepts.tsv")}
    rows, problems, words = list(_rows(f"{language}.tsv")), [], {}
    names = [row[0] for row in rows]
    problems += [f"{name}: twice" for name in sorted({name for name in names if names.count(name) > 1})]
    problems += [f"{name}: not in both tables" for name in sorted(set(names) ^ concepts.keys())]
    for concept, gender, *forms in rows:
        if concept not in concepts:
            continue
        part, of_class = concepts[concept]
        wanted = FORMS[part] + (("indefinite",) if part == "adjective" and language in ADJECTIVE_FIRST else ())
        if len(forms) != len(wanted) or not all(forms):
            problems.append(f"{concept}: {len(forms)} forms; expected {', '.join(wanted)}")
        words[concept] = Word(concept, part, of_class, gender, dict(zip(wanted, forms, strict=False)))
    if problems:
        raise DataError(f"{language}.tsv", "; ".join(problems), "every concept of concepts.tsv once, with all forms", "correct the table")
    return words


def _rows(name: str) -> list[list[str]]:
    with open(FOLDER / name, encoding="utf-8", newline="") as handle:
        return list(csv.reader(handle, delimiter="\t", quoting=csv.QUOTE_NONE))[1:]


class Language:
    """The words and frames of a language; the methods `slot_NAME` fill the slots of the frames."""

    def __init__(self, code: str) -> None:
        self.locale = code
        self.words = read_words(code)
        self._by_class: dict[str, list[Word]] = {}
        for word in self.words.values():
            self._by_class.setdefault(f"{word.part == 'verb'} {word.of_class}", []).append(word)
        self.frames = Frames(FOLDER / f"{code}.frames.txt", self)

    def sentence(self, seed: int, index: int) -> str:
        """Return sentence `index` of the endless list of a seed, as it is written: with apostrophes, capitals of names and full stops."""
        text = self.frames.expand("sentence", Draft(f"{seed}/{self.locale}/{index}"))
        if self.locale in ELISIONS:
            text = re.sub(*ELISIONS[self.locale], text)
        return text[0].upper() + text[1:]

    def slot_s(self, draft: Draft, of_class: str) -> str:
        """Return a subject: a noun phrase that the next verbs and adjectives agree with."""
        draft.subject, text = self._noun_phrase(draft, of_class)
        return text

    def slot_o(self, draft: Draft, of_class: str) -> str:
        """Return an object: a noun phrase."""
        return self._noun_phrase(draft, of_class)[1]

    def slot_d(self, draft: Draft, of_class: str) -> str:
        """Return a definite singular noun without an adjective, as the subject."""
        word = self._word(draft, of_class)
        draft.subject = Agreement(word.gender)
        return word.forms["definite"]

    def slot_e(self, draft: Draft, of_class: str) -> str:
        """Return a definite singular noun without an adjective, as an object."""
        return self._word(draft, of_class).forms["definite"]

    def slot_n(self, draft: Draft, of_class: str, form: str) -> str:
        """Return a noun in a form: `of`, `to`, `at` or `definite`."""
        return self._word(draft, of_class).forms[form]

    def slot_count(self, draft: Draft, of_class: str) -> str:
        """Return a number and a noun, as the subject."""
        word = self._word(draft, of_class)
        draft.subject = Agreement(word.gender, is_plural=True)
        return f"{self.slot_w(draft, 'number')} {word.forms['plural']}"

    def slot_name(self, draft: Draft) -> str:
        """Return a name, as the subject."""
        draft.subject = Agreement()
        return self._word(draft, "name").forms["text"]

    def slot_and(self, draft: Draft) -> str:
        """Return the second name of a subject of two."""
        draft.subject = Agreement(is_plural=True)
        return self._word(draft, "name").forms["text"]

    def slot_v(self, draft: Draft, of_class: str, tense: str) -> str:
        """Return a verb that agrees with the subject; the class is that of its object."""
        return self._agreeing(draft, self._word(draft, of_class, is_verb=True), tense)

    def slot_x(self, draft: Draft, concept: str, tense: str) -> str:
        """Return a certain verb that agrees with the subject."""
        return self._agreeing(draft, self.words[concept], tense)

    def slot_i(self, draft: Draft, of_class: str) -> str:
        """Return a verb in the first person singular."""
        return self._word(draft, of_class, is_verb=True).forms["present_first"]

    def slot_inf(self, draft: Draft, of_class: str) -> str:
        """Return a verb as it follows `wants`."""
        return self._word(draft, of_class, is_verb=True).forms["infinitive"]

    def slot_a(self, draft: Draft, of_class: str) -> str:
        """Return an adjective that agrees with the subject."""
        return self._word(draft, of_class).forms[draft.subject.adjective_form()]

    def slot_w(self, draft: Draft, of_class: str) -> str:
        """Return a phrase: a time, a manner or a number."""
        return self._word(draft, of_class).forms["text"]

    def _word(self, draft: Draft, of_class: str, is_verb: bool = False) -> Word:
        options = self._by_class[f"{is_verb} {of_class}"]
        while (word := draft.choice(options)).concept in draft.used_concepts:
            pass
        draft.used_concepts.add(word.concept)
        return word

    @staticmethod
    def _agreeing(draft: Draft, verb: Word, tense: str) -> str:
        return verb.forms[f"{tense}_plural" if draft.subject is not None and draft.subject.is_plural else tense]

    def _noun_phrase(self, draft: Draft, of_class: str) -> tuple[Agreement, str]:
        noun, form = self._word(draft, of_class), draft.choice(("definite", "definite_plural", "indefinite"))
        agreement = Agreement(noun.gender, form == "definite_plural")
        if draft.random() > 0.3:
            return agreement, noun.forms[form]
        adjective = self._word(draft, "state" if of_class in ("person", "animal") else "quality")
        if self.locale not in ADJECTIVE_FIRST:
            return agreement, f"{noun.forms[form]} {adjective.forms[agreement.adjective_form()]}"
        article, _, bare = noun.forms[form].partition(" ")
        first = adjective.forms["indefinite"] if form == "indefinite" else f"{article} {adjective.forms['m']}"
        return agreement, f"{first} {bare}"


@cache
def language(code: str) -> Language:
    """Return a language.

    Raises:
        DataError: its table is not complete.
    """
    return Language(code)


def transcript(text: str) -> str:
    """Return a sentence as the reference: lower case, letters and spaces; an apostrophe joins, a hyphen separates.

    `L'home porta un abric.` → `lhome porta un abric`, as pipeline/text/alphabet.py does it in Portuguese.
    """
    text = unicodedata.normalize("NFC", text).lower().replace("'", "").replace("-", " ")
    return " ".join("".join(letter for letter in text if letter.isalpha() or letter == " ").split())
