"""The recount counts every leak by its rule and agrees with the comparison of all pairs."""

from __future__ import annotations

import ast

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.files import ROOT
from pipeline.leakage.recount import _similar_sketches, count_leaks
from pipeline.leakage.rules import RULES, words_of
from tests.leakage.rows import BOUNDS, LEAKS, NO_LEAKS, fingerprint, utterance


def test_the_recount_imports_nothing_of_the_search() -> None:
    tree = ast.parse((ROOT / "pipeline/leakage/recount.py").read_bytes())
    ours = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pipeline")}
    assert ours == {"pipeline.leakage.rules"}


@pytest.mark.parametrize("leak", LEAKS)
def test_each_leak_is_counted_by_its_rule(leak: str) -> None:
    rule, one, other = LEAKS[leak]
    low, high = (pd.DataFrame([utterance(i, **columns)]) for i, columns in enumerate((one, other)))
    assert count_leaks(low, high, BOUNDS)[rule] == 1


@pytest.mark.parametrize("case", NO_LEAKS)
def test_utterances_that_differ_enough_are_not_counted(case: str) -> None:
    low, high = (pd.DataFrame([utterance(i, **columns)]) for i, columns in enumerate(NO_LEAKS[case]))
    assert count_leaks(low, high, BOUNDS) == dict.fromkeys(RULES, 0)


def test_shared_speakers_are_counted_once_and_those_of_a_one_speaker_corpus_never() -> None:
    low = pd.DataFrame([utterance(0, "ana"), utterance(1, "ana"), utterance(2), utterance(3, "solo", speaker_dependent=True)])
    high = pd.DataFrame([utterance(4, "ana"), utterance(5), utterance(6, "solo", speaker_dependent=True)])
    assert count_leaks(low, high, BOUNDS) == {**dict.fromkeys(RULES, 0), "speaker": 1}


sentences = st.lists(st.lists(st.sampled_from("abcdefghijkl"), min_size=1, max_size=10).map(" ".join), max_size=20)


@settings(max_examples=50, deadline=None)
@given(sentences, sentences)
def test_near_duplicates_are_the_pairs_of_distinct_word_sets_that_a_comparison_of_all_pairs_counts(low: list[str], high: list[str]) -> None:
    tables = [pd.DataFrame([utterance(i, text=text) for i, text in enumerate(texts)], columns=list(utterance(0))) for texts in (low, high)]
    sets = [{words_of(text, "portuguese") for text in texts} for texts in (low, high)]
    expected = sum(len(one & other) >= 0.8 * len(one | other) - 1e-9 for one in sets[0] for other in sets[1])
    assert count_leaks(*tables, BOUNDS)["near_duplicate"] == expected


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 130), st.integers(0, 8)), max_size=30), st.integers(0, 30))
def test_copies_of_recordings_are_the_pairs_that_a_comparison_of_all_pairs_counts(drawn: list[tuple[int, int, int]], cut: int) -> None:
    rows = pd.DataFrame(
        [utterance(i, fingerprint=fingerprint(range(flipped), seed), duration_s=3 + 0.05 * length)
         for i, (seed, flipped, length) in enumerate(drawn)], columns=list(utterance(0)))
    low, high = ([(int(bits, 16), round(seconds * 1000)) for bits, seconds in zip(table["fingerprint"], table["duration_s"], strict=True)]
                 for table in (rows.iloc[:cut], rows.iloc[cut:]))
    expected = sum((a ^ b).bit_count() <= 64 and abs(s - t) <= 250 for a, s in low for b, t in high)
    assert count_leaks(rows.iloc[:cut], rows.iloc[cut:], BOUNDS)["fingerprint"] == expected


def test_sketches_are_compared_over_the_borders_of_blocks() -> None:
    generator = np.random.default_rng(1)
    low, high = (generator.integers(0, 2**10, size, dtype=np.uint64) for size in (300, 2_100))
    expected = np.argwhere(np.bitwise_count(low[:, None] ^ high[None, :]) <= 1).tolist()
    assert sorted(map(list, _similar_sketches(low, high, 1))) == expected
