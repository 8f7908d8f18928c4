"""The sentences of dev and test: none of them, and no near-duplicate of one, may be in a text; and how near a text is to test.

The definitions and the two methods are those of the leakage certificate: `leakage.search` finds what to remove, and
`leakage.recount` counts any that remain.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from scipy import sparse

from pipeline.leakage.recount import count_leaks
from pipeline.leakage.rules import Bounds, Words, words_of
from pipeline.leakage.search import similar_sets
from pipeline.ngram.texts import Text

CHUNK = 50_000
"""Sentences compared at a time: bounds memory; the result does not depend on it."""
COMPARED = ("sentence", "near_duplicate")
"""The rules of `leakage.rules` that concern texts."""


def remove_held_out(text: Text, held_out: pd.DataFrame, bounds: Bounds) -> tuple[Text, dict[str, int]]:
    """Return the text without the sentences that equal or nearly equal one of dev or test, and their number by rule.

    Args:
        text: of any size.
        held_out: utterances of dev and test, with `text` and `variants`.
        bounds: of the split.
    """
    removed = dict.fromkeys(COMPARED, 0)
    exact = set(held_out["text"])
    high = [words_of(variants, bounds.language) for variants in held_out["variants"].unique()]
    kept = Text(text.offered, Counter(text.dropped))
    for sentences, variants in _chunks(text):
        low = [words_of(sentence, bounds.language) for sentence in variants]
        partners = similar_sets(low, high, bounds.similarity)
        for sentence, canonical, partner in zip(sentences, variants, partners.tolist(), strict=True):
            if sentence in exact:
                removed["sentence"] += 1
            elif partner >= 0:
                removed["near_duplicate"] += 1
            else:
                kept.sentences.append(sentence)
                kept.variants.append(canonical)
    return kept, removed


def count_left(text: Text, held_out: pd.DataFrame, bounds: Bounds) -> dict[str, int]:
    """Return what a text still shares with dev and test, by rule, counted by the certificate's recount."""
    left = dict.fromkeys(COMPARED, 0)
    high = _rows(held_out["text"].tolist(), held_out["variants"].tolist())
    for sentences, variants in _chunks(text):
        found = count_leaks(_rows(sentences, variants), high, bounds)
        for rule in COMPARED:
            left[rule] += found[rule]
    return left


def _rows(sentences: Sequence[str], variants: Sequence[str]) -> pd.DataFrame:
    """Return sentences as utterances without speaker and audio, which match nothing by these."""
    return pd.DataFrame({"text": pd.Series(sentences, dtype=object), "variants": pd.Series(variants, dtype=object), "speaker": "",
                         "speaker_dependent": False, "audio_hash": "", "fingerprint": "", "duration_s": 0.0})


def _chunks(text: Text) -> Iterator[tuple[list[str], list[str]]]:
    """Yield sentences and their variants, at most `CHUNK` at a time."""
    for start in range(0, len(text.sentences), CHUNK):
        yield text.sentences[start : start + CHUNK], text.variants[start : start + CHUNK]


def nearness(text: Text, test: pd.DataFrame, language: str, most: int) -> float | None:
    """Return the median over test sentences of the best Jaccard similarity to any sentence of the text; None if either is empty.

    Args:
        text: of any size.
        test: utterances of test, with `variants`.
        language: whose number words are masked in the sets of words.
        most: test sentences compared; of more, every k-th in alphabetical order.
    """
    distinct = sorted(test["variants"].unique())
    asked = [words_of(variants, language) for variants in distinct[:: -(-len(distinct) // most) or 1]]
    if not asked or not text.sentences:
        return None
    column = {word: number for number, word in enumerate(sorted(frozenset[str]().union(*asked)))}
    test_TV, size_T = _indicators(asked, column)
    best_T = np.zeros(len(asked))
    for start in range(0, len(text.variants), CHUNK // 10):
        text_NV, size_N = _indicators([words_of(line, language) for line in text.variants[start : start + CHUNK // 10]], column)
        shared = (test_TV @ text_NV.T).tocoo()
        similarity = shared.data / (size_T[shared.row] + size_N[shared.col] - shared.data)
        np.maximum(best_T, sparse.csr_matrix((similarity, (shared.row, shared.col)), shape=shared.shape).max(axis=1).toarray().ravel(), out=best_T)
    return round(float(np.median(best_T)), 4)


def _indicators(sets: Sequence[Words], column: dict[str, int]) -> tuple[sparse.csr_matrix, np.ndarray]:
    """Return a row per set with 1 in the columns of its words (those without a column are left out), and the size of each set."""
    columns = [[column[word] for word in words if word in column] for words in sets]
    start = np.cumsum([0, *map(len, columns)])
    flat = np.fromiter((number for row in columns for number in row), dtype=np.int64, count=int(start[-1]))
    matrix = sparse.csr_matrix((np.ones(len(flat), dtype=np.int32), flat, start), shape=(len(sets), len(column)))
    return matrix, np.fromiter(map(len, sets), dtype=np.int64, count=len(sets))
