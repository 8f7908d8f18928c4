"""Written text to spoken form: the rules in one pass; a line without a match for any of them needs one search and one table."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from pipeline.text.alphabet import ALPHABETS, CANONICAL, GREEK, LETTER, LETTERS, rejection_reason
from pipeline.text.locales import WORDS
from pipeline.text.rules import RULES
from pipeline.text.rules.rule import Line, Rule

VERSION: Final = 8
"""Incremented with every change of a rule's result: scores of different versions are not comparable."""

LOCALES: Final = tuple(ALPHABETS)

_OWN_CLASS: Final = "xX" + GREEK
"""Letters that are a class of their own: an x between numbers is a sign."""
_SILENT: Final = " .,;:!?¿¡\"()«»“”„—…\n\t-"
"""Signs that are not read aloud and need no rule."""


class UnknownLocaleError(ValueError):
    """The locale has no rules. The message lists those that have."""


def check_locale(locale: str) -> str:
    """Return the locale.

    Raises:
        UnknownLocaleError: it has no rules.
    """
    if locale not in ALPHABETS:
        raise UnknownLocaleError(f"locale: found {locale!r}; expected one of {', '.join(LOCALES)}")
    return locale


def version(locale: str) -> str:
    """Return the version of a locale's rules, e.g. `pt-BR/2`; stored with every manifest, model and score.

    Raises:
        UnknownLocaleError: the locale has no rules.
    """
    return f"{check_locale(locale)}/{VERSION}"


@dataclass(frozen=True, slots=True)
class Compiled:
    """The rules of one locale.

    `needs_rules` finds a character or abbreviation that a rule may match, in a whole line. `candidate` finds the next
    position where a rule may match. `symbols` are the words of a spoken form that a rule may still read. `rules` lists the
    rules to try at a position by the class of its character: `a`, `A`, `0`, x, or the sign itself.
    """

    needs_rules: re.Pattern[str]
    candidate: re.Pattern[str]
    symbols: frozenset[str]
    rules: dict[str, list[tuple[Rule, re.Pattern[str]]]]
    rules_before: dict[str, list[tuple[Rule, re.Pattern[str]]]]

    def before(self, following: str) -> list[tuple[Rule, re.Pattern[str]]]:
        """Return the rules to try at figures, by the character that follows them."""
        rules = self.rules_before.get(following)
        if rules is None:
            rules = [(rule, pattern) for rule, pattern in self.rules["0"] if not rule.then or following in rule.then]
            self.rules_before[following] = rules
        return rules


@lru_cache(maxsize=len(LOCALES))
def _compiled(locale: str) -> Compiled:
    words = WORDS[check_locale(locale)]
    patterns = {rule.name: rule.pattern(words) for rule in RULES}
    rules: dict[str, list[tuple[Rule, re.Pattern[str]]]] = {}
    for rule in RULES:
        compiled = re.compile(patterns[rule.name])
        for starts_with in rule.starts_with:
            rules.setdefault(starts_with, []).append((rule, compiled))
        for letter, letter_class in (("x", "a"), ("X", "A")):
            if letter_class in rule.starts_with:
                rules.setdefault(letter, []).append((rule, compiled))
    by_words = "|".join(re.sub(r"\?P<\w+>", "?:", patterns[rule.name]) for rule in RULES if "a" in rule.starts_with or "x" in rule.starts_with)
    signs = re.escape("".join({*rules} - {*"aA0xX"}))
    spoken = re.sub(r"\?P<\w+>", "?:", f"{patterns['abbreviation']}|{patterns['unit_word']}|{patterns['side']}|x(?= [A-Z])")
    silent = re.escape("".join({*ALPHABETS[locale], *ALPHABETS[locale].upper(), *_SILENT}))
    first = rf"(?<!{LETTER})"
    return Compiled(
        re.compile(rf"[^{silent}]|\b(?:[A-Z]{{2}}|[B-DF-NP-TV-Z](?!{LETTER})|(?={LETTER})(?:{spoken}))|\.[a-z]|[a-z][A-Z]"),
        re.compile(rf"[0-9]+|[{signs}]|{first}(?:[A-Z]|(?=[a-z])(?:{by_words}))"),
        frozenset(key for table in (words.units, words.abbreviations, words.sides) for key in table if key.isalpha() and key.islower()),
        rules,
        {},
    )


def _canonical(text: str, locale: str) -> str:
    return unicodedata.normalize("NFC", text).translate(CANONICAL[locale])


def _matches(text: str, locale: str) -> Iterator[tuple[str, int, int, str]]:
    """Yield (rule, start, end, spoken) for each match of a rule in a text of canonical characters, from left to right."""
    compiled = _compiled(locale)
    line = Line(text, WORDS[locale], all_capitals=text.isupper() and len(re.findall(LETTER + "{2,}", text)) >= 3)
    position = 0
    while found := compiled.candidate.search(text, position):
        start = found.start()
        kind = _character_class(text[start])
        for rule, pattern in compiled.before(text[found.end() : found.end() + 1]) if kind == "0" else compiled.rules.get(kind, ()):
            if (match := pattern.match(text, start)) and (spoken := rule.verbalise(match, line)) is not None:
                yield rule.name, start, match.end(), spoken
                position = match.end()
                break
        else:
            position = start + 1


def _character_class(character: str) -> str:
    if character.isalpha() and character not in _OWN_CLASS:
        return "A" if character.isupper() else "a"
    return "0" if character.isdecimal() else character


def normalise(text: str, locale: str) -> str:
    """Return the spoken form: only letters of the locale's alphabet, words separated by one space.

    Spelling does not change, and a spoken form is its own spoken form. Characters that no rule can verbalise (other
    scripts, unknown symbols) are left out: `check` reports them. Empty where the text has no word.

    pt-BR  Às 14h30, o Sr. Silva pagou R$ 25,50. → às catorze horas e trinta o senhor silva pagou vinte e cinco reais e cinquenta centavos

    Args:
        text: one utterance, as written; of any length.
        locale: pt-BR, pt-PT, es or es-419.

    Raises:
        UnknownLocaleError: the locale has no rules.
    """
    compiled, written = _compiled(locale), text
    if compiled.needs_rules.search(text):
        text = _canonical(text, locale)
        pieces, position = [], 0
        for rule, start, end, spoken in _matches(text, locale):
            pieces.append(text[position:start])
            pieces.append(spoken if rule == "apostrophe" else f" {spoken} ")
            position = end
        pieces.append(text[position:])
        text = "".join(pieces)
    words = text.translate(LETTERS[locale]).split()
    text = " ".join(words)
    if compiled.symbols.isdisjoint(words) or text == written:
        return text
    return normalise(text, locale)  # 2_km, dez Dm: the sign or the capital hid a symbol that follows a number


def explain(text: str, locale: str) -> list[tuple[str, str, str]]:
    """Return (rule, before, after) for each match of a rule, from left to right.

    Raises:
        UnknownLocaleError: the locale has no rules.
    """
    if not _compiled(locale).needs_rules.search(text):
        return []
    text = _canonical(text, locale)
    return [(rule, text[start:end], spoken) for rule, start, end, spoken in _matches(text, locale)]


@dataclass(frozen=True, slots=True)
class Result:
    """A normalised text, and the reason to reject it: `nothing spoken`, `other script`, `unknown symbol`; empty if there is none."""

    text: str
    reason: str


def check(text: str, locale: str) -> Result:
    """Return the spoken form, and the reason to reject it if there is one.

    Raises:
        UnknownLocaleError: the locale has no rules.
    """
    spoken = normalise(text, locale)
    if _compiled(locale).needs_rules.search(text):
        for character in _unread(text, locale):
            if reason := rejection_reason(character, CANONICAL[locale]):
                return Result(spoken, reason)
    return Result(spoken, "" if spoken else "nothing spoken")


def _unread(text: str, locale: str) -> Iterator[str]:
    """Yield the characters of other scripts, and the canonical ones that no rule reads, in two passes."""
    yield from (character for character in unicodedata.normalize("NFC", text) if CANONICAL[locale][ord(character)] == " ")
    text, position = _canonical(text, locale), 0
    for _, start, end, _ in _matches(text, locale):
        yield from text[position:start]
        position = end
    yield from text[position:]
