"""A promoted model in a fresh clone, loaded with plain transformers."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.registry.promotion import promote, read_candidate
from pipeline.registry.store import dvc
from tests.toy_registry import Toy


@pytest.mark.slow
def test_a_promoted_model_loads_with_plain_transformers_in_a_fresh_clone(toy: Toy) -> None:
    from transformers import pipeline

    from pipeline.model.artifact import save_model
    from tests import tiny

    save_model(tiny.model(), tiny.vocabulary(), toy.path / "source_model", {"system": "transfer", "seed": 1})
    dvc(toy.path, "repro", "--quiet", "--force", "--single-item", "train@transfer")
    toy.run(2)
    promote(toy.path, read_candidate(toy.path).request, "Ana Reis")
    fresh = toy.clone("fresh")
    dvc(fresh.path, "pull", "data/champion")
    speech_B = 0.1 * np.sin(np.arange(16_000, dtype=np.float32))
    trained, promoted = (pipeline("automatic-speech-recognition", model=str(folder))({"raw": speech_B, "sampling_rate": 16_000})["text"]
                         for folder in (toy.path / "source_model", fresh.path / "data/champion"))
    assert trained == promoted != ""
    assert (fresh.path / "data/champion/README.md").read_text().startswith("---\nlanguage:")
