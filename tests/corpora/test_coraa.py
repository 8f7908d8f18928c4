"""CORAA, built to its layout: metadata with quoted commas, listeners' votes empty for transcribed rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.core.errors import DataError, MissingInputError
from pipeline.corpora import Reject, coraa
from tests.releases import sound, take_in, write

HEADER = ("file_path,task,variety,dataset,accent,speech_genre,speech_style,up_votes,down_votes,votes_for_hesitation,votes_for_filled_pause,"
          "votes_for_noise_or_low_voice,votes_for_second_voice,votes_for_no_identified_problem,text\n")
TRANSCRIBED = "train/CORAL/a_1.wav,transcription,pt_br,C-ORAL-BRASIL I,Minas Gerais,monologue,spontaneous_speech,2,0,,,,,,\"então, é isso\"\n"
ANNOTATED = "train/tedx/b_2.wav,annotation,pt_pt,TEDx,Misc.,stage_talks,prepared_speech,3,1,0.0,1.0,0.0,0.0,2.0,\"disse \"\"olá\"\" e saiu\"\n"
TEST = "test/sp/c_3.wav,annotation_and_transcription,pt_br,SP2010,São Paulo (cap.),interview,spontaneous_speech,1,0,0,0,0,0,1,pois é\n"


def params(**given: Any) -> coraa.Params:
    return coraa.Params(**{"reader": "coraa", "language": "portuguese", "source": "corpus", **given})


def build(root: Path, train: str = TRANSCRIBED + ANNOTATED) -> Path:
    write(root / "metadata_train_final.csv", HEADER + train)
    write(root / "metadata_test_final.csv", HEADER + TEST)
    return root


def test_a_release_is_ingested(tmp_path: Path) -> None:
    root = build(tmp_path / "corpus")
    for path in ("train/CORAL/a_1.wav", "train/tedx/b_2.wav", "test/sp/c_3.wav"):
        sound(root / path)
    taken, rejects = take_in(tmp_path, reader="coraa", source="corpus")
    assert not len(rejects)
    columns = ["utterance_id", "transcript", "locale", "accent", "release_split", "speaker", "licence"]
    assert taken[columns].to_numpy().tolist() == [
        ["toy/train/CORAL/a_1", "então, é isso", "pt-BR", "Minas Gerais", "train", "", "CC-BY-NC-ND-4.0"],
        ["toy/train/tedx/b_2", 'disse "olá" e saiu', "pt-PT", "Misc.", "train", "", "CC-BY-NC-ND-4.0"],
        ["toy/test/sp/c_3", "pois é", "pt-BR", "São Paulo (cap.)", "test", "", "CC-BY-NC-ND-4.0"],
    ]


@pytest.mark.parametrize(("train", "message"), [
    (TRANSCRIBED.replace("train/CORAL", ".."), "metadata_train_final.csv, line 2: path '../a_1.wav'; expected one inside the release"),
    (TRANSCRIBED + TRANSCRIBED, "train/CORAL/a_1 occurs more than once"),
    (TRANSCRIBED + 'train/x.wav,"aberto\n', "metadata_train_final.csv, line 3: unexpected end of data"),
])
def test_invalid_metadata_are_reported(tmp_path: Path, train: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        coraa.utterances(params(), build(tmp_path, train))
    assert message in str(caught.value)


def test_a_missing_column_is_reported(tmp_path: Path) -> None:
    write(build(tmp_path) / "metadata_train_final.csv", "file_path,text\n")
    with pytest.raises(DataError, match="metadata_train_final.csv: no column variety; found file_path, text"):
        coraa.utterances(params(), tmp_path)


def test_a_damaged_row_is_a_reject_and_a_missing_release_an_error(tmp_path: Path) -> None:
    found = coraa.utterances(params(), build(tmp_path / "a", "train/x.wav,annotation\n" + TRANSCRIBED))
    assert found[0] == Reject("metadata_train_final.csv-line-2", "metadata_train_final.csv", "malformed row", "line 2: 2 cells; expected 15")
    with pytest.raises(MissingInputError, match="expected CORAA release"):
        coraa.utterances(params(), tmp_path / "b")


@pytest.mark.parametrize(("given", "details"), [
    ({}, []),
    ({"min_up_votes": 1}, ["0 for it, 0 against"]),
    ({"min_up_votes": 3}, ["2 for it, 0 against", "0 for it, 0 against", "1 for it, 0 against"]),
    ({"max_down_votes": 0}, ["3 for it, 1 against"]),
    ({"min_up_votes": 2, "max_down_votes": 1}, ["0 for it, 0 against", "1 for it, 0 against"]),
])
def test_rows_are_rejected_by_their_votes_and_rows_without_votes_are_kept(tmp_path: Path, given: dict[str, int], details: list[str]) -> None:
    unvoted = TRANSCRIBED.replace("a_1", "a_2").replace(",2,0,", ",0,0,")
    unknown = TRANSCRIBED.replace("a_1", "a_3").replace(",2,0,", ",,,")
    found = coraa.utterances(params(**given), build(tmp_path, TRANSCRIBED + ANNOTATED + unvoted + unknown))
    assert [(row.reason, row.detail) for row in found if isinstance(row, Reject)] == [("outvoted", detail) for detail in details]
    assert len(found) == 5 and "train/CORAL/a_3" in [row.id for row in found if not isinstance(row, Reject)]
