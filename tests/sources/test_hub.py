"""A pinned commit of a hub in a local folder: downloaded once, resumed after an error, never mixed with another commit."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.core.errors import DataError, MissingInputError
from pipeline.sources.hub import NOTE, fetch_once, first_line

WANTED = {"repository": "somebody/speech", "revision": "a" * 40}


def fetch(folder: Path, calls: list[str], wanted: dict[str, str] = WANTED, allowed: bool = True, error: Exception | None = None) -> None:
    def download() -> None:
        calls.append(wanted["revision"])
        (folder / "data.parquet").write_text("rows")
        if error:
            raise error

    fetch_once(folder, wanted, "dataset", "ingest.CORPUS.hub", allowed, download)


def test_a_commit_is_downloaded_once(tmp_path: Path) -> None:
    calls: list[str] = []
    fetch(tmp_path / "raw", calls)
    fetch(tmp_path / "raw", calls)
    assert calls == ["a" * 40]
    assert sorted(path.name for path in (tmp_path / "raw").iterdir()) == [NOTE, "data.parquet"]


def test_a_download_that_fails_is_repeated_by_the_next_run(tmp_path: Path) -> None:
    calls: list[str] = []
    with pytest.raises(DataError, match=r"somebody/speech: cannot be downloaded \(TimeoutError: too slow\)"):
        fetch(tmp_path / "raw", calls, error=TimeoutError("too slow\nfor us"))
    fetch(tmp_path / "raw", calls)
    fetch(tmp_path / "raw", calls)
    assert len(calls) == 2


def test_nothing_is_downloaded_where_the_params_do_not_allow_it(tmp_path: Path) -> None:
    calls: list[str] = []
    with pytest.raises(MissingInputError, match="no dataset, or only a part of it; .*set ingest.CORPUS.hub.download: true"):
        fetch(tmp_path / "raw", calls, allowed=False)
    assert not calls


def test_a_folder_with_another_commit_is_refused(tmp_path: Path) -> None:
    calls: list[str] = []
    fetch(tmp_path / "raw", calls)
    with pytest.raises(DataError, match=f"a dataset from somebody/speech at {'a' * 40}; expected somebody/speech at {'b' * 40}"):
        fetch(tmp_path / "raw", calls, {**WANTED, "revision": "b" * 40})


def test_an_error_is_one_line_with_its_cause() -> None:
    error = RuntimeError("outer")
    error.__cause__ = ValueError("the reason\nand more")
    assert first_line(error) == "ValueError: the reason"
    assert first_line(KeyError()) == "KeyError: no message"
