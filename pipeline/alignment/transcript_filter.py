"""Which transcripts are wrong, learned from wrong ones that are planted: no threshold that another aligner would move.

Shape suffixes: U utterances, M measures, K kinds of plants.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

MEASURES = ("label", "frame", "plain", "contrast", "window", "rate")
"""What `alignment.measures` says of a transcript; the rate is the last one."""
UNLIKE, PART, SHORT, LONG = "unlike its audio", "a part unlike its audio", "too short for its audio", "too long for its audio"
"""Why a transcript is dropped, by what is furthest off."""
FOLDS = 5
FAR = 8.0
"""Robust standard deviations beyond which a measure counts no more: one wild value must not rule."""
RIDGE = 1.0
LEAST_TAIL = 0.7
"""Share of the plants that must lie below a limit for the estimate of how many transcripts are wrong to rest on it. Fewer are
of one kind, which a corpus may lack, and the estimate is far too low: 7 % of 20 at a tenth (docs/log.md)."""


def plants(texts: Sequence[str], number: int, draw: np.random.Generator, near: Sequence[int]) -> dict[str, str]:
    """Return wrong transcripts for utterance `number`: another's of like length, its own cut short, its own with more.

    Args:
        texts: every transcript.
        near: utterances whose transcripts are about as long.
    """
    words = texts[number].split()
    more = texts[int(draw.integers(len(texts)))].split()
    cut = max(1, round(len(words) * draw.uniform(0.2, 0.5)))
    kept = words[cut:] if draw.integers(2) else words[:-cut]
    added = more[: max(1, round(len(words) * draw.uniform(0.2, 0.5)))]
    planted = {"extended": " ".join([*words, *added] if draw.integers(2) else [*added, *words])}
    if others := [other for other in near if texts[other] != texts[number]]:
        planted["swapped"] = texts[others[int(draw.integers(len(others)))]]
    if kept:
        planted["truncated"] = " ".join(kept)
    return planted


@dataclass(frozen=True)
class Judge:
    """A logistic regression from standardised measures to the log-odds of a right transcript."""

    middle_M: Floats
    spread_M: Floats
    weights_M: Floats  # of the standardised measures, then of the last one's distance from its middle
    offset: float

    def score(self, measures_UM: Floats) -> Floats:
        """Return the log-odds of a right transcript against a planted one, (U,)."""
        return np.asarray(standardised(measures_UM, self.middle_M, self.spread_M) @ self.weights_M + self.offset)


def standardised(measures_UM: Floats, middle_M: Floats, spread_M: Floats) -> Floats:
    """Return measures in robust standard deviations off the middle, and how far the last one (the rate) is on either side."""
    off_UM = np.clip((measures_UM - middle_M) / spread_M, -FAR, FAR)
    return np.column_stack([off_UM, -np.abs(off_UM[:, -1])])


def learn(own_UM: Floats, planted: Mapping[str, Floats]) -> Judge:
    """Return a judge that tells transcripts as they are from planted ones; each kind of plant weighs as much as another, and
    all of them together as much as the transcripts.
    """
    middle_M = np.median(own_UM, axis=0)
    spread_M = spread_of(own_UM)
    groups = [own_UM, *planted.values()]
    x = np.concatenate([standardised(group, middle_M, spread_M) for group in groups])
    x = np.column_stack([x, np.ones(len(x))])
    y = np.concatenate([np.full(len(group), float(number == 0)) for number, group in enumerate(groups)])
    weight = np.concatenate([np.full(len(group), len(own_UM) / len(group) / (1 if number == 0 else len(planted)))
                             for number, group in enumerate(groups)])
    ridge = RIDGE * np.diag([*np.ones(x.shape[1] - 1), 0.0]) + 1e-6 * np.eye(x.shape[1])
    found = np.zeros(x.shape[1])
    for _ in range(30):  # Newton's steps; the ridge keeps them finite where a measure separates perfectly
        likely = 1 / (1 + np.exp(-np.clip(x @ found, -30, 30)))
        step = np.linalg.solve((x * (weight * likely * (1 - likely))[:, None]).T @ x + ridge, x.T @ (weight * (y - likely)) - ridge @ found)
        found += step
        if np.abs(step).max() < 1e-6:
            break
    return Judge(middle_M, spread_M, found[:-1], float(found[-1]))


@dataclass(frozen=True)
class Measured:
    """A corpus as an aligner measured it.

    Args:
        own_UM: measures of each utterance's own transcript; NaN where it cannot be aligned.
        planted: kind to the utterances that it was planted for, and the measures.
        rank_U: a hash of each utterance, by which folds are drawn.
        unaligned: utterance to the reason why not.
        heard: what the aligner made of each recording.
        unmapped: letters that the aligner has no symbol for.
    """

    own_UM: Floats
    planted: Mapping[str, tuple[npt.NDArray[np.int64], Floats]]
    rank_U: npt.NDArray[np.uint64]
    unaligned: Mapping[int, str]
    heard: Sequence[str]
    unmapped: tuple[str, ...]


@dataclass(frozen=True)
class Judged:
    """What became of it: scores (NaN where there is none), reasons (empty where kept), and how well the judge judges."""

    score_U: Floats
    reasons: Sequence[str]
    planted: Mapping[str, Floats]
    power: Mapping[str, float]  # kind of plant, and all of them: how often a transcript scores over a planted one
    wrong_share: float
    threshold: float | None
    chosen_by: str
    weights: Mapping[str, float]


def judge(measured: Measured, share: float | None = None, threshold: float | None = None) -> Judged:
    """Return a score for every utterance, by a judge that has seen neither it nor what was planted for it, and who is dropped.

    The judges are alike; what they disagree on is smaller than what they would gain by having seen their own case.

    Args:
        share: to drop; or
        threshold: to drop below; or neither: as far as more wrong transcripts go by it than right ones.
    """
    own_UM, usable_U = measured.own_UM, ~np.isnan(measured.own_UM[:, 0])
    fold_U = measured.rank_U % np.uint64(FOLDS)
    score_U, reasons = np.full(len(own_UM), np.nan), [""] * len(own_UM)
    planted: dict[str, Floats] = {kind: np.full(len(numbers), np.nan) for kind, (numbers, _) in measured.planted.items()}
    off_UM = (own_UM - np.nanmedian(own_UM, axis=0)) / spread_of(own_UM[usable_U])
    judges = []
    for fold in range(FOLDS):
        asked_U = fold_U == np.uint64(fold)
        others = {kind: found[~asked_U[numbers]] for kind, (numbers, found) in measured.planted.items()}
        judges.append(one := learn(own_UM[usable_U & ~asked_U], {kind: found for kind, found in others.items() if len(found)}))
        score_U[usable_U & asked_U] = one.score(own_UM[usable_U & asked_U])
        for kind, (numbers, found) in measured.planted.items():
            planted[kind][asked_U[numbers]] = one.score(found[asked_U[numbers]])
    own, wrong = score_U[usable_U], np.concatenate(list(planted.values()))
    seem_wrong = wrong_share(own, wrong)
    chosen_by = "estimate"
    if share is not None:
        threshold, chosen_by = (float(np.sort(own)[round(share * len(own))]) if round(share * len(own)) else -np.inf), "share"
    elif threshold is not None:
        chosen_by = "threshold"
    else:
        threshold = best_threshold(own, wrong, seem_wrong)
    for number in np.flatnonzero(usable_U & (score_U < threshold)):
        reasons[number] = reason(off_UM[number])
    power = {kind: tell_apart(own, found) for kind, found in planted.items()} | {"all": tell_apart(own, wrong)}
    weights = np.mean([one.weights_M for one in judges], axis=0)
    return Judged(score_U, reasons, planted, power, seem_wrong, threshold if np.isfinite(threshold) else None, chosen_by,
                  {name: float(weight) for name, weight in zip((*MEASURES, "off_rate"), weights, strict=True)})


def reason(off_M: Floats) -> str:
    """Return which is furthest off: the whole of a transcript (another's), a part of it (words that nobody said), or its length
    (words that nobody wrote). On planted ones that names the kind of error (docs/log.md).

    Args:
        off_M: measures in robust standard deviations from what is usual.
    """
    off = dict(zip(MEASURES, off_M.tolist(), strict=True))
    found = {UNLIKE: off["frame"], PART: off["window"], SHORT if off["rate"] < 0 else LONG: -abs(off["rate"])}
    return min(found, key=found.__getitem__)


def spread_of(values_UM: Floats) -> Floats:
    """Return the robust standard deviation of each measure, (M,)."""
    return np.asarray(1.4826 * np.median(np.abs(values_UM - np.median(values_UM, axis=0)), axis=0) + 1e-9)


def wrong_share(own_U: Floats, planted_U: Floats) -> float:
    """Return an estimate of the share of wrong transcripts, from above: below no threshold are fewer of a corpus's scores
    than this share of the plants'.

    Source: Blanchard, Lee and Scott, "Semi-Supervised Novelty Detection" (2010), section 4: the proportion of a mixture is
    bounded by the ratio of the tails.
    """
    limits = np.quantile(planted_U, np.linspace(LEAST_TAIL, 1, 91))
    return float(min(1.0, min((own_U <= limit).mean() / (planted_U <= limit).mean() for limit in limits)))


def best_threshold(own_U: Floats, planted_U: Floats, share: float) -> float:
    """Return the score below which dropping does most good, wrong transcripts caught less right ones lost, where `share` of
    the corpus is wrong as the plants are; minus infinity where it does none.
    """
    limits = np.sort(own_U)
    caught = share * np.searchsorted(np.sort(planted_U), limits, side="left") / len(planted_U)
    dropped = np.arange(len(limits)) / len(limits)
    gain = 2 * caught - dropped
    return float(limits[int(np.argmax(gain))]) if gain.max() > 0 else -np.inf


def tell_apart(right_U: Floats, wrong_U: Floats) -> float:
    """Return the probability that a right transcript scores higher than a wrong one (the area under the ROC curve); 0.5 is chance."""
    order = np.sort(wrong_U)
    below = (np.searchsorted(order, right_U, "left") + np.searchsorted(order, right_U, "right")) / 2
    return float(below.mean() / len(order))
