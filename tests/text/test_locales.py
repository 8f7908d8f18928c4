"""The words of every locale can be written in its alphabet, and none is in two tables that contradict each other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pipeline.text import ALPHABETS, LOCALES, normalise
from pipeline.text.locales import WORDS
from pipeline.text.words import Words


def spoken_entries(words: Words) -> Iterator[str]:
    """Yield every entry that a rule returns as it is."""
    for table in (words.symbols, words.in_addresses, words.abbreviations, words.before_name, words.before_number, words.letters):
        yield from table.values()
    for noun in (*words.units.values(), words.hour, words.minute, words.second, words.times, words.half):
        yield from noun[:2]
    for currency in words.currencies.values():
        yield from (*currency.unit[:2], *currency.hundredth[:2])
    yield from (*words.separators.values(), *words.months, words.first_of_month, words.number_sign, words.all_day, words.slash)


def test_every_locale_with_an_alphabet_has_words() -> None:
    assert WORDS.keys() == ALPHABETS.keys()
    assert all(words.locale == locale for locale, words in WORDS.items())


@pytest.mark.parametrize("locale", LOCALES)
def test_every_spoken_entry_is_in_spoken_form(locale: str) -> None:
    assert [entry for entry in spoken_entries(WORDS[locale]) if normalise(entry, locale) != entry] == []


@pytest.mark.parametrize("locale", LOCALES)
def test_no_noun_has_two_genders_and_no_acronym_is_both_read_and_spelled(locale: str) -> None:
    words = WORDS[locale]
    assert not words.feminine_nouns & words.masculine_nouns
    assert not words.feminine_determiners & words.masculine_determiners
    assert not words.spelled & words.read


@pytest.mark.parametrize("locale", LOCALES)
def test_twelve_months_and_twenty_six_letters_are_named(locale: str) -> None:
    assert len(set(WORDS[locale].months)) == 12
    assert len(set(WORDS[locale].letters.values())) == 26
