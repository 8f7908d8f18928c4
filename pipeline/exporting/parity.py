"""What an exported network loses against PyTorch: logits, best symbols, texts, invariance to the batch, windows of a long recording."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from pipeline.batching.waveforms import Waveform
from pipeline.decoding.networks import Logits, Network
from pipeline.decoding.onnx_network import OnnxNetwork
from pipeline.decoding.recordings import Decode, Segment, Source, transcribe

DIGITS: Final = 2
"""Significant digits of differences of logits: the others are float noise, which differs between processors."""


@dataclass(frozen=True, slots=True)
class Windows:
    """The parts of a recording with their hypotheses, in order."""

    starts_s: tuple[float, ...]
    texts: tuple[str, ...]

    @property
    def text(self) -> str:
        """The transcript of the recording."""
        return " ".join(filter(None, self.texts))


def logit_parity(reference: Sequence[Logits], found: Sequence[Logits]) -> dict[str, Any]:
    """Return how far logits are from those of PyTorch, in absolute values, and in how many frames another symbol is the best one."""
    if any(one.shape != other.shape for one, other in zip(reference, found, strict=True)):
        return {"utterances": len(found), "frames": int(sum(map(len, reference))), "max_difference": None, "mean_difference": None,
                "frames_changed": int(sum(map(len, reference)))}
    difference = np.concatenate([np.abs(one - other).ravel() for one, other in zip(reference, found, strict=True)])
    changed = sum(int((one.argmax(1) != other.argmax(1)).sum()) for one, other in zip(reference, found, strict=True))
    return {"utterances": len(found), "frames": int(sum(map(len, reference))), "max_difference": _rounded(difference.max()),
            "mean_difference": _rounded(difference.mean()), "frames_changed": changed}


def batch_invariance(network: OnnxNetwork, waveforms: Sequence[Waveform]) -> dict[str, Any]:
    """Return how a padded batch of mixed lengths changes logits, and whether the backend makes batches at all.

    Args:
        network: the export.
        waveforms: of utterances of different lengths.
    """
    alone = [network.padded_logits([waveform])[0] for waveform in waveforms]
    mixed = network.padded_logits(waveforms)
    changed = sum(int((one.argmax(1) != other.argmax(1)).any()) for one, other in zip(alone, mixed, strict=True))
    return {"batched": network.batched, "utterances": len(waveforms), "utterances_changed": changed,
            "max_logit_difference": _rounded(max(float(np.abs(one - other).max()) for one, other in zip(alone, mixed, strict=True)))}


def windows(network: Network, decode: Decode, recording: Path, longest_s: float) -> Windows:
    """Return the parts of a recording as `vizinho transcribe` decodes them."""
    parts = [item for item in transcribe(network, decode, [Source(recording.name, recording)], longest_s) if isinstance(item, Segment)]
    return Windows(tuple(part.start_s for part in parts), tuple(part.text for part in parts))


def joined(duration_s: npt.NDArray[np.float64], length_s: float) -> int:
    """Return how many of the first utterances make a recording of at least this length; all, if they are shorter."""
    return min(len(duration_s), int(np.searchsorted(np.cumsum(duration_s), length_s)) + 1)


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS - 1}e}")
