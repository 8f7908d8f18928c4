"""Distances and similarities between a target language and a donor, each with its source.

Every measure of a whole word list takes `weights_RC`: the weight of each concept in each of R resamples. A row of ones is
the list itself, the others are bootstrap resamples.

Shapes: R resamples, C concepts, S symbols, L letters, K chunks of sounds.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

Array = NDArray[np.float64]


def normalised_levenshtein(a: Sequence[Hashable], b: Sequence[Hashable]) -> float:
    """Return the Levenshtein distance over the longer length (LDN), 0..1; two empty words are alike.

    Source: Levenshtein 1966, "Binary codes capable of correcting deletions, insertions and reversals"; Holman et al. 2008,
    "Explorations in automated language classification", Folia Linguistica 42:2.
    """
    return Levenshtein.normalized_distance(a, b)


def word_distances(target: Sequence[Sequence[Hashable]], donor: Sequence[Sequence[Hashable]]) -> Array:
    """Return LDN between every target word (rows) and every donor word (columns), shape (C, C)."""
    return np.array([[normalised_levenshtein(a, b) for b in donor] for a in target])


def mean_distance(distances_CC: Array, weights_RC: Array) -> Array:
    """Return the mean LDN of words of the same meaning, 0..1, shape (R,)."""
    return weights_RC @ np.diag(distances_CC) / weights_RC.sum(axis=1)


def divided_distance(distances_CC: Array, weights_RC: Array) -> Array:
    """Return LDND: the mean LDN of words of the same meaning over that of words of different meaning, shape (R,).

    The divisor removes similarity by chance: alphabet, sounds, word length. About 1 for unrelated languages (slightly more
    is possible). A concept drawn twice is not a pair of different meanings.

    Source: Wichmann, Holman, Bakker & Brown 2010, "Evaluating linguistic distance measures", Physica A 389:17.
    """
    same_R = weights_RC @ np.diag(distances_CC)
    total_R = weights_RC.sum(axis=1)
    others_R = ((weights_RC @ distances_CC) * weights_RC).sum(axis=1) - weights_RC**2 @ np.diag(distances_CC)
    pairs_R = total_R**2 - (weights_RC**2).sum(axis=1)
    return (same_R / total_R) / (others_R / pairs_R)


def counts(items: Sequence[Mapping[Hashable, float]], index: Mapping[Hashable, int]) -> Array:
    """Return the count of each item in each concept's word, shape (C, S), in the columns of `index`."""
    table_CS = np.zeros((len(items), len(index)))
    for concept, found in enumerate(items):
        for item, count in found.items():
            table_CS[concept, index[item]] = count
    return table_CS


def jaccard(target_RS: Array, donor_RS: Array) -> Array:
    """Return the size of the inventories' intersection over that of their union, 0..1, shape (R,).

    Args:
        target_RS: counts of symbols; the inventory is the symbols with a count over 0.
        donor_RS: the same of the donor.

    Source: Jaccard 1912, "The distribution of the flora in the alpine zone", New Phytologist 11:2.
    """
    target, donor = target_RS > 0, donor_RS > 0
    union_R = (target | donor).sum(axis=1)
    return np.where(union_R > 0, (target & donor).sum(axis=1) / np.maximum(union_R, 1), 1.0)


def coverage(target_RS: Array, donor_RS: Array) -> Array:
    """Return the share of the target's running symbols that the donor has, 0..1, shape (R,)."""
    return (target_RS * (donor_RS > 0)).sum(axis=-1) / target_RS.sum(axis=-1)


def energy_distance(target_RS: Array, donor_RS: Array, distances_SS: Array) -> Array:
    """Return the distance of two distributions over items that have distances: 0 (equal) to 1, shape (R,).

    The root of: the mean distance of an item of one to an item of the other, less half the mean distance within each. Unlike the Jensen–Shannon
    distance, it is small where the donor has other items that are close.

    Args:
        target_RS: counts of items.
        donor_RS: the same of the donor.
        distances_SS: between the items, 0..1, such as of `features.feature_distances`.

    Source: Székely & Rizzo 2013, "Energy statistics: a class of statistics based on distances", J. Stat. Plan. Inference 143:8; half of it.
    """
    p_RS = target_RS / target_RS.sum(axis=-1, keepdims=True)
    q_RS = donor_RS / donor_RS.sum(axis=-1, keepdims=True)
    difference_RS = p_RS - q_RS
    return np.sqrt(np.maximum(-((difference_RS @ distances_SS) * difference_RS).sum(axis=-1) / 2, 0.0))


def jensen_shannon(p_RS: Array, q_RS: Array) -> Array:
    """Return the Jensen–Shannon distance of two distributions given as counts: 0 (alike) to 1 (disjoint), shape (R,).

    The square root of the divergence in bits, which is a metric. scipy.spatial.distance.jensenshannon gives the same to 14
    digits, but NaN where the distributions are equal up to rounding (it takes the root of -1e-17).

    Source: Lin 1991, "Divergence measures based on the Shannon entropy"; Endres & Schindelin 2003, "A new metric for
    probability distributions" (both IEEE Transactions on Information Theory).
    """
    p = p_RS / p_RS.sum(axis=-1, keepdims=True)
    q = q_RS / q_RS.sum(axis=-1, keepdims=True)
    divergence = _entropy((p + q) / 2) - (_entropy(p) + _entropy(q)) / 2
    return np.sqrt(np.clip(divergence, 0.0, 1.0))


def letter_sound_agreement(target_RLK: Array, donor_RLK: Array, frequency_L: Array) -> Array:
    """Return the agreement of letter sounds between donor and target, 0 (none) to 1 (full), shape (R,).

    The mean, over the target's running letters, of the overlap between the sounds of a letter in the target and the sounds
    of the donor's letter whose row it starts from. The overlap of two distributions is one minus their total variation.
    Letters that are missing in either word list are left out.

    Args:
        target_RLK: expected counts of each chunk of sounds for each of the target's letters.
        donor_RLK: the same for the donor's letters whose rows they start from, in the target's order; all zero without one.
        frequency_L: counts of the target's letters in running text.
    """
    known_RL = (target_RLK.sum(axis=-1) > 0) & (donor_RLK.sum(axis=-1) > 0)
    overlap_RL = np.minimum(_shares(target_RLK), _shares(donor_RLK)).sum(axis=-1)
    weight_RL = known_RL * frequency_L
    return (overlap_RL * weight_RL).sum(axis=-1) / weight_RL.sum(axis=-1)


def _shares(counts_RLK: Array) -> Array:
    total = counts_RLK.sum(axis=-1, keepdims=True)
    return counts_RLK / np.where(total > 0, total, 1.0)


def _entropy(p: Array) -> Array:
    """Return Shannon entropy in bits over the last axis; 0 log 0 is 0."""
    return -(p * np.log2(np.where(p > 0, p, 1.0))).sum(axis=-1)
