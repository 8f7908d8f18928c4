"""Outcomes and correlations, on planted trials."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kendalltau, spearmanr

from studies.donors.outcome import (
    Errors,
    correlation,
    errors_of,
    hits,
    kendall,
    mistakes,
    permutation_p,
    predictions,
    spearman,
    steps_to,
)

NEAR = {"es": 3.0, "ca": 2.5, "it": 2.0, "fr": 1.0, "ro": 0.5, "en": -2.0}


def planted(rates: dict[str, float]) -> Errors:
    """Two seeds and twelve speakers of 200 words, with these error rates and a little noise."""
    noise = np.random.default_rng(1).integers(-2, 3, (len(rates), 2, 12))
    errors = np.round(200 * np.array(list(rates.values())))[:, None, None].astype(np.int64) + noise
    return Errors(tuple(rates), errors, np.full((2, 12), 200))


def test_a_prediction_that_holds_has_a_positive_correlation_and_its_reverse_a_negative_one() -> None:
    good = planted({"es": 0.2, "ca": 0.25, "it": 0.3, "fr": 0.4, "ro": 0.5, "en": 0.7, "scratch": 0.9})
    found = correlation(NEAR, good, 0.95, 500, 1)
    assert found["spearman"]["value"] == found["kendall"]["value"] == 1
    assert found["spearman"]["low"] > 0.9 and found["predicted_is_best"] > 0.95 and found["donors"] == 6
    assert found["predicted_best"] == found["measured_best"] == "es"
    assert found["p_permutation"] == pytest.approx(2 / 720)
    bad = correlation({name: -value for name, value in NEAR.items()}, good, 0.95, 500, 1)
    assert bad["spearman"]["value"] == bad["kendall"]["value"] == -1 and bad["spearman"]["high"] < -0.9
    assert bad["predicted_best"] == "en" and bad["predicted_is_best"] == 0


def test_donors_that_are_equal_have_a_wide_interval() -> None:
    same = correlation(NEAR, planted(dict.fromkeys(NEAR, 0.3)), 0.95, 500, 1)["spearman"]
    assert same["low"] < -0.2 and same["high"] > 0.2


def test_the_correlations_are_those_of_scipy_with_error_rates_negated() -> None:
    draw = np.random.default_rng(3)
    near, rates = np.round(draw.normal(size=7), 1), np.round(draw.random((5, 7)), 1)
    for row, one, other in zip(rates, spearman(near, rates), kendall(near, rates), strict=True):
        assert one == pytest.approx(spearmanr(near, -row).statistic)
        assert other == pytest.approx(kendalltau(near, -row).statistic)
    assert permutation_p(np.array([1.0, 2, 3]), np.array([3.0, 2, 1])) == pytest.approx(2 / 6)


def hypotheses(**rows: list[str]) -> pd.DataFrame:
    reference = ["a mãe vê o sol", "o filho", "a casa nova", "minha irmã"]
    return pd.concat([pd.DataFrame({"start": start, "seed": [1, 1, 2, 2], "utterance_id": ["u1", "u2", "u1", "u2"], "speaker": ["s1", "s2"] * 2,
                                    "reference": reference, "hypothesis": found}) for start, found in rows.items()], ignore_index=True)


def test_errors_are_counted_by_start_seed_and_speaker() -> None:
    found = errors_of(hypotheses(es=["a mãe vê o sol", "filho", "a casa", "minha irma"], en=["", "", "", ""]), "words")
    assert found.starts == ("es", "en")
    assert found.errors_NSK.tolist() == [[[0, 1], [1, 1]], [[5, 2], [3, 2]]]
    assert found.reference_SK.tolist() == [[5, 2], [3, 2]]
    assert found.rates_N().tolist() == [3 / 12, 1.0]
    rates = found.resampled_RN(400, 1)
    assert (rates[:, 1] == 1).all() and rates[:, 0].min() < 0.2 < 0.3 < rates[:, 0].max()
    with pytest.raises(ValueError, match="different utterances"):
        errors_of(hypotheses(es=["a"] * 4, en=["a"] * 4).iloc[:-1], "words")


def test_mistakes_are_counted_by_class_of_letters() -> None:
    assert hits("mãe", "mae").tolist() == [True, False, True]
    found = mistakes(["minha irmã", "o filho"], ["mina irma", "o filo"])
    classes = {name: (round(one["rate"] * one["letters"]), one["letters"]) for name, one in found["classes"].items()}
    assert classes["nasal vowels ã õ"] == (1, 1)
    assert classes["nh, lh"] == (2, 2)
    assert classes["final a, e, o"] == (0, 3)
    assert classes["all letters"][0] == 3
    assert found["substitutions"] == {"ã→a": 1}


def test_predictions_are_nearness_whatever_the_direction_of_the_measure() -> None:
    ranking = {
        "measures": [{"name": "distance", "nearer": "lower", "discriminates": True}, {"name": "same", "nearer": "higher", "discriminates": False}],
        "levels": [{"level": "lexical", "values": {"es": {"value": 0.9}, "en": {"value": 0.1}}}],
        "candidates": [{"language": code, "score": {"value": value},
                        "measures": {"distance": {"value": 1 - value}, "same": {"value": 1.0}}} for code, value in (("es", 0.9), ("en", 0.1))],
    }
    found = predictions(ranking)
    assert set(found) == {"score", "lexical", "measure distance"}
    assert all(one["es"] > one["en"] for one in found.values())


def test_steps_to_a_cer_are_those_of_the_first_evaluation_that_reaches_it() -> None:
    history = pd.DataFrame({"step": [20, 40, 60], "dev_cer": [0.5, 0.3, 0.31]})
    assert [steps_to(history, cer) for cer in (0.5, 0.3, 0.2)] == [20, 40, None]
