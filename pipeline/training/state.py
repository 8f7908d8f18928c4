"""The resume state of a training: progress, random state, weights and optimiser, in one file."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from pipeline.core.errors import TrainingError
from pipeline.core.files import atomic

FILE = "state.pt"


@dataclass
class Progress:
    """How far a training is.

    Args:
        step: steps done.
        seconds: wall time of all processes of the run so far, each up to its last checkpoint.
        audio_s: seconds of audio processed, without padding.
        losses: of the steps since the last evaluation.
        history: a row per evaluation: figures that the weights, data and config determine.
        timing: a row per evaluation: seconds and share of time spent waiting for data.
        skipped: the steps skipped, with their utterances.
        blank_evaluations: evaluations in a row with nothing but blanks.
        random: state of the random generators, of each process.
    """

    step: int = 0
    seconds: float = 0.0
    audio_s: float = 0.0
    losses: list[float] = field(default_factory=list)
    history: list[dict[str, Any]] = field(default_factory=list)
    timing: list[dict[str, Any]] = field(default_factory=list)
    skipped: list[dict[str, Any]] = field(default_factory=list)
    blank_evaluations: int = 0
    random: list[dict[str, Any]] = field(default_factory=list)


class Stateful(Protocol):
    """A component whose state is part of the resume state."""

    def state_dict(self) -> Any:
        """Return the resume state."""

    def load_state_dict(self, state: Any, /) -> Any:
        """Restore the resume state."""


def save_state(folder: Path, components: Mapping[str, Stateful], progress: Progress) -> None:
    """Write the resume state atomically.

    Args:
        folder: of the run's resume state.
        components: by name; `model`, `ema` and `best` are needed for the estimate of the size.
        progress: of the training.

    Raises:
        TrainingError: the file cannot be written; the state before it is whole.
    """
    state = {"progress": {entry.name: getattr(progress, entry.name) for entry in fields(progress)},
             **{name: component.state_dict() for name, component in components.items()}}
    try:
        with atomic(folder / FILE) as temporary, open(temporary, "wb") as handle:
            torch.save(state, handle)
    except (OSError, RuntimeError) as error:  # torch hides the disk's error behind an error of its own
        reason = error if isinstance(error, OSError) else error.__context__
        if not isinstance(reason, OSError):
            raise
        copies = 3 + bool(state["ema"]["averages"]) + bool(state["best"])  # weights, two moments in the optimiser, average, best weights
        size = sum(tensor.nbytes for tensor in state["model"].values()) * copies
        raise TrainingError(str(folder / FILE), f"cannot be written ({reason.strerror})", f"{size / 1e6:.0f} MB of free space on that disk",
                            "make room or set VIZINHO_STATE to another disk, and run it again: the checkpoint before it is whole") from None


def load_state(folder: Path, components: Mapping[str, Stateful]) -> Progress:
    """Restore the components from the resume state and return the progress; a fresh one if there is no state.

    Args:
        folder: of the run's resume state.
        components: by name.
    """
    if not (folder / FILE).exists():
        return Progress()
    state = torch.load(folder / FILE, weights_only=True, map_location="cpu")
    for name, component in components.items():
        component.load_state_dict(state[name])
    return Progress(**state["progress"])


def remove_state(folder: Path) -> None:
    """Remove a finished run's resume state."""
    shutil.rmtree(folder, ignore_errors=True)


def random_state() -> dict[str, Any]:
    """Return the state of the generators of NumPy (transformers' SpecAugment draws from it), torch, and all GPUs (dropout)."""
    kind, keys, position, has_gauss, gauss = np.random.get_state()
    return {"numpy": [kind, torch.from_numpy(np.asarray(keys).astype(np.int64)), position, has_gauss, gauss], "torch": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state_all()}


def set_random_state(state: Mapping[str, Any]) -> None:
    """Restore what `random_state` returned."""
    kind, keys, position, has_gauss, gauss = state["numpy"]
    np.random.set_state((kind, keys.numpy().astype(np.uint32), position, has_gauss, gauss))
    torch.set_rng_state(state["torch"])
    torch.cuda.set_rng_state_all(state["cuda"])
