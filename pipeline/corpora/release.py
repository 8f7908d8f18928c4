"""What readers of published releases share: finding the release, reading its tables, paths that stay inside it, its problems.

A *listed* reader is a module with `Params` and `utterances(params, source)`, which returns the whole release in its own
order; `Listed` makes it a reader. Mistakes in what the user wrote fail at once, all named; damage in a row of a release
that nobody here wrote is a reject of that row, counted in the stage's report.
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
"""A release's word, in lower case; all else is other."""
SPLITS: Final = {"": "", "train": "train", "dev": "dev", "valid": "dev", "validation": "dev", "test": "test"}
LOCALES: Final = {"portuguese": "pt", "spanish": "es"}
"""The locale of a release that names none: the language alone, so that `normalise.CORPUS.locale` decides."""
SHOWN: Final = 20  # problems told at once: enough to see a pattern


class Published(Release):
    """What a reader of a published release takes beside its own params."""

    locale: str = Field("", description="of utterances that name none; by default the language's, such as pt")
    licence: str = Field(min_length=1, description="of utterances that name none; SPDX where there is one")

    @property
    def default_locale(self) -> str:
        """The locale of an utterance that names none."""
        return self.locale or LOCALES.get(self.language, "")


@dataclass(frozen=True, slots=True)
class Packed:
    """Utterances and rejects in a sixth of the memory that they take as objects: what one shard is to hold."""

    content: bytes
    count: int

    @classmethod
    def of(cls, rows: Sequence[Utterance | Reject]) -> Packed:
        """Return the rows packed."""
        return cls(zlib.compress(pickle.dumps(rows, pickle.HIGHEST_PROTOCOL), 1), len(rows))

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Utterance | Reject]:
        return iter(pickle.loads(zlib.decompress(self.content)))


class Listing(Sequence[Utterance | Reject]):
    """A list of utterances and rejects that is packed as it grows, for releases of millions."""

    def __init__(self, per_part: int) -> None:
        self.parts: list[Packed] = []
        self.last: list[Utterance | Reject] = []
        self.hashes = array("q")  # of the ids
        self.per_part = per_part

    def __iadd__(self, rows: Iterable[Utterance | Reject]) -> Listing:
        for row in rows:
            self.last.append(row)
            self.hashes.append(hash(row.id))
            if len(self.last) == self.per_part:
                self.parts.append(Packed.of(self.last))
                self.last = []
        return self

    def __len__(self) -> int:
        return self.per_part * len(self.parts) + len(self.last)

    def __iter__(self) -> Iterator[Utterance | Reject]:
        for part in self.parts:
            yield from part
        yield from self.last

    def __getitem__(self, index: Any) -> Any:
        return list(self)[index]


@dataclass(frozen=True, slots=True)
class Listed:
    """A reader that lists the whole release first and cuts the list into shards."""

    Params: type[Release]
    utterances: Callable[[Any, Path], Sequence[Utterance | Reject]]

    def shards(self, params: Release, source: Path) -> Sequence[Packed]:
        """Return the release's utterances and rejects, in its order, cut into shards.

        Raises:
            MissingInputError: no source, or not the files that the reader needs.
            DataError: a table cannot be read, or what it says cannot be used; all problems, up to 20, are named.
        """
        found, step = self.utterances(params, source), params.utterances_per_shard
        if isinstance(found, Listing) and found.per_part == step:
            return [*found.parts, *([Packed.of(found.last)] if found.last else [])]
        return [Packed.of(found[start : start + step]) for start in range(0, len(found), step)]

    def read(self, params: Release, source: Path, task: Iterable[Utterance | Reject]) -> Iterator[Utterance | Reject]:
        """Yield the utterances and rejects of one shard."""
        yield from task

    def versions(self) -> dict[str, str]:
        """Return nothing: a list depends on no library."""
        return {}


def refuse(where: Path, problems: Sequence[str]) -> None:
    """Let pass what has no problems.

    Raises:
        DataError: it has; the first 20 are named and the rest counted.
    """
    if problems:
        more = f"\n  and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
        raise DataError(str(where), f"{len(problems)} problem{'s' * (len(problems) > 1)}\n  " + "\n  ".join(problems[:SHOWN]) + more)


def whole(root: Path, found: Sequence[Utterance | Reject], problems: Sequence[str], row: str, before: str = "") -> Sequence[Utterance | Reject]:
    """Return what a reader has found in a release, if it is something and has no problems.

    Args:
        row: what a row of the release is, for the message.
        before: what stands before an id that occurs more than once.

    Raises:
        DataError: there are problems, ids that occur more than once among them, or no rows.
    """
    refuse(root, [*problems, *(f"{before}{name} occurs more than once" for name in repeated_ids(found))])
    if not found:
        raise DataError(str(root), "no rows", f"a row for each {row}")
    return found


def repeated_ids(found: Sequence[Utterance | Reject]) -> list[str]:
    """Return the ids that occur more than once. Only those are remembered whose hash does: 8 bytes each for all the others."""
    twice = repeated(np.array(found.hashes if isinstance(found, Listing) else [hash(row.id) for row in found], np.int64))
    return [name for name, count in Counter(row.id for row in found if hash(row.id) in twice).items() if count > 1] if twice else []


def repeated(hashes: npt.NDArray[np.int64]) -> set[int]:
    """Return the numbers that occur more than once; sorts them in place."""
    hashes.sort()
    return set(hashes[1:][hashes[1:] == hashes[:-1]].tolist())


def inside(source: Path, path: str) -> str:
    """Return a path that a table names, relative to the source; "" if it is none inside it."""
    path = os.path.normpath(os.path.relpath(path, source.resolve()) if os.path.isabs(path) else path)
    return "" if path.split(os.sep)[0] == os.pardir or path == os.curdir else path


def root_of(source: Path, pattern: str, what: str, hint: str = "") -> Path:
    """Return the folder that holds what matches `pattern`: the source, or the only one up to three levels in it.

    Raises:
        MissingInputError: there is none.
        DataError: there are several.
    """
    for depth in range(4):
        folders = source.glob("/".join("*" * depth)) if depth else [source]
        held = sorted(path for path in folders if path.is_dir() and any(path.glob(pattern)))
        if len(held) > 1:
            raise DataError(str(source), f"{pattern} lies in {', '.join(str(path.relative_to(source)) for path in held[:SHOWN])}",
                            f"one {what}", "set ingest.CORPUS.source to one of them")
        if held:
            return held[0]
    raise MissingInputError(str(source), f"no {pattern}, nor in a folder within", what,
                            "set ingest.CORPUS.source to where the release was unpacked, or fetch the data (`dvc pull`)" + (hint and f"; {hint}"))


def read_text(path: Path, what: str, fallback: str = "") -> str:
    """Return a text file's content: UTF-8 with or without byte order mark, or else `fallback`, where one is given.

    Raises:
        MissingInputError: there is no such file.
        DataError: it is not UTF-8, and there is no fallback.
    """
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise MissingInputError(str(path), "no such file", what,
                                "set ingest.CORPUS.source and what lies in it, or fetch the data (`dvc pull`)") from None
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
        read_text(path, what)  # it tells which
        raise


def tab_cells(text: str | Iterator[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield number and cells of each line; a quote is a quote, and a line may end either way."""
    lines = text.split("\n") if isinstance(text, str) else text
    yield from ((number, line.removesuffix("\r").split("\t")) for number, line in enumerate(lines, 1))


def comma_cells(text: str, problems: list[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield last line and cells of each row, quoted as spreadsheets do; where quotes do not match is told in `problems`."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        yield from ((reader.line_num, cells) for cells in reader)
    except csv.Error as error:
        problems.append(f"line {reader.line_num}: {error}")


def named(rows: Iterator[tuple[int, list[str]]], problems: list[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield line number and cells by column name; rows of another length than the header are told in `problems`."""
    _, header = next(rows, (1, []))
    for line, cells in rows:
        if len(cells) == len(header):
            yield line, dict(zip(header, cells, strict=True))
        elif any(cells):
            problems.append(f"line {line}: {len(cells)} cells; expected {len(header)}, as in the header")


def malformed(table: str, line: int, detail: str) -> Reject:
    """Return the reject that a damaged row of a release stands for."""
    return Reject(f"{table}-line-{line}", table, "malformed row", f"line {line}: {detail}")


def number(text: str) -> float | None:
    """Return a finite number, or None where the text is none."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
