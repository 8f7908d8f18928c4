"""From a split to a model folder: what is stored, how a run is resumed, and what a model was trained on."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from pipeline.core.closure import code_hash
from pipeline.core.errors import TrainingError
from pipeline.core.files import ROOT, hash_file
from pipeline.core.timing import read_timing
from pipeline.model.artifact import load_model
from pipeline.model.provenance import TRAINED_ON, empty_trained_on, overlap, trained_on
from pipeline.scoring.counts import error_rates
from pipeline.training import fit as fit_module
from pipeline.training.config import RunConfig
from pipeline.training.fit import fit, resume_key
from tests import tiny
from tests.training.test_trainer import cut_at

WORDS = tiny.vocabulary()
CONFIG = RunConfig(batch_s=5, steps=3, peak_rate=1e-3, warmup_steps=1, seed=1, evaluate_every=2, checkpoint_s=0)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    tiny.write_split(tmp_path, tiny.TEXTS)
    tiny.write_split(tmp_path, tiny.TEXTS[:3], "dev")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VIZINHO_STATE", str(tmp_path / "state"))
    return tmp_path


def fitted(root: Path, model: Any = None, rates: Any = error_rates, config: RunConfig = CONFIG, output: str = "out", **more: Any) -> Path:
    torch.set_flush_denormal(False)  # as in a fresh process: an earlier training has switched it on, which changes the initial weights
    fit(model or tiny.model(WORDS), WORDS, root / "data/split/portuguese", config, root / output, "train@test", rates, {"system": "test"}, **more)
    return root / output


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def test_the_folder_holds_model_record_history_and_training_data(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = fitted(root)
    _, words, record = load_model(folder)
    history = pd.read_csv(folder / "history.csv")
    live = pd.read_csv(root / "data/timing/curves/train/test/metrics/dev_cer.tsv", sep="\t")
    assert live["step"].tolist() == history["step"].tolist() and live["dev_cer"].to_numpy() == pytest.approx(history["dev_cer"].to_numpy())
    assert words == WORDS
    assert history["step"].tolist() == [2, 3]
    assert record["inputs"]["split"]["train"] == hash_file(root / "data/split/portuguese/train.parquet")
    duration_s = pd.read_parquet(root / "data/split/portuguese/train.parquet")["duration_s"]
    assert record["figures"]["train"] == {"utterances": 10, "speakers": 2, "hours": pytest.approx(duration_s.sum() / 3600), "infeasible": 0,
                                          "longest_s": pytest.approx(duration_s.max(), abs=1e-3)}
    assert record["figures"]["dev_cer"] == pytest.approx(history["dev_cer"].iloc[-1])
    assert record["figures"]["skipped"] == 0
    assert (record["figures"]["kept_step"], record["figures"]["steps"], history["kept"].tolist()) == (3, 3, [0, 1])
    assert record["figures"]["preflight"]["hours_per_epoch"] == pytest.approx(duration_s.sum() / 3600)
    assert (record["system"], record["seed"], record["params"]["steps"], record["normaliser"]) == ("test", 1, 3, "pt-BR/1")
    assert len(pd.read_parquet(folder / TRAINED_ON)) == 10
    assert "after 3 steps" in capsys.readouterr().out.splitlines()[-1]


def test_what_was_measured_is_recorded_as_timing_and_kept_by_the_next_run(root: Path) -> None:
    for _ in range(2):
        fitted(root)
        timing = read_timing("train@test", root)
        assert timing is not None
        assert timing["training_seconds"] >= 0 and 0 <= timing["waiting"] <= 1
        assert timing["steps_per_second"] > 0 and timing["audio_seconds_per_second"] > 0
        assert timing["peak_memory_bytes"] > 50_000_000
        assert timing["memory_estimate_bytes"] > 0 and timing["device_memory_bytes"] > 1 << 28
    rows = root / "data/timing/curves/train/test/metrics"
    assert {file.stem for file in rows.iterdir()} == {"loss", "dev_wer", "dev_cer", "learning_rate", "audio_seconds_per_second", "waiting"}
    before = (root / "data/timing/train/test/timing.json").read_bytes()
    with pytest.raises(KeyboardInterrupt):
        fitted(root, rates=cut_at(0))
    assert (root / "data/timing/train/test/timing.json").read_bytes() == before


def test_two_runs_of_the_same_training_give_the_same_folder_byte_for_byte_even_if_one_was_interrupted(root: Path) -> None:
    config = CONFIG.model_copy(update={"steps": 12, "ema": 0.9, "keep": "best"})
    whole = files_of(fitted(root, config=config, output="whole"))
    assert {"model.safetensors", "config.json", "vizinho.json", "history.csv", "trained_on.parquet"} <= whole.keys()
    with pytest.raises(KeyboardInterrupt):
        fitted(root, rates=cut_at(2), config=config, output="cut")
    assert not (root / "cut").exists()
    resumed = files_of(fitted(root, config=config, output="cut"))
    assert resumed.keys() == whole.keys()
    for name, content in whole.items():
        assert resumed[name] == content, name


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy of the code whose hash `resume_key` takes."""
    folder = tmp_path / "checkout"
    shutil.copytree(ROOT / "pipeline", folder / "pipeline", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(fit_module, "code_hash", lambda module: code_hash(module, folder))
    return folder


def edit(file: Path) -> None:
    assert file.exists()
    file.write_text(file.read_text(encoding="utf-8") + "\n# An edit.\n", encoding="utf-8")


@pytest.mark.parametrize("stage", ["train@test", "donor"])
def test_an_edit_outside_of_the_stages_code_and_another_checkpoint_s_keep_the_resume_key(checkout: Path, stage: str) -> None:
    model, inputs = tiny.model(WORDS), {"split": "a"}
    key = resume_key(stage, CONFIG, model, inputs)
    for file in ("pipeline/gate.py", "pipeline/tuning/batch_size.py", "pipeline/scoring/bootstrap.py", "pipeline/cli/main.py"):
        edit(checkout / file)
        assert resume_key(stage, CONFIG, model, inputs) == key, file
    assert resume_key(stage, CONFIG.model_copy(update={"checkpoint_s": 99.0}), model, inputs) == key


@pytest.mark.parametrize("stage", ["train@test", "donor"])
def test_an_edit_of_the_stages_code_another_config_and_other_inputs_change_the_resume_key(checkout: Path, stage: str) -> None:
    model, inputs = tiny.model(WORDS), {"split": "a"}
    keys = [resume_key(stage, CONFIG, model, inputs)]
    own = f"pipeline/{stage.partition('@')[0]}.py"
    for file in (own, "pipeline/training/optimiser.py", "pipeline/batching/batches.py", "pipeline/scoring/counts.py"):
        edit(checkout / file)
        keys.append(resume_key(stage, CONFIG, model, inputs))
    keys.append(resume_key(stage, CONFIG.model_copy(update={"seed": 2}), model, inputs))
    keys.append(resume_key(stage, CONFIG, model, {"split": "b"}))
    keys.append(resume_key(stage, CONFIG, tiny.model(WORDS, num_attention_heads=4), inputs))
    assert len(set(keys)) == len(keys)


def test_a_run_that_stops_early_and_keeps_its_best_weights_is_recorded_as_such(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rates = iter([(0.4, 0.2), (0.6, 0.3), (0.5, 0.1)])
    config = CONFIG.model_copy(update={"steps": 9, "keep": "best", "patience": 2})
    folder = fitted(root, rates=lambda *_: next(rates), config=config)
    figures = load_model(folder)[2]["figures"]
    assert (figures["dev_wer"], figures["dev_cer"], figures["kept_step"], figures["steps"]) == (0.4, 0.2, 2, 6)
    assert pd.read_csv(folder / "history.csv")["kept"].tolist() == [1, 0, 0]
    assert "dev CER 0.2000, WER 0.4000 after 6 steps, the weights of step 2 kept, " in capsys.readouterr().out.splitlines()[-1]
    assert not list((root / "state").rglob("state.pt"))


def test_a_run_is_never_resumed_with_another_network_of_the_same_weights(root: Path) -> None:
    def fail(*_: Any) -> tuple[float, float]:
        raise KeyboardInterrupt

    for heads in (2, 4):
        with pytest.raises(KeyboardInterrupt):
            fitted(root, tiny.model(WORDS, num_attention_heads=heads), fail)
    assert len(list((root / "state").rglob("state.pt"))) == 2


def test_infeasible_utterances_are_dropped_and_counted_and_too_many_are_an_error(root: Path) -> None:
    path = root / "data/split/portuguese/train.parquet"
    table = pd.read_parquet(path)
    table.loc[7, "text"] = "aeos" * 40
    table.to_parquet(path)
    _, _, record = load_model(fitted(root))
    assert (record["figures"]["train"]["utterances"], record["figures"]["train"]["infeasible"]) == (9, 1)
    assert len(pd.read_parquet(root / "out" / TRAINED_ON)) == 9
    table.loc[[3, 9], "text"] = "aeos" * 40
    table.to_parquet(path)
    with pytest.raises(TrainingError) as caught:
        fitted(root)
    assert str(caught.value).startswith("train@test: training cannot work, 1 reason\n  labels: 3 of 10 utterances have more letters than frames "
                                        "(such as tones/train-003, tones/train-007, tones/train-009); expected at most 20%")


def test_the_donors_training_data_counts_as_the_models(root: Path) -> None:
    before = pd.DataFrame({"speaker": ["speak-es/1"], "sentence": ["abc"], "audio": ["def"]})
    learned = pd.read_parquet(fitted(root, donor_trained_on=before) / TRAINED_ON)
    assert len(learned) == 11
    assert learned["speaker"].iloc[0] == "speak-es/1"


def test_an_overlap_with_test_is_counted_by_speaker_sentence_and_recording(root: Path) -> None:
    train = pd.read_parquet(root / "data/split/portuguese/train.parquet")
    test = train.iloc[:4].copy()
    test["speaker"], test["audio_hash"] = ["tones/train-0", "tones/new", "", ""], ["train0", "x", "y", "z"]
    test["text"] = ["asa", "nova", "ossos", "nada"]
    before = trained_on(train.assign(speaker=[*train["speaker"][:-1], ""]))
    assert overlap(before, test) == {"speakers": 1, "sentences": 2, "recordings": 1}
    assert overlap(before, test.assign(speaker_dependent=True))["speakers"] == 0
    empty_trained_on(root)
    assert overlap(pd.read_parquet(root / TRAINED_ON), test) == {"speakers": 0, "sentences": 0, "recordings": 0}
