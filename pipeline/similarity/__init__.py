"""Similarity of a candidate donor language to the target: words, sounds and letters. Numpy, no torch."""
