"""Forced alignment, and the transcript filter that uses it."""

import pipeline.model  # noqa: F401 (sets the environment before torch is loaded)
