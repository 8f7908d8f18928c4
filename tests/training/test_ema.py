"""The running mean of the weights: worked out by hand, swapped in and out without a trace."""

from __future__ import annotations

import pytest
import torch

from pipeline.training.ema import Averaging
from tests import tiny


def test_the_mean_follows_the_weights_by_the_decay_and_faster_at_the_start() -> None:
    model = tiny.model()
    averaging, expected = Averaging(model, 0.3), model.lm_head.bias.detach().clone()
    for step in range(6):
        with torch.no_grad():
            model.lm_head.bias.add_(step + 1.0)
        averaging.update()
        decay = min(0.3, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * model.lm_head.bias.detach()
    with averaging.applied():
        assert torch.allclose(model.lm_head.bias, expected, atol=1e-6)


def test_what_is_swapped_in_leaves_the_weights_as_they_were_bit_for_bit_even_after_an_error() -> None:
    model = tiny.model()
    averaging = Averaging(model, 0.9)
    with torch.no_grad():
        model.lm_head.weight.add_(1.0)
    averaging.update()
    before, place = {name: tensor.clone() for name, tensor in model.state_dict().items()}, model.lm_head.weight.data_ptr()
    seen: list[torch.Tensor] = []

    def look() -> None:
        with averaging.applied():
            seen.append(model.lm_head.weight.detach().clone())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        look()
    assert not torch.equal(seen[0], before["lm_head.weight"])
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert model.lm_head.weight.data_ptr() == place


def test_weights_that_are_frozen_throughout_are_not_copied_and_without_a_decay_none_is() -> None:
    model = tiny.model()
    model.freeze_feature_encoder()
    assert len(Averaging(model, 0.9).state_dict()["means"]) == sum(weight.requires_grad for weight in model.parameters())
    off = Averaging(model, None)
    with torch.no_grad():
        model.lm_head.weight.add_(1.0)
    moved = model.lm_head.weight.clone()
    off.update()
    off.settle()
    with off.applied():
        assert torch.equal(model.lm_head.weight, moved)
    assert off.state_dict()["means"] == []


def test_a_decay_of_zero_is_the_weights_themselves() -> None:
    model = tiny.model()
    averaging = Averaging(model, 0.0)
    with torch.no_grad():
        model.lm_head.weight.add_(1.0)
    moved = model.lm_head.weight.clone()
    averaging.update()
    averaging.settle()
    assert torch.equal(model.lm_head.weight, moved)
