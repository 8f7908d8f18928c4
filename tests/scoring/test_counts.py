"""Counts and rates agree with jiwer, per pair and over the corpus."""

from __future__ import annotations

import random

import jiwer
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.scoring.counts import align, count, information_lost

ALPHABET = "aáãbcçdeé oôõ  "


def random_pairs(number: int, seed: int) -> tuple[list[str], list[str]]:
    """Return pairs of texts: some unrelated, most with a few characters changed, some empty, blanks anywhere."""
    draw = random.Random(seed)
    references, hypotheses = [], []
    for _ in range(number):
        reference = "".join(draw.choices(ALPHABET, k=draw.randrange(40)))
        changed = [draw.choice(["", character * 2, draw.choice(ALPHABET)]) if draw.random() < 0.2 else character for character in reference]
        references.append(reference)
        hypotheses.append("".join(changed) if draw.random() < 0.9 else "".join(draw.choices(ALPHABET, k=draw.randrange(40))))
    return references, hypotheses


@pytest.fixture(scope="module")
def pairs() -> tuple[list[str], list[str]]:
    return random_pairs(10_000, seed=1)


@pytest.mark.slow
def test_ten_thousand_random_pairs_agree_with_jiwer_to_the_last_digit(pairs: tuple[list[str], list[str]]) -> None:
    words, characters = jiwer.process_words(*pairs), jiwer.process_characters(*pairs)
    counts = count(align(*pairs, "words"))
    assert counts.rate() == words.wer
    assert information_lost(counts) == (words.mer, words.wil)
    assert counts.totals() == {name: getattr(words, name) for name in ("substitutions", "insertions", "deletions", "hits")}
    assert count(align(*pairs, "characters")).rate() == characters.cer


def test_the_counts_of_an_utterance_equal_those_of_jiwer_on_it_alone(pairs: tuple[list[str], list[str]]) -> None:
    counts = count(align(*pairs, "words"))
    for index in range(0, 10_000, 25):
        alone = jiwer.process_words(pairs[0][index], pairs[1][index])
        found = (counts.substitutions_B[index], counts.deletions_B[index], counts.insertions_B[index], counts.hits_B[index])
        assert found == (alone.substitutions, alone.deletions, alone.insertions, alone.hits)


def test_output_on_an_empty_reference_counts_as_insertions() -> None:
    counts = count(align(["", "um dois"], ["três quatro", "um dois"], "words"))
    assert counts.totals() == {"substitutions": 0, "insertions": 2, "deletions": 0, "hits": 2}
    assert counts.rate() == 1.0


def test_the_rate_is_that_of_the_corpus_and_not_a_mean_of_utterances() -> None:
    counts = count(align(["um", "um dois três quatro cinco seis sete oito nove"], ["x", "um dois três quatro cinco seis sete oito nove"], "words"))
    assert counts.rate() == 1 / 10


def test_without_any_reference_word_there_is_no_rate() -> None:
    assert np.isnan(count(align([""], ["um"], "words")).rate())


@given(st.lists(st.text("ab ", max_size=12), min_size=1, max_size=8))
def test_a_text_has_no_error_against_itself_and_only_deletions_against_an_empty_hypothesis(texts: list[str]) -> None:
    assert not count(align(texts, texts, "words")).errors_B.any()
    counts = count(align(texts, [""] * len(texts), "words"))
    assert (counts.deletions_B == counts.reference_B).all()
    assert not counts.insertions_B.any()
