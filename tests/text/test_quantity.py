"""Separators of thousands and decimals are distinguished, and the noun agrees with the number."""

from __future__ import annotations

import re

import pytest

from pipeline.text.locales import WORDS
from pipeline.text.quantity import NUMBER, Quantity, parse, verbalise
from pipeline.text.words import Noun


@pytest.mark.parametrize(
    "written, locale, quantity",
    [
        ("1.000", "pt-BR", Quantity("1000")),
        ("1.234,56", "pt-PT", Quantity("1234", ",", "56")),
        ("10 000", "pt-BR", Quantity("10000")),
        ("3.14", "es", Quantity("3", ".", "14")),
        ("1,234", "es", Quantity("1", ",", "234")),
        ("1,234", "es-419", Quantity("1234")),
        ("1,234.50", "pt-BR", Quantity("1234", ".", "50")),
        ("192.168.0.1", "pt-BR", None),
        ("1.2.3", "es", None),
    ],
)
def test_a_separator_before_three_digits_groups_thousands_unless_it_is_a_lone_comma(
    written: str, locale: str, quantity: Quantity | None
) -> None:
    assert parse(written, WORDS[locale]) == quantity


@pytest.mark.parametrize("written", ["12", "1.000", "10 000", "3,75", "1.234,56", "192.168.0.1"])
def test_a_number_is_matched_whole(written: str) -> None:
    assert re.fullmatch(NUMBER, written)


@pytest.mark.parametrize(
    "locale, quantity, spoken",
    [
        ("pt-BR", Quantity("1", ",", "5"), "um vírgula cinco metro"),
        ("pt-BR", Quantity("0"), "zero metro"),
        ("pt-PT", Quantity("0"), "zero metros"),
        ("pt-PT", Quantity("2", ",", "1"), "dois vírgula um metros"),
        ("es", Quantity("1", ",", "5"), "uno coma cinco metros"),
        ("es", Quantity("1"), "un metro"),
        ("pt-BR", Quantity("2000000"), "dois milhões de metros"),
        ("es", Quantity("1000000"), "un millón de metros"),
    ],
)
def test_the_noun_is_singular_below_two_in_portuguese_and_for_one_in_spanish(locale: str, quantity: Quantity, spoken: str) -> None:
    assert quantity.with_noun(Noun("metro", "metros"), WORDS[locale]) == spoken


def test_the_whole_part_and_the_decimals_agree_with_a_feminine_noun() -> None:
    assert Quantity("2", ",", "2").with_noun(Noun("tonelada", "toneladas", feminine=True), WORDS["pt-BR"]) == "duas vírgula duas toneladas"


def test_a_long_number_without_separators_is_a_code_unless_it_is_round() -> None:
    assert verbalise("1234567", WORDS["pt-BR"]) == "um dois três quatro cinco seis sete"
    assert verbalise("1234000", WORDS["pt-BR"]) == "um milhão duzentos e trinta e quatro mil"
    assert verbalise("123456", WORDS["es"]) == "ciento veintitrés mil cuatrocientos cincuenta y seis"
