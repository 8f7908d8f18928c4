"""Sources behind an address: what fsspec reads (https, s3, gs, az, ...) is fetched into the state folder, once, whole or not at all.

Credentials are none of ours: fsspec's backends take them from their own places (environment, profile, machine). An address that
holds some is refused, since params.yaml is under version control, and no message shows more of one than host and path.
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
AT_ONCE: Final = 64  # files of a folder that a backend fetches together
TRIES: Final = 4     # of one transfer; each goes on where the last was cut
MARKS: Final = ("ETag", "etag", "md5", "mtime", "LastModified", "last_modified", "updated", "created")
"""What stores call that which changes with a file's content."""


def is_address(source: str) -> bool:
    """Return whether a source lies behind an address, and is no path of the checkout."""
    return "://" in source


def shown(address: str) -> str:
    """Return an address without what may be secret in it: user, password, query."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


@contextmanager
def fetched(address: str, state: Path) -> Iterator[Path]:
    """Yield the file that lies behind an address, or, where it ends in /, the folder.

    It lies in `state` under a hash of the address and of what the store calls its version. What was whole when the work failed
    is taken up; it is removed when the work is done and nobody else is at it.

    Raises:
        ParamsError: the address holds credentials.
        MissingInputError: nothing is there, or the package that reads such addresses is not installed.
        DataError: a transfer fails for good, or ends short.
    """
    store, place = _store(address)
    with _told(address):
        listed = _listing(store, place, address)
    marks = {name: [info.get("size"), *(str(info[mark]) for mark in MARKS if mark in info)] for name, info in listed.items()}
    folder = state / hash_json([shown(address), marks])[:16]
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder.mkdir(parents=True, exist_ok=True)
        with _told(address):
            _fetch(store, listed, folder, address)
        fcntl.flock(lock, fcntl.LOCK_SH)
        yield folder if address.endswith("/") else folder / next(iter(listed))
        if lock_free(lock):
            shutil.rmtree(folder)


def _store(address: str) -> tuple[Any, str]:
    """Return fsspec's file system for an address, and the path in it."""
    parts = urlsplit(address)
    if "@" in parts.netloc or parts.query:
        raise ParamsError("params.yaml", [f"source {shown(address)}: it holds a user, a password or a query; expected host and path alone: "
                                          "credentials go where the store's own tools look for them (environment, profile)"])
    import fsspec  # type: ignore[import-untyped]

    try:
        return fsspec.core.url_to_fs(address)  # type: ignore[no-any-return]
    except ImportError as error:
        raise MissingInputError(f"source {shown(address)}", str(error), f"a package that reads {parts.scheme}://",
                                "install it beside the locked ones, or bring the data in (`dvc import-url`)") from None
    except ValueError:
        raise MissingInputError(f"source {shown(address)}", f"nothing reads {parts.scheme}://", "https, s3, gs, az, or another that fsspec knows",
                                "correct the address") from None


@contextmanager
def _told(address: str) -> Iterator[None]:
    """Say in one message what a store says, whatever it raises, and nothing of the address but host and path."""
    try:
        yield
    except (DataError, KeyboardInterrupt):
        raise
    except FileNotFoundError:
        raise MissingInputError(f"source {shown(address)}", "nothing is there", "a file, or a folder whose address ends in /",
                                "correct the address, or give the right to read it") from None
    except Exception as error:  # noqa: BLE001 (each backend has its own; the user needs one)
        reason = f"{type(error).__name__} {getattr(error, 'status', '')}".strip()
        raise DataError(f"source {shown(address)}", f"it cannot be read ({reason})", "a store that answers",
                        "see whether address, network and credentials are right, and run the stage again: what is here is kept") from None


def _listing(store: Any, place: str, address: str) -> dict[str, dict[str, Any]]:
    """Return what the store knows of each file, by its path in the folder; of a single file by its name."""
    if not address.endswith("/"):
        return {place.rstrip("/").rpartition("/")[2]: store.info(place)}
    root = place.rstrip("/") + "/"
    found = {name[len(root) :] if name.startswith(root) else "": info for name, info in store.find(place, detail=True).items()}
    if not found:
        raise FileNotFoundError(place)
    if wrong := [name for name in found if not name or ".." in name.split("/") or name.startswith("/")]:
        raise DataError(f"source {shown(address)}", f"a file of it lies outside of it: {wrong[0]!r}", "paths within the folder")
    return dict(sorted(found.items()))


def _fetch(store: Any, listed: dict[str, dict[str, Any]], folder: Path, address: str) -> None:
    """Fetch what is not there yet, each file to a name of its own until it is whole."""
    missing = [(info["name"], folder / name, info.get("size")) for name, info in listed.items() if not (folder / name).exists()]
    for _, path, _ in missing:
        path.parent.mkdir(parents=True, exist_ok=True)
    if len(missing) == 1:
        remote, path, size = missing[0]
        _download(store, remote, path.with_name(f"{path.name}.part"), size)
    for start in range(0, len(missing) if len(missing) > 1 else 0, AT_ONCE):
        group = missing[start : start + AT_ONCE]
        store.get([remote for remote, _, _ in group], [str(path.with_name(f"{path.name}.part")) for _, path, _ in group])
    for _, path, size in missing:
        partial = path.with_name(f"{path.name}.part")
        if size is not None and partial.stat().st_size != size:
            had = partial.stat().st_size
            partial.unlink()
            raise DataError(f"source {shown(address)}", f"{path.name} has {had} bytes", f"{size}, as the store says", "run the stage again")
        partial.replace(path)


def _download(store: Any, remote: str, partial: Path, size: int | None) -> None:
    """Fetch one file, going on where a transfer was cut if the store gives parts of a file and knows its size."""
    parts = True
    for left in reversed(range(TRIES)):
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
            parts = parts and not isinstance(error, ValueError)  # a store that gives all or nothing
            if not left:
                raise
