"""What a leak between two splits is.

An utterance of a lower split (train) *meets* an utterance of a higher one (dev, test) if one of five rules holds:

speaker         the same known speaker; corpora declared to have one speaker are exempt
sentence        the same normalised sentence
near_duplicate  sets of words whose Jaccard similarity reaches a bound; numbers masked, accents folded
audio           the same samples
fingerprint     spectral fingerprints within a Hamming distance at a similar duration: re-encoded or gain-changed copies

`search` finds the utterances to remove, `recount` counts what the splits still share. Both use these definitions and no other
common code.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.core.errors import DataError
from pipeline.core.manifest import SAMPLE_RATE_HZ

RULES: Final = ("speaker", "sentence", "near_duplicate", "audio", "fingerprint")
"""In the order in which they are applied: an utterance is counted under the first rule that it breaks."""

EPSILON: Final = 1e-9
"""Tolerance of comparisons with a similarity, which is a ratio of integers."""

Ints: TypeAlias = npt.NDArray[np.int64]
Words: TypeAlias = frozenset[str]

_CLIENT_ID = re.compile(r"[0-9a-f]{128}")
_NUMBER_RUN = re.compile(r"#(?: (?:[ey] )?#)*")

_PORTUGUESE_NUMBERS: Final = """
    zero um uma dois duas tres quatro cinco seis sete oito nove dez onze doze treze catorze quatorze quinze dezesseis
    dezasseis dezessete dezassete dezoito dezenove dezanove vinte trinta quarenta cinquenta sessenta setenta oitenta
    noventa cem cento duzent* trezent* quatrocent* quinhent* seiscent* setecent* oitocent* novecent* mil milhao milhoes
    bilhao bilhoes biliao bilioes trilhao trilhoes primeir* segund* terceir* quart* quint* sext* setim* oitav* non*
    decim* vigesim* trigesim* quadragesim* quinquagesim* sexagesim* septuagesim* octogesim* nonagesim*
    centesim* milesim*
"""
_SPANISH_NUMBERS: Final = """
    cero un uno una dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince dieciseis diecisiete
    dieciocho diecinueve veinte veintiun veintiuno veintiuna veintidos veintitres veinticuatro veinticinco veintiseis
    veintisiete veintiocho veintinueve treinta cuarenta cincuenta sesenta setenta ochenta noventa cien ciento doscient*
    trescient* cuatrocient* quinient* seiscient* setecient* ochocient* novecient* mil millon millones billon billones
    primer primer* segund* tercer tercer* cuart* quint* sext* septim* octav* noven* decim* vigesim* trigesim*
    cuadragesim* quincuagesim* sexagesim* septuagesim* octogesim* nonagesim* centesim* milesim*
"""


def _spell_out(listed: str) -> frozenset[str]:
    """Return the listed words, `*` replaced by the endings of gender and number: duzent* is duzentos, duzentas."""
    return frozenset(
        word.removesuffix("*") + ending
        for word in listed.split()
        for ending in (("o", "a", "os", "as") if word.endswith("*") else ("",))
    )


NUMBER_WORDS: Final = {"portuguese": _spell_out(_PORTUGUESE_NUMBERS), "spanish": _spell_out(_SPANISH_NUMBERS)}
"""Cardinals and ordinals without accents. Some have a second sense (quarto, segundo): masking those as well only
makes the search stricter."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The limits from which two utterances count as copies.

    Args:
        language: whose number words are masked.
        similarity: Jaccard similarity of the word sets from which two sentences are near-duplicates, 0..1.
        bit_share: share of fingerprint bits that may differ between copies of one recording, 0..1.
        duration_s: largest difference in duration between copies of one recording.
    """

    language: str
    similarity: float
    bit_share: float
    duration_s: float

    @property
    def slack_samples(self) -> int:
        """The largest difference in duration, in samples."""
        return round(self.duration_s * SAMPLE_RATE_HZ)

    def differing_bits(self, num_bits: int) -> int:
        """Return how many of `num_bits` fingerprint bits may differ."""
        return int(self.bit_share * num_bits)


def identity(speaker: str) -> str:
    """Return the identity of a speaker, which is hashed and compared.

    A Common Voice client_id (128 hexadecimal digits) is the same in every release, so there the corpus before it
    does not count: `cv-6/<client_id>` and `cv-17/<client_id>` are one speaker.
    """
    name = speaker.rpartition("/")[2]
    return name if _CLIENT_ID.fullmatch(name) else speaker


def is_common_voice(speaker: str) -> bool:
    """Return whether the speaker is known by a Common Voice client_id."""
    return bool(_CLIENT_ID.fullmatch(identity(speaker)))


def words_of(sentence: str, language: str) -> Words:
    """Return the set of words by which a normalised sentence is compared: accents folded, numbers masked.

    "faltam vinte e três dias" → {"faltam", "#", "dias"}; a sentence of numbers alone is kept as one item,
    since different digits are not copies of one another: "vinte e três" → {"vinte e tres"}.

    Raises:
        DataError: no number words are known for the language.
    """
    if language not in NUMBER_WORDS:
        known = " or ".join(NUMBER_WORDS)
        raise DataError(f"language {language!r}", "its number words are unknown", known, "add them to NUMBER_WORDS")
    numbers = NUMBER_WORDS[language]
    if not sentence.isascii():
        sentence = "".join(sign for sign in unicodedata.normalize("NFD", sentence) if not unicodedata.combining(sign))
    words = sentence.split()
    masked = _NUMBER_RUN.sub("#", " ".join("#" if word in numbers or word.isdigit() else word for word in words))
    return frozenset(masked.split()) if masked != "#" else frozenset([" ".join(words)])


@dataclass(frozen=True, slots=True)
class Fingerprints:
    """The fingerprints of a table of N rows that have one, by increasing length.

    Args:
        position_N: row of the table.
        length_N: duration in samples.
        bytes_NB: fingerprint, eight bits per byte.
    """

    position_N: Ints
    length_N: Ints
    bytes_NB: npt.NDArray[np.uint8]


def fingerprints_of(rows: pd.DataFrame) -> Fingerprints:
    """Return the fingerprints of the rows that have one; all have the same number of bits."""
    prints = rows["fingerprint"].to_numpy(dtype=object)
    num_samples = np.rint(rows["duration_s"].to_numpy(dtype=np.float64) * SAMPLE_RATE_HZ).astype(np.int64)
    known = np.flatnonzero(prints != "")
    known = known[np.argsort(num_samples[known], kind="stable")]
    packed = np.frombuffer(bytes.fromhex("".join(prints[known])), dtype=np.uint8)
    return Fingerprints(known, num_samples[known], packed.reshape(len(known), len(packed) // max(len(known), 1)))
