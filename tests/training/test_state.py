"""The resume state: saved values are restored, and the random generators continue."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from pipeline.training.state import Progress, load_state, random_state, remove_state, save_state, set_random_state
from tests import tiny


class Component:
    """A component with one value."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def state_dict(self) -> Any:
        return self.value

    def load_state_dict(self, state: Any) -> None:
        self.value = state


def components(model: Any, value: float = 0.0) -> dict[str, Any]:
    return {"model": model, "ema": Component({"averages": [torch.tensor(value)]}), "best": Component({})}


def test_progress_and_components_are_restored(tmp_path: Path) -> None:
    saved = tiny.model(seed=1)
    progress = Progress(step=7, seconds=1.5, audio_s=12.25, losses=[3.0], history=[{"step": 5, "loss": 2.0}], timing=[{"step": 5, "seconds": 1.0}],
                        skipped=[{"step": 2, "utterances": ["a/1"]}], blank_evaluations=1, random=[random_state()])
    save_state(tmp_path / "run", components(saved, 4.0), progress)
    restored = components(tiny.model(seed=2))
    found = load_state(tmp_path / "run", restored)
    assert all(torch.equal(tensor, restored["model"].state_dict()[name]) for name, tensor in saved.state_dict().items())
    assert restored["ema"].value["averages"][0] == 4.0
    names = ("step", "seconds", "audio_s", "losses", "history", "timing", "skipped", "blank_evaluations")
    assert [getattr(found, name) for name in names] == [getattr(progress, name) for name in names]


def test_without_a_state_the_training_starts_at_step_0_and_components_are_left_as_they_are(tmp_path: Path) -> None:
    fresh = components(tiny.model(seed=2), 4.0)
    assert load_state(tmp_path / "none", fresh) == Progress()
    assert fresh["ema"].value["averages"][0] == 4.0


def test_the_generators_of_numpy_and_torch_continue_after_a_restore() -> None:
    state = random_state()
    drawn = np.random.random(3), torch.rand(3)
    set_random_state(state)
    assert np.array_equal(np.random.random(3), drawn[0]) and torch.equal(torch.rand(3), drawn[1])


def test_a_removed_state_is_gone_and_may_be_removed_again(tmp_path: Path) -> None:
    save_state(tmp_path / "run", components(tiny.model()), Progress(step=1))
    for _ in range(2):
        remove_state(tmp_path / "run")
        assert not (tmp_path / "run").exists()
