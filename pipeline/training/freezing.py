"""Which weights are trainable at which step: a schedule that unfreezes the encoder from the head down.

Depth is counted from the head: 0 is the head, 1 the encoder's top block with the norm that closes the encoder, and so on;
everything below all blocks (positions, projection, convolutions) is one deeper than the lowest block.

Source of gradual unfreezing and layer-wise learning rates: Howard and Ruder, "Universal language model fine-tuning for
text classification" (2018), sections 3.2 and 3.3; of fresh weights for the top blocks: Zhang et al., "Revisiting few-sample
BERT fine-tuning" (2021), section 5; of training the head alone first: Baevski et al., "wav2vec 2.0" (2020), section 4.3.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

from pipeline.core.errors import ParamsError
from pipeline.training.config import RunConfig


def depth(name: str, shape: Wav2Vec2Config) -> int:
    """Return the depth of a weight below the head.

    Args:
        name: the weight's name in the model.
        shape: the model's configuration.
    """
    blocks: int = shape.num_hidden_layers
    if name.startswith("lm_head."):
        return 0
    if name.startswith("wav2vec2.encoder.layers."):
        return blocks - int(name.split(".")[3])
    if name.startswith("wav2vec2.encoder.layer_norm.") and shape.do_stable_layer_norm:
        return 1  # it closes the encoder there, and opens it otherwise
    return blocks + 1


def trainable_depth(step: int, config: RunConfig, blocks: int) -> int:
    """Return the depth down to which weights are trainable at a step.

    Args:
        step: counted from 0.
        config: its freezing schedule is used.
        blocks: number of blocks of the encoder.
    """
    if step < config.freeze_encoder_steps:
        return 0
    if config.unfreeze_every == 0:
        return blocks + 1
    return min(blocks + 1, 1 + (step - config.freeze_encoder_steps) // config.unfreeze_every)


class FreezingSchedule:
    """The freezing schedule of a run, for a model and its replicas.

    Weights that are frozen throughout (`freeze_feature_encoder`) have to be frozen before; they stay frozen.

    Attributes:
        changes: steps at which more weights become trainable; `apply` is needed at the first step and at these.
    """

    def __init__(self, models: Sequence[Wav2Vec2ForCTC], config: RunConfig) -> None:
        shape = models[0].config
        blocks: int = shape.num_hidden_layers
        self._config, self._blocks = config, blocks
        self._weights = [(weight, depth(name, shape)) for model in models for name, weight in model.named_parameters() if weight.requires_grad]
        for model in models:  # the library requires a gradient of the waveform for a kind of checkpointing that is not used here
            model.wav2vec2.feature_extractor._requires_grad = False
        last = config.freeze_encoder_steps + config.unfreeze_every * blocks
        steps = range(config.freeze_encoder_steps, min(last, config.steps) + 1, config.unfreeze_every or 1)
        self.changes = frozenset(step for step in steps
                                 if step and trainable_depth(step, config, blocks) != trainable_depth(step - 1, config, blocks))

    def apply(self, step: int) -> int:
        """Freeze and unfreeze the weights for a step, counted from 0; return the depth down to which they are trainable."""
        deepest = trainable_depth(step, self._config, self._blocks)
        for weight, weight_depth in self._weights:
            weight.requires_grad_(weight_depth <= deepest)
        return deepest


def reinitialise_top_layers(model: Wav2Vec2ForCTC, blocks: int, seed: int) -> None:
    """Give the encoder's top blocks fresh weights, in place: they are the most specific to the donor's language.

    The global random state is left as it was.

    Args:
        model: the donor.
        blocks: number of blocks, from the top.
        seed: of the fresh weights.

    Raises:
        ParamsError: the encoder has fewer blocks.
    """
    layers = model.wav2vec2.encoder.layers
    if blocks > len(layers):
        raise ParamsError("params.yaml", [f"train.config.reinit_top_layers: found {blocks}; expected at most {len(layers)}, the donor's blocks"])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for block in layers[len(layers) - blocks:]:
            fresh = type(block)(model.config)
            fresh.apply(model._init_weights)
            block.load_state_dict(fresh.state_dict())
