"""Foreign wav2vec2 checkpoints: old weight names, pickled weights, adapters and missing heads, converted once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

from pipeline.core.errors import DataError, MissingInputError, VocabularyError
from pipeline.core.files import hash_file, read_json
from pipeline.core.manifest import SAMPLE_RATE_HZ
from pipeline.model.artifact import fill, read_weights
from pipeline.model.head import plan_head, transfer_head
from pipeline.model.shards import find_weights, hash_weights
from pipeline.model.vocabulary import Vocabulary, find_vocabulary

OLD_NAMES = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}
MASK = "wav2vec2.masked_spec_embed"
EXTRACTOR = "Wav2Vec2FeatureExtractor"
EXTRACTORS: dict[str, tuple[str, ...]] = {
    "processor_config.json": ("feature_extractor", "audio_processor"),  # transformers 5: nested; of release 4 without these keys
    "preprocessor_config.json": (),                                     # transformers 4, and 5 without a processor
    "feature_extractor_config.json": (),                                # checkpoints of early 2021
    "tokenizer_config.json": (),                                        # Wav2Vec2Tokenizer of early 2021 read audio as well
}
"""Files with the settings of a feature extractor, and the keys under which they are nested."""
NEWEST = ("processor_config.json", "preprocessor_config.json")
"""The files that are read together; each of the others only without them."""
PRETRAINING = ("quantizer.", "project_hid.", "project_q.")
"""Weights that are used only in self-supervised training."""


def read_checkpoint(folder: Path, language: str | None = None, headless: Path | str | None = None,
                    seed: int = 0) -> tuple[Wav2Vec2ForCTC, Vocabulary, dict[str, Any]]:
    """Return a checkpoint's model, its vocabulary and its origin.

    `pytorch_model.bin` is read with `weights_only`; nothing later loads anything but safetensors.

    Args:
        folder: of the checkpoint.
        language: for a checkpoint with a vocabulary and an adapter per language (MMS), such as `spa`.
        headless: the vocabulary of the fresh head for a self-supervised base without a head.
        seed: of that fresh head.

    Raises:
        MissingInputError: no weights, no adapter or no vocabulary in the folder.
        VocabularyError: the head has another number of rows than the vocabulary has symbols, or a language is missing.
        DataError: the weights are damaged, more than weights, or do not fit the configuration; another kind of network.
    """
    config = _read_config(folder)
    file, parts, weights, made_for = _read_weights(folder)
    files = {"weights": (file.name, hash_weights(parts))}
    if config.adapter_attn_dim is not None and language is not None:
        file_of_adapter, adapter = _read_adapter(folder, language)
        files["adapter"] = file_of_adapter.name, hash_file(file_of_adapter)
        made_for = None
        weights |= adapter
    head = weights.get("lm_head.weight")
    if head is not None:
        vocabulary = Vocabulary.read(find_vocabulary(folder), language, len(head))
    elif headless is not None:
        vocabulary = Vocabulary.read(headless)
        weights |= _fresh_head(vocabulary, config, seed)
    else:
        raise VocabularyError(str(folder), "weights without a head (a self-supervised base)", "a head and its vocabulary",
                              "set donor.vocabulary to the vocabulary that a fresh head is to have")
    rows = len(weights["lm_head.weight"])
    if rows != len(vocabulary.symbols):
        raise VocabularyError(str(folder), f"a head of {rows} rows and a vocabulary of {len(vocabulary.symbols)} symbols",
                              "as many rows as symbols", "take weights and vocab.json from the same revision")
    if head is not None and made_for not in (None, vocabulary.hash):
        raise VocabularyError(str(folder / "vocab.json"), f"vocabulary {vocabulary.hash[:12]}", f"{str(made_for)[:12]}, which the weights were "
                              "made for", "restore the folder from one source")
    config.update({"vocab_size": rows, "pad_token_id": vocabulary.blank_row, "ctc_loss_reduction": "mean", "ctc_zero_infinity": True,
                   "layerdrop": 0.0})
    torch.manual_seed(seed)  # of the vector that replaces masked frames, which some checkpoints lack
    model = Wav2Vec2ForCTC(config)
    fill(model, _with_mask(weights, model), str(file))
    origin = {"folder": folder.name, **{what: name for what, (name, _) in files.items()},
              **{f"{what}_sha256": digest for what, (_, digest) in files.items()}}
    return model.eval(), vocabulary, origin | {"language": language, "head": "its own" if head is not None else "fresh"}


def _read_config(folder: Path) -> Wav2Vec2Config:
    path = folder / "config.json"
    kind, adapter = (read_json(path).get(key) for key in ("model_type", "add_adapter"))
    if kind != "wav2vec2":
        raise DataError(str(path), f"a network of type {kind!r}", "'wav2vec2', as XLSR-53, XLS-R and MMS are", "take such a checkpoint")
    if adapter:
        raise DataError(str(path), "add_adapter: true, convolutions that shorten what the encoder returns", "an encoder without them",
                        "take a checkpoint whose head reads the encoder's own frames")
    normalised = _read_feature_extractor(folder)
    config = Wav2Vec2Config.from_pretrained(folder)
    if not normalised:  # recorded only if it differs from the default
        config.do_normalize = False
    return config


def _read_feature_extractor(folder: Path) -> bool:
    """Return whether a checkpoint's feature extractor normalises audio: from every file in which a release of transformers keeps it.

    Raises:
        DataError: another kind of feature extractor, another sample rate, or two files that disagree.
    """
    found: dict[Path, dict[str, Any]] = {}
    for name, keys in EXTRACTORS.items():
        if (file := folder / name).exists():
            content = read_json(file)
            nested = next((content[key] for key in keys if key in content), None) if keys else content
            if nested is None or (name not in NEWEST and (found or "do_normalize" not in content)):
                continue
            if not isinstance(nested, dict):
                raise DataError(str(file), f"{nested!r:.60}", "the settings of a feature extractor", "download the file again")
            found[file] = nested
    for file, settings in found.items():
        kind, rate_hz = settings.get("feature_extractor_type", EXTRACTOR), settings.get("sampling_rate", SAMPLE_RATE_HZ)
        if kind != EXTRACTOR:
            raise DataError(str(file), f"a feature extractor of type {kind!r}", f"{EXTRACTOR!r}, which takes waveforms", "take a checkpoint with one")
        if rate_hz != SAMPLE_RATE_HZ:
            raise DataError(str(file), f"a network for audio at {rate_hz} Hz", f"{SAMPLE_RATE_HZ} Hz", "take one for that rate")
    normalised = {file.name: bool(settings.get("do_normalize", True)) for file, settings in found.items()}
    if len(set(normalised.values())) > 1:
        shown = ", ".join(f"{str(value).lower()} in {name}" for name, value in normalised.items())
        raise DataError(str(folder), f"do_normalize: {shown}", "one value", "keep the file of the release that trained the network")
    return next(iter(normalised.values()), True)


def _read_weights(folder: Path) -> tuple[Path, list[Path], dict[str, torch.Tensor], str | None]:
    """Return the weights' file or index, the files with the weights, the weights, and the hash of their vocabulary if recorded."""
    found, files = find_weights(folder)
    weights, metadata = {}, {}  # type: ignore[var-annotated]
    for file in files:
        tensors, metadata = _tensors(file)
        weights |= {_new_name(name): tensor for name, tensor in tensors.items() if not name.startswith(PRETRAINING)}
    if not any(name.startswith("wav2vec2.") for name in weights):  # saved without the CTC head
        weights = {name if name.startswith("lm_head.") else f"wav2vec2.{name}": tensor for name, tensor in weights.items()}
    return found, files, weights, metadata.get("vocabulary_hash")


def _read_adapter(folder: Path, language: str) -> tuple[Path, dict[str, torch.Tensor]]:
    """Return a language's part of an MMS checkpoint: a small layer in each block of the encoder, and the head."""
    found = _first(folder, f"adapter.{language}.safetensors", f"adapter.{language}.bin")
    if found is None:
        adapters = sorted(path.name for path in folder.glob("adapter.*"))
        raise MissingInputError(str(folder), f"no adapter for {language!r} (adapters: {', '.join(adapters[:12]) or 'none'})",
                                f"adapter.{language}.safetensors or adapter.{language}.bin", "download it beside the weights")
    return found, _tensors(found)[0]


def _first(folder: Path, *names: str) -> Path | None:
    return next((folder / name for name in names if (folder / name).exists()), None)


def _tensors(file: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    if file.suffix == ".safetensors":
        return read_weights(file)
    try:
        weights: dict[str, torch.Tensor] = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a damaged or unsafe pickle
        raise DataError(str(file), f"not plain weights ({str(error).splitlines()[0]})", "tensors only",
                        "convert it to safetensors where you trust it") from None
    return weights, {}


def _new_name(name: str) -> str:
    for new, old in OLD_NAMES.items():
        if name.endswith(f"pos_conv_embed.conv.{old}"):
            return name[: -len(old)] + new
    return name


def _fresh_head(vocabulary: Vocabulary, config: Wav2Vec2Config, seed: int) -> dict[str, torch.Tensor]:
    head = transfer_head(None, plan_head(vocabulary, vocabulary, "fresh"), config.hidden_size, config.initializer_range, seed)
    return {f"lm_head.{name}": tensor for name, tensor in head.state_dict().items()}


def _with_mask(weights: Mapping[str, torch.Tensor], model: Wav2Vec2ForCTC) -> dict[str, torch.Tensor]:
    """Return the weights with the vector for masked frames if the model has one, otherwise without it.

    The configuration decides whether a network has it, not its pretraining.
    """
    mask = {MASK: weights.get(MASK, made)} if (made := model.state_dict().get(MASK)) is not None else {}
    return {name: tensor for name, tensor in weights.items() if name != MASK} | mask
