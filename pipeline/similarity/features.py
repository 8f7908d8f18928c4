"""Articulatory features of segments, and how far two segments are apart.

`features.tsv` has a row of weights and a row per segment of `phonemes.ASJP`: `+`, `-`, or `0` where a feature does not apply.

Source: Mortensen, Littell, Bharadwaj, Goyal, Dyer & Levin 2016, "PanPhon: a resource for mapping IPA segments to articulatory feature
vectors" (COLING); features and weights from the tables of panphon 0.22.2 (MIT licence, see NOTICE). [ɚ ɝ] have the features of [ə ɜ].
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from pipeline.similarity.phonemes import NASAL

Array = npt.NDArray[np.float64]
FEATURES: Final = Path(__file__).with_name("features.tsv")
VALUES: Final = {"+": 1.0, "0": 0.0, "-": -1.0}


@cache
def _table() -> tuple[Array, int, dict[str, Array]]:
    """Return the weights, shares of 1, the column of nasality, and the features of each segment."""
    with FEATURES.open(encoding="utf-8", newline="") as handle:
        header, weights, *rows = csv.reader(handle, delimiter="\t", quoting=csv.QUOTE_NONE)
    weights_F = np.array(weights[1:], dtype=float)
    return weights_F / weights_F.sum(), header.index("nas") - 1, {row[0]: np.array([VALUES[value] for value in row[1:]]) for row in rows}


def feature_distances(segments: Sequence[str], others: Sequence[str]) -> Array:
    """Return the distance of each segment to each of the others, 0 (the same features) to 1 (all opposite), shape (S, T).

    Half the weighted sum of the differences of their features, over the sum of the weights. A nasal vowel differs from its oral one by
    its feature `nas`.

    Args:
        segments: keys of `phonemes.ASJP`, nasal ones with their mark.
        others: the same.
    """
    weights_F = _table()[0]
    ours, theirs = (np.stack([_features(segment) for segment in side]) for side in (segments, others))
    return np.abs(ours[:, None] - theirs[None]) @ weights_F / 2


def _features(segment: str) -> Array:
    _, nasality, features = _table()
    found_F = features[segment.removesuffix(NASAL)]
    if segment.endswith(NASAL):
        found_F = found_F.copy()
        found_F[nasality] = VALUES["+"]
    return found_F
