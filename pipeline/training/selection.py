"""Which evaluation of a training is its result, and when there is no use in going on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from transformers import Wav2Vec2ForCTC


def best(history: Sequence[Mapping[str, Any]]) -> int:
    """Return the place of the evaluation with the lowest dev WER; of those with the lowest CER among equals; of the first of these."""
    return min(range(len(history)), key=lambda place: (history[place]["dev_wer"], history[place]["dev_cer"]))


def gives_up(history: Sequence[Mapping[str, Any]], patience: int | None) -> bool:
    """Return whether the last `patience` evaluations have all been no better than one before them; never without a patience."""
    return patience is not None and bool(history) and len(history) - 1 - best(history) >= patience


class Selection:
    """The weights of the best evaluation so far, in the main memory, where they are to be kept in place of the last.

    They are part of the resume state: a file of its own could be that of a later evaluation than the state beside it, which a GPU
    need not repeat to the bit. Weights that are frozen throughout are left out.
    """

    def __init__(self, model: Wav2Vec2ForCTC, keep: Literal["last", "best"]) -> None:
        self._model, self._keep = model, keep
        self._names = [name for name, weight in model.named_parameters() if weight.requires_grad]
        self._weights: dict[str, torch.Tensor] = {}

    def note(self, history: Sequence[Mapping[str, Any]]) -> None:
        """Keep the model's weights as they are if the last evaluation is the best one."""
        if self._keep == "best" and best(history) == len(history) - 1:
            weights = dict(self._model.named_parameters())
            self._weights = {name: weights[name].detach().to("cpu", copy=True) for name in self._names}

    def settle(self, history: Sequence[Mapping[str, Any]]) -> int:
        """Give the model the weights that are kept; return the place of their evaluation."""
        if self._keep == "last":
            return len(history) - 1
        weights = dict(self._model.named_parameters())
        for name, kept in self._weights.items():
            weights[name].data.copy_(kept)
        return best(history)

    def state_dict(self) -> dict[str, torch.Tensor]:
        """Return what a resumed run needs."""
        return self._weights

    def load_state_dict(self, state: dict[str, torch.Tensor]) -> None:
        """Take up what `state_dict` returned."""
        self._weights = state
