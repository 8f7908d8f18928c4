"""The `vizinho` command: thin words over the pipeline. It may import anything but flows."""
