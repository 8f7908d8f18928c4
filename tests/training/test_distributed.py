"""Two processes on gloo: the loss curve of one with twice the budget, and the end of one is the end of all."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import safetensors.torch
import torch
import yaml

from pipeline.core.errors import ParamsError
from pipeline.core.files import ROOT, read_json
from pipeline.core.timing import read_timing
from pipeline.model.artifact import save_model
from pipeline.model.provenance import empty_trained_on
from pipeline.training.distributed import ProcessGroup, launch_distributed
from tests import tiny

WORDS = tiny.vocabulary()
CONFIG: dict[str, Any] = {"batch_s": 2.5, "processes": 2, "accumulate": 2, "optimiser": "muon", "evaluate_every": 1, "evaluate_hours": 1.0,
                          "ema": 0.5, "freeze_encoder_steps": 3, "freeze_feature_encoder": True,
                          "spec_augment": {"time_prob": 0.0, "feature_prob": 0.1, "feature_length": 2, "from_step": 10_000}}
"""Batches of few utterances, some of one; weights without a gradient for some steps or for all; and masks that are never drawn."""
STEPS = 12


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a checkout of its own with the stage's inputs: it runs as under DVC."""
    folder: Path = tmp_path_factory.mktemp("checkout")
    shutil.copytree(ROOT / "pipeline", folder / "pipeline", ignore=shutil.ignore_patterns("__pycache__"))
    tiny.write_split(folder, tiny.TEXTS * 2 + ("ossos raros era rosa", "asa"))
    tiny.write_split(folder, tiny.TEXTS[:5], "dev", seed=100)
    words = folder / "data/tokenise/portuguese"
    words.mkdir(parents=True)
    (words / "vocabulary.json").write_text(json.dumps({symbol: row for row, symbol in enumerate(WORDS.symbols)}))
    save_model(tiny.model(WORDS, seed=9), WORDS, folder / "data/donor", {"figures": None}, empty_trained_on)
    return folder


def start(root: Path, *before: str, steps: int = STEPS, **changes: Any) -> subprocess.Popen[str]:
    """Start the stage; `before` are the arguments of Python's -m before the stage's module."""
    section = {"seed": 1, "steps": steps, "head": "base_letter", "config": CONFIG | changes,
               "systems": {"transfer": {"starts_from": "data/donor", "peak_rate": 1e-2, "warmup_steps": 3}}}
    (root / "params.yaml").write_text(yaml.safe_dump({"train": section}, sort_keys=False))
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {"VIZINHO_STATE": str(root / "state")}
    return subprocess.Popen([sys.executable, "-m", *before, "pipeline.train", "transfer"], cwd=root, env=environment, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)


def finished(child: subprocess.Popen[str], code: int = 0) -> str:
    output, _ = child.communicate(timeout=200)
    assert child.returncode == code, output
    assert "Traceback" not in output
    return output


def result(root: Path) -> tuple[pd.DataFrame, dict[str, torch.Tensor]]:
    return pd.read_csv(root / "data/train/transfer/history.csv"), safetensors.torch.load_file(root / "data/train/transfer/model.safetensors")


def members(root: Path) -> list[int]:
    """Return the stage's processes in this checkout."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (folder / "cwd").resolve() == root and b"pipeline.train" in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return sorted(found)


@pytest.fixture(scope="module")
def together(root: Path) -> tuple[pd.DataFrame, dict[str, torch.Tensor], str]:
    output = finished(start(root))
    return *result(root), output


@pytest.mark.slow
def test_two_processes_give_the_losses_of_one_with_twice_the_budget(root: Path, together: Any) -> None:
    shared, shared_weights, output = together
    assert "train@transfer: 12 steps of 10 s" in output and "2 processes, cpu" in output
    assert output.count("train@transfer: step 12, loss") == 1  # only rank 0 logs
    assert read_json(root / "data/train/transfer/vizinho.json")["params"]["processes"] == 2
    timing = read_timing("train@transfer", root)
    assert timing is not None and timing["audio_seconds_per_second"] > 0 and timing["seconds"] >= timing["training_seconds"] > 0
    finished(start(root, batch_s=5.0, processes=1))
    alone, weights = result(root)
    assert np.abs(shared["loss"] - alone["loss"]).max() < 1e-4 * alone["loss"].max()
    assert alone["loss"].iloc[-1] < 0.9 * alone["loss"].iloc[0]
    for column in ("step", "audio_s", "learning_rate", "dev_wer", "dev_cer", "kept"):
        assert shared[column].tolist() == alone[column].tolist(), column
    assert all(torch.allclose(tensor, weights[name], atol=1e-4) for name, tensor in shared_weights.items())


def rank_of(pid: int) -> str | None:
    pairs = (Path("/proc") / str(pid) / "environ").read_bytes().split(b"\0")
    return next((pair.removeprefix(b"RANK=").decode() for pair in pairs if pair.startswith(b"RANK=")), None)


def start_and_wait_for_state(root: Path, **changes: Any) -> tuple[subprocess.Popen[str], dict[str | None, int]]:
    """Return a fresh training that has written its first state, and its processes by rank; None is the launcher."""
    shutil.rmtree(root / "state", ignore_errors=True)
    child = start(root, checkpoint_s=0, **changes)
    while not any((root / "state").rglob("state.pt")) and child.poll() is None:
        time.sleep(0.002)
    return child, {rank_of(pid): pid for pid in members(root)}


def gone(root: Path, within_s: float) -> bool:
    limit = time.monotonic() + within_s
    while members(root) and time.monotonic() < limit:
        time.sleep(0.05)
    return not members(root)


@pytest.mark.slow
def test_a_killed_process_ends_all_and_the_run_is_resumed_to_the_same_weights(root: Path, together: Any) -> None:
    history, weights, _ = together
    child, pids = start_and_wait_for_state(root)
    assert pids.keys() == {None, "0", "1"}
    os.kill(pids["1"], signal.SIGKILL)
    killed = time.monotonic()
    output = finished(child, 1)
    assert time.monotonic() - killed < 15
    assert output.splitlines()[-1] == ("error: pipeline.train: process 1 of 2 was ended by SIGKILL (out of memory?); the others have been ended as "
                                     "well; run it again to resume from the last checkpoint")
    assert not members(root)
    output = finished(start(root, checkpoint_s=0))
    assert "train@transfer: resumed at step" in output
    rest, same = result(root)
    assert all(torch.equal(tensor, same[name]) for name, tensor in weights.items())
    pd.testing.assert_frame_equal(history, rest)
    assert not any((root / "state").rglob("state.pt"))


@pytest.mark.slow
def test_a_shutdown_request_stops_all_at_one_step_and_a_killed_launcher_ends_all(root: Path, together: Any) -> None:
    child, pids = start_and_wait_for_state(root)
    os.kill(pids[None], signal.SIGTERM)
    output = finished(child, 143)
    assert re.search(r"train@transfer: interrupted at step \d+ of 12; run it again to resume from there", output)
    assert not members(root)
    child, pids = start_and_wait_for_state(root)
    os.kill(pids["1"], signal.SIGINT)  # sent to one of them only
    output = finished(child, 130)
    assert "interrupted at step" in output
    child, pids = start_and_wait_for_state(root)
    os.kill(pids[None], signal.SIGKILL)
    child.communicate()
    assert gone(root, 10)
    assert "train@transfer: resumed at step" in finished(start(root, checkpoint_s=0))
    assert all(torch.equal(tensor, together[1][name]) for name, tensor in result(root)[1].items())


@pytest.mark.slow
def test_torchrun_started_manually_gives_the_same_weights(root: Path, together: Any) -> None:
    finished(start(root, "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m"))
    assert all(torch.equal(tensor, together[1][name]) for name, tensor in result(root)[1].items())


@pytest.mark.slow
def test_an_error_of_all_processes_is_printed_once_and_so_is_one_of_a_single_process(root: Path) -> None:
    output = finished(start(root, peak_rate=0.5), 2)
    assert output.count("unknown key") == 1
    shard = next((root / "data/ingest").rglob("train-00001.parquet"))
    shard.rename(shard.with_suffix(".away"))
    try:
        output = finished(start(root, augment={"snr_db": [10, 20]}), 1)
    finally:
        shard.with_suffix(".away").rename(shard)
    assert output.count(": no such shard; expected the shards that the split was made from") == 1
    vocabulary = root / "data/donor/vocab.json"
    kept = vocabulary.read_bytes()
    vocabulary.write_text(json.dumps({"<pad>": 0, "<unk>": 1, "|": 2, "a": 3}))
    try:
        output = finished(start(root), 1)
    finally:
        vocabulary.write_bytes(kept)
    assert output.count("error: ") == 1 and "which the weights were made for" in output


def test_another_number_of_processes_than_torchrun_has_started_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    monkeypatch.setenv("WORLD_SIZE", "2")
    for processes in (1, 3):
        with pytest.raises(ParamsError, match=f"config.processes: found {processes}, and torchrun has started 2; expected the same"):
            launch_distributed("pipeline.train", ["transfer"], processes)


def test_a_group_of_one_process_is_trivial() -> None:
    group = ProcessGroup.joined()
    assert (group, group.is_rank_zero, group.gather("x")) == (ProcessGroup(0, 1), True, ["x"])
    assert group.shard(np.arange(5)).tolist() == [0, 1, 2, 3, 4]
    launch_distributed("pipeline.train", ["transfer"], 1)  # returns


def test_shards_cover_a_batch_once_and_may_be_empty() -> None:
    for size, count in ((2, 5), (3, 2), (4, 1), (8, 64)):
        shards = [ProcessGroup(rank, size).shard(np.arange(count)).tolist() for rank in range(size)]
        assert [index for shard in shards for index in shard] == list(range(count))
        assert max(map(len, shards)) - min(map(len, shards)) <= 1
