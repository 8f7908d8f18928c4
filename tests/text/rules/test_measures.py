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
        ("pt-BR", "Fica a 384 mil km daqui.", "fica a trezentos e oitenta e quatro mil quilômetros daqui"),
        ("pt-BR", "São 3 milhões de t e 200 mil ha.", "são três milhões de toneladas e duzentos mil hectares"),
        ("pt-BR", "Andou milhares de km, vinte km por dia.", "andou milhares de quilômetros vinte quilômetros por dia"),
        ("pt-BR", "Rende 13,25% a.a. ou 1% a.m.", "rende treze vírgula vinte e cinco por cento ao ano ou um por cento ao mês"),
        ("es", "Está a 150 millones de km.", "está a ciento cincuenta millones de kilómetros"),
        ("es", "El NIE X1234567L.", "el nie equis uno dos tres cuatro cinco seis siete ele"),
    ],
)
def test_a_unit_agrees_with_its_number(locale: str, written: str, spoken: str) -> None:
    assert normalise(written, locale) == spoken


@pytest.mark.parametrize(
    "locale, written, spoken",
    [
        ("pt-BR", "A carne custa R$ 30/kg.", "a carne custa trinta reais por quilo"),
        ("pt-BR", "Cobra R$ 50/hora ou R$ 300/dia.", "cobra cinquenta reais por hora ou trezentos reais por dia"),
        ("pt-BR", "São 25 hab./km² e 12 bactérias/m³.", "são vinte e cinco habitantes por quilômetro quadrado e doze bactérias por metro cúbico"),
        ("pt-BR", "Tome 3 comprimidos/dia.", "tome três comprimidos por dia"),
        ("pt-BR", "Gasta 9 l/100 km.", "gasta nove litros por cem quilômetros"),
        ("pt-BR", "Preço em R$/kg e custo/benefício.", "preço em reais por quilo e custo benefício"),
        ("es", "Cobra 50 €/hora y 15 €/m².", "cobra cincuenta euros por hora y quince euros por metro cuadrado"),
        ("es", "Toma 2 pastillas/día.", "toma dos pastillas por día"),
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
