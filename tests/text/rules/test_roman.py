"""Roman numerals: their values, and where they are read as numbers."""

from __future__ import annotations

import pytest

from pipeline.text import normalise
from pipeline.text.rules.roman import roman_value


def test_roman_numerals_have_one_value_and_words_have_none() -> None:
    assert [roman_value(numeral) for numeral in ("I", "IV", "XIX", "XXI", "XL", "MCMXCIX")] == [1, 4, 19, 21, 40, 1999]
    assert [roman_value(word) for word in ("IIII", "IC", "VX", "CIVIL", "")] == [0, 0, 0, 0, 0]


@pytest.mark.parametrize(
    "locale, written, spoken",
    [
        ("pt-BR", "D. João VI fugiu.", "dom joão sexto fugiu"),
        ("pt-BR", "Luís XVI morreu.", "luís dezesseis morreu"),
        ("pt-PT", "Luís XVI morreu.", "luís dezasseis morreu"),
        ("pt-BR", "Foi no século IX.", "foi no século nono"),
        ("es", "Felipe VI habló.", "felipe sexto habló"),
        ("es", "Fue en el siglo XIX.", "fue en el siglo diecinueve"),
    ],
)
def test_monarchs_and_centuries_have_ordinals_up_to_ten_and_cardinals_above(locale: str, written: str, spoken: str) -> None:
    assert normalise(written, locale) == spoken


@pytest.mark.parametrize(
    "locale, written, spoken",
    [
        ("pt-BR", "Ouço a rádio MIX.", "ouço a rádio mix"),
    ],
)
def test_a_name_in_capitals_is_not_a_numeral(locale: str, written: str, spoken: str) -> None:
    assert normalise(written, locale) == spoken
