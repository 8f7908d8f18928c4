"""Amounts of money in sentences."""

from __future__ import annotations

import pytest

from pipeline.text import normalise


@pytest.mark.parametrize(
    "locale, written, spoken",
    [
        ("pt-BR", "Paguei R$ 3,50 por dois cafés.", "paguei três reais e cinquenta centavos por dois cafés"),
        ("pt-BR", "Falta R$ 0,01.", "falta um centavo"),
        ("pt-BR", "Deve R$ 1.000,00 ao banco.", "deve mil reais ao banco"),
        ("pt-BR", "A dívida é de R$ 2 bi.", "a dívida é de dois bilhões de reais"),
        ("pt-BR", "Custa US$ 1 milhão.", "custa um milhão de dólares"),
        ("pt-BR", "Custa US$1bn ou R$ 2,5M.", "custa um bilhão de dólares ou dois vírgula cinco milhões de reais"),
        ("pt-BR", "Lucro de 5 bi de reais.", "lucro de cinco bilhões de reais"),
        ("pt-PT", "Custa US$ 1bn.", "custa mil milhões de dólares"),
        ("pt-BR", "Pago em US$ ou em €.", "pago em dólares ou em euros"),
        ("pt-BR", "Tabela (em R$ mil).", "tabela em mil reais"),
        ("es", "Cuesta 3 M€, en US$ más.", "cuesta tres millones de euros en dólares más"),
        ("pt-PT", "O quilo custa 1,50 €.", "o quilo custa um euro e cinquenta cêntimos"),
        ("es", "Cuesta 0,50 €.", "cuesta cincuenta céntimos"),
        ("es", "Ganó 1.000.000 €.", "ganó un millón de euros"),
        ("es", "Debe 21 €.", "debe veintiún euros"),
    ],
)
def test_an_amount_is_read_with_its_hundredths_and_its_magnitude(locale: str, written: str, spoken: str) -> None:
    assert normalise(written, locale) == spoken
