"""Abbreviations and titles in sentences; their letters inside words."""

from __future__ import annotations

import pytest

from pipeline.text import normalise


@pytest.mark.parametrize(
    "locale, written, spoken",
    [
        ("pt-BR", "A Dra. Ana mora na Av. Brasil, n.º 10.", "a doutora ana mora na avenida brasil número dez"),
        ("pt-BR", "Rua Dr. João, ap. 12.", "rua doutor joão apartamento doze"),
        ("pt-PT", "Rua das Flores, 12, 3.º Esq.", "rua das flores doze terceiro esquerdo"),
        ("pt-PT", "R/C dto., Tlm. 912 345 678", "rés do chão direito telemóvel nove um dois três quatro cinco seis sete oito"),
        ("pt-BR", "Os Ex.mos Srs. e a Sr.a D.a Ana.", "os excelentíssimos senhores e a senhora dona ana"),
        ("es", "C/ Mayor, 5, 3.º izq., esc. B.", "calle mayor cinco tercero izquierda escalera be"),
        ("pt-BR", "Capela de S. José e D. Lúcia.", "capela de são josé e dona lúcia"),
        ("es", "La Dra. Gómez vive en la Avda. América, n.º 10.", "la doctora gómez vive en la avenida américa número diez"),
    ],
)
def test_titles_and_abbreviations_of_an_address_are_read_in_full(locale: str, written: str, spoken: str) -> None:
    assert normalise(written, locale) == spoken


WORDS = "drama dragão droga israel artista avenida etcétera avante páginas numérico dracma sradical profano"


@pytest.mark.parametrize("word", WORDS.split())
def test_letters_inside_a_word_are_not_an_abbreviation(word: str) -> None:
    for written in (word, word.capitalize(), f"{word}.", f"({word})", f"x{word}"):
        assert normalise(written, "pt-BR").replace("x", "") == word
