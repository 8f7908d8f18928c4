"""Frames of a model: their number, their length and their receptive field."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pipeline.model.geometry import frame_duration_s, num_frames, receptive_field
from tests import tiny


def test_the_usual_wav2vec2_strides_give_20_ms_frames_of_25_ms() -> None:
    model = tiny.model(conv_dim=[8] * 7, conv_kernel=[10, 3, 3, 3, 3, 2, 2], conv_stride=[5, 2, 2, 2, 2, 2, 2], front_end="random")
    assert frame_duration_s(model) == pytest.approx(0.020)
    assert receptive_field(model) == 400
    assert num_frames(model, np.array([16_000])).tolist() == [49]


@pytest.mark.parametrize("shape", [{}, {"conv_kernel": [10, 3], "conv_stride": [5, 2], "front_end": "random"}])
def test_the_receptive_field_is_the_shortest_audio_that_gives_one_frame(shape: dict[str, object]) -> None:
    model = tiny.model(**shape)
    field = receptive_field(model)
    assert num_frames(model, np.array([0, field - 1, field])).tolist() == [0, 0, 1]
    with torch.inference_mode():
        assert model.wav2vec2.feature_extractor(torch.ones(1, field)).shape[-1] == 1


def test_the_number_of_frames_is_that_of_the_feature_extractor() -> None:
    model = tiny.model()
    for samples in (receptive_field(model), 1_601, 5_000, 16_000):
        with torch.inference_mode():
            made = model.wav2vec2.feature_extractor(torch.ones(1, samples)).shape[-1]
        assert num_frames(model, np.array([samples])).tolist() == [made]
