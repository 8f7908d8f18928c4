"""Plain transcript files: ids, columns and encoding."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.cli.transcripts import paired_tables, read_transcripts
from pipeline.core.errors import DataError, MissingInputError
from tests.cli.plain_files import BETTER, WORSE, write


def test_missing_and_unknown_ids_of_every_file_are_reported(files: dict[str, Path]) -> None:
    write(files["champion"], {**{name: text for name, text in WORSE.items() if name != "u07"}, "u99": "a mais"})
    write(files["challenger"], {name: text for name, text in BETTER.items() if name not in ("u03", "u04")})
    with pytest.raises(DataError) as caught:
        paired_tables(files["reference"], [files["champion"], files["challenger"]], None)
    message = str(caught.value)
    assert "champion.tsv: 1 missing (u07)" in message
    assert "champion.tsv: 1 unknown (u99)" in message
    assert "challenger.tsv: 2 missing (u03, u04)" in message


@pytest.mark.parametrize(("content", "message"), [
    ("a\tum\nb\tdois\na\ttrês\n", "line 3: id a is repeated"), ("a\tum\tx\ty\n", "line 1 has 4 columns"), ("\tum\n", "line 1 has no id"),
    ("a\tum\n\nb\tdois\n", "line 2 has no id"), ("", "empty"),
])
def test_an_invalid_line_is_reported(tmp_path: Path, content: str, message: str) -> None:
    bad = tmp_path / "bad.tsv"
    bad.write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        read_transcripts(bad)


def test_files_of_other_tools_are_read(tmp_path: Path) -> None:
    reference, hypothesis = tmp_path / "reference.tsv", tmp_path / "hypothesis.tsv"
    reference.write_bytes("\ufeffa\tum dois\r\nb\t\r\n".encode())
    hypothesis.write_bytes(b"b\na\tum dois")  # only an id: an empty hypothesis
    table, = paired_tables(reference, [hypothesis], None)
    assert table["utterance_id"].tolist() == ["a", "b"]
    assert table["hypothesis"].tolist() == table["reference"].tolist() == ["um dois", ""]


def test_a_file_that_is_missing_or_not_utf_8_is_reported(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match=r"absent.tsv: no such file"):
        read_transcripts(tmp_path / "absent.tsv")
    (tmp_path / "latin.tsv").write_bytes("a\tcafé\n".encode("latin-1"))
    with pytest.raises(DataError, match="latin.tsv: not UTF-8"):
        read_transcripts(tmp_path / "latin.tsv")
