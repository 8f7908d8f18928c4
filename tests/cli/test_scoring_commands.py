"""`vizinho score` and `vizinho compare` on plain files of any system."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jiwer
import pytest
from jsonschema import Draft202012Validator

from pipeline.cli.compare import compare_files, render_compare
from pipeline.cli.score import render_score, score_files
from pipeline.core.errors import DataError, MissingInputError
from pipeline.core.files import ROOT, read_json

REFERENCES = {f"u{index:02d}": f"a casa {index} tem um jardim" for index in range(40)}
WORSE = {name: text.replace("casa", "caza") for name, text in REFERENCES.items()}
BETTER = {name: text if int(name[1:]) % 4 else WORSE[name] for name, text in REFERENCES.items()}


def write(path: Path, texts: dict[str, str], speakers: bool = False) -> Path:
    lines = [f"{name}\t{text}" + (f"\ts{int(name[1:]) % 10}" if speakers else "") for name, text in texts.items()]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    return {"reference": write(tmp_path / "reference.tsv", REFERENCES, speakers=True),
            "champion": write(tmp_path / "champion.tsv", WORSE), "challenger": write(tmp_path / "challenger.tsv", BETTER)}


def validated(found: dict[str, Any], name: str) -> dict[str, Any]:
    Draft202012Validator(read_json(ROOT / f"docs/schemas/{name}.json")).validate(found)
    return found


def test_a_score_of_plain_files_is_that_of_jiwer(files: dict[str, Path]) -> None:
    found = validated(score_files(files["reference"], files["challenger"]), "score")
    assert found["wer"]["value"] == jiwer.wer(list(REFERENCES.values()), list(BETTER.values()))
    assert found["cer"]["value"] == jiwer.cer(list(REFERENCES.values()), list(BETTER.values()))
    assert (found["system"], found["wer"]["unit"], found["test_set"]["speakers"]) == ("challenger", "speaker", 10)
    assert "4.17 %" in render_score(found)
    assert "10 substitutions" in render_score(found)


def test_a_comparison_of_plain_files_reports_the_better_system(files: dict[str, Path]) -> None:
    found = validated(compare_files(files["reference"], files["champion"], files["challenger"]), "compare")
    assert found["wer"]["difference"]["high"] < 0
    assert (found["champion"], found["challenger"], found["unit"], found["units"]) == ("champion", "challenger", "speaker", 10)
    assert render_compare(found).endswith("the challenger is better")
    back = compare_files(files["reference"], files["challenger"], files["champion"])
    assert render_compare(back).endswith("the champion is better")
    assert "no significant difference in WER" in render_compare(compare_files(files["reference"], files["champion"], files["champion"]))


def test_without_speakers_utterances_are_resampled(tmp_path: Path, files: dict[str, Path]) -> None:
    reference = write(tmp_path / "anonymous.tsv", REFERENCES)
    assert score_files(reference, files["champion"])["wer"]["unit"] == "utterance"


def test_with_a_locale_texts_are_normalised_first(tmp_path: Path) -> None:
    reference = write(tmp_path / "reference.tsv", {"a": "A casa, no 2.", "b": "Olá!"})
    hypothesis = write(tmp_path / "hypothesis.tsv", {"a": "a casa no dois", "b": "olá"})
    assert score_files(reference, hypothesis)["wer"]["value"] > 0
    found = validated(score_files(reference, hypothesis, "pt-BR"), "score")
    assert (found["wer"]["value"], found["tolerant"]) == (0.0, {"wer": 0.0, "cer": 0.0})
    assert found["normaliser"].startswith("pt-BR/")
    assert "tolerant of spelling variants: WER 0.00 %" in render_score(found)


def test_missing_and_unknown_ids_of_every_file_are_reported(files: dict[str, Path]) -> None:
    write(files["champion"], {**{name: text for name, text in WORSE.items() if name != "u07"}, "u99": "a mais"})
    write(files["challenger"], {name: text for name, text in BETTER.items() if name not in ("u03", "u04")})
    with pytest.raises(DataError) as caught:
        compare_files(files["reference"], files["champion"], files["challenger"])
    message = str(caught.value)
    assert "champion.tsv: 1 missing (u07)" in message
    assert "champion.tsv: 1 unknown (u99)" in message
    assert "challenger.tsv: 2 missing (u03, u04)" in message


@pytest.mark.parametrize(("content", "message"), [
    ("a\tum\nb\tdois\na\ttrês\n", "line 3: id a again"), ("a\tum\tx\ty\n", "line 1 has 4 columns"), ("\tum\n", "line 1 has no id"),
    ("a\tum\n\nb\tdois\n", "line 2 has no id"), ("", "empty"),
])
def test_an_invalid_line_is_reported(tmp_path: Path, files: dict[str, Path], content: str, message: str) -> None:
    bad = tmp_path / "bad.tsv"
    bad.write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        score_files(files["reference"], bad)


def test_files_of_other_tools_are_read(tmp_path: Path) -> None:
    reference, hypothesis = tmp_path / "reference.tsv", tmp_path / "hypothesis.tsv"
    reference.write_bytes("\ufeffa\tum dois\r\nb\t\r\n".encode())
    hypothesis.write_bytes(b"b\na\tum dois")  # only an id: an empty hypothesis
    assert score_files(reference, hypothesis)["wer"]["value"] == 0.0


def test_a_file_that_is_missing_or_not_utf_8_is_reported(tmp_path: Path, files: dict[str, Path]) -> None:
    with pytest.raises(MissingInputError, match=r"absent.tsv: no such file"):
        score_files(files["reference"], tmp_path / "absent.tsv")
    (tmp_path / "latin.tsv").write_bytes("a\tcafé\n".encode("latin-1"))
    with pytest.raises(DataError, match="latin.tsv: not UTF-8"):
        score_files(files["reference"], tmp_path / "latin.tsv")
