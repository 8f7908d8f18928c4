"""A rule has the name of its function, a pattern and the context of its match."""

from __future__ import annotations

import re

import pytest

from pipeline.text.locales import WORDS
from pipeline.text.rules.rule import Line, rule


@rule("0", lambda words: "[0-9]+")
def parity(match: re.Match[str], line: Line) -> str | None:
    return line.words.conjunction if int(match[0]) % 2 else None


@pytest.mark.parametrize("locale, spoken", [("pt-BR", "e"), ("es", "y")])
def test_a_rule_returns_words_of_the_locale_of_its_line_or_none(locale: str, spoken: str) -> None:
    line = Line("7 e 8", WORDS[locale], all_capitals=False)
    pattern = re.compile(parity.pattern(line.words))
    odd, even = pattern.match(line.text), pattern.match(line.text, 4)
    assert odd and even
    assert (parity.name, line.locale) == ("parity", locale)
    assert (parity.verbalise(odd, line), parity.verbalise(even, line)) == (spoken, None)
