"""Archives as sources: each is unpacked once, into the state folder.

An archive is untrusted. It is refused as a whole if a member is a link or a device, has a path outside of the archive or occurs
twice, or if the content is far larger than the archive. Members are written as plain files; owners, modes and times are not
restored. (Python's `data` filter for tarfile accepts links within the archive, does not cover zip, and is missing in CPython
3.11.2.)
"""

from __future__ import annotations

import fcntl
import lzma
import os
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from pipeline.core.errors import DataError
from pipeline.core.files import hash_file, lock_free

ENDINGS: Final = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".zip")
MAX_GROWTH: Final = 20               # an archive may unpack to 20 times its size: compression halves speech at most, tables to a fifth
MINIMUM_BYTES: Final = 100_000_000   # that any archive may unpack to, however small
MEMBER_BYTES: Final = 512            # that a member counts beside its content
CHUNK: Final = 1 << 20

Open = Callable[[], IO[bytes] | None]


def is_archive(path: Path) -> bool:
    """Return whether a path is a file with an archive's ending."""
    return path.name.lower().endswith(ENDINGS) and path.is_file()


@contextmanager
def unpacked(source: Path, state: Path) -> Iterator[Path]:
    """Yield the folder that `source` is unpacked to, or `source` itself if it is not an archive.

    The folder is in `state` under the archive's hash. After a kill, unpacking is resumed: complete members are kept. The folder
    is removed at the end if no other process uses it, and kept if the work fails.

    Args:
        source: folder, file or archive.
        state: where to unpack.

    Raises:
        DataError: the archive is damaged or unsafe.
    """
    if not is_archive(source):
        yield source
        return
    state.mkdir(parents=True, exist_ok=True)
    folder = state / hash_file(source)[:16]
    with open(folder.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        while not folder.is_dir():
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not folder.is_dir():
                partial = folder.with_suffix(".part")
                unpack(source, partial)
                os.replace(partial, folder)
            fcntl.flock(lock, fcntl.LOCK_SH)  # between two locks, another process may have removed it
        yield folder
        if lock_free(lock):
            shutil.rmtree(folder)


def unpack(archive: Path, folder: Path) -> None:
    """Copy the files of an archive into a folder; files that exist with their full size are kept.

    Args:
        archive: tar or zip.
        folder: is created if missing.

    Raises:
        DataError: the archive is damaged or unsafe; the folder is removed.
    """
    most = MINIMUM_BYTES + MAX_GROWTH * archive.stat().st_size
    total = 0
    seen: set[Path] = set()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        for name, size, kind, content in (_zip if archive.name.lower().endswith(".zip") else _tar)(archive):
            path = _path(archive, folder, name, kind)
            total += MEMBER_BYTES + size
            if total > most:
                raise _unsafe(archive, f"it holds more than {most / 1e6:,.0f} MB, {MAX_GROWTH} times its own size")
            if kind == "folder":
                path.mkdir(parents=True, exist_ok=True)
                continue
            if path in seen:
                raise _unsafe(archive, f"{name!r} is in it twice")
            seen.add(path)
            if not (path.is_file() and path.stat().st_size == size) and (written := _copy(content, path, size)) != size:
                raise EOFError(f"{name!r} has {written} bytes of {size}")
    except (FileExistsError, IsADirectoryError, NotADirectoryError) as error:
        shutil.rmtree(folder)
        raise _unsafe(archive, f"{Path(error.filename).name!r} is both a file and a folder in it") from None
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError, zlib.error, lzma.LZMAError, RuntimeError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # an error of the disk, not of the archive
        shutil.rmtree(folder)
        why = str(error).partition("\n")[0]
        raise DataError(str(archive), f"damaged, or of an unsupported kind ({why})", f"a complete archive ({', '.join(ENDINGS)})",
                        "download it again, or unpack it and set ingest.CORPUS.source to the folder") from None
    except DataError:
        shutil.rmtree(folder)
        raise


def _unsafe(archive: Path, found: str) -> DataError:
    return DataError(str(archive), found, "files and folders only, once each and inside the archive",
                     "do not use this archive, or inspect it and set ingest.CORPUS.source to a folder of the files that you trust")


def _path(archive: Path, folder: Path, name: str, kind: str) -> Path:
    """Return the path that a member is written to."""
    if kind not in ("file", "folder"):
        raise _unsafe(archive, f"{name!r} is a {kind}")
    if name.startswith("/") or ".." in name.split("/") or "\0" in name:
        raise _unsafe(archive, f"{name!r} is outside of the archive")
    return folder.joinpath(*(part for part in name.split("/") if part not in ("", ".")))


def _copy(opened: Open, path: Path, size: int) -> int:
    """Copy a member's content, at most one byte more than `size`; return the number of bytes written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = opened()
    written = 0
    if content is not None:
        with content, open(path, "wb") as target:
            while written <= size and (piece := content.read(min(CHUNK, size + 1 - written))):
                target.write(piece)
                written += len(piece)
    return written


def _tar(archive: Path) -> Iterator[tuple[str, int, str, Open]]:
    with tarfile.open(archive) as reader:
        for member in reader:
            kind = "file" if member.isreg() else "folder" if member.isdir() else "link" if member.issym() or member.islnk() else "device"
            yield member.name, member.size, kind, lambda member=member: reader.extractfile(member)  # type: ignore[misc]
            reader.members = []  # type: ignore[attr-defined]  # or it would keep every member
        for _ in range(MINIMUM_BYTES // CHUNK):  # to the end, where gzip and xz have their checksum
            if not reader.fileobj or not reader.fileobj.read(CHUNK):
                break


def _zip(archive: Path) -> Iterator[tuple[str, int, str, Open]]:
    with zipfile.ZipFile(archive) as reader:
        for member in reader.infolist():
            mode = stat.S_IFMT(member.external_attr >> 16)
            kind = "link" if mode == stat.S_IFLNK else "folder" if member.is_dir() else "file" if mode in (0, stat.S_IFREG) else "device"
            yield member.filename, member.file_size, kind, lambda member=member: reader.open(member)  # type: ignore[misc]
