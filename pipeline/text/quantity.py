"""Numbers as they are written, with separators of thousands and decimals, and their words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from pipeline.text.numbers import Form, decimals, digits, is_portuguese, whole_number
from pipeline.text.words import Noun, Words

_THREE: Final = r" [0-9]{3}(?![0-9])"
_PART: Final = r"[.,][0-9]+(?![0-9])"
NUMBER: Final = (
    rf"(?:[0-9]{{1,3}}(?:(?:{_THREE}){{1,4}}(?! [0-9]{{3}})|(?:{_THREE}){{5}})(?:,[0-9]+(?![0-9]))?"
    rf"|[0-9]+(?![0-9])(?:(?:{_PART}){{0,7}}(?![.,][0-9])|(?:{_PART}){{8}}))"
)
"""A written number: 12, 1.000, 10 000, 3,75, 1.234,56, 192.168.0.1; whole or not at all.
Without possessive quantifiers, which match wrongly in CPython before 3.11.5 (gh-101955)."""

_PLAIN: Final = re.compile(r"([0-9]+)(?:([.,])([0-9]+))?")
_DOT_GROUPS: Final = re.compile(r"([1-9][0-9]{0,2}(?:\.[0-9]{3})+)(?:(,)([0-9]+))?")
_COMMA_GROUPS: Final = re.compile(r"([1-9][0-9]{0,2}(?:,[0-9]{3})+)(?:(\.)([0-9]+))?")
_LONGEST_CARDINAL: Final = 6
"""Unseparated digits beyond this many are a code, read one by one, unless they end in three zeros."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number: its whole part, and its decimals if any."""

    whole: str
    separator: str = ""
    decimals: str = ""

    @property
    def is_one(self) -> bool:
        """Whether it is exactly 1."""
        return self.whole == "1" and not self.decimals

    @property
    def is_round_million(self) -> bool:
        """Whether it ends in a word like `milhões`, which takes `de` before the noun."""
        return not self.decimals and len(self.whole) > 6 and self.whole.endswith("000000")

    def in_words(self, words: Words, form: Form = "alone") -> str:
        """Return the number in words."""
        if not self.decimals:
            return whole_number(self.whole, words.locale, form)
        before: Form = "alone" if not is_portuguese(words.locale) and form == "masculine" else form
        return f"{whole_number(self.whole, words.locale, before)} {words.separators[self.separator]} {decimals(self.decimals, words.locale, form)}"

    def is_singular(self, words: Words) -> bool:
        """Return whether the noun that is counted is singular.

        Portuguese has the singular below two (1,5 metro; in Brazil also zero grau), Spanish for one only (1,5 metros).

        Source: for Spanish RAE, Ortografía de la lengua española, 2010, VIII 4.2 (0,5 millones, not 0,5 millón); in
        Portuguese the plural begins at two, as in print (1,5 milhão).
        """
        if not is_portuguese(words.locale):
            return self.is_one
        return self.whole == "1" or (self.whole == "0" and (bool(self.decimals) or words.locale == "pt-BR"))

    def with_noun(self, noun: Noun, words: Words) -> str:
        """Return the number in words with the noun that it counts."""
        number = self.in_words(words, "feminine" if noun.feminine else "masculine")
        link = f" {words.of} " if self.is_round_million else " "
        return f"{number}{link}{noun.one if self.is_singular(words) else noun.many}"

    def with_magnitude(self, magnitude: str, noun: Noun, words: Words) -> str:
        """Return the number in words with its magnitude (mil, milhões …) and the noun that it counts: cinco milhões de reais."""
        large = words.magnitudes[magnitude]
        if large == "mil":
            number = "" if self.is_one else self.in_words(words, "feminine" if noun.feminine else "masculine") + " "
            return f"{number}mil {noun.many}"
        return f"{self.with_large(large, words)} {words.of} {noun.many}"

    def with_large(self, large: str, words: Words) -> str:
        """Return the number in words with milhões, or milhão where it is singular; mil milhões has no singular."""
        if large.startswith("mil ") and self.is_one:
            return large
        return f"{self.in_words(words, 'masculine')} {self._agreeing(large, words)}"

    def _agreeing(self, large: str, words: Words) -> str:
        if large.startswith("mil "):
            return large
        if not (self.is_one or (is_portuguese(words.locale) and self.whole in ("0", "1"))):
            return large
        return large[:-3] + "ão" if large.endswith("ões") else large[:-4] + "ón"


def parse(token: str, words: Words) -> Quantity | None:
    """Return the value of a written number; None for a chain of numbers (a version, an address).

    pt     1.000 → mil
    pt     1.234,56 → mil duzentos e trinta e quatro vírgula cinquenta e seis
    pt     1,234,567.8 → um milhão duzentos e trinta e quatro mil quinhentos e sessenta e sete ponto oito
    pt     10 000 → dez mil
    pt     0.500 → zero ponto quinhentos
    es-419 1,234 → mil doscientos treinta y cuatro

    One comma before three digits is a decimal comma, except in es-419: Mexico separates thousands with a comma.
    """
    return _parse(token.replace(" ", ""), words.locale)


@lru_cache(maxsize=65536)
def _parse(token: str, locale: str) -> Quantity | None:
    """Return the value of a number without spaces."""
    found = _DOT_GROUPS.fullmatch(token)
    if not found:
        found = _COMMA_GROUPS.fullmatch(token)
        if found and locale != "es-419" and token.count(",") == 1 and not found[2]:
            found = None
    found = found or _PLAIN.fullmatch(token)
    if not found:
        return None
    return Quantity(found[1].replace(".", "").replace(",", ""), found[2] or "", found[3] or "")


def verbalise(token: str, words: Words, form: Form = "alone") -> str:
    """Return a written number in words.

    pt     192.168.0.1 → cento e noventa e dois ponto cento e sessenta e oito ponto zero ponto um
    pt     98765432 → nove oito sete seis cinco quatro três dois
    """
    quantity = parse(token, words)
    if quantity is None:
        parts = re.split(r"([.,])", token.replace(" ", ""))
        return " ".join(words.separators["."] if part == "." else "" if part == "," else whole_number(part, words.locale) for part in parts)
    if token.isdecimal() and len(token) > _LONGEST_CARDINAL and not token.endswith("000"):
        return digits(token, words.locale)
    return quantity.in_words(words, form)
