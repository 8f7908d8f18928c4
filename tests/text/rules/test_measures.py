"""Numbers with units in sentences."""

from __future__ import annotations

import pytest

from pipeline.text import normalise


@pytest.mark.parametrize(
    "locale, written, spoken",
    [
        ("pt-BR", "Corri 1,5 km.", "corri um vírgula cinco quilômetro"),
        ("pt-BR", "Comprei 2 kg de arroz e 500 g de sal.", "comprei dois quilos de arroz e quinhentos gramas de sal"),
        ("pt-BR", "Fez 30 °C.", "fez trinta graus celsius"),
        ("es", "Añade 200 g de harina.", "añade doscientos gramos de harina"),
        ("es", "Corrí 1,5 km.", "corrí uno coma cinco kilómetros"),
    ],
)
def test_a_unit_agrees_with_its_number(locale: str, written: str, spoken: str) -> None:
    assert normalise(written, locale) == spoken


@pytest.mark.parametrize(
    "locale, written, spoken",
    [
        ("pt-BR", "A carne custa R$ 30/kg.", "a carne custa trinta reais por quilo"),
        ("es", "La carne cuesta 30 €/kg.", "la carne cuesta treinta euros por kilo"),
    ],
)
def test_a_price_per_unit_names_one_unit(locale: str, written: str, spoken: str) -> None:
    assert normalise(written, locale) == spoken


@pytest.mark.parametrize(
    "locale, written, spoken",
    [
        ("pt-BR", "São 5 m e 5 mesas.", "são cinco metros e cinco mesas"),
    ],
)
def test_the_first_letter_of_a_word_is_not_a_unit(locale: str, written: str, spoken: str) -> None:
    assert normalise(written, locale) == spoken
