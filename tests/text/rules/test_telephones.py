"""Telephone numbers and postcodes in sentences."""

from __future__ import annotations

import pytest

from pipeline.text import normalise


@pytest.mark.parametrize(
    "locale, written, spoken",
    [
        ("pt-BR", "Ligue para 0800 722 1234.", "ligue para zero oito zero zero sete dois dois um dois três quatro"),
        ("pt-BR", "O CEP é 20040-020.", "o cep é dois zero zero quatro zero zero dois zero"),
        ("pt-BR", "Ligue: +55(11)98765-4321.", "ligue mais cinco cinco um um nove oito sete seis cinco quatro três dois um"),
        ("pt-PT", "O NIF 501 442 600.", "o nif cinco zero um quatro quatro dois seis zero zero"),
        ("es", "Llama al (93)1234567.", "llama al nueve tres uno dos tres cuatro cinco seis siete"),
        ("pt-PT", "Ligue para o 912 345 678.", "ligue para o nove um dois três quatro cinco seis sete oito"),
        ("es", "Llama al 612 345 678.", "llama al seis uno dos tres cuatro cinco seis siete ocho"),
    ],
)
def test_a_telephone_number_or_a_postcode_is_read_digit_by_digit(locale: str, written: str, spoken: str) -> None:
    assert normalise(written, locale) == spoken


@pytest.mark.parametrize(
    "locale, written, spoken",
    [
        ("pt-BR", "Os anos 2010-2015 foram secos.", "os anos dois mil e dez a dois mil e quinze foram secos"),
        ("pt-BR", "São 12 345 678 habitantes.", "são doze milhões trezentos e quarenta e cinco mil seiscentos e setenta e oito habitantes"),
    ],
)
def test_a_range_of_years_and_a_large_number_in_groups_are_not_codes(locale: str, written: str, spoken: str) -> None:
    assert normalise(written, locale) == spoken
