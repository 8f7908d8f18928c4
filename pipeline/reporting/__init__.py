"""The report: inputs of a run, learning curves and what they prove, charts, diffs, one HTML page."""
