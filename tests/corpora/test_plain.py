"""The plain manifest: every table format, and every error in one."""

from __future__ import annotations

import gzip
import json
import math
import os
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.errors import DataError, MissingInputError
from pipeline.core.params import problems_of
from pipeline.corpora import Utterance, plain
from tests.releases import sound, write

HEADER = "path\ttext\tspeaker\tlocale\tgender\tsplit\n"


def params(**given: Any) -> plain.Params:
    return plain.Params(**{"reader": "manifest", "language": "portuguese", "source": "corpus", "locale": "pt-BR",
                           "licence": "CC0-1.0", **given})


def table(folder: Path, content: str | bytes, name: str = "manifest.tsv", **given: Any) -> list[Utterance]:
    write(folder / name, content)
    found = plain.utterances(params(table=name, **given), folder)
    assert all(isinstance(row, Utterance) for row in found)
    return found  # type: ignore[return-value]


def problem(folder: Path, content: str | bytes, name: str = "manifest.tsv", **given: Any) -> str:
    with pytest.raises(DataError) as caught:
        table(folder, content, name, **given)
    return str(caught.value)


def test_a_row_becomes_an_utterance_with_all_its_fields(tmp_path: Path) -> None:
    assert table(tmp_path, HEADER + "a/1.wav\tOlá, João!\tana\tpt-PT\tFemale\tvalidation\n") == [Utterance(
        id="a/1", source="a/1.wav", audio=tmp_path / "a/1.wav", transcript="Olá, João!", locale="pt-PT", licence="CC0-1.0",
        speaker="ana", gender="female", release_split="dev",
    )]


@pytest.mark.parametrize("content", [
    b"\xef\xbb\xbfpath\ttext\na.wav\tum \"dois\" tr\xc3\xaas\n",
    b"path\ttext\r\na.wav\tum \"dois\" tr\xc3\xaas\r\n",
    b"path\ttext\na.wav\tum \"dois\" tr\xc3\xaas",
    b"path\ttext\n\na.wav\tum \"dois\" tr\xc3\xaas\n\n",
], ids=["byte order mark", "CRLF", "no last line end", "empty lines"])
def test_a_tab_separated_table_is_read_with_any_line_end_and_byte_order_mark(tmp_path: Path, content: bytes) -> None:
    assert [row.transcript for row in table(tmp_path, content)] == ['um "dois" três']


def test_a_lone_quote_in_a_tab_separated_table_is_literal(tmp_path: Path) -> None:
    assert len(table(tmp_path, 'path\ttext\na.wav\t"começo\nb.wav\tmeio\nc.wav\tfim"\n')) == 3


def test_a_comma_separated_table_is_quoted_as_spreadsheets_do(tmp_path: Path) -> None:
    rows = table(tmp_path, '\ufeffpath,text\r\na.wav,"um, ""dois""\r\ntrês"\r\n', "m.csv")
    assert [row.transcript for row in rows] == ['um, "dois"\r\ntrês']


def test_json_lines_with_the_names_of_nemo_are_read(tmp_path: Path) -> None:
    absolute = tmp_path / "b.wav"
    content = f'{{"audio_filepath": "a.wav", "duration": 1.5, "text": "um"}}\n\n{{"audio_filepath": "{absolute}", "text": "dois", "speaker": 7}}\n'
    rows = table(tmp_path, content, "m.jsonl")
    assert [(row.id, row.transcript, row.speaker) for row in rows] == [("a", "um", ""), ("b", "dois", "7")]


NEMO = '{"audio_filepath": "wavs/a.wav", "duration": 1.5, "text": "um", "offset": null}\n{"audio_filepath": "b.wav", "text": "dois"}\n'


@pytest.mark.parametrize("name", ["train_manifest.json", "m.jsonl", "m.ndjson", "M.JSON", "m.json.gz", "m.jsonl.gz", "lists/train.ndjson.gz"])
def test_json_lines_are_read_under_every_usual_ending(tmp_path: Path, name: str) -> None:
    rows = table(tmp_path, gzip.compress(NEMO.encode()) if name.endswith(".gz") else NEMO, name)
    assert [(row.source, row.transcript, row.duration_s, row.end_s) for row in rows] == [
        ("wavs/a.wav", "um", 1.5, math.inf), ("b.wav", "dois", None, math.inf)]


def test_a_json_file_may_hold_a_list_of_objects(tmp_path: Path) -> None:
    rows = table(tmp_path, json.dumps([{"path": "a.wav", "text": "um"}, {"path": "b.wav", "text": None}], indent=2), "m.json")
    assert [(row.id, row.transcript) for row in rows] == [("a", "um"), ("b", "")]


@pytest.mark.parametrize("name", ["m.tsv.gz", "m.csv.gz", "M.TSV", "m.CSV"])
def test_tables_may_be_compressed_and_named_in_upper_case(tmp_path: Path, name: str) -> None:
    content = "path,text\na.wav,um\n".replace(",", "," if ".csv" in name.lower() else "\t").encode()
    assert table(tmp_path, gzip.compress(content) if name.endswith(".gz") else content, name)[0].transcript == "um"
    assert "m.tsv.gz: damaged (" in problem(tmp_path, b"no gzip", "m.tsv.gz")
    assert "damaged (" in problem(tmp_path, gzip.compress(content * 9)[:-9], "m.tsv.gz")


def test_a_path_may_be_relative_to_the_table_and_differ_in_case(tmp_path: Path) -> None:
    sound(tmp_path / "sets/wavs/a.wav"), sound(tmp_path / "b.WAV")
    content = "".join(f'{{"path": "{path}", "text": "um"}}\n' for path in ("wavs/a.wav", "B.wav", "b.flac"))
    rows = table(tmp_path, content, "sets/m.json")
    assert [row.source for row in rows] == ["sets/wavs/a.wav", "b.WAV", "b.flac"]


def test_recordings_that_no_row_names_are_counted_in_the_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in "abc":
        sound(tmp_path / f"{name}.wav")
    table(tmp_path, "path\ttext\na.wav\tum\n")
    assert capsys.readouterr().out == "ingest: 2 of 3 recordings in corpus are in no row that is read of manifest.tsv\n"


@pytest.mark.parametrize("label", ["-1", "-100", "None", "nan", "N/A", "<NA>", ""])
def test_labels_that_stand_for_a_missing_one_are_missing(tmp_path: Path, label: str) -> None:
    row, = table(tmp_path, f"path\ttext\tspeaker\tgender\tage\taccent\tlocale\tsplit\na.wav\tum{(chr(9) + label) * 6}\n")
    assert (row.speaker, row.gender, row.age, row.accent, row.locale, row.release_split) == ("", "", "", "", "pt-BR", "")
    row, = table(tmp_path, '{"path": "a.wav", "text": "um", "gender": -1, "speaker": -100, "age": null}\n', "m.jsonl")
    assert (row.speaker, row.gender, row.age) == ("", "", "")


@pytest.mark.parametrize(("duration", "seconds"), [("0", None), ("0.0", None), ("-1", None), ("NaN", None), ("N/A", None), ("", None), ("1.5", 1.5)])
def test_a_duration_that_was_not_measured_is_not_checked(tmp_path: Path, duration: str, seconds: float | None) -> None:
    row, = table(tmp_path, f"path\ttext\tduration\na.wav\tum\t{duration}\n")
    assert (row.duration_s, row.start_s, row.end_s) == (seconds, 0.0, math.inf)


def test_durations_in_milliseconds_are_known_by_their_column(tmp_path: Path) -> None:
    for name in ("duration_ms", "duration[ms]"):
        assert table(tmp_path, f"path\ttext\t{name}\na.wav\tum\t1500\n")[0].duration_s == 1.5
    assert table(tmp_path, "path\ttext\tlength_ms\na.wav\tum\t1500\n", columns={"duration": "length_ms"})[0].duration_s == 1.5


@pytest.mark.parametrize("folder", ["com espaço", "[1]", "{a}", "'x'", "ação", "são paulo (SP)", "a*b", "100%"])
def test_paths_of_any_name_are_literal(tmp_path: Path, folder: str) -> None:
    sound(tmp_path / folder / "a.wav")
    row, = table(tmp_path / folder, "path\ttext\na.wav\tum\n")
    assert isinstance(row.audio, Path) and row.audio.is_file()
    row, = table(tmp_path, f"path\ttext\n{folder}/a.wav\tum\n")
    assert isinstance(row.audio, Path) and row.audio.is_file()


def test_text_that_is_not_unicode_is_a_reject_and_a_path_is_found_by_its_bytes(tmp_path: Path) -> None:
    sound(tmp_path / "x.wav")
    (tmp_path / "x.wav").rename(tmp_path / os.fsdecode(b"ma\xe7\xe3.wav"))
    write(tmp_path / "m.jsonl", r'''{"path": "ma\udce7\udce3.wav", "text": "um"}
{"path": "b.wav", "text": "u\ud800"}
{"path": "c\ud800.wav", "text": "um"}
{"path": "d.wav", "text": "\ud83d\ude00 um", "speaker": "\udfff"}
''')
    rows = [row for task in plain.READER.shards(params(table="m.jsonl"), tmp_path) for row in task]
    assert [(row.id, getattr(row, "reason", ""), getattr(row, "detail", "")) for row in rows] == [
        ("ma\\xe7\\xe3", "", ""), ("b", "not UTF-8", "transcript 'u\\\\ud800'"), ("c\\ud800", "not UTF-8", "its path"), ("d", "", "")]
    assert isinstance(rows[0], Utterance) and isinstance(rows[0].audio, Path) and rows[0].audio.is_file()
    assert isinstance(rows[3], Utterance) and (rows[3].speaker, rows[3].transcript) == ("\\udfff", "😀 um")


def test_rows_with_an_offset_are_parts_of_a_recording(tmp_path: Path) -> None:
    rows = table(tmp_path, '{"path": "a.wav", "text": "um", "offset": 0, "duration": 2.5}\n'
                 '{"path": "a.wav", "text": "dois", "offset": 2.5, "duration": 1}\n'
                 '{"path": "b.wav", "text": "três", "duration": 4.0}\n{"path": "c.wav", "text": "quatro", "offset": null}\n', "m.jsonl")
    assert [(row.id, row.start_s, row.end_s, row.duration_s) for row in rows] == [
        ("a", 0.0, 2.5, 2.5), ("a-2.500", 2.5, 3.5, 1.0), ("b", 0.0, math.inf, 4.0), ("c", 0.0, math.inf, None)]


def test_columns_of_other_names_are_mapped_and_rows_selected(tmp_path: Path) -> None:
    rows = table(tmp_path, "clip\tfrase\tsubset\tlicense\na.wav\tum\tx\tMIT\nb.wav\tdois\ty\tMIT\n",
                 columns={"path": "clip", "text": "frase"}, where={"subset": "y"}, licence="")
    assert [(row.id, row.transcript, row.licence) for row in rows] == [("b", "dois", "MIT")]


@pytest.mark.parametrize("path", ["../secret.wav", "a/../../secret.wav", "/etc/passwd", "..", ""])
def test_a_path_out_of_the_source_is_refused(tmp_path: Path, path: str) -> None:
    assert f"line 2: path {path!r}; expected one inside {tmp_path}" in problem(tmp_path, f"path\ttext\n{path}\tum\n")


def test_all_problems_of_a_table_are_reported_at_once(tmp_path: Path) -> None:
    message = problem(tmp_path, HEADER + "a.wav\tum\tana\tpt-BR\tm\teval\n../b.wav\tdois\tana\tpt-BR\tm\ttest\n", locale="")
    assert "2 problems" in message
    assert "line 2: split 'eval'; expected one of train, dev" in message
    assert "line 3: path" in message


def test_many_problems_are_counted_and_the_first_shown(tmp_path: Path) -> None:
    message = problem(tmp_path, "path\ttext\n" + "../a.wav\tum\n" * 50)
    assert "and 31 more" in message
    assert message.count("line ") == 20


@pytest.mark.parametrize(("content", "name", "expected"), [
    ("path\ttext\na.wav\n", "m.tsv", "line 2: 1 cells; expected 2, as in the header"),
    ("path\ttext\na.wav\tum\na.wav\tdois\n", "m.tsv", "id a occurs more than once"),
    ("path\ttranscricao\na.wav\tum\n", "m.tsv", "no column for text; found path, transcricao; name it in ingest.CORPUS.columns"),
    ("path\ttext\n", "m.tsv", "no rows; expected a row for each recording"),
    ("", "m.tsv", "no rows"),
    (b"path\ttext\na.wav\tol\xe1\n", "m.tsv", "byte 18 is not UTF-8; expected UTF-8; convert the table"),
    ('path,text\na.wav,"um\n', "m.csv", "line 2: unexpected end of data"),
    ('{"path": "a.wav", "text": "um"\n', "m.jsonl", "line 1: not JSON"),
    ('{"path": "a.wav",\n "text": "um"}\n', "m.json", "line 1: not JSON"),
    ('[{"path": "a.wav"', "m.json", "not JSON"),
    ("[" * 100_000, "m.json", "not JSON"),
    ('{"a": ' * 100_000, "m.ndjson", "line 1: not JSON"),
    ('{"path": "a\\u0000.wav", "text": "um"}', "m.json", "line 1: path 'a\\x00.wav'; expected one inside"),
    ('{"audio_filepath": "a.wav", "text": "um", "duration": 1, "shard_id": 3}', "m.json", "line 1: a row of NeMo's tar archives"),
    ('{"path": "a.wav", "text": "um"}\n'.encode("utf-16"), "m.json", "byte 0 is not UTF-8"),
    ("path\ttext\tduration\na.wav\tum\tlong\n", "m.tsv", "line 2: offset '', duration 'long'; expected seconds"),
    ("[1]\n", "m.jsonl", "line 1: list; expected an object"),
    ('{"path": "a.wav", "text": "um", "offset": 2.5}\n', "m.jsonl", "line 1: offset '2.5', duration ''; expected seconds, both for a part"),
    ("path\ttext\tduration\na.wav\tum\t1,5\n", "m.tsv", "line 2: offset '', duration '1,5'; expected seconds"),
    ("path\ttext\toffset\tduration\na.wav\tum\t-1\t2\n", "m.tsv", "line 2: offset '-1', duration '2'; expected seconds"),
])
def test_a_wrong_table_is_reported_with_line_and_action(tmp_path: Path, content: str | bytes, name: str, expected: str) -> None:
    assert expected in problem(tmp_path, content, name)


def test_a_filter_without_matches_and_a_misspelt_column_are_errors(tmp_path: Path) -> None:
    content = "path\ttext\tsubset\na.wav\tum\tx\n"
    assert "none of 1 rows has {'subset': 'y'}" in problem(tmp_path, content, where={"subset": "y"})
    assert "no column 'subst'; found path, text, subset" in problem(tmp_path, content, where={"subst": "x"})


def test_locale_and_licence_are_required_of_table_or_params(tmp_path: Path) -> None:
    message = problem(tmp_path, "path\ttext\na.wav\tum\n", locale="", licence="")
    assert "line 2: no locale; give the table a column, or set ingest.CORPUS.locale" in message
    assert "no licence" in message


def test_a_missing_table_is_reported_with_an_action(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="no such file; expected the table of a plain manifest; correct ingest.CORPUS.source or add the file"):
        plain.utterances(params(), tmp_path / "absent")


def test_shards_hold_the_rows_in_order(tmp_path: Path) -> None:
    table(tmp_path, "path\ttext\n" + "".join(f"{number}.wav\tum\n" for number in range(5)))
    cut = plain.READER.shards(params(utterances_per_shard=2), tmp_path)
    assert [[row.id for row in shard] for shard in cut] == [["0", "1"], ["2", "3"], ["4"]]


def test_wrong_params_are_reported_with_their_key() -> None:
    value = {**params().model_dump(), "table": "m.xlsx", "max_duration_s": 30, "utterances_per_shard": 1_000, "colums": {}}
    problems = "\n".join(problems_of(plain.Params, value, "ingest.toy"))
    assert "ingest.toy.table: found 'm.xlsx'" in problems
    assert "ingest.toy.colums: unknown key" in problems
    value = {**params().model_dump(), "max_duration_s": 30, "utterances_per_shard": 1_000}
    assert "at most 266 at max_duration_s 30" in problems_of(plain.Params, value, "ingest.toy")[0]
