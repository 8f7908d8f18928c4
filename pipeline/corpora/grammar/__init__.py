"""Grammars: one class per language over the same concepts, with the frames in `pipeline/corpora/lexicon/`."""
