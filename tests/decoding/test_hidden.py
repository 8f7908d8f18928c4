"""Frames of a layer: independent of the batch and the padding."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pipeline.batching.waveforms import standardise
from pipeline.core.errors import DataError
from pipeline.decoding.forward import logits_of
from pipeline.decoding.hidden import encode_all, frames_of, layer_below_top
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


def test_the_top_layer_is_what_the_head_reads() -> None:
    model = tiny.model()
    with torch.inference_mode():
        for frames_TD, logits_TV in zip(frames_of(model, 1, waveforms()), logits_of(model, waveforms()), strict=True):
            assert np.abs(model.lm_head(torch.from_numpy(frames_TD)).numpy() - logits_TV).max() < 1e-3


def test_a_model_with_group_normalisation_is_encoded_one_by_one() -> None:
    model = tiny.model(feat_extract_norm="group", do_stable_layer_norm=False, front_end="random")
    for waveform, frames_TD in zip(waveforms(), frames_of(model, 1, waveforms()), strict=True):
        assert np.array_equal(frames_of(model, 1, [waveform])[0], frames_TD)


def test_an_utterance_shorter_than_the_receptive_field_gives_one_frame() -> None:
    assert frames_of(tiny.model(), 0, [np.ones(10, np.float32)])[0].shape == (1, 32)


def test_a_layer_is_counted_from_the_top() -> None:
    model = tiny.model(num_hidden_layers=3)
    assert [layer_below_top(model, below) for below in (0, 2, 3)] == [3, 1, 0]
    with pytest.raises(DataError, match="4 below the top of 3; expected 0 to 3"):
        layer_below_top(model, 4)
