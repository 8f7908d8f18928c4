"""Code that readers of published releases share: find the release, read its tables, check its paths, report its problems.

A *listed* reader is a module with `Params` and `utterances(params, source)`, which returns the whole release in its own
order; `ListedReader` makes it a reader. Mistakes in a table that the user wrote fail at once, all reported; a damaged row of a release
that others published is a reject, counted in the stage's report.
"""

from __future__ import annotations

import csv
import gzip
import io
import math
import os
import pickle
import re
import unicodedata
import zlib
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from pathlib import Path, PurePath
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from pydantic import Field

from pipeline.audio.codecs import is_recording, recording_paths
from pipeline.core.errors import DataError, MissingInputError
from pipeline.core.progress import log
from pipeline.corpora import Reject, Release, Utterance

GENDERS: Final = {
    "f": "female", "female": "female", "female_feminine": "female", "feminino": "female",
    "m": "male", "male": "male", "male_masculine": "male", "masculino": "male",
    "": "", "unknown": "", "desconhecido": "", "do_not_wish_to_say": "",
}
"""Gender by a release's value in lower case; any other value is "other"."""
SPLITS: Final = {"": "", "train": "train", "dev": "dev", "valid": "dev", "validation": "dev", "test": "test"}
LOCALES: Final = {"portuguese": "pt", "spanish": "es"}
"""The locale of a release without one: the language alone, so that `normalise.CORPUS.locale` decides."""
NOT_MEASURED: Final = ("", "nan", "n/a", "na", "none", "null", "<na>", "-")
"""What tables have in the place of a number that they lack, in lower case."""
MISSING: Final = ("-1", "-100", "None", "none", "null", "NULL", "nan", "NaN", "N/A", "n/a", "<NA>")
"""What tables have in the place of a label that they lack: -1 and -100 are those of `datasets` and `transformers`."""
MAX_SHOWN: Final = 20  # problems reported at once: enough to see a pattern


class PublishedRelease(Release):
    """The params of every published release, beside those of `Release`."""

    locale: str = Field("", description="of utterances without one; by default the language's, such as pt")
    licence: str = Field(min_length=1, description="of utterances without one; SPDX where it exists")

    @property
    def default_locale(self) -> str:
        """The locale of an utterance without one."""
        return self.locale or LOCALES.get(self.language, "")


@dataclass(frozen=True, slots=True)
class PackedRows:
    """Utterances and rejects of one shard, in a sixth of the memory that they take as objects."""

    content: bytes
    count: int

    @classmethod
    def of(cls, rows: Sequence[Utterance | Reject]) -> PackedRows:
        """Return the rows packed."""
        return cls(zlib.compress(pickle.dumps(rows, pickle.HIGHEST_PROTOCOL), 1), len(rows))

    def __len__(self) -> int:
        """Return the number of rows."""
        return self.count

    def __iter__(self) -> Iterator[Utterance | Reject]:
        """Return an iterator over the rows, unpacked."""
        return iter(pickle.loads(zlib.decompress(self.content)))


class Listing(Sequence[Utterance | Reject]):
    """A list of utterances and rejects that is packed as it grows, for releases of millions."""

    def __init__(self, per_part: int) -> None:
        """Start an empty list.

        Args:
            per_part: rows that are packed together.
        """
        self.parts: list[PackedRows] = []
        self.last: list[Utterance | Reject] = []
        self.hashes = array("q")  # of the ids
        self.per_part = per_part

    def __iadd__(self, rows: Iterable[Utterance | Reject]) -> Listing:
        """Append rows."""
        for row in map(storable, rows):
            self.last.append(row)
            self.hashes.append(hash(row.id))
            if len(self.last) == self.per_part:
                self.parts.append(PackedRows.of(self.last))
                self.last = []
        return self

    def __len__(self) -> int:
        """Return the number of rows."""
        return self.per_part * len(self.parts) + len(self.last)

    def __iter__(self) -> Iterator[Utterance | Reject]:
        """Yield the rows in order."""
        for part in self.parts:
            yield from part
        yield from self.last

    def __getitem__(self, index: Any) -> Any:
        """Return a row or a slice; unpacks the whole list."""
        return list(self)[index]


@dataclass(frozen=True, slots=True)
class ListedReader:
    """A reader that lists the whole release first and cuts the list into shards."""

    Params: type[Release]
    utterances: Callable[[Any, Path], Sequence[Utterance | Reject]]

    def shards(self, params: Release, source: Path) -> Sequence[PackedRows]:
        """Return the release's utterances and rejects, in its order, cut into shards.

        Raises:
            MissingInputError: no source, or not the files that the reader needs.
            DataError: a table cannot be read, or its values cannot be used; lists up to 20 problems.
        """
        found, step = self.utterances(params, source), params.utterances_per_shard
        if isinstance(found, Listing) and found.per_part == step:
            return [*found.parts, *([PackedRows.of(found.last)] if found.last else [])]
        return [PackedRows.of([storable(row) for row in found[start : start + step]]) for start in range(0, len(found), step)]

    def read(self, params: Release, source: Path, task: Iterable[Utterance | Reject]) -> Iterator[Utterance | Reject]:
        """Yield the utterances and rejects of one shard."""
        yield from task

    def versions(self) -> dict[str, str]:
        """Return nothing: a list depends on no library."""
        return {}


def storable(row: Utterance | Reject) -> Utterance | Reject:
    r"""Return a row whose text is Unicode: a reject if its transcript, or the path of its audio, is not.

    Bytes of other texts that are not UTF-8, such as those of a file's name, become escapes: « fala\xe7a.wav ». A duration that is
    not positive was not measured.
    """
    if isinstance(row, Utterance) and row.duration_s is not None and not 0 < row.duration_s < math.inf:
        row = replace(row, duration_s=None)
    names = REJECT_TEXTS if isinstance(row, Reject) else UTTERANCE_TEXTS
    try:
        "".join([getattr(row, name) for name in names]).encode()
    except UnicodeEncodeError:
        pass
    else:
        return row
    texts = {name: shown(getattr(row, name)) for name in names}
    if isinstance(row, Reject):
        return replace(row, **texts)
    if not is_unicode(row.transcript):
        return Reject(texts["id"], texts["source"], "not UTF-8", f"transcript {texts['transcript']!r}")
    if isinstance(row.audio, Path):
        try:
            os.fsencode(row.audio)
        except UnicodeEncodeError:
            return Reject(texts["id"], texts["source"], "not UTF-8", "its path")
    return replace(row, **texts)  # type: ignore[arg-type]


REJECT_TEXTS: Final = ("id", "source", "reason", "detail")
UTTERANCE_TEXTS: Final = ("id", "source", "transcript", "locale", "licence", "speaker", "accent", "gender", "age", "release_split")


def is_unicode(text: str) -> bool:
    """Return whether a text has no surrogates, or only those that stand for the bytes of UTF-8 (PEP 383)."""
    try:
        text.encode("utf-8", "surrogateescape").decode()
    except UnicodeError:
        return False
    return True


def shown(text: str) -> str:
    r"""Return a text with escapes for what is not Unicode: byte E7 → « \xe7 », a lone surrogate of JSON → « \ud800 »."""
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode()


def raise_problems(where: Path, problems: Sequence[str]) -> None:
    """Raise an error if there are problems.

    Raises:
        DataError: there are; lists the first 20 and counts the rest.
    """
    if problems:
        more = f"\n  and {len(problems) - MAX_SHOWN} more" if len(problems) > MAX_SHOWN else ""
        raise DataError(str(where), f"{len(problems)} problem{'s' * (len(problems) > 1)}\n  " + "\n  ".join(problems[:MAX_SHOWN]) + more)


def checked(root: Path, found: Sequence[Utterance | Reject], problems: Sequence[str], row: str, before: str = "") -> Sequence[Utterance | Reject]:
    """Return the rows that a reader has found in a release, if there are any and no problems.

    Args:
        root: the release, for the message.
        found: its rows.
        problems: found so far.
        row: what a row of the release is, for the message.
        before: text before an id that occurs more than once.

    Raises:
        DataError: there are problems, ids that occur more than once among them, or no rows.
    """
    raise_problems(root, [*problems, *(f"{before}{name} occurs more than once" for name in repeated_ids(found))])
    if not found:
        raise DataError(str(root), "no rows", f"a row for each {row}")
    return found


def repeated_ids(found: Sequence[Utterance | Reject]) -> list[str]:
    """Return the ids that occur more than once. Takes 8 bytes per id, and the id itself only where its hash repeats."""
    twice = repeated_values(np.array(found.hashes if isinstance(found, Listing) else [hash(row.id) for row in found], np.int64))
    return [name for name, count in Counter(row.id for row in found if hash(row.id) in twice).items() if count > 1] if twice else []


def repeated_values(hashes: npt.NDArray[np.int64]) -> set[int]:
    """Return the numbers that occur more than once; sorts the array in place."""
    hashes.sort()
    return set(hashes[1:][hashes[1:] == hashes[:-1]].tolist())


def path_inside(source: Path, path: str) -> str:
    """Return a table's path relative to the source, "" if it is outside of the source or no path."""
    if "\0" in path:
        return ""
    path = os.path.normpath(os.path.relpath(path, source.resolve()) if os.path.isabs(path) else path)
    return "" if path.split(os.sep)[0] == os.pardir or path == os.curdir else path


def same_name(name: str) -> str:
    """Return what is the same for names that differ in case, or in how accents are encoded (macOS separates them from their letter)."""
    return unicodedata.normalize("NFC", name).casefold()


def any_case(pattern: str) -> str:
    """Return a glob pattern for names in lower or upper case: « t*.tsv » → « [tT]*.[tT][sS][vV] »."""
    return "".join(f"[{letter.lower()}{letter.upper()}]" if letter.isalpha() else letter for letter in pattern)


def existing(folder: Path, name: str) -> Path:
    """Return the path of a file or folder in a folder, in whatever case its names are written; as given if there is none."""
    if (folder / name).exists():
        return folder / name
    for part in PurePath(name).parts:
        if not (folder / part).exists() and folder.is_dir():
            part = next((found for found in sorted(os.listdir(folder)) if same_name(found) == same_name(part)), part)
        folder /= part
    return folder


class Recordings:
    """The recordings of a release, and which of them its tables name. Takes 17 bytes for each: hashes instead of paths."""

    def __init__(self, source: Path, more: Iterable[str] = ()) -> None:
        """Find the recordings.

        Args:
            source: folder that is searched in depth.
            more: endings of recordings, beside those of `codecs.SUFFIXES`.
        """
        self.source, self.more = source, tuple(more)
        exact, loose = array("q"), array("q")
        for path in recording_paths(source, self.more):
            exact.append(hash(path))
            loose.append(hash(self._key(path)))
        self.exact, self.loose = np.sort(np.array(exact, np.int64)), np.sort(np.array(loose, np.int64))
        self.named = np.zeros(len(exact), bool)

    def find(self, path: str, any_ending: bool = True) -> str:
        """Return the path of the recording that a table names, and mark it as named; the table's path if there is none.

        Case and the encoding of accents may differ.

        Args:
            path: relative to the source.
            any_ending: whether the ending may differ.
        """
        if not self._mark(path) and _index(self.loose, hash(self._key(path))) is not None:
            ending = os.path.splitext(path)[1].lower()
            found = sorted(self._by_key.get(self._key(path), ()), key=lambda name: os.path.splitext(name)[1].lower() != ending)
            if found and (any_ending or os.path.splitext(found[0])[1].lower() == ending):
                self._mark(found[0])
                return found[0]
        return path

    def mark(self, paths: Iterable[str]) -> None:
        """Mark recordings as named, as `find` does; a tenth as long for many at once."""
        iterator = iter(paths)
        while len(self.exact) and (part := list(islice(iterator, 10_000))):
            hashes = np.array(list(map(hash, part)), np.int64)
            at = np.minimum(np.searchsorted(self.exact, hashes), len(self.exact) - 1)
            known = self.exact[at] == hashes
            self.named[at[known]] = True
            for path in (path for path, found in zip(part, known, strict=True) if not found):
                self.find(path)

    def unnamed(self, around: Path | None = None) -> Iterator[Reject]:
        """Yield a reject for each recording that is not marked as named.

        Args:
            around: folder that the release was searched in; recordings beside the release are rejects as well.
        """
        if around is not None and around.resolve() != self.source.resolve():
            inside = f"{os.path.relpath(self.source, around)}{os.sep}"
            yield from (Reject(path, path, "unlisted", "it is outside of the release")
                        for path in recording_paths(around, self.more) if not path.startswith(inside))
        if not self.named.all():
            for path in recording_paths(self.source, self.more):
                at = _index(self.exact, hash(path))
                if at is not None and not self.named[at]:
                    yield Reject(path, path, "unlisted", "no table of the release names it")

    def log_unnamed(self, source: str, table: str) -> None:
        """Print how many recordings are not marked as named, if there are any: a corpus may be several tables of one folder."""
        if count := int((~self.named).sum()):
            log(f"ingest: {count} of {len(self.named)} recordings in {source} are in no row that is read of {table}")

    def _mark(self, path: str) -> bool:
        at = _index(self.exact, hash(path))
        if at is not None:
            self.named[at] = True
        return at is not None

    def _key(self, path: str) -> str:
        stem, ending = os.path.splitext(path)
        return same_name(stem if is_recording(path, self.more) else stem + ending)

    @cached_property
    def _by_key(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for path in recording_paths(self.source, self.more):
            found.setdefault(self._key(path), []).append(path)
        return found


def _index(numbers: npt.NDArray[np.int64], number: int) -> int | None:
    """Return where a number is in a sorted array, None if it is not in it."""
    at = int(np.searchsorted(numbers, number))
    return at if at < len(numbers) and numbers[at] == number else None


def find_root(source: Path, pattern: str, what: str, hint: str = "") -> Path:
    """Return the folder with files that match `pattern`: the source, or the only such folder up to three levels below.

    Args:
        source: folder to search.
        pattern: glob pattern of the release's tables.
        what: name of the release, for the message.
        hint: further action, for the message.

    Raises:
        MissingInputError: no folder matches.
        DataError: several match.
    """
    for depth in range(4):
        folders = source.glob("/".join("*" * depth)) if depth else [source]
        held = sorted(path for path in folders if path.is_dir() and (any(path.glob(pattern)) or any(path.glob(any_case(pattern)))))
        if len(held) > 1:
            raise DataError(str(source), f"{pattern} is in {', '.join(str(path.relative_to(source)) for path in held[:MAX_SHOWN])}",
                            f"one {what}", "set ingest.CORPUS.source to one of them")
        if held:
            return held[0]
    raise MissingInputError(str(source), f"no {pattern} here or in a folder below", what,
                            "set ingest.CORPUS.source to where the release was unpacked, or fetch the data (`dvc pull`)" + (hint and f"; {hint}"))


def read_text(path: Path, what: str, fallback: str = "") -> str:
    """Return a text file's content: UTF-8 with or without byte order mark, otherwise in the encoding `fallback` if given.

    Args:
        path: the file.
        what: what it is, for the message.
        fallback: encoding of files that are not UTF-8, "" for none.

    Raises:
        MissingInputError: the file is missing.
        DataError: it is not UTF-8, and there is no fallback.
    """
    try:
        content = path.read_bytes()
        if path.suffix.lower() == ".gz":
            content = gzip.decompress(content)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(str(path), f"damaged ({error})", "a complete gzip file", "fetch it again") from None
    except (FileNotFoundError, NotADirectoryError):
        raise MissingInputError(str(path), "no such file", what,
                                "correct ingest.CORPUS.source or add the file, or fetch the data (`dvc pull`)") from None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if fallback:
            return content.decode(fallback)
        raise DataError(str(path), f"byte {error.start} is not UTF-8", "UTF-8", "convert the table") from None


def lines_of(text: str) -> list[str]:
    """Return a text's lines: CR and LF end one, and nothing else (U+0085 is an ellipsis in Windows texts read as Latin-1)."""
    return re.split(r"\r\n|\r|\n", text)


def read_lines(path: Path, what: str) -> Iterator[str]:
    """Yield a text file's lines without their ends, one at a time: a release's table may be larger than its list.

    Raises:
        MissingInputError, DataError: as `read_text`.
    """
    try:
        with open(path, encoding="utf-8-sig", newline="\n") as lines:
            for line in lines:
                yield line.removesuffix("\n")
    except (FileNotFoundError, NotADirectoryError, UnicodeDecodeError):
        read_text(path, what)  # raises the right error
        raise


def tab_cells(text: str | Iterator[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield number and cells of each line; quotes have no meaning, and lines end in LF or CRLF."""
    lines = text.split("\n") if isinstance(text, str) else text
    yield from ((number, line.removesuffix("\r").split("\t")) for number, line in enumerate(lines, 1))


def comma_cells(text: str, problems: list[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield last line and cells of each row, quoted as spreadsheets do; unmatched quotes are added to `problems`."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        yield from ((reader.line_num, cells) for cells in reader)
    except csv.Error as error:
        problems.append(f"line {reader.line_num}: {error}")


def rows_by_column(rows: Iterator[tuple[int, list[str]]], problems: list[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield line number and cells by column name; rows longer or shorter than the header are added to `problems`."""
    _, header = next(rows, (1, []))
    for line, cells in rows:
        if len(cells) == len(header):
            yield line, dict(zip(header, cells, strict=True))
        elif any(cells):
            problems.append(f"line {line}: {len(cells)} cells; expected {len(header)}, as in the header")


def malformed_row(table: str, line: int, detail: str) -> Reject:
    """Return the reject for a damaged row of a release."""
    return Reject(f"{table}-line-{line}", table, "malformed row", f"line {line}: {detail}")


def measured(text: str) -> float | None:
    """Return a positive number, None for what stands for a missing one in tables: « 0 », « -1 », « NaN », « N/A », nothing.

    Raises:
        ValueError: the text is neither.
    """
    if text.strip().lower() in NOT_MEASURED:
        return None
    value = float(text)
    return value if 0 < value < math.inf else None


def parse_number(text: str) -> float | None:
    """Return a finite number, None if the text is not one."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
