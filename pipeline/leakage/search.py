"""The search for leaks: for each utterance of a lower split, one of a higher split that it meets.

Joins on rare words and matrix products replace the comparison of all pairs; the result is the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from pipeline.leakage.rules import EPSILON, RULES, Bounds, Ints, Words, fingerprints_of, identity, words_of


def find_leaks(low: pd.DataFrame, high: pd.DataFrame, bounds: Bounds) -> pd.DataFrame:
    """Return the utterances of `low` that meet one of `high`: index of `low`; `rule` (the first broken), `meets` (an utterance_id).

    Args:
        low: utterances of the lower split, with the columns of `core.manifest.SPLIT`.
        high: utterances of the higher splits, with the same columns.
        bounds: the limits of near-duplicates and fingerprints.
    """
    found = []
    for rule in RULES:
        if low.empty or high.empty:
            break
        partners = _partners(rule, low, high, bounds)
        hit = partners >= 0
        meets = high["utterance_id"].to_numpy()[partners[hit]]
        found.append(pd.DataFrame({"rule": rule, "meets": meets}, index=low.index[hit]))
        low = low[~hit]
    return pd.concat(found) if found else pd.DataFrame({"rule": [], "meets": []}, dtype="str")


def _partners(rule: str, low: pd.DataFrame, high: pd.DataFrame, bounds: Bounds) -> Ints:
    """Return for each row of `low` the position of the row of `high` that it meets by this rule, or -1."""
    if rule == "near_duplicate":
        sets = [[words_of(sentence, bounds.language) for sentence in rows["variants"]] for rows in (low, high)]
        return similar_sets(sets[0], sets[1], bounds.similarity)
    if rule == "fingerprint":
        return similar_recordings(low, high, bounds)
    first: dict[str, int] = {}
    for position, key in enumerate(_keys(rule, high)):
        first.setdefault(key, position)
    first.pop("", None)
    return np.fromiter((first.get(key, -1) for key in _keys(rule, low)), dtype=np.int64, count=len(low))


def _keys(rule: str, rows: pd.DataFrame) -> list[str]:
    """Return the key that must differ between splits; "" matches nothing (unknown, or a corpus of one speaker)."""
    if rule == "speaker":
        return ["" if dependent else identity(speaker)
                for speaker, dependent in zip(rows["speaker"], rows["speaker_dependent"], strict=True)]
    return rows["text" if rule == "sentence" else "audio_hash"].tolist()


def similar_sets(low: Sequence[Words], high: Sequence[Words], similarity: float) -> Ints:
    """Return for each set of `low` the position of the most similar set of `high` that reaches `similarity`, or -1.

    Exact: two sets that reach the similarity share a word in the prefixes of both (the rarest words), at positions from which
    the remaining words can still agree (prefix and positional filter).

    Source: Xiao, Wang, Lin, Yu, Wang: Efficient similarity joins for near-duplicate detection, TODS 36(3), 2011, 3.
    """
    low_sets, low_of = _distinct(low)
    high_sets, high_of = _distinct(high)
    low_first, high_first = _prefixes(low_sets, high_sets, similarity)
    best = np.full(len(low_sets), -1, dtype=np.int64)
    reached = np.zeros(len(low_sets))
    for i, j in _candidate_pairs(low_first, high_first, similarity):
        shared = len(low_sets[i] & high_sets[j])
        measured = shared / (len(low_sets[i]) + len(high_sets[j]) - shared)
        if measured >= similarity - EPSILON and (measured > reached[i] or (measured == reached[i] and j < best[i])):
            best[i], reached[i] = j, measured
    first_of_set = np.full(len(high_sets) + 1, -1, dtype=np.int64)
    first_of_set[high_of[::-1]] = np.arange(len(high))[::-1]
    return first_of_set[best[low_of]]


def _distinct(sets: Sequence[Words]) -> tuple[list[Words], Ints]:
    """Return the distinct sets in order of occurrence, and for each given set its index among them."""
    index: dict[Words, int] = {}
    of = np.fromiter((index.setdefault(words, len(index)) for words in sets), dtype=np.int64, count=len(sets))
    return list(index), of


def _prefixes(low: list[Words], high: list[Words], similarity: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the prefix of each set, one row per word: set, size, word (rank by frequency, rarest first), position in the set."""
    sizes = np.fromiter(map(len, low + high), dtype=np.int64, count=len(low) + len(high))
    codes, names = pd.factorize(np.array([word for words in low + high for word in words], dtype=object))
    rank = np.empty(len(names), dtype=np.int64)
    rank[np.argsort(np.bincount(codes, minlength=len(names)), kind="stable")] = np.arange(len(names))
    owner = np.repeat(np.arange(len(sizes)), sizes)
    word = rank[codes]
    order = np.lexsort((word, owner))
    position = np.arange(len(word)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    table = pd.DataFrame({"set": owner, "size": sizes[owner], "word": word[order], "position": position})
    table = table[position <= table["size"] - np.ceil(similarity * table["size"] - EPSILON)]
    of_low = table["set"] < len(low)
    return table[of_low], table[~of_low].assign(set=lambda rows: rows["set"] - len(low))


def _candidate_pairs(low: pd.DataFrame, high: pd.DataFrame, similarity: float) -> Iterator[tuple[int, int]]:
    """Yield the pairs of sets that share a word of their prefixes and may reach `similarity`, in chunks of bounded memory."""
    high = high.sort_values(["word", "set"])
    h_word, h_set, h_size, h_position = (high[name].to_numpy() for name in ("word", "set", "size", "position"))
    start = np.searchsorted(h_word, low["word"], side="left")
    count = np.searchsorted(h_word, low["word"], side="right") - start
    l_set, l_size, l_position = (low[name].to_numpy() for name in ("set", "size", "position"))
    chunk_of = np.cumsum(count) // 2_000_000
    for chunk in np.unique(chunk_of[count > 0]):
        rows = np.flatnonzero((chunk_of == chunk) & (count > 0))
        left = np.repeat(rows, count[rows])
        within = np.arange(len(left)) - np.repeat(np.cumsum(count[rows]) - count[rows], count[rows])
        right = start[left] + within
        total = l_size[left] + h_size[right]
        needed = np.ceil(similarity / (1 + similarity) * total - EPSILON)
        kept = np.minimum(l_size[left] - l_position[left], h_size[right] - h_position[right]) >= needed
        pairs = np.unique(l_set[left[kept]] * (h_set.max() + 1) + h_set[right[kept]])
        yield from zip(*(part.tolist() for part in np.divmod(pairs, h_set.max() + 1)), strict=True)


def similar_recordings(low: pd.DataFrame, high: pd.DataFrame, bounds: Bounds) -> Ints:
    """Return for each row of `low` the position of the row of `high` with the nearest fingerprint within bounds, or -1.

    With bits as ±1, the scalar product of two fingerprints is bits − 2 × Hamming distance: one matrix product compares
    a block of `low` with every row of `high` of similar duration.
    """
    partners = np.full(len(low), -1, dtype=np.int64)
    lows, highs = fingerprints_of(low), fingerprints_of(high)
    if not len(lows.position_N) or not len(highs.position_N):
        return partners
    num_bits, slack = 8 * lows.bytes_NB.shape[1], bounds.slack_samples
    allowed = bounds.differing_bits(num_bits)
    high_signs = np.unpackbits(highs.bytes_NB, axis=1).astype(np.float32) * 2 - 1
    for start in range(0, len(lows.position_N), 1024):
        block = slice(start, start + 1024)
        lengths = lows.length_N[block]
        first = np.searchsorted(highs.length_N, lengths[0] - slack, side="left")
        last = np.searchsorted(highs.length_N, lengths[-1] + slack, side="right")
        if first == last:
            continue
        signs = np.unpackbits(lows.bytes_NB[block], axis=1).astype(np.float32) * 2 - 1
        distance = (num_bits - signs @ high_signs[first:last].T) / 2
        distance[np.abs(lengths[:, None] - highs.length_N[None, first:last]) > slack] = num_bits + 1
        nearest = distance.argmin(axis=1)
        hit = distance[np.arange(len(nearest)), nearest] <= allowed
        partners[lows.position_N[block][hit]] = highs.position_N[first + nearest[hit]]
    return partners
