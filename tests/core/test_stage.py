"""The entry point of a stage: exit codes, messages without traceback, recorded timing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.core.files import ROOT
from pipeline.core.stage import arguments_of

STAGE = '''
from pathlib import Path
from pipeline.core.errors import DataError, ParamsError
from pipeline.core.stage import stage_main

def run(corpus, path, root="."):
    if corpus == "data":
        raise DataError(corpus, "no audio", "audio", "add some")
    if corpus == "params":
        raise ParamsError("params.yaml", ["a: missing", "b: unknown key"])
    if corpus == "folder":
        Path(path).read_text()
    if corpus == "bug":
        raise ZeroDivisionError("a bug")
    print("ran", corpus, path, root)

if __name__ == "__main__":
    stage_main(run)
'''


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout with the core package and one stage."""
    root = tmp_path_factory.mktemp("checkout")
    shutil.copytree(ROOT / "pipeline/core", root / "pipeline/core")
    (root / "pipeline/__init__.py").write_text("", encoding="utf-8")
    (root / "pipeline/demo.py").write_text(STAGE, encoding="utf-8")
    return root


def stage(checkout: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    shutil.rmtree(checkout / "data", ignore_errors=True)
    inherited = {name: value for name, value in os.environ.items() if name not in ("RANK", "PYTHONPATH")}
    return subprocess.run([sys.executable, "-m", "pipeline.demo", *arguments], cwd=checkout, env=inherited | environment,
                          capture_output=True, text=True)


def test_a_stage_that_succeeds_exits_with_0_and_records_its_timing(checkout: Path) -> None:
    done = stage(checkout, "speech", "there")
    assert (done.returncode, done.stdout, done.stderr) == (0, "ran speech there .\n", "")
    found = json.loads((checkout / "data/timing/demo/speech/timing.json").read_text(encoding="utf-8"))
    assert found["stage"] == "demo@speech"
    assert 0 <= found["seconds"] < 60
    assert found["peak_memory_bytes"] > 1_000_000


def test_only_rank_zero_records_timing(checkout: Path) -> None:
    assert stage(checkout, "speech", "there", RANK="1").returncode == 0
    assert not (checkout / "data/timing").exists()


@pytest.mark.parametrize("corpus, code, message", [
    ("data", 1, "error: data: no audio; expected audio; add some\n"),
    ("params", 2, "error: params.yaml: 2 problems\n  a: missing\n  b: unknown key\n"),
    ("folder", 1, "error: pipeline: Is a directory\n"),
])
def test_an_error_of_the_user_is_one_message_without_traceback(checkout: Path, corpus: str, code: int, message: str) -> None:
    done = stage(checkout, corpus, "pipeline")
    assert (done.returncode, done.stdout, done.stderr) == (code, "", message)
    assert not (checkout / "data/timing").exists()


def test_a_bug_keeps_its_traceback(checkout: Path) -> None:
    done = stage(checkout, "bug", "x")
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "ZeroDivisionError: a bug" in done.stderr


@pytest.mark.parametrize("arguments", [(), ("one",), ("one", "two", "three")])
def test_a_wrong_number_of_arguments_prints_the_usage_and_exits_with_2(checkout: Path, arguments: tuple[str, ...]) -> None:
    done = stage(checkout, *arguments)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "usage: python -m pipeline.demo CORPUS PATH\n")


def test_the_arguments_of_a_stage_are_its_parameters_without_default() -> None:
    def run(corpus: str, name: str, root: str = ".") -> None: ...
    assert arguments_of(run) == ["corpus", "name"]
