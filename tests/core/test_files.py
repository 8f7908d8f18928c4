"""Files are complete or absent: writes that fail or are killed leave the old content."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from pipeline.core.errors import DataError, MissingInputError
from pipeline.core.files import (
    ROOT,
    atomic,
    atomic_folder,
    hash_bytes,
    hash_file,
    hash_json,
    lock_free,
    read_json,
    read_table,
    state_dir,
    write_json,
    write_table,
    write_text,
)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_under_its_name_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.txt"
    with atomic(path) as temporary:
        temporary.write_text("half", encoding="utf-8")
        assert temporary.parent == path.parent
        assert not path.exists()
    assert path.read_text(encoding="utf-8") == "half"
    assert names(path.parent) == ["a.txt"]


def test_a_write_that_fails_leaves_the_old_file_and_no_temporary(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(UnicodeEncodeError), atomic(path) as temporary:
        temporary.write_text("new \udc80", encoding="utf-8")
    assert path.read_text(encoding="utf-8") == "old"
    assert names(tmp_path) == ["a.txt"]


def test_a_file_is_flushed_to_disk_before_it_is_renamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    replace = os.replace
    monkeypatch.setattr(os, "fsync", lambda _: calls.append("fsync"))
    monkeypatch.setattr(os, "replace", lambda one, other: (calls.append("replace"), replace(one, other)))
    write_text(tmp_path / "a.txt", "new")
    assert calls == ["fsync", "replace"]


KILLED = """
import os, signal, sys
from pipeline.core.files import atomic, atomic_folder
with (atomic if sys.argv[2] == "file" else atomic_folder)(sys.argv[1]) as temporary:
    (temporary if sys.argv[2] == "file" else temporary / "part").write_text("new")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_killed_write_leaves_the_old_content(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "out"
    content = path if kind == "file" else path / "part"
    write_text(content, "old")
    done = subprocess.run([sys.executable, "-c", KILLED, str(path), kind], cwd=ROOT)
    assert done.returncode == -signal.SIGKILL
    assert content.read_text(encoding="utf-8") == "old"


def test_a_folder_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "out"
    write_text(path / "stale.txt", "old")
    with atomic_folder(path) as temporary:
        (temporary / "fresh.txt").write_text("new", encoding="utf-8")
        assert names(path) == ["stale.txt"]
    assert names(path) == ["fresh.txt"]
    assert names(tmp_path) == ["out"]


def test_a_folder_that_fails_leaves_the_old_one_and_no_temporary(tmp_path: Path) -> None:
    path = tmp_path / "out"
    write_text(path / "a.txt", "old")
    with pytest.raises(UnicodeEncodeError), atomic_folder(path) as temporary:
        (temporary / "b.txt").write_text("new \udc80", encoding="utf-8")
    assert names(path) == ["a.txt"]
    assert names(tmp_path) == ["out"]


def test_a_lock_is_free_for_one_holder_until_its_handle_closes(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with open(path, "w", encoding="utf-8") as first, open(path, encoding="utf-8") as second:
        assert lock_free(first)
        assert not lock_free(second)
        first.close()
        assert lock_free(second)


def test_json_keeps_the_order_of_keys_and_non_ascii_letters(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"z": "ã", "a": [1, 2.5, None]})
    assert (tmp_path / "a.json").read_text(encoding="utf-8") == '{\n  "z": "ã",\n  "a": [\n    1,\n    2.5,\n    null\n  ]\n}\n'
    assert list(read_json(tmp_path / "a.json")) == ["z", "a"]


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_non_finite_number_is_not_written_as_json(tmp_path: Path, number: float) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "a.json", {"a": number})
    assert names(tmp_path) == []


@pytest.mark.parametrize("read, kind", [(read_json, "JSON"), (read_table, "Parquet")])
def test_a_missing_and_a_damaged_file_are_reported(tmp_path: Path, read, kind: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(MissingInputError, match=rf"missing: no such file; expected a {kind} file; run the stage that writes it"):
        read(tmp_path / "missing")
    (tmp_path / "damaged").write_bytes(b"{\xff")
    with pytest.raises(DataError, match=rf"damaged: (not JSON|unreadable) .*; expected a {kind} file.*; run the stage that writes it again"):
        read(tmp_path / "damaged")


def test_the_same_rows_give_the_same_bytes_and_come_back(tmp_path: Path) -> None:
    table = pd.DataFrame({"a": ["x", "y"], "b": [1.5, 2.5]})
    write_table(tmp_path / "one", table)
    write_table(tmp_path / "two", table.copy())
    assert hash_file(tmp_path / "one") == hash_file(tmp_path / "two")
    pd.testing.assert_frame_equal(read_table(tmp_path / "one"), table)
    assert list(read_table(tmp_path / "one", ["b"])) == ["b"]
    with pytest.raises(DataError, match=r"(?s)one: unreadable .*; expected a Parquet file with \['c'\]"):
        read_table(tmp_path / "one", ["c"])


def test_hashes_are_sha256_of_the_content(tmp_path: Path) -> None:
    sha256_of_abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    (tmp_path / "a").write_bytes(b"abc")
    assert hash_bytes(b"a", b"bc") == hash_file(tmp_path / "a") == sha256_of_abc
    assert hash_json({"b": 1, "a": "ã"}) == hash_json({"a": "ã", "b": 1}) == hash_bytes('{"a":"ã","b":1}'.encode())
    assert hash_json([1, 2]) != hash_json([2, 1])


@pytest.mark.parametrize("text", ["9" * 5000, "[" * 100_000], ids=["a number of 5000 digits", "brackets in brackets"])
def test_json_that_python_refuses_is_an_error_with_the_name_of_the_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "score.json").write_text(text)
    with pytest.raises(DataError, match=r"score\.json: not JSON"):
        read_json(tmp_path / "score.json")


def test_the_state_folder_is_in_the_checkout_unless_the_environment_names_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VIZINHO_STATE", raising=False)
    assert state_dir(tmp_path) == tmp_path / ".vizinho"
    monkeypatch.setenv("VIZINHO_STATE", str(tmp_path / "elsewhere"))
    assert state_dir(tmp_path) == tmp_path / "elsewhere"
