"""The training loop and its parts."""

import pipeline.model  # noqa: F401 (sets the environment before torch is loaded)
