"""The child program: what it imports, and a path to its data that eSpeak NG can open."""

from __future__ import annotations

import ast
import io
import os
import subprocess
import sys
from pathlib import Path

import espeakng_loader
import pytest

from pipeline.core.files import ROOT
from pipeline.espeak import child

SOURCE = Path(child.__file__)


def imported(file: Path) -> set[str]:
    """Return the top-level names of the modules that a file imports, within functions too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


def test_the_child_imports_the_standard_library_and_espeakng_loader_alone() -> None:
    assert {name for name in imported(SOURCE) if name not in sys.stdlib_module_names} == {"espeakng_loader"}


def test_no_other_module_imports_espeakng_loader() -> None:
    importing = {file for file in (ROOT / "pipeline").rglob("*.py") if "espeakng_loader" in imported(file)}
    assert importing - {ROOT / "pipeline/cli/doctor.py"} == {SOURCE}, "doctor only looks for its file"


def test_the_child_starts_without_numpy_and_without_the_site_packages() -> None:
    code = ("import runpy, sys; sys.argv = ['child.py', sys.argv[1]]; runpy.run_path(sys.argv.pop(), run_name='child');"
            "assert not {'numpy', 'pandas', 'torch', 'pipeline', 'tempfile'} & set(sys.modules), sorted(sys.modules)")
    subprocess.run([sys.executable, "-I", "-S", "-c", code, str(SOURCE)], check=True, timeout=30)


def test_a_frame_is_read_as_it_was_written_and_the_end_is_none() -> None:
    stream = io.BytesIO()
    child.write_frame(stream, {"command": "synthesise", "text": "é"}, b"\0\1")
    child.write_frame(stream, {})
    stream.seek(0)
    assert child.read_frame(stream) == ({"command": "synthesise", "text": "é"}, b"\0\1")
    assert child.read_frame(stream) == ({}, b"")
    assert child.read_frame(stream) is None


def test_a_long_path_to_the_voices_is_shortened_by_a_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    deep.mkdir(parents=True)
    data = deep / "espeak-ng-data"
    data.symlink_to(espeakng_loader.get_data_path())
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    short = child.short_path(str(data))
    assert len(os.fsencode(short)) <= child.LONGEST_PATH
    assert (Path(short) / "phontab").exists()
    assert child.short_path(str(data)) == short
    assert child.short_path(short) == short
    monkeypatch.setenv("TMPDIR", str(deep))  # itself too long for a link in it
    monkeypatch.setattr("tempfile.tempdir", None)
    assert len(os.fsencode(child.short_path(str(data)))) <= child.LONGEST_PATH
