"""Checkpoints as they lie on the hub, at small size: old names, pickles, and folders that do not hold together."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

from pipeline.acoustic.checkpoint import read_checkpoint
from pipeline.acoustic.model import load_model, save_model
from pipeline.core.errors import DataError, MissingInputError, VocabularyError
from pipeline.core.files import hash_file

SPANISH = ["<pad>", "<s>", "</s>", "<unk>", "|", "'", "-", *"abcdefghijklmnopqrstuvwxyzáéíñóúü"]
"""As in fine-tuned XLSR-53 models for Spanish: sentence marks, apostrophe and hyphen before the letters."""

CONFIG: dict[str, Any] = {
    # The keys of such a config.json, of 2021, with small numbers.
    "_name_or_path": "facebook/wav2vec2-large-xlsr-53", "activation_dropout": 0.05, "apply_spec_augment": True,
    "architectures": ["Wav2Vec2ForCTC"], "attention_dropout": 0.1, "bos_token_id": 1, "conv_bias": True, "conv_dim": [16] * 3,
    "conv_kernel": [10, 3, 2], "conv_stride": [5, 2, 2], "ctc_loss_reduction": "mean", "ctc_zero_infinity": True,
    "do_stable_layer_norm": True, "eos_token_id": 2, "feat_extract_activation": "gelu", "feat_extract_dropout": 0.0,
    "feat_extract_norm": "layer", "feat_proj_dropout": 0.05, "final_dropout": 0.0, "gradient_checkpointing": True, "hidden_act": "gelu",
    "hidden_dropout": 0.05, "hidden_size": 32, "initializer_range": 0.02, "intermediate_size": 48, "layer_norm_eps": 1e-05,
    "layerdrop": 0.05, "mask_channel_length": 10, "mask_channel_min_space": 1, "mask_channel_other": 0.0, "mask_channel_prob": 0.0,
    "mask_channel_selection": "static", "mask_feature_length": 10, "mask_feature_prob": 0.0, "mask_time_length": 10,
    "mask_time_min_space": 1, "mask_time_other": 0.0, "mask_time_prob": 0.05, "mask_time_selection": "static", "model_type": "wav2vec2",
    "num_attention_heads": 2, "num_conv_pos_embedding_groups": 2, "num_conv_pos_embeddings": 8, "num_feat_extract_layers": 3,
    "num_hidden_layers": 1, "pad_token_id": 0, "transformers_version": "4.5.0.dev0", "vocab_size": len(SPANISH),
}


def lay(folder: Path, symbols: list[str] = SPANISH, form: str = "bin", rename: bool = True, **config: Any) -> dict[str, torch.Tensor]:
    """Write a checkpoint as of 2021; return its weights under today's names."""
    torch.manual_seed(8)
    model = Wav2Vec2ForCTC(Wav2Vec2Config(**{key: value for key, value in (CONFIG | config).items()
                                             if key not in ("architectures", "transformers_version", "gradient_checkpointing", "_name_or_path")}))
    new = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    old = {name.replace("parametrizations.weight.original0", "weight_g").replace("parametrizations.weight.original1", "weight_v"): tensor
           for name, tensor in new.items()} if rename else new
    if form == "bin":
        torch.save(old, folder / "pytorch_model.bin")
    else:
        safetensors.torch.save_file(old, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(CONFIG | config))
    (folder / "vocab.json").write_text(json.dumps({symbol: row for row, symbol in enumerate(symbols)}, ensure_ascii=False))
    (folder / "special_tokens_map.json").write_text(json.dumps(
        {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}))
    return new


@pytest.mark.parametrize("form", ["bin", "safetensors"])
@pytest.mark.parametrize("rename", [True, False])
def test_every_weight_arrives_under_old_and_new_names_pickled_or_not(tmp_path: Path, form: str, rename: bool) -> None:
    expected = lay(tmp_path, form=form, rename=rename)
    model, words, origin = read_checkpoint(tmp_path)
    assert words.symbols == tuple(SPANISH)
    found = model.state_dict()
    assert "wav2vec2.encoder.pos_conv_embed.conv.parametrizations.weight.original0" in found
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert not model.training
    file = "pytorch_model.bin" if form == "bin" else "model.safetensors"
    assert origin == {"folder": tmp_path.name, "weights": file, "weights_sha256": hash_file(tmp_path / file)}


def test_settings_that_hurt_are_set_right_and_the_others_kept(tmp_path: Path) -> None:
    lay(tmp_path, ctc_loss_reduction="sum", ctc_zero_infinity=False, pad_token_id=3)
    config = read_checkpoint(tmp_path)[0].config
    assert (config.ctc_loss_reduction, config.ctc_zero_infinity, config.layerdrop, config.pad_token_id) == ("mean", True, 0.0, 0)
    assert (config.mask_time_prob, config.hidden_dropout, config.feat_extract_norm) == (0.05, 0.05, "layer")


def test_converted_once_it_is_a_model_of_ours(tmp_path: Path) -> None:
    expected = lay(tmp_path)
    model, words, origin = read_checkpoint(tmp_path)
    save_model(model, words, tmp_path / "donor", {"origin": origin})
    again, vocabulary, record = load_model(tmp_path / "donor")
    assert vocabulary.symbols == words.symbols
    assert all(torch.equal(tensor, expected[name]) for name, tensor in again.state_dict().items())
    assert record["origin"]["weights_sha256"] == hash_file(tmp_path / "pytorch_model.bin")
    assert not (tmp_path / "donor/pytorch_model.bin").exists()


def test_special_symbols_at_the_end_of_the_head_are_found(tmp_path: Path) -> None:
    symbols = ["|", "'", *"abcdefghijklmnopqrstuvwxyzáéíñóúü", "[UNK]", "[PAD]"]
    lay(tmp_path, symbols, vocab_size=len(symbols), pad_token_id=len(symbols) - 1)
    (tmp_path / "special_tokens_map.json").write_text(json.dumps({"unk_token": "[UNK]", "pad_token": "[PAD]"}))
    model, words, _ = read_checkpoint(tmp_path)
    assert (words.blank, words.blank_row, model.config.pad_token_id) == ("[PAD]", len(symbols) - 1, len(symbols) - 1)


def test_parts_of_the_pretraining_are_left_out(tmp_path: Path) -> None:
    weights = lay(tmp_path)
    torch.save(weights | {"quantizer.codevectors": torch.zeros(2), "project_q.weight": torch.zeros(2), "project_hid.bias": torch.zeros(2)},
               tmp_path / "pytorch_model.bin")
    read_checkpoint(tmp_path)


class Malicious:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.target),)


def test_a_pickle_that_runs_code_is_refused_and_not_run(tmp_path: Path) -> None:
    weights = lay(tmp_path)
    torch.save({**weights, "surprise": Malicious(tmp_path / "owned")}, tmp_path / "pytorch_model.bin")
    with pytest.raises(DataError, match=r"pytorch_model\.bin: not plain weights .*convert it to safetensors where you trust it"):
        read_checkpoint(tmp_path)
    assert not (tmp_path / "owned").exists()


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    lay(tmp_path)
    whole = (tmp_path / "pytorch_model.bin").read_bytes()
    (tmp_path / "pytorch_model.bin").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"pytorch_model\.bin: not plain weights"):
        read_checkpoint(tmp_path)
    lay(tmp_path, form="safetensors")
    whole = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"model\.safetensors: damaged .*restore it"):
        read_checkpoint(tmp_path)


def test_a_head_of_another_size_than_the_vocabulary_is_refused(tmp_path: Path) -> None:
    lay(tmp_path, vocab_size=len(SPANISH) - 1)
    with pytest.raises(VocabularyError, match=f"a head of {len(SPANISH) - 1} rows and a vocabulary of {len(SPANISH)} symbols"):
        read_checkpoint(tmp_path)


def test_a_base_without_a_head_is_refused(tmp_path: Path) -> None:
    weights = lay(tmp_path)
    torch.save({name: tensor for name, tensor in weights.items() if not name.startswith("lm_head")}, tmp_path / "pytorch_model.bin")
    with pytest.raises(VocabularyError, match="a head of no rows"):
        read_checkpoint(tmp_path)
    (tmp_path / "vocab.json").unlink()
    with pytest.raises(MissingInputError, match="no vocab.json"):
        read_checkpoint(tmp_path)


def test_weights_that_are_missing_or_do_not_fit_are_refused(tmp_path: Path) -> None:
    lay(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(CONFIG | {"intermediate_size": 50}))
    with pytest.raises(DataError, match="weights do not fit the configuration"):
        read_checkpoint(tmp_path)
    (tmp_path / "pytorch_model.bin").unlink()
    with pytest.raises(MissingInputError, match="no weights; expected model.safetensors or pytorch_model.bin"):
        read_checkpoint(tmp_path)
