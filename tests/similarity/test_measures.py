from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.spatial.distance import jensenshannon

from pipeline.similarity import measures

WORDS = st.lists(st.sampled_from("aeioubdstx"), max_size=8)
COUNTS = arrays.arrays(np.float64, (1, 6), elements=st.integers(0, 9).map(float)).filter(np.any)


@pytest.mark.parametrize(("a", "b", "distance"), [
    ("", "", 0), ("", "sol", 1), ("noite", "noche", 2 / 5), ("lua", "luna", 1 / 4), ("kitten", "sitting", 3 / 7), ("ab", "ba", 1),
])
def test_the_normalised_distance_is_the_least_edits_over_the_longer_length(a: str, b: str, distance: float) -> None:
    assert measures.normalised_levenshtein(a, b) == distance
    assert measures.normalised_levenshtein(tuple(a), tuple(b)) == distance


@given(WORDS, WORDS)
def test_the_normalised_distance_is_symmetric_and_between_0_and_1(a: list[str], b: list[str]) -> None:
    distance = measures.normalised_levenshtein(a, b)
    assert 0.0 <= distance <= 1.0
    assert (distance == 0.0) == (a == b)
    assert distance == measures.normalised_levenshtein(b, a)


def test_the_divided_distance_follows_its_definition() -> None:
    distances = measures.word_distances(["sol", "lua"], ["sol", "luna"])
    same = (0 + 1 / 4) / 2
    different = (measures.normalised_levenshtein("sol", "luna") + measures.normalised_levenshtein("lua", "sol")) / 2
    assert measures.divided_distance(distances, np.ones((1, 2))) == pytest.approx([same / different])


def test_weights_count_a_concept_as_often_as_a_draw_has_it() -> None:
    """A weight of two gives what the list with that concept written twice gives, its pair with itself left out."""
    target, donor = ["sol", "lua", "noite"], ["sol", "luna", "noche"]
    distances = measures.word_distances(target, donor)
    weights = np.array([[2.0, 1.0, 0.0]])
    drawn = [0, 0, 1]
    same = sum(distances[i, i] for i in drawn) / 3
    others = [distances[i, j] for i in drawn for j in drawn if i != j]
    assert measures.mean_distance(distances, weights) == pytest.approx([same])
    assert measures.divided_distance(distances, weights) == pytest.approx([same / (sum(others) / len(others))])


def test_unrelated_word_lists_have_a_divided_distance_near_one() -> None:
    drawn = np.random.default_rng(0)
    lists = [["".join(drawn.choice(list("abcdefgh"), 5)) for _ in range(60)] for _ in range(2)]
    distance = measures.divided_distance(measures.word_distances(*lists), np.ones((1, 60)))[0]
    assert 0.97 < distance < 1.03


@given(COUNTS, COUNTS, COUNTS)
def test_the_jensen_shannon_distance_is_a_metric_between_0_and_1(p: np.ndarray, q: np.ndarray, r: np.ndarray) -> None:
    pq, qp, qr, pr = (measures.jensen_shannon(*pair)[0] for pair in ((p, q), (q, p), (q, r), (p, r)))
    assert 0.0 <= pq <= 1.0
    assert pq == pytest.approx(qp, abs=1e-7)
    assert pr <= pq + qr + 1e-7
    assert measures.jensen_shannon(p, 3 * p)[0] == pytest.approx(0.0, abs=1e-7)


@given(COUNTS, COUNTS)
def test_the_jensen_shannon_distance_is_that_of_scipy(p: np.ndarray, q: np.ndarray) -> None:
    with np.errstate(invalid="ignore"):
        theirs = jensenshannon(p, q, base=2, axis=-1)
    assert measures.jensen_shannon(p, q) == pytest.approx(np.nan_to_num(theirs), abs=1e-7)


def test_the_jensen_shannon_distance_of_known_distributions() -> None:
    disjoint = measures.jensen_shannon(np.array([[1.0, 0.0]]), np.array([[0.0, 5.0]]))
    half = measures.jensen_shannon(np.array([[1.0, 1.0]]), np.array([[1.0, 0.0]]))
    assert disjoint == pytest.approx([1.0])
    assert half == pytest.approx([math.sqrt(1.5 - 0.75 * math.log2(3))])


@given(COUNTS, COUNTS)
def test_the_jaccard_similarity_is_between_0_and_1(p: np.ndarray, q: np.ndarray) -> None:
    value = measures.jaccard(p, q)[0]
    assert 0.0 <= value <= 1.0
    assert value == measures.jaccard(q, p)[0]
    assert (value == 1.0) == bool(((p > 0) == (q > 0)).all())


@given(COUNTS, COUNTS)
def test_coverage_is_1_exactly_if_the_donor_has_every_symbol(p: np.ndarray, q: np.ndarray) -> None:
    value = measures.coverage(p, q)[0]
    assert 0.0 <= value <= 1.0
    assert measures.coverage(p, p)[0] == 1.0
    assert math.isclose(value, 1.0) == bool(((p == 0) | (q > 0)).all())


def test_coverage_weighs_a_symbol_by_how_often_it_occurs() -> None:
    assert measures.coverage(np.array([[9.0, 1.0]]), np.array([[1.0, 0.0]])) == pytest.approx([0.9])


def test_letter_sounds_agree_by_the_mass_they_share_weighted_by_the_letters_frequency() -> None:
    target = np.array([[[3.0, 1.0], [2.0, 0.0], [1.0, 0.0]]])
    donor = np.array([[[1.0, 1.0], [5.0, 0.0], [0.0, 0.0]]])  # half right, right, unknown
    frequency = np.array([3.0, 1.0, 100.0])
    assert measures.letter_sound_agreement(target, donor, frequency) == pytest.approx([(3 * 0.75 + 1) / 4])
