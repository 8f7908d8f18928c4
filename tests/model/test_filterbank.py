"""The filter bank that initialises a small network: ordered bands, envelopes, and the weights that stay random."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pipeline.core.errors import ParamsError
from pipeline.model.filterbank import HIGHEST_HZ, LOWEST_HZ, start_as_filterbank
from tests import tiny


def band_levels(model, hz: float) -> np.ndarray:  # type: ignore[no-untyped-def]
    """Return the level of each band for a tone, from the sum of its four rectified filters."""
    time_s = np.arange(8_000) / 16_000
    tone = torch.from_numpy(np.sin(2 * np.pi * hz * time_s).astype(np.float32))[None, None]
    with torch.no_grad():
        response = torch.relu(model.wav2vec2.feature_extractor.conv_layers[0].conv(tone))[0]
    return response.reshape(-1, 4, response.shape[1]).sum(1).mean(1).numpy()


def test_a_higher_tone_excites_a_higher_band() -> None:
    model = tiny.model(conv_dim=[64, 48])
    loudest = [int(band_levels(model, hz).argmax()) for hz in (100, 300, 700, 1_300, 2_500, 4_500, 7_200)]
    assert loudest == sorted(loudest)
    assert len(set(loudest)) == len(loudest)
    assert (loudest[0], loudest[-1]) == (0, 15)
    assert LOWEST_HZ < 100 < 7_200 < HIGHEST_HZ


def test_the_four_filters_of_a_band_respond_to_a_tone_of_any_phase() -> None:
    model = tiny.model(conv_dim=[64, 48])
    time_s = np.arange(400) / 16_000
    levels = []
    for phase in np.linspace(0, 2 * np.pi, 16, endpoint=False):
        tone = torch.from_numpy(np.sin(2 * np.pi * 1_000 * time_s + phase).astype(np.float32))[None, None]
        with torch.no_grad():
            response = torch.relu(model.wav2vec2.feature_extractor.conv_layers[0].conv(tone))[0, :, 0]
        levels.append(float(response.reshape(-1, 4).sum(1).max()))
    assert min(levels) > 0.65 * max(levels)


def test_filters_have_unit_norm_no_offset_and_the_biases_are_zero() -> None:
    first, second = (layer.conv for layer in tiny.model().wav2vec2.feature_extractor.conv_layers)
    weight = first.weight.detach()[:, 0]
    assert torch.allclose(weight.norm(dim=1), torch.ones(len(weight)), atol=1e-5)
    assert float(weight.sum(1).abs().max()) < 1e-4
    assert torch.equal(weight[0::2], -weight[1::2])
    assert not first.bias.any()
    assert not second.bias.any()


def test_the_second_layer_averages_each_band_then_takes_its_change_and_the_rest_stays_random() -> None:
    model, plain = tiny.model(conv_dim=[32, 24]), tiny.model(conv_dim=[32, 24], front_end="random")
    weight, untouched = (found.wav2vec2.feature_extractor.conv_layers[1].conv.weight.detach() for found in (model, plain))
    for band in range(8):
        own = slice(4 * band, 4 * band + 4)
        others = torch.ones(32, dtype=torch.bool)
        others[own] = False
        for channel in (band, 8 + band):
            assert not weight[channel, others].any()
            assert weight[channel, own].any()
        assert float(weight[band, own].min()) >= 0
        assert float(weight[8 + band, own].sum().abs()) < 1e-5
    assert torch.equal(weight[16:], untouched[16:])


def test_a_shape_that_holds_no_filter_bank_is_refused_with_its_key() -> None:
    for conv_dim in ([30, 32], [32, 15]):
        with pytest.raises(ParamsError, match=r"donor\.model\.conv_dim: found .* four channels a band"):
            start_as_filterbank(tiny.model(conv_dim=conv_dim, front_end="random"))
