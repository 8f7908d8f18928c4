"""AdamW, or Muon for the matrices of the encoder with AdamW for the rest."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

import torch
from torch import nn
from transformers import Wav2Vec2ForCTC

from pipeline.training.config import RunConfig
from pipeline.training.freezing import depth

QUINTIC = (3.4445, -4.7750, 2.0315)  # Jordan (2024): steepest at zero, so that few iterations are enough


class Muon(torch.optim.Optimizer):
    """SGD with orthogonalised momentum: every direction of a matrix is updated by the same amount.

    `torch.optim.Muon` processes one matrix at a time, in bf16, which is slow on most CPUs, and computes the orthogonalising factor
    at every step. Here matrices of one shape are stacked, in fp32, and the factor is computed every `refresh` steps only: the
    momentum changes by a twentieth per step, its factor little. The update has the size of AdamW's (0.2 times the root of the longer
    side), so that one learning rate serves both.

    Args:
        params: parameter groups of matrices.
        lr: learning rate.
        momentum: decay of the momentum.
        iterations: of Newton–Schulz.
        refresh: steps between two computations of the orthogonalising factor.

    Source: K. Jordan, "Muon: an optimizer for hidden layers in neural networks" (2024); the scale from Liu et al., "Muon
    is scalable for LLM training" (2025), section 2.2; the refresh is ours (docs/decisions/embedded-training.md).
    """

    def __init__(self, params: list[dict[str, Any]], lr: float, momentum: float = 0.95, iterations: int = 3, refresh: int = 4) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "iterations": iterations, "refresh": refresh, "steps": 0,
                                  "weight_decay": 0.0})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Update every matrix that has a gradient."""
        for group in self.param_groups:
            shapes: dict[torch.Size, list[nn.Parameter]] = {}
            for parameter in group["params"]:
                if parameter.grad is not None:
                    shapes.setdefault(parameter.shape, []).append(parameter)
            for shape, members in shapes.items():
                states = [self.state[parameter] for parameter in members]
                updates = []
                for parameter, state in zip(members, states, strict=True):
                    if "momentum" not in state:
                        state["momentum"] = torch.zeros_like(parameter)
                    state["momentum"].lerp_(parameter.grad, 1 - group["momentum"])
                    updates.append(parameter.grad.lerp(state["momentum"], group["momentum"]))
                flat = flatten_unit(torch.stack(updates))
                if group["steps"] % group["refresh"] == 0 or not all("factor" in state for state in states):
                    for state, factor in zip(states, orthogonaliser(flat, group["iterations"]), strict=True):
                        state["factor"] = factor
                orthogonal = torch.stack([state["factor"] for state in states]) @ flat
                for parameter, update in zip(members, orthogonal, strict=True):
                    parameter.mul_(1 - group["lr"] * group["weight_decay"])
                    parameter.add_(update.mT if shape[0] > shape[1] else update, alpha=-group["lr"] * 0.2 * max(shape) ** 0.5)
            group["steps"] += 1


def flatten_unit(matrices_BMN: torch.Tensor) -> torch.Tensor:
    """Return the matrices with the shorter side first and at unit norm, (B, M, N) or (B, N, M)."""
    flat = matrices_BMN.mT if matrices_BMN.shape[1] > matrices_BMN.shape[2] else matrices_BMN
    return flat / (flat.norm(dim=(1, 2), keepdim=True) + 1e-7)


def orthogonaliser(flat_BMN: torch.Tensor, iterations: int) -> torch.Tensor:
    """Return the factors (B, M, M) that bring all singular values of wide unit matrices near 1, by Newton–Schulz.

    Five iterations give 0.7 to 1.2. Three leave the smallest values lower, take three fifths of the time, and amplify less of what
    has changed since the factor was computed. All iterations work on the Gram matrix, which commutes with every polynomial of
    itself: X p(XᵀX) q(XᵀX) … is one product at the end.

    Args:
        flat_BMN: matrices from `flatten_unit`, M ≤ N.
        iterations: of Newton–Schulz.

    Source: K. Jordan, "Muon: an optimizer for hidden layers in neural networks" (2024).
    """
    first, second, third = QUINTIC
    gram = flat_BMN @ flat_BMN.mT
    factor = None
    for left in reversed(range(iterations)):
        polynomial = torch.baddbmm(gram, gram, gram, beta=second, alpha=third)
        polynomial.diagonal(dim1=1, dim2=2).add_(first)
        factor = polynomial if factor is None else polynomial @ factor
        if left:
            gram = polynomial @ (gram @ polynomial)
    assert factor is not None
    return factor


class Optimiser:
    """AdamW, or AdamW and Muon, with a learning rate for each depth.

    Args:
        model: its trainable weights are optimised.
        config: kind of optimiser, learning rates and weight decay.
    """

    def __init__(self, model: Wav2Vec2ForCTC, config: RunConfig) -> None:
        kinds: dict[tuple[bool, bool, float], list[nn.Parameter]] = {}
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                deep = depth(name, model.config)
                muon = config.optimiser == "muon" and parameter.ndim == 2 and deep > 0 and ".lora_" not in name
                factor = config.layer_decay ** (deep - 1) if deep else config.head_rate_factor
                kinds.setdefault((muon, parameter.ndim >= 2, factor), []).append(parameter)
        groups: dict[bool, list[dict[str, Any]]] = {True: [], False: []}
        for (muon, matrix, factor), members in kinds.items():
            groups[muon].append({"params": members, "weight_decay": config.weight_decay if matrix else 0.0, "factor": factor})
        self._parts: list[torch.optim.Optimizer] = [torch.optim.AdamW(groups[False], lr=config.peak_rate, betas=(0.9, 0.98), fused=True)]
        if groups[True]:
            self._parts.append(Muon(groups[True], config.peak_rate))
        self._peak_rate = config.peak_rate

    def set_learning_rate(self, share: float) -> None:
        """Set the learning rate of the next step, as a share of the peak."""
        for group in self._groups():
            group["lr"] = self._peak_rate * group["factor"] * share

    def step(self) -> None:
        """Update the weights and clear the gradients."""
        for part in self._parts:
            part.step()
        self.zero_grad()

    def zero_grad(self) -> None:
        """Clear the gradients."""
        for part in self._parts:
            part.zero_grad(set_to_none=True)

    def state_dict(self) -> list[dict[str, Any]]:
        """Return the resume state."""
        return [part.state_dict() for part in self._parts]

    def load_state_dict(self, states: list[dict[str, Any]]) -> None:
        """Restore the resume state."""
        for part, state in zip(self._parts, states, strict=True):
            part.load_state_dict(state)

    def _groups(self) -> Iterator[dict[str, Any]]:
        return chain.from_iterable(part.param_groups for part in self._parts)
