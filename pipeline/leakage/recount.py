"""The recount: how much two splits still share, by comparing every pair of comparable size bit by bit.

It is independent of the search: no index that could hide a pair.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.leakage.rules import EPSILON, Bounds, Words, fingerprints_of, identity, words_of


def count_leaks(low: pd.DataFrame, high: pd.DataFrame, bounds: Bounds) -> dict[str, int]:
    """Return what two splits still share, by rule: speakers, sentences, pairs of sentences, audio hashes, pairs of recordings.

    Args:
        low: utterances of the lower split, with the columns of `core.manifest.SPLIT`.
        high: utterances of the higher split, with the same columns.
        bounds: the limits of near-duplicates and fingerprints.
    """
    low_speakers, high_speakers = (
        {identity(name) for name in rows.loc[~rows["speaker_dependent"], "speaker"].unique()} for rows in (low, high)
    )
    return {
        "speaker": len(low_speakers & high_speakers - {""}),
        "sentence": len(np.intersect1d(low["text"], high["text"])),
        "near_duplicate": _count_similar_sets(low, high, bounds),
        "audio": len(set(low["audio_hash"]) & set(high["audio_hash"]) - {""}),
        "fingerprint": _count_similar_recordings(low, high, bounds),
    }


def _count_similar_sets(low: pd.DataFrame, high: pd.DataFrame, bounds: Bounds) -> int:
    """Return the number of pairs of distinct word sets that reach the similarity.

    The sketch of a set is 64 parity bits, one flip per word. Two sketches never differ in more bits than the sets differ in
    words, so only pairs with few differing bits need the exact comparison.
    """
    sets = [{words_of(sentence, bounds.language) for sentence in rows["variants"].unique()} for rows in (low, high)]
    bits = {word: index % 64 for index, word in enumerate(sorted(frozenset[str]().union(*sets[0], *sets[1])))}
    by_size = [_sketches(group, bits) for group in sets]
    count = 0
    for low_size, (low_sets, low_sketches) in by_size[0].items():
        for high_size, (high_sets, high_sketches) in by_size[1].items():
            if min(low_size, high_size) < bounds.similarity * max(low_size, high_size) - EPSILON:
                continue
            total = low_size + high_size
            differing = math.floor((1 - bounds.similarity) / (1 + bounds.similarity) * total + EPSILON)
            for i, j in _similar_sketches(low_sketches, high_sketches, differing):
                shared = len(low_sets[i] & high_sets[j])
                count += shared >= bounds.similarity * (total - shared) - EPSILON
    return count


def _sketches(sets: set[Words], bits: dict[str, int]) -> dict[int, tuple[list[Words], npt.NDArray[np.uint64]]]:
    """Return the sets and their sketches, grouped by the size of the set."""
    grouped: dict[int, tuple[list[Words], list[int]]] = {}
    for words in sets:
        sketch = 0
        for word in words:
            sketch ^= 1 << bits[word]
        members, sketches = grouped.setdefault(len(words), ([], []))
        members.append(words)
        sketches.append(sketch)
    return {size: (members, np.array(sketches, dtype=np.uint64)) for size, (members, sketches) in grouped.items()}


def _similar_sketches(
    low: npt.NDArray[np.uint64], high: npt.NDArray[np.uint64], differing: int
) -> Iterator[tuple[int, int]]:
    """Yield every pair of sketches that differ in at most `differing` bits, block by block within the cache."""
    for i in range(0, len(low), 128):
        for j in range(0, len(high), 1024):
            distance = np.bitwise_count(low[i : i + 128, None] ^ high[None, j : j + 1024])
            for row, column in np.argwhere(distance <= differing):
                yield i + int(row), j + int(column)


def _count_similar_recordings(low: pd.DataFrame, high: pd.DataFrame, bounds: Bounds) -> int:
    """Return the number of pairs of recordings whose fingerprints are within bounds, by exclusive or and a count of bits."""
    lows, highs = fingerprints_of(low), fingerprints_of(high)
    if not len(lows.length_N) or not len(highs.length_N):
        return 0
    allowed, slack = bounds.differing_bits(8 * lows.bytes_NB.shape[1]), bounds.slack_samples
    low_words, high_words = _as_words(lows.bytes_NB), _as_words(highs.bytes_NB)
    first = np.searchsorted(lows.length_N, highs.length_N - slack, side="left")
    last = np.searchsorted(lows.length_N, highs.length_N + slack, side="right")
    count = 0
    for row, (start, stop) in enumerate(zip(first, last, strict=True)):
        distance = np.zeros(stop - start, dtype=np.uint16)
        for column in range(low_words.shape[0]):
            distance += np.bitwise_count(low_words[column, start:stop] ^ high_words[column, row])
        count += int((distance <= allowed).sum())
    return count


def _as_words(packed: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint64]:
    """Return fingerprints as words of 64 bits, one row per word and one column per fingerprint; the last word is padded with zeros."""
    padded = np.pad(packed, ((0, 0), (0, -packed.shape[1] % 8)))
    return np.ascontiguousarray(np.ascontiguousarray(padded).view(np.uint64).T)
