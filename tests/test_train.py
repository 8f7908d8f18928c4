"""The stage `train`: transfer from a donor by symbol, and the same training from scratch."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
import yaml

from pipeline import donor, train
from pipeline.batching import waveforms
from pipeline.core import params as core_params
from pipeline.core.errors import MissingInputError, ParamsError, VocabularyError
from pipeline.core.files import hash_file, read_json
from pipeline.core.timing import read_timing
from pipeline.model.artifact import expects_normalised_input, load_model, parameters, save_model
from pipeline.model.provenance import empty_trained_on
from pipeline.training import augmentation
from tests import tiny
from tests.checkpoints import LAYOUTS, lay, lay_adapter
from tests.small_run import clone, dvc, environment

DONOR, TARGET = tiny.vocabulary("rosaeñ"), tiny.vocabulary("aeosrã")
TINY_RATE = 1e-12
"""A learning rate that changes no weight visibly: the trained model is the initial one."""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VIZINHO_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(core_params.load_section, "__kwdefaults__", {"path": tmp_path / "params.yaml"})
    tiny.write_split(tmp_path, tiny.TEXTS)
    tiny.write_split(tmp_path, tiny.TEXTS[:3], "dev")
    words = tmp_path / "data/tokenise/portuguese"
    words.mkdir(parents=True)
    (words / "vocabulary.json").write_text(json.dumps({symbol: row for row, symbol in enumerate(TARGET.symbols)}, ensure_ascii=False))
    learned = pd.DataFrame({"speaker": ["speak-es/1"], "sentence": ["s"], "audio": ["a"]})
    save_model(tiny.model(DONOR, seed=9), DONOR, tmp_path / "data/donor", {"figures": None},
               lambda folder: learned.to_parquet(folder / "trained_on.parquet"))
    return tmp_path


def run(root: Path, system: str = "transfer", rate: float = TINY_RATE, **changes: Any) -> tuple[Any, dict[str, Any]]:
    """Run the stage; return the model and its record."""
    section = {"seed": 1, "steps": 3, "head": "base_letter", "config": {"batch_s": 5, "evaluate_every": 10}, "systems": {
        "transfer": {"starts_from": "data/donor", "peak_rate": rate, "warmup_steps": 1},
        "scratch": {"starts_from": "data/donor/config.json", "peak_rate": rate, "warmup_steps": 1},
        "scratch_long": {"starts_from": "data/donor/config.json", "peak_rate": rate, "warmup_steps": 1, "steps_factor": 3},
    }, **changes}
    (root / "params.yaml").write_text(yaml.safe_dump({"train": section}, sort_keys=False))
    train.run(system)
    model, words, record = load_model(root / "data/train" / system)
    assert words == TARGET
    return model, record


def test_transfer_starts_with_the_donors_encoder_and_its_head_by_symbol(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, record = run(root)
    source = tiny.model(DONOR, seed=9)
    for name, tensor in model.wav2vec2.state_dict().items():
        assert torch.allclose(tensor, source.wav2vec2.state_dict()[name], atol=1e-8), name
    for symbol, origin in {"r": "r", "o": "o", "ã": "a", "|": "|", "<pad>": "<pad>"}.items():
        assert torch.allclose(model.lm_head.weight[TARGET.symbols.index(symbol)], source.lm_head.weight[DONOR.symbols.index(origin)], atol=1e-8)
    assert {row["symbol"]: row["donor_symbol"] for row in record["head_plan"]}["ã"] == "a"
    assert record["donor"]["vocabulary_hash"] == DONOR.hash
    assert model.config.vocab_size == len(TARGET.symbols)
    assert "ã←a" in capsys.readouterr().out
    assert "speak-es/1" in set(pd.read_parquet(root / "data/train/transfer/trained_on.parquet")["speaker"])


def test_the_head_strategy_is_a_param(root: Path) -> None:
    for head, hows in (("random", {"copied", "fresh"}), ("fresh", {"fresh"})):
        _, record = run(root, head=head)
        assert {row["how"] for row in record["head_plan"]} == hows
        assert record["head"] == head
        assert record["head_left_behind"] == (["ñ"] if head == "random" else list(DONOR.symbols))


def test_the_donors_top_blocks_get_fresh_weights_where_the_config_has_reinit_top_layers(root: Path) -> None:
    config = {"batch_s": 5, "evaluate_every": 10, "reinit_top_layers": 1}
    model, record = run(root, config=config)
    block, source = model.wav2vec2.encoder.layers[0].state_dict(), tiny.model(DONOR, seed=9).wav2vec2
    assert not torch.allclose(block["attention.q_proj.weight"], source.encoder.layers[0].attention.q_proj.weight, atol=1e-3)
    assert torch.allclose(model.wav2vec2.feature_projection.projection.weight, source.feature_projection.projection.weight, atol=1e-8)
    assert record["params"]["reinit_top_layers"] == 1
    assert run(root, "scratch", config=config)[1]["params"]["reinit_top_layers"] == 0
    with pytest.raises(ParamsError, match="reinit_top_layers: found 2; expected at most 1"):
        run(root, config=config | {"reinit_top_layers": 2})


def test_adapters_are_merged_before_the_model_is_saved_and_scratch_has_none(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = {"batch_s": 5, "evaluate_every": 10, "lora": {"rank": 2, "target_modules": ["q_proj", "v_proj"]}}
    model, record = run(root, rate=1e-2, config=config)
    source = tiny.model(DONOR, seed=9).state_dict()
    changed = {name for name, tensor in model.state_dict().items() if not name.startswith("lm_head") and not torch.equal(tensor, source[name])}
    assert changed == {f"wav2vec2.encoder.layers.0.attention.{name}.weight" for name in ("q_proj", "v_proj")}
    trained = 2 * 2 * (32 + 32) + 33 * len(TARGET.symbols)
    assert record["figures"]["preflight"]["trained_parameters"] == trained
    assert record["figures"]["preflight"]["parameters"] == parameters(model)
    assert read_timing("train@transfer", root)["peak_memory_bytes"] > 50_000_000  # type: ignore[index]
    assert f"{trained / 1e6:.3g} of {parameters(model) / 1e6:.3g} M parameters trained, peak memory " in capsys.readouterr().out
    assert run(root, "scratch", config=config)[1]["params"]["lora"] is None
    with pytest.raises(ParamsError, match=r"target_modules: found key_proj; expected some of .*k_proj, out_proj, output_dense, q_proj, v_proj"):
        run(root, config=config | {"lora": {"target_modules": ["key_proj"]}})
    with pytest.raises(ParamsError, match="lora beside reinit_top_layers: 1; expected one of them"):
        run(root, config=config | {"reinit_top_layers": 1})


@pytest.mark.parametrize("name", [pytest.param(name, marks=[] if "53-spanish, capitals" in name else [pytest.mark.slow])
                                  for name in LAYOUTS])
def test_every_checkpoint_that_donor_imports_is_transferred_to_portuguese(root: Path, name: str) -> None:
    folder, language = root / "raw", "spa" if "mms" in name else None
    lay(folder, name, "safetensors" if language else "bin", num_hidden_layers=3)
    if language:
        lay_adapter(folder, language)
    base = LAYOUTS[name].vocab is None
    section = {"source": "raw", "vocabulary": "data/tokenise/portuguese/vocabulary.json" if base else "raw/vocab.json", "language": language,
               "seed": 1, "steps": 1, "peak_rate": 1e-3, "warmup_steps": 0, "config": {"batch_s": 5}, "model": {}}
    (root / "params.yaml").write_text(yaml.safe_dump({"donor": section}))
    donor.run()
    before, words, _ = load_model(root / "data/donor")
    model, record = run(root, rate=1e-3, head="fresh" if base else "base_letter", config={
        "batch_s": 5, "evaluate_every": 10, "freeze_feature_encoder": True, "freeze_encoder_steps": 1, "unfreeze_every": 1, "layer_decay": 0.9,
        "spec_augment": {"from_step": 1}})
    assert record["donor"]["vocabulary_hash"] == words.hash
    how = "fresh" if base else "copied" if "ã" in words.symbols else "base letter"
    assert {row["symbol"]: row["how"] for row in record["head_plan"]}["ã"] == how
    for key, tensor in model.state_dict().items():
        frozen = key.startswith("wav2vec2") and "encoder.layers.2." not in key and "encoder.layers.1." not in key and "encoder.layer_norm" not in key
        if not key.endswith("k_proj.bias") and not key.startswith("lm_head"):
            assert torch.equal(tensor, before.state_dict()[key]) == frozen, key


def test_scratch_has_the_donors_shape_and_none_of_its_weights_or_data(root: Path) -> None:
    model, record = run(root, "scratch", config={"batch_s": 5, "evaluate_every": 10, "freeze_feature_encoder": True})
    fresh, source = tiny.model(TARGET, seed=1), tiny.model(DONOR, seed=9)
    weight = model.wav2vec2.encoder.layers[0].attention.q_proj.weight
    assert torch.allclose(weight, fresh.wav2vec2.encoder.layers[0].attention.q_proj.weight, atol=1e-8)
    assert not torch.allclose(weight, source.wav2vec2.encoder.layers[0].attention.q_proj.weight, atol=1e-3)
    assert (record["head_plan"], record["donor"]) == (None, None)
    assert record["params"]["freeze_feature_encoder"] is False
    assert "speak-es/1" not in set(pd.read_parquet(root / "data/train/scratch/trained_on.parquet")["speaker"])


def test_each_system_has_its_own_number_of_steps(root: Path) -> None:
    assert run(root, "scratch")[1]["params"]["steps"] == 3
    assert run(root, "scratch_long")[1]["params"]["steps"] == 9


def test_training_changes_the_weights(root: Path) -> None:
    initial, _ = run(root)
    trained, _ = run(root, rate=1e-2)
    assert not torch.allclose(initial.lm_head.weight, trained.lm_head.weight, atol=1e-4)


def test_a_model_that_expects_samples_as_they_are_is_trained_on_them(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = tiny.model(DONOR, seed=9, do_normalize=False)
    save_model(plain, DONOR, root / "data/donor", {"figures": None}, empty_trained_on)
    monkeypatch.setattr(waveforms, "standardise", lambda _: pytest.fail("standardised"))
    monkeypatch.setattr(augmentation, "standardise", lambda _: pytest.fail("standardised"))
    for system in ("transfer", "scratch"):
        model, _ = run(root, system, config={"batch_s": 5, "evaluate_every": 10, "augment": {"rate": 1.0, "snr_db": [10, 20]}})
        assert not expects_normalised_input(model)


def test_an_unknown_system_or_a_missing_donor_is_named(root: Path) -> None:
    with pytest.raises(ParamsError, match=r"train\.systems: no 'student'; found transfer, scratch, scratch_long"):
        run(root, "student")
    (root / "data/donor/model.safetensors").unlink()
    with pytest.raises(MissingInputError, match="data/donor: no model"):
        run(root)


def test_no_row_is_copied_from_a_donor_that_came_without_a_head(root: Path) -> None:
    save_model(tiny.model(DONOR, seed=9), DONOR, root / "data/donor", {"origin": {"head": "fresh"}}, empty_trained_on)
    with pytest.raises(ParamsError, match="train.head: found 'base_letter'; data/donor came without a head, so no row can be copied; "
                                          "expected 'fresh'"):
        run(root)
    _, record = run(root, head="fresh")
    assert {row["how"] for row in record["head_plan"]} == {"fresh"}


@pytest.mark.slow
def test_a_system_may_start_from_a_multilingual_base_beside_transfer_and_scratch(root: Path) -> None:
    weights = lay(root / "data/raw/xlsr", "facebook/wav2vec2-large-xlsr-53")
    start = {"starts_from": "data/raw/xlsr", "peak_rate": TINY_RATE, "warmup_steps": 1}
    with pytest.raises(ParamsError, match="train.head: found 'base_letter'; data/raw/xlsr came without a head, so no row can be copied"):
        run(root, "multilingual", systems={"multilingual": start})
    model, record = run(root, "multilingual", systems={"multilingual": start | {"head": "fresh"}})
    for name, tensor in model.wav2vec2.state_dict().items():
        assert torch.allclose(tensor, weights[f"wav2vec2.{name}"], atol=1e-8), name
    assert {row["how"] for row in record["head_plan"]} == {"fresh"}
    assert record["donor"]["weights_hash"] == hash_file(root / "data/raw/xlsr/pytorch_model.bin")
    assert set(pd.read_parquet(root / "data/train/multilingual/trained_on.parquet")["speaker"]) == {"tones/train-0", "tones/train-1"}
    transfer = run(root, "transfer", systems={"multilingual": start | {"head": "fresh"}, "transfer": start | {"starts_from": "data/donor"}})[1]
    assert transfer["head"] == "base_letter", "other systems keep train.head"
    trained = run(root, "multilingual", systems={"multilingual": start | {"head": "fresh", "peak_rate": 1e-2}},
                config={"batch_s": 5, "evaluate_every": 10, "lora": {"rank": 2}, "freeze_encoder_steps": 1})[0]
    assert not torch.allclose(trained.lm_head.weight, model.lm_head.weight, atol=1e-3), "the settings for transfer apply to it as well"
    with pytest.raises(MissingInputError, match="data/raw/nothing"):
        run(root, "multilingual", systems={"multilingual": start | {"starts_from": "data/raw/nothing"}})


@pytest.mark.slow
def test_a_checkpoint_with_a_head_may_be_started_from_as_it_was_published(root: Path) -> None:
    weights = lay(root / "data/raw/xlsr", "jonatasgrosman/wav2vec2-large-xlsr-53-spanish")
    model, record = run(root, systems={"transfer": {"starts_from": "data/raw/xlsr", "peak_rate": TINY_RATE, "warmup_steps": 1}})
    rows = LAYOUTS["jonatasgrosman/wav2vec2-large-xlsr-53-spanish"].vocab or {}
    assert torch.allclose(model.lm_head.weight[TARGET.symbols.index("ã")], weights["lm_head.weight"][rows["a"]], atol=1e-8)
    assert record["head"] == "base_letter"


def test_a_donor_with_another_vocabulary_is_refused(root: Path) -> None:
    TARGET.write(root / "data/donor")
    with pytest.raises(VocabularyError, match=DONOR.hash[:12]):
        run(root)


def test_the_utterances_that_align_kept_are_the_training_data_where_train_split_names_them(root: Path) -> None:
    _, record = run(root)
    assert (record["split"], record["alignment"]) == ("data/split/portuguese", None)
    kept = root / "data/align/portuguese"
    kept.mkdir(parents=True)
    pd.read_parquet(root / "data/split/portuguese/train.parquet")[:7].to_parquet(kept / "train.parquet")
    (kept / "dev.parquet").write_bytes((root / "data/split/portuguese/dev.parquet").read_bytes())
    (kept / "alignment.json").write_text('{"schema": "vizinho.align/2"}')
    _, record = run(root, split="data/align/portuguese")
    assert record["figures"]["train"]["utterances"] == 7
    assert record["inputs"]["split"]["train"] == hash_file(kept / "train.parquet")
    assert (record["split"], record["alignment"]) == ("data/align/portuguese", {"schema": "vizinho.align/2"})
    with pytest.raises(ParamsError, match=r"train\.split: found 'data/elsewhere'; expected 'data/split/portuguese' or 'data/align/portuguese'"):
        run(root, split="data/elsewhere")


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_multilingual_start_is_trained_by_dvc_and_scored_on_the_same_test_set(tmp_path: Path) -> None:
    folder = clone(tmp_path)
    lay(folder / "data/raw/xlsr", "facebook/wav2vec2-large-xlsr-53", "safetensors", hidden_dropout=0.0, num_hidden_layers=1,
        conv_kernel=[10, 8, 8], conv_stride=[5, 8, 8])
    params = yaml.safe_load((folder / "params.yaml").read_text(encoding="utf-8"))
    params["train"]["systems"]["multilingual"] = {"starts_from": "data/raw/xlsr", "head": "fresh", "peak_rate": 1e-3, "warmup_steps": 10}
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")
    done = dvc(folder, "repro", "train@multilingual")
    assert done.returncode == 0, done.stdout[-3000:]
    assert "train@transfer" not in done.stdout
    for words in (("transcribe", "multilingual", "data/train/multilingual"), ("score", "multilingual")):
        subprocess.run([sys.executable, "-m", f"pipeline.{words[0]}", *words[1:]], cwd=folder, env=environment(folder), check=True)
    figures = read_json(folder / "data/score/multilingual.json")
    assert figures["system"] == "multilingual" and figures["test_set"]["utterances"] > 10
    assert "up to date" in dvc(folder, "status", "train@multilingual").stdout
