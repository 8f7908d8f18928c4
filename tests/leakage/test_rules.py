"""The definitions of a leak: speakers, compared words, bounds, fingerprints."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pipeline.core.errors import DataError
from pipeline.leakage.rules import Bounds, fingerprints_of, identity, is_common_voice, words_of
from tests.leakage.rows import BOUNDS, utterance

CLIENT_ID = "0123456789abcdef" * 8


def test_a_common_voice_speaker_is_the_same_in_every_release() -> None:
    assert identity(f"cv-6/{CLIENT_ID}") == identity(f"cv-17/{CLIENT_ID}") == CLIENT_ID
    assert is_common_voice(f"cv-6/{CLIENT_ID}")


@pytest.mark.parametrize("speaker", ["mls/12", "cv/0123", f"cv/{CLIENT_ID}0", f"cv/{CLIENT_ID.upper()}", ""])
def test_any_other_speaker_belongs_to_its_corpus(speaker: str) -> None:
    assert identity(speaker) == speaker
    assert not is_common_voice(speaker)


@pytest.mark.parametrize(("language", "sentence", "expected"), [
    ("portuguese", "faltam vinte e três dias", {"faltam", "#", "dias"}),
    ("portuguese", "mil e novecentas e duas pessoas e um cão", {"#", "pessoas", "e", "cao"}),
    ("portuguese", "vinte e três", {"vinte e tres"}),
    ("portuguese", "a terceira porta à esquerda", {"a", "#", "porta", "esquerda"}),
    ("portuguese", "os dos outros", {"os", "dos", "outros"}),
    ("portuguese", "sala 12", {"sala", "#"}),
    ("spanish", "los dos niños", {"los", "#", "ninos"}),
    ("spanish", "treinta y un mil pesos y pico", {"#", "pesos", "y", "pico"}),
])
def test_words_are_compared_with_numbers_masked_and_accents_folded(language: str, sentence: str, expected: set[str]) -> None:
    assert words_of(sentence, language) == expected


def test_a_language_without_number_words_is_refused_by_name() -> None:
    with pytest.raises(DataError, match="'finnish': its number words are unknown; expected portuguese or spanish"):
        words_of("yksi", "finnish")


def test_bounds_are_counted_in_bits_and_samples() -> None:
    assert BOUNDS.differing_bits(256) == 64
    assert Bounds("spanish", 0.8, 0.1, 0.1).differing_bits(256) == 25
    assert BOUNDS.slack_samples == 4000


def test_fingerprints_are_sorted_by_length_and_rows_without_one_are_left_out() -> None:
    rows = pd.DataFrame([utterance(0, fingerprint="00ff", duration_s=3.0), utterance(1, fingerprint=""),
                         utterance(2, fingerprint="0102", duration_s=1.0)])
    found = fingerprints_of(rows)
    assert found.position_N.tolist() == [2, 0]
    assert found.length_N.tolist() == [16_000, 48_000]
    assert found.bytes_NB.tolist() == [[1, 2], [0, 255]]
    assert fingerprints_of(rows.iloc[1:2]).bytes_NB.shape == (0, 0)
    assert found.bytes_NB.dtype == np.uint8
