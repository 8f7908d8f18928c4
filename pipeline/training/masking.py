"""SpecAugment by a schedule: which steps mask parts of what the convolutions heard, and how much.

Source: Park et al., "SpecAugment" (2019), on learned features as in Baevski et al., "wav2vec 2.0" (2020), section 4.3.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from transformers import Wav2Vec2ForCTC

from pipeline.model.geometry import num_frames
from pipeline.training.config import Run


class Masking:
    """The masks of a run; `changes` are the steps at which they begin or end."""

    def __init__(self, model: Wav2Vec2ForCTC, config: Run) -> None:
        self._model, self._chosen = model, config.spec_augment
        self._on = True
        self.changes: frozenset[int] = frozenset()
        if (chosen := self._chosen) is not None:
            model.config.update({"apply_spec_augment": True, "mask_time_prob": chosen.time_prob, "mask_time_length": chosen.time_length,
                                 "mask_feature_prob": chosen.feature_prob, "mask_feature_length": chosen.feature_length})
            _fit_vector(model, config.seed)
            self.changes = frozenset(step for step in (chosen.from_step, chosen.until_step) if step)
        shape = model.config
        self.draws = bool(shape.apply_spec_augment and (shape.mask_time_prob > 0 or shape.mask_feature_prob > 0))

    def apply(self, step: int) -> bool:
        """Let this step mask, or not; return which."""
        if self._chosen is not None:
            self._on = step >= self._chosen.from_step and (self._chosen.until_step is None or step < self._chosen.until_step)
            self._model.config.apply_spec_augment = self._on
        return self._on

    def fit(self, num_samples: int) -> None:
        """Leave the masks out of a batch that is shorter than one of them, which the library refuses."""
        if self.draws:
            frames = int(num_frames(self._model, np.array([num_samples]))[0])
            self._model.config.apply_spec_augment = self._on and frames >= self._model.config.mask_time_length

    def close(self) -> None:
        """Leave the configuration without a trace of the step that was last."""
        if self.draws:
            self._model.config.apply_spec_augment = True


def _fit_vector(model: Wav2Vec2ForCTC, seed: int) -> None:
    """Give the model the vector that stands for masked frames, or take it away, as a model of its configuration would have."""
    inner, shape = model.wav2vec2, model.config
    wanted = shape.mask_time_prob > 0 or shape.mask_feature_prob > 0
    if wanted and not hasattr(inner, "masked_spec_embed"):
        drawn = torch.rand(shape.hidden_size, generator=torch.Generator().manual_seed(seed))
        inner.masked_spec_embed = nn.Parameter(drawn.to(model.lm_head.weight.device))
    elif not wanted and hasattr(inner, "masked_spec_embed"):
        del inner.masked_spec_embed
