"""SpecAugment by a schedule: at which steps parts of the convolutions' output are masked, and how much.

Source: Park et al., "SpecAugment" (2019), on learned features as in Baevski et al., "wav2vec 2.0" (2020), section 4.3.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from transformers import Wav2Vec2ForCTC

from pipeline.model.geometry import num_frames
from pipeline.training.config import RunConfig


class Masking:
    """The masks of a run.

    Attributes:
        changes: steps at which masking begins or ends; `apply` is needed at the first step and at these.
        is_random: whether a training pass draws masks at some step.
    """

    def __init__(self, model: Wav2Vec2ForCTC, config: RunConfig) -> None:
        self._model, self._config = model, config.spec_augment
        self._on = True
        self.changes: frozenset[int] = frozenset()
        if (masks := self._config) is not None:
            model.config.update({"apply_spec_augment": True, "mask_time_prob": masks.time_prob, "mask_time_length": masks.time_length,
                                 "mask_feature_prob": masks.feature_prob, "mask_feature_length": masks.feature_length})
            _add_or_remove_mask_vector(model, config.seed)
            self.changes = frozenset(step for step in (masks.from_step, masks.until_step) if step)
        shape = model.config
        self.is_random = bool(shape.apply_spec_augment and (shape.mask_time_prob > 0 or shape.mask_feature_prob > 0))

    def apply(self, step: int) -> bool:
        """Switch masking on or off for a step, counted from 0; return whether it is on."""
        if self._config is not None:
            self._on = step >= self._config.from_step and (self._config.until_step is None or step < self._config.until_step)
            self._model.config.apply_spec_augment = self._on
        return self._on

    def skip_short(self, num_samples: int) -> None:
        """Switch masking off for a batch that is shorter than a mask, which the library refuses; otherwise leave it as applied.

        Args:
            num_samples: length of the padded batch.
        """
        if self.is_random:
            frames = int(num_frames(self._model, np.array([num_samples]))[0])
            self._model.config.apply_spec_augment = self._on and frames >= self._model.config.mask_time_length

    def restore_config(self) -> None:
        """Set the model's configuration to what it is with masking on, whatever the last step was."""
        if self.is_random:
            self._model.config.apply_spec_augment = True


def _add_or_remove_mask_vector(model: Wav2Vec2ForCTC, seed: int) -> None:
    """Add the vector that replaces masked frames, or remove it, as the model's configuration requires."""
    inner, shape = model.wav2vec2, model.config
    wanted = shape.mask_time_prob > 0 or shape.mask_feature_prob > 0
    if wanted and not hasattr(inner, "masked_spec_embed"):
        drawn = torch.rand(shape.hidden_size, generator=torch.Generator().manual_seed(seed))
        inner.masked_spec_embed = nn.Parameter(drawn.to(model.lm_head.weight.device))
    elif not wanted and hasattr(inner, "masked_spec_embed"):
        del inner.masked_spec_embed
