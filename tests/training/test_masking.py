"""Masks by a schedule: on at their steps and off at the others, with the mask vector, and the same after an interruption."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from pipeline.model.artifact import load_model, save_model
from pipeline.scoring.counts import error_rates
from pipeline.training.learner import draws_random_numbers
from pipeline.training.masking import Masking
from pipeline.training.trainer import train
from tests import tiny
from tests.training.test_trainer import WORDS, cut_at, equal, run_config, trained, utterances

MASKS = {"time_prob": 0.3, "time_length": 4}
VECTOR = "wav2vec2.masked_spec_embed"


def test_masks_are_on_from_their_first_step_to_their_last(root: Path) -> None:
    model = tiny.model(WORDS)
    masking = Masking(model, run_config(spec_augment=MASKS | {"from_step": 2, "until_step": 5}))
    assert draws_random_numbers(model), "before the first step: masks come later"
    assert masking.changes == {2, 5}
    assert [masking.apply(step) for step in range(7)] == [False, False, True, True, True, False, False]
    masking.restore_config()
    assert model.config.apply_spec_augment and model.config.mask_time_prob == 0.3


def test_a_run_masks_only_at_its_steps(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    values: dict[str, Any] = {"steps": 6, "evaluate_every": 1, "warmup_steps": 0}
    _, plain = trained(root, tmp_path / "a", **values)
    _, late = trained(root, tmp_path / "b", spec_augment=MASKS | {"from_step": 3}, **values)
    _, always = trained(root, tmp_path / "c", spec_augment=MASKS, **values)
    assert late["loss"][:3].tolist() == plain["loss"][:3].tolist()
    assert (late["loss"][3:] != plain["loss"][3:]).all() and (always["loss"] != plain["loss"]).all()
    assert "test: from step 4 on parts of the input are masked" in capsys.readouterr().out


@pytest.mark.slow
def test_a_run_interrupted_before_or_during_masking_is_resumed_to_the_same_weights(root: Path, tmp_path: Path) -> None:
    values = {"steps": 12, "evaluate_every": 2, "spec_augment": MASKS | {"from_step": 5, "until_step": 10}}
    whole, history = trained(root, tmp_path / "whole", **values)
    for cut in (1, 3):
        sets, run = (utterances(root, "train"), utterances(root, "dev")), run_config(**values, checkpoint_s=0)
        with pytest.raises(KeyboardInterrupt):
            train(tiny.model(WORDS), WORDS, *sets, run, tmp_path / str(cut), cut_at(cut), "test")
        resumed = tiny.model(WORDS, seed=50)
        rest = train(resumed, WORDS, *sets, run, tmp_path / str(cut), error_rates, "test").history
        assert equal(whole, resumed)
        pd.testing.assert_frame_equal(history, rest)


@pytest.mark.parametrize(("had", "masks", "has"), [(0.0, MASKS, True), (0.3, {"time_prob": 0.0}, False), (0.3, None, True), (0.0, None, False)])
def test_the_trained_model_has_the_mask_vector_that_its_configuration_requires(root: Path, tmp_path: Path, had: float, masks: Any, has: bool) -> None:
    start = tiny.model(WORDS, apply_spec_augment=True, mask_time_prob=had, mask_time_length=4)
    model, _ = trained(root, tmp_path / "state", start, steps=2, spec_augment=masks)
    assert (VECTOR in model.state_dict()) == has
    save_model(model, WORDS, tmp_path / "model", {})
    again, _, _ = load_model(tmp_path / "model")
    assert equal(model, again)


def test_a_batch_shorter_than_a_mask_is_not_masked() -> None:
    model = tiny.model(WORDS).train()
    masking = Masking(model, run_config(spec_augment={"time_prob": 0.3, "time_length": 20}))
    for samples, masked in ((4000, False), (8000, True)):
        masking.skip_short(samples)
        assert model.config.apply_spec_augment == masked
        loss = model(torch.randn(1, samples), labels=torch.tensor([WORDS.encode("a")])).loss
        assert torch.isfinite(loss)
