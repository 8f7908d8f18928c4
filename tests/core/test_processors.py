"""The processors that a process may use: its affinity within the quota of its control groups."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.core import processors
from pipeline.core.files import ROOT
from pipeline.core.processors import usable_processors


@pytest.fixture(autouse=True)
def _eight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))


def lay(root: Path, own: str, files: dict[str, str]) -> Path:
    """Write /proc/self/cgroup and files under /sys/fs/cgroup."""
    for name, content in {"proc/self/cgroup": own, **{f"sys/fs/cgroup/{name}": content for name, content in files.items()}}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return root


@pytest.mark.parametrize(("own", "files", "expected"), [
    ("0::/\n", {"cpu.max": "200000 100000\n"}, 2),  # in a container of version 2
    ("0::/\n", {"cpu.max": "max 100000\n"}, 8),
    ("0::/\n", {"cpu.max": "150000 100000\n"}, 2),
    ("0::/\n", {"cpu.max": "5000 100000\n"}, 1),
    ("0::/\n", {"cpu.max": "1600000 100000\n"}, 8),
    ("0::/\n", {}, 8),  # the root group has no such file
    ("0::/kubepods/pod1/c\n", {"kubepods/pod1/c/cpu.max": "max 100000\n", "kubepods/pod1/cpu.max": "300000 100000\n"}, 3),
    ("0::/user.slice/a.scope\n", {"user.slice/a.scope/cpu.max": "400000 100000\n", "user.slice/cpu.max": "200000 100000\n"}, 2),
    ("4:cpu,cpuacct:/docker/1\n0::/\n", {"cpu,cpuacct/cpu.cfs_quota_us": "250000\n", "cpu,cpuacct/cpu.cfs_period_us": "100000\n"}, 3),
    ("4:cpu,cpuacct:/docker/1\n", {"cpu,cpuacct/docker/1/cpu.cfs_quota_us": "50000\n", "cpu,cpuacct/docker/1/cpu.cfs_period_us": "50000\n"}, 1),
    ("1:cpu:/\n2:cpuset:/\n", {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 8),
    ("1:cpuset:/\n2:name=systemd:/\n", {"cpuset/cpu.cfs_quota_us": "100000\n", "cpuset/cpu.cfs_period_us": "100000\n"}, 8),
    ("3:cpuacct,cpu:/a\n", {"cpu/a/cpu.cfs_quota_us": "100000\n", "cpu/a/cpu.cfs_period_us": "100000\n"}, 1),
    ("0::/\n1:cpu:/\n", {"cpu/cpu.cfs_quota_us": "400000\n", "cpu/cpu.cfs_period_us": "100000\n", "unified/cpu.max": "200000 100000\n"}, 2),
    ("0::/\n", {"cpu.max": "\n"}, 8), ("0::/\n", {"cpu.max": "100000 0\n"}, 8), ("", {}, 8),
])
def test_a_quota_of_any_version_and_of_any_group_around_it_counts(tmp_path: Path, own: str, files: dict[str, str], expected: int) -> None:
    assert usable_processors(lay(tmp_path, own, files)) == expected


def test_without_proc_and_without_affinity_every_processor_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert usable_processors(tmp_path) == 8
    monkeypatch.delattr(os, "sched_getaffinity")  # as on macOS
    monkeypatch.setattr(os, "cpu_count", lambda: 10)
    assert usable_processors(tmp_path) == 10
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert usable_processors(tmp_path) == 1


def test_the_file_prints_it_before_anything_is_installed(tmp_path: Path) -> None:
    file = ROOT / "pipeline/core/processors.py"
    done = subprocess.run([sys.executable, "-I", "-S", str(file)], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert int(done.stdout) >= 1
    assert processors.__file__ == str(file)
