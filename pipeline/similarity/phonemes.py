"""Words → IPA → segments → ASJP symbols.

eSpeak NG transcribes for its synthesiser, and its voices differ in phonetic detail. `CORRECTIONS` undoes the conventions of
single voices; the ASJP code, designed to compare transcriptions by different authors, removes the remaining differences.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Final

from pipeline.core.errors import DataError
from pipeline.espeak import launcher

SPIRANTS: Final = (("β", "b"), ("ð", "d"), ("ɣ", "ɡ"))
"""Spanish and Catalan /b d ɡ/ are approximants between vowels. eSpeak NG writes them as fricatives, which they are not,
and does not write the same weakening in Portuguese (Martínez-Celdrán, Fernández-Planas & Carrera-Sabaté 2003,
JIPA 33:2; Carbonell & Llisterri 1992, JIPA 22)."""

CORRECTIONS: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    # final unstressed a and e are [ɐ] and [i] (Barbosa & Albano 2004, JIPA 34:2); no vowel follows the tap in "verde"
    "pt-BR": (("æ", "ɐ"), ("y", "i"), ("ɾə", "ɾ")),
    "pt": (("ɾə", "ɾ"),),
    "es": SPIRANTS,
    "es-419": SPIRANTS,
    "ca": SPIRANTS,
    "de": (("ɑ", "a"),),  # /aː/ is central, as /a/ is (Kohler 1990, JIPA 20:1)
    "ro": (("y", "ɨ"),),  # â before i in "câine"; Romanian has no [y] in native words
}
"""By voice: eSpeak NG's transcription → the sound, in the level of detail of the other voices."""

DROPPED: Final = frozenset("ˈˌːˑ-|\u02b2\u032f")
"""Stress, length, non-syllabicity and eSpeak NG's hyphens; palatalisation, which it writes for Romanian alone."""

TIE: Final = "\u0361"
NASAL: Final = "\u0303"
AFFRICATES: Final = frozenset({"ts", "dz", "tʃ", "dʒ", "tɕ", "dʑ", "pf"})

ASJP: Final[dict[str, str]] = {
    segment: symbol
    for symbol, segments in {
        "i": "i ɪ y ʏ", "e": "e ø", "E": "ɛ œ æ", "3": "ɨ ʉ ə ɘ ɜ ɵ ɚ ɝ", "a": "a ɐ", "u": "u ʊ ɯ", "o": "o ɔ ʌ ɑ ɒ ɤ",
        "p": "p ɸ", "b": "b β", "m": "m", "f": "f pf", "v": "v ʋ", "8": "θ ð", "t": "t", "d": "d", "s": "s", "z": "z",
        "c": "ts dz", "n": "n", "S": "ʃ ɕ ʂ", "Z": "ʒ ʑ ʐ", "C": "tʃ tɕ", "j": "dʒ dʑ", "T": "c ɟ", "5": "ɲ",
        "k": "k", "g": "ɡ", "x": "x ɣ ç", "N": "ŋ", "q": "q", "G": "ɢ", "X": "χ ħ ʕ", "7": "ʔ", "h": "h ɦ",
        "l": "l ɫ", "L": "ʎ ɭ", "w": "w", "y": "j ʝ ɥ", "r": "r ɾ ɹ ɻ ʁ ʀ",
    }.items()
    for segment in segments.split()
}
"""Segment → symbol of the ASJP code (7 vowels, 34 consonants).

Source: Brown, Holman, Wichmann & Velupillai 2008, "Automated classification of the world's languages", STUF 61:4.
Additions: [ç] is grouped with [x], [pf] with [f], [ʝ ɥ] with [j], and French and Portuguese [ʁ]
with "all varieties of r-sounds".
"""


def phonemise(voice: str, words: Sequence[str]) -> list[str]:
    """Return the words in IPA, each as the eSpeak NG voice pronounces it on its own, in lower case.

    Raises:
        MissingInputError: espeakng-loader is not installed.
        DataError: eSpeak NG cannot be loaded, has no such voice, or died.
    """
    return launcher.phonemise(voice, [word.lower() for word in words])


def segments(ipa: str, voice: str) -> tuple[str, ...]:
    """Return a word's segments: vowels (nasal ones marked), consonants, affricates as one, diphthongs as two.

    `segments("nˈo͡ɪt͡ʃy", "pt-BR")` → `("n", "o", "ɪ", "tʃ", "i")`.
    """
    for written, sound in CORRECTIONS.get(voice, ()):
        ipa = ipa.replace(written, sound)
    kept: list[str] = []
    tied = False
    for character in "".join(c if c in ASJP else unicodedata.normalize("NFD", c) for c in ipa):
        if character == TIE:
            tied = True
        elif character == NASAL and kept:
            kept[-1] += NASAL
        elif character not in DROPPED and not unicodedata.combining(character) and not character.isspace():
            if tied and kept[-1] + character in AFFRICATES:
                kept[-1] += character
            else:
                kept.append(character)
            tied = False
    return tuple(kept)


def asjp(word: Sequence[str]) -> tuple[str, ...]:
    """Return segments as ASJP symbols; a nasal vowel keeps its mark: `("m", "ɐ̃", "ʊ̃")` → `("m", "a*", "u*")`.

    Raises:
        DataError: the code has no symbol for a segment.
    """
    plain = [segment.removesuffix(NASAL) for segment in word]
    if unknown := sorted({segment for segment in plain if segment not in ASJP}):
        raise DataError(f"/{''.join(word)}/", f"no ASJP symbol for {', '.join(unknown)}", "segments of the table ASJP",
                        "add them in pipeline/similarity/phonemes.py")
    return tuple(ASJP[base] + ("*" if segment != base else "") for segment, base in zip(word, plain, strict=True))
