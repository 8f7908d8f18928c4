"""Frozen weights do not change, trainable ones do, at their own rate; and an interrupted run is resumed exactly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from pipeline.core.errors import ParamsError
from pipeline.scoring.counts import error_rates
from pipeline.training.freezing import FreezingSchedule, depth, reinitialise_top_layers, trainable_depth
from pipeline.training.optimiser import Optimiser
from pipeline.training.trainer import train
from tests import tiny
from tests.training.test_trainer import WORDS, cut_at, equal, run_config, trained, utterances

BLOCKS = 3


def three(**shape: Any) -> Any:
    return tiny.model(WORDS, num_hidden_layers=BLOCKS, **shape)


def trained_depths(root: Path, folder: Path, steps: int, **values: Any) -> set[int]:
    """Return the depths at which a run changed the weights, after checking that at each depth all changed or none."""
    before = three()
    model, _ = trained(root, folder, three(), steps=steps, evaluate_every=steps, warmup_steps=0, **values)
    found: dict[int, set[bool]] = {}
    for name, tensor in model.named_parameters():
        if not name.endswith("k_proj.bias"):  # softmax cancels it: its gradient is rounding alone
            found.setdefault(depth(name, model.config), set()).add(not torch.equal(tensor, before.state_dict()[name]))
    assert all(len(ways) == 1 for ways in found.values()), found
    return {deep for deep, ways in found.items() if ways == {True}}


def test_depth_is_counted_from_the_head_down() -> None:
    config = three().config
    names = {"lm_head.bias": 0, "wav2vec2.encoder.layer_norm.weight": 1, "wav2vec2.encoder.layers.2.attention.k_proj.weight": 1,
             "wav2vec2.encoder.layers.0.layer_norm.bias": 3, "wav2vec2.encoder.pos_conv_embed.conv.bias": 4, "wav2vec2.masked_spec_embed": 4,
             "wav2vec2.feature_projection.projection.weight": 4, "wav2vec2.feature_extractor.conv_layers.0.conv.weight": 4}
    assert {name: depth(name, config) for name in names} == names
    assert depth("wav2vec2.encoder.layer_norm.weight", three(do_stable_layer_norm=False).config) == 4


@pytest.mark.parametrize(("values", "expected"), [
    ({}, [4] * 9),
    ({"freeze_encoder_steps": 3}, [0, 0, 0, 4, 4, 4, 4, 4, 4]),
    ({"unfreeze_every": 2}, [1, 1, 2, 2, 3, 3, 4, 4, 4]),
    ({"freeze_encoder_steps": 2, "unfreeze_every": 2}, [0, 0, 1, 1, 2, 2, 3, 3, 4]),
    ({"freeze_encoder_steps": 99}, [0] * 9),
])
def test_the_trainable_depth_follows_the_schedule(values: dict[str, int], expected: list[int]) -> None:
    run = run_config(steps=9, **values)
    assert [trainable_depth(step, run, BLOCKS) for step in range(9)] == expected
    changes = {step for step in range(1, 9) if expected[step] != expected[step - 1]}
    assert {step for step in FreezingSchedule([three()], run).changes if step < 9} == changes


@pytest.mark.parametrize("extra", [
    {"optimiser": "adamw", "weight_decay": 0.1}, *(pytest.param(extra, marks=pytest.mark.slow) for extra in (
        {"optimiser": "muon"}, {"replicas": 2}, {"gradient_checkpointing": True}))], ids=lambda extra: "-".join(extra))
def test_only_weights_that_the_schedule_unfreezes_change(root: Path, tmp_path: Path, extra: dict[str, Any]) -> None:
    schedule = {"freeze_encoder_steps": 2, "unfreeze_every": 2, **extra}
    expected = {2: {0}, 4: {0, 1}, 6: {0, 1, 2}, 8: {0, 1, 2, 3}, 9: {0, 1, 2, 3, 4}}
    for steps, depths in expected.items():
        assert trained_depths(root, tmp_path / str(steps), steps, **schedule) == depths, steps


def test_a_frozen_encoder_has_no_backward_pass(root: Path, tmp_path: Path) -> None:
    model = three().train()
    freezing = FreezingSchedule([model], run_config(freeze_encoder_steps=2))
    graphs = []
    for step in (0, 2):
        freezing.apply(step)
        graphs.append(model.wav2vec2(torch.randn(1, 8000)).last_hidden_state.requires_grad)
    assert graphs == [False, True]


def test_convolutions_stay_frozen_whatever_the_schedule_unfreezes(root: Path, tmp_path: Path) -> None:
    before = three().state_dict()
    model, _ = trained(root, tmp_path, three(), steps=6, freeze_feature_encoder=True, unfreeze_every=1)
    for name, tensor in model.state_dict().items():
        if not name.endswith("k_proj.bias"):
            assert torch.equal(tensor, before[name]) == name.startswith("wav2vec2.feature_extractor"), name


@pytest.mark.slow
@pytest.mark.parametrize("cut", [1, 2, 4])
def test_a_run_interrupted_between_two_changes_is_resumed_to_the_same_weights(root: Path, tmp_path: Path, cut: int) -> None:
    values = {"steps": 14, "evaluate_every": 2, "freeze_encoder_steps": 3, "unfreeze_every": 3, "layer_decay": 0.7, "head_rate_factor": 3.0,
              "weight_decay": 0.1}
    whole, history = trained(root, tmp_path / "whole", three(), **values)
    sets, run = (utterances(root, "train"), utterances(root, "dev")), run_config(**values, checkpoint_s=0)
    with pytest.raises(KeyboardInterrupt):
        train(three(), WORDS, *sets, run, tmp_path / "cut", cut_at(cut), "test")
    resumed = tiny.model(WORDS, seed=50, num_hidden_layers=BLOCKS)
    rest = train(resumed, WORDS, *sets, run, tmp_path / "cut", error_rates, "test").history
    assert equal(whole, resumed)
    assert history.equals(rest)


def test_learning_rates_fall_with_depth_and_the_head_has_its_own() -> None:
    model = three()
    optimiser = Optimiser(model, run_config(layer_decay=0.5, head_rate_factor=8.0, optimiser="muon"))
    optimiser.set_learning_rate(0.5)
    rates = {id(weight): group["lr"] for group in optimiser._groups() for weight in group["params"]}
    expected = {0: 8.0, 1: 1.0, 2: 0.5, 3: 0.25, 4: 0.125}
    for name, weight in model.named_parameters():
        assert rates[id(weight)] == pytest.approx(0.5 * 1e-2 * expected[depth(name, model.config)]), name


def test_only_the_top_blocks_get_fresh_weights() -> None:
    for count in range(BLOCKS + 1):
        model, before, state = three(), three().state_dict(), torch.get_rng_state()
        reinitialise_top_layers(model, count, 1)
        for name, tensor in model.state_dict().items():
            fresh = 1 <= depth(name, model.config) <= count and "encoder.layers" in name
            if fresh and tensor.ndim == 2:
                assert not torch.equal(tensor, before[name]) and 0.015 < tensor.std() < 0.025, name
            elif fresh:
                assert torch.equal(tensor, torch.full_like(tensor, 1.0 if "norm.weight" in name else 0.0)), name
            else:
                assert torch.equal(tensor, before[name]), name
        assert torch.equal(state, torch.get_rng_state()), "the global random state is unchanged"
    one, again, other = three(), three(), three()
    for model, seed in ((one, 1), (again, 1), (other, 2)):
        reinitialise_top_layers(model, 1, seed)
    assert equal(one, again) and not equal(one, other)
    with pytest.raises(ParamsError, match=r"train\.config\.reinit_top_layers: found 4; expected at most 3"):
        reinitialise_top_layers(three(), 4, 1)
