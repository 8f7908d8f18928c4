"""Timing of stages: records merge within a process, processes lose nothing to one another, all files agree."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.core import timing
from pipeline.core.files import ROOT, lock_free
from pipeline.core.timing import all_timings, curves_folder, machine, peak_memory_bytes, read_timing, record_timing, timing_folder


def script_value(root: Path) -> dict[str, dict[str, object]]:
    """Return the value that data/timing/timing.js assigns."""
    text = (root / "data/timing/timing.js").read_text(encoding="utf-8")
    return json.loads(text.removeprefix("window.vizinhoTiming = ").removesuffix(";\n"))


def test_later_figures_of_a_stage_are_added_to_earlier_ones(tmp_path: Path) -> None:
    record_timing("train@small", tmp_path, seconds=1.5, steps=10)
    record_timing("train@small", tmp_path, seconds=2.5, peak_memory_bytes=7)
    assert read_timing("train@small", tmp_path) == {
        "stage": "train@small", "machine": machine(), "seconds": 2.5, "steps": 10, "peak_memory_bytes": 7}


def test_a_new_run_of_a_stage_replaces_the_figures_of_the_last_one(tmp_path: Path) -> None:
    code = "import sys; from pipeline.core.timing import record_timing; record_timing('gate', sys.argv[1], **{sys.argv[2]: 1})"
    for figure in ("first", "second"):
        subprocess.run([sys.executable, "-c", code, str(tmp_path), figure], cwd=ROOT, check=True)
    found = read_timing("gate", tmp_path)
    assert found is not None
    assert "second" in found
    assert "first" not in found


def test_a_stage_that_never_ran_has_no_timing(tmp_path: Path) -> None:
    assert read_timing("gate", tmp_path) is None
    assert all_timings(tmp_path) == {}


def test_timing_and_curves_of_a_stage_have_a_folder_each(tmp_path: Path) -> None:
    assert timing_folder("train@transfer", tmp_path) == tmp_path / "data/timing/train/transfer"
    assert timing_folder("gate", tmp_path) == tmp_path / "data/timing/gate"
    assert curves_folder("train@transfer", tmp_path) == tmp_path / "data/timing/curves/train/transfer"


def test_all_json_and_timing_js_have_the_figures_of_every_stage(tmp_path: Path) -> None:
    record_timing("gate", tmp_path, seconds=1.0, note="</script>")
    record_timing("score@a", tmp_path, seconds=2.0)
    expected = all_timings(tmp_path)
    assert list(expected) == ["gate", "score@a"]
    assert expected == json.loads((tmp_path / "data/timing/all.json").read_text(encoding="utf-8")) == script_value(tmp_path)
    assert "<" not in (tmp_path / "data/timing/timing.js").read_text(encoding="utf-8")


def test_processes_that_record_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    code = ("import sys; from pipeline.core.timing import record_timing\n"
            "sys.stdin.readline()\n"
            "for number in range(15): record_timing(f'score@{sys.argv[2]}-{number}', sys.argv[1], seconds=float(number))\n")
    processes = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path), name], cwd=ROOT, stdin=subprocess.PIPE) for name in "abc"]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(b"\n")
        process.stdin.flush()
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    for process in processes:
        assert process.stdin is not None
        process.stdin.close()
    found = json.loads((tmp_path / "data/timing/all.json").read_text(encoding="utf-8"))
    assert {stage: entry["seconds"] for stage, entry in found.items()} == {f"score@{name}-{n}": float(n) for name in "abc" for n in range(15)}
    assert found == script_value(tmp_path)


def test_timings_are_collected_under_an_exclusive_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    locked = []

    def collect(root: Path) -> dict[str, dict[str, object]]:
        with open(root / "data/timing/.lock", encoding="utf-8") as handle:
            locked.append(not lock_free(handle))
        return {}

    monkeypatch.setattr(timing, "all_timings", collect)
    record_timing("gate", tmp_path, seconds=1.0)
    assert locked == [True]


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux resets the counter")
def test_peak_memory_counts_from_the_last_reset(tmp_path: Path) -> None:
    code = ("from pathlib import Path; from pipeline.core.timing import peak_memory_bytes\n"
            "block = bytearray(b'x' * 200_000_000); high = peak_memory_bytes(); del block\n"
            "try: Path('/proc/self/clear_refs').write_text('5')\n"
            "except OSError: print(0, 0)\n"
            "else: print(high, peak_memory_bytes())")
    out = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    high, low = map(int, out.split())
    if not high:
        pytest.skip("this process may not reset the counter")
    assert high > 200_000_000
    assert low < high - 150_000_000


def test_the_machine_has_the_cores_that_the_process_may_use() -> None:
    assert machine()["cores"] == len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert machine()["processor"]
    assert peak_memory_bytes() > 1_000_000
