"""Chemical formulas are spelled; words and names that look like them are not."""

from __future__ import annotations

import pytest

from pipeline.text import LOCALES, normalise
from pipeline.text.rules.formulas import _NAMED


@pytest.mark.parametrize("written", [
    "McDonald's", "YouTube", "iPhone", "LaTeX", "WhatsApp", "Cl", "No3", "As 2", "Os 3", "InCor", "PaaS", "DeBoNa", "Se7en"])
def test_words_that_look_like_a_formula_are_not_spelled(written: str) -> None:
    first = "".join(letter for letter in written if letter.isalpha())[:2].lower()
    assert normalise(written, "pt-BR").replace(" ", "").startswith(first)


@pytest.mark.parametrize("locale", LOCALES)
def test_every_named_formula_has_all_its_letters_named(locale: str) -> None:
    for written in _NAMED:
        assert len(normalise(written, locale).split()) >= sum(map(str.isalnum, written)), written
