"""Initialisation of a small network's first convolutions as an auditory filter bank.

A wav2vec2 front end learns its filters from a random start, which needs thousands of hours. A network trained on
an hour leaves the plateau of blanks much sooner if its first layer starts as a filter bank and its second as the
envelope of each band (measured in docs/log.md). Nothing is frozen: these weights are trainable like all others.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from transformers import Wav2Vec2ForCTC

from pipeline.core.errors import ParamsError
from pipeline.core.manifest import SAMPLE_RATE_HZ

LOWEST_HZ, HIGHEST_HZ = 90.0, 7300.0


def start_as_filterbank(model: Wav2Vec2ForCTC) -> None:
    """Set the first two convolutions to a mel-spaced filter bank and its envelopes.

    A band has four filters: cosine, sine and the negative of each. After the activation, which keeps the positive half,
    the sum of the four is nearly the band's magnitude whatever its phase.

    Raises:
        ParamsError: the first layer does not have four channels per band, or the second has too few for the bands.
    """
    first, second = (layer.conv for layer in model.wav2vec2.feature_extractor.conv_layers[:2])
    channels, _, kernel = first.weight.shape  # type: ignore[misc, union-attr]
    bands = channels // 4
    if channels % 4 or second.weight.shape[0] < 2 * bands:  # type: ignore[index, union-attr]
        raise ParamsError("params.yaml", [f"donor.model.conv_dim: found {list(model.config.conv_dim)}; front_end: filterbank needs a first layer "
                                          "of four channels a band and a second of at least two"])
    with torch.no_grad():
        first.weight.copy_(torch.from_numpy(_filters(bands, kernel))[:, None, :])  # type: ignore[operator, union-attr]
        _start_as_envelopes(second, bands)  # type: ignore[arg-type]
        for convolution in (first, second):
            if convolution.bias is not None:  # type: ignore[union-attr]
                convolution.bias.zero_()  # type: ignore[operator, union-attr]


def _filters(bands: int, kernel: int) -> npt.NDArray[np.float32]:
    """Return Gabor filters of unit norm, (4 * bands, kernel), as wide as the ear's bands or as their spacing.

    Source of the bandwidth: Glasberg and Moore, "Derivation of auditory filter shapes from notched-noise data" (1990).
    """
    mel = np.linspace(_mel(LOWEST_HZ), _mel(HIGHEST_HZ), bands)
    centre_hz = 700.0 * (10 ** (mel / 2595.0) - 1)
    time_s = (np.arange(kernel) - (kernel - 1) / 2) / SAMPLE_RATE_HZ
    filters = []
    for band, hz in enumerate(centre_hz):
        spacing_hz = (centre_hz[min(band + 1, bands - 1)] - centre_hz[max(band - 1, 0)]) / 2
        width_hz = max(24.7 * (4.37 * hz / 1000 + 1), spacing_hz)
        sigma_s = min(1.5 / (2 * math.pi * width_hz), kernel / SAMPLE_RATE_HZ / 5)
        envelope = np.exp(-0.5 * (time_s / sigma_s) ** 2)
        for phase in (0.0, math.pi / 2):
            wave = envelope * np.cos(2 * math.pi * hz * time_s + phase)
            wave -= wave.mean()
            wave /= np.linalg.norm(wave)
            filters += [wave, -wave]
    return np.array(filters, dtype=np.float32)


def _start_as_envelopes(convolution: nn.Conv1d, bands: int) -> None:
    """Make the first channels average a band over time and the next ones take its change; the rest stays random."""
    channels_in, kernel = convolution.weight.shape[1:]
    window = np.hanning(kernel + 2)[1:-1]
    change = window * np.sign(np.arange(kernel) - (kernel - 1) / 2)
    size = float(convolution.weight.std()) * math.sqrt(channels_in * kernel)
    for offset, shape in ((0, window), (bands, change)):
        for band in range(bands):
            weight = torch.zeros(channels_in, kernel)
            weight[4 * band : 4 * band + 4] = torch.from_numpy(shape.astype(np.float32))
            convolution.weight[offset + band] = weight * (size / weight.norm())


def _mel(hz: float) -> float:
    return 2595.0 * math.log10(1 + hz / 700.0)
