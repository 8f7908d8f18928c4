"""Every before → after case in a docstring holds; precedence and patterns of the rules."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pytest

import pipeline.text
from pipeline.text import ALPHABETS, explain, normalise, variants
from pipeline.text.locales import WORDS
from pipeline.text.rules import RULES

CASE = re.compile(r"^ +(pt-BR|pt-PT|pt|es-419|es) +(\S.*?) → (.*)$", re.MULTILINE)
LOCALES = {"pt": ("pt-BR", "pt-PT"), "es": ("es", "es-419")}


class Case(NamedTuple):
    """A line of a table."""

    where: str
    locale: str
    before: str
    after: str


def cases_in(where: str, table: str) -> list[Case]:
    """Return the cases of a docstring; `es` covers es-419 too unless that has a line of its own for the same text."""
    lines = CASE.findall(table)
    own = {(locale, before) for locale, before, _ in lines}
    return [
        Case(where, locale, before, after)
        for group, before, after in lines
        for locale in LOCALES.get(group, (group,))
        if locale == group or (locale, before) not in own
    ]


RULE_CASES = {rule.name: cases_in(rule.name, rule.verbalise.__doc__ or "") for rule in RULES}
ALL = [
    case
    for path in sorted(Path(pipeline.text.__file__).parent.rglob("*.py"))
    for docstring in re.findall(r'"""(.*?)"""', path.read_text(encoding="utf-8"), re.DOTALL)
    for case in cases_in(path.stem, docstring)
]


@pytest.mark.parametrize("case", ALL, ids=lambda case: f"{case.where}: {case.locale}: {case.before}")
def test_a_case_in_a_docstring_is_normalised_as_it_shows(case: Case) -> None:
    assert normalise(case.before, case.locale) == case.after


def test_there_are_at_least_three_hundred_different_cases() -> None:
    assert len({(case.before, case.after) for case in ALL}) >= 300
    assert {case.locale for case in ALL} == {"pt-BR", "pt-PT", "es", "es-419"}


@pytest.mark.parametrize("name", RULE_CASES)
def test_a_rule_applies_in_one_of_its_own_cases_in_both_languages(name: str) -> None:
    languages = {case.locale[:2] for case in RULE_CASES[name] if name in {rule for rule, _, _ in explain(case.before, case.locale)}}
    assert languages == {"pt", "es"}


OTHER_MEANING = {
    "R$ 10 mi",         # a Brazilian abbreviation
    "912 345 678",      # nine digits are a telephone number in Portugal
    "1,234",            # thousands in Mexico, decimals elsewhere
    "$ 200", "$1,500.50",
}
"""Numbers with another meaning in the other locale: only the corpus can tell which is meant."""


@pytest.mark.parametrize("one, other", [("pt-BR", "pt-PT"), ("es", "es-419")])
def test_numbers_that_the_locales_read_differently_have_one_canonical_form(one: str, other: str) -> None:
    """If the locale of an utterance is unknown, either reading is correct in the tolerant score."""
    written = {case.before for case in ALL if case.locale in (one, other)}
    differing = {text for text in written if normalise(text, one) != normalise(text, other)}
    assert len(differing) > 5
    assert {text for text in differing if variants(text, one) != variants(text, other)} == OTHER_MEANING & differing


@pytest.mark.parametrize("text, name", [
    ("no dia 2/3", "date"), ("2/3 dos votos", "fraction_number"), ("lei 8.666/93", "number"),
    ("R$ 5", "money"), ("5 km", "unit"), ("5 casas", "number"),
    ("às 14:30", "time"), ("ganhou de 14 a 30", "number"),
    ("o Cap. Nascimento", "abbreviation"), ("S. Paulo", "honorific"), ("o plano B", "letter"),
    ("século XX", "roman"), ("a OTAN", "acronym"),
])
def test_the_first_rule_that_applies_is_the_most_specific(text: str, name: str) -> None:
    assert explain(text, "pt-BR")[0][0] == name


@pytest.mark.parametrize("locale", ALPHABETS)
def test_no_pattern_is_possessive_or_atomic(locale: str) -> None:
    """CPython 3.11.2, which Debian 12 has, matches `(?:,[0-9]++)*+` where no digit follows the comma (gh-101955)."""
    for rule in RULES:
        parsed = str(re._parser.parse(rule.pattern(WORDS[locale])).data)  # type: ignore[attr-defined]
        assert "POSSESSIVE" not in parsed and "ATOMIC" not in parsed, rule.name


def test_the_check_for_possessive_patterns_detects_one() -> None:
    assert "POSSESSIVE" in str(re._parser.parse("(?:,[0-9]++)*").data)  # type: ignore[attr-defined]
