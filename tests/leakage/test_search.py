"""The search finds every leak, names its rule and one partner, and agrees with the comparison of all pairs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.leakage.search import find_leaks, similar_recordings, similar_sets
from tests.leakage.rows import BOUNDS, LEAKS, NO_LEAKS, fingerprint, utterance


@pytest.mark.parametrize("leak", LEAKS)
def test_a_leak_is_found_with_its_rule_and_partner(leak: str) -> None:
    rule, one, other = LEAKS[leak]
    low = pd.DataFrame([utterance(5), utterance(0, **one)])
    high = pd.DataFrame([utterance(6), utterance(1, **other)])
    assert find_leaks(low, high, BOUNDS).to_dict("index") == {1: {"rule": rule, "meets": "c/00001"}}


@pytest.mark.parametrize("case", NO_LEAKS)
def test_utterances_that_differ_enough_are_not_found(case: str) -> None:
    low, high = (pd.DataFrame([utterance(i, **columns)]) for i, columns in enumerate(NO_LEAKS[case]))
    assert find_leaks(low, high, BOUNDS).empty


def test_an_utterance_is_found_once_under_the_first_rule_that_it_breaks() -> None:
    low = pd.DataFrame([utterance(0, "ana", "bom dia", audio_hash="same"), utterance(1, "rui", "bom dia", audio_hash="same")])
    high = pd.DataFrame([utterance(2, "ana", "bom dia", audio_hash="same")])
    assert find_leaks(low, high, BOUNDS)["rule"].tolist() == ["speaker", "sentence"]


def test_unknown_speakers_and_speakers_of_a_one_speaker_corpus_are_no_leak() -> None:
    low, high = (pd.DataFrame([utterance(i, "solo", speaker_dependent=True), utterance(i + 1)]) for i in (0, 2))
    assert find_leaks(low, high, BOUNDS).empty


def test_an_empty_split_has_no_leaks() -> None:
    rows = pd.DataFrame([utterance(0)])
    for low, high in ((rows, rows.iloc[:0]), (rows.iloc[:0], rows)):
        found = find_leaks(low, high, BOUNDS)
        assert found.empty
        assert list(found) == ["rule", "meets"]


small_sets = st.lists(st.frozensets(st.sampled_from("abcdefghijkl"), min_size=1, max_size=10), max_size=25)


@settings(max_examples=50, deadline=None)
@given(small_sets, small_sets, st.sampled_from([0.5, 2 / 3, 0.75, 0.8, 0.9, 1.0]))
def test_similar_sentences_are_those_that_a_comparison_of_all_pairs_finds(
    low: list[frozenset[str]], high: list[frozenset[str]], similarity: float
) -> None:
    found = similar_sets(low, high, similarity)
    for words, partner in zip(low, found, strict=True):
        measured = [len(words & other) / len(words | other) for other in high]
        best = max(measured, default=0.0)
        assert partner == (measured.index(best) if best >= similarity - 1e-9 else -1)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 130), st.integers(0, 8)), max_size=30), st.integers(0, 30))
def test_copies_of_recordings_are_those_that_a_comparison_of_all_pairs_finds(drawn: list[tuple[int, int, int]], cut: int) -> None:
    rows = pd.DataFrame(
        [utterance(i, fingerprint=fingerprint(range(flipped), seed), duration_s=3 + 0.05 * length)
         for i, (seed, flipped, length) in enumerate(drawn)], columns=list(utterance(0)))
    low, high = rows.iloc[:cut], rows.iloc[cut:]
    ones, others = ([(int(bits, 16), round(seconds * 1000)) for bits, seconds in
                     zip(table["fingerprint"], table["duration_s"], strict=True)] for table in (low, high))
    near = np.array([[(a ^ b).bit_count() <= 64 and abs(s - t) <= 250 for b, t in others] for a, s in ones])
    near = near.reshape(len(low), len(high)).astype(bool)
    found = similar_recordings(low, high, BOUNDS)
    assert (near.any(axis=1) == (found >= 0)).all()
    assert all(near[row, partner] for row, partner in enumerate(found) if partner >= 0)


def test_recordings_are_compared_over_the_borders_of_blocks() -> None:
    high = pd.DataFrame([utterance(5_000, fingerprint=fingerprint([], 7))])
    low = pd.concat([high.assign(utterance_id="c/05001")] * 2_100, ignore_index=True)
    assert (similar_recordings(low, high, BOUNDS) == 0).all()
