"""Acronyms and single letters."""

from __future__ import annotations

import re
from typing import Final

from pipeline.text.alphabet import LETTER
from pipeline.text.numbers import is_portuguese
from pipeline.text.rules.rule import Line, rule
from pipeline.text.words import Words

_ONSET: Final = "(?:[bcdfgpt][lr]|vr|[cln]h|qu|gu|[bcdfghjklmnpqrstvwxyz])?"
_VOWELS: Final = "[aeiouáéíóúâêôãõàü]{1,3}"
_PRONOUNCEABLE: Final = re.compile(f"(?:{_ONSET}{_VOWELS}(?:ns|rs|[lrsnmzx](?!{_VOWELS}))?)+")


def is_pronounceable(letters: str) -> bool:
    """Return whether lower-case letters can be read as a Portuguese or Spanish word: onu, otan; not ibge, cpf."""
    return bool(_PRONOUNCEABLE.fullmatch(letters))


def letter_names(text: str, words: Words) -> str:
    """Return the names of the letters."""
    return " ".join(words.letters.get(letter, letter) for letter in text.lower())


@rule("A", lambda words: (
    rf"(?<![^\W0-9])(?<![.])(?<!{LETTER}')(?:(?P<dotted>(?:[A-Z]\.){{2,8}}[A-Z]?(?!{LETTER}))"
    rf"|(?P<capitals>[A-Z]{{2,8}})(?:'?(?P<plural>s))?(?!'?{LETTER}))"
))
def acronym(match: re.Match[str], line: Line) -> str | None:
    """Acronyms: read as a word where that is possible or usual, otherwise spelled.

    pt     a ONU e a OTAN → a onu e a otan
    pt     o IBGE → o i bê gê e
    pt     a USP → a usp
    pt-BR  COVID-19 → covid dezenove
    pt     o CEP e o NIF → o cep e o nif
    pt     o CPF → o cê pê efe
    pt     os CDs e as ONGs → os cê dês e as ongs
    pt     a TV → a tê vê
    pt     os CD's → os cê dês
    pt     o 'IBGE' e a ‘ONU’ → o i bê gê e e a onu
    pt-BR  um 4WD → um quatro dáblio dê
    es     un 4WD → un cuatro uve doble de
    es-419 un 4WD → un cuatro doble ve de
    es     el 'DVD' → el de uve de
    es-419 el 'DVD' → el de ve de
    pt     os EUA → os e u a
    pt     E.U.A. → e u a
    pt     uma S.A. → uma esse a
    pt     NÃO DIGA ISSO → não diga isso
    pt     MP3 → eme pê três
    pt     CO₂ → cê o dois
    pt-PT  o WC → o dâblio cê
    es     la ONU → la onu
    es     un DVD → un de uve de
    es-419 un DVD → un de ve de
    es     la UE → la u e
    """
    if match["dotted"]:
        return letter_names(match["dotted"].replace(".", ""), line.words)
    capitals, words = match["capitals"], line.words
    lower = capitals.lower()
    vowels = any(letter in "aeiou" for letter in lower)
    before_figure = len(capitals) == 2 and line.text[match.end() : match.end() + 1].isdecimal() and capitals not in words.read
    if (capitals in words.spelled and not line.all_capitals) or before_figure:
        spelled = True
    elif capitals in words.read or is_pronounceable(lower) or (vowels and (line.all_capitals or len(capitals) > 5)):
        spelled = False
    else:
        spelled = True
    return (letter_names(capitals, words) if spelled else lower) + (match["plural"] or "")


@rule("A", lambda words: rf"(?<!{LETTER})(?<!{LETTER}')[B-DF-HJ-NP-TV-Z](?!'?{LETTER})")
def letter(match: re.Match[str], line: Line) -> str | None:
    """A single capital consonant is named; a vowel is a word, or sounds like its name.

    pt     a vitamina C → a vitamina cê
    pt     o plano B → o plano bê
    pt     o plano 'B' → o plano bê
    es     el plan 'B' → el plan be
    pt     T. S. Monk → tê esse monk
    pt     P & D → pê e dê
    pt     a linha X → a linha xis
    pt     O que é → o que é
    es     la vitamina C → la vitamina ce
    es     Y tú → y tú
    es     A mí → a mí
    """
    if match[0] == "Y" and not is_portuguese(line.locale):
        return None
    return line.words.letters[match[0].lower()]
