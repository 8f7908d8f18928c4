"""A transcript filter that is trained on synthetic negatives, so that it needs no threshold per aligner.

Shape suffixes: U utterances, M measures, K kinds of synthetic negatives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

MEASURES = ("label", "frame", "plain", "contrast", "window", "rate")
"""The measures of `aligner.transcript_measures`; the rate is the last one."""
UNLIKE, PART, SHORT, LONG = "unlike its audio", "a part unlike its audio", "too short for its audio", "too long for its audio"
"""Reasons for dropping a transcript, by the most deviating measure."""
FOLDS = 5
CLIP = 8.0
"""Robust standard deviations at which measures are clipped, so that one outlier does not decide."""
RIDGE = 1.0
MIN_TAIL = 0.7
"""Smallest share of the negatives below a limit for that limit to count in the estimate of wrong transcripts. A smaller share is of
one kind, which a corpus may lack, and the estimate is then far too low: 7 % instead of 20 % at a share of 0.1 (docs/log.md)."""


def synthetic_negatives(texts: Sequence[str], number: int, draw: np.random.Generator, near: Sequence[int]) -> dict[str, str]:
    """Return wrong transcripts for utterance `number`: another's of like length, its own cut short, its own with more.

    Args:
        texts: every transcript.
        number: the utterance.
        draw: the utterance's random generator.
        near: utterances whose transcripts are about as long.
    """
    words = texts[number].split()
    more = texts[int(draw.integers(len(texts)))].split()
    cut = max(1, round(len(words) * draw.uniform(0.2, 0.5)))
    kept = words[cut:] if draw.integers(2) else words[:-cut]
    added = more[: max(1, round(len(words) * draw.uniform(0.2, 0.5)))]
    negatives = {"extended": " ".join([*words, *added] if draw.integers(2) else [*added, *words])}
    if others := [other for other in near if texts[other] != texts[number]]:
        negatives["swapped"] = texts[others[int(draw.integers(len(others)))]]
    if kept:
        negatives["truncated"] = " ".join(kept)
    return negatives


@dataclass(frozen=True)
class Classifier:
    """A logistic regression from standardised measures to the log-odds of a right transcript."""

    middle_M: Floats
    spread_M: Floats
    weights_M: Floats  # of the standardised measures, then of the last one's distance from its middle
    offset: float

    def score(self, measures_UM: Floats) -> Floats:
        """Return the log-odds that a transcript is right and not a synthetic negative, (U,)."""
        return np.asarray(standardised(measures_UM, self.middle_M, self.spread_M) @ self.weights_M + self.offset)


def standardised(measures_UM: Floats, middle_M: Floats, spread_M: Floats) -> Floats:
    """Return measures in robust standard deviations from the median, and the negative absolute deviation of the last one (the rate)."""
    off_UM = np.clip((measures_UM - middle_M) / spread_M, -CLIP, CLIP)
    return np.column_stack([off_UM, -np.abs(off_UM[:, -1])])


def learn(own_UM: Floats, negatives: Mapping[str, Floats]) -> Classifier:
    """Return a classifier of transcripts and synthetic negatives.

    Each kind of negative has the same weight, and all of them together the weight of the transcripts.
    """
    middle_M = np.median(own_UM, axis=0)
    spread_M = spread_of(own_UM)
    groups = [own_UM, *negatives.values()]
    x = np.concatenate([standardised(group, middle_M, spread_M) for group in groups])
    x = np.column_stack([x, np.ones(len(x))])
    y = np.concatenate([np.full(len(group), float(number == 0)) for number, group in enumerate(groups)])
    weight = np.concatenate([np.full(len(group), len(own_UM) / len(group) / (1 if number == 0 else len(negatives)))
                             for number, group in enumerate(groups)])
    ridge = RIDGE * np.diag([*np.ones(x.shape[1] - 1), 0.0]) + 1e-6 * np.eye(x.shape[1])
    found = np.zeros(x.shape[1])
    for _ in range(30):  # Newton steps; the ridge keeps them finite if a measure separates perfectly
        likely = 1 / (1 + np.exp(-np.clip(x @ found, -30, 30)))
        step = np.linalg.solve((x * (weight * likely * (1 - likely))[:, None]).T @ x + ridge, x.T @ (weight * (y - likely)) - ridge @ found)
        found += step
        if np.abs(step).max() < 1e-6:
            break
    return Classifier(middle_M, spread_M, found[:-1], float(found[-1]))


@dataclass(frozen=True)
class CorpusMeasures:
    """The measures of a corpus.

    Args:
        own_UM: measures of each utterance's own transcript; NaN if it cannot be aligned.
        negatives: kind to the utterances with a negative of that kind, and its measures.
        rank_U: a hash of each utterance, which decides its fold.
        unaligned: utterance to the reason.
        hypotheses: the aligner's hypothesis of each recording.
        unmapped: letters that the aligner has no symbol for.
    """

    own_UM: Floats
    negatives: Mapping[str, tuple[npt.NDArray[np.int64], Floats]]
    rank_U: npt.NDArray[np.uint64]
    unaligned: Mapping[int, str]
    hypotheses: Sequence[str]
    unmapped: tuple[str, ...]


@dataclass(frozen=True)
class FilterResult:
    """The result: scores (NaN where there is none), reasons (empty where kept), and the quality of the classifier."""

    score_U: Floats
    reasons: Sequence[str]
    negatives: Mapping[str, Floats]
    power: Mapping[str, float]  # AUC by kind of negative, and for all of them
    wrong_share: float
    threshold: float | None
    chosen_by: str
    weights: Mapping[str, float]


def filter_transcripts(measured: CorpusMeasures, share: float | None = None, threshold: float | None = None) -> FilterResult:
    """Return a score and a decision for every utterance, by a classifier that was trained without it and its negatives.

    The classifiers of the folds differ by less than they would gain from having seen their own cases.

    Args:
        measured: the measures of the corpus.
        share: of the transcripts to drop; or
        threshold: score below which to drop; or neither: drop while more wrong than right transcripts are dropped.
    """
    own_UM, usable_U = measured.own_UM, ~np.isnan(measured.own_UM[:, 0])
    fold_U = measured.rank_U % np.uint64(FOLDS)
    score_U, reasons = np.full(len(own_UM), np.nan), [""] * len(own_UM)
    negatives: dict[str, Floats] = {kind: np.full(len(numbers), np.nan) for kind, (numbers, _) in measured.negatives.items()}
    off_UM = (own_UM - np.nanmedian(own_UM, axis=0)) / spread_of(own_UM[usable_U])
    classifiers = []
    for fold in range(FOLDS):
        asked_U = fold_U == np.uint64(fold)
        others = {kind: found[~asked_U[numbers]] for kind, (numbers, found) in measured.negatives.items()}
        classifiers.append(one := learn(own_UM[usable_U & ~asked_U], {kind: found for kind, found in others.items() if len(found)}))
        score_U[usable_U & asked_U] = one.score(own_UM[usable_U & asked_U])
        for kind, (numbers, found) in measured.negatives.items():
            negatives[kind][asked_U[numbers]] = one.score(found[asked_U[numbers]])
    own, wrong = score_U[usable_U], np.concatenate(list(negatives.values()))
    estimated_wrong = wrong_share(own, wrong)
    chosen_by = "estimate"
    if share is not None:
        threshold, chosen_by = (float(np.sort(own)[round(share * len(own))]) if round(share * len(own)) else -np.inf), "share"
    elif threshold is not None:
        chosen_by = "threshold"
    else:
        threshold = best_threshold(own, wrong, estimated_wrong)
    for number in np.flatnonzero(usable_U & (score_U < threshold)):
        reasons[number] = reason(off_UM[number])
    power = {kind: auc(own, found) for kind, found in negatives.items()} | {"all": auc(own, wrong)}
    weights = np.mean([one.weights_M for one in classifiers], axis=0)
    return FilterResult(score_U, reasons, negatives, power, estimated_wrong, threshold if np.isfinite(threshold) else None, chosen_by,
                  {name: float(weight) for name, weight in zip((*MEASURES, "off_rate"), weights, strict=True)})


def reason(off_M: Floats) -> str:
    """Return the most deviating measure as a reason.

    The whole of a transcript (another utterance's), a part of it (words that were not spoken), or its length (words that were not
    transcribed). On synthetic negatives the reason names the kind of error (docs/log.md).

    Args:
        off_M: measures in robust standard deviations from the median.
    """
    off = dict(zip(MEASURES, off_M.tolist(), strict=True))
    found = {UNLIKE: off["frame"], PART: off["window"], SHORT if off["rate"] < 0 else LONG: -abs(off["rate"])}
    return min(found, key=found.__getitem__)


def spread_of(values_UM: Floats) -> Floats:
    """Return the robust standard deviation of each measure, (M,)."""
    return np.asarray(1.4826 * np.median(np.abs(values_UM - np.median(values_UM, axis=0)), axis=0) + 1e-9)


def wrong_share(own_U: Floats, planted_U: Floats) -> float:
    """Return an upper estimate of the share of wrong transcripts.

    Below every threshold, the corpus has at least this share of the negatives' scores.

    Source: Blanchard, Lee and Scott, "Semi-Supervised Novelty Detection" (2010), section 4: the proportion of a mixture is
    bounded by the ratio of the tails.
    """
    limits = np.quantile(planted_U, np.linspace(MIN_TAIL, 1, 91))
    return float(min(1.0, min((own_U <= limit).mean() / (planted_U <= limit).mean() for limit in limits)))


def best_threshold(own_U: Floats, planted_U: Floats, share: float) -> float:
    """Return the score below which dropping has the largest gain: wrong transcripts dropped minus right ones dropped.

    It assumes that `share` of the corpus is wrong as the negatives are. Minus infinity if no threshold has a gain.
    """
    limits = np.sort(own_U)
    caught = share * np.searchsorted(np.sort(planted_U), limits, side="left") / len(planted_U)
    dropped = np.arange(len(limits)) / len(limits)
    gain = 2 * caught - dropped
    return float(limits[int(np.argmax(gain))]) if gain.max() > 0 else -np.inf


def auc(right_U: Floats, wrong_U: Floats) -> float:
    """Return the probability that a right transcript scores higher than a wrong one (the area under the ROC curve); 0.5 is chance."""
    order = np.sort(wrong_U)
    below = (np.searchsorted(order, right_U, "left") + np.searchsorted(order, right_U, "right")) / 2
    return float(below.mean() / len(order))
