"""Ordinals, fractions and numbers in sentences."""

from __future__ import annotations

import pytest

from pipeline.text import normalise


@pytest.mark.parametrize(
    "locale, written, spoken",
    [
        ("pt-BR", "O 3º lugar e a 3ª vaga.", "o terceiro lugar e a terceira vaga"),
        ("pt-PT", "O 10.º aniversário.", "o décimo aniversário"),
        ("es", "El 3.º piso y la 3.ª puerta.", "el tercer piso y la tercera puerta"),
        ("es", "El 1.º de la clase.", "el primero de la clase"),
    ],
)
def test_an_ordinal_has_the_gender_of_its_sign(locale: str, written: str, spoken: str) -> None:
    assert normalise(written, locale) == spoken


@pytest.mark.parametrize(
    "locale, written, spoken",
    [
        ("pt-BR", "Leu 2/3 do livro.", "leu dois terços do livro"),
        ("pt-BR", "Esperei 2 1/2 horas.", "esperei duas horas e meia"),
        ("pt-BR", "Compre 1/2 kg de queijo e ¾ l de leite.", "compre meio quilo de queijo e três quartos de litro de leite"),
        ("pt-BR", "Andei 2 1/2 km em 1 1/4 h.", "andei dois quilômetros e meio em uma hora e um quarto"),
        ("es", "Compra 1/2 kg de queso y 1 1/2 t.", "compra medio kilo de queso y una tonelada y media"),
        ("es", "Esperé 1 1/2 horas.", "esperé una hora y media"),
    ],
)
def test_a_mixed_number_has_its_noun_before_the_fraction(locale: str, written: str, spoken: str) -> None:
    assert normalise(written, locale) == spoken


@pytest.mark.parametrize(
    "locale, written, spoken",
    [
        ("pt-BR", "O agente 007 fez -7 pontos.", "o agente zero zero sete fez menos sete pontos"),
        ("es", "El agente 007 perdió.", "el agente cero cero siete perdió"),
    ],
)
def test_leading_zeros_and_a_minus_sign_are_read(locale: str, written: str, spoken: str) -> None:
    assert normalise(written, locale) == spoken
