"""The lexicon: a word per concept and locale, classes by union, incomplete tables are reported."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from pipeline.core.errors import DataError
from pipeline.corpora.grammar.lexicon import FOLDER, read_lexicon, read_rows
from pipeline.corpora.sentences import LOCALES, grammar


@pytest.mark.parametrize("locale", LOCALES)
def test_every_concept_has_one_word_in_every_locale(locale: str) -> None:
    concepts = {row["concept"] for row in read_rows(FOLDER / "concepts.tsv") if row["part"] != "class"}
    assert set(grammar(locale).lexicon.words) == concepts
    assert all(word.text.strip() for word in grammar(locale).lexicon.words.values())


def test_no_concept_or_class_occurs_twice_in_the_tables() -> None:
    for name, columns in (("concepts", ("concept",)), ("spanish", ("concept", "locale")), ("portuguese", ("concept", "locale"))):
        counted = Counter(tuple(row[column] for column in columns) for row in read_rows(FOLDER / f"{name}.tsv"))
        assert [key for key, count in counted.items() if count > 1] == []


TABLES = {
    "concepts.tsv": "concept\tpart\tclass\ttakes\npet\tclass\t\tdog\ndog\tnoun\tanimal\ngive\tverb\tperson\tfood+x>person\nbig\tadjective\tanimal\n",
    "spanish.tsv": "concept\tword\tgender\tforms\tlocale\ndog\tperro\tm\tplural=los~perros\ngive\tdar\t\n"
                   "big\tgrande\tc\t\tes\nbig\tgran\tc\t\tes-419\n",
    "spanish.verbs.tsv": "verb\ttense\tforms\tlocale\ndar\tpresent\tdoy das da damos dais dan\ndar\tgerund\tdando\tes\n",
}


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a small lexicon that is read instead of the real one."""
    for name, text in TABLES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.setattr("pipeline.corpora.grammar.lexicon.FOLDER", tmp_path)
    return tmp_path


def test_a_row_becomes_a_word_with_its_classes_complements_and_irregular_forms(tables: Path) -> None:
    lexicon = read_lexicon("spanish", "es")
    dog, give = lexicon.words["dog"], lexicon.words["give"]
    assert (dog.part, dog.text, dog.gender, dog.classes, dog.forms) == ("noun", "perro", "m", {"animal", "pet"}, {"plural": "los perros"})
    assert (give.object_classes, give.recipient_classes) == ({"food+x"}, {"person"})
    assert lexicon.irregular == {"dar": {"present": ("doy", "das", "da", "damos", "dais", "dan"), "gerund": ("dando",)}}


def test_words_and_verb_forms_of_another_locale_are_left_out(tables: Path) -> None:
    assert read_lexicon("spanish", "es").words["big"].text == "grande"
    american = read_lexicon("spanish", "es-419")
    assert american.words["big"].text == "gran"
    assert list(american.irregular["dar"]) == ["present"]


def test_words_are_selected_by_part_of_speech_and_class(tables: Path) -> None:
    lexicon = read_lexicon("spanish", "es")
    assert [word.concept for word in lexicon.select("noun")] == ["dog"]
    assert [word.concept for word in lexicon.select("noun", "pet", "food")] == ["dog"]
    assert lexicon.select("noun", "food") == []


def test_a_concept_without_a_word_is_reported(tables: Path) -> None:
    (tables / "spanish.tsv").write_text(TABLES["spanish.tsv"].replace("dog\tperro", "cat\tgato"), encoding="utf-8")
    with pytest.raises(DataError, match=r"spanish.tsv: concepts.tsv and the table differ in cat, dog; expected one word for every concept in es"):
        read_lexicon("spanish", "es")


def test_a_class_that_names_an_unknown_concept_is_reported(tables: Path) -> None:
    (tables / "concepts.tsv").write_text(TABLES["concepts.tsv"].replace("\t\tdog\n", "\t\tdog unicorn\n"), encoding="utf-8")
    with pytest.raises(DataError, match=r"concepts.tsv: class pet names unicorn; expected concepts or classes"):
        read_lexicon("spanish", "es")
