"""Text that Brazil and Portugal write alike and read differently."""

from __future__ import annotations

import pytest

from pipeline.text import normalise


@pytest.mark.parametrize(
    "written, brazil, portugal",
    [
        ("Andou 17 km.", "andou dezessete quilômetros", "andou dezassete quilómetros"),
        ("O quilo custa 1,50 €.", "o quilo custa um euro e cinquenta centavos", "o quilo custa um euro e cinquenta cêntimos"),
        ("A dívida é de 2.000.000.000 €.", "a dívida é de dois bilhões de euros", "a dívida é de dois mil milhões de euros"),
        ("O plano K falhou.", "o plano cá falhou", "o plano capa falhou"),
        ("O dia 1 de maio é feriado.", "o dia primeiro de maio é feriado", "o dia um de maio é feriado"),
        ("Estavam 0 graus.", "estavam zero graus", "estavam zero graus"),
        ("Está aberto 24/7.", "está aberto vinte e quatro por sete", "está aberto vinte e quatro sobre sete"),
    ],
)
def test_each_country_has_its_own_words(written: str, brazil: str, portugal: str) -> None:
    assert (normalise(written, "pt-BR"), normalise(written, "pt-PT")) == (brazil, portugal)


@pytest.mark.parametrize(
    "written, spoken",
    [
        ("O Eng. Costa e a Prof.ª Dias", "o engenheiro costa e a professora dias"),
        ("Vire na R. das Flores, s/n", "vire na rua das flores sem número"),
        ("A Exma. Sra. Dra. Lima", "a excelentíssima senhora doutora lima"),
    ],
)
def test_both_countries_share_their_abbreviations(written: str, spoken: str) -> None:
    assert normalise(written, "pt-BR") == normalise(written, "pt-PT") == spoken
