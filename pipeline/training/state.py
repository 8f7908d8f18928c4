"""The resume state of a training: weights, optimiser, random state and history, in one file."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from pipeline.core.errors import TrainingError
from pipeline.core.files import atomic


def forget(resume: Path) -> None:
    """Remove a finished run's resume state."""
    shutil.rmtree(resume, ignore_errors=True)


def _random_state() -> dict[str, Any]:
    kind, keys, position, has_gauss, gauss = np.random.get_state()  # transformers' SpecAugment draws from it
    return {"numpy": [kind, torch.from_numpy(np.asarray(keys).astype(np.int64)), position, has_gauss, gauss], "torch": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state_all()}  # empty where there is no GPU; dropout there draws from it


def _set_random_state(state: dict[str, Any]) -> None:
    kind, keys, position, has_gauss, gauss = state["numpy"]
    np.random.set_state((kind, keys.numpy().astype(np.uint32), position, has_gauss, gauss))
    torch.set_rng_state(state["torch"])
    torch.cuda.set_rng_state_all(state["cuda"])


class _Part(Protocol):
    """What a resumed run takes up where it was."""

    def state_dict(self) -> Any: ...

    def load_state_dict(self, state: Any, /) -> Any: ...


def _save(resume: Path, parts: Mapping[str, _Part], state: dict[str, Any]) -> None:
    kept = {"state": state, **{name: part.state_dict() for name, part in parts.items()}}
    try:
        with atomic(resume / "state.pt") as temporary, open(temporary, "wb") as handle:
            torch.save(kept, handle)
    except (OSError, RuntimeError) as error:  # torch hides what the disk said behind an error of its own
        told = error if isinstance(error, OSError) else error.__context__
        if not isinstance(told, OSError):
            raise
        times = 3 + bool(kept["average"]["means"]) + bool(kept["best"])  # weights, what the optimiser keeps of each, their mean, the best
        size = sum(tensor.nbytes for tensor in kept["model"].values()) * times
        raise TrainingError(str(resume / "state.pt"), f"cannot be written ({told.strerror})", f"{size / 1e6:.0f} MB of room on that disk",
                            "make room or set VIZINHO_STATE to another disk, and run it again: the checkpoint before it is whole") from None


def _restore(resume: Path, parts: Mapping[str, _Part]) -> dict[str, Any]:
    path = resume / "state.pt"
    if not path.exists():
        return {"step": 0, "seconds": 0.0, "audio_s": 0.0, "losses": [], "history": [], "random": {}, "skipped": [], "blanks": 0}
    kept = torch.load(path, weights_only=True, map_location="cpu")
    for name, part in parts.items():
        part.load_state_dict(kept[name])
    return dict(kept["state"])
