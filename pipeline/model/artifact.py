"""Wav2vec2 CTC models on disk: Hugging Face layout, safetensors only, and a record of what they are."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
import transformers
from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

from pipeline.core.errors import DataError, MissingInputError, VocabularyError
from pipeline.core.files import atomic_folder, hash_file, read_json
from pipeline.model.filterbank import start_as_filterbank
from pipeline.model.provenance import TRAINED_ON, describe_trained_on
from pipeline.model.vocabulary import Vocabulary, find_vocabulary

RECORD = "vizinho.json"
SCHEMA = "vizinho.model/3"

CTC: dict[str, Any] = {
    "ctc_loss_reduction": "mean",    # with the default, "sum", long batches dominate
    "ctc_zero_infinity": True,       # labels longer than their frames are dropped and counted before training
    "feat_extract_norm": "layer",    # with "group" the logits depend on padding
    "do_stable_layer_norm": True,
    "layerdrop": 0.0,
}
"""Settings of every new model that differ from the library's defaults."""


def fresh_model(shape: Mapping[str, Any], vocabulary: Vocabulary, seed: int) -> Wav2Vec2ForCTC:
    """Return a model of this shape (`Wav2Vec2Config` keys) with random weights for this vocabulary.

    One key is the project's own: `front_end: filterbank` initialises the first convolutions as in `filterbank.py`. It stays in
    config.json, so that a model from scratch is initialised as its donor was.
    """
    torch.manual_seed(seed)
    known = {**CTC, **dict(shape), "vocab_size": len(vocabulary.symbols), "pad_token_id": vocabulary.blank_row}
    for own in ("architectures", "model_type", "transformers_version", "torch_dtype", "dtype"):
        known.pop(own, None)
    model = Wav2Vec2ForCTC(Wav2Vec2Config(**{**known, "bos_token_id": None, "eos_token_id": None}))
    if known.get("front_end") == "filterbank":
        start_as_filterbank(model)
    return model


def save_model(model: Wav2Vec2ForCTC, vocabulary: Vocabulary, folder: Path, record: Mapping[str, Any],
               extra: Callable[[Path], object] = lambda _: None) -> None:
    """Write a model folder atomically: config, weights, processor, `vizinho.json` and what `extra` adds.

    The vocabulary's hash is written both into the record and into the metadata of the weights' file, so that neither
    can be swapped alone.
    """
    model.config.architectures = ["Wav2Vec2ForCTC"]
    with atomic_folder(folder) as temporary:
        model.config.save_pretrained(temporary)
        weights = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
        write_weights(weights, temporary / "model.safetensors", {"format": "pt", "vocabulary_hash": vocabulary.hash})
        vocabulary.write(temporary, expects_normalised_input(model))
        extra(temporary)
        full = {"schema": SCHEMA, "vocabulary_hash": vocabulary.hash, "weights_hash": hash_file(temporary / "model.safetensors"),
                "trained_on": describe_trained_on(temporary), **record, "versions": versions()}
        (temporary / RECORD).write_text(json.dumps(full, ensure_ascii=False, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def load_model(folder: Path | str) -> tuple[Wav2Vec2ForCTC, Vocabulary, dict[str, Any]]:
    """Return a model of the project, its vocabulary and its record, after checking that they match.

    The file of the weights is hashed once in a process: 1.0 s for 1.2 GB on a processor with SHA instructions.

    Raises:
        MissingInputError: the folder, its weights or its record are missing.
        VocabularyError: weights, record and `vocab.json` disagree on the vocabulary.
        DataError: a weight is missing or has another shape, the file is damaged, or weights or training record are not those of `vizinho.json`.
    """
    folder = Path(folder)
    if not (folder / RECORD).exists() or not (folder / "model.safetensors").exists():
        raise MissingInputError(str(folder), "no model (model.safetensors with vizinho.json)", "a model folder of this project",
                                "make one with `dvc repro`, or import a foreign checkpoint with the `donor` stage")
    record = read_json(folder / RECORD)
    vocabulary = Vocabulary.read(find_vocabulary(folder))
    weights, metadata = read_weights(folder / "model.safetensors")
    travelling = metadata.get("vocabulary_hash")
    for where, found in (("the weights", travelling), (RECORD, record.get("vocabulary_hash"))):
        if found != vocabulary.hash:
            raise VocabularyError(str(folder / "vocab.json"), f"vocabulary {vocabulary.hash[:12]}",
                                  f"{str(found)[:12]}, which {where} were made for", "restore the folder from one source (`dvc checkout`)")
    check_content(folder, record)
    model = Wav2Vec2ForCTC(Wav2Vec2Config.from_pretrained(folder))
    fill(model, weights, str(folder))
    return model.eval(), vocabulary, record


def check_content(folder: Path, record: Mapping[str, Any]) -> None:
    """Check that weights and training record of a model folder are those that `vizinho.json` describes.

    Raises:
        DataError: they are others. A model of the form before, `vizinho.model/2`, does not describe its training record.
    """
    file = folder / "model.safetensors"
    state = file.stat()
    found = _hash_once(file.resolve(), state.st_size, state.st_mtime_ns, state.st_ino)
    if found != record.get("weights_hash"):
        raise DataError(str(file), f"SHA-256 {found[:12]}", f"{str(record.get('weights_hash'))[:12]}, as in {RECORD}",
                        "restore the folder from one source (`dvc checkout`; if that does not help, `vizinho registry verify`)")
    if "trained_on" in record or record.get("schema") == SCHEMA:
        stated, trained_on = record.get("trained_on"), describe_trained_on(folder)
        if stated != trained_on:
            raise DataError(str(folder / TRAINED_ON), _brief(trained_on), f"{_brief(stated)}, as in {RECORD}",
                            "restore the folder from one source (`dvc checkout`)")


@cache
def _hash_once(file: Path, size: int, mtime_ns: int, inode: int) -> str:
    """Return the SHA-256 of a file; the other arguments are its state, so that a changed file is hashed again."""
    return hash_file(file)


def _brief(described: Mapping[str, Any] | None) -> str:
    return f"{described['rows']} rows, SHA-256 {str(described['hash'])[:12]}" if described else "no such file"


def expects_normalised_input(model: Wav2Vec2ForCTC) -> bool:
    """Return whether a model expects waveforms of zero mean and unit variance (`do_normalize`).

    All do unless config.json records that the feature extractor of its checkpoint does not normalise.
    """
    return bool(getattr(model.config, "do_normalize", True))


def write_weights(weights: Mapping[str, torch.Tensor], file: Path, metadata: dict[str, str]) -> None:
    """Write weights as safetensors, with a sorted header: the library's order differs between processes."""
    safetensors.torch.save_file(dict(weights), file, metadata)
    with open(file, "r+b") as handle:
        size = int.from_bytes(handle.read(8), "little")
        header = json.loads(handle.read(size))
        handle.seek(8)
        handle.write(json.dumps(header, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode().ljust(size))


def read_weights(file: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Return the weights in a safetensors file, and its metadata.

    Raises:
        DataError: it is damaged.
    """
    try:
        with safetensors.safe_open(file, framework="pt") as opened:
            return {name: opened.get_tensor(name) for name in opened.keys()}, opened.metadata() or {}  # noqa: SIM118 (no mapping)
    except safetensors.SafetensorError as error:
        raise DataError(str(file), f"damaged ({error})", "safetensors", "restore it (`dvc checkout`), or download it again") from None


def fill(model: Wav2Vec2ForCTC, weights: Mapping[str, torch.Tensor], where: str) -> None:
    """Load all weights into a model, by name and shape.

    Raises:
        DataError: a weight is missing, left over, or has another shape.
    """
    try:
        model.load_state_dict(dict(weights), strict=True)
    except RuntimeError as error:
        raise DataError(where, "weights do not fit the configuration: " + " ".join(str(error).split())[:600],
                        "the weights that config.json describes", "take both from the same checkpoint") from None


def parameters(model: torch.nn.Module) -> int:
    """Return the number of parameters."""
    return sum(parameter.numel() for parameter in model.parameters())


def versions() -> dict[str, str]:
    """Return the library versions that a model's figures may depend on."""
    return {"python": platform.python_version(), "torch": torch.__version__, "transformers": transformers.__version__}
