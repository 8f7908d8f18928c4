"""What the commands print where the terminal is not UTF-8: the same bytes, without a traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile

from pipeline.core.files import ROOT
from tests import tiny
from tests.toy_registry import Toy

ENVIRONMENTS = {
    "LANG=C": {"LANG": "C"},
    "ASCII": {"PYTHONIOENCODING": "ascii"},
    "C without PEP 538 and 540": {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
    "Latin-1": {"PYTHONIOENCODING": "latin-1"},
}


def vizinho(environment: dict[str, str], *arguments: str, given: bytes = b"", at: Path = ROOT) -> tuple[int, str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "PYTHONUTF8", "PYTHONIO"))}
    done = subprocess.run([sys.executable, "-m", "pipeline.cli", *arguments], input=given, capture_output=True, cwd=at,
                          env={**clean, "PYTHONPATH": str(ROOT), **environment})
    out, err = done.stdout.decode(), done.stderr.decode()
    assert "Traceback" not in err and "UnicodeEncodeError" not in err, err
    return done.returncode, out, err


@pytest.mark.parametrize("environment", [pytest.param(value, id=name, marks=[pytest.mark.slow] if name != "LANG=C" else [])
                                         for name, value in ENVIRONMENTS.items()])
def test_text_and_messages_are_utf_8(environment: dict[str, str], tmp_path: Path) -> None:
    assert vizinho(environment, "normalise", "--locale", "pt-BR", given="Às 14h.\n".encode()) == (0, "às catorze horas\n", "")
    reference, hypothesis = tmp_path / "referência.tsv", tmp_path / "ação→.tsv"
    for file in (reference, hypothesis):
        file.write_text("ç-1\tolá\tJoão\nç-2\tmundo\tZé\n", encoding="utf-8")
    code, out, err = vizinho(environment, "score", "--reference", str(reference), "--hypothesis", str(hypothesis))
    assert (code, out.split(":")[0], err) == (0, "ação→", "")
    assert json.loads(vizinho(environment, "score", "--json", "--reference", str(reference), "--hypothesis", str(hypothesis))[1])["system"] == "ação→"
    code, _, err = vizinho(environment, "score", "--reference", str(tmp_path / "não.tsv"), "--hypothesis", str(hypothesis))
    assert code == 1 and err.startswith(f"error: {tmp_path}/não.tsv: no such file")


@pytest.mark.slow
@pytest.mark.parametrize(("name", "form"), [("ASCII", []), ("C without PEP 538 and 540", ["--stream"]), ("Latin-1", ["--format", "json"])])
def test_transcripts_are_utf_8_and_names_that_are_not_are_escaped(name: str, form: list[str], tmp_path: Path) -> None:
    from pipeline.model.artifact import save_model

    save_model(tiny.model(seed=3), tiny.vocabulary(), tmp_path / "model", {})
    folder = tmp_path / "gravações [1]"
    folder.mkdir()
    soundfile.write(tmp_path / "x.wav", tiny.spoken("rosa era"), 16_000)
    for file in (b"caf\xe9.wav", "ação.WAV".encode()):
        (folder / os.fsdecode(file)).write_bytes((tmp_path / "x.wav").read_bytes())
    missing = folder / "não [2].wav"
    code, out, err = vizinho(ENVIRONMENTS[name], "transcribe", "--model", str(tmp_path / "model"), *form, str(folder), str(missing))
    files = {line.split("\t")[0] for line in out.splitlines()} if not form else \
        {line["file"] for line in (json.loads(out) if form[0] == "--format" else map(json.loads, out.splitlines()))}
    shown = {file.encode("utf-8", "backslashreplace").decode() for file in files} - {str(missing)}
    assert (code, shown) == (1, {f"{folder}/ação.WAV", f"{folder}/caf\\udce9.wav"})
    assert f"error: {missing}: No such file" in err


@pytest.mark.slow
def test_the_registry_and_the_doctor_print_names_with_accents(twice: Toy) -> None:
    code, out, err = vizinho(ENVIRONMENTS["LANG=C"], "registry", "list", at=twice.path)
    assert (code, out.splitlines()[0][:9], err) == (0, "* v0.2.0 ", "")
    assert vizinho(ENVIRONMENTS["ASCII"], "doctor")[0] in (0, 1)
