"""The plain manifest: a folder of recordings with a table of paths and transcripts.

The table is TSV (no quoting), CSV (spreadsheet quoting) or JSON lines, UTF-8 with or without byte order mark, lines ended
by LF or CRLF. It needs a path and a text; NeMo's and Common Voice's column names are recognised. Rows with
an offset and a duration, in seconds, are parts of a recording; a duration alone is the whole recording's, and is checked.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, Literal, get_args

from pydantic import Field

from pipeline.core.errors import DataError
from pipeline.corpora import Release, Utterance
from pipeline.corpora.release import (
    GENDERS,
    SPLITS,
    ListedReader,
    comma_cells,
    parse_number,
    path_inside,
    raise_problems,
    read_text,
    repeated_ids,
    rows_by_column,
    tab_cells,
)

Column = Literal["path", "text", "id", "speaker", "locale", "accent", "gender", "age", "licence", "split", "offset", "duration"]
ALIASES: Final[dict[str, tuple[str, ...]]] = {
    "path": ("audio_filepath", "file"),
    "text": ("transcript", "sentence"),
    "speaker": ("client_id",),
    "accent": ("accents",),
    "licence": ("license",),
}


class Params(Release):
    """`ingest.CORPUS` with `reader: manifest`."""

    reader: Literal["manifest"]
    table: str = Field("manifest.tsv", pattern=r"\.(tsv|csv|jsonl)$", description="within source; its ending is its format")
    columns: dict[Column, str] = Field({}, description="field: its column, where the name differs")
    where: dict[str, str] = Field({}, description="column: value; only rows with all of them are read")
    locale: str = Field("", description="of rows without one")
    licence: str = Field("", description="of rows without one; SPDX where it exists")


def utterances(params: Params, source: Path) -> list[Utterance]:
    """Return the utterances that the params select.

    Raises:
        MissingInputError: the source or its table is missing.
        DataError: the table cannot be read, or rows are wrong; lists up to 20 problems.
    """
    table = source / params.table
    text = read_text(table, "the table of a plain manifest")
    problems: list[str] = []
    rows = list(PARSERS[table.suffix](text, problems))
    if not rows and not problems:
        raise DataError(str(table), "no rows", "a row for each recording")
    columns = _columns(params, list(dict.fromkeys(name for _, row in rows for name in row)), problems)
    found = [] if problems else [
        _utterance(params, source, columns, line, row, problems)
        for line, row in rows if all(row.get(column) == value for column, value in params.where.items())
    ]
    problems += [f"id {name} occurs more than once; give the table a column of ids" for name in repeated_ids(found)]
    raise_problems(table, problems)
    if not found:
        raise DataError(str(table), f"none of {len(rows)} rows has {params.where}", "some that do", "see ingest.CORPUS.where")
    return found


def _columns(params: Params, header: Sequence[str], problems: list[str]) -> dict[str, str]:
    """Return the column of each field that the table has."""
    columns = {str(field): name for field, name in params.columns.items()}
    for field in get_args(Column):
        for name in (field, *ALIASES.get(field, ())):
            if name in header:
                columns.setdefault(field, name)
    wanted = [*params.columns.values(), *params.where]
    problems += [f"no column {name!r}; found {', '.join(header)}" for name in wanted if name not in header]
    problems += [f"no column for {field}; found {', '.join(header)}; name it in ingest.CORPUS.columns"
                 for field in ("path", "text") if field not in columns]
    return columns


def _utterance(params: Params, source: Path, columns: Mapping[str, str], line: int, row: Mapping[str, str],
               problems: list[str]) -> Utterance:
    """Return a row's utterance; errors of the row are added to `problems`."""
    value = {field: row.get(column, "").strip() for field, column in columns.items()}
    path = path_inside(source, value["path"])
    if not path:
        problems.append(f"line {line}: path {value['path']!r}; expected one inside {source}")
    split = value.get("split", "").lower()
    if split not in SPLITS:
        problems.append(f"line {line}: split {split!r}; expected one of {', '.join(filter(None, SPLITS))}")
    locale = value.get("locale") or params.locale
    licence = value.get("licence") or params.licence
    problems += [f"line {line}: no {name}; give the table a column, or set ingest.CORPUS.{name}"
                 for name, given in (("locale", locale), ("licence", licence)) if not given]
    offset_s, duration_s = (parse_number(value.get(name) or "0") for name in ("offset", "duration"))
    if offset_s is None or duration_s is None or offset_s < 0 or duration_s < 0 or (offset_s and not duration_s):
        problems.append(f"line {line}: offset {value.get('offset', '')!r}, duration {value.get('duration', '')!r}; expected seconds, both for a part")
        offset_s = duration_s = 0.0
    gender = value.get("gender", "").lower()
    return Utterance(
        id=value.get("id") or os.path.splitext(path)[0] + (f"-{offset_s:.3f}" if offset_s else ""), source=path, audio=source / path,
        transcript=row.get(columns["text"], ""), locale=locale, licence=licence, speaker=value.get("speaker", ""),
        accent=value.get("accent", ""), gender=GENDERS.get(gender, "other"), age=value.get("age", ""),
        release_split=SPLITS.get(split, ""), start_s=offset_s, duration_s=duration_s or None,
        end_s=offset_s + duration_s if value.get("offset") and duration_s else math.inf,
    )


def _tsv(text: str, problems: list[str]) -> Iterator[tuple[int, dict[str, str]]]:
    yield from rows_by_column(tab_cells(text), problems)


def _csv(text: str, problems: list[str]) -> Iterator[tuple[int, dict[str, str]]]:
    yield from rows_by_column(comma_cells(text, problems), problems)


def _jsonl(text: str, problems: list[str]) -> Iterator[tuple[int, dict[str, str]]]:
    for line, encoded in enumerate(text.split("\n"), 1):
        if not encoded.strip():
            continue
        try:
            row = json.loads(encoded)
        except json.JSONDecodeError as error:
            problems.append(f"line {line}: not JSON ({error})")
            continue
        if not isinstance(row, dict):
            problems.append(f"line {line}: {type(row).__name__}; expected an object")
        else:
            yield line, {name: "" if value is None else str(value) for name, value in row.items()}


PARSERS: Final = {".tsv": _tsv, ".csv": _csv, ".jsonl": _jsonl}
READER: Final = ListedReader(Params, utterances)
