"""The `vizinho` command as a user meets it: a process with arguments, messages and an exit code."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
import yaml

from pipeline.cli.main import main
from pipeline.core.files import ROOT

TEXTS = {"reference": "a\tum dois\tana\nb\ttrês\trui\n", "champion": "a\tum\nb\ttreze\n", "challenger": "a\tum dois\nb\ttrês\n"}


def vizinho(*arguments: str, at: Path = ROOT, given: bytes = b"") -> subprocess.CompletedProcess[str]:
    """Return the finished process of a command; it never prints a traceback."""
    done = subprocess.run([sys.executable, "-m", "pipeline.cli", *arguments], cwd=at, input=given, capture_output=True)
    shown = subprocess.CompletedProcess(arguments, done.returncode, done.stdout.decode(), done.stderr.decode())
    assert "Traceback" not in shown.stderr
    return shown


def called(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Return what a command returns and prints that is called in this process: without the seconds of imports of a new one."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["vizinho", *arguments])
        patch.chdir(ROOT)
        try:
            main()
        except SystemExit as end:
            code = end.code
        else:
            code = 0
    assert "Traceback" not in err.getvalue()
    return subprocess.CompletedProcess(arguments, int(code or 0), out.getvalue(), err.getvalue())


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """Return the paths of transcript files."""
    for name, text in TEXTS.items():
        (tmp_path / f"{name}.tsv").write_text(text, encoding="utf-8")
    return {name: str(tmp_path / f"{name}.tsv") for name in TEXTS}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function that returns a checkout without results and with the given params."""
    folder = tmp_path_factory.mktemp("checkout")
    shutil.copytree(ROOT / "pipeline", folder / "pipeline", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "champion.yaml", folder)

    def at(params: str) -> Path:
        (folder / "params.yaml").write_text(params, encoding="utf-8")
        return folder

    return at


def test_help_lists_every_command() -> None:
    done = vizinho("--help")
    assert done.returncode == 0
    for command in ("normalise", "score", "compare", "transcribe", "rank", "doctor", "budget", "stage"):
        assert f"\n  {command} " in done.stdout
    assert "..." not in done.stdout.split("Commands:")[1], "a help text is cut"
    assert vizinho().returncode == 2


def test_normalise_converts_line_by_line() -> None:
    done = vizinho("normalise", "--locale", "pt-BR", given="Às 14h.\n\n".encode())
    assert (done.returncode, done.stdout) == (0, "às catorze horas\n\n")


def test_normalise_fails_on_bytes_that_are_not_utf_8() -> None:
    done = vizinho("normalise", "--locale", "es", given=b"uno\n\xff\n")
    assert (done.returncode, done.stdout) == (1, "uno\n")
    assert done.stderr.startswith("error: standard input, line 2: not UTF-8")


def test_a_closed_pipe_is_not_an_error() -> None:
    command = f"yes 14h | '{sys.executable}' -m pipeline.cli normalise --locale es 2>errors.txt | head -1; cat errors.txt; rm errors.txt"
    done = subprocess.run(["bash", "-c", command], cwd=os.environ.get("TMPDIR", "/tmp"), env=os.environ | {"PYTHONPATH": str(ROOT)},
                          capture_output=True, text=True)
    assert done.stdout == "catorce horas\n"


def test_score_and_compare_print_error_rates_and_exit_0(files: dict[str, str]) -> None:
    done = called("score", "--reference", files["reference"], "--hypothesis", files["champion"])
    assert done.returncode == 0
    assert "WER  66.67 %" in done.stdout
    done = called("compare", *(argument for name, path in files.items() for argument in (f"--{name}", path)))
    assert done.returncode == 0
    assert "66.67 % -> 0.00 %" in done.stdout


def test_transcripts_with_different_ids_fail(files: dict[str, str]) -> None:
    Path(files["champion"]).write_text("a\tum\nx\tdois\n", encoding="utf-8")
    done = called("score", "--reference", files["reference"], "--hypothesis", files["champion"])
    assert done.returncode == 1
    assert "1 missing (b)" in done.stderr
    assert "1 unknown (x)" in done.stderr


@pytest.mark.parametrize(("arguments", "message"), [
    (("score", "--reference", "absent.tsv", "--hypothesis", "absent.tsv"), "error: absent.tsv: no such file; expected lines of id<TAB>text"),
    (("score", "--reference", ".", "--hypothesis", "."), "error: .: Is a directory"),
])
def test_a_missing_file_fails_with_its_name(arguments: tuple[str, ...], message: str) -> None:
    done = called(*arguments)
    assert done.returncode == 1
    assert done.stderr.startswith(message)


def test_rank_without_a_ranking_prints_how_to_make_one(checkout: Callable[[str], Path]) -> None:
    done = vizinho("rank", at=checkout("{}"))
    assert done.returncode == 1
    assert "ranking.json: no such file" in done.stderr
    assert "dvc repro" in done.stderr


@pytest.mark.parametrize(("arguments", "message"), [
    (("sing",), "No such command 'sing'"),
    (("normalise",), "Missing option '--locale'"),
    (("normalise", "--locale", "fr"), "'fr' is not one of 'pt-BR', 'pt-PT', 'es'"),
    (("score", "--reference", "a.tsv"), "Missing option '--hypothesis'"),
    (("compare", "--reference", "a.tsv", "--champion", "b.tsv"), "Missing option '--challenger'"),
    (("transcribe",), "Missing argument"),
    (("transcribe", "--format", "doc", "a.wav"), "'doc' is not one of 'txt', 'json', 'srt', 'vtt'"),
    (("doctor", "--profile", "nobody"), "--profile: 1 problem\n  found 'nobody'; expected one of common-voice-xlsr, real-voice"),
    (("stage", "bake"), "'bake' is not one of 'ingest'"),
    (("stage", "split"), "split takes LANGUAGE; found none"),
    (("stage", "split", "portuguese", "spanish"), "split takes LANGUAGE; found portuguese spanish"),
    (("stage", "gate", "now"), "gate takes no arguments; found now"),
    (("stage", "transcribe", "donor"), "transcribe takes SYSTEM MODEL_FOLDER [DECODER_FOLDER]; found donor"),
    (("stage", "ingest", "nobody"), "params.yaml: 1 problem\n  ingest.nobody: missing; found speak-es, speak-pt"),
])
def test_wrong_arguments_are_wrong_usage(arguments: tuple[str, ...], message: str) -> None:
    done = called(*arguments)
    assert done.returncode == 2
    assert message in done.stderr


def test_a_stage_without_its_input_fails_with_the_name_of_the_file(checkout: Callable[[str], Path]) -> None:
    done = vizinho("stage", "tokenise", "spanish", at=checkout((ROOT / "params.yaml").read_text(encoding="utf-8")))
    assert done.returncode == 1
    assert done.stderr.startswith("error: data/split/spanish/train.parquet: no such file")


def test_a_stage_with_wrong_params_reports_all_problems_as_a_command_and_as_a_module(checkout: Callable[[str], Path]) -> None:
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    params["split"]["spanish"] = {"salt": "", "dev_share": 2, "test_share": "much", "shares": 3}
    at = checkout(yaml.safe_dump(params, sort_keys=False))
    expected = ("error: params.yaml: 4 problems\n"
                "  split.spanish.salt: found ''; string should have at least 1 character\n"
                "  split.spanish.dev_share: found 2; expected less than 1\n"
                "  split.spanish.test_share: found 'much'; expected a valid number, unable to parse string as a number\n"
                "  split.spanish.shares: unknown key (value 3); remove it or correct its spelling\n")
    done = vizinho("stage", "split", "spanish", at=at)
    assert (done.returncode, done.stderr) == (2, expected)
    direct = subprocess.run([sys.executable, "-m", "pipeline.split", "spanish"], cwd=at, capture_output=True, text=True)
    assert (direct.returncode, direct.stderr) == (2, expected)


def test_a_stage_module_with_wrong_arguments_prints_its_usage() -> None:
    done = subprocess.run([sys.executable, "-m", "pipeline.split", "spanish", "portuguese"], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (2, "usage: python -m pipeline.split LANGUAGE\n")
