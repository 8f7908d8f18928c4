"""Vocabularies of every layout in use, and that each row keeps its symbol."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import DataError, MissingInputError, VocabularyError
from pipeline.model.vocabulary import Vocabulary, base_letter, find_vocabulary

PORTUGUESE = Vocabulary(("<pad>", "<unk>", "|", *"abcdefghijlmnopqrstuvzáâãçéêíóôõú"))


def lay(folder: Path, vocab: dict[str, int], **files: Any) -> Path:
    """Write a tokenizer's files; return the path of its vocab.json."""
    for name, content in {"vocab": vocab, **files}.items():
        (folder / f"{name}.json").write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    return folder / "vocab.json"


def test_rows_decide_the_order_of_symbols_not_the_order_in_the_file(tmp_path: Path) -> None:
    read = Vocabulary.read(lay(tmp_path, {"b": 4, "|": 2, "<unk>": 1, "a": 3, "<pad>": 0}))
    assert read.symbols == ("<pad>", "<unk>", "|", "a", "b")
    assert read.blank_row == 0


def test_special_symbols_are_found_in_any_row_of_a_checkpoint(tmp_path: Path) -> None:
    vocab = {"|": 0, "a": 1, "b": 2, "[UNK]": 3, "[PAD]": 4}
    read = Vocabulary.read(lay(tmp_path, vocab, special_tokens_map={"pad_token": {"content": "[PAD]", "lstrip": False}, "unk_token": "[UNK]"}))
    assert (read.blank, read.unknown, read.blank_row) == ("[PAD]", "[UNK]", 4)
    assert read.decode([1, 0, 3, 2, 4]) == "a b"


def test_added_tokens_are_rows_like_any_others(tmp_path: Path) -> None:
    read = Vocabulary.read(lay(tmp_path, {"<pad>": 0, "|": 1, "a": 2}, added_tokens={"<s>": 3, "</s>": 4}))
    assert read.symbols == ("<pad>", "|", "a", "<s>", "</s>")
    assert read.decode([3, 2, 4]) == "a"


@pytest.mark.parametrize("rows", [{"<pad>": 0, "|": 1, "a": 3}, {"<pad>": 0, "|": 1, "a": 1}, {"<pad>": 1, "|": 2, "a": 3}])
def test_rows_with_a_gap_or_a_double_are_refused(tmp_path: Path, rows: dict[str, int]) -> None:
    with pytest.raises(VocabularyError, match="each row from 0 on exactly once; repair the vocabulary"):
        Vocabulary.read(lay(tmp_path, rows))


def test_a_missing_role_or_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(VocabularyError, match="no blank symbol '<pad>'"):
        Vocabulary.read(lay(tmp_path, {"|": 0, "a": 1}))
    with pytest.raises(MissingInputError, match="no vocab.json"):
        find_vocabulary(tmp_path / "nowhere")
    (tmp_path / "vocab.json").write_text("{")
    with pytest.raises(DataError, match="not JSON"):
        Vocabulary.read(tmp_path / "vocab.json")


@given(st.lists(st.text("abçãõ", min_size=1, max_size=8), max_size=6).map(" ".join))
def test_encoding_and_decoding_round_trip_every_text_with_doubled_letters(text: str) -> None:
    assert PORTUGUESE.decode(PORTUGUESE.encode(text)) == text


def test_a_capital_vocabulary_encodes_and_decodes_lower_case() -> None:
    capitals = Vocabulary(("<pad>", "<s>", "</s>", "<unk>", "|", "E", "T", "A", "Ç"))
    assert capitals.upper_case
    assert not PORTUGUESE.upper_case
    assert capitals.encode("ça") == [8, 7]
    assert capitals.decode([8, 7, 4, 6]) == "ça t"


def test_a_missing_letter_becomes_unknown_or_is_left_out() -> None:
    assert PORTUGUESE.encode("ak") == [3, 1]
    assert Vocabulary(("<pad>", "|", "a")).encode("ak") == [2]
    assert PORTUGUESE.missing("kiwi à") == {"k", "w", "à"}


def test_the_hash_depends_on_order_and_roles() -> None:
    symbols = ("<pad>", "<unk>", "|", "a", "b", "[PAD]")
    hashes = {Vocabulary(symbols).hash, Vocabulary((*symbols[:3], "b", "a", "[PAD]")).hash, Vocabulary(symbols, blank="[PAD]").hash,
              Vocabulary(symbols[:-1]).hash}
    assert len(hashes) == 4
    assert Vocabulary(symbols).hash == Vocabulary(tuple(Vocabulary(symbols).symbols)).hash


def test_a_written_vocabulary_reads_back_and_the_library_encodes_the_same(tmp_path: Path) -> None:
    from transformers import Wav2Vec2CTCTokenizer

    PORTUGUESE.write(tmp_path)
    assert Vocabulary.read(tmp_path / "vocab.json") == PORTUGUESE
    tokenizer = Wav2Vec2CTCTokenizer.from_pretrained(tmp_path)
    for text in ("a ação do carro", "pássaro osso", "não há kiwi"):
        assert tokenizer(text).input_ids == PORTUGUESE.encode(text)
    assert len(tokenizer) == len(PORTUGUESE.symbols)


@pytest.mark.parametrize(("letter", "base"), [("ã", "a"), ("ç", "c"), ("õ", "o"), ("à", "a"), ("ü", "u"), ("a", "a"), ("-", "-"), ("<unk>", "<unk>")])
def test_the_base_letter_has_no_accent(letter: str, base: str) -> None:
    assert base_letter(letter) == base
