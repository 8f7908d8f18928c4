"""A network run by PyTorch: on the GPU if there is one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from transformers import Wav2Vec2ForCTC

from pipeline.batching.waveforms import Waveform
from pipeline.decoding.forward import decode_all, logits_of
from pipeline.model.artifact import expects_normalised_input, load_model
from pipeline.model.device import choose_device
from pipeline.model.geometry import frame_duration_s
from pipeline.model.vocabulary import Vocabulary

T = TypeVar("T")
Logits = npt.NDArray[np.float32]


class TorchNetwork:
    """A model in evaluation mode, as a `Network`."""

    def __init__(self, model: Wav2Vec2ForCTC) -> None:
        self.model = model
        self.frame_s = frame_duration_s(model)
        self.normalise = expects_normalised_input(model)

    def logits_of(self, waveforms: Sequence[Waveform]) -> list[Logits]:
        """Return each utterance's logits without its padding, (T, V)."""
        return logits_of(self.model, waveforms)

    def decode_all(self, decode: Callable[[Logits], T], waveform: Callable[[int], Waveform], duration_s: npt.NDArray[np.float64],
                   budget_s: float, advance: Callable[[float], object] = lambda _: None) -> list[T]:
        """Return what `decode` makes of every utterance's logits, in order."""
        return decode_all(self.model, decode, waveform, duration_s, budget_s, advance)


def load_torch(folder: Path) -> tuple[TorchNetwork, Vocabulary, dict[str, Any]]:
    """Return a model's network on the device of this machine, its vocabulary and its record."""
    model, vocabulary, record = load_model(folder)
    model.to(choose_device())  # type: ignore[arg-type]
    return TorchNetwork(model), vocabulary, record
