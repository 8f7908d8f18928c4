"""The gender of a number, from the words around it: 2 meninas → duas meninas, 21 años → veintiún años."""

from __future__ import annotations

import re
from typing import Final

from pipeline.text.alphabet import LETTER
from pipeline.text.numbers import Form, is_portuguese
from pipeline.text.quantity import NUMBER
from pipeline.text.words import Words

_NEXT: Final = re.compile(rf" ?({LETTER}{{1,30}})")
_NUMBER_SIGN: Final = re.compile(r"[nN]\.?[º°o]?\.? ?\Z")
_LONGEST_WORD: Final = 30
"""Letters that are read before a number: bounded, so that the time is linear in the length of the line."""

_FEMININE_PLURAL: Final = ("as", "ções", "sões", "dades", "gens", "tudes", "ciones", "siones", "giones")
_FEMININE_SINGULAR: Final = ("a", "ção", "são", "dade", "gem", "tude", "ción", "sión", "dad", "tad", "tud")
_OF_EVERY: Final = re.compile(rf" (?:a|em|de) cada {NUMBER} ({LETTER}{{1,30}})")
_DAY_PARTS: Final = frozenset({"manhã", "tarde", "noite", "madrugada"})


def next_word(text: str, position: int) -> str:
    """Return the word that follows a position, after at most one space; empty if there is none."""
    found = _NEXT.match(text, position)
    return found[1] if found else ""


def previous_word(text: str, position: int) -> str:
    """Return the word that ends before a position, past a space, hyphen, comma or full stop; empty if there is none."""
    end = max(0, position)
    if end and text[end - 1] in " -":
        end -= 1
    if end and text[end - 1] in ".,":
        end -= 1
    start, first = end, max(0, end - _LONGEST_WORD)
    while start > first and (letter := text[start - 1]).isalpha() and letter not in "ªºµ":
        start -= 1
    return text[start:end]


def numbers_an_act(text: str, position: int, words: Words) -> bool:
    """Return whether a law, a decree or the like precedes a number, with or without `n.º`: Lei 30/92, Lei n.º 30/92."""
    before = previous_word(text, position).lower()
    return before in words.act_nouns or _NUMBER_SIGN.search(text, max(0, position - 6), position) is not None


def is_feminine(word: str, plural: bool, words: Words) -> bool:
    """Return whether a noun (or adjective) in lower case is feminine, by its ending and the tables of exceptions."""
    if word in words.feminine_nouns:
        return True
    by_ending = word.endswith(_FEMININE_PLURAL if plural else _FEMININE_SINGULAR) and not word.endswith(("ista", "istas"))
    return by_ending and word not in words.masculine_nouns


def form_of(text: str, start: int, end: int, is_one: bool, words: Words) -> Form:
    """Return the form of the number at `text[start:end]`.

    The gender is that of the determiner before it (as 2), otherwise that of the noun after it (2 casas, 2 das casas, 2 em
    cada 3 casas). A number that names a thing is invariable (página 2), but before mil it always agrees (veintiún mil,
    veintiuna mil).
    """
    after = next_word(text, end).lower()
    if after != "mil":
        return _form(text, start, end, after, is_one, words)
    after = next_word(text, end + text[end : end + 2].count(" ") + 3).lower()
    return "feminine" if _form(text, start, end, after, is_one, words) == "feminine" else "masculine"


def _form(text: str, start: int, end: int, after: str, is_one: bool, words: Words) -> Form:
    before = previous_word(text, start).lower()
    if before in words.feminine_determiners:
        return "feminine"
    if of_every := _OF_EVERY.match(text, end):
        return "feminine" if is_feminine(of_every[1].lower(), True, words) else "alone"
    if before in words.label_nouns or before in words.don:
        return "alone"
    portuguese = is_portuguese(words.locale)
    if portuguese and (after == "das" or (after == "da" and _names_day_part(text, end))):
        return "feminine"
    if not after or after in words.not_counted or (is_one and before == "el"):
        return "alone"
    if after in words.magnitudes:
        return "masculine"
    if before not in words.masculine_determiners and is_feminine(after, not is_one, words):
        return "feminine"
    if portuguese or is_one or after.endswith("s"):
        return "masculine"
    return "alone"


def _names_day_part(text: str, end: int) -> bool:
    """Return whether `da manhã`, `da tarde` … follows: 1 da manhã → uma da manhã."""
    return next_word(text, end + 3 + text[end : end + 1].count(" ")).lower() in _DAY_PARTS
