"""Adapters: nothing else is trained, the model is unchanged at the start and plain at the end, and an interrupted run is resumed exactly."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pipeline.batching.waveforms import standardise
from pipeline.core.errors import ParamsError, PipelineError
from pipeline.decoding.greedy import logits_of
from pipeline.model.artifact import load_model, save_model
from pipeline.scoring.counts import error_rates
from pipeline.training.config import Lora
from pipeline.training.learner import draws_random_numbers
from pipeline.training.lora import BLOCKS, add_adapters, count_trainable, merge_adapters, target_matrices
from pipeline.training.optimiser import Optimiser
from pipeline.training.trainer import train
from tests import tiny
from tests.training.test_freezing import three
from tests.training.test_trainer import WORDS, cut_at, equal, run_config, trained, utterances

SPEECH = [standardise(tiny.spoken(text)) for text in ("rosa era", "asa")]
ALL = Lora().target_modules


def logits(model: Any) -> np.ndarray:
    return np.concatenate(logits_of(model.eval(), SPEECH))


def test_a_fresh_adapter_changes_neither_logits_nor_the_global_random_state() -> None:
    model, before = three(), logits(three())
    state = torch.get_rng_state()
    add_adapters(model, Lora(rank=4), 1)
    assert torch.equal(torch.get_rng_state(), state)
    assert np.array_equal(logits(model), before)
    again, other = three(), three()
    add_adapters(again, Lora(rank=4), 1)
    add_adapters(other, Lora(rank=4), 2)
    assert equal(model, again) and not equal(model, other)


@pytest.mark.parametrize("extra", [{}, {"optimiser": "adamw", "weight_decay": 0.1}, {"replicas": 2}, {"gradient_checkpointing": True},
                                   {"spec_augment": {"time_prob": 0.2, "time_length": 2}}], ids=lambda extra: "-".join(extra) or "plain")
def test_only_head_and_adapted_matrices_change_and_these_by_their_rank_at_most(root: Path, tmp_path: Path, extra: dict[str, Any]) -> None:
    before = three().state_dict()
    model, _ = trained(root, tmp_path, three(), steps=6, warmup_steps=0, lora={"rank": 2, "target_modules": ["q_proj", "output_dense"]}, **extra)
    for name, tensor in model.state_dict().items():
        adapted = name.endswith(("q_proj.weight", "output_dense.weight")) and name.startswith(BLOCKS)
        if name in before:  # all but the vector for masked frames, if the config has masks
            assert torch.equal(tensor, before[name]) != (adapted or name.startswith("lm_head.")), name
        if adapted:
            strength = torch.linalg.svdvals(tensor - before[name])
            assert strength[0] > 1e-4 and strength[2] < 1e-4 * strength[0], "a change of rank two"


def test_the_merged_model_has_the_logits_of_the_adapted_one_and_is_plain_on_disk(tmp_path: Path) -> None:
    model = three()
    add_adapters(model, Lora(rank=3, alpha=5.0), 1)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if ".lora_B." in name:
                weight.normal_(0, 0.1, generator=torch.Generator().manual_seed(len(name)))
    adapted = logits(model)
    assert np.abs(adapted - logits(three())).max() > 0.01
    merge_adapters(model)
    assert np.abs(adapted - logits(model)).max() < 1e-5
    assert list(model.state_dict()) == list(three().state_dict())
    assert [type(module).__name__ for module in model.modules()] == [type(module).__name__ for module in three().modules()]
    assert vars(model).keys() == vars(three()).keys(), "no trace is left"
    save_model(model, WORDS, tmp_path / "model", {})
    assert np.array_equal(logits(load_model(tmp_path / "model")[0]), logits(model))


@pytest.mark.slow
@pytest.mark.parametrize("extra", [{}, {"replicas": 2}, {"lora": {"rank": 2, "dropout": 0.3}}, {"freeze_encoder_steps": 3, "unfreeze_every": 3},
                                   {"ema": 0.9, "keep": "best"}],
                         ids=lambda extra: "-".join(extra) or "plain")
def test_an_interrupted_run_is_resumed_to_the_same_weights(root: Path, tmp_path: Path, extra: dict[str, Any]) -> None:
    values = {"steps": 12, "evaluate_every": 2, "lora": {"rank": 2}, "layer_decay": 0.7, **extra}
    whole, _ = trained(root, tmp_path / "whole", three(), **values)
    sets, run = (utterances(root, "train"), utterances(root, "dev")), run_config(**values, checkpoint_s=0)
    with pytest.raises(KeyboardInterrupt):
        train(three(), WORDS, *sets, run, tmp_path / "cut", cut_at(3), "test")
    kept = torch.load(tmp_path / "cut/state.pt", weights_only=True)
    assert kept["progress"]["step"] == 7
    resumed = three()
    train(resumed, WORDS, *sets, run, tmp_path / "cut", error_rates, "test")
    assert equal(whole, resumed)


@pytest.mark.parametrize(("values", "expected"), [({"lora": {"rank": 3}}, None), ({"lora": {"rank": 2, "target_modules": ["q_proj"]}}, None),
                                                  ({}, "all"), ({"freeze_feature_encoder": True}, "frozen")])
def test_the_number_of_trained_parameters_is_known_before_the_run(values: dict[str, Any], expected: str | None) -> None:
    model, run = three(), run_config(**values)
    counted = count_trainable(model, run)
    if run.lora is not None:
        add_adapters(model, run.lora, 1)
    elif expected == "frozen":
        model.freeze_feature_encoder()
    assert counted == sum(weight.numel() for weight in model.parameters() if weight.requires_grad)


def test_freezing_is_that_of_the_adapters_and_the_head_always_trains(root: Path, tmp_path: Path) -> None:
    model, _ = trained(root, tmp_path, three(), steps=4, freeze_encoder_steps=99, lora={"rank": 2})
    before = three().state_dict()
    assert {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])} == {"lm_head.weight", "lm_head.bias"}


def test_adapters_are_trained_by_adamw_at_the_rate_of_their_depth() -> None:
    model = three()
    add_adapters(model, Lora(rank=2), 1)
    optimiser = Optimiser(model, run_config(optimiser="muon", layer_decay=0.5, lora={"rank": 2}))
    assert [type(part).__name__ for part in optimiser._parts] == ["AdamW"]
    optimiser.set_learning_rate(1.0)
    assert sorted({group["lr"] for group in optimiser._groups()}) == pytest.approx([0.0025, 0.005, 0.01])


def test_every_matrix_of_a_block_can_be_adapted_and_no_other() -> None:
    assert {name.rsplit(".", 1)[1] for name in target_matrices(three(), Lora())} == set(ALL)
    assert len(target_matrices(three(), Lora())) == 3 * len(ALL)
    with pytest.raises(ParamsError, match="found lm_head, projection; expected some of intermediate_dense"):
        target_matrices(three(), Lora(target_modules=("q_proj", "projection", "lm_head")))


def test_adapters_with_dropout_draw_random_numbers() -> None:
    for dropout in (0.0, 0.1):
        model = three()
        add_adapters(model, Lora(dropout=dropout), 1)
        assert draws_random_numbers(model) == (dropout > 0)


def test_only_adapters_need_peft_and_its_absence_is_an_error(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "peft"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "peft", None)
    trained(root, tmp_path / "plain", three(), steps=2)
    with pytest.raises(PipelineError, match=r"train\.config\.lora: peft cannot be imported .*install the versions in requirements/main\.txt"):
        trained(root, tmp_path / "adapted", three(), steps=2, lora={"rank": 2})
