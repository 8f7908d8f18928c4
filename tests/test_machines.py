"""Machines as people have them: temporary folders, homes, masks, settings of pip, systems that are not supported."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import ingest
from pipeline.core.files import ROOT

WORKERS = """
import multiprocessing, sys
from pipeline.ingest import keep_sockets_short
if __name__ == "__main__":
    keep_sockets_short()
    process = multiprocessing.get_context("forkserver").Process(target=print, args=("worked",))
    process.start()
    process.join()
    sys.exit(process.exitcode)
"""


def run(*command: str, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True)


# ---- Temporary folders, homes, masks ------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [
    pytest.param(ingest.LONGEST_TMPDIR, marks=pytest.mark.slow), pytest.param(ingest.LONGEST_TMPDIR + 1, marks=pytest.mark.slow),
    pytest.param(200, marks=pytest.mark.slow)])
def test_workers_start_under_a_temporary_folder_of_any_length(tmp_path: Path, length: int) -> None:
    folder = Path("/tmp") / f"v{os.getpid()}-{length}"
    folder = folder / ("x" * (length - len(str(folder)) - 1))
    (tmp_path / "workers.py").write_text(WORKERS)
    folder.mkdir(parents=True)
    try:
        assert len(str(folder)) == length
        done = run(sys.executable, str(tmp_path / "workers.py"), TMPDIR=str(folder), PYTHONPATH=str(ROOT))
    finally:
        shutil.rmtree(folder.parent)
    assert (done.returncode, done.stdout, done.stderr) == (0, "worked\n", "")


@pytest.mark.slow
def test_a_temporary_folder_that_is_missing_is_replaced_by_tmp(tmp_path: Path) -> None:
    (tmp_path / "workers.py").write_text(WORKERS)
    done = run(sys.executable, str(tmp_path / "workers.py"), TMPDIR=str(tmp_path / "missing"), PYTHONPATH=str(ROOT))
    assert (done.returncode, done.stdout) == (0, "worked\n")


@pytest.mark.slow
@pytest.mark.parametrize("command", [("doctor",), ("registry", "list"), ("normalise", "--locale", "pt-BR")])
def test_commands_need_no_home(command: tuple[str, ...]) -> None:
    done = run(sys.executable, "-m", "pipeline.cli", *command, HOME="/proc/none", XDG_CONFIG_HOME="/proc/none", XDG_CACHE_HOME="/proc/none",
               PYTHONPATH=str(ROOT), VIZINHO_STATE="/proc/none")
    assert "Traceback" not in done.stderr and done.returncode in (0, 1), done.stderr


# ---- The installation ---------------------------------------------------------------------------------------------------


def make(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return run("make", "--no-print-directory", *arguments, **environment)


@pytest.mark.parametrize("system", ["Darwin arm64", "Darwin x86_64", "Linux aarch64", "FreeBSD amd64", "MINGW64_NT-10.0 x86_64"])
def test_another_system_is_stopped_first_with_what_is_supported(tmp_path: Path, system: str) -> None:
    (tmp_path / "uname").write_text(f"#!/bin/sh\necho {system}\n")
    (tmp_path / "uname").chmod(0o755)
    done = make("needs", "PYTHON=missing", PATH=f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert done.returncode == 2
    assert done.stdout == f"{system} is not supported: use Linux on x86-64 (also in WSL 2, Docker or a virtual machine)\n"


def test_this_system_is_supported() -> None:
    assert (make("needs", f"PYTHON={sys.executable}").returncode, " ".join(os.uname()[::4])) == (0, "Linux x86_64")


def test_the_settings_of_pip_that_send_packages_elsewhere_do_not_reach_it() -> None:
    wrong = {"PIP_USER": "1", "PIP_REQUIRE_VIRTUALENV": "1", "PIP_TARGET": "/x", "PIP_PREFIX": "/x", "PIP_ROOT": "/x", "PIP_NO_BINARY": ":all:",
             "PIP_CONSTRAINT": "/x", "PIP_REQUIRE_HASHES": "1", "PIP_DRY_RUN": "1", "PYTHONPATH": "/x", "PYTHONHOME": "/x"}
    kept = {"PIP_INDEX_URL": "https://mirror.example.org/simple", "PIP_CERT": "/ca.pem", "PIP_PROXY": "http://proxy:3128"}
    done = make("--eval=show:; @env", "show", **wrong, **kept)
    found = dict(line.split("=", 1) for line in done.stdout.splitlines() if line.startswith(("PIP_", "PYTHON")))
    assert {name: value for name, value in found.items() if name in wrong} == {"PIP_USER": "0", "PIP_REQUIRE_VIRTUALENV": "0"}
    assert kept.items() <= found.items()


@pytest.mark.slow
@pytest.mark.parametrize(("config", "code"), [("[install]\nuser = true\n[global]\nrequire-virtualenv = true\n", 0), ("[global]\ntarget = /x\n", 2)])
def test_packages_go_into_the_environment_whatever_pips_files_say(tmp_path: Path, config: str, code: int) -> None:
    (tmp_path / "pip.conf").write_text(config)
    for name in ("requirements/main.txt", "requirements/speak.txt", "pipeline/core/processors.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "pyproject.toml").write_text("")
    makefile = (ROOT / "Makefile").read_text().replace("--require-hashes -r requirements/main.txt -r requirements/speak.txt", "./package")
    (tmp_path / "Makefile").write_text(makefile.replace("--no-build-isolation --editable .", "--no-build-isolation ./package"))
    (tmp_path / "package").mkdir()
    (tmp_path / "package/pyproject.toml").write_text('[build-system]\nrequires = []\nbuild-backend = "build"\nbackend-path = ["."]\n')
    (tmp_path / "package/build.py").write_text(BACKEND)
    done = run("make", ".venv/main.done", f"PYTHON={sys.executable}", cwd=tmp_path, PIP_CONFIG_FILE=str(tmp_path / "pip.conf"), PIP_USER="1",
               PIP_NO_INDEX="1", HOME=str(tmp_path / "home"))
    assert done.returncode == code, done.stderr
    assert bool(list(tmp_path.glob(".venv/lib/*/site-packages/toy.py"))) == (code == 0)
    assert code == 0 or "pip's configuration (pip config debug) sends packages elsewhere" in done.stdout


BACKEND = """
import pathlib, zipfile
def build_wheel(folder, settings=None, metadata=None):
    name = "toy-1.0-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(folder) / name, "w") as wheel:
        wheel.writestr("toy.py", "")
        wheel.writestr("toy-1.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: toy\\nVersion: 1.0\\n")
        wheel.writestr("toy-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("toy-1.0.dist-info/RECORD", "")
    return name
"""
