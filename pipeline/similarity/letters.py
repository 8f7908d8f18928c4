"""Alignment of letters to sounds, and of a target's letters to the rows of a donor's CTC head.

A CTC head has one row per letter. Transferred to another language by symbol (or from the base letter: ã from a), a row
first represents the sounds that the letter writes in the donor.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

from pipeline.core.errors import DataError

Chunk = tuple[str, ...]
"""The sounds one letter writes: none (h in "hora"), one, or two (x in "táxi")."""

LONGEST_CHUNK: Final = 2
ROUNDS: Final = 10                # of expectation–maximisation
FIRST_GUESS: Final = (0.1, 1.0, 0.1)  # initial weights of no, one and two sounds per letter
NEGLIGIBLE: Final = 1e-9          # expected counts up to this are left out


def row_for(letter: str, alphabet: str) -> str | None:
    """Return the donor's letter whose row this letter starts from: itself, otherwise its base letter, otherwise None.

    `ã`, Spanish → `a`; `ñ`, English → `n`; `ß`, English → None.
    """
    base = unicodedata.normalize("NFD", letter)[0]
    return next((candidate for candidate in (letter, base) if candidate in alphabet), None)


def letter_sounds(words: Sequence[str], sounds: Sequence[Sequence[str]]) -> list[dict[tuple[str, Chunk], float]]:
    """Return, for each word, the expected count of each of its letters with each chunk of sounds.

    Portuguese "chá", /Sa/: c writes S, h nothing, á writes a, inferred from other words with c, h and a.

    Args:
        words: in lower case.
        sounds: of each word, in order.

    Returns:
        For each word a mapping of (letter, chunk) to its expected count under the likeliest letter → sounds
        probabilities; the counts of a word add up to its number of letters.

    Raises:
        DataError: a word has more than two sounds per letter.

    Source: Jiampojamarn, Kondrak & Sherif 2007, "Applying many-to-many alignments and hidden Markov models to
    letter-to-phoneme conversion", section 2 (forward–backward), here with one letter and up to two sounds per step.
    """
    probabilities: dict[tuple[str, Chunk], float] = {}
    expected: list[dict[tuple[str, Chunk], float]] = []
    for _ in range(ROUNDS):
        expected = [_expected(word, tuple(spoken), probabilities) for word, spoken in zip(words, sounds, strict=True)]
        totals: dict[str, float] = defaultdict(float)
        probabilities = defaultdict(float)
        for counts in expected:
            for (letter, chunk), count in counts.items():
                probabilities[letter, chunk] += count
                totals[letter] += count
        probabilities = {(letter, chunk): count / totals[letter] for (letter, chunk), count in probabilities.items()}
    return expected


def _expected(word: str, sounds: Chunk, probabilities: Mapping[tuple[str, Chunk], float]) -> dict[tuple[str, Chunk], float]:
    """Return the posterior count of each (letter, chunk) over all monotone alignments of a word (forward–backward)."""
    steps = []  # (letters before, sounds before, sounds after, (letter, chunk), probability)
    for before, letter in enumerate(word):
        for start in range(len(sounds) + 1):
            for length in range(min(LONGEST_CHUNK, len(sounds) - start) + 1):
                pair = (letter, sounds[start : start + length])
                if probability := probabilities.get(pair, 0.0) if probabilities else FIRST_GUESS[length]:
                    steps.append((before, start, start + length, pair, probability))
    forward = {(0, 0): 1.0}
    for before, start, end, _, probability in steps:
        reached = forward.get((before, start), 0.0) * probability
        forward[before + 1, end] = forward.get((before + 1, end), 0.0) + reached
    backward = {(len(word), len(sounds)): 1.0}
    for before, start, end, _, probability in reversed(steps):
        reached = backward.get((before + 1, end), 0.0) * probability
        backward[before, start] = backward.get((before, start), 0.0) + reached
    total = forward.get((len(word), len(sounds)), 0.0)
    if total == 0.0:
        raise DataError(f"{word!r} /{' '.join(sounds)}/", f"{len(sounds)} sounds for {len(word)} letters",
                        f"at most {LONGEST_CHUNK} sounds per letter", "correct pipeline/similarity/wordlists.tsv")
    counts: dict[tuple[str, Chunk], float] = defaultdict(float)
    for before, start, end, pair, probability in steps:
        counts[pair] += forward.get((before, start), 0.0) * probability * backward.get((before + 1, end), 0.0) / total
    return {pair: count for pair, count in counts.items() if count > NEGLIGIBLE}
