"""Waveforms (float) and samples (16 bit): their types, full scale, conversion."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

Waveform = npt.NDArray[np.float32]
Samples = npt.NDArray[np.int16]
FULL_SCALE: Final = 32_768


def to_int16(waveform_S: Waveform) -> Samples:
    """Return the waveform (full scale 1.0) as 16-bit samples, rounded, limited to full scale."""
    return np.clip(np.rint(waveform_S * FULL_SCALE), -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)
