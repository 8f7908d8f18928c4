"""Sources at an address: what fsspec reads (https, s3, gs, az, ...) is downloaded to the state folder once, completely or not at all.

fsspec's backends take credentials from their own configuration (environment, profile, machine). An address with credentials is refused,
since params.yaml is under version control, and messages show only host and path of an address.
"""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from pipeline.core.errors import DataError, MissingInputError, ParamsError
from pipeline.core.files import hash_json, lock_free

CHUNK: Final = 4 << 20
FILES_PER_BATCH: Final = 64  # that a backend downloads together
MAX_ATTEMPTS: Final = 4      # of one transfer; each resumes the one before
VERSION_KEYS: Final = ("ETag", "etag", "md5", "mtime", "LastModified", "last_modified", "updated", "created")
"""The fields in a store's listing that change with a file's content."""


def is_address(source: str) -> bool:
    """Return whether a source is an address, not a path of the checkout."""
    return "://" in source


def shown(address: str) -> str:
    """Return an address without user, password and query, which may be secret."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


@contextmanager
def fetched(address: str, state: Path) -> Iterator[Path]:
    """Yield the local copy of the file at an address, or of the folder if the address ends in /.

    The copy is in `state` under a hash of the address and of the store's version of it. Complete files are kept if the work
    fails; the copy is removed at the end if no other process uses it.

    Args:
        address: such as s3://bucket/name.tar.gz.
        state: where to download to.

    Raises:
        ParamsError: the address has credentials.
        MissingInputError: no such file or folder, or the package that reads such addresses is not installed.
        DataError: a transfer fails after all attempts, or is incomplete.
    """
    store, path = _store(address)
    with _store_errors(address):
        listed = _listing(store, path, address)
    marks = {name: [info.get("size"), *(str(info[mark]) for mark in VERSION_KEYS if mark in info)] for name, info in listed.items()}
    folder = state / hash_json([shown(address), marks])[:16]
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder.mkdir(parents=True, exist_ok=True)
        with _store_errors(address):
            _fetch(store, listed, folder, address)
        fcntl.flock(lock, fcntl.LOCK_SH)
        yield folder if address.endswith("/") else folder / next(iter(listed))
        if lock_free(lock):
            shutil.rmtree(folder)


def _store(address: str) -> tuple[Any, str]:
    """Return fsspec's file system for an address, and the path in it."""
    parts = urlsplit(address)
    if "@" in parts.netloc or parts.query:
        raise ParamsError("params.yaml", [f"source {shown(address)}: it has a user, a password or a query; expected host and path alone: "
                                          "put credentials where the store's own tools read them (environment, profile)"])
    import fsspec

    try:
        return fsspec.core.url_to_fs(address)
    except ImportError as error:
        raise MissingInputError(f"source {shown(address)}", str(error), f"a package that reads {parts.scheme}://",
                                "install it in addition to the lock, or import the data (`dvc import-url`)") from None
    except ValueError:
        raise MissingInputError(f"source {shown(address)}", f"no package reads {parts.scheme}://", "https, s3, gs, az, or another that fsspec knows",
                                "correct the address") from None


@contextmanager
def _store_errors(address: str) -> Iterator[None]:
    """Turn any exception of a store into one error, whose message has only host and path of the address."""
    try:
        yield
    except (DataError, KeyboardInterrupt):
        raise
    except FileNotFoundError:
        raise MissingInputError(f"source {shown(address)}", "no such file or folder", "a file, or a folder whose address ends in /",
                                "correct the address, or its read permission") from None
    except Exception as error:  # noqa: BLE001 (each backend has its own; the user needs one)
        reason = f"{type(error).__name__} {getattr(error, 'status', '')}".strip()
        raise DataError(f"source {shown(address)}", f"it cannot be read ({reason})", "a store that answers",
                        "check address, network and credentials, and run the stage again: finished files are kept") from None


def _listing(store: Any, path: str, address: str) -> dict[str, dict[str, Any]]:
    """Return the store's information on each file, by its path in the folder; of a single file by its name."""
    if not address.endswith("/"):
        return {path.rstrip("/").rpartition("/")[2]: store.info(path)}
    root = path.rstrip("/") + "/"
    found = {name[len(root) :] if name.startswith(root) else "": info for name, info in store.find(path, detail=True).items()}
    if not found:
        raise FileNotFoundError(path)
    if wrong := [name for name in found if not name or ".." in name.split("/") or name.startswith("/")]:
        raise DataError(f"source {shown(address)}", f"a file is outside of the folder: {wrong[0]!r}", "paths within the folder")
    return dict(sorted(found.items()))


def _fetch(store: Any, listed: dict[str, dict[str, Any]], folder: Path, address: str) -> None:
    """Download the missing files, each to a temporary name until it is complete."""
    missing = [(info["name"], folder / name, info.get("size")) for name, info in listed.items() if not (folder / name).exists()]
    for _, path, _ in missing:
        path.parent.mkdir(parents=True, exist_ok=True)
    if len(missing) == 1:
        remote, path, size = missing[0]
        _download(store, remote, path.with_name(f"{path.name}.part"), size)
    for start in range(0, len(missing) if len(missing) > 1 else 0, FILES_PER_BATCH):
        group = missing[start : start + FILES_PER_BATCH]
        store.get([remote for remote, _, _ in group], [str(path.with_name(f"{path.name}.part")) for _, path, _ in group])
    for _, path, size in missing:
        partial = path.with_name(f"{path.name}.part")
        if size is not None and partial.stat().st_size != size:
            had = partial.stat().st_size
            partial.unlink()
            raise DataError(f"source {shown(address)}", f"{path.name} has {had} bytes", f"{size}, the size in the store", "run the stage again")
        partial.replace(path)


def _download(store: Any, remote: str, partial: Path, size: int | None) -> None:
    """Download one file; an interrupted transfer is resumed if the store serves parts of a file and has its size."""
    parts = True
    for left in reversed(range(MAX_ATTEMPTS)):
        had = partial.stat().st_size if parts and size and partial.exists() else 0
        try:
            if not parts:
                store.get_file(remote, str(partial))
                return
            with store.open(remote, "rb", block_size=CHUNK) as reader, open(partial, "ab" if had else "wb") as writer:
                reader.seek(had)
                shutil.copyfileobj(reader, writer, CHUNK)
            return
        except FileNotFoundError:
            raise
        except Exception as error:
            parts = parts and not isinstance(error, ValueError)  # a store that serves whole files only
            if not left:
                raise
