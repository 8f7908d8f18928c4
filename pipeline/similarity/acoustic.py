"""The acoustic level: how alike the sequences of sound units of two languages are (ATDS, acoustic token distribution similarity).

Frames of an encoder are assigned to the nearest of a few *units*, centroids of the target's frames. A run of one unit becomes one
character, an utterance a string. Pieces of several units, learned from the target's strings as subwords are learned from text, are
counted in both languages. The similarity is the cosine of the two vectors of counts. No transcript is needed.

Source: San, Paraskevopoulos, Arora, He, Kaur, Adams & Jurafsky 2024, "Predicting positive transfer for improved low-resource speech
recognition using acoustic pseudo-tokens" (SIGTYP), with the code beside it: 500 units of layer 12 of XLSR-128, 10,000 pieces by
SentencePiece. Differences: fewer units and pieces (minutes of speech instead of hours), the mean of several starts of k-means, pieces
by byte-pair encoding (the unigram trainer of `tokenizers` gives other pieces in every process), and intervals.

Shapes: N utterances, T frames, D dimensions, P pieces, R resamples, Q speakers.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import numpy.typing as npt
from scipy.cluster.vq import vq
from scipy.sparse import csr_array
from tokenizers import Tokenizer, models, trainers

from pipeline.core.errors import DataError

Array = npt.NDArray[np.float64]
Frames = npt.NDArray[np.float32]

FIRST: Final = 0x4E00          # the character of unit 0: letters from here on, without spaces and combining marks
MOST_FRAMES: Final = 20_000    # of the target that the units are learned from
ROUNDS: Final = 15             # of k-means
FEWEST_FRAMES: Final = 10      # of the target per unit


@dataclass(frozen=True, slots=True)
class Settings:
    """How units and pieces are learned.

    Args:
        units: number of centroids.
        pieces: number of pieces, the single units included.
        restarts: starts of k-means; similarities are means over them.
        seed: of the starts.
    """

    units: int
    pieces: int
    restarts: int
    seed: int


@dataclass(frozen=True, slots=True)
class Pieces:
    """The units and pieces of one start of k-means."""

    mean_D: Array
    scale_D: Array
    centroids_UD: Array
    tokenizer: Tokenizer

    @classmethod
    def learn(cls, frames: Sequence[Frames], settings: Settings, restart: int) -> Self:
        """Return units and pieces of the target's speech.

        Args:
            frames: of each utterance, (T, D).
            settings: how many.
            restart: number of the start.

        Raises:
            DataError: the speech is too short for so many units.
        """
        pool_TD = np.concatenate(list(frames)).astype(np.float64)
        if len(pool_TD) < FEWEST_FRAMES * settings.units:
            raise DataError("the target's speech", f"{len(pool_TD)} frames for {settings.units} units",
                            f"at least {FEWEST_FRAMES * settings.units}", "give more recordings, or choose fewer units")
        mean_D, scale_D = pool_TD.mean(axis=0), pool_TD.std(axis=0) + 1e-5
        draw = np.random.default_rng([settings.seed, restart])
        sample_TD = (pool_TD[np.sort(draw.permutation(len(pool_TD))[:MOST_FRAMES])] - mean_D) / scale_D
        centroids_UD = learn_units(sample_TD, settings.units, draw)
        untrained = cls(mean_D, scale_D, centroids_UD, Tokenizer(models.BPE()))
        alphabet = [chr(FIRST + unit) for unit in range(settings.units)]
        trainer = trainers.BpeTrainer(vocab_size=max(settings.pieces, settings.units), show_progress=False, initial_alphabet=alphabet)
        untrained.tokenizer.train_from_iterator([untrained.string(frames_TD) for frames_TD in frames], trainer)
        return untrained

    def string(self, frames_TD: Frames) -> str:
        """Return an utterance as a string: a character for each run of frames with the same nearest unit."""
        if not len(frames_TD):
            return ""
        return unit_string(vq((frames_TD - self.mean_D) / self.scale_D, self.centroids_UD, check_finite=False)[0])

    def count(self, frames: Iterable[Frames]) -> Array:
        """Return how often each piece occurs in each utterance, (N, P)."""
        pieces = [self.tokenizer.encode(self.string(frames_TD)).ids for frames_TD in frames]
        return np.stack([np.bincount(found, minlength=self.tokenizer.get_vocab_size()) for found in pieces]).astype(np.float64)


def learn_units(frames_TD: Array, units: int, draw: np.random.Generator) -> Array:
    """Return the centroids of k-means, (U, D). A unit that loses its last frame keeps its centroid.

    Source of the start: Arthur & Vassilvitskii 2007, "k-means++: the advantages of careful seeding".
    """
    centroids_UD = np.empty((units, frames_TD.shape[1]))
    far_T = np.ones(len(frames_TD))  # squared distance to the nearest centroid so far
    for unit in range(units):
        chosen = draw.choice(len(frames_TD), p=far_T / far_T.sum()) if far_T.any() else 0
        centroids_UD[unit] = frames_TD[chosen]
        distance_T = np.square(frames_TD - centroids_UD[unit]).sum(axis=1)
        far_T = np.minimum(far_T, distance_T) if unit else distance_T
    for _ in range(ROUNDS):
        nearest_T = vq(frames_TD, centroids_UD, check_finite=False)[0]
        members_UT = csr_array((np.ones(len(nearest_T)), (nearest_T, np.arange(len(nearest_T)))), shape=(units, len(nearest_T)))
        count_U1 = members_UT.sum(axis=1)[:, None]
        centroids_UD = np.where(count_U1 > 0, members_UT @ frames_TD / np.maximum(count_U1, 1), centroids_UD)
    return centroids_UD


def unit_string(units_T: npt.NDArray[np.integer]) -> str:
    """Return units as characters, a run of the same unit as one: `[3, 3, 0, 3]` → the characters of 3, 0 and 3."""
    kept_T = units_T[np.concatenate([[True], units_T[1:] != units_T[:-1]])]
    return "".join(chr(FIRST + int(unit)) for unit in kept_T)


def cosine(target_RP: Array, donor_RP: Array) -> Array:
    """Return the cosine of two vectors of counts, 0 (no piece in common) to 1 (the same shares), shape (R,)."""
    norms_R = np.linalg.norm(target_RP, axis=-1) * np.linalg.norm(donor_RP, axis=-1)
    return np.minimum((target_RP * donor_RP).sum(axis=-1) / np.where(norms_R > 0, norms_R, 1.0), 1.0)


def similarity(target: Sequence[Array], target_weights_RN: Array, donor: Sequence[Array], donor_weights_RN: Array) -> Array:
    """Return the similarity of a donor to the target, the mean over the starts of k-means, shape (R,).

    Args:
        target: counts of pieces in the target's utterances, (N, P), for each start.
        target_weights_RN: how often each resample draws each utterance.
        donor: the donor's counts, for the same starts.
        donor_weights_RN: the donor's weights.
    """
    found = [cosine(target_weights_RN @ ours, donor_weights_RN @ theirs) for ours, theirs in zip(target, donor, strict=True)]
    return np.mean(found, axis=0)


def draws(groups: Sequence[Hashable], resamples: int, seed: Sequence[int]) -> Array:
    """Return how often each resample draws each utterance, shape (1 + R, N): once in row 0, in the others as its group is drawn.

    Args:
        groups: of each utterance, such as its speaker: what a resample draws with replacement.
        resamples: number of resamples.
        seed: of the draws.
    """
    names = sorted(set(groups), key=str)
    index_N = [names.index(group) for group in groups]
    drawn_RQ = np.random.default_rng(list(seed)).multinomial(len(names), np.full(len(names), 1 / len(names)), size=resamples)
    return np.vstack([np.ones(len(groups)), drawn_RQ[:, index_N]])
