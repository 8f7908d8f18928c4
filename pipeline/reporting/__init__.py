"""The HTML report on a run: inputs, learning curves, charts, aligned hypotheses, the page, the summary."""
