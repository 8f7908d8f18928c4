"""Search for training settings that fit a device."""

import pipeline.model  # noqa: F401 (sets the environment before torch is loaded)
