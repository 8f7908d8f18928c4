"""Folders of recordings with a text beside each: CETUC, LapsBM and SID as they are distributed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.core.errors import DataError, MissingInputError
from pipeline.corpora import Utterance, folder
from tests.releases import sound, take_in, write


def params(**given: Any) -> folder.Params:
    return folder.Params(**{"reader": "folder", "language": "portuguese", "source": "corpus", "locale": "pt-BR",
                            "licence": "LicenseRef-research", **given})


def listed(source: Path, **given: Any) -> list[tuple[str, str, str, str]]:
    found = folder.utterances(params(**given), source)
    return [(row.id, row.transcript, row.speaker, row.gender) for row in found if isinstance(row, Utterance)]


def test_a_release_is_ingested_and_a_recording_without_text_rejected(tmp_path: Path) -> None:
    source = tmp_path / "corpus"
    for stem in ("Abel_M001/M001-0000", "Abel_M001/M001-0001", "LapsBM-F004/LapsBM_0385"):
        sound(source / f"{stem}.wav")
    write(source / "Abel_M001/._M001-0000.wav", "left by macOS")
    write(source / "Abel_M001/M001-0000.txt", "\ufeffuma frase\r\nem duas linhas \n")
    write(source / "LapsBM-F004/LapsBM_0385.txt", "a concentração do bolo de recursos em um pequeno grupo aumentou\n")
    taken, rejects = take_in(tmp_path, reader="folder", source="corpus", locale="pt-BR", licence="LicenseRef-research")
    columns = ["utterance_id", "transcript", "speaker", "gender", "locale", "licence"]
    assert taken[columns].to_numpy().tolist() == [
        ["toy/Abel_M001/M001-0000", "uma frase em duas linhas", "toy/Abel_M001", "male", "pt-BR", "LicenseRef-research"],
        ["toy/LapsBM-F004/LapsBM_0385", "a concentração do bolo de recursos em um pequeno grupo aumentou", "toy/LapsBM-F004", "female", "pt-BR",
         "LicenseRef-research"],
    ]
    assert rejects[["utterance_id", "reason"]].to_numpy().tolist() == [["toy/Abel_M001/M001-0001", "empty transcript"]]


def test_numbered_prompts_replace_text_files(tmp_path: Path) -> None:
    write(tmp_path / "F0012/prompts.txt", "1=bom dia\n12 = boa noite\n")
    for stem in ("F00121", "F001212"):
        sound(tmp_path / f"F0012/{stem}.wav")
    assert listed(tmp_path) == [("F0012/F00121", "bom dia", "F0012", "female"), ("F0012/F001212", "boa noite", "F0012", "female")]


def test_recordings_in_one_folder_are_one_speaker_that_params_may_name(tmp_path: Path) -> None:
    sound(tmp_path / "voz/a.flac")
    write(tmp_path / "voz/a.txt", "olá")
    assert listed(tmp_path / "voz") == [("a", "olá", "voz", "")]
    assert listed(tmp_path / "voz", speaker="ana") == [("a", "olá", "ana", "")]


def test_a_text_that_is_not_utf_8_needs_a_declared_encoding(tmp_path: Path) -> None:
    sound(tmp_path / "M001/a.wav")
    write(tmp_path / "M001/a.txt", "olá".encode("latin-1"))
    with pytest.raises(DataError, match="a.txt: byte 2 is not UTF-8; expected UTF-8; set ingest.CORPUS.encoding to latin-1 or cp1252"):
        listed(tmp_path)
    assert listed(tmp_path, encoding="latin-1")[0][1] == "olá"


def test_ambiguous_and_missing_recordings_are_reported(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="no recording; expected files that end in .wav"):
        listed(tmp_path)
    sound(tmp_path / "a.wav"), sound(tmp_path / "a.flac")
    with pytest.raises(DataError, match="a has two endings"):
        listed(tmp_path)
    with pytest.raises(ValidationError, match="licence"):
        params(licence="")
