from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from pipeline.core.errors import DataError
from pipeline.similarity import tables
from pipeline.similarity.tables import read_languages, read_words


def test_every_language_has_a_word_for_each_of_a_hundred_concepts() -> None:
    words = read_words()
    assert {language.words for language in read_languages().values()} == set(words)
    assert {len(by_concept) for by_concept in words.values()} == {100}


def test_no_language_has_one_word_for_two_concepts() -> None:
    for column, by_concept in read_words().items():
        twice = [word for word, count in Counter(word.lower() for word in by_concept.values()).items() if count > 1]
        assert twice == [], column


def test_every_word_is_spelt_with_the_letters_of_its_language() -> None:
    words = read_words()
    for language in read_languages().values():
        strange = {word for word in words[language.words].values() if set(word.lower()) - set(language.alphabet)}
        assert strange == set(), language.code


def test_rows_keep_their_symbols_after_the_transfer() -> None:
    """Cognates that every Romance language has are in the same row."""
    words = read_words()
    rows = {
        "tooth": ("dente", "diente", "dente", "dent", "dent", "dinte", "Zahn", "tooth"),
        "dry": ("seco", "seco", "secco", "sec", "sec", "uscat", "trocken", "dry"),
        "name": ("nome", "nombre", "nome", "nom", "nom", "nume", "Name", "name"),
        "sun": ("sol", "sol", "sole", "soleil", "sol", "soare", "Sonne", "sun"),
    }
    for concept, expected in rows.items():
        assert tuple(by_concept[concept] for by_concept in words.values()) == expected


@pytest.mark.parametrize(("row", "message"), [
    ("sun\tsol\t", "sun, es: ''"),
    ("sun\tsol\tel sol", "sun, es: 'el sol'"),
    ("moon\tlua\tsol", "'moon' occurs twice"),
    ("sun\tsol", r"lines \[3\] have too few or too many columns"),
    ("night\tnoite\tcorazo\u0301n", "night, es: "),
])
def test_an_invalid_row_of_the_word_list_is_reported(
    row: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "wordlists.tsv"
    table.write_text(f"concept\tpt\tes\nmoon\tlua\tluna\n{row}\n", encoding="utf-8")
    monkeypatch.setattr(tables, "WORDS", table)
    with pytest.raises(DataError, match=message):
        read_words()
