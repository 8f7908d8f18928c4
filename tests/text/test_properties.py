"""Properties of the normaliser for any text."""

from __future__ import annotations

import random
import time
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import example, given, seed, settings
from hypothesis import strategies as st

from pipeline.text import ALPHABETS, LOCALES, check, explain, normalise, variants
from pipeline.text.numbers import LARGEST_DIGITS
from tests.text import test_numbers

LOCALE = st.sampled_from(LOCALES)

WRITTEN = """
casa drama dragão Sra Sr. Dr etc etc. a o e I II XIV D. S. R. João Pedro Isabel século capítulo página às das mil milhões 1 2 21 200 007
1.000 3,14 1000000 12:30 14h30 h km km/h m² % °C º ª 1º 2ª 3.os R$ US$ € £ $ - — – / + = < > x × & @ # ' ’ d'água ONU IBGE CDs EE.UU. www.
a@b.pt .com . , ... ½ ² 25/12/2020 1/2 (11) 98765-4321 +351 ñ ü ç Zoë İ ǆ ﬁ Ⅷ 😀 Привет 日本 ٣ １２ ∑ ₿
KM Kg KGS Cm MM Ml GB Bps HRS min t T L l s ′ ″ " “ ” ‘ ` ´ « » ( ) [ ] ~ ≈ √ ∈ π Ω ³ ⁶ ⁻³ ^2 _ ‰ § * · BRL EUR bi M k 5€ 10% 3:2 16:9 3x1 6x4
5/10 1.º 3er 1ra n.º art. Lei EC HC RE LO s/n r/c c/ p/ de da do um una dez cem vários por em dia escala placar ganhou Brasil TV TB OK K B V xis
e/ou m³ /kg /mês a.C. a.a. p.p. esq. 3.º andar Av. Prof.ª 18/nov 18-19/11 2020-01-02 38°42′50″N 5′30″ 120/80 8/8h Salmo João 3:16 126.292
"""
SPACES = [" ", "  ", "\n", "\t", "\u00a0", "\u202f", "\u2028", "\u200b", "\u200d", "\ufeff"]
PIECES = [*WRITTEN.split(), *SPACES, "p. ex.", "EE. UU.", "\u0301", "\u0303", "\u00ad", "\ud800", "\x00"]
TEXT = st.one_of(
    st.text(max_size=60),
    st.lists(st.sampled_from(PIECES), max_size=14).map("".join),
    st.lists(st.sampled_from(PIECES), max_size=14).map(" ".join),
)


@given(TEXT, LOCALE)
@settings(deadline=None)
def test_the_output_has_only_letters_of_the_alphabet_and_single_spaces(text: str, locale: str) -> None:
    spoken = normalise(text, locale)
    assert set(spoken) <= set(ALPHABETS[locale]) | {" "}
    assert spoken == " ".join(spoken.split())


FOUND = (
    ("1KM'", "pt-BR"), ("2KGS", "es"), ("1Lpm", "es"), ("2km_", "es"), ("1bps²", "pt-PT"), ("5MM2", "es"), ("2kg1", "pt-BR"), ("um Km²", "pt-BR"),
    ("il cmº", "pt-BR"), ("il Bps", "es-419"), ("dez Dm", "pt-PT"), ("ppce", "pt-BR"), ("mmT", "pt-BR"), ("MMn", "pt-PT"), ("0ºL", "es"),
    ("0/0", "pt-BR"), ("ANDAR:eSQ", "pt-BR"),
)
"""Texts for which an earlier version of the rules failed."""


@pytest.mark.parametrize("text, locale", FOUND)
def test_a_text_that_once_failed_is_normalised_once_and_for_all(text: str, locale: str) -> None:
    spoken, canonical = normalise(text, locale), variants(text, locale)
    assert (normalise(spoken, locale), variants(canonical, locale), variants(spoken, locale)) == (spoken, canonical, canonical)


@given(TEXT, LOCALE)
@example("1KM'", "pt-BR")
@settings(deadline=None)
def test_normalising_is_idempotent(text: str, locale: str) -> None:
    spoken = normalise(text, locale)
    assert normalise(spoken, locale) == spoken
    assert explain(spoken, locale) == []


@given(TEXT, LOCALE)
@settings(deadline=None)
def test_a_text_without_spoken_form_has_a_rejection_reason(text: str, locale: str) -> None:
    result = check(text, locale)
    assert result.text == normalise(text, locale)
    if not result.text:
        assert result.reason
    if any(character.isascii() and character.isalnum() for character in text):
        assert result.text


WORDS = "casa drama dragão sra droga idade artista praça senhor avenida rua abc ibge tv km kg"


PLAIN_WORDS = st.lists(st.sampled_from(WORDS.split()), max_size=12)


@given(PLAIN_WORDS, LOCALE)
@settings(deadline=None)
def test_no_rule_reads_letters_inside_words(words: list[str], locale: str) -> None:
    """Lower-case letters without signs are words, even if they look like an abbreviation, unit or acronym."""
    for line in (" ".join(words), "".join(words)):
        assert normalise(line, "pt-BR") == line


@given(TEXT, LOCALE)
@settings(deadline=None)
def test_canonically_equivalent_texts_have_one_spoken_form(text: str, locale: str) -> None:
    assert normalise(unicodedata.normalize("NFD", text), locale) == normalise(unicodedata.normalize("NFC", text), locale)


@given(TEXT, LOCALE)
@example("1KM'", "pt-BR")
@settings(deadline=None)
def test_the_canonical_form_is_its_own_canonical_form(text: str, locale: str) -> None:
    canonical = variants(text, locale)
    assert variants(canonical, locale) == canonical
    assert bool(canonical) == bool(normalise(text, locale))


TEXT_OF_PIECES = st.lists(st.sampled_from(PIECES), min_size=1, max_size=8).map(" ".join)


@given(TEXT_OF_PIECES, LOCALE)
@settings(deadline=None)
def test_a_line_break_is_a_space(text: str, locale: str) -> None:
    assert "\n" not in normalise(text + "\n" + text, locale)


SEARCHED: list[tuple[Callable[..., None], tuple[st.SearchStrategy, ...]]] = [
    *((test, (TEXT, LOCALE)) for test in (
        test_the_output_has_only_letters_of_the_alphabet_and_single_spaces, test_normalising_is_idempotent,
        test_a_text_without_spoken_form_has_a_rejection_reason, test_canonically_equivalent_texts_have_one_spoken_form,
        test_the_canonical_form_is_its_own_canonical_form,
    )),
    (test_no_rule_reads_letters_inside_words, (PLAIN_WORDS, LOCALE)),
    (test_a_line_break_is_a_space, (TEXT_OF_PIECES, LOCALE)),
    (test_numbers.test_any_portuguese_cardinal_equals_that_of_num2words, (st.integers(0, 999_999),)),
    (test_numbers.test_different_numbers_have_different_words, (st.integers(0, 10**LARGEST_DIGITS - 1), LOCALE)),
]


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("test, strategies", SEARCHED, ids=lambda value: getattr(value, "__name__", ""))
def test_a_random_search_finds_no_failure(test: Callable[..., None], strategies: tuple[st.SearchStrategy, ...]) -> None:
    """The properties above with 20,000 new examples each; the seed that is printed repeats the search."""
    number = random.SystemRandom().randrange(2**32)
    print(f"seed {number}")

    @seed(number)
    @settings(max_examples=20_000, deadline=None, derandomize=False, database=None)
    @given(st.tuples(*strategies))
    def search(arguments: tuple[object, ...]) -> None:
        test.hypothesis.inner_test(*arguments)  # type: ignore[attr-defined]

    search()


def test_a_line_of_a_megabyte_is_normalised_like_its_sentences() -> None:
    sentence = "O Sr. Silva pagou R$ 1.234,56 às 14h30. "
    count = MEGABYTE // len(sentence)
    assert normalise(sentence * count, "pt-BR") == " ".join([normalise(sentence, "pt-BR")] * count)


MEGABYTE = 1_000_000
LONG = {
    "one word": "a", "words": "casa ", "digits": "1", "numbers": "12 ", "thousands": " 000", "versions": "1.", "slashes": "1/", "ranges": "12-",
    "initials": "A.", "dots": "a.", "at signs": "a@", "apostrophes": "a'", "acronyms": "ABC ", "numerals": "Pedro II ", "brackets": "(",
    "hyphens": "-", "marks": "a\u0303\u0301", "addresses": "www.a.b/", "scripts": "Привет ",
    "sentences": "Em 25/12/2020, às 14h30, o Sr. Silva pagou R$ 1.234,56. ",
}


@pytest.mark.parametrize("name", LONG)
def test_a_long_line_takes_linear_time(name: str) -> None:
    """Ten times the text takes about ten times as long; a quadratic rule would take a hundred times."""
    piece = LONG[name]

    def seconds(length: int) -> float:
        text = piece * (length // len(piece))
        start = time.process_time()
        normalise(text, "pt-BR")
        return time.process_time() - start

    seconds(1000)
    short = max(min(seconds(MEGABYTE // 200) for _ in range(2)), 0.001)
    assert seconds(MEGABYTE // 20) < 40 * short
