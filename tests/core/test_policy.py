"""The policy of a run: what belongs to it, its hash, and how two of them differ."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.core.policy import policy_changes, policy_hash, policy_of

PARAMS: dict[str, Any] = {"gate": {"alpha": 0.05, "rule": {"enabled": True, "columns": ["a"]}, "gates_since_promotion": 3}, "score": {"level": 0.95},
                          "train": {"steps": 10}}


def test_the_policy_is_the_gate_and_the_score_without_the_gate_index() -> None:
    assert policy_of(PARAMS) == {"gate": {"alpha": 0.05, "rule": {"enabled": True, "columns": ["a"]}}, "score": {"level": 0.95}}
    assert policy_of({"gate": None}) == policy_of({}) == {"gate": {}, "score": {}}
    same = {**PARAMS, "gate": {**PARAMS["gate"], "gates_since_promotion": 4}, "train": {}}
    other = {**PARAMS, "score": {"level": 0.9}}
    assert policy_hash(PARAMS) == policy_hash(same) != policy_hash(other)
    assert len(policy_hash(PARAMS)) == 64


@pytest.mark.parametrize(("before", "after", "changes"), [
    ({"a": {"b": 1, "c": [1]}}, {"a": {"b": 1, "c": [1]}}, []), ({"a": {"b": 1}}, {"a": {"b": 2}}, ["a.b 2 (1)"]),
    ({"a": {"b": 1}}, {"a": {}}, ["a {} (absent)", "a.b absent (1)"]), ({}, {"a": {"b": 1}, "c": 2}, ["a.b 1 (absent)", "c 2 (absent)"]),
    ({}, {"a": None}, ["a None (absent)"]), ({"a": {}}, {}, ["a absent ({})"]), ({"a": None}, {}, ["a absent (None)"]),
])
def test_two_policies_differ_in_values_and_keys(before: Any, after: Any, changes: list[str]) -> None:
    assert policy_changes({"z": 1, **before}, {"z": 1, **after}) == changes
