"""The transcript classifier: what it learns from synthetic negatives, the share of wrong transcripts it estimates, and its threshold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.alignment.transcript_filter import (
    FOLDS,
    LONG,
    MEASURES,
    PART,
    SHORT,
    UNLIKE,
    CorpusMeasures,
    auc,
    best_threshold,
    filter_transcripts,
    learn,
    reason,
    synthetic_negatives,
    wrong_share,
)

DRAW = np.random.default_rng(1)
NUMBER = 1000


def corpus(wrong: float, gap: float = 5.0) -> tuple[CorpusMeasures, np.ndarray]:
    """Return a corpus of which a share is wrong by `gap` standard deviations of each measure but the rate, and the mask of the wrong ones."""
    draw = np.random.default_rng(7)
    bad = draw.random(NUMBER) < wrong
    own = draw.normal(size=(NUMBER, len(MEASURES)))
    own[bad, :-1] -= gap
    negatives = draw.normal(size=(NUMBER, len(MEASURES)))
    negatives[:, :-1] -= gap
    rank = draw.integers(0, 2**63, size=NUMBER, dtype=np.uint64)
    return CorpusMeasures(own, {"swapped": (np.arange(NUMBER), negatives)}, rank, {}, [""] * NUMBER, ()), bad


@pytest.mark.parametrize("wrong", [0.0, 0.02, 0.1, 0.3])
def test_the_share_of_wrong_transcripts_is_estimated_and_they_are_dropped(wrong: float) -> None:
    measured, bad = corpus(wrong)
    found = filter_transcripts(measured)
    assert found.wrong_share == pytest.approx(bad.mean(), abs=0.01)
    gone = np.array([bool(why) for why in found.reasons])
    assert (gone & ~bad).mean() <= 0.003
    assert (gone & bad).sum() >= 0.95 * bad.sum()


def test_indistinguishable_negatives_give_an_auc_of_one_half() -> None:
    measured, _ = corpus(0.1, gap=0.0)
    assert filter_transcripts(measured).power["all"] == pytest.approx(0.5, abs=0.05)


def test_no_utterance_is_scored_by_a_classifier_trained_on_it() -> None:
    """Shift the measures of one fold far off: the classifier that scores it stays the same."""
    measured, _ = corpus(0.1)
    before = filter_transcripts(measured).score_U
    own = measured.own_UM.copy()
    fold = measured.rank_U % np.uint64(FOLDS) == 0
    own[fold] += 3
    shifted = CorpusMeasures(own, measured.negatives, measured.rank_U, {}, measured.hypotheses, ())
    one = learn(own[~fold], {"swapped": measured.negatives["swapped"][1][~fold]})
    assert filter_transcripts(shifted).score_U[fold] == pytest.approx(one.score(own[fold]))
    assert not np.allclose(filter_transcripts(shifted).score_U[~fold], before[~fold])


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=40), st.lists(st.floats(-5, 5), min_size=1, max_size=40), st.floats(0, 1))
def test_the_threshold_never_drops_more_right_transcripts_than_wrong_ones(own: list[float], negatives: list[float], share: float) -> None:
    own_U, negatives_U = np.array(own), np.array(negatives)
    limit = best_threshold(own_U, negatives_U, share)
    dropped, caught = (own_U < limit).mean(), share * (negatives_U < limit).mean()
    assert 2 * caught - dropped >= -1e-9
    assert 0 <= wrong_share(own_U, negatives_U) <= 1


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=30), st.lists(st.floats(-5, 5), min_size=1, max_size=30))
def test_the_auc_is_the_share_of_pairs_in_order(right: list[float], wrong: list[float]) -> None:
    pairs = np.mean([(one > other) + 0.5 * (one == other) for one in right for other in wrong])
    assert auc(np.array(right), np.array(wrong)) == pytest.approx(pairs)


@given(st.lists(st.sampled_from(["asa", "ossos", "rosa era sera", "era uma vez", "um dois três quatro"]), min_size=2, max_size=6), st.integers(0, 99))
def test_a_synthetic_negative_is_never_the_transcript_itself(texts: list[str], seed: int) -> None:
    found = synthetic_negatives(texts, 0, np.random.default_rng(seed), range(1, len(texts)))
    assert "extended" in found and all(text and text != texts[0] for text in found.values())
    assert ("truncated" in found) == (len(texts[0].split()) > 1)
    assert ("swapped" in found) == any(text != texts[0] for text in texts)


def test_the_reason_is_the_most_deviating_measure() -> None:
    off = {**dict.fromkeys(MEASURES, -1.0), "label": -9.0}
    for change, expected in (({"frame": -6.0}, UNLIKE), ({"frame": -6.0, "window": -8.0}, PART), ({"rate": -4.0}, SHORT), ({"rate": 4.0}, LONG)):
        assert reason(np.array(list((off | change).values()))) == expected
