"""Checkpoints in the layouts of the hub, at small size: old names, pickles, and folders whose files do not match."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from transformers import Wav2Vec2CTCTokenizer, Wav2Vec2FeatureExtractor, Wav2Vec2Processor

from pipeline.batching.waveforms import prepare
from pipeline.core.errors import DataError, MissingInputError, VocabularyError
from pipeline.core.files import hash_bytes, hash_file, read_json
from pipeline.model.artifact import expects_normalised_input, fresh_model, load_model, parameters, save_model
from pipeline.model.checkpoint import read_checkpoint
from pipeline.model.head import plan_head, transfer_head
from pipeline.model.vocabulary import Vocabulary
from tests import tiny
from tests.checkpoints import LAYOUTS, SPANISH, lay, lay_adapter, split_up

GROSMAN, BASE, MMS = "jonatasgrosman/wav2vec2-large-xlsr-53-spanish", "facebook/wav2vec2-xls-r-300m", "facebook/mms-1b-all"
MASK = "wav2vec2.masked_spec_embed"
PORTUGUESE = Vocabulary(("<pad>", "<unk>", "|", *"abcdefghijlmnopqrstuvxzáâãàçéêíóôõúü-"))


@pytest.mark.parametrize("name", SPANISH)
@pytest.mark.parametrize("form", ["bin", "safetensors"])
@pytest.mark.parametrize("rename", [True, False])
def test_every_weight_loads_under_old_and_new_names_pickled_or_not(tmp_path: Path, name: str, form: str, rename: bool) -> None:
    expected = lay(tmp_path, name, form, rename)
    model, words, origin = read_checkpoint(tmp_path)
    assert words.symbols == tuple(sorted(LAYOUTS[name].vocab or {}, key=(LAYOUTS[name].vocab or {}).__getitem__))
    found = model.state_dict()
    assert "wav2vec2.encoder.pos_conv_embed.conv.parametrizations.weight.original0" in found
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[key], expected[key]) for key in expected)
    assert not model.training
    file = "pytorch_model.bin" if form == "bin" else "model.safetensors"
    assert origin == {"folder": tmp_path.name, "weights": file, "weights_sha256": hash_file(tmp_path / file), "language": None, "head": "its own"}


def test_the_layouts_have_the_sizes_of_the_published_files() -> None:
    """Published sizes of the files, which a test cannot download."""
    grosman, marks = LAYOUTS[GROSMAN].vocab or {}, LAYOUTS[GROSMAN].marks
    assert len(json.dumps(grosman)) == 412
    spelled = ["", "<s>", "</s>", "\u2047", " ", *list(grosman)[5:]]
    assert len(json.dumps({"labels": spelled, "is_bpe": False})) == 283
    assert len(json.dumps(marks)) == 85
    assert len(json.dumps(LAYOUTS[MMS].marks, indent=2, sort_keys=True)) == 96 - 1  # and a line feed
    added, own = LAYOUTS["mrm8488/wav2vec2-large-xlsr-53-spanish"].added, LAYOUTS["mrm8488/wav2vec2-large-xlsr-53-spanish"].vocab
    assert added == {"<s>": len(own or {}), "</s>": len(own or {}) + 1}


@pytest.mark.parametrize("form", ["bin", "safetensors"])
def test_weights_in_several_files_load_like_those_in_one(tmp_path: Path, form: str) -> None:
    expected = lay(tmp_path, GROSMAN, form)
    files = split_up(tmp_path)
    model, _, origin = read_checkpoint(tmp_path)
    assert all(torch.equal(tensor, expected[key]) for key, tensor in model.state_dict().items())
    assert origin["weights"] == f"{'pytorch_model.bin' if form == 'bin' else 'model.safetensors'}.index.json"
    checksums = subprocess.run(["sha256sum", *(file.name for file in files)], cwd=tmp_path, capture_output=True, check=True).stdout
    assert origin["weights_sha256"] == hash_bytes(checksums)
    files[1].unlink()
    with pytest.raises(MissingInputError, match=rf"no \w+-00002-of-00003\.{form}; expected the 3 files that .*index\.json names; download the whole"):
        read_checkpoint(tmp_path)


def test_a_weight_that_is_in_none_of_the_files_is_named(tmp_path: Path) -> None:
    lay(tmp_path, GROSMAN, "safetensors")
    index = read_json((split_up(tmp_path)[0]).with_name("model.safetensors.index.json"))
    gone = index["weight_map"].pop("lm_head.bias")
    kept = {name: tensor for name, tensor in safetensors.torch.load_file(tmp_path / gone).items() if name != "lm_head.bias"}
    safetensors.torch.save_file(kept, tmp_path / gone)
    with pytest.raises(DataError, match=r'do not fit the configuration: .*Missing key.* "lm_head.bias"'):
        read_checkpoint(tmp_path)


@pytest.mark.parametrize("places", [{}, {"lm_head.bias": "../../secret.safetensors"}, {"lm_head.bias": "model.bin"}, {"lm_head.bias": 3}, [1]])
def test_an_index_of_nothing_or_of_files_elsewhere_is_refused(tmp_path: Path, places: Any) -> None:
    lay(tmp_path, GROSMAN, "safetensors")
    split_up(tmp_path)
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    with pytest.raises(DataError, match=r"model\.safetensors\.index\.json: an index of .*expected a weight_map to \.safetensors files beside it"):
        read_checkpoint(tmp_path)


def test_a_feature_extractor_that_leaves_samples_as_they_are_is_followed(tmp_path: Path) -> None:
    lay(tmp_path, GROSMAN)
    settings = read_json(tmp_path / "preprocessor_config.json")
    for do_normalize, normalised in ((True, True), (False, False)):
        (tmp_path / "preprocessor_config.json").write_text(json.dumps(settings | {"do_normalize": do_normalize}))
        model, words, origin = read_checkpoint(tmp_path)
        assert expects_normalised_input(model) == normalised
        save_model(model, words, tmp_path / "donor", {"origin": origin})
        again = load_model(tmp_path / "donor")[0]
        assert expects_normalised_input(again) == normalised
        assert expects_normalised_input(fresh_model(read_json(tmp_path / "donor/config.json"), words, 1)) == normalised, "as its donor"
        assert ("do_normalize" in read_json(tmp_path / "donor/config.json")) != normalised
        theirs = Wav2Vec2Processor.from_pretrained(tmp_path / "donor")
        samples = tiny.spoken("rosa era")
        inputs = theirs(samples.astype(np.float32) / 32768, sampling_rate=16000, return_tensors="np").input_values[0]
        assert np.abs(inputs - prepare(samples, expects_normalised_input(again))).max() < 1e-4


def save_processor(folder: Path, **settings: Any) -> None:
    """Replace the processor of a checkpoint by one that this release of transformers has saved, with another feature extractor."""
    tokenizer = Wav2Vec2CTCTokenizer.from_pretrained(folder)
    for name in ("preprocessor_config.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.json", "added_tokens.json"):
        (folder / name).unlink(missing_ok=True)
    Wav2Vec2Processor(Wav2Vec2FeatureExtractor(**settings), tokenizer).save_pretrained(folder)
    assert (folder / "processor_config.json").exists() and not (folder / "preprocessor_config.json").exists()


@pytest.mark.parametrize("name", SPANISH)
@pytest.mark.parametrize("do_normalize", [True, False])
def test_a_processor_that_transformers_5_has_saved_is_read(tmp_path: Path, name: str, do_normalize: bool) -> None:
    lay(tmp_path, name)
    before = read_checkpoint(tmp_path)[1]
    save_processor(tmp_path, do_normalize=do_normalize)
    model, words, origin = read_checkpoint(tmp_path)
    assert (expects_normalised_input(model), words) == (do_normalize, before)
    save_model(model, words, tmp_path / "donor", {"origin": origin})
    assert expects_normalised_input(load_model(tmp_path / "donor")[0]) == do_normalize
    assert Wav2Vec2Processor.from_pretrained(tmp_path / "donor").feature_extractor.do_normalize == do_normalize
    save_processor(tmp_path, do_normalize=do_normalize, sampling_rate=8000)
    with pytest.raises(DataError, match=r"processor_config\.json: a network for audio at 8000 Hz; expected 16000 Hz"):
        read_checkpoint(tmp_path)


NOT = {"do_normalize": False}


@pytest.mark.parametrize(("files", "normalised"), [
    ({"processor_config": {"processor_class": "Wav2Vec2Processor"}, "preprocessor_config": NOT}, False),  # of transformers 4
    ({"processor_config": {"processor_class": "Wav2Vec2Processor"}}, True),
    ({"processor_config": {"feature_extractor": NOT}}, False),
    ({"processor_config": {"audio_processor": NOT}}, False),
    ({"processor_config": {"feature_extractor": NOT}, "preprocessor_config": NOT}, False),
    ({"feature_extractor_config": NOT}, False),
    ({"tokenizer_config": NOT}, False),  # of Wav2Vec2Tokenizer
    ({"tokenizer_config": NOT, "preprocessor_config": {"do_normalize": True}}, True),
    ({"feature_extractor_config": NOT, "preprocessor_config": {"do_normalize": True}}, True),
    ({"preprocessor_config": {}}, True), ({}, True),
])
def test_the_feature_extractor_is_found_where_a_release_keeps_it(tmp_path: Path, files: dict[str, Any], normalised: bool) -> None:
    lay(tmp_path, GROSMAN)
    (tmp_path / "preprocessor_config.json").unlink()
    for name, content in files.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    assert expects_normalised_input(read_checkpoint(tmp_path)[0]) == normalised


@pytest.mark.parametrize(("files", "message"), [
    ({"processor_config": {"feature_extractor": NOT}, "preprocessor_config": {"do_normalize": True}},
     r"do_normalize: false in processor_config\.json, true in preprocessor_config\.json; expected one value"),
    ({"processor_config": {"feature_extractor": {"sampling_rate": 8000}}, "preprocessor_config": {}}, r"processor_config\.json: .*8000 Hz"),
    ({"processor_config": {"feature_extractor": {}}, "preprocessor_config": {"sampling_rate": 48000}}, r"preprocessor_config\.json: .*48000 Hz"),
    ({"processor_config": {"feature_extractor": {"feature_extractor_type": "SeamlessM4TFeatureExtractor"}}},
     "a feature extractor of type 'SeamlessM4TFeatureExtractor'; expected 'Wav2Vec2FeatureExtractor', which takes waveforms"),
    ({"processor_config": {"feature_extractor": "Wav2Vec2FeatureExtractor"}}, "expected the settings of a feature extractor"),
    ({"preprocessor_config": [1]}, "expected the settings of a feature extractor"),
])
def test_a_feature_extractor_that_does_not_fit_is_an_error(tmp_path: Path, files: dict[str, Any], message: str) -> None:
    lay(tmp_path, GROSMAN)
    (tmp_path / "preprocessor_config.json").unlink()
    for name, content in files.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match=message):
        read_checkpoint(tmp_path)


@pytest.mark.parametrize("name", SPANISH)
def test_each_layout_gives_its_letters_to_portuguese_by_symbol(tmp_path: Path, name: str) -> None:
    weights = lay(tmp_path, name)
    model, words, _ = read_checkpoint(tmp_path)
    assert (words.blank_row, model.config.pad_token_id) == (LAYOUTS[name].vocab[LAYOUTS[name].marks["pad_token"]],) * 2  # type: ignore[index]
    plan = plan_head(words, PORTUGUESE, "base_letter")
    head = transfer_head(model.lm_head, plan, 32, 0.02, 1)
    for row, symbol in enumerate(PORTUGUESE.symbols):
        capital = words.upper_case
        known = (symbol.upper() if capital else symbol) in words.symbols  # some have letters of names of other languages
        letter = symbol if known else {"ã": "a", "â": "a", "à": "a", "õ": "o", "ô": "o", "ç": "c", "ê": "e"}.get(symbol, symbol)
        if letter not in ("<pad>", "<unk>", "-") and (letter != "ü" or known):
            there = words.symbols.index(letter.upper() if capital else letter)
            assert torch.equal(head.weight[row], weights["lm_head.weight"][there]), symbol
    assert not any(row.donor_symbol in ("<s>", "</s>", "'", "¡", ":") for row in plan)


def test_harmful_settings_are_corrected_and_the_others_kept(tmp_path: Path) -> None:
    lay(tmp_path, GROSMAN, ctc_loss_reduction="sum", ctc_zero_infinity=False, pad_token_id=3)
    config = read_checkpoint(tmp_path)[0].config
    assert (config.ctc_loss_reduction, config.ctc_zero_infinity, config.layerdrop, config.pad_token_id) == ("mean", True, 0.0, 0)
    assert (config.mask_time_prob, config.hidden_dropout, config.feat_extract_norm) == (0.05, 0.05, "layer")


@pytest.mark.parametrize("name", SPANISH)
def test_a_converted_checkpoint_loads_as_a_model_of_this_pipeline(tmp_path: Path, name: str) -> None:
    expected = lay(tmp_path, name)
    model, words, origin = read_checkpoint(tmp_path)
    save_model(model, words, tmp_path / "donor", {"origin": origin})
    again, vocabulary, record = load_model(tmp_path / "donor")
    assert vocabulary == words
    assert all(torch.equal(tensor, expected[key]) for key, tensor in again.state_dict().items())
    assert record["origin"]["weights_sha256"] == hash_file(tmp_path / "pytorch_model.bin")
    assert not list((tmp_path / "donor").glob("*.bin"))


@pytest.mark.parametrize("name", SPANISH)
def test_the_same_number_of_other_symbols_beside_the_weights_is_refused_at_load(tmp_path: Path, name: str) -> None:
    lay(tmp_path, name)
    model, words, _ = read_checkpoint(tmp_path)
    save_model(model, words, tmp_path / "donor", {})
    path = tmp_path / "donor/vocab.json"
    vocab = read_json(path)
    first, second = (symbol for symbol in ("a", "e", "A", "E") if symbol in vocab)
    path.write_text(json.dumps(vocab | {first: vocab[second], second: vocab[first]}))
    with pytest.raises(VocabularyError, match=f"expected {words.hash[:12]}, which the weights were made for"):
        load_model(tmp_path / "donor")


def test_sentence_marks_that_were_added_after_the_head_are_no_rows_and_others_are_refused(tmp_path: Path) -> None:
    name = "mrm8488/wav2vec2-large-xlsr-53-spanish"
    lay(tmp_path, name)
    assert LAYOUTS[name].added and not {"<s>", "</s>"} & set(read_checkpoint(tmp_path)[1].symbols)
    (tmp_path / "added_tokens.json").write_text(json.dumps({"ǎ": 78, "ǒ": 79}))
    with pytest.raises(VocabularyError, match="a head of 78 rows and a vocabulary of 80 symbols"):
        read_checkpoint(tmp_path)


@pytest.mark.parametrize("bare", [False, True])
def test_a_self_supervised_base_gets_a_fresh_head_for_the_given_vocabulary(tmp_path: Path, bare: bool) -> None:
    expected = lay(tmp_path, BASE, bare=bare)
    tiny.vocabulary("aeosã").write(tmp_path / "words") if (tmp_path / "words").mkdir() is None else None
    model, words, origin = read_checkpoint(tmp_path, headless=tmp_path / "words/vocab.json", seed=3)
    assert words == tiny.vocabulary("aeosã")
    assert origin["head"] == "fresh"
    found = model.state_dict()
    assert found.keys() == expected.keys() | {"lm_head.weight", "lm_head.bias"}
    assert all(torch.equal(found[key], expected[key]) for key in expected)
    assert found["lm_head.weight"].shape == (8, 32) and found["lm_head.weight"].std() < 0.04
    again = read_checkpoint(tmp_path, headless=tmp_path / "words/vocab.json", seed=3)[0]
    assert torch.equal(again.lm_head.weight, model.lm_head.weight)
    with pytest.raises(VocabularyError, match=r"weights without a head .*set donor\.vocabulary"):
        read_checkpoint(tmp_path)


def test_the_vector_of_masked_frames_exists_only_where_the_configuration_masks(tmp_path: Path) -> None:
    weights = lay(tmp_path / "masks", GROSMAN)
    assert torch.equal(read_checkpoint(tmp_path / "masks")[0].state_dict()[MASK], weights[MASK])
    (tmp_path / "masks/config.json").write_text(json.dumps(read_json(tmp_path / "masks/config.json") | {"mask_time_prob": 0.0}))
    assert MASK not in read_checkpoint(tmp_path / "masks")[0].state_dict()
    lay(tmp_path / "none", GROSMAN, mask_time_prob=0.0)
    (tmp_path / "none/config.json").write_text(json.dumps(read_json(tmp_path / "none/config.json") | {"mask_time_prob": 0.05}))
    one, other = (read_checkpoint(tmp_path / "none", seed=4)[0].state_dict()[MASK] for _ in range(2))
    assert torch.equal(one, other)


@pytest.mark.parametrize("form", ["safetensors", "bin"])
def test_mms_gives_the_vocabulary_the_adapter_and_the_head_of_one_language(tmp_path: Path, form: str) -> None:
    expected = lay(tmp_path, MMS, "safetensors", rename=False)
    adapter = lay_adapter(tmp_path, "spa", form)
    model, words, origin = read_checkpoint(tmp_path, "spa")
    assert words.symbols[:7] == ("<pad>", "<s>", "</s>", "<unk>", "|", "e", "a") and len(words.symbols) == 49
    found = model.state_dict()
    assert found.keys() == expected.keys()
    assert {"lm_head.weight", "wav2vec2.encoder.layers.1.adapter_layer.linear_1.weight"} <= adapter.keys()
    assert all(torch.equal(found[key], adapter.get(key, tensor)) for key, tensor in expected.items())
    assert (origin["language"], origin["adapter"]) == ("spa", f"adapter.spa.{form}")
    assert origin["adapter_sha256"] == hash_file(tmp_path / f"adapter.spa.{form}")
    save_model(model, words, tmp_path / "donor", {})
    again, vocabulary, _ = load_model(tmp_path / "donor")
    assert vocabulary == words
    assert all(torch.equal(tensor, found[key]) for key, tensor in again.state_dict().items())


def test_mms_without_a_language_or_its_adapter_is_refused_with_the_available_ones(tmp_path: Path) -> None:
    lay(tmp_path, MMS, "safetensors")
    lay_adapter(tmp_path, "eng")
    with pytest.raises(VocabularyError, match=r"vocabularies of 3 languages and none chosen; expected one of abi, eng, spa; set donor\.language"):
        read_checkpoint(tmp_path)
    with pytest.raises(MissingInputError, match=r"no adapter for 'spa' \(adapters: adapter\.eng\.safetensors\); expected adapter\.spa\.safetensors"):
        read_checkpoint(tmp_path, "spa")
    lay(tmp_path / "one", GROSMAN)
    with pytest.raises(VocabularyError, match=r"one vocabulary; expected one for 'spa'; leave donor\.language out"):
        read_checkpoint(tmp_path / "one", "spa")


def test_another_kind_of_network_or_rate_is_named(tmp_path: Path) -> None:
    lay(tmp_path, GROSMAN)
    for change, text in (({"model_type": "hubert"}, "a network of type 'hubert'; expected 'wav2vec2'"), ({"add_adapter": True}, "add_adapter: true")):
        (tmp_path / "config.json").write_text(json.dumps(read_json(tmp_path / "config.json") | {"add_adapter": False} | change))
        with pytest.raises(DataError, match=text):
            read_checkpoint(tmp_path)
        (tmp_path / "config.json").write_text(json.dumps(read_json(tmp_path / "config.json") | {"model_type": "wav2vec2"}))
    lay(tmp_path, GROSMAN)
    (tmp_path / "preprocessor_config.json").write_text('{"sampling_rate": 8000}')
    with pytest.raises(DataError, match="audio at 8000 Hz; expected 16000 Hz"):
        read_checkpoint(tmp_path)


class Malicious:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.target),)


def test_a_pickle_that_runs_code_is_refused_and_not_run(tmp_path: Path) -> None:
    weights = lay(tmp_path, GROSMAN)
    torch.save({**weights, "surprise": Malicious(tmp_path / "owned")}, tmp_path / "pytorch_model.bin")
    with pytest.raises(DataError, match=r"pytorch_model\.bin: not plain weights .*convert it to safetensors where you trust it"):
        read_checkpoint(tmp_path)
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize(("form", "message"), [("bin", r"pytorch_model\.bin: not plain weights"), ("safetensors", r"damaged .*restore it")])
def test_a_damaged_file_is_named(tmp_path: Path, form: str, message: str) -> None:
    lay(tmp_path, GROSMAN, form)
    file = next(tmp_path.glob(f"*.{form}"))
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(DataError, match=message):
        read_checkpoint(tmp_path)


def test_a_head_of_another_size_than_the_vocabulary_is_refused(tmp_path: Path) -> None:
    lay(tmp_path, GROSMAN, vocab_size=40)
    with pytest.raises(VocabularyError, match="a head of 40 rows and a vocabulary of 41 symbols"):
        read_checkpoint(tmp_path)


def test_a_head_without_its_vocabulary_is_refused(tmp_path: Path) -> None:
    lay(tmp_path, GROSMAN)
    (tmp_path / "vocab.json").unlink()
    with pytest.raises(MissingInputError, match="no vocab.json"):
        read_checkpoint(tmp_path)


def test_weights_that_are_missing_or_do_not_fit_are_refused(tmp_path: Path) -> None:
    lay(tmp_path, GROSMAN)
    (tmp_path / "config.json").write_text(json.dumps(read_json(tmp_path / "config.json") | {"intermediate_size": 50}))
    with pytest.raises(DataError, match="weights do not fit the configuration"):
        read_checkpoint(tmp_path)
    (tmp_path / "pytorch_model.bin").unlink()
    with pytest.raises(MissingInputError, match="no weights; expected model.safetensors or pytorch_model.bin, or the index of either"):
        read_checkpoint(tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_checkpoint_of_full_size_is_converted_and_transferred(tmp_path: Path) -> None:
    expected = lay(tmp_path / "xlsr", GROSMAN, small=False)
    model, words, origin = read_checkpoint(tmp_path / "xlsr")
    assert round(parameters(model) / 1e6) == 315
    save_model(model, words, tmp_path / "donor", {"origin": origin})
    del model
    again, vocabulary, _ = load_model(tmp_path / "donor")
    assert all(torch.equal(tensor, expected[key]) for key, tensor in again.state_dict().items())
    plan = plan_head(vocabulary, PORTUGUESE, "base_letter")
    assert {row.symbol for row in plan if row.how == "base letter"} == set("ãâàçêôõ")
    assert transfer_head(again.lm_head, plan, 1024, 0.02, 1).weight.shape == (len(PORTUGUESE.symbols), 1024)
