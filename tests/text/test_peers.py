"""What other normalisers do to Portuguese, each as a test that ours does not."""

from __future__ import annotations

import pytest

from pipeline.text import normalise


@pytest.mark.parametrize(
    "locale, written, spoken",
    [
        # Speech Data Processor: "a doctor ga e o doctor ma do doctor gão"; "oSenhor Silva"
        ("pt-BR", "a droga e o drama do dragão", "a droga e o drama do dragão"),
        ("pt-BR", "o Sr. Silva", "o senhor silva"),
        # Open ASR Leaderboard: "umo lugar"; "doisa fase"; "catorzehtrinta"; "mil zero"; "dezasseis" for Brazil
        ("pt-BR", "1º lugar", "primeiro lugar"),
        ("pt-BR", "2ª fase", "segunda fase"),
        ("pt-BR", "14h30", "catorze horas e trinta"),
        ("pt-BR", "1.000.000.000", "um bilhão"),
        ("pt-PT", "1.000.000.000", "mil milhões"),
        ("pt-BR", "16", "dezesseis"),
        # num2words#546: pt-BR is silently European
        ("pt-BR", "17 e 19", "dezessete e dezenove"),
        ("pt-PT", "16, 17 e 19", "dezasseis dezassete e dezanove"),
        # Whisper's basic normaliser: every accent and ç lost
        ("pt-BR", "Avó, avô e ação", "avó avô e ação"),
    ],
)
def test_what_peers_get_wrong_is_right(locale: str, written: str, spoken: str) -> None:
    assert normalise(written, locale) == spoken


WORDS = "drama dragão droga israel artista avenida etcétera avante páginas numérico dracma sradical profano"


@pytest.mark.parametrize("word", WORDS.split())
def test_abbreviations_inside_words_are_letters(word: str) -> None:
    for written in (word, word.capitalize(), f"{word}.", f"({word})", f"x{word}"):
        assert normalise(written, "pt-BR").replace("x", "") == word
