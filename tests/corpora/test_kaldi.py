"""Data directories of Kaldi: whole recordings and segments; commands are never run."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.errors import DataError, MissingInputError
from pipeline.corpora import Reject, Utterance, plain
from tests.releases import sound, take_in, write


def listed(folder: Path, **given: Any) -> list[Utterance | Reject]:
    params = plain.Params(**{"reader": "manifest", "language": "portuguese", "source": "corpus", "table": "wav.scp", "locale": "pt-BR",
                             "licence": "CC0-1.0", **given})
    return plain.utterances(params, folder)


def build(folder: Path, scp: str = "ana-1 wav/ana 1.wav\nrui-1 wav/rui.wav\n", **tables: str) -> Path:
    for name, content in {"wav.scp": scp, "text": "ana-1 bom dia\nrui-1 boa noite\n", "utt2spk": "ana-1 ana\nrui-1 rui\n",
                          "spk2gender": "ana f\nrui m\n", **tables}.items():
        write(folder / name, content)
    return folder


def test_whole_recordings_are_ingested(tmp_path: Path) -> None:
    source = build(tmp_path / "corpus", utt2dur="ana-1 1.0\nrui-1 0\n")
    sound(source / "wav/ana 1.wav"), sound(source / "wav/rui.wav")
    rows, rejects = take_in(tmp_path, reader="manifest", source="corpus", table="wav.scp", locale="pt-BR", licence="CC0-1.0")
    assert rows[["utterance_id", "transcript", "speaker", "gender"]].to_numpy().tolist() == [
        ["toy/ana-1", "bom dia", "toy/ana", "female"], ["toy/rui-1", "boa noite", "toy/rui", "male"]]
    assert not len(rejects)


def test_segments_are_parts_of_recordings_and_an_end_of_minus_one_is_that_of_the_recording(tmp_path: Path) -> None:
    build(tmp_path, "show show.wav\n", text="a um\nb dois\nc três\n", segments="a show 0.5 1.5\nb show 2 -1\nc show 0 1\n")
    rows = listed(tmp_path)
    assert [(row.id, row.start_s, row.end_s, row.duration_s) for row in rows if isinstance(row, Utterance)] == [
        ("a", 0.5, 1.5, 1.0), ("b", 2.0, math.inf, None), ("c", 0.0, 1.0, 1.0)]


@pytest.mark.parametrize(("scp", "detail"), [
    ("ana-1 touch HERE/ran |\n", "wav.scp has a command, which is never run: write its output to a file"),
    ("ana-1 touch HERE/ran|\n", "wav.scp has a command"),
    ("ana-1 wav/all.ark:123\n", "wav.scp has an archive at an offset"),
    ("ana-1\n", "recording 'ana-1' is not in wav.scp"),
])
def test_audio_that_is_not_a_file_is_a_reject_and_commands_are_not_run(tmp_path: Path, scp: str, detail: str) -> None:
    build(tmp_path, scp.replace("HERE", str(tmp_path)), text="ana-1 bom dia\n")
    row, = listed(tmp_path)
    assert isinstance(row, Reject)
    assert (row.id, row.reason) == ("ana-1", "unsupported audio")
    assert row.detail.startswith(detail)
    assert not (tmp_path / "ran").exists()


def test_a_recording_without_text_and_a_damaged_segment_are_rejects(tmp_path: Path) -> None:
    sound(build(tmp_path / "corpus", "a a.wav\nb a.wav\n", text="a um\n", segments="a a 0 1\nb a 1 x\n") / "a.wav")
    rows, rejects = take_in(tmp_path, reader="manifest", source="corpus", table="wav.scp", locale="pt-BR", licence="CC0-1.0")
    assert (len(rows), rejects["reason"].tolist()) == (1, ["malformed row"])


@pytest.mark.parametrize(("tables", "message"), [
    ({"scp": "a a.wav\na b.wav\n", "text": "a um\n"}, "wav.scp, line 2: a is repeated"),
    ({"text": "ana-1 x\nrui-1 y\nivo z\n"}, "text: utterance ivo is in neither segments nor wav.scp"),
    ({"scp": "ana-1 ../a.wav\n", "text": ""}, "path '../a.wav'; expected one inside"),
])
def test_wrong_tables_are_reported(tmp_path: Path, tables: dict[str, str], message: str) -> None:
    with pytest.raises(DataError) as caught:
        listed(build(tmp_path, **tables))
    assert message in str(caught.value)


def test_tables_that_are_missing_or_not_utf_8_are_one_sentence(tmp_path: Path) -> None:
    (build(tmp_path) / "text").unlink()
    with pytest.raises(MissingInputError, match="text: no such file; expected a table of a Kaldi data directory"):
        listed(tmp_path)
    write(tmp_path / "text", "ana-1 olá\n".encode("latin-1"))
    with pytest.raises(DataError, match="text: byte 8 is not UTF-8"):
        listed(tmp_path)
