"""Frames of a layer: independent of the batch and the padding."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pipeline.batching.waveforms import standardise
from pipeline.core.errors import DataError
from pipeline.decoding.forward import logits_of
from pipeline.decoding.hidden import choose_layer, encode_all, frames_of
from tests import tiny


def waveforms() -> list[np.ndarray]:
    return [standardise(tiny.spoken(text, number)) for number, text in enumerate(("a", "raros ares", "osso", "era"))]


@pytest.mark.parametrize("layer", [0, 1])
def test_frames_depend_neither_on_the_batch_nor_on_the_padding(layer: int) -> None:
    model = tiny.model()
    alone = [frames_of(model, layer, [waveform])[0] for waveform in waveforms()]
    for budget_s in (0.1, 1.5, 60.0):
        for one, batched in zip(alone, encode_all(model, layer, waveforms(), budget_s), strict=True):
            assert batched.shape == one.shape
            assert np.abs(batched - one).max() < 1e-4


def test_the_top_layer_is_what_the_head_reads_after_the_last_normalisation() -> None:
    model = tiny.model()
    with torch.inference_mode():
        for frames_TD, logits_TV in zip(frames_of(model, 1, waveforms()), logits_of(model, waveforms()), strict=True):
            head_TV = model.lm_head(model.wav2vec2.encoder.layer_norm(torch.from_numpy(frames_TD))).numpy()
            assert np.abs(head_TV - logits_TV).max() < 1e-3


def test_a_model_with_group_normalisation_is_encoded_one_by_one() -> None:
    model = tiny.model(feat_extract_norm="group", do_stable_layer_norm=False, front_end="random")
    for waveform, frames_TD in zip(waveforms(), frames_of(model, 1, waveforms()), strict=True):
        assert np.array_equal(frames_of(model, 1, [waveform])[0], frames_TD)


def test_an_utterance_shorter_than_the_receptive_field_gives_one_frame() -> None:
    assert frames_of(tiny.model(), 0, [np.ones(10, np.float32)])[0].shape == (1, 32)


@pytest.mark.parametrize(("blocks", "given", "layer"), [(1, None, 1), (2, None, 1), (5, None, 3), (5, 0, 0), (5, 5, 5)])
def test_the_default_layer_is_two_below_the_top_and_at_least_the_first_block(blocks: int, given: int | None, layer: int) -> None:
    assert choose_layer(tiny.model(num_hidden_layers=blocks), given) == layer


def test_a_layer_beyond_the_top_is_reported() -> None:
    with pytest.raises(DataError, match="the encoder: no layer 4; expected 0 to 3"):
        choose_layer(tiny.model(num_hidden_layers=3), 4)
