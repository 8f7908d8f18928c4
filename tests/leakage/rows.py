"""Utterances of a split, leaks between two utterances, and pairs that are no leak."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from zlib import crc32

import numpy as np

from pipeline.core.manifest import NORMALISED
from pipeline.leakage.rules import Bounds

BOUNDS = Bounds("portuguese", similarity=0.8, bit_share=0.25, duration_s=0.25)
EMPTY = {name: "" for name, kind in NORMALISED.items() if str(kind) == "string"}
ZERO = {name: 0 for name, kind in NORMALISED.items() if str(kind) in ("double", "int64")}


def fingerprint(flipped: Iterable[int] = (), seed: int = 0) -> str:
    """Return 256 bits drawn from `seed`, some of them flipped."""
    bits = np.random.default_rng(seed).integers(0, 2, 256, dtype=np.uint8)
    bits[list(flipped)] ^= 1
    return np.packbits(bits).tobytes().hex()


def utterance(number: int, speaker: str = "", text: str = "", corpus: str = "c", **columns: Any) -> dict[str, Any]:
    """Return a row of a normalised manifest that matches no other, except in the given columns."""
    text = text or " ".join(f"{corpus}{number}{letter}" for letter in "abcdef")
    return {
        **EMPTY, **ZERO, "utterance_id": f"{corpus}/{number:05d}", "corpus": corpus, "language": "portuguese",
        "speaker": f"{corpus}/{speaker}" if speaker else "", "text": text, "variants": text, "normaliser": "pt-BR/1",
        "duration_s": 3.0, "audio_hash": f"hash {corpus} {number}", "keep": True, "speaker_dependent": False,
        "fingerprint": fingerprint(seed=crc32(f"{corpus} {number}".encode())), **columns,
    }


LEAKS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "the same sentence": ("sentence", {"text": "o gato dorme no telhado"}, {"text": "o gato dorme no telhado"}),
    "the same sentence with another number": (
        "near_duplicate", {"text": "faltam vinte e três dias"}, {"text": "faltam mil e quinhentos dias"}),
    "the same sentence with one word more": (
        "near_duplicate", {"text": "há males que vêm para bem"}, {"text": "há males que vêm para o bem"}),
    "the same sentence in another spelling": (
        "near_duplicate", {"text": "um facto económico", "variants": "um fato economico"},
        {"text": "um fato econômico", "variants": "um fato economico"}),
    "the same sentence with an accent lost": (
        "near_duplicate", {"text": "está claro então"}, {"text": "esta claro entao"}),
    "the same samples": ("audio", {"audio_hash": "same"}, {"audio_hash": "same"}),
    "a re-encoded copy": (
        "fingerprint", {"fingerprint": fingerprint()},
        {"fingerprint": fingerprint(range(0, 240, 5)), "duration_s": 3.1}),
    "a copy, a quarter of a second longer": (
        "fingerprint", {"fingerprint": fingerprint(seed=1)}, {"fingerprint": fingerprint(seed=1), "duration_s": 3.25}),
}


NO_LEAKS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "another number in words": ({"text": "vinte e três"}, {"text": "vinte e quatro"}),
    "two words of eight differ": (
        {"text": "o velho pescador vendeu ontem a barca azul"},
        {"text": "o velho pescador comprou ontem a barca verde"}),
    "a copy's fingerprint, yet a quarter of a second and one sample longer": (
        {"fingerprint": fingerprint()}, {"fingerprint": fingerprint(), "duration_s": 3.25 + 1 / 16_000}),
    "a copy's fingerprint, yet seconds longer": (
        {"fingerprint": fingerprint(), "duration_s": 3.0}, {"fingerprint": fingerprint(), "duration_s": 4.0}),
    "fingerprints too far apart": (
        {"fingerprint": fingerprint()}, {"fingerprint": fingerprint(range(65))}),
    "both without fingerprint and hash": (
        {"fingerprint": "", "audio_hash": ""}, {"fingerprint": "", "audio_hash": ""}),
}
