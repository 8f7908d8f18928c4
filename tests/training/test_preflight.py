"""The checks before the first step: their report, and the refusal of a training that is not possible, with all reasons at once."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from pipeline.core.errors import TrainingError
from pipeline.model.vocabulary import Vocabulary
from pipeline.training.config import Lora
from pipeline.training.lora import add_adapters, count_trainable
from pipeline.training.preflight import UNREACHABLE, Preflight, device_memory_bytes, estimate_memory, frames_and_needed, frames_needed, preflight
from tests import tiny
from tests.training.test_trainer import WORDS, run_config

MEMORY = 1 << 40


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pd.DataFrame]:
    folder: Path = tmp_path_factory.mktemp("tones")
    return {"train": tiny.write_split(folder, tiny.TEXTS), "dev": tiny.write_split(folder, tiny.TEXTS[:3], "dev")}


def check(tables: dict[str, pd.DataFrame], words: Vocabulary = WORDS, memory: int = MEMORY, model: Any = None, **values: Any) -> Preflight:
    return preflight(model or tiny.model(words), words, tables, run_config(**values), memory)


def changed(tables: dict[str, pd.DataFrame], **columns: Any) -> dict[str, pd.DataFrame]:
    return tables | {"train": tables["train"].assign(**columns)}


def test_the_report_has_labels_letters_lengths_steps_and_memory(tables: dict[str, pd.DataFrame], capsys: pytest.CaptureFixture[str]) -> None:
    found = check(tables)
    assert not found.problems
    assert [line.split()[0] for line in found.lines] == ["labels", "labels", "vocabulary", "lengths", "steps", "memory"]
    labels, _, vocabulary, lengths, steps, memory = found.lines
    assert labels.startswith("labels      train: 7.") and "0 of 10 utterances have more labels than frames" in labels
    assert vocabulary == "vocabulary  5 letters in the transcripts, 0 without a row"
    seconds = tables["train"]["duration_s"]
    assert lengths.startswith(f"lengths     0–1 s: {(seconds < 1).sum()}, 1–2 s: {(seconds >= 1).sum()}; longest {seconds.max():.1f} s (")
    assert steps.startswith("steps       12, ") and f"of {seconds.sum() / 3600:.2f} hours and 3 steps" in steps
    assert memory.startswith("memory      about 0.0") and "the device has 1024.0 GiB" in memory
    assert found.device_figures["device_memory_bytes"] == MEMORY
    assert found.figures["epochs"] == pytest.approx(12 / found.figures["steps_per_epoch"], abs=1e-3)
    found.report("test")
    assert capsys.readouterr().out.startswith("test: before the first step\n  labels ")


def test_doubled_letters_need_a_frame_between_them() -> None:
    assert frames_needed(WORDS, ["asa", "assa", "sss", "", " ", "a  a"]).tolist() == [3, 5, 5, UNREACHABLE, 1, 5]


def infeasible(model: Any, words: Any, texts: list[str], duration_s: Any) -> Any:
    frames, needed = frames_and_needed(model, words, texts, duration_s)
    return frames < needed


def test_utterances_without_a_ctc_path_are_found_also_with_doubled_letters() -> None:
    model = tiny.model(WORDS)  # 20 ms per frame, the first of 55 ms
    frames_s = 0.02 * np.arange(1, 8) + 0.04
    assert infeasible(model, WORDS, ["aes"] * 7, frames_s).tolist() == [True, True, False, False, False, False, False]
    assert infeasible(model, WORDS, ["assa"] * 7, frames_s).tolist() == [True] * 4 + [False] * 3
    assert infeasible(model, WORDS, ["", " "], np.array([9.0, 9.0])).tolist() == [True, False]


def test_an_utterance_is_infeasible_exactly_if_its_loss_is_infinite() -> None:
    model = tiny.model(WORDS).train()
    model.config.ctc_zero_infinity = False
    for text in ("aes", "assa", "ss", "a e"):
        for samples in range(800, 3200, 160):
            labels = torch.tensor([WORDS.encode(text)])
            loss = model(torch.randn(1, samples), labels=labels).loss if samples >= 880 else torch.tensor(float("inf"))
            assert bool(infeasible(model, WORDS, [text], np.array([samples / 16_000]))[0]) == bool(torch.isinf(loss)), (text, samples)


def test_letters_without_a_row_are_counted_and_too_many_are_a_problem(tables: dict[str, pd.DataFrame]) -> None:
    rare = check(changed(tables, text=["asax", *tables["train"]["text"][1:]]))
    assert "6 letters in the transcripts, 1 without a row: 'x' (1 times)" in rare.lines[2] and not rare.problems
    assert rare.figures["letters_without_row"] == {"x": 1}
    capitals = check(changed(tables, text=tables["train"]["text"].str.upper()))
    assert capitals.problems[-1].startswith("vocabulary: 100.0% of the letters have no row ('A' (14 times), 'S' (14 times)")
    assert not check(tables, Vocabulary(("<pad>", "<unk>", "|", *"AEOSR"))).problems, "a vocabulary of capitals takes small letters"
    assert "rows without use: ã ç" in check(tables, tiny.vocabulary("aeosrãç")).lines[2]


def test_all_reasons_are_listed_at_once(tables: dict[str, pd.DataFrame]) -> None:
    broken = changed(tables, text=["aeos" * 60 + "xyz" * 40] * 10) | {"dev": tables["dev"][:0]}
    with pytest.raises(TrainingError) as caught:
        check(broken, memory=1 << 10).report("train@test")
    lines = str(caught.value).splitlines()
    assert lines[0] == "train@test: training cannot work, 4 reasons"
    assert [line.split(":")[0].strip() for line in lines[1:]] == ["train", "dev", "vocabulary", "memory"]
    assert "no utterance whose labels fit its frames" in lines[1] and "dev: no utterance" in lines[2]
    assert "lower batch_s and raise accumulate" in lines[4]


def test_utterances_without_a_length_are_named(tables: dict[str, pd.DataFrame]) -> None:
    seconds = tables["train"]["duration_s"].to_numpy().copy()
    seconds[[2, 5]] = 0.0, np.nan
    found = check(changed(tables, duration_s=seconds))
    assert any(problem.startswith("lengths: 2 utterances have no length (such as tones/train-002, tones/train-005)") for problem in found.problems)


def test_long_utterances_and_a_warm_up_longer_than_the_run_are_reported(tables: dict[str, pd.DataFrame]) -> None:
    found = check(tables, batch_s=1.0, warmup_steps=12)
    assert f"; {(tables['train']['duration_s'] > 1).sum()} longer than batch_s, each a batch alone" in found.lines[3]
    assert found.lines[4].endswith("the warm-up takes 12 of them, so the peak rate is never reached")


BIG = {"conv_dim": [64] * 7, "conv_kernel": [10, 3, 3, 3, 3, 2, 2], "conv_stride": [5, 2, 2, 2, 2, 2, 2], "hidden_size": 128, "num_hidden_layers": 4,
       "num_attention_heads": 4, "intermediate_size": 512, "front_end": None}
DROPS = {"hidden_dropout": 0.1, "attention_dropout": 0.1, "activation_dropout": 0.1}


@pytest.mark.parametrize("shape", [BIG, BIG | DROPS, {"hidden_size": 96, "intermediate_size": 384, "num_hidden_layers": 2}],
                         ids=["seven convolutions", "with dropout", "two convolutions"])
def test_the_estimate_of_memory_is_near_that_of_a_steps_activations(shape: dict[str, Any]) -> None:
    model = tiny.model(WORDS, **shape).train()
    _, estimate = estimate_memory(model, run_config(batch_s=12.0), 4.0)
    assert 0.67 < estimate / activation_bytes(model) < 1.5


def activation_bytes(model: Any) -> int:
    """Return the bytes of the activations that three utterances of 4 s keep for the backward pass."""
    model.wav2vec2.feature_extractor._requires_grad = False
    weights, kept = {weight.untyped_storage().data_ptr() for weight in model.parameters()}, {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = 0 if storage.data_ptr() in weights else storage.nbytes()
        return tensor

    waveform_BS = torch.randn(3, 64000)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        model(waveform_BS, attention_mask=torch.ones(3, 64000, dtype=torch.long), labels=torch.tensor([WORDS.encode("asa")] * 3))
    return sum(kept.values())


def test_adapters_need_less_memory_and_so_does_the_estimate(tables: dict[str, pd.DataFrame]) -> None:
    config, model = run_config(batch_s=12.0, lora={"rank": 4}), tiny.model(WORDS, **BIG).train()
    fixed, estimate = estimate_memory(model, config, 4.0)
    assert fixed < estimate_memory(model, run_config(batch_s=12.0), 4.0)[0] / 2
    add_adapters(model, Lora(rank=4), 1)
    assert 0.67 < estimate / activation_bytes(model) < 1.5
    line = check(tables, model=tiny.model(WORDS, **BIG), lora={"rank": 4}).lines[-1]
    assert f"({count_trainable(tiny.model(WORDS, **BIG), config) / 1e6:.3g} of " in line and "M parameters are trained)" in line


def test_the_memory_of_the_weights_grows_with_trainable_ones_and_replicas() -> None:
    model = tiny.model(WORDS)
    count = sum(weight.numel() for weight in model.parameters())
    assert estimate_memory(model, run_config(), 1.0)[0] == 16 * count
    assert estimate_memory(model, run_config(replicas=2), 1.0)[0] == 20 * count
    deep = tiny.model(WORDS, num_hidden_layers=6)
    assert estimate_memory(deep, run_config(gradient_checkpointing=True), 1.0)[1] < estimate_memory(deep, run_config(), 1.0)[1]


def test_on_a_cpu_the_memory_is_that_of_the_machine() -> None:
    assert 1 << 28 < device_memory_bytes(torch.device("cpu")) <= os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def test_the_freezing_schedule_is_reported_also_where_it_outlasts_the_run(tables: dict[str, pd.DataFrame]) -> None:
    assert check(tables, freeze_encoder_steps=4, unfreeze_every=2).lines[5] == \
        "freezing    the head alone for 4 steps, then the encoder, one more block every 2 steps"
    assert check(tables, freeze_encoder_steps=12).lines[5] == "freezing    the head alone for 12 steps, then the encoder: never within this run"


@pytest.mark.slow
def test_a_hundred_thousand_utterances_take_seconds() -> None:
    random = np.random.default_rng(1)
    texts = ["".join(random.choice(list("aeosr "), 60)) for _ in range(1000)] * 100
    table = pd.DataFrame({"utterance_id": [f"u{number}" for number in range(len(texts))], "text": texts,
                          "duration_s": random.gamma(5, 1.2, len(texts)) + 2})
    began = time.process_time()
    check({"train": table, "dev": table[:100]}, batch_s=160.0)
    assert time.process_time() - began < 15


def test_the_moving_average_and_the_best_weights_take_memory_for_a_copy_each() -> None:
    model = tiny.model()
    weights = sum(weight.numel() for weight in model.parameters()) * 4
    plain = estimate_memory(model, run_config(), 1.0)[0]
    assert estimate_memory(model, run_config(ema=0.9), 1.0)[0] == plain + weights
    assert estimate_memory(model, run_config(ema=0.9, keep="best"), 1.0)[0] == plain + weights * (1 if torch.cuda.is_available() else 2)


def test_a_processs_estimate_has_one_more_utterance_and_processes_share_the_cpu(tables: dict[str, pd.DataFrame]) -> None:
    model = tiny.model()
    alone, shared = estimate_memory(model, run_config(batch_s=10.0), 4.0), estimate_memory(model, run_config(batch_s=10.0, processes=2), 4.0)
    assert shared[0] == alone[0] and shared[1] == pytest.approx(1.2 * alone[1], rel=1e-6)
    if not torch.cuda.is_available():
        longest_s = float(tables["train"]["duration_s"].max())
        estimate = check(tables, processes=2).device_figures["memory_estimate_bytes"]
        assert estimate == 2 * sum(estimate_memory(model, run_config(processes=2), longest_s))
    assert "12, 12.00 epochs" in check(tables, processes=20).lines[4]
