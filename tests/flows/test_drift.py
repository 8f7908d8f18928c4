"""Distances of new utterances from the training set."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from flows import drift

BOUNDS = {"length": 0.2, "snr": 0.2, "locales": 0.2, "vocabulary": 0.15}


def utterances(count: int, duration_s: float = 3.0, snr_db: float = 30.0, locale: str = "pt-BR", text: str = "a loja abre cedo") -> pd.DataFrame:
    spread = pd.Series(range(count)) / count
    return pd.DataFrame({"duration_s": duration_s + spread, "snr_db": snr_db + spread, "locale": locale, "text": text})


def exceeded(new: pd.DataFrame) -> list[str]:
    return [found.name for found in drift.drifts(new, utterances(300), **BOUNDS) if found.exceeded]


@pytest.mark.parametrize(("changed", "names"), [
    ({}, []),
    ({"duration_s": 6.0}, ["length"]),
    ({"snr_db": 12.0}, ["SNR"]),
    ({"locale": "pt-PT"}, ["locales"]),
    ({"text": "o comboio abre cedo"}, ["unseen words"]),
])
def test_each_drift_is_seen_by_its_own_distance(changed: dict[str, Any], names: list[str]) -> None:
    assert exceeded(utterances(100, **changed)) == names


def test_distances_are_those_of_their_definitions() -> None:
    assert drift.distance(pd.Series([1.0, 2, 3, 4]), pd.Series([3.0, 4, 5, 6])) == 0.5
    assert drift.category_distance(pd.Series(["a", "a", "b", "b"]), pd.Series(["a", "b", "b", "c"])) == 0.25
    assert drift.unseen_share(pd.Series(["um dois", "um três"]), pd.Series(["um dois"])) == 0.25
    assert drift.drifts(utterances(drift.MIN_UTTERANCES - 1, 9.0), utterances(300), **BOUNDS) == []
