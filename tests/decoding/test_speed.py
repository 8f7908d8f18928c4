"""Relative speed: a ratio that a slower machine leaves as it is, and that more work lowers."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import cycle

import numpy as np
import pytest
import torch
from scipy import stats

from pipeline.decoding import speed
from pipeline.decoding.speed import PAIRS, REFERENCE, T_975, RelativeSpeed, relative_speed

CPU = torch.device("cpu")


class Clock:
    """A clock that only work advances."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s

    def work(self, audio_s: float, seconds: Iterator[float]) -> Callable[[], float]:
        """Return work on `audio_s` seconds of audio that takes the next of `seconds` at each call."""
        def run() -> float:
            self.now_s += next(seconds)
            return audio_s
        return run


def measured(monkeypatch: pytest.MonkeyPatch, system_s: list[float], reference_s: list[float]) -> RelativeSpeed:
    """Return the relative speed of a system that transcribes 6 s of audio in `system_s`, beside a reference that processes 2 s."""
    clock = Clock()
    monkeypatch.setattr(speed.time, "perf_counter", clock)
    monkeypatch.setattr(speed, "_reference", lambda device: clock.work(2.0, cycle(reference_s)))
    return relative_speed(clock.work(6.0, cycle(system_s)), CPU)


def test_the_ratio_is_that_of_audio_seconds_per_second(monkeypatch: pytest.MonkeyPatch) -> None:
    found = measured(monkeypatch, [0.5], [1.0])  # 12 against 2 audio-seconds per second
    assert (found.value, found.low, found.high) == pytest.approx((6.0, 6.0, 6.0))


def test_a_machine_that_slows_down_between_pairs_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    slowdowns = [1.0, 1.0, 3.0, 9.0, 2.0, 5.0]
    found = measured(monkeypatch, [0.5 * slowdown for slowdown in slowdowns], [1.0 * slowdown for slowdown in slowdowns])
    assert (found.value, found.low, found.high) == pytest.approx((6.0, 6.0, 6.0))


def test_the_first_pair_is_dropped_and_the_interval_is_students_t_on_the_logarithms(monkeypatch: pytest.MonkeyPatch) -> None:
    system_s = [100.0, 0.5, 0.6, 0.4, 0.55, 0.45]
    found = measured(monkeypatch, system_s, [1.0])
    logs = np.log([3.0 / seconds for seconds in system_s[1:]])
    low, high = stats.t.interval(0.95, PAIRS - 1, logs.mean(), logs.std(ddof=1) / np.sqrt(PAIRS))
    assert (found.value, found.low, found.high) == pytest.approx((np.exp(logs.mean()), np.exp(low), np.exp(high)), rel=1e-3)
    assert pytest.approx(stats.t.ppf(0.975, PAIRS - 1), abs=1e-3) == T_975


def test_the_record_holds_the_ratio_its_interval_and_its_reference() -> None:
    assert RelativeSpeed(4.0, 3.0, 5.0).as_json() == {"value": 4.0, "low": 3.0, "high": 5.0, "level": 0.95, "repeats": PAIRS, "reference": REFERENCE}


def system(passes: int) -> Callable[[], float]:
    """Return a system that runs a fixed convolution a number of times over one second of audio."""
    layer = torch.nn.Conv1d(64, 64, 9, padding=4).eval()
    features_BCT = torch.randn(1, 64, 4_000)

    def run() -> float:
        with torch.inference_mode():
            for _ in range(passes):
                layer(features_BCT)
        return 1.0

    return run


@contextmanager
def busy_cores(number: int) -> Iterator[None]:
    """Keep a number of cores busy."""
    burners = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(number)]
    try:
        yield
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()


@pytest.mark.slow
def test_four_times_the_work_lowers_the_ratio_and_the_random_state_is_unchanged() -> None:
    light, heavy = system(10), system(40)
    state = torch.random.get_rng_state()
    one, four = relative_speed(light, CPU), relative_speed(heavy, CPU)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert four.value < 0.5 * one.value


@pytest.mark.slow
def test_other_processes_leave_the_ratio_within_its_interval() -> None:
    work = system(20)
    quiet = relative_speed(work, CPU)
    with busy_cores(2):
        busy = relative_speed(work, CPU)
    assert busy.low <= quiet.high and quiet.low <= busy.high
