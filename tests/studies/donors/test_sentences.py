"""The tables and frames of the donor languages."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.core.errors import DataError
from studies.donors import sentences
from studies.donors.sentences import FOLDER, LANGUAGES, Agreement, language, read_words, transcript

CODES = tuple(LANGUAGES)


@pytest.mark.parametrize("code", CODES)
def test_a_table_has_every_concept_with_all_its_forms_in_the_letters_of_its_language(code: str) -> None:
    words = read_words(code)
    assert len(words) == len(read_words("es")) > 300
    letters = {letter for word in words.values() for form in word.forms.values() for letter in transcript(form)}
    assert letters - {" "} <= set(LANGUAGES[code][2])
    assert not [word for word in words.values() for form in word.forms.values() if form != form.strip() or "  " in form]


def test_a_table_without_a_form_or_a_concept_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("concepts.tsv", "es.tsv"):
        (tmp_path / name).write_text((FOLDER / name).read_text(encoding="utf-8"), encoding="utf-8")
    rows = (tmp_path / "es.tsv").read_text(encoding="utf-8").splitlines()
    shorter = [row.rpartition("\t")[0] if row.startswith("market\t") else row for row in rows if not row.startswith("tired\t")]
    (tmp_path / "es.tsv").write_text("\n".join([*shorter, shorter[-1]]), encoding="utf-8")
    monkeypatch.setattr(sentences, "FOLDER", tmp_path)
    with pytest.raises(DataError) as caught:
        read_words("es")
    assert str(caught.value).startswith("es.tsv: irene: twice; tired: not in both tables; market: 4 forms; expected definite,")


def test_every_language_has_the_same_frames_in_the_same_order() -> None:
    def shape(code: str) -> list[tuple[str, list[str]]]:
        lines = [line for line in (FOLDER / f"{code}.frames.txt").read_text(encoding="utf-8").splitlines() if line[:1].isdigit()]
        return [(line.split("x ")[0], [part.split()[0] + part.split()[-1] for part in slots(line) if not part.startswith("x ")]) for line in lines]

    def slots(line: str) -> list[str]:
        return [part.partition("}")[0] for part in line.split("{")[1:]]

    assert all(shape(code) == shape("es") for code in CODES)
    assert len(shape("es")) > 30


@pytest.mark.parametrize("code", CODES)
def test_every_frame_makes_sentences_in_the_letters_of_its_language(code: str) -> None:
    texts = [transcript(language(code).sentence(1, index)) for index in range(300)]
    assert {letter for text in texts for letter in text} - {" "} <= set(LANGUAGES[code][2])
    assert len(set(texts)) > 280
    assert all(3 <= len(text.split()) <= 20 for text in texts if not text.startswith(("jaime", "magrada", "on és")))


@pytest.mark.parametrize("code", CODES)
def test_the_same_seed_gives_the_same_sentences_and_another_seed_others(code: str) -> None:
    first = [language(code).sentence(7, index) for index in range(20)]
    assert first == [sentences.Language(code).sentence(7, index) for index in range(20)]
    assert first != [language(code).sentence(8, index) for index in range(20)]


@pytest.mark.parametrize("code, index, text", [
    ("es", 4, "Un padre herido recibió los vasos al mediodía."),
    ("ca", 2, "L'home repara la cullera negra."),
    ("it", 13, "I contadini che hanno nascosto la camicia sono malati."),
    ("fr", 15, "Je peins les guitares le mardi."),
    ("ro", 7, "Filip i-a adus o mașină verde femeii."),
    ("en", 17, "In May the nurse hid a table."),
])
def test_sentences_agree_and_have_the_word_order_of_their_language(code: str, index: int, text: str) -> None:
    assert language(code).sentence(1, index) == text


@pytest.mark.parametrize("gender, is_plural, form", [("n", False, "m"), ("n", True, "f_plural"), ("f", True, "f_plural"), ("", False, "m")])
def test_a_neuter_is_masculine_in_the_singular_and_feminine_in_the_plural(gender: str, is_plural: bool, form: str) -> None:
    assert Agreement(gender, is_plural).adjective_form() == form


@pytest.mark.parametrize("text, expected", [("L'home porta un abric.", "lhome porta un abric"),
                                            ("Filip i-a adus o mașină.", "filip i a adus o mașină"), ("¿Dónde está la casa?", "dónde está la casa")])
def test_an_apostrophe_joins_and_a_hyphen_separates(text: str, expected: str) -> None:
    assert transcript(text) == expected


def test_french_elides_across_slots() -> None:
    texts = " ".join(language("fr").sentence(1, index) for index in range(2_000))
    assert "J'" in texts and "qu'un" in texts
    assert not [pair for pair in ("Je o", "Je a", "que un ", "que une ") if pair in texts]
