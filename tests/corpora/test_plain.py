"""The plain manifest: every table format, and every error in one."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.errors import DataError, MissingInputError
from pipeline.core.params import problems_of
from pipeline.corpora import Utterance, plain

HEADER = "path\ttext\tspeaker\tlocale\tgender\tsplit\n"


def params(**given: Any) -> plain.Params:
    return plain.Params(**{"reader": "manifest", "language": "portuguese", "source": "corpus", "locale": "pt-BR",
                           "licence": "CC0-1.0", **given})


def table(folder: Path, content: str | bytes, name: str = "manifest.tsv", **given: Any) -> list[Utterance]:
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return plain.utterances(params(table=name, **given), folder)


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
