"""Commands that flows run: their lines, their progress, and their end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows import process
from flows.process import Finished, Progress, Screen, run
from pipeline.core.files import ROOT

FAMILY = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
open(sys.argv[1], "w").write(str(child.pid))
time.sleep(60)
"""


@pytest.fixture(autouse=True)
def _not_stopping() -> Iterator[None]:
    process.stopping.clear()
    yield
    process.stopping.clear()


def python(code: str, *arguments: str) -> tuple[Finished, list[str], list[Progress]]:
    lines: list[str] = []
    bars: list[Progress] = []
    return run([sys.executable, "-c", code, *arguments], ROOT, os.environ, lines.append, bars.append), lines, bars


def alive(pid: int) -> bool:
    """Return whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def gone(pid: int) -> bool:
    """Return whether a process ends within ten seconds."""
    until = time.monotonic() + 10
    while alive(pid) and time.monotonic() < until:
        time.sleep(0.05)
    return not alive(pid)


def appears(file: Path) -> int:
    """Return the number in a file once the file exists."""
    until = time.monotonic() + 20
    while not (file.exists() and file.read_text()):
        assert time.monotonic() < until
        time.sleep(0.05)
    return int(file.read_text())


def test_each_line_is_passed_on_and_the_last_ones_are_kept() -> None:
    done, lines, _ = python("import sys\nfor n in range(50): print('line', n)\nprint('and an error', file=sys.stderr)\nsys.exit(3)")
    assert lines == [*(f"line {n}" for n in range(50)), "and an error"]
    assert (done.code, done.stopped) == (3, False)
    assert done.lines == tuple(lines[-process.KEPT_LINES:])


def test_progress_bars_become_progress_and_not_lines() -> None:
    code = ("import time\nfrom pipeline.core.progress import bar, log\nlog('before')\n"
            "with bar(8, 'step', 'train@transfer') as shown:\n    for _ in range(8):\n        time.sleep(0.12); shown.update()\n"
            "    log('in between')\nlog('after')")
    done, lines, bars = python(code)
    assert done.code == 0
    assert lines == ["before", "in between", "after"]
    assert {progress.label for progress in bars} == {"train@transfer"}
    assert bars[-1].percent == 100 and bars[-1].figures.startswith("8/8")
    assert [progress.percent for progress in bars] == sorted(progress.percent for progress in bars)


REPRO = (
    b"Running stage 'split@portuguese':\n> python -m pipeline.split portuguese\n"
    b"\rsplit@portuguese:  50%|#####     | 100/200 [00:01<00:01, 99.1utterance/s]\r\x1b[K"
    b"split@portuguese: 200 utterances, 0.25 hours\n"
    b"\r\rCollecting files and computing hashes in data/split/portuguese                               |0.00 [00:00,     ?file/s]"
    b"\r  0% Checking cache in '/data/cache/files/md5'|                               |0/? [00:00<?,    ?files/s]"
    b"\r 11% Committing data/split/portuguese to cache|###                                 |97/900 [00:00<00:00, 965.48file/s]"
    b"\n\r!\x1b[A\n\r  0%|          |memory://.YeQ6kx1x-kc8OAAOlYM2ug.tmp                      0.00/56.1k [00:00<?,        ?B/s]\x1b[A"
    b"\n\r100%|##########|memory://.YeQ6kx1x-kc8OAAOlYM2ug.tmp                      279/280 [00:00<00:00,   1.2kfile/s]\x1b[A"
    b"\n\r                                                                                                        \r\x1b[A"
    b"\rChecking out data/split/portuguese                                                           |0.00 [00:00,    ?files/s]\r"
    b"Generating lock file 'dvc.lock'\nUpdating lock file 'dvc.lock'\n\nTo track the changes with git, run:\n\n"
    b"\tgit add dvc.lock data/split/.gitignore\n\nTo enable auto staging, run:\n\n\tdvc config core.autostage true\n"
    b"Use `dvc push` to send your updates to remote storage.\n\x1b[0m")
"""What DVC 3.67 draws on a terminal for a stage with its own bar, shortened."""

CHECKOUT = (
    b"\rBuilding workspace index                                                                     |904 [00:00, 16.7kentry/s]"
    b"\rComparing indexes                                                                            |906 [00:00, 35.0kentry/s]"
    b"\rApplying changes                                                                             |0.00 [00:00,     ?file/s]\r"
    b"\x1b[33mWARNING\x1b[39m: No file hash info found for '/data/clone/out'. It won't be created.\n"
    b"\x1b[33mWARNING\x1b[39m: No file hash info found for '/data/clone/data/absent'. It won't be created.\n"
    b"\x1b[33mWARNING\x1b[39m: the remote is slow\n\x1b[0m")


@pytest.mark.parametrize("size", [1, 7, 64])
@pytest.mark.parametrize(("drawn", "lines", "labels"), [
    (REPRO, ["Running stage 'split@portuguese':", "> python -m pipeline.split portuguese", "split@portuguese: 200 utterances, 0.25 hours",
             "Generating lock file 'dvc.lock'", "Updating lock file 'dvc.lock'"], {"split@portuguese"}),
    (CHECKOUT, ["WARNING: the remote is slow"], set()),
])
def test_dvcs_own_bars_and_hints_are_neither_progress_nor_lines(drawn: bytes, lines: list[str], labels: set[str], size: int) -> None:
    got: list[str] = []
    bars: list[Progress] = []
    screen = Screen(got.append, bars.append)
    for start in range(0, len(drawn), size):
        screen.feed(drawn[start:start + size])
    screen.close()
    assert got == lines
    assert {bar.label for bar in bars} == labels


def test_a_secret_in_a_line_is_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_TOKEN", "correct-horse-battery")
    done, lines, _ = python("import os; print('token', os.environ['TEST_TOKEN']); print('https://ana:silence@example.org/x')")
    assert lines == ["token ***", "https://***@example.org/x"]
    assert done.lines == tuple(lines)
    _, _, bars = python("import os; print('\\r' + os.environ['TEST_TOKEN'] + ':  40%|##  | 2/5 [00:01<00:01, of https://ana:silence@example.org]\\r')")
    assert [(bar.label, bar.figures) for bar in bars][-1] == ("***", "2/5 [00:01<00:01, of https://***@example.org]")


def test_no_process_of_a_stopped_command_survives(tmp_path: Path) -> None:
    ended: list[Finished] = []
    thread = threading.Thread(target=lambda: ended.append(python(FAMILY, str(tmp_path / "pid"))[0]))
    thread.start()
    grandchild = appears(tmp_path / "pid")
    process.stopping.set()
    thread.join(30)
    assert ended[0].stopped and ended[0].code != 0
    assert gone(grandchild)


def test_a_command_that_ignores_the_signal_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "GRACE_S", 1.0)
    process.stopping.set()
    began = time.monotonic()
    done, _, _ = python("import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\ntime.sleep(60)")
    assert done.stopped and time.monotonic() - began < 10


@pytest.mark.slow
def test_a_command_whose_bar_stalls_is_stopped_and_one_whose_bar_advances_is_not() -> None:
    drawn = ("import sys, time\nfor second in range(int(sys.argv[1])):\n"
             "    print(f'\\r 40%|## |big {sys.argv[2] or second}.0M/38.1M [00:{second:02}<00:00, ?B/s]', end='', flush=True)\n    time.sleep(0.5)")
    stalled = run([sys.executable, "-c", drawn, "60", "15"], ROOT, os.environ, stall_timeout_s=2.0)
    assert (stalled.stalled, stalled.stopped) == (True, True) and 2.0 < stalled.seconds < 15.0
    moving = run([sys.executable, "-c", drawn, "7", ""], ROOT, os.environ, stall_timeout_s=2.0)
    assert (moving.stalled, moving.code) == (False, 0) and moving.seconds > 3.0


def test_a_process_that_outlives_its_command_is_ended(tmp_path: Path) -> None:
    done, _, _ = python(FAMILY.rsplit("time.sleep(60)", 1)[0], str(tmp_path / "pid"))
    assert done.code == 0
    assert gone(appears(tmp_path / "pid"))


def test_the_commands_of_a_killed_flow_end_with_it(tmp_path: Path) -> None:
    code = ("import os, sys\nfrom pathlib import Path\nfrom flows.process import run\n"
            f"run([sys.executable, '-c', {FAMILY!r}, sys.argv[1]], Path.cwd(), os.environ)")
    flow = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "pid")], cwd=ROOT)
    grandchild = appears(tmp_path / "pid")
    flow.send_signal(signal.SIGKILL)
    flow.wait(10)
    assert gone(grandchild)
