"""VoxForge, built to both of its layouts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.core.errors import MissingInputError
from pipeline.corpora import Reject, Utterance, voxforge
from tests.releases import sound, take_in, write

README = """User Name:{name}

Speaker Characteristics:

Gender: {gender}
Age Range: Adulto
Language: PT_BR
Pronunciation dialect: Português do Brasil
"""


def params(**given: Any) -> voxforge.Params:
    return voxforge.Params(**{"reader": "voxforge", "language": "portuguese", "source": "corpus", **given})


def new(source: Path, name: str = "Marcelo-20131106-xyz", gender: str = "Masculino", user: str = "Marcelo") -> Path:
    folder = source / name
    write(folder / "etc/README", README.format(name=user, gender=gender).encode("latin-1"))
    write(folder / "etc/PROMPTS", f"{name}/mfc/pt-0001 TODO DIA É DIA\n{name}/mfc/pt-0002 BOM DIA\n")
    write(folder / "etc/prompts-original", "1 Todo dia é dia.\n")
    for number in (1, 2):
        sound(folder / f"wav/pt-000{number}.wav")
    return folder


def old(source: Path, name: str = "anonymous-20080101-abc") -> Path:
    folder = source / name
    write(folder / "README", README.format(name="anonymous", gender="Feminino"))
    write(folder / "PROMPTS", "pt2 Olá João\n")
    for number in (2, 3):
        sound(folder / f"pt{number}.wav")
    return folder


def test_both_layouts_are_ingested_and_a_recording_without_prompt_rejected(tmp_path: Path) -> None:
    new(tmp_path / "corpus"), old(tmp_path / "corpus")
    taken, rejects = take_in(tmp_path, reader="voxforge", source="corpus", locale="pt-BR")
    columns = ["utterance_id", "transcript", "speaker", "gender", "age", "accent", "locale", "licence"]
    assert taken[columns].to_numpy().tolist() == [
        ["toy/Marcelo-20131106-xyz/pt-0001", "Todo dia é dia.", "toy/Marcelo", "male", "Adulto", "Português do Brasil", "pt-BR", "GPL-3.0-or-later"],
        ["toy/Marcelo-20131106-xyz/pt-0002", "BOM DIA", "toy/Marcelo", "male", "Adulto", "Português do Brasil", "pt-BR", "GPL-3.0-or-later"],
        ["toy/anonymous-20080101-abc/pt2", "Olá João", "toy/anonymous-20080101-abc", "female", "Adulto", "Português do Brasil", "pt-BR",
         "GPL-3.0-or-later"],
    ]
    assert rejects[["utterance_id", "reason"]].to_numpy().tolist() == [["toy/anonymous-20080101-abc/pt3", "empty transcript"]]


def test_broken_submissions_are_rejected_by_name(tmp_path: Path) -> None:
    new(tmp_path, voxforge.BROKEN[0])
    found = voxforge.utterances(params(), tmp_path)
    assert [row.reason for row in found if isinstance(row, Reject)] == ["broken submission"] * 2


@pytest.mark.parametrize(("gender", "expected"), [("Masculino;", "male"), ("[Feminino];", "female"), ("Desconhecido", ""), ("Por favor escolha", "")])
def test_the_gender_is_read_in_the_spelling_of_volunteers(tmp_path: Path, gender: str, expected: str) -> None:
    new(tmp_path, gender=gender)
    assert {row.gender for row in voxforge.utterances(params(), tmp_path) if isinstance(row, Utterance)} == {expected}


def test_a_submission_without_readme_has_its_folder_as_speaker(tmp_path: Path) -> None:
    (new(tmp_path) / "etc/README").unlink()
    assert {(row.speaker, row.gender) for row in voxforge.utterances(params(), tmp_path) if isinstance(row, Utterance)} == {("Marcelo", "")}


@pytest.mark.parametrize(("stem", "number"), [("pt-0001", "1"), ("001", "1"), ("b0390", "390"), ("ola", "ola"), ("a1-000", "0")])
def test_a_stem_is_matched_by_its_number(stem: str, number: str) -> None:
    assert voxforge.trailing_number(stem) == number


def test_a_source_without_submissions_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="no submission with recordings; expected folders with PROMPTS.*unpack each submission"):
        voxforge.utterances(params(), tmp_path)
