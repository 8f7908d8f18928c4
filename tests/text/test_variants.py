"""Pairs that the tolerant score counts as equal, and pairs that it does not."""

from __future__ import annotations

import inspect
import re

import pytest

from pipeline.text import normalise, variants


def table() -> list[tuple[str, str, str, str]]:
    """Return (locale, left, sign, right) for each pair in the module's docstring."""
    documentation = inspect.getdoc(inspect.getmodule(variants)) or ""
    portuguese, spanish = documentation.split("Spanish:")
    return [
        (locale, *re.split(r" (→|=) ", cell))
        for locale, part in (("pt-BR", portuguese), ("pt-PT", portuguese), ("es", spanish))
        for line in part.splitlines()
        if line.startswith("    ")
        for cell in re.split(r"\s{3,}", line.strip())[1:]
    ]


@pytest.mark.parametrize("locale, left, sign, right", table())
def test_a_pair_of_the_table_has_one_canonical_form(locale: str, left: str, sign: str, right: str) -> None:
    assert variants(left, locale) == variants(right, locale)
    if sign == "→":
        assert variants(left, locale) == right


def test_the_table_of_variants_has_more_than_seventy_pairs() -> None:
    assert len(table()) > 70


@pytest.mark.parametrize(
    "left, right",
    [
        ("avô", "avó"), ("pacto", "pato"), ("apto", "ato"), ("inapto", "inato"), ("por", "pôr"), ("pode", "pôde"), ("captar", "catar"),
        ("rapto", "rato"), ("sóis", "sois"), ("papéis", "papeis"), ("coco", "cocô"), ("está", "esta"), ("ônibus", "autocarro"), ("mil", "milhões"),
        ("dezesseis", "dezessete"), ("um milhão", "um bilhão"),
    ],
)
def test_words_of_different_meaning_keep_different_forms(left: str, right: str) -> None:
    assert variants(left, "pt-BR") != variants(right, "pt-BR")


def test_both_portuguese_locales_have_one_canonical_form() -> None:
    brazil, portugal = "O Antônio usou o fato econômico às 16h", "O António usou o facto económico às 16h"
    assert variants(brazil, "pt-BR") == variants(portugal, "pt-PT")
    assert normalise(brazil, "pt-BR") != normalise(portugal, "pt-PT")


def test_large_numbers_have_one_canonical_form_in_the_short_and_the_long_scale() -> None:
    assert variants("2.000.000.000", "pt-BR") == variants("2.000.000.000", "pt-PT")
    assert variants("1.000.000.000", "pt-BR") == variants("1.000.000.000", "pt-PT")


@pytest.mark.parametrize("text", ["idéia", "acção", "facto", "micro-ondas", "freqüente", "quatorze"])
def test_normalising_does_not_change_spelling(text: str) -> None:
    assert normalise(text, "pt-BR") == text.replace("-", " ")
