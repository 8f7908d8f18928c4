"""CTC vocabularies: the symbol of each row of a head, and the hash that binds weights to a vocabulary."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.core.errors import MissingInputError, VocabularyError
from pipeline.core.files import hash_json, read_json

BLANK, UNKNOWN, BOUNDARY = "<pad>", "<unk>", "|"
SENTENCE = ("<s>", "</s>")


@dataclass(frozen=True)
class Vocabulary:
    """The symbols of a CTC head, in row order, and the roles of the special ones.

    Args:
        symbols: row i of the head emits `symbols[i]`.
        blank: the CTC blank (`<pad>` here, `[PAD]` in some checkpoints).
        unknown: the symbol for letters that the vocabulary lacks.
        boundary: the symbol between words.
    """

    symbols: tuple[str, ...]
    blank: str = BLANK
    unknown: str = UNKNOWN
    boundary: str = BOUNDARY
    _rows: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        rows = {symbol: row for row, symbol in enumerate(self.symbols)}
        if len(rows) != len(self.symbols):
            raise VocabularyError("vocabulary", "a symbol stands for two rows", "one row a symbol")
        for role in ("blank", "boundary"):
            if getattr(self, role) not in rows:
                raise VocabularyError("vocabulary", f"no {role} symbol {getattr(self, role)!r}", f"one of {list(rows)}",
                                      "name the symbol in tokenizer_config.json")
        object.__setattr__(self, "_rows", rows)

    @classmethod
    def read(cls, path: Path | str, language: str | None = None, rows: int | None = None) -> Vocabulary:
        """Return the vocabulary in a `vocab.json` (symbol → row), with roles from the tokenizer files beside it.

        Args:
            path: the file.
            language: the key of a file with a vocabulary per language (MMS), such as `spa`.
            rows: of the head. A tokenizer may have added `<s>` and `</s>` after the head was made: those two are left out if they
                are beyond its rows.

        Raises:
            MissingInputError: the file is missing.
            VocabularyError: the rows are not 0..N-1, each once; several languages and none chosen, or one chosen without several.
        """
        path = Path(path)
        stored = {name: read_json(file) for name in ("special_tokens_map", "tokenizer_config")
                  if (file := path.with_name(f"{name}.json")).exists()}
        found = _of_language(read_json(path), language, path)
        if language is None:
            found = _added(path, stored.get("tokenizer_config", {})) | found
        if rows is not None:
            found = {symbol: row for symbol, row in found.items() if row < rows or symbol not in SENTENCE}
        if sorted(found.values()) != list(range(len(found))):
            raise VocabularyError(str(path), f"{len(found)} symbols with rows {sorted(found.values())[:3]}…{max(found.values(), default=0)}",
                                  "each row from 0 on exactly once", "repair the vocabulary; do not guess which weights are whose")
        roles = {}
        for settings in stored.values():
            for role, key in (("blank", "pad_token"), ("unknown", "unk_token"), ("boundary", "word_delimiter_token")):
                value = settings.get(key)
                value = value.get("content") if isinstance(value, dict) else value
                if value:
                    roles[role] = value
        return cls(tuple(sorted(found, key=found.__getitem__)), **roles)

    @property
    def hash(self) -> str:
        """SHA-256 of symbols and roles. Weights record it and are refused with any other vocabulary."""
        return hash_json([list(self.symbols), self.blank, self.unknown, self.boundary])

    @property
    def blank_row(self) -> int:
        """The row of the blank."""
        return self._rows[self.blank]

    @property
    def special(self) -> frozenset[str]:
        """Symbols that represent no letter."""
        return frozenset({self.blank, self.unknown, *SENTENCE, "[PAD]", "[UNK]", "<pad>", "<unk>"})

    @property
    def upper_case(self) -> bool:
        """Whether the letters are capitals (as in LibriSpeech vocabularies)."""
        letters = [symbol for symbol in self.symbols if len(symbol) == 1 and symbol.isalpha()]
        return bool(letters) and not any(letter.islower() for letter in letters)

    def encode(self, text: str) -> list[int]:
        """Return the rows of a normalised text.

        Letters that the vocabulary lacks become `unknown` if it has that symbol, and are left out otherwise.
        """
        text = text.upper() if self.upper_case else text
        unknown = self._rows.get(self.unknown)
        boundary = self._rows[self.boundary]
        rows = (boundary if letter == " " else self._rows.get(letter, unknown) for letter in text)
        return [row for row in rows if row is not None]

    def missing(self, text: str) -> set[str]:
        """Return the letters of a text that the vocabulary lacks."""
        return {letter for letter in (text.upper() if self.upper_case else text) if letter != " " and letter not in self._rows}

    def decode(self, rows: Sequence[int]) -> str:
        """Return the text of rows already collapsed (no repeats, no blanks): `[o, |, a]` → `o a`."""
        text = "".join(" " if self.symbols[row] == self.boundary else self.symbols[row]
                       for row in rows if self.symbols[row] not in self.special)
        return " ".join((text.lower() if self.upper_case else text).split())

    def write(self, folder: Path, normalise: bool = True) -> None:
        """Write `vocab.json` and the tokenizer's and feature extractor's settings in Hugging Face layout."""
        files = {
            "vocab.json": {symbol: row for row, symbol in enumerate(self.symbols)},
            "tokenizer_config.json": {
                "tokenizer_class": "Wav2Vec2CTCTokenizer", "pad_token": self.blank, "unk_token": self.unknown,
                "word_delimiter_token": self.boundary, "bos_token": None, "eos_token": None, "do_lower_case": False,
                "replace_word_delimiter_char": " ", "clean_up_tokenization_spaces": False,
            },
            "preprocessor_config.json": {
                "feature_extractor_type": "Wav2Vec2FeatureExtractor", "processor_class": "Wav2Vec2Processor", "feature_size": 1,
                "sampling_rate": 16000, "padding_value": 0.0, "padding_side": "right", "do_normalize": normalise,
                "return_attention_mask": True,
            },
        }
        for name, content in files.items():
            (folder / name).write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def base_letter(symbol: str) -> str:
    """Return a letter without its accents: ã → a, ç → c; other symbols as they are."""
    return unicodedata.normalize("NFD", symbol)[0] if len(symbol) == 1 else symbol


def find_vocabulary(folder: Path) -> Path:
    """Return the `vocab.json` of a model folder.

    Raises:
        MissingInputError: the folder has none.
    """
    path = folder / "vocab.json"
    if not path.exists():
        raise MissingInputError(str(folder), "no vocab.json", "a CTC checkpoint with its vocabulary",
                                "download the vocab.json of the same revision")
    return path


def _of_language(stored: Mapping[str, Any], language: str | None, path: Path) -> dict[str, int]:
    """Return the rows of a `vocab.json`, which may hold a vocabulary for each of many languages."""
    several = [name for name, value in stored.items() if isinstance(value, dict)]
    if not several:
        if language is not None:
            raise VocabularyError(str(path), "one vocabulary", f"one for {language!r}", "leave donor.language out")
        return dict(stored)
    if language not in several:
        shown = ", ".join(several[:12]) + (", …" if len(several) > 12 else "")
        raise VocabularyError(str(path), f"vocabularies of {len(several)} languages and {f'none for {language!r}' if language else 'none chosen'}",
                              f"one of {shown}", "set donor.language (spa is Spanish)")
    return dict(stored[language])


def _added(path: Path, tokenizer: Mapping[str, Any]) -> dict[str, int]:
    """Return the rows that were added to a tokenizer after its vocabulary was written, wherever its version stores them."""
    rows: dict[str, int] = {token["content"]: int(row) for row, token in tokenizer.get("added_tokens_decoder", {}).items()}
    if (file := path.with_name("added_tokens.json")).exists():
        rows |= read_json(file)
    return rows
