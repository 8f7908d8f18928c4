"""Checkpoint folders as they lie on the hub: the keys of their config.json, their vocab.json, the names of their weights.

Sizes are small unless a test asks for the true ones. Where each layout was read is said beside it, and what of it could not be.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from transformers import Wav2Vec2Config, Wav2Vec2ForCTC, Wav2Vec2ForPreTraining, Wav2Vec2Model

MARKS = ["<pad>", "<s>", "</s>", "<unk>", "|"]
BY_FREQUENCY = "eaosnrildctupmbqygvhófíájzñéxúkwü"
"""Spanish letters as fairseq orders them: the commonest first. Which these are in a checkpoint, and in which order, could not be read."""
FOREIGN = "ãçàâêôõäåæèëìîïðòöøùûýþßāăćčđēěğīłńōœřšž"
"""Letters of other languages' names, as Common Voice's Spanish sentences have them."""
ALPHABET = "abcdefghijklmnopqrstuvwxyz"

SMALL: dict[str, Any] = {
    "conv_dim": [16] * 3, "conv_kernel": [10, 3, 2], "conv_stride": [5, 2, 2], "hidden_size": 32, "intermediate_size": 48,
    "num_attention_heads": 2, "num_conv_pos_embedding_groups": 2, "num_conv_pos_embeddings": 8, "num_feat_extract_layers": 3,
    "num_hidden_layers": 2, "codevector_dim": 16, "proj_codevector_dim": 16, "num_codevectors_per_group": 8, "output_hidden_size": 32,
}
LARGE: dict[str, Any] = {
    "activation_dropout": 0.05, "apply_spec_augment": True, "attention_dropout": 0.1, "bos_token_id": 1, "conv_bias": True,
    "conv_dim": [512] * 7, "conv_kernel": [10, 3, 3, 3, 3, 2, 2], "conv_stride": [5, 2, 2, 2, 2, 2, 2], "ctc_loss_reduction": "mean",
    "ctc_zero_infinity": True, "do_stable_layer_norm": True, "eos_token_id": 2, "feat_extract_activation": "gelu",
    "feat_extract_dropout": 0.0, "feat_extract_norm": "layer", "feat_proj_dropout": 0.05, "final_dropout": 0.0,
    "gradient_checkpointing": True, "hidden_act": "gelu", "hidden_dropout": 0.05, "hidden_size": 1024, "initializer_range": 0.02,
    "intermediate_size": 4096, "layer_norm_eps": 1e-05, "layerdrop": 0.05, "mask_channel_length": 10, "mask_channel_min_space": 1,
    "mask_channel_other": 0.0, "mask_channel_prob": 0.0, "mask_channel_selection": "static", "mask_feature_length": 10,
    "mask_feature_prob": 0.0, "mask_time_length": 10, "mask_time_min_space": 1, "mask_time_other": 0.0, "mask_time_prob": 0.05,
    "mask_time_selection": "static", "model_type": "wav2vec2", "num_attention_heads": 16, "num_conv_pos_embedding_groups": 16,
    "num_conv_pos_embeddings": 128, "num_feat_extract_layers": 7, "num_hidden_layers": 24, "pad_token_id": 0,
    "transformers_version": "4.5.0.dev0",
}
"""XLSR-53 as of 2021; 315 M parameters."""
XLS_R: dict[str, Any] = LARGE | {
    "activation_dropout": 0.0, "architectures": ["Wav2Vec2ForPreTraining"], "classifier_proj_size": 256, "codevector_dim": 768,
    "contrastive_logits_temperature": 0.1, "ctc_loss_reduction": "sum", "ctc_zero_infinity": False, "diversity_loss_weight": 0.1,
    "feat_proj_dropout": 0.1, "feat_quantizer_dropout": 0.0, "gradient_checkpointing": False, "hidden_dropout": 0.1, "layerdrop": 0.1,
    "mask_time_prob": 0.075, "num_codevector_groups": 2, "num_codevectors_per_group": 320, "num_negatives": 100,
    "proj_codevector_dim": 768, "tdnn_dim": [512, 512, 512, 512, 1500], "tdnn_dilation": [1, 2, 3, 1, 1], "tdnn_kernel": [5, 3, 3, 1, 1],
    "torch_dtype": "float32", "transformers_version": "4.12.0.dev0", "use_weighted_layer_sum": False, "vocab_size": 32, "xvector_output_dim": 512,
}
XLSR_53: dict[str, Any] = XLS_R | {"transformers_version": "4.7.0.dev0", "feat_proj_dropout": 0.1, "mask_time_prob": 0.075}
"""The base of XLSR-53: keys as its fine-tuned models have them; not read itself."""
MMS: dict[str, Any] = XLS_R | {
    "adapter_attn_dim": 16, "adapter_kernel_size": 3, "adapter_stride": 2, "add_adapter": False, "architectures": ["Wav2Vec2ForCTC"],
    "codevector_dim": 1024, "ctc_loss_reduction": "mean", "ctc_zero_infinity": True, "hidden_size": 1280, "intermediate_size": 5120,
    "num_adapter_layers": 3, "num_hidden_layers": 48, "proj_codevector_dim": 1024, "transformers_version": "4.31.0.dev0", "vocab_size": 154,
}


@dataclass(frozen=True)
class Layout:
    """How one family of checkpoints is laid out; `vocab` is None for a self-supervised base."""

    config: dict[str, Any]
    vocab: dict[str, Any] | None
    marks: dict[str, Any] = field(default_factory=lambda: {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"})
    tokenizer: dict[str, Any] = field(default_factory=dict)
    added: dict[str, int] | None = None


def rows(*symbols: str) -> dict[str, int]:
    return {symbol: row for row, symbol in enumerate(symbols)}


LAYOUTS: dict[str, Layout] = {
    # Symbols and rows: the same author's alphabet.json (wav2vec2-xls-r-1b-spanish at c87916b: all but ö), and a list of his models'
    # vocabularies in public code, in capitals; the copy with a language model (patrickvonplaten/…-with-lm at 873b685) has a vocab.json of
    # 412 bytes and an alphabet.json of 283, as these 41 give. Not read: in which case the letters are in which revision, so both are here.
    "jonatasgrosman/wav2vec2-large-xlsr-53-spanish": Layout(
        LARGE, rows(*MARKS, "'", "-", *ALPHABET, *"áéíñóöúü"),
        tokenizer={"do_lower_case": False, "word_delimiter_token": "|", "tokenizer_file": None}),
    "jonatasgrosman/wav2vec2-large-xlsr-53-spanish, capitals": Layout(LARGE, rows(*MARKS, "'", "-", *ALPHABET.upper(), *"ÁÉÍÑÓÖÚÜ")),
    # As its training script first wrote it (jonatasgrosman/wav2vec2-sprint, run_common_voice.py): letters as a set gives them, in
    # capitals, | in the place of the blank, the special symbols at the end and within the head
    "jonatasgrosman/wav2vec2-sprint": Layout(LARGE, rows(*"ZÑÁECB", "|", *"DFGHIJKLMNOPQRSTUVWXYAÉÍÓÚÜ", "<unk>", "<pad>", "<s>", "</s>"),
                                             tokenizer={"word_delimiter_token": "|"}),
    # Settings: its tokenizer_config.json at 338e047. fairseq puts <s> before <pad>; the conversion exchanged their rows and left their order in
    # the file (transformers, convert_wav2vec2_original_pytorch_checkpoint_to_pytorch.py). Not read: the letters (the file has 370 bytes)
    "facebook/wav2vec2-large-xlsr-53-spanish": Layout(
        LARGE | {"ctc_loss_reduction": "sum", "ctc_zero_infinity": False},
        {"<s>": 1, "<pad>": 0, "</s>": 2, "<unk>": 3, "|": 4, **{letter: 5 + row for row, letter in enumerate(BY_FREQUENCY)}},
        tokenizer={"do_lower_case": True, "word_delimiter_token": "|", "tokenizer_file": None}),
    # Rows as of facebook/wav2vec2-base-960h; the accents are ours
    "capitals, as of LibriSpeech": Layout(LARGE, rows(*MARKS, *"ETAOINSHRDLUMWCFGYPBVKXJQZ", "'", *"ÑÁÉÍÓÚ")),
    # Settings: its tokenizer_config.json and added_tokens.json (78 and 79) at bd533a7. Made as the tutorial does: | in the place of the blank, then
    # [UNK] and [PAD]; <s> and </s> were added when the head was there and have no row in it (transformers, issue 15392). Not read: the letters
    "mrm8488/wav2vec2-large-xlsr-53-spanish": Layout(
        LARGE, rows(*"zñ:aecb", "|", *"dfghijklmnopqrstuvwxy;áéíóúü", *FOREIGN, "[UNK]", "[PAD]"),
        {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "[UNK]", "pad_token": "[PAD]"},
        {"do_lower_case": False, "word_delimiter_token": "|", "tokenizer_file": None}, added={"<s>": 78, "</s>": 79}),
    "facebook/wav2vec2-large-xlsr-53": Layout(XLSR_53, None),
    "facebook/wav2vec2-xls-r-300m": Layout(XLS_R, None),
    # Settings: tokenizer_config.json of mms-1b-fl102 at f3e9673 and, with target_lang, of a copy of mms-1b-l1107. Rows from 4 are the lines of a
    # language's dictionary, and the file is sorted by symbol (create_vocab.py of mms-1b-all at 0e87828). adapter.eng.safetensors of a copy has
    # 9.43 MB: 48 adapters and a head of 154 rows, as config.json says. Not read: the letters of a language and their order
    "facebook/mms-1b-all": Layout(
        MMS, {language: dict(sorted(rows(*MARKS, *letters).items())) for language, letters in (
            ("abi", "aeɔ"), ("eng", "etaoinshrdlu'"), ("spa", BY_FREQUENCY + "-0123456789"))},
        tokenizer={"target_lang": "eng", "word_delimiter_token": "|", "do_lower_case": False, "clean_up_tokenization_spaces": True,
                   "replace_word_delimiter_char": " ", "processor_class": "Wav2Vec2Processor", "tokenizer_class": "Wav2Vec2CTCTokenizer"}),
}
SPANISH = tuple(name for name, layout in LAYOUTS.items() if layout.vocab is not None and "spa" not in layout.vocab)


def lay(folder: Path, name: str, form: str = "bin", rename: bool = True, bare: bool = False, small: bool = True, seed: int = 8,
        **changes: Any) -> dict[str, torch.Tensor]:
    """Write a checkpoint of one of the families with random weights; return the weights of its network under today's names.

    Args:
        form: bin or safetensors.
        rename: whether the positional convolution has the names of before 2023 (weight_g, weight_v).
        bare: saved as the network alone, names without `wav2vec2.`.
        changes: keys of the configuration.
    """
    layout = LAYOUTS[name]
    folder.mkdir(parents=True, exist_ok=True)
    own = layout.vocab if layout.vocab is None or "eng" not in layout.vocab else layout.vocab["eng"]
    config = layout.config | (SMALL if small else {}) | {"vocab_size": len(own) if own else layout.config["vocab_size"]} | changes
    torch.manual_seed(seed)
    ours = Wav2Vec2Config(**{key: value for key, value in config.items() if key not in ("architectures", "transformers_version", "torch_dtype")})
    kind = Wav2Vec2Model if bare else Wav2Vec2ForPreTraining if layout.vocab is None else Wav2Vec2ForCTC
    weights = {key: tensor.clone() for key, tensor in kind(ours).state_dict().items()}
    _write(folder / f"{'pytorch_model' if form == 'bin' else 'model'}.{form}", old_names(weights) if rename else weights)
    files = {"config": config, "preprocessor_config": {
        "do_normalize": True, "feature_extractor_type": "Wav2Vec2FeatureExtractor", "feature_size": 1, "padding_side": "right",
        "padding_value": 0.0, "return_attention_mask": True, "sampling_rate": 16000}}
    if layout.vocab is not None:
        files |= {"vocab": layout.vocab, "special_tokens_map": layout.marks, "tokenizer_config": {**layout.marks, **layout.tokenizer}}
    if layout.added is not None:
        files["added_tokens"] = layout.added
    for stem, content in files.items():
        (folder / f"{stem}.json").write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    prefix = "wav2vec2." if bare else ""
    return {f"{prefix}{key}": tensor for key, tensor in weights.items() if not key.startswith(("quantizer.", "project_"))}


def split_up(folder: Path, parts: int = 3) -> list[Path]:
    """Write a checkpoint's one file of weights as several with an index, as save_pretrained does over a size; return them."""
    whole = next(file for file in (folder / "model.safetensors", folder / "pytorch_model.bin") if file.exists())
    weights = safetensors.torch.load_file(whole) if whole.suffix == ".safetensors" else torch.load(whole, weights_only=True)
    names, files = sorted(weights), []
    index: dict[str, Any] = {"metadata": {"total_size": sum(tensor.nbytes for tensor in weights.values())}, "weight_map": {}}
    for part in range(parts):
        files.append(folder / f"{whole.stem}-{part + 1:05d}-of-{parts:05d}{whole.suffix}")
        _write(files[-1], {name: weights[name] for name in names[part::parts]})
        index["weight_map"] |= dict.fromkeys(names[part::parts], files[-1].name)
    (folder / f"{whole.name}.index.json").write_text(json.dumps(index, indent=2))
    whole.unlink()
    return files


def lay_adapter(folder: Path, language: str, form: str = "safetensors", seed: int = 5) -> dict[str, torch.Tensor]:
    """Write a language's adapter beside an MMS checkpoint; return its weights."""
    config = json.loads((folder / "config.json").read_text())
    vocab = json.loads((folder / "vocab.json").read_text())[language]
    torch.manual_seed(seed)
    model = Wav2Vec2ForCTC(Wav2Vec2Config(**(config | {"vocab_size": len(vocab)})))
    weights = {name: torch.randn_like(tensor) for name, tensor in model._get_adapters().items()}
    _write(folder / f"adapter.{language}.{form}", weights)
    return weights


def old_names(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name.replace("parametrizations.weight.original0", "weight_g").replace("parametrizations.weight.original1", "weight_v"): tensor
            for name, tensor in weights.items()}


def _write(path: Path, weights: dict[str, torch.Tensor]) -> None:
    if path.suffix == ".bin":
        torch.save(weights, path)
    else:
        safetensors.torch.save_file(weights, path)
