"""The loop: it learns, an interrupted run gives the same result, and errors stop it."""

from __future__ import annotations

import dataclasses
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import safetensors.torch
import torch

from pipeline.batching.batches import Schedule
from pipeline.core.errors import TrainingError
from pipeline.core.files import ROOT
from pipeline.scoring.counts import error_rates
from pipeline.training import trainer as training
from pipeline.training.config import RunConfig
from pipeline.training.ema import ExponentialMovingAverage
from pipeline.training.state import remove_state
from pipeline.training.trainer import ErrorRates, TrainingResult, Utterances, train
from tests import tiny

WORDS = tiny.vocabulary()


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("tones")
    tiny.write_split(folder, tiny.TEXTS * 2)
    tiny.write_split(folder, tiny.TEXTS[:6], "dev", seed=100)
    return folder


def utterances(root: Path, name: str) -> Utterances:
    return Utterances.of(pd.read_parquet(root / f"data/split/portuguese/{name}.parquet"), root / "data/ingest")


def run_config(**values: Any) -> RunConfig:
    return RunConfig.model_validate({"batch_s": 5, "steps": 12, "peak_rate": 1e-2, "warmup_steps": 4, "seed": 1, "evaluate_every": 6,
                               "checkpoint_s": 1e9, "optimiser": "muon", **values})


def trained(root: Path, resume: Path, model: Any = None, **values: Any) -> tuple[Any, pd.DataFrame]:
    """Return the model after training, and its history."""
    model, result = trained_with_timing(root, resume, model, **values)
    return model, result.history


def trained_with_timing(root: Path, resume: Path, model: Any = None, **values: Any) -> tuple[Any, TrainingResult]:
    model = model or tiny.model(WORDS)
    return model, train(model, WORDS, utterances(root, "train"), utterances(root, "dev"), run_config(**values), resume, error_rates, "test")


def cut_at(evaluation: int) -> ErrorRates:
    """Return error rates that interrupt the training at an evaluation, counted from 0."""
    evaluations = count()

    def rates(references: Sequence[str], hypotheses: Sequence[str]) -> tuple[float, float]:
        if next(evaluations) == evaluation:
            raise KeyboardInterrupt
        return error_rates(references, hypotheses)

    return rates


def equal(one: Any, other: Any) -> bool:
    return all(torch.equal(mine, theirs) for mine, theirs in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


@pytest.mark.slow
def test_it_learns_to_transcribe_unseen_recordings(root: Path, tmp_path: Path) -> None:
    model, result = trained_with_timing(root, tmp_path, steps=150, evaluate_every=50, warmup_steps=10)
    history, timing = result.history, result.timing
    assert history["step"].tolist() == [50, 100, 150]
    assert history["loss"].is_monotonic_decreasing
    assert history["dev_cer"].iloc[-1] < 0.05
    assert not model.training
    assert history["learning_rate"].iloc[-1] == pytest.approx(0.02 * 1e-2)
    assert (np.diff(history["audio_s"]) > 0).all()
    assert timing["step"].tolist() == [50, 100, 150] and timing["seconds"].is_monotonic_increasing
    assert ((timing["waiting"] >= 0) & (timing["waiting"] <= 1)).all()
    assert not {"seconds", "waiting"} & set(history), "nothing measured"


def test_the_same_run_twice_gives_the_same_weights_and_another_seed_others(root: Path, tmp_path: Path) -> None:
    one, history = trained(root, tmp_path / "a")
    again, same = trained(root, tmp_path / "b")
    other, _ = trained(root, tmp_path / "c", seed=2)
    assert equal(one, again)
    pd.testing.assert_frame_equal(history, same)
    assert not equal(one, other)


def test_two_replicas_give_the_losses_of_one_on_the_same_batches(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "Schedule", lambda duration_s, budget_s, seed, parts: Schedule(duration_s, budget_s, seed, 2))
    _, alone = trained(root, tmp_path / "a", evaluate_every=1, steps=6)
    _, shared = trained(root, tmp_path / "b", evaluate_every=1, steps=6, replicas=2)
    assert np.abs(alone["loss"] - shared["loss"]).max() < 2e-3 * alone["loss"].max()
    assert shared["loss"].iloc[-1] < shared["loss"].iloc[0]


def test_accumulated_batches_have_more_audio_per_step(root: Path, tmp_path: Path) -> None:
    _, single = trained(root, tmp_path / "a", steps=4)
    _, double = trained(root, tmp_path / "b", steps=4, accumulate=2)
    assert double["audio_s"].iloc[-1] == pytest.approx(2 * single["audio_s"].iloc[-1], rel=0.3)
    assert double["loss"].iloc[-1] == pytest.approx(single["loss"].iloc[-1], rel=0.5)


@pytest.mark.parametrize("shape", [{}, {"hidden_dropout": 0.1, "apply_spec_augment": True, "mask_time_prob": 0.1, "mask_time_length": 4}],
                         ids=["plain", "with dropout and masks"])
def test_an_interrupted_run_is_resumed_to_the_same_weights(root: Path, tmp_path: Path, shape: dict[str, Any]) -> None:
    whole, history = trained(root, tmp_path / "whole", tiny.model(WORDS, **shape), evaluate_every=3)
    sets = utterances(root, "train"), utterances(root, "dev")
    values = run_config(evaluate_every=3, checkpoint_s=0)
    with pytest.raises(KeyboardInterrupt):
        train(tiny.model(WORDS, **shape), WORDS, *sets, values, tmp_path / "cut", cut_at(2), "test")
    np.random.seed(99), torch.manual_seed(99)
    resumed = tiny.model(WORDS, seed=50, **shape)
    rest = train(resumed, WORDS, *sets, values, tmp_path / "cut", error_rates, "test")
    assert equal(whole, resumed)
    pd.testing.assert_frame_equal(history, rest.history)
    assert rest.timing["seconds"].is_monotonic_increasing


EVERYTHING: dict[str, Any] = {"ema": 0.9, "keep": "best", "patience": 3, "steps": 60, "evaluate_every": 2, "peak_rate": 3e-2}


@pytest.mark.slow
def test_best_weights_moving_average_and_patience_are_resumed_exactly_wherever_the_run_stops(root: Path, tmp_path: Path) -> None:
    """The dev error rates are fixed: the second evaluation is the best, and three worse ones stop the run at the fifth."""
    values, sets = run_config(**{**EVERYTHING, "checkpoint_s": 0}), (utterances(root, "train"), utterances(root, "dev"))

    def rates(first: int = 0, stop_at: int | None = None) -> Any:
        evaluations = count(first)

        def fixed(references: Any, hypotheses: Any) -> tuple[float, float]:
            if (evaluation := next(evaluations)) == stop_at:
                raise KeyboardInterrupt
            return (0.5, 0.3) if evaluation == 1 else (0.9, 0.5)

        return fixed

    whole = tiny.model(WORDS)
    history = train(whole, WORDS, *sets, values, tmp_path / "whole", rates(), "test").history
    assert history["step"].tolist() == [2, 4, 6, 8, 10]
    assert history["kept"].tolist() == [0, 1, 0, 0, 0]
    for stop_at in range(1, 5):
        resume = tmp_path / str(stop_at)
        with pytest.raises(KeyboardInterrupt):
            train(tiny.model(WORDS), WORDS, *sets, values, resume, rates(stop_at=stop_at), "test")
        resumed = tiny.model(WORDS, seed=50)
        rest = train(resumed, WORDS, *sets, values, resume, rates(stop_at), "test").history
        assert equal(whole, resumed), stop_at
        pd.testing.assert_frame_equal(history, rest)


def test_the_best_weights_are_those_of_a_run_that_ends_at_that_step(root: Path, tmp_path: Path) -> None:
    """The weights kept at step 6 of 12 are those of a run that is stopped at step 6."""
    rates = iter([(0.5, 0.5), (0.5, 0.6)])
    kept = tiny.model(WORDS)
    history = train(kept, WORDS, utterances(root, "train"), utterances(root, "dev"), run_config(keep="best", ema=0.5), tmp_path / "a",
                    lambda *_: next(rates), "test").history
    assert history["kept"].tolist() == [1, 0]
    seen: list[Any] = []

    def stop(*_: Any) -> tuple[float, float]:
        raise KeyboardInterrupt

    stopped = tiny.model(WORDS)
    with pytest.raises(KeyboardInterrupt):
        train(stopped, WORDS, utterances(root, "train"), utterances(root, "dev"), run_config(ema=0.5), tmp_path / "b", stop, "test")
    averaged, sets = tiny.model(WORDS), (utterances(root, "train"), utterances(root, "dev"))
    mean = ExponentialMovingAverage(averaged, 0.5)
    for step in range(1, 7):
        partial = tiny.model(WORDS)
        with pytest.raises(KeyboardInterrupt):
            train(partial, WORDS, *sets, run_config(evaluate_every=step), tmp_path / f"c{step}", stop, "test")
        seen.append(partial)
        averaged.load_state_dict(partial.state_dict())
        mean.update()
    assert equal(stopped, seen[-1])  # the swap for the evaluation changed nothing
    mean.copy_to_model()
    assert equal(kept, averaged)
    assert not equal(kept, stopped)


def test_patience_stops_a_run_early_and_the_log_reports_it_but_never_at_the_last_step(root: Path, tmp_path: Path,
                                                                                   capsys: pytest.CaptureFixture[str]) -> None:
    model = tiny.model(WORDS)
    _, history = trained(root, tmp_path / "a", model, patience=2, steps=12, evaluate_every=2, peak_rate=1e-12)
    assert history["step"].tolist() == [2, 4, 6]
    assert history["kept"].tolist() == [0, 0, 1]
    assert re.search(r"test: stopped early at step 6 of 12: 2 evaluations no better than that of step 2 \(dev WER [\d.]+, CER [\d.]+\)",
                     capsys.readouterr().out)
    _, history = trained(root, tmp_path / "b", patience=2, steps=6, evaluate_every=2, peak_rate=1e-12)
    assert history["step"].tolist() == [2, 4, 6]
    assert "stopped early" not in capsys.readouterr().out


def test_keep_best_changes_only_which_weights_are_kept(root: Path, tmp_path: Path) -> None:
    plain, history = trained(root, tmp_path / "a")
    best_of_all, same = trained(root, tmp_path / "b", keep="best")
    assert history["kept"].tolist() == [0, 1]
    pd.testing.assert_frame_equal(history.drop(columns="kept"), same.drop(columns="kept"))
    assert equal(plain, best_of_all) == (same["kept"].tolist() == [0, 1])


CHILD = """
import sys
from pathlib import Path
sys.path.insert(0, {checkout!r})
from tests.training.test_trainer import trained
from pipeline.model.artifact import write_weights
root, resume, output = map(Path, sys.argv[1:])
model, history = trained(root, resume, **{values!r})
write_weights(model.state_dict(), output.with_suffix(".safetensors"), {{}})
history.to_csv(output, index=False)
"""
LONG: dict[str, Any] = {"steps": 120, "evaluate_every": 40, "checkpoint_s": 0.1, "replicas": 2, "ema": 0.95, "keep": "best", "patience": 3}


@pytest.fixture(scope="module")
def unbroken(root: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, pd.DataFrame]:
    """Return model and history of LONG without an interruption."""
    return trained(root, tmp_path_factory.mktemp("unbroken"), **LONG)


def assert_same_result(unbroken: tuple[Any, pd.DataFrame], output: Path) -> None:
    whole, history = unbroken
    weights = safetensors.torch.load_file(output.with_suffix(".safetensors"))
    assert all(torch.equal(tensor, weights[name]) for name, tensor in whole.state_dict().items())
    pd.testing.assert_frame_equal(history, pd.read_csv(output))


def start(root: Path, resume: Path, output: Path, values: dict[str, Any]) -> subprocess.Popen[str]:
    code = CHILD.format(checkout=str(ROOT), values=values)
    return subprocess.Popen([sys.executable, "-c", code, str(root), str(resume), str(output)], cwd=ROOT, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_training_interrupted_and_then_killed_ends_with_the_weights_and_history_of_an_unbroken_one(
        root: Path, tmp_path: Path, unbroken: tuple[Any, pd.DataFrame]) -> None:
    state, output = tmp_path / "cut/state.pt", tmp_path / "cut.csv"
    with start(root, state.parent, output, LONG | {"checkpoint_s": 1e9}) as child:
        assert child.stdout is not None
        printed = ""
        while "step 40," not in printed and (line := child.stdout.readline()):
            printed += line
        child.send_signal(signal.SIGTERM)
        printed += child.stdout.read()
    assert child.returncode == 143, printed
    assert "Traceback" not in printed
    assert re.search(r"test: interrupted at step 4\d of 120; run it again to resume from there", printed)
    kept = state.stat().st_mtime_ns
    with start(root, state.parent, output, LONG) as child:
        while state.stat().st_mtime_ns == kept and child.poll() is None:
            time.sleep(0.01)
        os.killpg(child.pid, signal.SIGKILL)
    assert child.returncode == -signal.SIGKILL, "done before it could be killed"
    assert not output.exists()
    with start(root, state.parent, output, LONG) as child:
        printed = child.communicate()[0]
    assert child.returncode == 0, printed
    assert "test: resumed at step" in printed
    assert_same_result(unbroken, output)
    remove_state(state.parent)
    assert not state.parent.exists()


def test_a_keyboard_interrupt_lets_the_current_step_end_and_saves_it(root: Path, tmp_path: Path) -> None:
    whole, history = trained(root, tmp_path / "whole", evaluate_every=3)
    evaluations = iter(range(100))

    def interrupted(references: Any, hypotheses: Any) -> tuple[float, float]:
        if next(evaluations) == 1:
            os.kill(os.getpid(), signal.SIGINT)
        return error_rates(references, hypotheses)

    handler = signal.getsignal(signal.SIGINT)
    sets, values = (utterances(root, "train"), utterances(root, "dev")), run_config(evaluate_every=3)
    with pytest.raises(SystemExit) as ended:
        train(tiny.model(WORDS), WORDS, *sets, values, tmp_path / "cut", interrupted, "test")
    assert ended.value.code == 130
    assert signal.getsignal(signal.SIGINT) is handler
    resumed = tiny.model(WORDS, seed=50)
    rest = train(resumed, WORDS, *sets, values, tmp_path / "cut", error_rates, "test").history
    assert equal(whole, resumed)
    pd.testing.assert_frame_equal(history, rest)


class Damaged:
    """Audio with some utterances of NaN."""

    def __init__(self, audio: Any, bad: set[int]) -> None:
        self.audio, self.bad, self.keep = audio, bad, audio.keep

    def waveform(self, index: int) -> Any:
        return self.audio.waveform(index) * (np.float32("nan") if index in self.bad else np.float32(1.0))


def damaged(root: Path, *bad: int) -> Utterances:
    whole = utterances(root, "train")
    return dataclasses.replace(whole, audio=Damaged(whole.audio, set(bad)))  # type: ignore[arg-type]


def test_a_step_with_a_non_finite_loss_is_skipped_and_its_utterance_named(root: Path, tmp_path: Path,
                                                                               capsys: pytest.CaptureFixture[str]) -> None:
    model = tiny.model(WORDS)
    history = train(model, WORDS, damaged(root, 7), utterances(root, "dev"), run_config(evaluate_every=4), tmp_path, error_rates, "test").history
    output = [line for line in capsys.readouterr().out.splitlines() if "skipped" in line]
    assert len(output) == history["skipped"].iloc[-1] >= 2
    assert all("skipped, the loss is nan" in line and line.endswith(": tones/train-007") for line in output)
    assert np.isfinite(history["loss"]).all()
    assert all(torch.isfinite(tensor).all() for tensor in model.state_dict().values())


@pytest.mark.parametrize("values", [{"optimiser": "adamw", "accumulate": 2}, {"replicas": 2}], ids=["accumulated", "two replicas"])
def test_a_skipped_step_changes_no_weight(root: Path, tmp_path: Path, values: dict[str, Any]) -> None:
    model, before = tiny.model(WORDS), tiny.model(WORDS)
    train(model, WORDS, damaged(root, *range(20)), utterances(root, "dev"), run_config(steps=4, **values), tmp_path, error_rates, "test")
    assert equal(model, before)


def test_a_run_with_skipped_steps_is_resumed_to_the_same_weights_and_count(root: Path, tmp_path: Path) -> None:
    shape = {"hidden_dropout": 0.1}
    sets, values = (damaged(root, 7), utterances(root, "dev")), run_config(evaluate_every=3, checkpoint_s=0)
    whole = tiny.model(WORDS, **shape)
    history = train(whole, WORDS, *sets, values, tmp_path / "whole", error_rates, "test").history
    with pytest.raises(KeyboardInterrupt):
        train(tiny.model(WORDS, **shape), WORDS, *sets, values, tmp_path / "cut", cut_at(2), "test")
    resumed = tiny.model(WORDS, seed=50, **shape)
    rest = train(resumed, WORDS, *sets, values, tmp_path / "cut", error_rates, "test").history
    assert equal(whole, resumed)
    pd.testing.assert_frame_equal(history, rest)


def test_too_many_skipped_steps_fail_the_run_with_the_utterances_of_each(root: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError) as caught:
        train(tiny.model(WORDS), WORDS, damaged(root, 3, 7, 11), utterances(root, "dev"), run_config(steps=60, max_skipped=3), tmp_path, error_rates,
              "test")
    output = str(caught.value)
    assert output.startswith("test: the loss is nan and its gradient's norm nan at step ")
    assert "the 4. such step (step " in output and "expected finite numbers in all but 3 steps; lower the peak rate" in output
    assert set(re.findall(r"tones/train-\d+", output)) <= {"tones/train-003", "tones/train-007", "tones/train-011"}
    assert output.count("tones/train-") >= 4


@pytest.mark.parametrize("weight", ["head", "encoder"])
def test_a_model_with_non_finite_weights_fails_the_run(root: Path, tmp_path: Path, weight: str) -> None:
    model = tiny.model(WORDS)
    with torch.no_grad():
        if weight == "head":
            model.lm_head.bias[3] = float("nan")
        else:
            model.wav2vec2.encoder.layers[0].feed_forward.output_dense.weight.mul_(1e38)
    with pytest.raises(TrainingError, match=r"at step 3, the 3\. such step .*expected finite numbers in all but 2 steps; lower the peak rate"):
        trained(root, tmp_path, model, max_skipped=2)


@pytest.mark.slow
def test_the_plateau_of_blanks_is_logged_once_with_advice(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = tiny.model(WORDS)
    with torch.no_grad():
        model.lm_head.bias[WORDS.blank_row] = 50.0
    trained(root, tmp_path, model, steps=8, evaluate_every=2, peak_rate=1e-6)
    output = [line for line in capsys.readouterr().out.splitlines() if "nothing but blanks" in line]
    assert len(output) == 1 and "2 evaluations in a row (the CTC plateau; loss " in output[0] and "freeze_encoder_steps" in output[0]
    trained(root, tmp_path / "b", steps=60, evaluate_every=30, warmup_steps=10)
    assert "nothing but blanks" not in capsys.readouterr().out


@pytest.mark.slow
def test_a_full_disk_is_reported_and_the_checkpoint_before_is_whole(root: Path, tmp_path: Path) -> None:
    values, evaluations = {"evaluate_every": 3, "checkpoint_s": 0}, iter(range(100))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill_at_the_third(references: Any, hypotheses: Any) -> tuple[float, float]:
        if next(evaluations) == 2:
            resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))  # no file may grow over that: as if the disk were full
        return error_rates(references, hypotheses)

    sets = utterances(root, "train"), utterances(root, "dev")
    try:
        with pytest.raises(TrainingError, match=r"state\.pt: cannot be written \(File too large\); expected \d+ MB of free space on that disk; "
                                                r"make room or set VIZINHO_STATE to another disk, .*: the checkpoint before it is whole"):
            train(tiny.model(WORDS), WORDS, *sets, run_config(**values), tmp_path / "cut", fill_at_the_third, "test")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [file.name for file in (tmp_path / "cut").iterdir()] == ["state.pt"]
    resumed = tiny.model(WORDS, seed=50)
    rest = train(resumed, WORDS, *sets, run_config(**values), tmp_path / "cut", error_rates, "test").history
    whole, history = trained(root, tmp_path / "whole", **values)
    assert equal(whole, resumed)
    pd.testing.assert_frame_equal(history, rest)


def test_nothing_to_train_on_or_to_evaluate_on_is_an_error(root: Path, tmp_path: Path) -> None:
    full, empty = utterances(root, "train"), Utterances.of(pd.read_parquet(root / "data/split/portuguese/dev.parquet")[:0])
    with pytest.raises(TrainingError, match="no utterance to train on"):
        train(tiny.model(), WORDS, empty, full, run_config(), tmp_path, error_rates, "test")
    with pytest.raises(TrainingError, match="no utterance to evaluate on"):
        train(tiny.model(), WORDS, full, empty, run_config(), tmp_path, error_rates, "test")


def test_a_first_dev_utterance_longer_than_evaluate_hours_is_still_used(root: Path, tmp_path: Path) -> None:
    _, history = trained(root, tmp_path, steps=2, evaluate_hours=1e-6)
    assert history["dev_cer"].iloc[-1] > 0


def test_frozen_convolutions_do_not_change_and_the_rest_does(root: Path, tmp_path: Path) -> None:
    before = tiny.model(WORDS)
    model, _ = trained(root, tmp_path, freeze_feature_encoder=True, steps=3, replicas=2)
    for name, tensor in model.state_dict().items():
        frozen = name.startswith("wav2vec2.feature_extractor")
        assert torch.equal(tensor, before.state_dict()[name]) == frozen or name.endswith(("k_proj.bias",)), name


def test_gradient_checkpointing_changes_no_weight_beyond_rounding(root: Path, tmp_path: Path) -> None:
    plain, _ = trained(root, tmp_path / "a", steps=3)
    saving, _ = trained(root, tmp_path / "b", steps=3, gradient_checkpointing=True)
    for one, other in zip(plain.parameters(), saving.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-5)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
@pytest.mark.filterwarnings("default")  # torch's own, of its compiler
def test_compiled_blocks_have_the_losses_of_plain_ones_and_are_resumed_exactly(root: Path, tmp_path: Path,
                                                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "inductor"))
    _, plain = trained(root, tmp_path / "plain")
    model, compiled = trained(root, tmp_path / "compiled", compile=True)
    assert compiled["loss"].tolist() == pytest.approx(plain["loss"].tolist(), rel=1e-3)
    assert all(block._compiled_call_impl is not None for block in model.wav2vec2.encoder.layers)

    sets, values = (utterances(root, "train"), utterances(root, "dev")), run_config(compile=True, checkpoint_s=0)
    with pytest.raises(KeyboardInterrupt):
        train(tiny.model(WORDS), WORDS, *sets, values, tmp_path / "resumed", cut_at(0), "test")
    again, history = trained(root, tmp_path / "resumed", compile=True)
    assert equal(model, again) and history.equals(compiled)


def test_compiling_is_refused_without_a_compiler_or_with_replicas(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TrainingError, match="compile: true with 2 replicas"):
        trained(root, tmp_path, compile=True, replicas=2)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(TrainingError, match=r"no C\+\+ compiler.*apt install g\+\+"):
        trained(root, tmp_path, compile=True)
