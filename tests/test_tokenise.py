"""The vocabulary of a language comes from its training text alone."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pandas as pd
import pytest

from pipeline import tokenise
from pipeline.core.errors import DataError, MissingInputError
from pipeline.core.files import ROOT


def written(tmp_path: Path, texts: list[str], min_count: int = 2, normaliser: str = "test/1") -> tuple[dict[str, int], dict[str, object]]:
    """Run the stage on train's texts; return the vocabulary and the report."""
    folder = tmp_path / "data/split/portuguese"
    folder.mkdir(parents=True, exist_ok=True)
    pd.DataFrame({"text": texts, "normaliser": normaliser}).to_parquet(folder / "train.parquet")
    params = tmp_path / "params.yaml"
    params.write_text(f"tokenise: {{portuguese: {{min_count: {min_count}}}}}\n", encoding="utf-8")
    tokenise.run("portuguese", tmp_path / "data", params)
    out = tmp_path / "data/tokenise/portuguese"
    return json.loads((out / "vocabulary.json").read_text()), json.loads((out / "report.json").read_text())


def test_the_vocabulary_lists_blank_unknown_and_boundary_and_then_the_letters_in_order(tmp_path: Path) -> None:
    vocabulary, _ = written(tmp_path, ["ção bá", "á bção"], min_count=2)
    assert vocabulary == {"<pad>": 0, "<unk>": 1, "|": 2, "b": 3, "o": 4, "á": 5, "ã": 6, "ç": 7}


def test_letters_rarer_than_min_count_are_left_out_and_their_utterances_counted(tmp_path: Path) -> None:
    vocabulary, report = written(tmp_path, ["aaa kk", "aa w", "aa k w", "aa"], min_count=4)
    assert list(vocabulary)[3:] == ["a"]
    assert report["letters"] == {"a": 9, "k": 3, "w": 2}
    assert report["left_out"] == {"k": {"count": 3, "utterances": 2}, "w": {"count": 2, "utterances": 2}}
    assert report["utterances_touched"] == 3


@pytest.mark.parametrize(("normaliser", "native", "others"), [
    ("pt-BR/4", "abcdefghijlmnopqrstuvxzàáâãçéêíóôõú", "kwyü"), ("pt-PT/4", "abcdefghijlmnopqrstuvxzàáâãçéêíóôõú", "kwyü"),
    ("es/4", "abcdefghijlmnopqrstuvxyzáéíñóúü", "kw"),
])
def test_the_letters_of_a_locale_are_symbols_however_rare_and_others_by_their_count(tmp_path: Path, normaliser: str, native: str,
                                                                                   others: str) -> None:
    vocabulary, _ = written(tmp_path, ["a b " + " ".join(others)], 2, normaliser)
    assert "".join(list(vocabulary)[3:]) == native
    vocabulary, report = written(tmp_path, ["a b " + " ".join(others)] * 2, 2, normaliser)
    assert set(list(vocabulary)[3:]) == set(native) | set(others)
    assert report["left_out"] == {}


def test_the_text_of_dev_and_test_is_not_read(tmp_path: Path) -> None:
    folder = tmp_path / "data/split/portuguese"
    folder.mkdir(parents=True)
    for name in ("dev", "test"):
        (folder / f"{name}.parquet").write_bytes(b"not a table: reading it would fail")
    vocabulary, _ = written(tmp_path, ["ab ab"])
    assert list(vocabulary)[3:] == ["a", "b"]


def test_the_report_follows_its_published_schema(tmp_path: Path) -> None:
    _, report = written(tmp_path, ["aaa k"])
    jsonschema.validate(report, json.loads((ROOT / "docs/schemas/vocabulary.json").read_text()))
    assert report["normaliser"] == ["test/1"]


def test_the_order_of_utterances_changes_no_byte(tmp_path: Path) -> None:
    texts = ["zebra anã", "um dois três", "água boa"]
    written(tmp_path / "a", texts, 1)
    written(tmp_path / "b", texts[::-1], 1)
    for name in ("vocabulary.json", "report.json"):
        one, other = (tmp_path / side / "data/tokenise/portuguese" / name for side in ("a", "b"))
        assert one.read_bytes() == other.read_bytes()


def test_a_word_boundary_sign_in_the_text_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"'\|' occurs 2 times in text"):
        written(tmp_path, ["a|b", "c|d"])


def test_a_min_count_that_no_letter_reaches_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="none of 2 letters occurs 9 times in train; .* lower min_count"):
        written(tmp_path, ["ab"], min_count=9)


def test_the_error_for_a_missing_training_split_names_the_file(tmp_path: Path) -> None:
    params = tmp_path / "params.yaml"
    params.write_text("tokenise: {portuguese: {min_count: 1}}\n", encoding="utf-8")
    with pytest.raises(MissingInputError, match="train.parquet: no such file"):
        tokenise.run("portuguese", tmp_path / "data", params)
