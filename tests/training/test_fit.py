"""From a split to a model folder: what is stored, what a run is resumed by, and what a model has learned from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pipeline.core.errors import TrainingError
from pipeline.core.files import hash_file
from pipeline.model.artifact import load_model
from pipeline.model.provenance import TRAINED_ON, empty_trained_on, overlap, trained_on
from pipeline.scoring.counts import error_rates
from pipeline.training.config import Run
from pipeline.training.fit import fit
from tests import tiny

WORDS = tiny.vocabulary()
RUN = Run(batch_s=5, steps=3, peak_rate=1e-3, warmup_steps=1, seed=1, evaluate_every=2, checkpoint_s=0)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    tiny.write_split(tmp_path, tiny.TEXTS)
    tiny.write_split(tmp_path, tiny.TEXTS[:3], "dev")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VIZINHO_STATE", str(tmp_path / "state"))
    return tmp_path


def fitted(root: Path, model: Any = None, rates: Any = error_rates, run: Run = RUN, **more: Any) -> Path:
    fit(model or tiny.model(WORDS), WORDS, root / "data/split/portuguese", run, root / "out", "train@test", rates, {"system": "test"}, **more)
    return root / "out"


def test_the_folder_holds_model_record_history_and_what_was_learned_from(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = fitted(root)
    _, words, record = load_model(folder)
    history = pd.read_csv(folder / "history.csv")
    live = pd.read_csv(folder / "live/plots/metrics/dev_cer.tsv", sep="\t")
    assert live["step"].tolist() == history["step"].tolist() and live["dev_cer"].to_numpy() == pytest.approx(history["dev_cer"].to_numpy())
    assert words == WORDS
    assert history["step"].tolist() == [2, 3]
    assert record["inputs"]["split"]["train"] == hash_file(root / "data/split/portuguese/train.parquet")
    hours = pd.read_parquet(root / "data/split/portuguese/train.parquet")["duration_s"].sum() / 3600
    assert record["figures"]["train"] == {"utterances": 10, "speakers": 2, "hours": pytest.approx(hours), "impossible": 0}
    assert record["figures"]["dev_cer"] == pytest.approx(history["dev_cer"].iloc[-1])
    assert record["figures"]["skipped"] == 0
    assert (record["figures"]["kept_step"], record["figures"]["steps"], history["kept"].tolist()) == (3, 3, [0, 1])
    assert record["figures"]["preflight"]["hours_an_epoch"] == pytest.approx(hours)
    assert (record["system"], record["seed"], record["params"]["steps"], record["normaliser"]) == ("test", 1, 3, "pt-BR/1")
    assert len(pd.read_parquet(folder / TRAINED_ON)) == 10
    assert "after 3 steps" in capsys.readouterr().out.splitlines()[-1]


def test_a_run_that_ends_early_and_keeps_its_best_weights_is_a_result_that_says_so(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rates = iter([(0.4, 0.2), (0.6, 0.3), (0.5, 0.1)])
    run = RUN.model_copy(update={"steps": 9, "keep": "best", "patience": 2})
    folder = fitted(root, rates=lambda *_: next(rates), run=run)
    figures = load_model(folder)[2]["figures"]
    assert (figures["dev_wer"], figures["dev_cer"], figures["kept_step"], figures["steps"]) == (0.4, 0.2, 2, 6)
    assert pd.read_csv(folder / "history.csv")["kept"].tolist() == [1, 0, 0]
    assert "dev CER 0.2000, WER 0.4000 after 6 steps, the weights of step 2 kept, " in capsys.readouterr().out.splitlines()[-1]
    assert not list((root / "state").rglob("state.pt"))


def test_a_run_is_never_resumed_by_one_of_another_network_with_the_same_weights(root: Path) -> None:
    def fail(*_: Any) -> tuple[float, float]:
        raise KeyboardInterrupt

    for heads in (2, 4):
        with pytest.raises(KeyboardInterrupt):
            fitted(root, tiny.model(WORDS, num_attention_heads=heads), fail)
    assert len(list((root / "state").rglob("state.pt"))) == 2


def test_utterances_that_cannot_be_spelled_are_left_out_counted_and_too_many_are_an_error(root: Path) -> None:
    path = root / "data/split/portuguese/train.parquet"
    table = pd.read_parquet(path)
    table.loc[7, "text"] = "aeos" * 40
    table.to_parquet(path)
    _, _, record = load_model(fitted(root))
    assert (record["figures"]["train"]["utterances"], record["figures"]["train"]["impossible"]) == (9, 1)
    assert len(pd.read_parquet(root / "out" / TRAINED_ON)) == 9
    table.loc[[3, 9], "text"] = "aeos" * 40
    table.to_parquet(path)
    with pytest.raises(TrainingError) as caught:
        fitted(root)
    assert str(caught.value).startswith("train@test: training cannot work, 1 reason\n  labels: 3 of 10 utterances have more letters than frames "
                                        "(such as tones/train-003, tones/train-007, tones/train-009); expected at most 20%")


def test_what_the_donor_learned_from_counts_as_learned(root: Path) -> None:
    before = pd.DataFrame({"speaker": ["speak-es/1"], "sentence": ["abc"], "audio": ["def"]})
    learned = pd.read_parquet(fitted(root, before=before) / TRAINED_ON)
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
