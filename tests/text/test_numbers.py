"""Number words, compared with num2words wherever that is right."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from num2words import num2words

from pipeline.text.numbers import LARGEST_DIGITS, cardinal, decimals, fraction, ordinal

ORACLE = {"pt-BR": "pt_BR", "pt-PT": "pt", "es": "es"}
NUMBERS = [*range(0, 2200), *range(9_990, 10_010), *range(99_950, 100_150), 345_678, 1_000_001, 1_100_000, 1_200_345, 2_000_000, 21_345_678]
"""Above a million num2words returns \"um milhão e mil e um\": the conjunction belongs only before the last group."""


def oracle(value: int, locale: str) -> str:
    """Return num2words' words with its commas removed and its "veintiuno mil" corrected."""
    words: str = num2words(value, lang=ORACLE[locale]).replace(",", "")
    return words.replace("uno mil", "ún mil").replace("ciento ún", "ciento un").replace(" y ún", " y un") if locale == "es" else words


@pytest.mark.parametrize("locale", ORACLE)
def test_cardinals_equal_those_of_num2words(locale: str) -> None:
    differing = [(value, cardinal(value, locale), oracle(value, locale)) for value in NUMBERS if cardinal(value, locale) != oracle(value, locale)]
    assert differing == []


@given(st.integers(0, 999_999))
@settings(deadline=None)
def test_any_portuguese_cardinal_equals_that_of_num2words(value: int) -> None:
    for locale in ("pt-BR", "pt-PT"):
        assert cardinal(value, locale) == oracle(value, locale)


def test_num2words_still_returns_european_words_for_a_locale_with_a_hyphen() -> None:
    """If this fails, num2words is fixed, and a reason for our own tables is gone."""
    assert num2words(16, lang="pt-BR") == "dezasseis"
    assert cardinal(16, "pt-BR") == "dezesseis"


@pytest.mark.parametrize(
    "value, locale, words",
    [
        (10**9, "pt-BR", "um bilhão"),
        (10**9, "pt-PT", "mil milhões"),
        (2 * 10**9, "pt-PT", "dois mil milhões"),
        (10**12, "pt-BR", "um trilhão"),
        (10**12, "pt-PT", "um bilião"),
        (1_500_000_000, "pt-PT", "mil e quinhentos milhões"),
        (10**15, "pt-BR", "um quatrilhão"),
        (10**15, "pt-PT", "mil biliões"),
        (10**12, "es", "un billón"),
        (21_000_000, "es", "veintiún millones"),
        (121_000, "es", "ciento veintiún mil"),
        (101_000, "es", "ciento un mil"),
    ],
)
def test_large_numbers_follow_the_scale_of_their_locale(value: int, locale: str, words: str) -> None:
    assert cardinal(value, locale) == words


@given(st.integers(0, 10**LARGEST_DIGITS - 1), st.sampled_from(["pt-BR", "pt-PT", "es", "es-419"]))
@settings(deadline=None)
def test_different_numbers_have_different_words(value: int, locale: str) -> None:
    assert cardinal(value, locale) != cardinal((value + 1) % 10**LARGEST_DIGITS, locale)
    assert "_" not in cardinal(value, locale)


@pytest.mark.parametrize("value", [-1, 10**LARGEST_DIGITS])
def test_a_number_out_of_range_is_an_error(value: int) -> None:
    with pytest.raises(ValueError, match=f"found {value}; expected a number from 0"):
        cardinal(value, "pt-BR")


def test_feminine_numbers_agree_in_hundreds_thousands_and_units() -> None:
    assert cardinal(2_222, "pt-BR", "feminine") == "duas mil duzentas e vinte e duas"
    assert cardinal(200_000_200, "pt-BR", "feminine") == "duzentos milhões e duzentas"
    assert cardinal(221_201, "es", "feminine") == "doscientas veintiún mil doscientas una"
    assert cardinal(22, "pt-PT", "feminine") == "vinte e duas"


@pytest.mark.parametrize("value", [1, 2, 3, 10, 11, 20, 22, 47, 99, 100, 101, 200, 999, 1000])
def test_portuguese_ordinals_equal_those_of_num2words_where_those_are_standard(value: int) -> None:
    assert ordinal(value, "pt-BR") == num2words(value, lang="pt", to="ordinal")


def test_ordinals_agree_in_every_word() -> None:
    assert ordinal(432, "pt-BR", "feminine") == "quadringentésima trigésima segunda"
    assert ordinal(21, "pt-BR", "masculine", plural=True) == "vigésimos primeiros"
    assert ordinal(111, "es", "feminine") == "centésima undécima"
    assert ordinal(2020, "pt-BR") == "dois mil e vinte"


def test_decimals_keep_their_zeros() -> None:
    assert decimals("0", "pt-BR") == "zero"
    assert decimals("00", "pt-BR") == "zero zero"
    assert decimals("05", "pt-BR") == "zero cinco"
    assert decimals("50", "pt-BR") == "cinquenta"


def test_fractions_have_their_own_denominators() -> None:
    assert fraction(3, 10, "pt-BR") == "três décimos"
    assert fraction(7, 1000, "pt-BR") == "sete milésimos"
    assert fraction(1, 16, "pt-PT") == "um dezasseis avo"
    assert fraction(3, 16, "es") == "tres dieciséisavos"
