from __future__ import annotations

import numpy as np
import pytest

from pipeline.similarity.features import feature_distances
from pipeline.similarity.measures import energy_distance
from pipeline.similarity.phonemes import ASJP

WEIGHT = 7.25  # sum of the 22 weights


@pytest.mark.parametrize(("one", "other", "differing"), [
    ("p", "p", 0.0),
    ("p", "b", 0.125),               # voice
    ("a", "a\u0303", 0.25),          # nasality
    ("i", "ɪ", 0.25),                # tense
    ("m", "n", 0.25 + 0.25 + 0.125 / 2),  # labial, coronal, and distributed, which does not apply to m
])
def test_a_distance_is_the_share_of_the_weights_of_features_that_differ(one: str, other: str, differing: float) -> None:
    assert feature_distances([one], [other])[0, 0] == pytest.approx(differing / WEIGHT)
    assert feature_distances([other], [one])[0, 0] == pytest.approx(differing / WEIGHT)


def test_every_segment_of_the_code_has_features() -> None:
    distances = feature_distances(list(ASJP), list(ASJP))
    assert distances.shape == (len(ASJP), len(ASJP))
    assert (np.diag(distances) == 0).all()
    assert (distances <= 1).all()
    assert distances[list(ASJP).index("i"), list(ASJP).index("t")] > 0.4


def test_the_energy_distance_of_known_distributions() -> None:
    """Two items 0.5 apart: all of one against all of the other, 0.5; half of each against all of one, 0.5 * 1/2 - 1/2 * 0.25."""
    apart = np.array([[0.0, 0.5], [0.5, 0.0]])
    target = np.array([[3.0, 0.0], [1.0, 1.0], [2.0, 6.0]])
    donor = np.array([[0.0, 7.0], [5.0, 0.0], [1.0, 3.0]])
    assert energy_distance(target, donor, apart) == pytest.approx([np.sqrt(0.5), np.sqrt(0.125), 0.0])


def test_the_energy_distance_is_smaller_where_the_donors_other_sound_is_close() -> None:
    names = ["e", "ɛ", "s"]
    distances = feature_distances(names, names)
    target, close, far = (np.array([counts], dtype=float) for counts in ((4, 0, 0), (0, 4, 0), (0, 0, 4)))
    assert energy_distance(target, close, distances) < energy_distance(target, far, distances)
