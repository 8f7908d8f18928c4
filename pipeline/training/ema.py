"""A running mean of the weights beside them: what is evaluated and kept where the recipe has `ema`.

Source: Polyak and Juditsky, "Acceleration of stochastic approximation by averaging" (1992); with weights that fall off
exponentially as in most speech toolkits. The ramp of the decay, by which the first weights are soon forgotten in a short run,
is that of TensorFlow's ExponentialMovingAverage (`num_updates`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch.optim.swa_utils import get_ema_multi_avg_fn
from transformers import Wav2Vec2ForCTC


class Averaging:
    """The mean of a model's weights over the steps, each weighing `decay` times what the one after it weighs.

    Weights that are frozen throughout are left out. Without a decay nothing is kept, and every method does nothing.
    """

    def __init__(self, model: Wav2Vec2ForCTC, decay: float | None) -> None:
        self._decay = decay
        self._weights = [weight for weight in model.parameters() if weight.requires_grad and decay is not None]
        self._means = [weight.detach().clone() for weight in self._weights]
        self._updates = 0

    def update(self) -> None:
        """Take the weights of one more step into the mean."""
        if self._decay is not None:
            get_ema_multi_avg_fn(min(self._decay, (1 + self._updates) / (10 + self._updates)))(self._means, self._weights, 0)
            self._updates += 1

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Let the model have the mean for its weights within; nothing is copied, so the weights come back bit for bit."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def settle(self) -> None:
        """Make the mean the model's weights for good."""
        for weight, mean in zip(self._weights, self._means, strict=True):
            weight.data.copy_(mean)

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run needs."""
        return {"means": self._means, "updates": self._updates}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up what `state_dict` returned."""
        for mean, kept in zip(self._means, state["means"], strict=True):
            mean.copy_(kept)
        self._updates = state["updates"]

    def _swap(self) -> None:
        for place, weight in enumerate(self._weights):
            weight.data, self._means[place] = self._means[place], weight.data
