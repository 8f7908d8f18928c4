"""Dates in sentences."""

from __future__ import annotations

import pytest

from pipeline.text import normalise


@pytest.mark.parametrize(
    "locale, written, spoken",
    [
        ("pt-BR", "Nasceu em 29/02/2000.", "nasceu em vinte e nove de fevereiro de dois mil"),
        ("pt-BR", "Em 31/12/1999 choveu.", "em trinta e um de dezembro de mil novecentos e noventa e nove choveu"),
        ("pt-BR", "Aulas em 1-5/12.", "aulas em primeiro a cinco de dezembro"),
        ("pt-PT", "Aulas em 1-5/12.", "aulas em um a cinco de dezembro"),
        ("pt-BR", "Aberto de 28/12 a 3/1.", "aberto de vinte e oito de dezembro a três de janeiro"),
        ("pt-BR", "Nos dias 7-8/9 e 15-16/11/2022.", "nos dias sete a oito de setembro e quinze a dezesseis de novembro de dois mil e vinte e dois"),
        ("es", "Del 30/11 al 2/12.", "del treinta de noviembre al dos de diciembre"),
        ("es", "Nació el 1/1/2000.", "nació el uno de enero de dos mil"),
        ("es-419", "Nació el 1/1/2000.", "nació el primero de enero de dos mil"),
    ],
)
def test_a_date_is_read_with_the_name_of_its_month(locale: str, written: str, spoken: str) -> None:
    assert normalise(written, locale) == spoken


@pytest.mark.parametrize(
    "locale, written, spoken",
    [
        ("pt-BR", "Em 13/13/2020 choveu.", "em treze barra treze barra dois mil e vinte choveu"),
        ("pt-BR", "Venceu 3/4 das partidas.", "venceu três quartos das partidas"),
        ("pt-BR", "A Lei n.º 12/11 vale.", "a lei número doze barra onze vale"),
        ("es", "La Ley 30/92 vale.", "la ley treinta barra noventa y dos vale"),
    ],
)
def test_numbers_with_slashes_are_not_a_date_where_the_month_is_invalid_or_the_context_is_a_fraction(locale: str, written: str, spoken: str) -> None:
    assert normalise(written, locale) == spoken
