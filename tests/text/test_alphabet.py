"""Every character becomes letters of the alphabet, a space or nothing; one that cannot is reported."""

from __future__ import annotations

import pytest

from pipeline.text.alphabet import ALPHABETS, CANONICAL, LETTERS, rejection_reason


@pytest.mark.parametrize("locale", ALPHABETS)
def test_an_alphabet_has_the_latin_letters_once_each_in_lower_case(locale: str) -> None:
    letters = ALPHABETS[locale]
    assert set("abcdefghijklmnopqrstuvwxyz") < set(letters)
    assert len(set(letters)) == len(letters)
    assert letters == letters.lower()


@pytest.mark.parametrize(
    "locale, written, canonical",
    [
        ("pt-BR", "‘água’ d´água", "'água' d'água"),
        ("pt-BR", "guarda‑chuva 10–15", "guarda-chuva 10-15"),
        ("pt-BR", "１２½ №5 30℃", "12 1/2 nº5 30°C"),
        ("pt-BR", "Škoda, Straße, Æsir", "Skoda, Strasse, Aesir"),
        ("pt-BR", "señor Ñandú", "senhor Nhandú"),
        ("es", "señor Ñandú, Barça", "señor Ñandú, Barsa"),
        ("es", "avô, mãe", "avo, mae"),
        ("pt-BR", "co\u00adoperar", "cooperar"),
        ("pt-BR", "м²", " ²"),
    ],
)
def test_each_sign_and_foreign_letter_has_one_canonical_form(locale: str, written: str, canonical: str) -> None:
    assert written.translate(CANONICAL[locale]) == canonical


@pytest.mark.parametrize("locale, written, letters", [("pt-BR", "Olá, É 5!", "olá  é   "), ("es", "¿QUÉ Ñ?", " qué ñ ")])
def test_a_character_outside_the_alphabet_becomes_a_space(locale: str, written: str, letters: str) -> None:
    assert written.translate(LETTERS[locale]) == letters


@pytest.mark.parametrize("character, reason", [
    ("ж", "other script"), ("日", "other script"), ("٣", "other script"),
    ("₿", "unknown symbol"), ("√", "unknown symbol"),
    ("é", ""), ("š", ""), ("½", ""), ("→", ""), ("😀", ""), (",", ""), ("~", ""),
])
def test_a_character_that_cannot_be_transcribed_has_a_rejection_reason(character: str, reason: str) -> None:
    assert rejection_reason(character, CANONICAL["pt-BR"]) == reason
