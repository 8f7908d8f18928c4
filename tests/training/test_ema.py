"""The exponential moving average of the weights: equal to a plain computation, swapped in and out without a change."""

from __future__ import annotations

import pytest
import torch

from pipeline.training.ema import ExponentialMovingAverage
from tests import tiny


def test_the_average_follows_the_weights_by_the_decay_and_faster_at_the_start() -> None:
    model = tiny.model()
    ema, expected = ExponentialMovingAverage(model, 0.3), model.lm_head.bias.detach().clone()
    for step in range(6):
        with torch.no_grad():
            model.lm_head.bias.add_(step + 1.0)
        ema.update()
        decay = min(0.3, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * model.lm_head.bias.detach()
    with ema.applied():
        assert torch.allclose(model.lm_head.bias, expected, atol=1e-6)


def test_swapping_the_average_in_restores_the_weights_even_after_an_error() -> None:
    model = tiny.model()
    ema = ExponentialMovingAverage(model, 0.9)
    with torch.no_grad():
        model.lm_head.weight.add_(1.0)
    ema.update()
    before, address = {name: tensor.clone() for name, tensor in model.state_dict().items()}, model.lm_head.weight.data_ptr()
    seen: list[torch.Tensor] = []

    def evaluate() -> None:
        with ema.applied():
            seen.append(model.lm_head.weight.detach().clone())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate()
    assert not torch.equal(seen[0], before["lm_head.weight"])
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert model.lm_head.weight.data_ptr() == address


def test_frozen_weights_are_not_copied_and_without_a_decay_no_weight_is() -> None:
    model = tiny.model()
    model.freeze_feature_encoder()
    assert len(ExponentialMovingAverage(model, 0.9).state_dict()["averages"]) == sum(weight.requires_grad for weight in model.parameters())
    off = ExponentialMovingAverage(model, None)
    with torch.no_grad():
        model.lm_head.weight.add_(1.0)
    changed = model.lm_head.weight.clone()
    off.update()
    off.copy_to_model()
    with off.applied():
        assert torch.equal(model.lm_head.weight, changed)
    assert off.state_dict()["averages"] == []


def test_with_a_decay_of_zero_the_average_equals_the_weights() -> None:
    model = tiny.model()
    ema = ExponentialMovingAverage(model, 0.0)
    with torch.no_grad():
        model.lm_head.weight.add_(1.0)
    changed = model.lm_head.weight.clone()
    ema.update()
    ema.copy_to_model()
    assert torch.equal(model.lm_head.weight, changed)
