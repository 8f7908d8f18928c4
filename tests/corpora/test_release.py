"""What readers share: the release is found, paths stay inside, problems are reported at once, READERS and the param agree."""

from __future__ import annotations

import gc
import re
import textwrap
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest
import yaml
from pydantic_core import PydanticUndefined

from pipeline import corpora, ingest
from pipeline.core.errors import DataError, MissingInputError
from pipeline.core.files import ROOT
from pipeline.core.params import problems_of
from pipeline.corpora import release
from tests.releases import write


@pytest.mark.parametrize("name", corpora.READERS)
def test_every_reader_provides_the_protocol_and_is_a_value_of_the_param(name: str) -> None:
    reader = corpora.reader(name)
    assert get_args(reader.Params.model_fields["reader"].annotation) == (name,)
    assert callable(reader.shards) and callable(reader.read) and isinstance(reader.versions(), dict)
    assert not problems_of(ingest.ReaderName, {"reader": name}, "ingest.toy")


def rows(count: int) -> list[corpora.Utterance | corpora.Reject]:
    folder = Path("/corpus/clips")
    return [corpora.Utterance(id=f"clip-{number}", source=f"clips/{number}.mp3", audio=folder / f"{number}.mp3",
                              transcript=f"a frase número {number}", locale="pt-BR", licence="CC0-1.0", speaker=f"{number % 50:0128x}",
                              duration_s=number / 8)
            if number % 7 else release.malformed_row("train.tsv", number, "3 cells; expected 11") for number in range(count)]


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 57])
def test_a_listing_is_the_list_that_was_added_to_it(count: int) -> None:
    listing = release.Listing(10)
    listing += iter(rows(count)[:5])
    listing += rows(count)[5:]
    assert (len(listing), list(listing)) == (count, rows(count))
    reader = release.ListedReader(corpora.Release, lambda params, source: listing)
    for step in (10, 7):
        params = corpora.Release(reader="toy", language="portuguese", source="corpus", utterances_per_shard=step)
        tasks = reader.shards(params, ROOT)
        assert [list(task) for task in tasks] == [rows(count)[start : start + step] for start in range(0, count, step)]
        assert sum(map(len, tasks)) == count
    assert release.repeated_ids(listing) == []
    listing += rows(count)[3:4]
    assert release.repeated_ids(listing) == ([rows(count)[3].id] if count > 3 else [])


def test_a_listing_takes_a_quarter_of_the_memory_of_a_list_at_most() -> None:
    def held(make: Callable[[], object]) -> int:
        gc.collect()
        tracemalloc.start()
        kept = make()
        gc.collect()
        try:
            return tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()
            del kept

    def listing() -> release.Listing:
        found = release.Listing(250)
        found += rows(1_500)
        return found

    listing(), rows(1_500)  # created only once
    packed, plain = min(held(listing) for _ in range(3)), held(lambda: rows(1_500))  # another thread may create objects meanwhile
    assert packed < plain / 4, (packed, plain)


@pytest.mark.parametrize("content", [b"\xef\xbb\xbfa\tb\r\n1\t\xc3\xa7\r\n", b"a\tb\n1\t\xc3\xa7", b"", b"\n\na\x0bb\xc2\x85\n"])
def test_lines_are_those_of_the_text(tmp_path: Path, content: bytes) -> None:
    path = write(tmp_path / "t.tsv", content)
    cells = [pair for pair in release.tab_cells(release.read_text(path, "a table")) if any(pair[1])]
    assert [pair for pair in release.tab_cells(release.read_lines(path, "a table")) if any(pair[1])] == cells


def test_lines_raise_the_same_errors_as_texts(tmp_path: Path) -> None:
    path = write(tmp_path / "t.tsv", b"a\n" * 20_000 + b"\xff\n")
    with pytest.raises(DataError, match="t.tsv: byte 40000 is not UTF-8"):
        list(release.read_lines(path, "a table"))
    with pytest.raises(MissingInputError, match="no such file; expected a table"):
        list(release.read_lines(tmp_path / "absent", "a table"))


@pytest.mark.parametrize("inner", ["", "a", "a/b", "a/b/c"])
def test_a_release_is_found_up_to_three_folders_deep(tmp_path: Path, inner: str) -> None:
    write(tmp_path / inner / "table.tsv", "")
    assert release.find_root(tmp_path, "*.tsv", "release") == tmp_path / inner


def test_no_release_and_two_releases_are_errors(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="no table.tsv here or in a folder below; expected release; set ingest.CORPUS.source"):
        release.find_root(tmp_path / "absent", "table.tsv", "release")
    write(tmp_path / "a/table.tsv", "")
    write(tmp_path / "b/table.tsv", "")
    with pytest.raises(DataError, match="table.tsv is in a, b; expected one release; set ingest.CORPUS.source to one of them"):
        release.find_root(tmp_path, "table.tsv", "release")


@pytest.mark.parametrize(("path", "expected"), [
    ("a/b.wav", "a/b.wav"), ("a/../b.wav", "b.wav"), ("./b.wav", "b.wav"), ("..wav", "..wav"),
    ("../b.wav", ""), ("a/../../b.wav", ""), ("/etc/passwd", ""), (".", ""), ("", ""), ("..", ""),
])
def test_a_path_is_made_relative_to_the_source_or_refused(tmp_path: Path, path: str, expected: str) -> None:
    assert release.path_inside(tmp_path, path) == expected
    assert release.path_inside(tmp_path, str(tmp_path / "b.wav")) == "b.wav"


def test_a_text_that_is_not_utf_8_is_read_only_with_a_fallback(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", "olá".encode("latin-1"))
    assert release.read_text(path, "a text", "latin-1") == "olá"
    with pytest.raises(DataError, match="byte 2 is not UTF-8"):
        release.read_text(path, "a text")
    assert release.read_text(write(path, b"\xef\xbb\xbfol\xc3\xa1"), "a text", "latin-1") == "olá"


@pytest.mark.parametrize(("text", "expected"), [("1.5", 1.5), (" 2 ", 2.0), ("nan", None), ("inf", None), ("", None), ("x", None)])
def test_a_number_is_finite_or_none(text: str, expected: float | None) -> None:
    assert release.parse_number(text) == expected


def test_the_sections_in_the_guide_are_valid_and_cover_every_reader() -> None:
    guide = (ROOT / "docs" / "guides" / "corpora.md").read_text(encoding="utf-8")
    blocks = [yaml.safe_load(textwrap.dedent(block)) for block in re.findall(r"```yaml\n(.*?)```", guide, re.DOTALL)]
    sections = {name: section for block in blocks if not {"align", "language_model"} & block.keys()
                for name, section in block.get("ingest", block).items()}
    assert {section["reader"] for section in sections.values()} == corpora.READERS.keys() - {"speak"}
    for name, section in sections.items():
        assert not problems_of(corpora.reader(section["reader"]).Params, section, name)
    rows = dict(re.findall(r"^\| `(\w+)` \| [^|]+\| ([^|]+) \|", guide, re.MULTILINE))
    assert corpora.READERS.keys() <= rows.keys()
    for reader in corpora.READERS:
        field = corpora.reader(reader).Params.model_fields.get("licence")
        assert not field or field.default in (PydanticUndefined, "", rows[reader])
