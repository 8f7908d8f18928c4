"""The optimisers: orthogonal updates, which optimiser trains which weights, and learning rates over time."""

from __future__ import annotations

import io
import itertools
import math

import pytest
import torch
from torch import nn

from pipeline.training.config import RunConfig
from pipeline.training.optimiser import Muon, Optimiser, flatten_unit, orthogonaliser
from pipeline.training.trainer import learning_rate_share
from tests import tiny


def config(**values: object) -> RunConfig:
    return RunConfig.model_validate({"batch_s": 4, "steps": 100, "peak_rate": 1e-2, "warmup_steps": 10, "seed": 1, **values})


def orthogonal(matrices_BMN: torch.Tensor, iterations: int) -> torch.Tensor:
    flat = flatten_unit(matrices_BMN)
    update = orthogonaliser(flat, iterations) @ flat
    return update if flat.shape == matrices_BMN.shape else update.mT


@pytest.mark.parametrize("shape", [(3, 24, 36), (2, 16, 64), (2, 64, 16), (1, 8, 200)])
def test_all_singular_values_come_near_one(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    for scale in (1e-4, 1.0, 1e4):
        result = orthogonal(scale * torch.randn(shape), 5)
        values = torch.linalg.svdvals(result)
        assert result.shape == shape
        assert float(values.min()) > 0.6
        assert float(values.max()) < 1.3


def test_three_iterations_raise_the_small_singular_values_without_overshooting() -> None:
    torch.manual_seed(0)
    matrices = torch.randn(4, 32, 32)
    plain = torch.linalg.svdvals(matrices / matrices.norm(dim=(1, 2), keepdim=True))
    values = torch.linalg.svdvals(orthogonal(matrices, 3))
    assert float(values.max()) < 1.3
    assert float(values.median()) > 3 * float(plain.median())


def test_orthogonal_matrices_keep_their_directions() -> None:
    torch.manual_seed(0)
    matrix = torch.randn(1, 12, 30)
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    nearest = left @ right
    cosine = float((orthogonal(matrix, 5) * nearest).sum() / (orthogonal(matrix, 5).norm() * nearest.norm()))
    assert cosine > 0.97


def test_a_zero_gradient_changes_a_weight_only_by_its_decay() -> None:
    weight = nn.Parameter(torch.ones(4, 6))
    weight.grad = torch.zeros_like(weight)
    Muon([{"params": [weight], "weight_decay": 0.1}], lr=0.5).step()
    assert torch.allclose(weight, torch.full((4, 6), 0.95))


def test_one_step_of_muon_has_the_size_of_adamws() -> None:
    torch.manual_seed(0)
    weight = nn.Parameter(torch.zeros(24, 96))
    weight.grad = torch.randn_like(weight)
    Muon([{"params": [weight]}], lr=1e-2).step()
    assert float(weight.detach().square().mean().sqrt()) == pytest.approx(0.2 * 1e-2, rel=0.25)


def test_muon_finds_the_least_squares_solution() -> None:
    torch.manual_seed(0)
    weight, truth, inputs = nn.Parameter(torch.zeros(8, 16)), torch.randn(8, 16), torch.randn(64, 16)
    muon = Muon([{"params": [weight]}], lr=0.1)
    for step in range(300):
        muon.param_groups[0]["lr"] = 0.1 * (1 - step / 300)
        loss = (inputs @ (weight - truth).T).square().mean()
        muon.zero_grad()
        loss.backward()
        muon.step()
    assert float(loss.detach()) < 1e-2


def test_the_orthogonalising_factor_is_computed_every_few_steps() -> None:
    torch.manual_seed(0)
    weight = nn.Parameter(torch.zeros(8, 16))
    muon = Muon([{"params": [weight]}], lr=0.1, refresh=3)
    factors = []
    for _ in range(7):
        weight.grad = torch.randn_like(weight)
        muon.step()
        factors.append(muon.state[weight]["factor"])
    changed = [not torch.equal(before, after) for before, after in itertools.pairwise(factors)]
    assert changed == [False, False, True, False, False, True]


def test_a_matrix_with_a_later_first_gradient_gets_its_factor_at_once() -> None:
    torch.manual_seed(0)
    early, late = (nn.Parameter(torch.zeros(8, 16)) for _ in range(2))
    muon = Muon([{"params": [early, late]}], lr=1e-2)
    for step in range(3):
        early.grad = torch.randn_like(early)
        late.grad = torch.randn_like(late) if step else None
        muon.step()
    assert float(late.detach().square().mean().sqrt()) > 1e-3


def test_matrices_of_the_encoder_go_to_muon_and_the_rest_to_adamw() -> None:
    model = tiny.model()
    adamw, muon = Optimiser(model, config(optimiser="muon"))._parts
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    by_muon = {names[id(parameter)] for group in muon.param_groups for parameter in group["params"]}
    assert isinstance(muon, Muon)
    assert "wav2vec2.encoder.layers.0.attention.q_proj.weight" in by_muon
    assert not any(name.startswith(("lm_head", "wav2vec2.feature_extractor")) or name.endswith("bias") for name in by_muon)
    assert len(by_muon) + sum(len(group["params"]) for group in adamw.param_groups) == len(names)
    assert len(Optimiser(model, config())._parts) == 1


def test_biases_and_norms_do_not_decay_and_frozen_weights_do_not_change() -> None:
    model = tiny.model()
    model.freeze_feature_encoder()
    optimiser = Optimiser(model, config(weight_decay=0.1))
    frozen = {id(parameter) for parameter in model.wav2vec2.feature_extractor.parameters()}
    for group in optimiser._groups():
        assert all((parameter.ndim >= 2) == (group["weight_decay"] > 0) for parameter in group["params"])
        assert not any(id(parameter) in frozen for parameter in group["params"])


def test_the_head_has_its_own_rate() -> None:
    model = tiny.model()
    optimiser = Optimiser(model, config(head_rate_factor=10.0))
    optimiser.set_learning_rate(0.5)
    head = {id(parameter) for parameter in model.lm_head.parameters()}
    for group in optimiser._groups():
        for parameter in group["params"]:
            assert group["lr"] == pytest.approx(5e-2 if id(parameter) in head else 5e-3)


@pytest.mark.parametrize("kind", ["adamw", "muon"])
def test_a_restored_optimiser_continues_as_without_interruption(kind: str) -> None:
    def update(model: nn.Module, optimiser: Optimiser, steps: range) -> None:
        for step in steps:
            optimiser.set_learning_rate(1.0)
            torch.manual_seed(step)
            for parameter in model.parameters():
                parameter.grad = torch.randn_like(parameter)
            optimiser.step()

    one, other = tiny.model(), tiny.model()
    first = Optimiser(one, config(optimiser=kind))
    update(one, first, range(6))
    other.load_state_dict(one.state_dict())
    second = Optimiser(other, config(optimiser=kind))
    stored = io.BytesIO()
    torch.save(first.state_dict(), stored)
    stored.seek(0)
    second.load_state_dict(torch.load(stored, weights_only=True))
    update(one, first, range(6, 12))
    update(other, second, range(6, 12))
    assert all(torch.equal(mine, theirs) for mine, theirs in zip(one.parameters(), other.parameters(), strict=True))
    assert one.lm_head.weight.grad is None


def test_the_rate_rises_in_a_line_and_falls_on_a_cosine_to_its_last_share() -> None:
    plan = config(final_rate=0.02)
    assert [learning_rate_share(step, plan) for step in (0, 4, 9)] == pytest.approx([0.1, 0.5, 1.0])
    assert learning_rate_share(10, plan) == pytest.approx(1.0)
    assert learning_rate_share(99, plan) == pytest.approx(0.02)
    middle = 10 + (99 - 10) / 2
    assert (learning_rate_share(math.floor(middle), plan) + learning_rate_share(math.ceil(middle), plan)) / 2 == pytest.approx(0.51, abs=1e-3)
    assert all(learning_rate_share(step, plan) >= learning_rate_share(step + 1, plan) for step in range(9, 99))


def test_a_linear_decay_and_a_run_without_warm_up_or_with_nothing_else() -> None:
    line = config(decay="linear", final_rate=0.0, warmup_steps=0, steps=11)
    assert [learning_rate_share(step, line) for step in range(11)] == pytest.approx([1 - step / 10 for step in range(11)])
    assert learning_rate_share(4, config(warmup_steps=10, steps=5)) == pytest.approx(0.5)
    assert learning_rate_share(0, config(warmup_steps=0, steps=1)) == pytest.approx(1.0)
