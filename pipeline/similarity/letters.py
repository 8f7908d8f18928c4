"""Which letter says what: the letters of a word set against its sounds, and a donor's head set against an alphabet.

A CTC head learns one row a letter. Moved to another language by symbol (or from the base letter: ã from a), a row
starts out firing on whatever sounds that letter wrote in the donor.
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
FIRST_GUESS: Final = (0.1, 1.0, 0.1)  # weights of no, one and two sounds a letter before anything is known
NEGLIGIBLE: Final = 1e-9          # expected counts at or under this are left out


def row_for(letter: str, alphabet: str) -> str | None:
    """Return the donor's letter whose row this letter starts from: itself, else its base letter, else None.

    `ã`, Spanish → `a`; `ñ`, English → `n`; `ß`, English → None.
    """
    base = unicodedata.normalize("NFD", letter)[0]
    return next((candidate for candidate in (letter, base) if candidate in alphabet), None)


def letter_sounds(words: Sequence[str], sounds: Sequence[Sequence[str]]) -> list[dict[tuple[str, Chunk], float]]:
    """Return, for each word, how often each of its letters is expected to write which sounds.

    Portuguese "chá", /Sa/: c writes S, h nothing, á writes a, as soon as other words show what c, h and a do.

    Args:
        words: in small letters.
        sounds: of each word, in order.

    Returns:
        For each word a mapping of (letter, chunk) to its expected count under the likeliest letter → sounds
        probabilities; the counts of a word add up to its number of letters.

    Raises:
        DataError: a word has more than two sounds a letter.

    Source: Jiampojamarn, Kondrak & Sherif 2007, "Applying many-to-many alignments and hidden Markov models to
    letter-to-phoneme conversion", section 2 (forward–backward), here with one letter and up to two sounds a step.
    """
    chances: dict[tuple[str, Chunk], float] = {}
    expected: list[dict[tuple[str, Chunk], float]] = []
    for _ in range(ROUNDS):
        expected = [_expected(word, tuple(said), chances) for word, said in zip(words, sounds, strict=True)]
        totals: dict[str, float] = defaultdict(float)
        chances = defaultdict(float)
        for counts in expected:
            for (letter, chunk), count in counts.items():
                chances[letter, chunk] += count
                totals[letter] += count
        chances = {(letter, chunk): count / totals[letter] for (letter, chunk), count in chances.items()}
    return expected


def _expected(word: str, said: Chunk, chances: Mapping[tuple[str, Chunk], float]) -> dict[tuple[str, Chunk], float]:
    """Return the posterior count of each (letter, chunk) over all monotone alignments of a word (forward–backward)."""
    steps = []  # (letters before, sounds before, sounds after, (letter, chunk), chance)
    for before, letter in enumerate(word):
        for start in range(len(said) + 1):
            for length in range(min(LONGEST_CHUNK, len(said) - start) + 1):
                pair = (letter, said[start : start + length])
                if chance := chances.get(pair, 0.0) if chances else FIRST_GUESS[length]:
                    steps.append((before, start, start + length, pair, chance))
    forward = {(0, 0): 1.0}
    for before, start, end, _, chance in steps:
        reached = forward.get((before, start), 0.0) * chance
        forward[before + 1, end] = forward.get((before + 1, end), 0.0) + reached
    backward = {(len(word), len(said)): 1.0}
    for before, start, end, _, chance in reversed(steps):
        reached = backward.get((before + 1, end), 0.0) * chance
        backward[before, start] = backward.get((before, start), 0.0) + reached
    total = forward.get((len(word), len(said)), 0.0)
    if total == 0.0:
        raise DataError(f"{word!r} /{' '.join(said)}/", f"{len(said)} sounds for {len(word)} letters",
                        f"at most {LONGEST_CHUNK} sounds a letter", "correct pipeline/similarity/wordlists.tsv")
    counts: dict[tuple[str, Chunk], float] = defaultdict(float)
    for before, start, end, pair, chance in steps:
        counts[pair] += forward.get((before, start), 0.0) * chance * backward.get((before + 1, end), 0.0) / total
    return {pair: count for pair, count in counts.items() if count > NEGLIGIBLE}
