"""FLEURS, built to its layout: no header, literal quotes, one sentence by several unidentified speakers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.core.errors import DataError, MissingInputError
from pipeline.corpora import Reject, Utterance, fleurs
from tests.releases import sound, take_in, write

ROW = '904\t{}\tEle disse: "São 20 km.\tele disse são 20 km\te l e | d i s s e\t{}\t{}\n'


def params(**given: Any) -> fleurs.Params:
    return fleurs.Params(**{"reader": "fleurs", "language": "portuguese", "source": "corpus", **given})


def build(root: Path) -> Path:
    write(root / "train.tsv", ROW.format("10004088536354799741.wav", 16_000, "FEMALE") + ROW.format("22.wav", 16_000, "MALE"))
    write(root / "test.tsv", ROW.format("33.wav", 24_000, "MALE"))
    for path in ("train/10004088536354799741.wav", "train/22.wav", "test/33.wav"):
        sound(root / "audio" / path)
    return root


def test_a_release_is_ingested(tmp_path: Path) -> None:
    build(tmp_path / "corpus" / "pt_br")
    taken, rejects = take_in(tmp_path, reader="fleurs", source="corpus")
    columns = ["utterance_id", "transcript", "speaker", "gender", "locale", "licence", "release_split"]
    assert taken[columns].to_numpy().tolist() == [
        ["toy/train/10004088536354799741", 'Ele disse: "São 20 km.', "", "female", "pt-BR", "CC-BY-4.0", "train"],
        ["toy/train/22", 'Ele disse: "São 20 km.', "", "male", "pt-BR", "CC-BY-4.0", "train"],
    ]
    assert rejects[["utterance_id", "detail"]].to_numpy().tolist() == [["toy/test/33", "1.00 s; 1.50 s according to the release"]]


@pytest.mark.parametrize("samples", ["", "0", "-1", "NaN"])
def test_a_number_of_samples_that_was_not_counted_is_not_checked(tmp_path: Path, samples: str) -> None:
    write(build(tmp_path) / "test.tsv", ROW.format("33.wav", samples, "MALE"))
    assert [row.duration_s for row in fleurs.utterances(params(), tmp_path) if isinstance(row, Utterance)] == [1.0, 1.0, None]


def test_the_spoken_form_is_read_when_written_is_false(tmp_path: Path) -> None:
    found = fleurs.utterances(params(written=False), build(tmp_path))
    assert {row.transcript for row in found if isinstance(row, Utterance)} == {"ele disse são 20 km"}
    assert {row.locale for row in found if isinstance(row, Utterance)} == {"pt"}


def test_recordings_still_in_their_archive_are_reported(tmp_path: Path) -> None:
    write(build(tmp_path) / "dev.tsv", ROW.format("44.wav", 16_000, "MALE"))
    write(tmp_path / "audio/dev.tar.gz", b"")
    with pytest.raises(MissingInputError, match="audio/dev: no such folder; expected the recordings of dev; unpack audio/dev.tar.gz"):
        fleurs.utterances(params(), tmp_path)


@pytest.mark.parametrize(("row", "message"), [
    (ROW.format("../../22.wav", 16_000, "MALE"), "train.tsv, line 1: file '../../22.wav'; expected one inside audio/train"),
    (ROW.format("22.wav", 16_000, "MALE") * 2, "train/22 occurs more than once"),
])
def test_an_invalid_table_is_reported(tmp_path: Path, row: str, message: str) -> None:
    write(build(tmp_path) / "train.tsv", row)
    with pytest.raises(DataError) as caught:
        fleurs.utterances(params(), tmp_path)
    assert message in str(caught.value)


def test_a_damaged_row_is_a_reject(tmp_path: Path) -> None:
    write(build(tmp_path) / "train.tsv", ROW.format("22.wav", "?", "MALE") + "904\t23.wav\n")
    assert [row.reason for row in fleurs.utterances(params(), tmp_path) if isinstance(row, Reject)] == ["malformed row"] * 2 + ["unlisted"] * 2
