"""Datasets of Hugging Face's library: saved to disk, folders, and a hub on this machine; without code, downloads only if allowed."""

from __future__ import annotations

import gc
import io
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
import yaml

from pipeline import ingest
from pipeline.core.errors import DataError, MissingInputError, ParamsError
from pipeline.core.files import ROOT
from pipeline.core.params import problems_of
from pipeline.corpora import hugging_face
from tests.hub_server import REVISION, Hub, serving
from tests.releases import take_in

NAME = "somebody/fala"
DECLARED = {"locale": "pt-BR", "licence": "CC0-1.0"}


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIZINHO_STATE", str(tmp_path / "state"))


def sound(hz: float, duration_s: float = 1.0, rate_hz: int = 16_000, form: str = "FLAC") -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, 0.3 * np.sin(2 * np.pi * hz * np.arange(int(rate_hz * duration_s)) / rate_hz), rate_hz, format=form)
    return buffer.getvalue()


def pitch_hz(row: Any) -> float:
    """Return the pitch of a row's tone."""
    samples, rate_hz = soundfile.read(io.BytesIO(row["audio"]["bytes"]))
    return float(np.argmax(np.abs(np.fft.rfft(samples))) * rate_hz / len(samples))


def table(count: int = 4, first_hz: int = 300, **columns: list[Any]) -> datasets.Dataset:
    content = {"audio": [{"bytes": sound(first_hz + 50 * row), "path": f"{row}.flac"} for row in range(count)],
               "sentence": [f"frase {row}" for row in range(count)], **columns}
    return datasets.Dataset.from_dict(content).cast_column("audio", datasets.Audio())


def taken(root: Path, **params: Any) -> pd.DataFrame:
    return take_in(root, **{"reader": "datasets", "source": "corpus", **DECLARED, **params})[0]


def refused(root: Path, **params: Any) -> str:
    with pytest.raises(DataError) as caught:
        taken(root, **params)
    return str(caught.value)


def test_samples_that_ingest_wrote_are_read_back_exactly(tmp_path: Path) -> None:
    spoken = {"reader": "speak", "language": "portuguese", "source": "pipeline/corpora/lexicon", "locales": {"pt-BR": 0.5, "pt-PT": 0.5},
              "speakers": 6, "utterances": 24, "seed": 3, "utterances_per_shard": 8}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"ingest": {"spoken": spoken}}))
    ingest.run("spoken", root=tmp_path, workers=2)
    folder = tmp_path / "data/ingest/portuguese/spoken"
    before = pd.concat(map(pd.read_parquet, sorted(folder.glob("shard-*.parquet")))).reset_index(drop=True)
    after = taken(tmp_path, source=str(folder.relative_to(tmp_path)), data_files="shard-*.parquet", locale="", licence="").reset_index(drop=True)
    same = [name for name in before if name not in ("utterance_id", "corpus", "speaker", "source", "audio")]
    pd.testing.assert_frame_equal(after[same], before[same])
    assert list(after["utterance_id"]) == [f"toy/{name}" for name in before["utterance_id"]]
    assert list(after["speaker"]) == [f"toy/{name}" for name in before["speaker"]]
    assert len(before) > 20
    assert [row["bytes"] for row in after["audio"]] == [row["bytes"] for row in before["audio"]]
    assert not list((tmp_path / "state/datasets").iterdir()), "the Arrow form is removed"


def test_a_dataset_saved_to_disk_is_ingested_with_its_splits_classes_and_durations(tmp_path: Path) -> None:
    gender = datasets.ClassLabel(names=["male", "female", "unknown"])
    train = table(3, client_id=["ana", "rui", "ana"], gender=[1, 0, 2], duration_s=[1.0, 1.0, 2.0]).cast_column("gender", gender)
    validation = table(2, 700, client_id=["eva", None], gender=[1, 1], duration_s=[1.0, None]).cast_column("gender", gender)
    datasets.DatasetDict({"train": train, "validation": validation}).save_to_disk(tmp_path / "corpus")
    rows, rejects = take_in(tmp_path, reader="datasets", source="corpus", **DECLARED)
    assert list(rows["utterance_id"]) == ["toy/train-00000000", "toy/train-00000001", "toy/validation-00000000", "toy/validation-00000001"]
    assert list(rows["release_split"]) == ["train", "train", "dev", "dev"]
    assert list(rows["speaker"]) == ["toy/ana", "toy/rui", "toy/eva", ""]
    assert list(rows["gender"]) == ["female", "male", "female", "female"]
    assert list(rows["source"]) == ["train/0/0.flac", "train/1/1.flac", "validation/0/0.flac", "validation/1/1.flac"]
    assert [pitch_hz(row) for _, row in rows.iterrows()] == pytest.approx([300, 350, 700, 750])
    assert list(rejects["detail"]) == ["1.00 s; 2.00 s according to the release"]


def test_missing_classes_and_durations_that_were_not_measured_are_not_values(tmp_path: Path) -> None:
    gender = datasets.ClassLabel(names=["male", "female"])
    rows = table(5, gender=[-1, 0, None, 1, -1], duration_ms=[0, 1_000, None, -1, 2_000]).cast_column("gender", gender)
    rows.save_to_disk(tmp_path / "corpus")
    found, rejects = take_in(tmp_path, reader="datasets", source="corpus", **DECLARED)
    assert list(found["gender"]) == ["", "male", "", "female"]
    assert list(rejects["detail"]) == ["1.00 s; 2.00 s according to the release"]
    assert hugging_face._as_text(gender, [-100, 7, 1]) == ["", "", "female"]


def test_text_that_is_not_utf_8_is_a_reject(tmp_path: Path) -> None:
    text = pa.StringArray.from_buffers(3, pa.py_buffer(np.array([0, 4, 6, 8], np.int32)), pa.py_buffer("olá xum".encode("latin-1") + b"!"))
    paths = pa.array([{"bytes": sound(300 + 50 * row), "path": None} for row in range(3)])
    (tmp_path / "corpus").mkdir()
    pq.write_table(pa.table({"audio": paths, "text": text}), tmp_path / "corpus/rows.parquet")
    found, rejects = take_in(tmp_path, reader="datasets", source="corpus", **DECLARED)
    assert (len(found), list(rejects["reason"]), list(rejects["detail"])) == (2, ["not UTF-8"], ["transcript 'ol\\\\xe1 '"])


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # datasets 5.2 leaves metadata.csv open
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("folder", ["com espaço", "[1]", "a*b", "a?b", "{a}", "'ç'", "a::b", os.fsdecode(b"s\xe3o")])
def test_a_folder_of_any_name_is_read_and_no_other(tmp_path: Path, folder: str) -> None:
    for name in ("axb", folder):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.WAV").write_bytes(sound(400, form="WAV"))
        (tmp_path / name / "metadata.csv").write_text(f"file_name,transcription\na.WAV,{'um' if name == folder else 'outro'}\n")
    (tmp_path / "corpus").symlink_to(tmp_path / folder)
    rows = taken(tmp_path)
    gc.collect()
    assert rows[["source", "transcript"]].to_numpy().tolist() == [["a.WAV", "um"]]
    assert not list((tmp_path / "state/datasets").iterdir())


def test_rows_and_splits_are_selected_and_a_single_split_is_not_an_official_set(tmp_path: Path) -> None:
    train, test = table(4, status=["ok", "bad", "ok", "ok"]), table(1, 900, status=["ok"])
    datasets.DatasetDict({"train": train, "test": test}).save_to_disk(tmp_path / "corpus")
    rows = taken(tmp_path, splits=["train"], where={"status": "ok"}, utterances_per_shard=2)
    assert list(rows["source"]) == ["train/0/0.flac", "train/2/2.flac", "train/3/3.flac"]
    assert [pitch_hz(row) for _, row in rows.iterrows()] == pytest.approx([300, 400, 450])
    assert set(rows["release_split"]) == {""}


def test_fewer_hours_are_a_subset_of_more_hours_of_a_dataset_without_durations(tmp_path: Path) -> None:
    table(12).save_to_disk(tmp_path / "corpus")
    few, more = (set(taken(tmp_path, limit_hours=hours / 3600)["utterance_id"]) for hours in (3, 7))
    assert (len(few), len(more), few < more) == (3, 7, True)


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # datasets 5.2 leaves metadata.csv open
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_folder_of_audio_files_is_read_in_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, form in (("a.wav", "WAV"), ("b.flac", "FLAC"), ("c.mp3", "MP3")):
        (tmp_path / "corpus").mkdir(exist_ok=True)
        (tmp_path / "corpus" / name).write_bytes(sound(400 + 50 * ord(name[0]), form=form))
    (tmp_path / "corpus/metadata.csv").write_text("file_name,transcription\na.wav,um\nb.flac,dois\nc.mp3,três\n")
    (tmp_path / "corpus/d.WAV").write_bytes(sound(900, form="WAV"))
    rows = taken(tmp_path)
    gc.collect()
    assert "ingest: 1 of 4 recordings in corpus are in no row that is read of the dataset\n" in capsys.readouterr().out
    assert {row["source"]: row["transcript"] for _, row in rows.iterrows()} == {"a.wav": "um", "b.flac": "dois", "c.mp3": "três"}


def test_parquet_folders_are_read_by_their_configuration(tmp_path: Path) -> None:
    for name, hz in (("pt", 300), ("gl", 1_000)):
        (tmp_path / "corpus" / name).mkdir(parents=True)
        table(2, hz).to_parquet(tmp_path / "corpus" / name / "train-00000-of-00001.parquet")
    (tmp_path / "corpus/README.md").write_text("---\nconfigs:\n- {config_name: pt, data_files: pt/*}\n- {config_name: gl, data_files: gl/*}\n---\n")
    assert [pitch_hz(row) for _, row in taken(tmp_path, config="gl").iterrows()] == pytest.approx([1_000, 1_050])
    message = refused(tmp_path)
    assert "corpus: `datasets` cannot load it (ValueError: Config name is missing" in message
    assert "see ingest.CORPUS.config" in message


def test_audio_that_is_missing_or_outside_of_the_dataset_is_a_reject(tmp_path: Path) -> None:
    outside = tmp_path / "secret.flac"
    outside.write_bytes(sound(500))
    audio = [{"bytes": sound(300), "path": None}, {"bytes": None, "path": str(outside)}, None, {"bytes": b"no sound", "path": "x.mp3"}]
    (tmp_path / "corpus").mkdir()
    frame = pd.DataFrame({"audio": audio, "text": ["um", "dois", "três", "quatro"]})
    frame.to_parquet(tmp_path / "corpus/rows.parquet")
    rows, rejects = take_in(tmp_path, reader="datasets", source="corpus", **DECLARED)
    assert list(rows["transcript"]) == ["um"]
    assert list(zip(rejects["source"], rejects["reason"], rejects["detail"], strict=True)) == [
        ("train/1", "unreadable", f"{outside} is outside of the source"), ("train/2", "unreadable", "no audio in the row"),
        ("train/3/x.mp3", "unreadable", "Format not recognised.")]


def test_the_arrow_files_of_a_failed_run_are_used_by_the_next_and_then_removed(tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    table(3, kind=["x", "x", "y"]).to_parquet(tmp_path / "corpus/rows.parquet")
    assert "too long" in refused(tmp_path, max_duration_s=0.6)
    kept, = (tmp_path / "state/datasets").glob("*/**/*.arrow")
    made = kept.stat().st_mtime_ns
    assert "too short" in refused(tmp_path, min_duration_s=5.0)
    assert kept.stat().st_mtime_ns == made
    assert len(taken(tmp_path)) == 3
    assert not list((tmp_path / "state/datasets").iterdir())


@pytest.mark.parametrize(("params", "expected"), [
    ({"columns": {"text": "frase"}}, "corpus: 1 problem\n  no column 'frase'; found audio, sentence, kind"),
    ({"columns": {"audio": "som"}}, "no column 'som'; found audio, sentence, kind"),
    ({"where": {"status": "ok"}}, "no column 'status'"),
    ({"where": {"kind": "z"}}, "none of 3 rows has {'kind': 'z'}"),
    ({"columns": {"id": "kind"}}, "id x occurs more than once; leave ingest.CORPUS.columns.id out to number the rows"),
    ({"columns": {"split": "kind"}}, "row 0: split 'x'; expected one of train, dev"),
    ({"locale": ""}, "row 2: no locale; give the dataset a column, or set ingest.CORPUS.locale"),
    ({"splits": ["test"]}, "no split test; expected some of none; see ingest.CORPUS.splits"),
    ({"source": "elsewhere"}, "elsewhere: no such folder; expected a dataset"),
])
def test_wrong_params_are_reported_with_what_was_found(tmp_path: Path, params: dict[str, Any], expected: str) -> None:
    table(3, kind=["x", "x", "y"]).save_to_disk(tmp_path / "corpus")
    assert expected in refused(tmp_path, **params)


def test_a_dataset_without_text_is_reported_with_its_columns(tmp_path: Path) -> None:
    table(1).rename_column("sentence", "frase").save_to_disk(tmp_path / "corpus")
    assert "no column for text; found audio, frase; name it in ingest.CORPUS.columns" in refused(tmp_path)


@pytest.mark.parametrize(("hub", "expected"), [
    ({"repository": NAME}, "hub.revision: missing; expected a value"),
    ({"repository": NAME, "revision": "main"}, "hub.revision: found 'main'; string should match pattern '^[0-9a-f]{40}$'"),
    ({"repository": "fala", "revision": REVISION}, "hub.repository: found 'fala'"),
    ({"repository": NAME, "revision": REVISION, "trust_remote_code": True}, "hub.trust_remote_code: unknown key"),
])
def test_a_hub_dataset_needs_a_commit_and_never_runs_code(hub: dict[str, Any], expected: str) -> None:
    section = {"reader": "datasets", "language": "portuguese", "source": "corpus", "hub": hub}
    assert any(expected in line for line in problems_of(hugging_face.Params, section, "ingest.toy"))


# ---- A hub ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[type[Hub]]:
    (tmp_path / "published/data").mkdir(parents=True)
    table(3).to_parquet(tmp_path / "published/data/train-00000-of-00001.parquet")
    table(2, 900).to_parquet(tmp_path / "published/data/test-00000-of-00001.parquet")
    (tmp_path / "published/README.md").write_text("# fala\n")
    (tmp_path / "published/fala.py").write_text("raise SystemExit('code of a dataset was run')\n")
    (tmp_path / "corpus").mkdir()
    with serving("datasets", NAME, tmp_path / "published") as handler:
        yield handler


def test_a_commit_is_downloaded_once_without_its_code(hub: type[Hub], tmp_path: Path) -> None:
    pinned = {"repository": NAME, "revision": REVISION, "download": True}
    rows = taken(tmp_path, hub=pinned)
    assert [(row["release_split"], pitch_hz(row)) for _, row in rows.iterrows()] == [
        ("train", 300), ("train", 350), ("train", 400), ("test", 900), ("test", 950)]
    assert {str(path.relative_to(tmp_path / "corpus")) for path in (tmp_path / "corpus").rglob("*") if path.is_file()} == {
        "README.md", "data/train-00000-of-00001.parquet", "data/test-00000-of-00001.parquet", ".hub.json"}
    hub.requests.clear()
    pd.testing.assert_frame_equal(taken(tmp_path, hub={**pinned, "download": False}), rows)
    assert hub.requests == []


def test_nothing_is_downloaded_unless_params_allow_it(hub: type[Hub], tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match=rf"no dataset, or only a part of it; expected {NAME} at {REVISION}; set ingest.*download: true"):
        taken(tmp_path, hub={"repository": NAME, "revision": REVISION})
    assert hub.requests == []


def test_an_interrupted_download_is_not_a_dataset_and_is_resumed(hub: type[Hub], tmp_path: Path) -> None:
    pinned = {"repository": NAME, "revision": REVISION, "download": True, "files": ["data/*"]}
    hub.broken = {"data/train-00000-of-00001.parquet"}
    assert f"{NAME}: cannot be downloaded" in refused(tmp_path, hub=pinned)
    hub.broken = set()
    with pytest.raises(MissingInputError, match="only a part of it"):
        taken(tmp_path, hub={**pinned, "download": False})
    hub.requests.clear()
    assert len(taken(tmp_path, hub=pinned)) == 5
    assert f"GET /datasets/{NAME}/resolve/{REVISION}/data/test-00000-of-00001.parquet" not in hub.requests, "what had come is kept"
    assert not (tmp_path / "corpus/README.md").exists()


def test_a_folder_of_another_commit_or_of_unknown_origin_is_refused(hub: type[Hub], tmp_path: Path) -> None:
    pinned = {"repository": NAME, "revision": REVISION, "download": True}
    taken(tmp_path, hub=pinned)
    assert f"a dataset from {NAME} at {REVISION}, files all; expected {NAME} at {'0' * 40}" in refused(tmp_path, hub={**pinned, "revision": "0" * 40})
    (tmp_path / "corpus/.hub.json").unlink()
    assert "a dataset of unknown origin" in refused(tmp_path, hub=pinned)


@pytest.mark.parametrize("name", ["HERE/data/test-00000-of-00001.parquet", "hf://datasets/somebody/fala/x.parquet", "/etc/*", "../published/data/*"])
def test_a_folder_whose_card_points_elsewhere_is_refused_before_any_request(hub: type[Hub], tmp_path: Path, name: str) -> None:
    name = name.replace("HERE", f"{os.environ['HF_ENDPOINT']}/datasets/{NAME}/resolve/{REVISION}")
    card = yaml.safe_dump({"configs": [{"config_name": "pt", "data_files": [{"split": "train", "path": [name]}]}]})
    (tmp_path / "corpus/README.md").write_text(f"---\n{card}---\n# fala\n")
    assert f"README.md: it names {name}; expected files of the dataset alone" in refused(tmp_path)
    (tmp_path / "corpus/README.md").unlink()
    (tmp_path / "corpus/.huggingface.yaml").write_text(card)
    assert f".huggingface.yaml: it names {name}" in refused(tmp_path)
    with pytest.raises(ParamsError, match="data_files"):
        taken(tmp_path, data_files=name)
    assert hub.requests == []


DEEP = "[" * 100_000 + "]" * 100_000


@pytest.mark.parametrize(("name", "content", "message"), [
    ("README.md", f"---\nconfigs: {DEEP}\n---\n# fala\n", "README.md: its header is not a YAML mapping (RecursionError"),
    (".huggingface.yaml", "a: " + "- " * 5_000 + "x", ".huggingface.yaml: its header is not a YAML mapping"),
    ("train.jsonl", f'{{"text": "um"}}\n{{"text": {DEEP}}}\n', "train.jsonl: values within more than 500 others"),
    ("train.json", '{"text":\n' * 100_000 + "1" + "}\n" * 100_000, "train.json: values within more than 500 others"),
    ("train.ndjson", "[" * 100_000, "train.ndjson: values within more than 500 others"),
    ("dataset_dict.json", '{"splits": ' + DEEP + "}", "dataset_dict.json: values within more than 500 others"),
])
def test_values_nested_a_hundred_thousand_deep_are_one_sentence(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / name).write_text(content, encoding="utf-8")
    assert message in refused(tmp_path)


def test_a_long_list_of_rows_is_not_deep(tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus/train.json").write_text("[" + ", ".join(['{"text": "[um]"}'] * 2_000) + "]", encoding="utf-8")
    assert "values within" not in refused(tmp_path), "it lacks audio, and is not deep"


def test_ingest_starts_without_the_library() -> None:
    code = ("import sys; from pipeline import ingest, corpora; corpora.reader('datasets')\n"
            "assert not {'datasets', 'huggingface_hub'} & sys.modules.keys()")
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
