"""Code that readers of published releases share: find the release, read its tables, check its paths, report its problems.

A *listed* reader is a module with `Params` and `utterances(params, source)`, which returns the whole release in its own
order; `ListedReader` makes it a reader. Mistakes in a table that the user wrote fail at once, all reported; a damaged row of a release
that others published is a reject, counted in the stage's report.
"""

from __future__ import annotations

import csv
import io
import math
import os
import pickle
import zlib
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from pydantic import Field

from pipeline.core.errors import DataError, MissingInputError
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
        for row in rows:
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
        return [PackedRows.of(found[start : start + step]) for start in range(0, len(found), step)]

    def read(self, params: Release, source: Path, task: Iterable[Utterance | Reject]) -> Iterator[Utterance | Reject]:
        """Yield the utterances and rejects of one shard."""
        yield from task

    def versions(self) -> dict[str, str]:
        """Return nothing: a list depends on no library."""
        return {}


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
    """Return a table's path relative to the source, "" if it is outside of the source."""
    path = os.path.normpath(os.path.relpath(path, source.resolve()) if os.path.isabs(path) else path)
    return "" if path.split(os.sep)[0] == os.pardir or path == os.curdir else path


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
        held = sorted(path for path in folders if path.is_dir() and any(path.glob(pattern)))
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
    except (FileNotFoundError, NotADirectoryError):
        raise MissingInputError(str(path), "no such file", what,
                                "correct ingest.CORPUS.source or add the file, or fetch the data (`dvc pull`)") from None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if fallback:
            return content.decode(fallback)
        raise DataError(str(path), f"byte {error.start} is not UTF-8", "UTF-8", "convert the table") from None


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


def parse_number(text: str) -> float | None:
    """Return a finite number, None if the text is not one."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
