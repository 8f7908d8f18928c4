"""Foreign wav2vec2 checkpoints: old weight names, pickled weights and missing heads, set right once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

from pipeline.acoustic.model import fill, read_weights
from pipeline.acoustic.vocabulary import Vocabulary, find_vocabulary
from pipeline.core.errors import DataError, MissingInputError, VocabularyError
from pipeline.core.files import hash_file

OLD_NAMES = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}


def read_checkpoint(folder: Path) -> tuple[Wav2Vec2ForCTC, Vocabulary, dict[str, Any]]:
    """Return a CTC checkpoint's model, its vocabulary and where it comes from.

    `pytorch_model.bin` is read with `weights_only`; nothing later loads anything but safetensors.

    Raises:
        MissingInputError: no weights or no vocabulary in the folder.
        VocabularyError: the head has another number of rows than the vocabulary has symbols.
        DataError: the weights are damaged, more than weights, or do not fit the configuration.
    """
    config = Wav2Vec2Config.from_pretrained(folder)
    vocabulary = Vocabulary.read(find_vocabulary(folder))
    file, weights = _read_weights(folder)
    rows = weights["lm_head.weight"].shape[0] if "lm_head.weight" in weights else None
    if rows != len(vocabulary.symbols):
        raise VocabularyError(str(folder), f"a head of {rows or 'no'} rows and a vocabulary of {len(vocabulary.symbols)} symbols",
                              "as many rows as symbols", "take weights and vocab.json from the same revision")
    config.update({"vocab_size": rows, "pad_token_id": vocabulary.blank_row, "ctc_loss_reduction": "mean", "ctc_zero_infinity": True,
                   "layerdrop": 0.0})
    model = Wav2Vec2ForCTC(config)
    fill(model, weights, str(file))
    return model.eval(), vocabulary, {"folder": folder.name, "weights": file.name, "weights_sha256": hash_file(file)}


def _read_weights(folder: Path) -> tuple[Path, dict[str, torch.Tensor]]:
    if (file := folder / "model.safetensors").exists():
        weights, _ = read_weights(file)
    elif (file := folder / "pytorch_model.bin").exists():
        try:
            weights = torch.load(file, map_location="cpu", weights_only=True)
        except Exception as error:  # torch raises many kinds for a damaged or unsafe pickle
            raise DataError(str(file), f"not plain weights ({str(error).splitlines()[0]})", "tensors only",
                            "convert it to safetensors where you trust it") from None
    else:
        raise MissingInputError(str(folder), "no weights", "model.safetensors or pytorch_model.bin", "download the whole checkpoint")
    return file, {_new_name(name): tensor for name, tensor in weights.items() if not name.startswith(("quantizer.", "project_"))}


def _new_name(name: str) -> str:
    for new, old in OLD_NAMES.items():
        if name.endswith(f"pos_conv_embed.conv.{old}"):
            return name[: -len(old)] + new
    return name
