"""The exponential moving average (EMA) of the weights: evaluated and saved instead of the weights where the config has `ema`.

Source: Polyak and Juditsky, "Acceleration of stochastic approximation by averaging" (1992), with exponential weights as in most
speech toolkits. The ramp of the decay, which soon forgets the first weights in a short run, is that of TensorFlow's
ExponentialMovingAverage (`num_updates`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch.optim.swa_utils import get_ema_multi_avg_fn
from transformers import Wav2Vec2ForCTC


class ExponentialMovingAverage:
    """The average of a model's weights over the steps; each step weighs `decay` times as much as the next one.

    Weights that are frozen throughout are left out. Without a decay nothing is stored, and every method does nothing.

    Args:
        model: its trainable weights are averaged.
        decay: 0 ≤ decay < 1, or None.
    """

    def __init__(self, model: Wav2Vec2ForCTC, decay: float | None) -> None:
        self._decay = decay
        self._weights = [weight for weight in model.parameters() if weight.requires_grad and decay is not None]
        self._averages = [weight.detach().clone() for weight in self._weights]
        self._updates = 0

    def update(self) -> None:
        """Add the weights of one more step to the average."""
        if self._decay is not None:
            get_ema_multi_avg_fn(min(self._decay, (1 + self._updates) / (10 + self._updates)))(self._averages, self._weights, 0)
            self._updates += 1

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Swap the average into the model within the context; nothing is copied, so the weights come back bit for bit."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def copy_to_model(self) -> None:
        """Overwrite the model's weights with the average."""
        for weight, average in zip(self._weights, self._averages, strict=True):
            weight.data.copy_(average)

    def state_dict(self) -> dict[str, Any]:
        """Return the resume state."""
        return {"averages": self._averages, "updates": self._updates}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the resume state."""
        for average, saved in zip(self._averages, state["averages"], strict=True):
            average.copy_(saved)
        self._updates = state["updates"]

    def _swap(self) -> None:
        for index, weight in enumerate(self._weights):
            weight.data, self._averages[index] = self._averages[index], weight.data
