"""AdamW, or Muon for the matrices of the encoder with AdamW for the rest."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

import torch
from torch import nn

from pipeline.acoustic.recipe import Run

QUINTIC = (3.4445, -4.7750, 2.0315)  # Jordan's: steepest at zero, so that few iterations are enough


class Muon(torch.optim.Optimizer):
    """Momentum, made orthogonal: every direction of a matrix moves by the same amount.

    `torch.optim.Muon` does the same one matrix at a time and in bf16, which is slow on most CPUs; here matrices of one
    shape are done together, in fp32. The update has the size of AdamW's (0.2 times the root of the longer side), so that
    one rate serves both.

    Source: K. Jordan, "Muon: an optimizer for hidden layers in neural networks" (2024); the scale from Liu et al., "Muon
    is scalable for LLM training" (2025), section 2.2.
    """

    def __init__(self, params: list[dict[str, Any]], lr: float, momentum: float = 0.95, iterations: int = 3) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "iterations": iterations, "weight_decay": 0.0})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Move every matrix once."""
        for group in self.param_groups:
            shapes: dict[torch.Size, list[nn.Parameter]] = {}
            for parameter in group["params"]:
                if parameter.grad is not None:
                    shapes.setdefault(parameter.shape, []).append(parameter)
            for shape, members in shapes.items():
                updates = []
                for parameter in members:
                    state = self.state[parameter]
                    if "momentum" not in state:
                        state["momentum"] = torch.zeros_like(parameter)
                    state["momentum"].lerp_(parameter.grad, 1 - group["momentum"])
                    updates.append(parameter.grad.lerp(state["momentum"], group["momentum"]))
                moved = orthogonal(torch.stack(updates), group["iterations"])
                for parameter, update in zip(members, moved, strict=True):
                    parameter.mul_(1 - group["lr"] * group["weight_decay"])
                    parameter.add_(update, alpha=-group["lr"] * 0.2 * max(shape) ** 0.5)


def orthogonal(matrices_BMN: torch.Tensor, iterations: int) -> torch.Tensor:
    """Return the nearest matrices with all singular values near 1, by Newton–Schulz (five iterations: 0.7 to 1.2;
    three leave the smallest behind, for three fifths of the time). Shape (B, M, N).

    Long matrices are iterated through their Gram matrix, which is as small as their shorter side and commutes with every
    polynomial of itself: X p(XᵀX) q(XᵀX) … is one product at the end, for three fifths of the time at four to one.
    """
    tall = matrices_BMN.shape[1] > matrices_BMN.shape[2]
    flat = matrices_BMN.mT if tall else matrices_BMN
    flat = flat / (flat.norm(dim=(1, 2), keepdim=True) + 1e-7)
    moved = _by_gram(flat, iterations) if flat.shape[2] >= 2 * flat.shape[1] else _by_itself(flat, iterations)
    return moved.mT if tall else moved


def _by_itself(flat_BMN: torch.Tensor, iterations: int) -> torch.Tensor:
    first, second, third = QUINTIC
    for _ in range(iterations):
        gram = flat_BMN @ flat_BMN.mT
        flat_BMN = first * flat_BMN + torch.baddbmm(gram, gram, gram, beta=second, alpha=third) @ flat_BMN
    return flat_BMN


def _by_gram(flat_BMN: torch.Tensor, iterations: int) -> torch.Tensor:
    first, second, third = QUINTIC
    gram = flat_BMN @ flat_BMN.mT
    factor = None
    for left in reversed(range(iterations)):
        polynomial = torch.baddbmm(gram, gram, gram, beta=second, alpha=third)
        polynomial.diagonal(dim1=1, dim2=2).add_(first)
        factor = polynomial if factor is None else polynomial @ factor
        if left:
            gram = polynomial @ (gram @ polynomial)
    return flat_BMN if factor is None else factor @ flat_BMN


class Optimiser:
    """What moves the weights: one or two of torch's optimisers behind one face."""

    def __init__(self, model: nn.Module, recipe: Run) -> None:
        kinds: dict[tuple[bool, bool, bool], list[nn.Parameter]] = {}
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                head = name.startswith("lm_head")
                muon = recipe.optimiser == "muon" and parameter.ndim == 2 and not head
                kinds.setdefault((muon, parameter.ndim >= 2, head), []).append(parameter)
        groups: dict[bool, list[dict[str, Any]]] = {True: [], False: []}
        for (muon, matrix, head), members in kinds.items():
            groups[muon].append({"params": members, "weight_decay": recipe.weight_decay if matrix else 0.0,
                                 "factor": recipe.head_rate_factor if head else 1.0})
        self._parts: list[torch.optim.Optimizer] = [torch.optim.AdamW(groups[False], lr=recipe.peak_rate, betas=(0.9, 0.98), fused=True)]
        if groups[True]:
            self._parts.append(Muon(groups[True], recipe.peak_rate))
        self._peak_rate = recipe.peak_rate

    def set_rate(self, share: float) -> None:
        """Set the rate of the coming step, as a share of the peak."""
        for group in self._groups():
            group["lr"] = self._peak_rate * group["factor"] * share

    def step(self) -> None:
        """Move the weights and forget the gradients."""
        for part in self._parts:
            part.step()
            part.zero_grad(set_to_none=True)

    def state_dict(self) -> list[dict[str, Any]]:
        """Return what a resumed run needs."""
        return [part.state_dict() for part in self._parts]

    def load_state_dict(self, states: list[dict[str, Any]]) -> None:
        """Take up what `state_dict` returned."""
        for part, state in zip(self._parts, states, strict=True):
            part.load_state_dict(state)

    def _groups(self) -> Iterator[dict[str, Any]]:
        return chain.from_iterable(part.param_groups for part in self._parts)
