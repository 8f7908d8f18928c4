"""Addresses, user names and topics in sentences."""

from __future__ import annotations

import pytest

from pipeline.text import normalise


@pytest.mark.parametrize(
    "locale, written, spoken",
    [
        ("pt-BR", "Escreva para joao.pedro@gmail.com.", "escreva para joao ponto pedro arroba gmail ponto com"),
        ("pt-BR", "Veja https://www.gov.br/saude.", "veja dáblio dáblio dáblio ponto gov ponto bê erre barra saude"),
        ("es", "Escribe a luis_perez@correo.es.", "escribe a luis guion bajo perez arroba correo punto es"),
        ("pt-BR", "Siga @ana e use #Natal.", "siga arroba ana e use hashtag natal"),
    ],
)
def test_an_address_is_read_without_its_scheme_and_without_the_full_stop_of_the_sentence(locale: str, written: str, spoken: str) -> None:
    assert normalise(written, locale) == spoken


@pytest.mark.parametrize(
    "locale, written, spoken",
    [
        ("pt-BR", "Cheguei em casa.mas você não.", "cheguei em casa mas você não"),
    ],
)
def test_a_full_stop_without_a_space_does_not_make_an_address(locale: str, written: str, spoken: str) -> None:
    assert normalise(written, locale) == spoken
