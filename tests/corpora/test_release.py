"""What readers share: the release is found, paths stay inside, problems are told once, READERS and the param agree."""

from __future__ import annotations

import re
import textwrap
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
def test_every_reader_has_the_form_of_one_and_is_known_to_params(name: str) -> None:
    reader = corpora.reader(name)
    assert get_args(reader.Params.model_fields["reader"].annotation) == (name,)
    assert callable(reader.shards) and callable(reader.read) and isinstance(reader.versions(), dict)
    assert not problems_of(ingest.Named, {"reader": name}, "ingest.toy")


@pytest.mark.parametrize("inner", ["", "a", "a/b", "a/b/c"])
def test_a_release_is_found_up_to_three_folders_deep(tmp_path: Path, inner: str) -> None:
    write(tmp_path / inner / "table.tsv", "")
    assert release.root_of(tmp_path, "*.tsv", "release") == tmp_path / inner


def test_no_release_and_two_are_told(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="no table.tsv, nor in a folder within; expected release; set ingest.CORPUS.source"):
        release.root_of(tmp_path / "absent", "table.tsv", "release")
    write(tmp_path / "a/table.tsv", "")
    write(tmp_path / "b/table.tsv", "")
    with pytest.raises(DataError, match="table.tsv lies in a, b; expected one release; set ingest.CORPUS.source to one of them"):
        release.root_of(tmp_path, "table.tsv", "release")


@pytest.mark.parametrize(("path", "expected"), [
    ("a/b.wav", "a/b.wav"), ("a/../b.wav", "b.wav"), ("./b.wav", "b.wav"), ("..wav", "..wav"),
    ("../b.wav", ""), ("a/../../b.wav", ""), ("/etc/passwd", ""), (".", ""), ("", ""), ("..", ""),
])
def test_a_path_is_brought_inside_or_refused(tmp_path: Path, path: str, expected: str) -> None:
    assert release.inside(tmp_path, path) == expected
    assert release.inside(tmp_path, str(tmp_path / "b.wav")) == "b.wav"


def test_a_text_of_another_coding_is_read_only_where_that_is_declared(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", "olá".encode("latin-1"))
    assert release.read_text(path, "a text", "latin-1") == "olá"
    with pytest.raises(DataError, match="byte 2 is not UTF-8"):
        release.read_text(path, "a text")
    assert release.read_text(write(path, b"\xef\xbb\xbfol\xc3\xa1"), "a text", "latin-1") == "olá"


@pytest.mark.parametrize(("text", "expected"), [("1.5", 1.5), (" 2 ", 2.0), ("nan", None), ("inf", None), ("", None), ("x", None)])
def test_a_number_is_finite_or_none(text: str, expected: float | None) -> None:
    assert release.number(text) == expected


def test_the_sections_in_the_guide_are_right_and_every_reader_is_in_it() -> None:
    guide = (ROOT / "docs" / "guides" / "corpora.md").read_text(encoding="utf-8")
    blocks = [yaml.safe_load(textwrap.dedent(block)) for block in re.findall(r"```yaml\n(.*?)```", guide, re.DOTALL)]
    sections = {name: section for block in blocks for name, section in block.get("ingest", block).items()}
    assert {section["reader"] for section in sections.values()} == corpora.READERS.keys() - {"speak"}
    for name, section in sections.items():
        assert not problems_of(corpora.reader(section["reader"]).Params, section, name)
    rows = dict(re.findall(r"^\| `(\w+)` \| [^|]+\| ([^|]+) \|", guide, re.MULTILINE))
    assert corpora.READERS.keys() <= rows.keys()
    for reader in corpora.READERS:
        field = corpora.reader(reader).Params.model_fields.get("licence")
        assert not field or field.default in (PydanticUndefined, "", rows[reader])
