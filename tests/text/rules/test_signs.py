"""Operators, ranges, scores and apostrophes in sentences."""

from __future__ import annotations

import pytest

from pipeline.text import normalise


@pytest.mark.parametrize(
    "locale, written, spoken",
    [
        ("pt-BR", "Sabe que 5 x 3 = 15.", "sabe que cinco vezes três igual a quinze"),
        ("pt-BR", "Venceu por 2x0.", "venceu por dois a zero"),
        ("pt-BR", "Lula 50,9% x 49,1% Bolsonaro.", "lula cinquenta vírgula nove por cento a quarenta e nove vírgula um por cento bolsonaro"),
        ("pt-BR", "Ganharam de 4 x 2.", "ganharam de quatro a dois"),
        ("pt-BR", "São 3·10⁴ ou 10⁻⁹ mol/L.", "são três vezes dez elevado a quatro ou dez elevado a menos nove mols por litro"),
        ("pt-BR", "Mapa 1:250 000, às 2:10.", "mapa um para duzentos e cinquenta mil às duas e dez"),
        ("es", "A escala 1:50.000.", "a escala uno a cincuenta mil"),
        ("es", "Hay 5·10⁴ casos.", "hay cinco por diez elevado a cuatro casos"),
        ("pt-BR", "Crianças de 10-12 anos.", "crianças de dez a doze anos"),
        ("es", "Ganó por 2-1.", "ganó por dos a uno"),
        ("es", "Niños de 10-12 años.", "niños de diez a doce años"),
    ],
)
def test_an_operator_a_range_and_a_score_are_distinguished_by_what_is_around_them(locale: str, written: str, spoken: str) -> None:
    assert normalise(written, locale) == spoken


@pytest.mark.parametrize(
    "locale, written, spoken",
    [
        ("pt-BR", "Tom & Jerry", "tom e jerry"),
        ("pt-BR", "Caiu um pingo d'água.", "caiu um pingo dágua"),
        ("pt-BR", "Leia o item #3.", "leia o item número três"),
        ("pt-BR", "se a < b", "se a b"),
    ],
)
def test_signs_between_words_are_named_joined_or_dropped(locale: str, written: str, spoken: str) -> None:
    assert normalise(written, locale) == spoken
