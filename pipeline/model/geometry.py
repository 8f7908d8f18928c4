"""The frame rate of a model: samples per frame and frames per utterance."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from transformers import Wav2Vec2ForCTC

from pipeline.core.manifest import SAMPLE_RATE_HZ


def receptive_field(model: Wav2Vec2ForCTC) -> int:
    """Return the receptive field of one frame, in samples."""
    samples = 1
    for kernel, stride in zip(reversed(model.config.conv_kernel), reversed(model.config.conv_stride), strict=True):
        samples = (samples - 1) * stride + kernel
    return samples


def frame_duration_s(model: Wav2Vec2ForCTC) -> float:
    """Return the time between two frames: 0.02 s for the usual strides."""
    return float(np.prod(model.config.conv_stride)) / SAMPLE_RATE_HZ


def num_frames(model: Wav2Vec2ForCTC, num_samples: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the number of frames that the model computes from a number of samples."""
    frames = num_samples
    for kernel, stride in zip(model.config.conv_kernel, model.config.conv_stride, strict=True):
        frames = (frames - kernel) // stride + 1
    return np.maximum(frames, 0)
