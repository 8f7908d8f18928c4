"""The rules, written → spoken: one function each, with the cases that it must get right in its docstring.

A case is `locale  before → after`: `pt` stands for both Portuguese locales, `es` for both Spanish ones unless es-419 has
a line of its own for the same text. The tests run each case through the whole normaliser.

`RULES` is in order of precedence: at each position of a line, the first rule whose pattern matches and that returns
words applies. No rule reads words that another rule returned, so no rule changes letters within a word. The one exception is a
unit symbol that remains after a number: a second pass reads it.

Every pattern has bounded repetition, and a rule reads a bounded number of characters around its match: the time for a
line is linear in its length.
"""

from __future__ import annotations

from typing import Final

from pipeline.text.rules.abbreviations import abbreviation, honorific, reference, side
from pipeline.text.rules.acronyms import acronym, letter
from pipeline.text.rules.addresses import address, tag
from pipeline.text.rules.angles import angle
from pipeline.text.rules.dates import date, days
from pipeline.text.rules.formulas import formula
from pipeline.text.rules.measures import per_unit, unit, unit_word
from pipeline.text.rules.money import money
from pipeline.text.rules.numerals import fraction_number, magnitude, number, ordinal_number, scientific
from pipeline.text.rules.roman import roman
from pipeline.text.rules.rule import Rule
from pipeline.text.rules.signs import (
    apostrophe,
    approximation,
    between_numbers,
    greek,
    multiplication,
    number_sign,
    power,
    ratio,
    symbol,
)
from pipeline.text.rules.telephones import telephone
from pipeline.text.rules.times import duration, half_day, time

RULES: Final[tuple[Rule, ...]] = (
    address,
    tag,
    money,
    days,
    date,
    ratio,
    half_day,
    time,
    duration,
    angle,
    telephone,
    ordinal_number,
    fraction_number,
    scientific,
    unit,
    magnitude,
    unit_word,
    multiplication,
    between_numbers,
    per_unit,
    number,
    power,
    approximation,
    formula,
    roman,
    side,
    reference,
    abbreviation,
    honorific,
    acronym,
    apostrophe,
    letter,
    greek,
    symbol,
    number_sign,
)
"""All rules, highest precedence first."""
