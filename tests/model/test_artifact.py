"""Models on disk: a saved model loads, here and with plain transformers; mismatched files are refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import safetensors.torch
import torch

from pipeline.batching.waveforms import standardise
from pipeline.core.errors import DataError, MissingInputError, VocabularyError
from pipeline.core.files import hash_file, read_json
from pipeline.decoding.forward import logits_of
from pipeline.decoding.greedy import decode
from pipeline.model import artifact
from pipeline.model.artifact import fresh_model, load_model, parameters, save_model
from pipeline.model.vocabulary import Vocabulary
from tests import tiny

WORDS = tiny.vocabulary()


def letter_emitting_model(seed: int = 3):  # type: ignore[no-untyped-def]
    """Return a random model whose head is steep enough to emit letters, and never the unknown symbol."""
    model = tiny.model(WORDS, seed)
    with torch.no_grad():
        model.lm_head.weight.mul_(60)
        model.lm_head.bias[1] = -1e4
    return model


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_model(letter_emitting_model(), WORDS, tmp_path / "model", {"label": "test", "figures": None})
    return tmp_path / "model"


def test_a_saved_model_loads_with_every_bit_and_its_record(folder: Path) -> None:
    model, words, record = load_model(folder)
    expected = letter_emitting_model().state_dict()
    assert not model.training
    assert words == WORDS
    assert expected.keys() == model.state_dict().keys()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in model.state_dict().items())
    assert (record["schema"], record["label"], record["vocabulary_hash"]) == ("vizinho.model/3", "test", WORDS.hash)
    assert record["weights_hash"] == hash_file(folder / "model.safetensors")
    assert parameters(model) == sum(tensor.numel() for tensor in expected.values())


def test_the_same_model_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    for again in (tmp_path / "again", tmp_path / "and again"):  # the library's header has no fixed order: one equal pair may be chance
        save_model(letter_emitting_model(), WORDS, again, {"label": "test", "figures": None})
        for file in folder.iterdir():
            assert file.read_bytes() == (again / file.name).read_bytes(), file.name


def test_plain_transformers_transcribes_the_same(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    from transformers import AutoModelForCTC, AutoProcessor, pipeline

    model, words, _ = load_model(folder)
    processor, plain = AutoProcessor.from_pretrained(folder), AutoModelForCTC.from_pretrained(folder).eval()
    recogniser = pipeline("automatic-speech-recognition", model=str(folder), device="cpu")
    hypotheses = []
    for number, text in enumerate(tiny.TEXTS[:5]):
        samples = tiny.spoken(text, number)
        ours = decode(logits_of(model, [standardise(samples)])[0], words, 0.02).text
        sound = samples.astype(np.float32) / 32768
        inputs = processor(sound, sampling_rate=16_000, return_tensors="pt")
        with torch.inference_mode():
            logits_BTV = plain(**inputs).logits
        assert np.abs(logits_BTV[0].numpy() - logits_of(model, [standardise(samples)])[0]).max() < 1e-2  # of about 60
        assert " ".join(processor.batch_decode(logits_BTV.argmax(-1))[0].split()) == ours
        assert " ".join(recogniser(sound.copy())["text"].split()) == ours
        hypotheses.append(ours)
    assert len(set(hypotheses)) > 2, hypotheses


def test_another_vocabulary_of_the_same_size_is_refused_with_both_hashes(folder: Path) -> None:
    swapped = Vocabulary((*WORDS.symbols[:3], *reversed(WORDS.symbols[3:])))
    (folder / "vocab.json").write_text(json.dumps({symbol: row for row, symbol in enumerate(swapped.symbols)}))
    with pytest.raises(VocabularyError) as caught:
        load_model(folder)
    assert swapped.hash[:12] in str(caught.value)
    assert f"expected {WORDS.hash[:12]}, which the weights were made for" in str(caught.value)


def test_weights_from_another_model_are_refused_with_both_hashes(folder: Path, tmp_path: Path) -> None:
    other = tiny.vocabulary("roesa")
    save_model(tiny.model(other), other, tmp_path / "other", {})
    shutil.copyfile(tmp_path / "other/model.safetensors", folder / "model.safetensors")
    with pytest.raises(VocabularyError, match=f"vocabulary {WORDS.hash[:12]}; expected {other.hash[:12]}, which the weights were made for"):
        load_model(folder)


def test_a_record_from_another_model_is_refused(folder: Path) -> None:
    record = read_json(folder / "vizinho.json") | {"vocabulary_hash": "0" * 64}
    (folder / "vizinho.json").write_text(json.dumps(record))
    with pytest.raises(VocabularyError, match=r"expected 000000000000, which vizinho\.json"):
        load_model(folder)


def test_other_weights_of_the_same_shape_and_vocabulary_are_refused_with_both_hashes(folder: Path, tmp_path: Path) -> None:
    save_model(letter_emitting_model(4), WORDS, tmp_path / "other", {})
    shutil.copyfile(tmp_path / "other/model.safetensors", folder / "model.safetensors")
    found, expected = (hash_file(place / "model.safetensors")[:12] if place != folder else read_json(folder / "vizinho.json")["weights_hash"][:12]
                       for place in (tmp_path / "other", folder))
    with pytest.raises(DataError, match=rf"model\.safetensors: SHA-256 {found}; expected {expected}, as in vizinho\.json; .*dvc checkout"):
        load_model(folder)


def test_one_changed_bit_of_the_weights_is_found_and_an_unchanged_file_is_hashed_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[Path] = []
    monkeypatch.setattr(artifact, "hash_file", lambda file: hashed.append(Path(file)) or hash_file(file))
    artifact._hash_once.cache_clear()
    load_model(folder)
    load_model(folder)
    assert hashed == [folder / "model.safetensors"]
    content = bytearray((folder / "model.safetensors").read_bytes())
    content[-3] ^= 1
    (folder / "model.safetensors").write_bytes(content)
    with pytest.raises(DataError, match="as in vizinho.json"):
        load_model(folder)


@pytest.mark.parametrize("rows", [0, 1, None], ids=["emptied", "shortened", "removed"])
def test_a_training_record_that_is_not_the_saved_one_is_refused(tmp_path: Path, rows: int | None) -> None:
    learned = pd.DataFrame({"speaker": ["a", "b"], "sentence": ["c", "d"], "audio": ["e", "f"]})
    save_model(tiny.model(WORDS), WORDS, tmp_path / "model", {}, lambda made: learned.to_parquet(made / "trained_on.parquet"))
    assert load_model(tmp_path / "model")[2]["trained_on"]["rows"] == 2
    if rows is None:
        (tmp_path / "model/trained_on.parquet").unlink()
    else:
        learned[:rows].to_parquet(tmp_path / "model/trained_on.parquet")
    with pytest.raises(DataError, match=rf"trained_on\.parquet: {'no such file' if rows is None else f'{rows} rows'}.*; expected 2 rows, SHA-256"):
        load_model(tmp_path / "model")


def test_a_model_of_the_form_before_loads_without_a_description_of_its_training_record(folder: Path) -> None:
    record = read_json(folder / "vizinho.json") | {"schema": "vizinho.model/2"}
    del record["trained_on"]
    (folder / "vizinho.json").write_text(json.dumps(record))
    load_model(folder)
    (folder / "vizinho.json").write_text(json.dumps(record | {"schema": "vizinho.model/3"}))
    (folder / "trained_on.parquet").write_bytes(b"not Parquet")
    with pytest.raises(DataError, match=r"trained_on\.parquet"):
        load_model(folder)


def test_weights_without_a_vocabularys_hash_are_refused(folder: Path) -> None:
    safetensors.torch.save_file(safetensors.torch.load_file(folder / "model.safetensors"), folder / "model.safetensors")
    with pytest.raises(VocabularyError, match="which the weights were made for"):
        load_model(folder)


@pytest.mark.parametrize("gone", ["vizinho.json", "model.safetensors", "vocab.json"])
def test_a_missing_file_is_named_with_what_to_do(folder: Path, gone: str) -> None:
    (folder / gone).unlink()
    with pytest.raises(MissingInputError, match=r"dvc repro|vocab\.json"):
        load_model(folder)


def test_weights_of_another_shape_are_refused(folder: Path) -> None:
    config = read_json(folder / "config.json") | {"intermediate_size": 65}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(DataError, match=r"weights do not fit the configuration: .*intermediate_dense\.weight"):
        load_model(folder)


def test_damaged_weights_are_named(folder: Path) -> None:
    whole = (folder / "model.safetensors").read_bytes()
    for damaged in (whole[: len(whole) // 2], b"", b"\xff" * 64):
        (folder / "model.safetensors").write_bytes(damaged)
        with pytest.raises(DataError, match=r"model\.safetensors: damaged .*dvc checkout"):
            load_model(folder)


def test_a_pickled_file_beside_the_weights_is_never_read(folder: Path) -> None:
    (folder / "pytorch_model.bin").write_bytes(b"not even a pickle")
    load_model(folder)
    (folder / "model.safetensors").unlink()
    with pytest.raises(MissingInputError):
        load_model(folder)


def test_a_failure_while_saving_leaves_the_old_folder(folder: Path) -> None:
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    def fail(_: Path) -> None:
        raise OSError("disk full")
    with pytest.raises(OSError, match="disk full"):
        save_model(tiny.model(), WORDS, folder, {}, fail)
    with pytest.raises(ValueError, match="not JSON compliant"):
        save_model(tiny.model(), WORDS, folder, {"figures": float("nan")})
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    assert list(folder.parent.iterdir()) == [folder]


def test_fresh_weights_follow_the_seed_and_the_settings_are_safe_ones() -> None:
    one, again, other = tiny.model(seed=1), tiny.model(seed=1), tiny.model(seed=2)
    assert all(torch.equal(mine, theirs) for mine, theirs in zip(one.parameters(), again.parameters(), strict=True))
    assert not torch.equal(one.lm_head.weight, other.lm_head.weight)
    config = one.config
    assert (config.ctc_loss_reduction, config.ctc_zero_infinity, config.feat_extract_norm, config.layerdrop) == ("mean", True, "layer", 0.0)
    assert (config.vocab_size, config.pad_token_id) == (len(WORDS.symbols), WORDS.blank_row)


def test_a_donors_config_makes_the_same_shape_for_another_vocabulary(folder: Path) -> None:
    wider = tiny.vocabulary("aeosrãç")
    model = fresh_model(read_json(folder / "config.json"), wider, 1)
    assert model.config.vocab_size == model.lm_head.weight.shape[0] == len(wider.symbols)
    first, expected = (made.wav2vec2.feature_extractor.conv_layers[0].conv.weight for made in (model, tiny.model()))
    assert torch.equal(first, expected), "a filter bank again"
