"""A model set up for training, and its optimiser step on given batches."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from pipeline.batching.waveforms import collate, standardise
from pipeline.training.distributed import ProcessGroup
from pipeline.training.learner import Learner, draws_random_numbers
from pipeline.training.loader import LoadedBatch
from tests import tiny
from tests.training.test_trainer import WORDS, equal, run_config


def learner(**values: Any) -> Learner:
    made = Learner(tiny.model(WORDS), run_config(**values), "test", torch.device("cpu"), ProcessGroup())
    made.replicas.train()
    made.optimiser.set_learning_rate(1.0)
    return made


def batch(*texts: str, scale: float = 1.0) -> LoadedBatch:
    waveforms = [np.float32(scale) * standardise(tiny.spoken(text)) for text in texts]
    padded_BS, mask_BS = collate(waveforms)
    labels_BU = np.full((len(texts), max(map(len, texts))), -100)
    for row, text in enumerate(texts):
        labels_BU[row, : len(text)] = WORDS.encode(text)
    part = torch.from_numpy(padded_BS), torch.from_numpy(mask_BS), torch.from_numpy(labels_BU)
    return LoadedBatch([part], len(texts), sum(map(len, waveforms)) / 16_000)


def test_a_step_lowers_the_loss_of_its_batch_and_clears_the_gradients() -> None:
    found = learner()
    losses = [found.step([batch("asa", "era")]).loss for _ in range(30)]
    assert losses[-1] < 0.5 * losses[0]
    assert all(weight.grad is None for weight in found.model.parameters())


def test_the_loss_of_accumulated_batches_is_their_mean() -> None:
    single, double = learner(peak_rate=1e-9), learner(peak_rate=1e-9, accumulate=2)
    alone = [single.step([batch(text)]).loss for text in ("asa", "ossos")]
    assert double.step([batch("asa"), batch("ossos")]).loss == pytest.approx(sum(alone) / 2, rel=1e-4)


def test_a_step_with_a_non_finite_loss_changes_no_weight_and_not_the_moving_average() -> None:
    found = learner(ema=0.5)
    result = found.step([batch("asa", scale=float("nan"))])
    assert not result.is_finite
    assert equal(found.model, tiny.model(WORDS))
    assert found.ema.state_dict()["updates"] == 0
    assert all(weight.grad is None for weight in found.model.parameters())


def test_transcribing_leaves_the_replicas_in_training_mode() -> None:
    found = learner(replicas=2)
    waveform = standardise(tiny.spoken("asa"))
    assert len(found.transcribe(WORDS, lambda _: waveform, np.array([0.5, 0.5, 0.5]), 5.0)) == 3
    assert all(replica.training for replica in found.replicas.models)


@pytest.mark.parametrize(("shape", "count"), [({}, 2), ({"hidden_dropout": 0.1}, 1)])
def test_a_model_that_draws_random_numbers_has_one_replica(shape: dict[str, float], count: int) -> None:
    made = Learner(tiny.model(WORDS, **shape), run_config(replicas=2), "test", torch.device("cpu"), ProcessGroup())
    assert len(made.replicas) == count


def test_dropout_and_masks_draw_random_numbers() -> None:
    assert not draws_random_numbers(tiny.model())
    assert draws_random_numbers(tiny.model(attention_dropout=0.1))
    assert draws_random_numbers(tiny.model(apply_spec_augment=True, mask_time_prob=0.05))
    assert not draws_random_numbers(tiny.model(apply_spec_augment=False, mask_time_prob=0.05))
