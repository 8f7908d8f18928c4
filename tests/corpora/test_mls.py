"""Multilingual LibriSpeech, built to its layout: one real segment with its transcript, the rest synthetic."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.core.errors import DataError, MissingInputError
from pipeline.corpora import Reject, Utterance, mls
from tests.releases import sound, take_in, write

TEXT = ("e quando ia sendo arrebatado pela expansão dos seus mais íntimos anceios maciel conteve-se com esforço ficou repentinamente "
        "mudo fitando com os olhos vermelhos e húmidos o extrangeiro")
METAINFO = """ SPEAKER   |   GENDER   | PARTITION  |  MINUTES   |  BOOK ID   |             TITLE              |            CHAPTER
  12249    |     F      |   train    |   35.645   |   10229    | Canaã | Capítulo X
  12249    |     F      |   train    |   11.896   |   12742    | Cartas | de | Inglaterra | O Natal
  2961     |     M      |   dev      |    3.100   |   6101     | Dom "Casmurro | I
"""
SEGMENT = "{}\thttp://www.archive.org/download/canaa_1901_librivox/canaa_12_aranha_64kb.mp3\t617.09\t{}\n"


def params(**given: Any) -> mls.Params:
    return mls.Params(**{"reader": "mls", "language": "portuguese", "source": "corpus", **given})


def build(folder: Path, ending: str = ".flac") -> Path:
    root = folder / "mls_portuguese"
    write(root / "metainfo.txt", METAINFO)
    for name, identity, text in (("train", "12249_10229_000000", TEXT), ("dev", "2961_6101_000007", "olá"), ("test", "5739_4739_000001", "adeus")):
        write(root / name / "transcripts.txt", f"{identity}\t{text}\n")
        write(root / name / "segments.txt", SEGMENT.format(identity, 617.09 + 1.5))
        speaker, book, _ = identity.split("_")
        sound(root / name / "audio" / speaker / book / f"{identity}{ending}", 1.5)
    return root


@pytest.mark.parametrize("ending", [".flac", ".opus"])
def test_a_release_is_ingested(tmp_path: Path, ending: str) -> None:
    build(tmp_path / "corpus", ending)
    taken, rejects = take_in(tmp_path, reader="mls", source="corpus")
    assert not len(rejects)
    first = taken.iloc[0].to_dict()
    assert {name: first[name] for name in ("utterance_id", "speaker", "gender", "locale", "licence", "release_split", "transcript", "source")} == {
        "utterance_id": "toy/12249_10229_000000", "speaker": "toy/12249", "gender": "female", "locale": "pt", "licence": "CC-BY-4.0",
        "release_split": "train", "transcript": TEXT, "source": f"train/audio/12249/10229/12249_10229_000000{ending}"}
    assert taken["release_split"].tolist() == ["train", "dev", "test"]
    assert taken["gender"].tolist() == ["female", "male", ""]
    assert taken["duration_s"].tolist() == pytest.approx([1.5] * 3, abs=0.01)


def test_a_recording_of_another_duration_than_its_segment_is_rejected(tmp_path: Path) -> None:
    root = build(tmp_path / "corpus")
    write(root / "dev" / "segments.txt", SEGMENT.format("2961_6101_000007", 620.09))
    _, rejects = take_in(tmp_path, reader="mls", source="corpus")
    assert rejects[["reason", "detail"]].to_numpy().tolist() == [["wrong duration", "1.50 s; 3.00 s according to the release"]]


def test_a_damaged_row_is_a_reject_even_if_its_path_leads_outside(tmp_path: Path) -> None:
    root = build(tmp_path)
    write(root / "train" / "transcripts.txt", "../../x_1_2\tsegredo\n12249_10229_000000\t" + TEXT + "\nsem tabulador\n")
    found = mls.utterances(params(), tmp_path)
    assert [(row.id, row.reason) for row in found if isinstance(row, Reject)] == [
        ("train/transcripts.txt-line-1", "malformed row"), ("train/transcripts.txt-line-3", "malformed row")]
    assert sum(isinstance(row, Utterance) for row in found) == 3


def test_a_missing_release_and_an_id_in_two_sets_are_reported(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="expected MLS release"):
        mls.utterances(params(), tmp_path)
    root = build(tmp_path)
    write(root / "dev" / "transcripts.txt", f"12249_10229_000000\t{TEXT}\n")
    with pytest.raises(DataError, match="id 12249_10229_000000 occurs more than once"):
        mls.utterances(params(), tmp_path)


def limited(root: Path) -> Path:
    """Give train ten segments, and the lists: two of an hour, in folders as released, and one of nine."""
    ids = [f"12249_10229_{number:06d}" for number in range(10)]
    write(root / "train/transcripts.txt", "".join(f"{name}\t{TEXT}\n" for name in ids))
    write(root / "train/limited_supervision/1hr/0/handles.txt", f"{ids[0]}\n{ids[1]}\n")
    write(root / "train/limited_supervision/1hr/5/handles.txt", f"{ids[2]}\n")
    write(root / "train/limited_supervision/9hr/handles.txt", "".join(f"{name}\n" for name in ids[3:8]))
    return root


@pytest.mark.parametrize(("hours", "numbers"), [(None, range(10)), ("1h", range(3)), ("9h", range(3, 8)), ("10h", range(8))])
def test_the_lists_of_limited_hours_limit_train_alone(tmp_path: Path, hours: str | None, numbers: range) -> None:
    root = limited(build(tmp_path / "corpus"))
    found = mls.utterances(params(limited=hours), root)
    assert [row.id for row in found] == [*(f"12249_10229_{number:06d}" for number in numbers), "2961_6101_000007", "5739_4739_000001"]


def test_lists_that_are_missing_or_do_not_match_are_reported(tmp_path: Path) -> None:
    root = build(tmp_path / "corpus")
    with pytest.raises(MissingInputError, match="9hr: no handles.txt; expected the release's lists of limited hours; unpack the release whole"):
        mls.utterances(params(limited="9h"), root)
    write(root / "train/limited_supervision/9hr/handles.txt", "12249_10229_000000\n1_2_000003\n")
    with pytest.raises(DataError, match="id 1_2_000003 is on a list of limited_supervision, and not in train/transcripts.txt"):
        mls.utterances(params(limited="9h"), root)
