"""A system, loaded: network, vocabulary and decoder of one model. Imports the packages of its backend only when it is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final

from pipeline.core.errors import DataError
from pipeline.core.files import hash_file
from pipeline.decoding.beam import DECODER, BeamDecoder, HotWord, Settings, load_decoder
from pipeline.decoding.beam import INSIDE_MODEL as DECODER_INSIDE
from pipeline.decoding.greedy import decode
from pipeline.decoding.networks import Backend, load_network
from pipeline.decoding.recordings import Decode, longest_part_s

HOT_WORDS: Final = "hot words"
EXPORTS_INSIDE: Final = "onnx"
"""The folder of a champion that holds its exports."""


class System:
    """What turns recordings into text.

    Args:
        network: turns waveforms into logits.
        vocabulary: of the model.
        longest_s: longest part that is decoded at once.
        weights_hash: of the model.
    """

    def __init__(self, folder: Path, backend: Backend, root: Path, language_model: bool = True) -> None:
        """Load network and vocabulary; `decoder` loads the decoder.

        Args:
            folder: of the model.
            backend: what runs the network.
            root: of the checkout: a model in its `data/train` has decoder and exports in folders of the same run.
            language_model: whether the model's decoder is used, if it has one; otherwise greedy decoding.

        Raises:
            MissingInputError: the model or its export is missing.
            VocabularyError: weights and vocabulary do not match.
            DataError: a file is damaged, or an export is of other weights.
        """
        exports = exports_folder(folder, root) if backend is not Backend.TORCH else None
        self.network, self.vocabulary, record = load_network(folder, backend, exports)
        self.longest_s = longest_part_s(record)
        self.weights_hash = str(record.get("weights_hash", ""))
        self._decoder_folder = decoder_folder(folder, root) if language_model else None
        self._decoder_hash = self._hash_decoder()

    def decoder(self, hot_words: Sequence[HotWord] = ()) -> Decode:
        """Return what decodes logits; with hot words, or where the model has an adopted decoder, it is a beam search. It loads the n-gram.

        Raises:
            DataError: hot words have letters that the model does not write (`where` is `HOT_WORDS`), a file of the decoder is damaged, or the
                decoder is not the one that the folder held when the model was loaded.
            VocabularyError: the decoder is for another vocabulary.
        """
        frame_s = self.network.frame_s
        if unknown := sorted({letter for hot in hot_words for letter in self.vocabulary.missing(hot.phrase)}):
            raise DataError(HOT_WORDS, f"{', '.join(unknown)}", "letters that the model writes",
                            "write the phrases as they are spoken, without signs")
        if self._hash_decoder() != self._decoder_hash:
            raise DataError(str(self._decoder_folder), "another decoder", "the one of the model that was loaded", "load the model again")
        if self._decoder_folder is not None:
            search = load_decoder(self._decoder_folder, self.vocabulary, frame_s, hot_words)
        else:
            search = BeamDecoder(self.vocabulary, frame_s, Settings(), hot_words=hot_words) if hot_words else None
        return search or partial(decode, vocabulary=self.vocabulary, frame_s=frame_s, words=True)

    def _hash_decoder(self) -> str | None:
        """Return the hash of decoder.json, which has those of n-gram and lexicon; None if there is none."""
        file = self._decoder_folder / DECODER if self._decoder_folder else None
        return hash_file(file) if file and file.exists() else None


def decoder_folder(model: Path, root: Path) -> Path:
    """Return the folder of a model's decoder: its own, or that of this run for a model that the run trained."""
    trained_here = model.resolve().parent == (root / "data/train").resolve()
    return root / "data/language_model/portuguese" if trained_here and not (model / DECODER_INSIDE / DECODER).exists() else model / DECODER_INSIDE


def exports_folder(model: Path, root: Path) -> Path:
    """Return the folder of a model's exports: its own, or that of this run for a model that the run trained."""
    trained_here = model.resolve().parent == (root / "data/train").resolve()
    return root / "data/export" / model.resolve().name if trained_here and not (model / EXPORTS_INSIDE).exists() else model / EXPORTS_INSIDE
