"""Which evaluation's weights are the result of a training, and when to stop early."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from transformers import Wav2Vec2ForCTC


def best_evaluation(history: Sequence[Mapping[str, Any]]) -> int:
    """Return the index of the evaluation with the lowest dev WER, by CER among equals, the first of equals."""
    return min(range(len(history)), key=lambda index: (history[index]["dev_wer"], history[index]["dev_cer"]))


def should_stop_early(history: Sequence[Mapping[str, Any]], patience: int | None) -> bool:
    """Return whether none of the last `patience` evaluations is better than an earlier one; False if `patience` is None."""
    return patience is not None and bool(history) and len(history) - 1 - best_evaluation(history) >= patience


class CheckpointSelection:
    """The weights of the best evaluation so far, in main memory, where `keep` is `best`; nothing where it is `last`.

    They are part of the resume state: a file of their own could be of a later evaluation than the state beside it, which a GPU
    need not repeat bit for bit. Weights that are frozen throughout are left out.

    Args:
        model: its trainable weights are kept.
        keep: which evaluation's weights are the result.
    """

    def __init__(self, model: Wav2Vec2ForCTC, keep: Literal["last", "best"]) -> None:
        self._model, self._keep = model, keep
        self._names = [name for name, weight in model.named_parameters() if weight.requires_grad]
        self._weights: dict[str, torch.Tensor] = {}

    def update(self, history: Sequence[Mapping[str, Any]]) -> None:
        """Copy the model's weights if the last evaluation is the best one."""
        if self._keep == "best" and best_evaluation(history) == len(history) - 1:
            weights = dict(self._model.named_parameters())
            self._weights = {name: weights[name].detach().to("cpu", copy=True) for name in self._names}

    def copy_to_model(self, history: Sequence[Mapping[str, Any]]) -> int:
        """Give the model the selected weights; return the index of their evaluation."""
        if self._keep == "last":
            return len(history) - 1
        weights = dict(self._model.named_parameters())
        for name, kept in self._weights.items():
            weights[name].data.copy_(kept)
        return best_evaluation(history)

    def state_dict(self) -> dict[str, torch.Tensor]:
        """Return the resume state."""
        return self._weights

    def load_state_dict(self, state: dict[str, torch.Tensor]) -> None:
        """Restore the resume state."""
        self._weights = state
