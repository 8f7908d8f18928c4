"""The tables of words are read as they are written."""

from __future__ import annotations

import pytest

from pipeline.text.words import Currency, Noun, currencies, letter_names, listed, nouns, pairs, words


def test_a_line_of_pairs_may_give_several_written_forms() -> None:
    assert pairs("""
        etc | etc. → et cetera
        av. → avenida
    """) == {"etc": "et cetera", "etc.": "et cetera", "av.": "avenida"}


def test_nouns_are_masculine_unless_marked() -> None:
    assert nouns("""
        km → quilômetro, quilômetros
        t → tonelada, toneladas, feminine
    """) == {"km": Noun("quilômetro", "quilômetros"), "t": Noun("tonelada", "toneladas", feminine=True)}


def test_a_currency_has_a_unit_and_a_hundredth() -> None:
    pound = Currency(Noun("libra", "libras", feminine=True), Noun("pêni", "pence"))
    assert currencies("£ | GBP → libra, libras, feminine; pêni, pence") == {"£": pound, "GBP": pound}


def test_lists_keep_their_order_and_sets_do_not() -> None:
    assert listed("maio abril") == ("maio", "abril")
    assert words("maio abril maio") == {"abril", "maio"}


def test_an_alphabet_with_a_letter_too_few_is_rejected() -> None:
    with pytest.raises(ValueError, match="shorter"):
        letter_names("a bê cê")


@pytest.mark.parametrize("line", ["av. avenida", "av. → avenida → rua"])
def test_a_line_without_exactly_one_arrow_is_rejected(line: str) -> None:
    with pytest.raises(ValueError, match="values to unpack"):
        pairs(line)
