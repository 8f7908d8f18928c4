"""The lock of trainings and transcriptions: one at a time on a GPU, or on the same cores."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.core.files import ROOT
from pipeline.model.device import _open_lock

HOLD = """
import sys, time, torch
from pipeline.model.device import exclusive
with exclusive(torch.device("cpu"), int(sys.argv[1])):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


def start(folder: Path, threads: int, hold_s: float) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", HOLD, str(threads), str(hold_s)], cwd=ROOT, text=True, stdout=subprocess.PIPE,
                            env={**os.environ, "TMPDIR": str(folder)})


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().strip()


@pytest.mark.slow
def test_a_second_training_waits_until_the_first_ends_even_if_killed(tmp_path: Path) -> None:
    cores = len(os.sched_getaffinity(0))
    first = start(tmp_path, cores, 60)
    assert line(first) == "held"
    second = start(tmp_path, cores, 0)
    assert line(second).startswith("waiting for the CPU: another training or transcription holds")
    time.sleep(0.3)
    assert second.poll() is None
    os.kill(first.pid, signal.SIGKILL)
    assert line(second) == "held"
    for process in (first, second):
        process.communicate(timeout=20)
    assert second.returncode == 0


@pytest.mark.slow
@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one core has room for one training")
def test_trainings_that_fit_on_the_cores_together_do_not_wait(tmp_path: Path) -> None:
    both = [start(tmp_path, 1, 5) for _ in range(2)]
    assert [line(process) for process in both] == ["held", "held"]
    for process in both:
        process.communicate()


def test_every_user_may_read_a_lock_file_whatever_the_mask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        os.close(_open_lock(tmp_path / "one.lock"))
    finally:
        os.umask(before)
    assert (tmp_path / "one.lock").stat().st_mode & 0o777 == 0o644


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_the_lock_file_of_another_user_can_be_taken(tmp_path: Path) -> None:
    file = tmp_path / "vizinho-cpu-0.lock"
    file.touch(0o644)
    os.chown(file, 12345, 12345)
    tmp_path.chmod(0o1777)
    holder = start(tmp_path, 99, 0)
    assert line(holder) == "held"
    holder.communicate()
