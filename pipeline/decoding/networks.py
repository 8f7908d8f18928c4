"""The network that turns waveforms into logits, by backend: PyTorch, or ONNX Runtime without PyTorch.

The packages of a backend are imported when it is loaded: ONNX Runtime starts in a fifth of the time of PyTorch and transformers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from pipeline.batching.waveforms import Waveform
from pipeline.model.vocabulary import Vocabulary

T = TypeVar("T")
Logits = npt.NDArray[np.float32]


class Backend(StrEnum):
    """What runs the network."""

    TORCH = "torch"
    ONNX = "onnx"
    ONNX_INT8 = "onnx-int8"


EXPORTS: Final = {Backend.ONNX: "model.onnx", Backend.ONNX_INT8: "model.int8.onnx"}
"""The file of each exported form, in data/export/SYSTEM/ and in the folder `onnx/` of a champion."""


class Network(Protocol):
    """A network in evaluation mode, whatever runs it.

    Args:
        frame_s: time between two frames.
        normalise: whether it expects waveforms of zero mean and unit variance.
    """

    frame_s: float
    normalise: bool

    def logits_of(self, waveforms: Sequence[Waveform]) -> list[Logits]:
        """Return each utterance's logits without its padding, (T, V)."""
        ...

    def decode_all(self, decode: Callable[[Logits], T], waveform: Callable[[int], Waveform], duration_s: npt.NDArray[np.float64],
                   budget_s: float, advance: Callable[[float], object] = ...) -> list[T]:
        """Return what `decode` makes of every utterance's logits, in order; several threads call `decode` and `waveform`.

        Args:
            decode: returns the result for the logits of one utterance, (T, V).
            waveform: returns the samples of utterance i as the network expects them, (S,).
            duration_s: lengths, (N,).
            budget_s: padded seconds per batch.
            advance: is called with the seconds of audio done, for a progress bar.
        """
        ...


def load_network(folder: Path, backend: Backend = Backend.TORCH, exports: Path | None = None) -> tuple[Network, Vocabulary, dict[str, Any]]:
    """Return a model's network, its vocabulary and its record, `vizinho.json`.

    Args:
        folder: of the model.
        backend: what runs the network.
        exports: folder of its exports; None for `onnx/` within the model.

    Raises:
        MissingInputError: the model or its export is missing.
        VocabularyError: weights and vocabulary do not match.
        DataError: a file is damaged, or an export is of other weights.
    """
    if backend is Backend.TORCH:
        from pipeline.decoding.torch_network import load_torch

        return load_torch(folder)
    from pipeline.decoding.onnx_network import INSIDE_MODEL, load_onnx

    return load_onnx(folder, (exports or folder / INSIDE_MODEL) / EXPORTS[backend])
