"""The types of the tables that the rules read, one `Words` per locale: months, money, units, abbreviations, letters, names.

The tables are in `portuguese` and `spanish`, the rules in `rules`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from string import ascii_lowercase
from typing import NamedTuple


class Noun(NamedTuple):
    """A noun that is counted: `um real`, `dois reais`."""

    one: str
    many: str
    feminine: bool = False


class Currency(NamedTuple):
    """A currency and its hundredth."""

    unit: Noun
    hundredth: Noun


@dataclass(frozen=True, slots=True)
class Words:
    """The words of a locale."""

    locale: str
    conjunction: str                      # between hours and minutes, units and hundredths
    minus: str
    separators: Mapping[str, str]         # the decimal separators, spoken
    of: str                               # um milhão de reais
    to: str                               # between the ends of a range: dez a quinze
    by: str                               # dimensions: três por quatro
    times: Noun                           # 2x → duas vezes
    hour: Noun
    minute: Noun
    second: Noun
    half: Noun                            # masculine, feminine
    months: tuple[str, ...]               # January first
    first_of_month: str
    number_sign: str                      # #1
    symbols: Mapping[str, str]            # signs that are read everywhere
    in_addresses: Mapping[str, str]       # the signs of URLs and e-mail addresses
    tag: str                              # before the word of a #tag
    slash: str                            # between two numbers
    all_day: str                          # 24/7
    day_parts: tuple[str, str, str]       # after an hour: of the morning, the afternoon, the night
    night_from: int                       # first hour p.m. of the night
    pressure: str                         # between the parts of a blood pressure: 12/8
    before_pressure: frozenset[str]       # words after which 120/80 is a blood pressure
    every: str                            # between two equal numbers of hours: de 8/8 h
    before_date: frozenset[str]           # words after which 2/3 is a date
    before_score: frozenset[str]          # words after which 3x1 is a score
    currencies: Mapping[str, Currency]
    before_one: frozenset[str]            # determiners of one thing: o R$
    magnitudes: Mapping[str, str]         # after an amount of money: R$ 5 mi
    units: Mapping[str, Noun]             # after a number: 5 km
    near_basis_points: frozenset[str]     # words near which bps are no bits per second
    number_words: frozenset[str]          # before a unit: dez km
    collectives: frozenset[str]           # before `de` and a unit: milhares de km
    per_nouns: frozenset[str]             # after a slash: 8 horas/dia
    per_period: Mapping[str, str]         # after a percentage: 13% a.a.
    power: str                            # before an exponent: 10⁶
    ratio: str                            # between the parts of 2:1
    before_ratio: frozenset[str]          # words after which 1:50 is a ratio
    books: frozenset[str]                 # books of the Bible, after which 3:16 is a chapter and a verse
    versus: str                           # between two teams: Brasil x Chile
    month_abbreviations: tuple[str, ...]  # January first: 18/nov
    greek: Mapping[str, str]              # the names of the Greek letters
    about: str                            # before a number: ~5
    about_equal: str                      # after an operand: π ≈ 3,14
    code_nouns: frozenset[str]            # nouns after which a long number is read digit by digit: NIF 501 442 600
    abbreviations: Mapping[str, str]      # anywhere; in lower case; a space may be left out
    before_name: Mapping[str, str]        # only before a capital letter: R. Augusta
    before_number: Mapping[str, str]      # only before a number: p. 12
    before_letter: Mapping[str, str]      # only before a single letter: al. b)
    acts: Mapping[str, str]               # only before a number and a year: EC 95/2016
    rulings: Mapping[str, str]            # only before a number of four figures or more: HC 126.292
    compass: Mapping[str, str]            # after a latitude or longitude: 38° 42′ N
    inch: Noun                            # a screen of 24″
    before_minutes: frozenset[str]        # words after which 45′ are minutes of a match
    act_nouns: frozenset[str]             # nouns after which 30/92 is a number and a year
    sides: Mapping[str, str]              # only after a floor: 3.º esq.
    saints: frozenset[str]                # S. Paulo
    don: tuple[str, str]                  # D. Pedro, D. Maria
    dona: frozenset[str]                  # women's names that do not end in -a: D. Inês
    letters: Mapping[str, str]            # the names of the letters
    spelled: frozenset[str]               # acronyms that could be read as a word, but are spelled
    read: frozenset[str]                  # acronyms that do not look like a word, but are read as one
    regnal: frozenset[str]                # names and titles after which I is first, not one
    century_nouns: frozenset[str]         # nouns with ordinals up to ten after them: século V
    part_nouns: frozenset[str]            # nouns with cardinals after them: capítulo IV
    event_nouns: Mapping[str, bool]       # nouns with an ordinal before them, and whether feminine: II Guerra
    label_nouns: frozenset[str]           # nouns with an invariable number after them: página 2
    name_nouns: frozenset[str]            # nouns with a person's name after them: Rua D. Pedro
    letter_nouns: frozenset[str]          # nouns with a letter after them, also before a full stop: vitamina D. Ela
    feminine_determiners: frozenset[str]  # determiners with the gender of the number after them: as 2
    masculine_determiners: frozenset[str]
    not_counted: frozenset[str]           # words that follow a number without being counted by it
    feminine_nouns: frozenset[str]        # feminine, though the ending does not show it
    masculine_nouns: frozenset[str]       # masculine, though they end in -a (other than -ista)


def listed(text: str) -> tuple[str, ...]:
    """Return the words of a text in their order."""
    return tuple(text.split())


def words(text: str) -> frozenset[str]:
    """Return the words of a text as a set."""
    return frozenset(text.split())


def letter_names(names: str) -> dict[str, str]:
    """Return the names of a to z by letter."""
    return dict(zip(ascii_lowercase, names.split(), strict=True))


def greek_names(names: str) -> dict[str, str]:
    """Return the names of alpha to omega by letter, in lower case; sigma also by its form at the end of a word."""
    return {**dict(zip("αβγδεζηθικλμνξοπρστυφχψω", names.split(), strict=True)), "ς": names.split()[17]}


def pairs(table: str) -> dict[str, str]:
    """Return a table of lines `written → spoken`; several written forms are separated by ` | `."""
    result = {}
    for line in table.strip().splitlines():
        written, spoken = line.split(" → ")
        result.update({form.strip(): spoken.strip() for form in written.split(" | ")})
    return result


def nouns(table: str) -> dict[str, Noun]:
    """Return a table of lines `symbols → one, many[, feminine]`; several symbols are separated by ` | `."""
    result = {}
    for symbol, spoken in pairs(table).items():
        one, many, *feminine = spoken.split(", ")
        result[symbol] = Noun(one, many, bool(feminine))
    return result


def with_capitals(units: dict[str, Noun], symbols: str) -> dict[str, Noun]:
    """Return units with further forms of the given symbols: in capitals and capitalised (KG, Kg), where no other unit has them."""
    further = {form: units[symbol] for symbol in symbols.split() for form in (symbol.upper(), symbol.capitalize())}
    return {**further, **units}


def currencies(table: str) -> dict[str, Currency]:
    """Return a table of lines `symbols → unit one, many[, feminine]; hundredth one, many`."""
    result = {}
    for symbol, spoken in pairs(table).items():
        unit, hundredth = (part.split(", ") for part in spoken.split("; "))
        result[symbol] = Currency(Noun(unit[0], unit[1], len(unit) > 2), Noun(hundredth[0], hundredth[1]))
    return result
