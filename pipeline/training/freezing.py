"""Which weights move at which step, and how fast: a schedule that goes down from the head.

Depth is counted from the head: 0 the head, 1 the encoder's top block with the norm that closes the encoder, and so on;
what lies below all blocks (positions, projection, convolutions) is one deeper than the lowest block.

Source of gradual unfreezing and of rates that fall with depth: Howard and Ruder, "Universal language model fine-tuning for
text classification" (2018), sections 3.2 and 3.3; of blocks at the top that start anew: Zhang et al., "Revisiting few-sample
BERT fine-tuning" (2021), section 5; of a head that trains alone first: Baevski et al., "wav2vec 2.0" (2020), section 4.3.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

from pipeline.core.errors import ParamsError
from pipeline.training.config import Run


def depth(name: str, shape: Wav2Vec2Config) -> int:
    """Return how far below the head a weight lies."""
    blocks: int = shape.num_hidden_layers
    if name.startswith("lm_head."):
        return 0
    if name.startswith("wav2vec2.encoder.layers."):
        return blocks - int(name.split(".")[3])
    if name.startswith("wav2vec2.encoder.layer_norm.") and shape.do_stable_layer_norm:
        return 1  # it closes the encoder there, and opens it otherwise
    return blocks + 1


def reach(step: int, config: Run, blocks: int) -> int:
    """Return how deep weights move at a step, counted from 0."""
    if step < config.freeze_encoder_steps:
        return 0
    if config.unfreeze_every == 0:
        return blocks + 1
    return min(blocks + 1, 1 + (step - config.freeze_encoder_steps) // config.unfreeze_every)


class Freezing:
    """The schedule of a run, for a model and its replicas.

    `changes` are the steps at which something begins to move; between them nothing is to be done. What stays frozen
    throughout (`freeze_feature_encoder`) is frozen before and left so.
    """

    def __init__(self, models: Sequence[Wav2Vec2ForCTC], config: Run) -> None:
        shape = models[0].config
        blocks: int = shape.num_hidden_layers
        self._config, self._blocks = config, blocks
        self._weights = [(weight, depth(name, shape)) for model in models for name, weight in model.named_parameters() if weight.requires_grad]
        for model in models:  # the library asks for the gradient of the waveform itself, for a kind of checkpointing that is not used here
            model.wav2vec2.feature_extractor._requires_grad = False
        last = config.freeze_encoder_steps + config.unfreeze_every * blocks
        steps = range(config.freeze_encoder_steps, min(last, config.steps) + 1, config.unfreeze_every or 1)
        self.changes = frozenset(step for step in steps if step and reach(step, config, blocks) != reach(step - 1, config, blocks))

    def apply(self, step: int) -> int:
        """Let move what moves at a step; return how deep that reaches."""
        deep = reach(step, self._config, self._blocks)
        for weight, its_depth in self._weights:
            weight.requires_grad_(its_depth <= deep)
        return deep


def reinitialise_top_layers(model: Wav2Vec2ForCTC, blocks: int, seed: int) -> None:
    """Give the encoder's top blocks fresh weights: they know the donor's language best and the next one's least.

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
