"""Atomic files: each is written under a temporary name, then renamed, so that it is complete or absent."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pandas as pd

from pipeline.core.errors import DataError, MissingInputError

ROOT = Path(__file__).resolve().parents[2]
"""The checkout: the working directory of stages, which their paths are relative to."""


def state_dir(root: Path = ROOT) -> Path:
    """Return the folder of resume state and locks: `VIZINHO_STATE`, by default `.vizinho/` (never a DVC out)."""
    return Path(os.environ.get("VIZINHO_STATE") or root / ".vizinho")


@contextmanager
def atomic(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it is flushed to disk and renamed, on error removed."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        with open(temporary, "rb") as handle:
            os.fsync(handle.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path | str) -> Iterator[Path]:
    """Yield a fresh temporary folder beside `path`; on success it replaces `path`, on error it is removed."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    try:
        yield temporary
        if path.exists():
            shutil.rmtree(path)
        os.replace(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def lock_free(handle: int | IO[Any]) -> bool:
    """Take the exclusive lock of an open file and return True; return False if another process holds it.

    The kernel releases the lock when the handle closes, even if the process is killed.
    """
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def write_text(path: Path | str, text: str) -> None:
    """Write UTF-8 text atomically."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path | str, value: Any) -> None:
    """Write JSON atomically: UTF-8, two-space indent, keys in the order given.

    Raises:
        ValueError: a number is NaN or infinite, which JSON cannot represent.
    """
    write_text(path, json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False) + "\n")


def read_json(path: Path | str) -> Any:
    """Return the JSON value in `path`.

    Raises:
        MissingInputError: the file is missing.
        DataError: it is not JSON.
    """
    path = Path(path)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise MissingInputError(str(path), "no such file", "a JSON file", "run the stage that writes it (`dvc repro`)") from None
    except (ValueError, RecursionError) as error:  # not UTF-8, not JSON, a number of thousands of digits, or brackets a thousand deep
        raise DataError(str(path), f"not JSON ({error})", "a JSON file", "run the stage that writes it again") from None


def write_table(path: Path | str, table: pd.DataFrame) -> None:
    """Write a Parquet file atomically: the same rows give the same bytes."""
    with atomic(path) as temporary:
        table.to_parquet(temporary, index=False, compression="zstd")


def read_table(path: Path | str, columns: list[str] | None = None) -> pd.DataFrame:
    """Return a Parquet file's rows (only `columns`, if given).

    Raises:
        MissingInputError: the file is missing.
        DataError: it is not Parquet, or lacks a column.
    """
    path = Path(path)
    if not path.exists():
        raise MissingInputError(str(path), "no such file", "a Parquet file", "run the stage that writes it (`dvc repro`)")
    try:
        return pd.read_parquet(path, columns=columns)
    except Exception as error:  # pyarrow raises many kinds of errors
        raise DataError(str(path), f"unreadable ({error})", f"a Parquet file with {columns or 'any columns'}",
                        "run the stage that writes it again") from None


def hash_bytes(*chunks: bytes | memoryview) -> str:
    """Return the SHA-256 of the chunks, in hexadecimal."""
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()


def hash_file(path: Path | str) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def hash_json(value: Any) -> str:
    """Return the SHA-256 of a value's canonical JSON (sorted keys, no blanks), in hexadecimal."""
    return hash_bytes(json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass"))
