"""Batches: all of the data, within the budget, in an order that depends on the seed alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.batching.batches import MOST, Schedule, epoch_batches, padding_share

DURATIONS_S = st.lists(st.floats(0.3, 20.0), min_size=1, max_size=120).map(np.array)
SEEDS = st.integers(0, 2**31)


@given(DURATIONS_S, st.floats(1.0, 60.0), SEEDS, st.integers(0, 50))
def test_an_epoch_has_every_utterance_once_and_no_batch_exceeds_the_budget(duration_s, budget_s, seed, epoch) -> None:  # type: ignore[no-untyped-def]
    batches = epoch_batches(duration_s, budget_s, seed, epoch)
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(duration_s)))
    for batch in batches:
        assert len(batch) == 1 or duration_s[batch].max() * len(batch) <= budget_s + 1e-9


@given(DURATIONS_S, st.floats(1.0, 60.0), SEEDS, st.integers(2, 4))
def test_every_replica_gets_the_same_number_of_utterances(duration_s, budget_s, seed, parts) -> None:  # type: ignore[no-untyped-def]
    batches = epoch_batches(duration_s, budget_s, seed, 0, parts)
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(duration_s)))
    assert all(duration_s[batch].max() * len(batch) <= MOST * budget_s + 1e-9 for batch in batches if len(batch) > 1)
    uneven = [batch for batch in batches if len(batch) > parts and len(batch) % parts]
    assert len(uneven) == 0


@pytest.mark.parametrize("budget_s", [14.0, 30.0])
def test_batches_for_two_replicas_fill_the_budget_on_average(budget_s: float) -> None:
    duration_s = np.clip(np.random.default_rng(3).lognormal(np.log(3.6), 0.35, 4_000), 1.4, 7.0)
    padded_s = [duration_s[batch].max() * len(batch) for batch in epoch_batches(duration_s, budget_s, 1, 0, 2)]
    assert 0.9 < np.mean(padded_s) / budget_s < 1.05
    halves = [np.array_split(batch, 2) for batch in epoch_batches(duration_s, budget_s, 1, 0, 2)]
    slower_s = [max(duration_s[half].max() * len(half) for half in pair if len(half)) for pair in halves]
    assert 2 * np.mean(slower_s) < 1.02 * np.mean(padded_s)


@given(DURATIONS_S, SEEDS)
def test_the_same_seed_gives_the_same_batches(duration_s, seed) -> None:  # type: ignore[no-untyped-def]
    for one, other in zip(epoch_batches(duration_s, 12, seed, 3), epoch_batches(duration_s, 12, seed, 3), strict=True):
        assert np.array_equal(one, other)


def test_other_seeds_and_other_epochs_give_other_batches() -> None:
    duration_s = np.random.default_rng(0).uniform(1, 7, 300)
    orders = {tuple(np.concatenate(epoch_batches(duration_s, 12, seed, epoch)).tolist()) for seed in (1, 2) for epoch in (0, 1)}
    members = {frozenset(frozenset(batch.tolist()) for batch in epoch_batches(duration_s, 12, 1, epoch)) for epoch in (0, 1)}
    assert len(orders) == 4
    assert len(members) == 2


def test_long_and_short_utterances_are_mixed_over_one_epoch() -> None:
    duration_s = np.random.default_rng(0).uniform(1, 7, 600)
    longest = [duration_s[batch].max() for batch in epoch_batches(duration_s, 12, 1, 0)]
    assert abs(np.corrcoef(longest, np.arange(len(longest)))[0, 1]) < 0.2


@settings(max_examples=30)
@given(st.lists(st.floats(0.5, 7.0), min_size=1, max_size=40).map(np.array), SEEDS, st.lists(st.integers(0, 200), min_size=1, max_size=20))
def test_the_batch_of_a_step_does_not_depend_on_earlier_requests(duration_s, seed, steps) -> None:  # type: ignore[no-untyped-def]
    in_order = Schedule(duration_s, 12, seed)
    batches = [in_order[step] for step in range(max(steps) + 1)]
    jumping = Schedule(duration_s, 12, seed)
    for step in steps:
        assert np.array_equal(jumping[step], batches[step])
        assert np.array_equal(Schedule(duration_s, 12, seed)[step], batches[step])


def test_the_schedule_runs_through_whole_epochs() -> None:
    duration_s = np.random.default_rng(1).uniform(1, 7, 50)
    schedule = Schedule(duration_s, 12, 7)
    expected = [batch for epoch in range(3) for batch in epoch_batches(duration_s, 12, 7, epoch)]
    for step, batch in enumerate(expected):
        assert np.array_equal(schedule[step], batch)


@pytest.mark.parametrize("parts", [1, 2])
@pytest.mark.parametrize(("budget_s", "most"), [(160.0, 0.05), (300.0, 0.05), (14.0, 0.05)])
def test_little_of_a_batch_is_padding_on_lengths_like_common_voices(budget_s: float, most: float, parts: int) -> None:
    draw = np.random.default_rng(3)
    duration_s = np.clip(draw.lognormal(np.log(4.2), 0.4, 20_000), 1.0, 11.0)
    batches = epoch_batches(duration_s, budget_s, 1, 0, parts)
    assert padding_share(duration_s, batches) < most
    unsorted = np.array_split(draw.permutation(len(duration_s)), len(batches))
    assert padding_share(duration_s, unsorted) > 3 * most


def test_the_padding_share_is_padded_samples_over_all_samples() -> None:
    assert padding_share(np.array([1.0, 3.0]), [np.array([0, 1])]) == pytest.approx(1 / 3)
    assert padding_share(np.array([2.0, 2.0]), [np.array([0, 1])]) == 0
    assert padding_share(np.array([]), []) == 0
