"""A network run by ONNX Runtime on the CPU, from the files that `export` wrote. Imports neither torch nor transformers.

Threads run utterances or batches side by side, each on one core. The int8 form sees one utterance at a time: the scales of its
activations are taken from its whole input, so that in a batch they would depend on the other utterances.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as binding

from pipeline.batching.batches import epoch_batches
from pipeline.batching.waveforms import Waveform, collate
from pipeline.core.errors import DataError, MissingInputError, VocabularyError
from pipeline.core.files import hash_file, read_json
from pipeline.core.manifest import SAMPLE_RATE_HZ
from pipeline.core.processors import usable_processors
from pipeline.model.vocabulary import Vocabulary, find_vocabulary

T = TypeVar("T")
Logits = npt.NDArray[np.float32]

SCHEMA: Final = "vizinho.onnx/1"
"""Form of the metadata in an exported file."""
INSIDE_MODEL: Final = "onnx"
"""The folder of a champion that holds its exports."""
PARITY: Final = "parity.json"
"""The file beside the exports that has their hashes."""
RECORD: Final = "vizinho.json"
METADATA: Final = {"frame_samples": int, "shortest_samples": int, "normalise": int, "batched": int, "vocabulary_hash": str, "weights_hash": str}
"""Keys of the metadata, with their types: samples per frame, of the receptive field; whether waveforms are standardised; whether a batch
leaves the logits as they are; the vocabulary and the weights that the file was made from."""


class OnnxNetwork:
    """An exported network as a `Network`."""

    def __init__(self, file: Path, workers: int | None = None) -> None:
        """Load a file.

        Args:
            file: that `export` wrote.
            workers: utterances or batches that run at the same time; None for one per usable processor, or `OMP_NUM_THREADS`.

        Raises:
            MissingInputError: it is missing.
            DataError: it is damaged, or lacks the metadata.
        """
        if not file.is_file():
            there = sorted(path.name for path in file.parent.glob("*.onnx")) if file.parent.is_dir() else []
            raise MissingInputError(str(file), f"no such export{f', only {chr(44).join(there)}' if there else ''}", "a file that `export` wrote "
                                    "and the gate let pass", "use --backend torch, or make it with `dvc repro export`")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors only: unused initialisers are no news
        try:
            self._session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
            stored = self._session.get_modelmeta().custom_metadata_map
            if stored.get("schema") != SCHEMA:
                raise DataError(str(file), f"schema {stored.get('schema')!r} in its metadata", SCHEMA, "run `dvc repro export`")
            self.metadata: dict[str, Any] = {name: kind(stored[name]) for name, kind in METADATA.items()}
        except (binding.Fail, binding.InvalidProtobuf, binding.InvalidGraph, binding.InvalidArgument, binding.NotImplemented,
                binding.RuntimeException, KeyError, ValueError) as error:
            raise DataError(str(file), f"unreadable ({' '.join(str(error).split())[:300]})", "an ONNX file that `export` wrote",
                            "restore it (`dvc checkout`), or run `dvc repro export`") from None
        self.frame_s = self.metadata["frame_samples"] / SAMPLE_RATE_HZ
        self.normalise = bool(self.metadata["normalise"])
        self.batched = bool(self.metadata["batched"])
        self.workers = workers or int(os.environ.get("OMP_NUM_THREADS") or 0) or usable_processors()

    def logits_of(self, waveforms: Sequence[Waveform]) -> list[Logits]:
        """Return each utterance's logits without its padding, (T, V); one that is shorter than the receptive field is padded to it."""
        if not self.batched and len(waveforms) > 1:
            return [self.padded_logits([waveform])[0] for waveform in waveforms]
        return self.padded_logits(waveforms)

    def padded_logits(self, waveforms: Sequence[Waveform]) -> list[Logits]:
        """Return the logits of utterances that run as one padded batch, whatever that does to them."""
        shortest = self.metadata["shortest_samples"]
        padded_BS, mask_BS = collate([np.pad(waveform, (0, max(0, shortest - len(waveform)))) for waveform in waveforms])
        logits_BTV, frames_B = self._session.run(["logits", "frames"], {"input_values": padded_BS, "attention_mask": mask_BS})
        return [logits_TV[:frames] for logits_TV, frames in zip(logits_BTV, frames_B.tolist(), strict=True)]

    def decode_all(self, decode: Callable[[Logits], T], waveform: Callable[[int], Waveform], duration_s: npt.NDArray[np.float64],
                   budget_s: float, advance: Callable[[float], object] = lambda _: None) -> list[T]:
        """Return what `decode` makes of every utterance's logits, in order; the longest run first."""
        if not len(duration_s):
            return []
        batches = epoch_batches(duration_s, budget_s if self.batched else 0.0, 0, 0)
        batches.sort(key=lambda batch: -float(duration_s[batch].max()))

        def work(batch: npt.NDArray[np.int64]) -> list[T]:
            return [decode(logits_TV) for logits_TV in self.logits_of([waveform(int(index)) for index in batch])]

        decoded: dict[int, T] = {}
        with ThreadPoolExecutor(self.workers) as pool:
            for batch, found in zip(batches, pool.map(work, batches), strict=True):
                decoded.update(zip(batch.tolist(), found, strict=True))
                advance(float(duration_s[batch].sum()))
        return [decoded[index] for index in range(len(duration_s))]


def load_onnx(folder: Path, file: Path) -> tuple[OnnxNetwork, Vocabulary, dict[str, Any]]:
    """Return an exported network, with vocabulary and record of the model that it was made from.

    Args:
        folder: of the model. Its weights are not read.
        file: the export.

    Raises:
        MissingInputError: the model's record or vocabulary, or the export, is missing.
        VocabularyError: the export is for another vocabulary.
        DataError: it is of other weights, is not the file that its parity was measured on, or is damaged.
    """
    if not (folder / RECORD).exists():
        raise MissingInputError(str(folder), f"no model ({RECORD})", "a model folder of this project", "make one with `dvc repro`")
    record, vocabulary = read_json(folder / RECORD), Vocabulary.read(find_vocabulary(folder))
    network = OnnxNetwork(file)
    if (found := network.metadata["vocabulary_hash"]) != vocabulary.hash:
        raise VocabularyError(str(file), f"an export for vocabulary {found[:12]}", f"{vocabulary.hash[:12]}, the model's",
                              "run `dvc repro export`")
    if (found := network.metadata["weights_hash"]) != record["weights_hash"]:
        raise DataError(str(file), f"an export of weights {found[:12]}", f"{record['weights_hash'][:12]}, the model's", "run `dvc repro export`")
    measured = {entry["file"]: entry["hash"] for entry in read_json(file.with_name(PARITY))["exports"]}
    if (found := hash_file(file)) != measured.get(file.name):
        raise DataError(str(file), f"SHA-256 {found[:12]}", f"{str(measured.get(file.name))[:12]}, whose parity was measured",
                        "restore the folder (`dvc checkout`)")
    return network, vocabulary, record
