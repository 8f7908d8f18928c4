"""The largest batch that fits: found by doubling and bisecting, by real steps, within limits of memory and time."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from pipeline.core.errors import TrainingError
from pipeline.core.files import ROOT
from pipeline.tuning.batch_size import Attempt, TimeLimitReached, Trial, search, time_limit
from tests import tiny
from tests.training.test_trainer import run_config


def attempts(fitting_s: float, seconds: float = 0.0) -> tuple[Any, list[float]]:
    tried: list[float] = []

    def attempt(budget_s: float) -> Attempt:
        tried.append(budget_s)
        return Attempt(budget_s, budget_s <= fitting_s, seconds, 0)

    return attempt, tried


@pytest.mark.parametrize("fitting_s", [10.0, 11.0, 19.9, 37.0, 640.0, 1000.0])
def test_the_budget_found_fits_and_a_twentieth_more_does_not(fitting_s: float) -> None:
    attempt, tried = attempts(fitting_s)
    found = search(attempt, 10.0, 3600.0, 60.0)
    assert found is not None and found.closed
    assert found.budget_s <= fitting_s < 1.05 * found.budget_s
    assert len(tried) <= 15 and [one.budget_s for one in found.attempts] == tried


def test_nothing_fits_or_every_useful_budget_does() -> None:
    assert search(attempts(5.0)[0], 10.0, 3600.0, 60.0) is None
    attempt, tried = attempts(1e9)
    found = search(attempt, 10.0, 100.0, 60.0)
    assert found is not None and (found.budget_s, found.closed, tried) == (100.0, False, [10.0, 20.0, 40.0, 80.0, 100.0])


@pytest.mark.parametrize(("limit_s", "expected"), [(15.0, [10.0]), (25.0, [10.0, 12.5]), (35.0, [10.0, 20.0]), (60.0, [10.0, 20.0, 25.0])])
def test_an_attempt_that_would_exceed_the_time_limit_is_not_made_but_a_smaller_stride_may_be(limit_s: float, expected: list[float]) -> None:
    tried: list[float] = []

    def slow(budget_s: float) -> Attempt:  # a second per second of audio
        tried.append(budget_s)
        return Attempt(budget_s, True, budget_s, 0)

    found = search(slow, 10.0, 3600.0, limit_s, lambda: sum(tried))
    assert found is not None and (found.budget_s, found.closed, tried) == (expected[-1], False, expected)


def test_an_interrupted_attempt_keeps_the_budget_found_before_and_is_an_error_if_it_was_the_first() -> None:
    def endless(budget_s: float) -> Attempt:
        limit = time.monotonic() + 30
        while budget_s > 30.0 and time.monotonic() < limit:
            pass
        return Attempt(budget_s, True, 0.001, 0)

    with time_limit(0.3):
        found = search(endless, 20.0, 3600.0, 60.0)
    assert found is not None and (found.budget_s, found.closed) == (20.0, False)
    with time_limit(0.3), pytest.raises(TrainingError, match=r"not one step of 40 s was done within 60 s"):
        search(endless, 40.0, 3600.0, 60.0)
    with time_limit(30.0):
        pass
    assert issubclass(TimeLimitReached, Exception)


@pytest.mark.parametrize("values", [
    {}, *(pytest.param(values, marks=pytest.mark.slow) for values in (
        {"replicas": 2, "ema": 0.9}, {"optimiser": "adamw", "gradient_checkpointing": True, "freeze_feature_encoder": True, "processes": 2},
        {"spec_augment": {"time_prob": 0.1, "time_length": 4}})),
], ids=["plain", "two replicas", "checkpointing", "masks"])
def test_a_trial_takes_the_optimiser_steps_of_every_config(values: dict[str, Any]) -> None:
    config = tiny.model().config.to_dict()
    trial = Trial(config, run_config(**values), (1.5, 0.4), torch.device("cpu"), 1 << 40)
    before = {name: tensor.clone() for name, tensor in trial.learner.model.state_dict().items()}
    attempt = trial.attempt(4.0)
    assert attempt.fits and attempt.seconds > 0 and attempt.peak_bytes > 1 << 26
    assert not torch.equal(trial.learner.model.lm_head.weight, before["lm_head.weight"])
    assert all(weight.grad is None for weight in trial.learner.model.parameters())


def test_an_error_other_than_of_memory_is_raised() -> None:
    trial = Trial(tiny.model().config.to_dict(), run_config(), (0.001,), torch.device("cpu"), 1 << 40)
    with pytest.raises(RuntimeError, match="input_lengths"):
        trial.attempt(1.0)


CHILD = """
import json, resource, sys, torch
sys.path.insert(0, sys.argv[1])
from pipeline.tuning.batch_size import Trial, find_budget
from pipeline.model.device import peak_bytes
from tests import tiny
from tests.training.test_trainer import run_config
shape = {"hidden_size": 256, "intermediate_size": 1024, "num_hidden_layers": 4, "num_attention_heads": 4, "conv_dim": [256, 256]}
config, run, cpu = tiny.model(**shape, front_end=None).config.to_dict(), run_config(optimiser="adamw"), torch.device("cpu")
limit = peak_bytes(cpu) + (200 << 20)
found = find_budget(config, run, (2.0, 1.0), cpu, limit, 3600.0, 100.0)
held = [[one.budget_s, one.fits, one.seconds, one.peak_bytes] for one in found.attempts]
print(json.dumps({"budget_s": found.budget_s, "closed": found.closed, "limit": limit, "attempts": held,
                  "most": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10}))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the peak of an attempt comes from Linux")
def test_on_a_cpu_the_largest_step_within_a_memory_limit_is_found_and_hardly_exceeds_it(tmp_path: Path) -> None:
    """Real steps in a process of its own, 200 MiB beyond what it holds at the start."""
    done = subprocess.run([sys.executable, "-c", CHILD, str(ROOT)], cwd=ROOT, text=True, capture_output=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    fitting = {budget: peak for budget, fits, _, peak in found["attempts"] if fits}
    refused = {budget: peak for budget, fits, _, peak in found["attempts"] if not fits}
    assert found["budget_s"] == max(fitting) >= 2.0
    assert all(peak <= found["limit"] for peak in fitting.values()) and all(peak > found["limit"] for peak in refused.values())
    assert found["closed"] and refused, "the search has seen both sides of the limit"
    assert found["most"] < found["limit"] + (300 << 20), "no attempt takes several times the limit"
