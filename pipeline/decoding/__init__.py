"""From logits to text."""

import pipeline.model  # noqa: F401 (sets the environment before torch is loaded)
