"""Lhotse's manifests: supervisions beside recordings, cuts, and what is not read, each with its reason."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.errors import DataError, MissingInputError
from pipeline.corpora import Reject, Utterance, plain
from tests.releases import sound, take_in, write

RECORDING = {"id": "show", "sources": [{"type": "file", "channels": [0], "source": "wav/show.wav"}], "sampling_rate": 16_000,
             "num_samples": 32_000, "duration": 2.0, "channel_ids": [0]}
SUPERVISION = {"id": "show-1", "recording_id": "show", "start": 0.5, "duration": 1.0, "channel": 0, "text": "olá", "language": "Portuguese",
               "speaker": "ana", "gender": "F"}
WHOLE = {**SUPERVISION, "id": "show-2", "start": 0.0, "duration": 2.0}
CUT = {"id": "cut-1", "start": 0.25, "duration": 1.5, "channel": 0, "supervisions": [{**SUPERVISION, "start": 0.25}], "recording": RECORDING,
       "type": "MonoCut"}


def lines(path: Path, *rows: dict[str, Any]) -> Path:
    content = "".join(json.dumps(row) + "\n" for row in rows).encode()
    return write(path, gzip.compress(content) if path.suffix == ".gz" else content)


def listed(table: Path, **given: Any) -> list[Utterance | Reject]:
    params = plain.Params(**{"reader": "manifest", "language": "portuguese", "source": "corpus", "table": table.name, "locale": "pt-BR",
                             "licence": "CC0-1.0", **given})
    return plain.utterances(params, table.parent)


def refused(recording: dict[str, Any], folder: Path, **supervision: Any) -> str:
    row, = listed(lines(folder / "cuts.jsonl", {**CUT, "recording": {**RECORDING, **recording},
                                                "supervisions": [{**SUPERVISION, **supervision}]}))
    assert isinstance(row, Reject) and row.reason == "unsupported audio"
    return row.detail


def test_supervisions_are_ingested_with_the_recordings_beside_them(tmp_path: Path) -> None:
    sound(tmp_path / "corpus/wav/show.wav", 2.0)
    lines(tmp_path / "corpus/toy_recordings_train.jsonl.gz", RECORDING)
    lines(tmp_path / "corpus/toy_supervisions_train.jsonl.gz", SUPERVISION, WHOLE)
    rows, rejects = take_in(tmp_path, reader="manifest", source="corpus", table="toy_supervisions_train.jsonl.gz", locale="pt-BR", licence="MIT")
    assert rows[["utterance_id", "transcript", "speaker", "gender", "duration_s"]].to_numpy().tolist() == [
        ["toy/show-1", "olá", "toy/ana", "female", 1.0], ["toy/show-2", "olá", "toy/ana", "female", 2.0]]
    assert not len(rejects)


@pytest.mark.parametrize("name", ["cuts.jsonl.gz", "toy_cuts_train.jsonl", "CUTS.JSONL"])
def test_the_supervisions_of_cuts_start_within_their_cut(tmp_path: Path, name: str) -> None:
    row, = listed(lines(tmp_path / name, CUT))
    assert isinstance(row, Utterance)
    assert (row.id, row.source, row.start_s, row.end_s, row.duration_s) == ("show-1", "wav/show.wav", 0.5, 1.5, 1.0)


@pytest.mark.parametrize(("recording", "supervision", "detail"), [
    ({"sources": [{"type": "command", "channels": [0], "source": "touch ran"}]}, {}, "1 sources of type command; expected one file"),
    ({"sources": [{"type": "url", "channels": [0], "source": "https://a/b.wav"}]}, {}, "of type url"),
    ({"sources": [{"type": "memory", "channels": [0], "source": "AAAA"}]}, {}, "of type memory"),
    ({"sources": [*RECORDING["sources"], *RECORDING["sources"]]}, {}, "2 sources of type file"),  # type: ignore[misc]
    ({"sources": []}, {}, "0 sources of type none"),
    ({"transforms": [{"name": "Speed", "kwargs": {"factor": 0.9}}]}, {}, "its recording has transforms"),
    ({"sources": [{"type": "file", "channels": [0, 1], "source": "a.wav"}]}, {"channel": 1}, "channel 1 of 2"),
])
def test_audio_that_is_not_one_whole_file_is_a_reject(tmp_path: Path, recording: dict[str, Any], supervision: dict[str, Any], detail: str) -> None:
    assert detail in refused(recording, tmp_path, **supervision)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(("row", "detail"), [
    ({"id": "m", "type": "MixedCut", "tracks": []}, "a MixedCut without a recording"),
    ({"id": "f", "type": "MonoCut", "supervisions": [SUPERVISION], "features": {}}, "a MonoCut without a recording"),
    ({**CUT, "supervisions": []}, "a cut without a supervision"),
])
def test_cuts_without_audio_or_text_are_rejects(tmp_path: Path, row: dict[str, Any], detail: str) -> None:
    found, = listed(lines(tmp_path / "cuts.jsonl", row))
    assert isinstance(found, Reject) and found.detail == detail


def test_tables_that_do_not_belong_together_are_reported(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Lhotse's recordings, which have no texts; expected its supervisions or cuts; set ingest.CORPUS.table"):
        listed(lines(tmp_path / "recordings.jsonl.gz", RECORDING))
    table = lines(tmp_path / "supervisions.jsonl", SUPERVISION)
    with pytest.raises(MissingInputError, match="recordings.jsonl: no such file"):
        listed(table)
    lines(tmp_path / "recordings.jsonl", {**RECORDING, "id": "other"})
    found, = listed(table)
    assert isinstance(found, Reject) and found.detail == "recording 'show' is not in the table of recordings"
    with pytest.raises(DataError, match="supervisions under a name without"):
        listed(lines(tmp_path / "x.jsonl", SUPERVISION))
