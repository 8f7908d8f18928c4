"""Archives as sources: what lies in them is unpacked into the state folder, once, and nothing else is touched.

An archive is somebody else's: it is refused, before anything of it is used, where a member is a link or a device, has a
path that leads outside, occurs twice, or where it holds far more than its size lets expect. Members are copied as plain
files to paths of our own making; no owner, mode or time is taken over. (Python's `data` filter for tarfile lets links
within the archive pass, does not know zip, and CPython 3.11.2 lacks it.)
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
GROWTH: Final = 20           # times an archive's size that it may unpack to: speech shrinks by half at most, tables to a fifth
GRANTED: Final = 100_000_000  # bytes: to any archive, however small
MEMBER: Final = 512          # bytes that a member counts for beside its content
CHUNK: Final = 1 << 20

Open = Callable[[], IO[bytes] | None]


def is_archive(path: Path) -> bool:
    """Return whether a path is a file whose name ends as an archive's does."""
    return path.name.lower().endswith(ENDINGS) and path.is_file()


@contextmanager
def unpacked(source: Path, state: Path) -> Iterator[Path]:
    """Yield the folder that `source` is unpacked to, or `source` itself where it is no archive.

    It lies in `state` under the archive's hash. What a kill has left there is taken up: members that are whole stay. It is
    removed when the work is done and nobody else is at it, and stays where the work fails.

    Raises:
        DataError: the archive is damaged, or holds what no release of speech does.
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
            fcntl.flock(lock, fcntl.LOCK_SH)  # between two locks, who was done with it may have removed it
        yield folder
        if lock_free(lock):
            shutil.rmtree(folder)


def unpack(archive: Path, folder: Path) -> None:
    """Copy the files of an archive into a folder; a file that is there with its full size is left.

    Raises:
        DataError: the archive is damaged, or holds what no release of speech does; the folder is removed.
    """
    most = GRANTED + GROWTH * archive.stat().st_size
    total = 0
    seen: set[Path] = set()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        for name, size, kind, content in (_zip if archive.name.lower().endswith(".zip") else _tar)(archive):
            path = _path(archive, folder, name, kind)
            total += MEMBER + size
            if total > most:
                raise _refused(archive, f"it holds more than {most / 1e6:,.0f} MB, {GROWTH} times its own size")
            if kind == "folder":
                path.mkdir(parents=True, exist_ok=True)
                continue
            if path in seen:
                raise _refused(archive, f"{name!r} is in it twice")
            seen.add(path)
            if not (path.is_file() and path.stat().st_size == size) and (written := _copy(content, path, size)) != size:
                raise EOFError(f"{name!r} has {written} bytes of {size}")
    except (FileExistsError, IsADirectoryError, NotADirectoryError) as error:
        shutil.rmtree(folder)
        raise _refused(archive, f"{Path(error.filename).name!r} is both a file and a folder in it") from None
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError, zlib.error, lzma.LZMAError, RuntimeError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk's, not the archive's
        shutil.rmtree(folder)
        why = str(error).partition("\n")[0]
        raise DataError(str(archive), f"damaged, or of a kind that is not read ({why})", f"a whole archive ({', '.join(ENDINGS)})",
                        "fetch it again, or unpack it and set ingest.CORPUS.source to the folder") from None
    except DataError:
        shutil.rmtree(folder)
        raise


def _refused(archive: Path, found: str) -> DataError:
    return DataError(str(archive), found, "files and folders only, once each and inside the archive",
                     "do not use this archive, or look into it and set ingest.CORPUS.source to a folder of what you trust")


def _path(archive: Path, folder: Path, name: str, kind: str) -> Path:
    """Return where a member belongs."""
    if kind not in ("file", "folder"):
        raise _refused(archive, f"{name!r} is a {kind}")
    if name.startswith("/") or ".." in name.split("/") or "\0" in name:
        raise _refused(archive, f"{name!r} lies outside of it")
    return folder.joinpath(*(part for part in name.split("/") if part not in ("", ".")))


def _copy(opened: Open, path: Path, size: int) -> int:
    """Copy a member's content, a byte more than `size` of it at the most; return the bytes written."""
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
            reader.members = []  # type: ignore[attr-defined]  # or it would remember every member
        for _ in range(GRANTED // CHUNK):  # to the end, where gzip and xz keep the sum that tells of damage
            if not reader.fileobj or not reader.fileobj.read(CHUNK):
                break


def _zip(archive: Path) -> Iterator[tuple[str, int, str, Open]]:
    with zipfile.ZipFile(archive) as reader:
        for member in reader.infolist():
            mode = stat.S_IFMT(member.external_attr >> 16)
            kind = "link" if mode == stat.S_IFLNK else "folder" if member.is_dir() else "file" if mode in (0, stat.S_IFREG) else "device"
            yield member.filename, member.file_size, kind, lambda member=member: reader.open(member)  # type: ignore[misc]
