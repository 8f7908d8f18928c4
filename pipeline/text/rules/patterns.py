"""Patterns for the entries of a table: alternatives that share their first characters."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from pipeline.text.alphabet import LETTER

CAPITAL: Final = "A-ZÀ-ÖØ-Þ"
"""The range of capital letters, for a character class."""


def _trie(sequences: Iterable[Sequence[str]]) -> str:
    """Return a pattern for any of the sequences of patterns, the longest first, with common first patterns merged."""
    branches: dict[str, list[Sequence[str]]] = {}
    optional = False
    for sequence in sequences:
        if sequence:
            branches.setdefault(sequence[0], []).append(sequence[1:])
        else:
            optional = True
    if not branches:
        return ""
    pattern = "|".join(first + _trie(rest) for first, rest in branches.items())
    return f"(?:{pattern})?" if optional else f"(?:{pattern})" if len(branches) > 1 else pattern


def any_of(keys: Iterable[str]) -> str:
    """Return a pattern for any of the keys."""
    return _trie([re.escape(letter) for letter in key] for key in keys)


def _abbreviation(key: str) -> list[str]:
    """Return the patterns of an abbreviation's characters: a space may be left out, lower-case letters may be capitals."""
    any_case = key.islower()
    parts = [f"[{letter}{letter.upper()}]" if any_case and letter.isalpha() else re.escape(letter) for letter in key]
    parts = [" ?" if part == "\\ " else part for part in parts]
    if key[-1] == "/":
        return [*parts, "(?= )"]
    return [*parts, rf"(?!'?{LETTER})"] if key[-1].isalpha() and key[-1] not in "ªº" else parts


def any_abbreviation(keys: Iterable[str]) -> str:
    """Return a pattern for any of the abbreviations."""
    return _trie(_abbreviation(key) for key in keys)
