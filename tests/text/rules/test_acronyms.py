"""Acronyms and single letters in sentences."""

from __future__ import annotations

import pytest

from pipeline.text import normalise
from pipeline.text.rules.acronyms import is_pronounceable


@pytest.mark.parametrize(
    "locale, written, spoken",
    [
        ("pt-BR", "A ONU e o FBI.", "a onu e o efe bê i"),
        ("pt-BR", "O RG e o CPF.", "o erre gê e o cê pê efe"),
        ("es", "La ONU y el FBI.", "la onu y el efe be i"),
        ("es", "Elige el plan B.", "elige el plan be"),
    ],
)
def test_an_acronym_is_read_as_a_word_if_it_is_pronounceable_and_otherwise_spelled(locale: str, written: str, spoken: str) -> None:
    assert normalise(written, locale) == spoken


@pytest.mark.parametrize(
    "locale, written, spoken",
    [
        ("pt-BR", "O RATO ROEU A ROUPA DO REI.", "o rato roeu a roupa do rei"),
        ("es", "EL PERRO COME CARNE.", "el perro come carne"),
    ],
)
def test_a_sentence_in_capitals_has_no_acronyms(locale: str, written: str, spoken: str) -> None:
    assert normalise(written, locale) == spoken


def test_syllables_of_portuguese_or_spanish_make_letters_pronounceable() -> None:
    assert all(map(is_pronounceable, ("onu", "otan", "sida", "inter")))
    assert not any(map(is_pronounceable, ("ibge", "cpf", "dvd", "fbi")))
