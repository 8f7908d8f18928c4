"""Numbers agree in gender with the words around them."""

from __future__ import annotations

import pytest

from pipeline.text import normalise
from pipeline.text.agreement import is_feminine, next_word, previous_word
from pipeline.text.locales import WORDS


@pytest.mark.parametrize(
    "locale, written, spoken",
    [
        ("pt-BR", "Comprei 2 camisas e 2 sapatos.", "comprei duas camisas e dois sapatos"),
        ("pt-BR", "As 22 alunas e os 22 alunos chegaram.", "as vinte e duas alunas e os vinte e dois alunos chegaram"),
        ("pt-BR", "Vieram 300 turistas.", "vieram trezentos turistas"),
        ("pt-BR", "Marcharam 200 mil pessoas.", "marcharam duzentas mil pessoas"),
        ("es", "Vinieron 21 alumnas y 21 alumnos.", "vinieron veintiuna alumnas y veintiún alumnos"),
        ("es", "Leyó 500 páginas.", "leyó quinientas páginas"),
    ],
)
def test_a_number_agrees_with_the_noun_that_it_counts(locale: str, written: str, spoken: str) -> None:
    assert normalise(written, locale) == spoken


@pytest.mark.parametrize(
    "locale, written, spoken",
    [
        ("pt-BR", "A aula é na sala 21.", "a aula é na sala vinte e um"),
        ("es", "Lee la página 21.", "lee la página veintiuno"),
    ],
)
def test_a_number_that_names_a_thing_is_invariable(locale: str, written: str, spoken: str) -> None:
    assert normalise(written, locale) == spoken


@pytest.mark.parametrize(
    "locale, plural, feminine, masculine",
    [
        ("pt-BR", False, "casa ação cidade viagem mão tribo", "livro problema dia artista mapa"),
        ("pt-PT", True, "casas ações cidades viagens mulheres", "livros problemas dias artistas países"),
        ("es", False, "casa canción ciudad virtud mano", "libro problema día artista mapa"),
        ("es", True, "casas canciones ciudades regiones crisis", "libros problemas días artistas países"),
    ],
)
def test_gender_follows_the_ending_but_for_the_listed_exceptions(locale: str, plural: bool, feminine: str, masculine: str) -> None:
    assert [word for word in feminine.split() if not is_feminine(word, plural, WORDS[locale])] == []
    assert [word for word in masculine.split() if is_feminine(word, plural, WORDS[locale])] == []


def test_the_neighbours_of_a_number_are_found_past_one_space_or_sign() -> None:
    text = "as 2 casas, 3"
    assert (previous_word(text, 3), next_word(text, 4)) == ("as", "casas")
    assert (previous_word(text, 12), next_word(text, 13)) == ("casas", "")
    assert (previous_word(text, 0), next_word("2  casas", 1)) == ("", "")
