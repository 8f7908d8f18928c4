"""The plain manifest: a folder of recordings with a table of paths and transcripts.

The table is TSV (no quoting), CSV (spreadsheet quoting) or JSON, UTF-8 with or without byte order mark, lines ended by LF or CRLF;
`.gz` after the ending is unpacked. It needs a path and a text; NeMo's and Common Voice's column names are recognised. Rows with
an offset and a duration, in seconds, are parts of a recording; a duration alone is the whole recording's, and is checked.

manifest.tsv, .csv                     with a header
manifest.json, .jsonl, .ndjson         an object per line, as NeMo writes them; `.json` may also hold a list of objects
NAME_cuts_SET.jsonl.gz, NAME_supervisions_SET.jsonl.gz     Lhotse's (`lhotse`)
wav.scp                                a data directory of Kaldi (`kaldi`)
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal, get_args

from pydantic import Field

from pipeline.core.errors import DataError
from pipeline.corpora import Reject, Release, Utterance, kaldi, lhotse
from pipeline.corpora.release import (
    GENDERS,
    MISSING,
    NOT_MEASURED,
    SPLITS,
    ListedReader,
    Recordings,
    comma_cells,
    existing,
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
    "path": ("audio_filepath", "audio_filename", "file", "file_name", "audio"),
    "text": ("transcript", "transcription", "sentence", "normalized_text"),
    "speaker": ("client_id", "speaker_id"),
    "accent": ("accents",),
    "licence": ("license",),
    "duration": ("duration_s", "duration_ms", "duration[ms]"),
}
MILLISECONDS: Final = ("_ms", "[ms]")  # ends of a column's name
LABELS: Final = ("speaker", "locale", "accent", "gender", "age", "licence", "split")


class Params(Release):
    """`ingest.CORPUS` with `reader: manifest`."""

    reader: Literal["manifest"]
    table: str = Field("manifest.tsv", pattern=r"(?i)(\.(tsv|csv|jsonl?|ndjson)(\.gz)?|(^|/)wav\.scp)$",
                       description="within source; its ending is its format")
    columns: dict[Column, str] = Field({}, description="field: its column, where the name differs")
    where: dict[str, str] = Field({}, description="column: value; only rows with all of them are read")
    locale: str = Field("", description="of rows without one")
    licence: str = Field("", description="of rows without one; SPDX where it exists")


def utterances(params: Params, source: Path) -> list[Utterance | Reject]:
    """Return the utterances that the params select, and a reject for each row whose audio is of an unsupported kind.

    Recordings that no row names are counted in the log: other tables may name them.

    Raises:
        MissingInputError: the source or its table is missing.
        DataError: the table cannot be read, or rows are wrong; lists up to 20 problems.
    """
    table = existing(source, params.table)
    problems: list[str] = []
    rows = list(read_rows(table, problems))
    if not rows and not problems:
        raise DataError(str(table), "no rows", "a row for each recording")
    header = list(dict.fromkeys(name for _, row in rows if isinstance(row, dict) for name in row))
    columns = _columns(params, header, problems) if header or not rows else {}
    recordings = Recordings(source, params.headerless.endings if params.headerless else ())
    found = [] if problems else [
        row if isinstance(row, Reject) else _utterance(params, source, columns, recordings, line, row, problems)
        for line, row in rows if isinstance(row, Reject) or all(row.get(column) == value for column, value in params.where.items())
    ]
    problems += [f"id {name} occurs more than once; give the table a column of ids" for name in repeated_ids(found)]
    raise_problems(table, problems)
    if not found:
        raise DataError(str(table), f"none of {len(rows)} rows has {params.where}", "some that do", "see ingest.CORPUS.where")
    recordings.log_unnamed(params.source, params.table)
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


def _utterance(params: Params, source: Path, columns: Mapping[str, str], recordings: Recordings, line: int, row: Mapping[str, str],
               problems: list[str]) -> Utterance:
    """Return a row's utterance; errors of the row are added to `problems`."""
    value = {field: row.get(column, "").strip() for field, column in columns.items()}
    value |= {field: "" for field in LABELS if value.get(field) in MISSING}
    path = path_inside(source, value["path"])
    if not path:
        problems.append(f"line {line}: path {value['path']!r}; expected one inside {source}")
    elif row.get("shard_id"):
        problems.append(f"line {line}: a row of NeMo's tar archives; expected a path: unpack them, and remove shard_id")
    identity = os.path.splitext(path)[0]
    path = _find(recordings, path, os.path.dirname(params.table))
    split = value.get("split", "").lower()
    if split not in SPLITS:
        problems.append(f"line {line}: split {split!r}; expected one of {', '.join(filter(None, SPLITS))}")
    locale = value.get("locale") or params.locale
    licence = value.get("licence") or params.licence
    problems += [f"line {line}: no {name}; give the table a column, or set ingest.CORPUS.{name}"
                 for name, given in (("locale", locale), ("licence", licence)) if not given]
    offset_s, duration_s = (0.0 if value.get(name, "").lower() in NOT_MEASURED else parse_number(value[name]) for name in ("offset", "duration"))
    if offset_s is None or duration_s is None or offset_s < 0 or (offset_s and not value.get("duration")):
        problems.append(f"line {line}: offset {value.get('offset', '')!r}, duration {value.get('duration', '')!r}; expected seconds, both for a part")
        offset_s = duration_s = 0.0
    duration_s = max(0.0, duration_s) / (1_000 if columns.get("duration", "").endswith(MILLISECONDS) else 1)
    gender = value.get("gender", "").lower()
    return Utterance(
        id=value.get("id") or identity + (f"-{offset_s:.3f}" if offset_s else ""), source=path, audio=source / path,
        transcript=row.get(columns["text"], ""), locale=locale, licence=licence, speaker=value.get("speaker", ""),
        accent=value.get("accent", ""), gender=GENDERS.get(gender, "other"), age=value.get("age", ""),
        release_split=SPLITS.get(split, ""), start_s=offset_s, duration_s=duration_s or None,
        end_s=offset_s + duration_s if value.get("offset") and duration_s else math.inf,
    )


def _find(recordings: Recordings, path: str, folder: str) -> str:
    """Return a recording's path; one that is not in the source may be relative to the folder of the table, as NeMo's are."""
    found = recordings.find(path, any_ending=False)
    if folder and not (recordings.source / found).exists():
        beside = recordings.find(os.path.normpath(os.path.join(folder, path)), any_ending=False)
        return beside if (recordings.source / beside).exists() else found
    return found


def read_rows(table: Path, problems: list[str]) -> Iterator[tuple[int, dict[str, str] | Reject]]:
    """Yield line and cells of each row of a table, or a reject; errors of the table are added to `problems`.

    Raises:
        MissingInputError: the table, or one that belongs to it, is missing.
        DataError: it is not UTF-8.
    """
    ending = Path(table.name.lower().removesuffix(".gz")).suffix
    if ending == ".scp":
        yield from kaldi.rows_of(table, problems)
    elif ending in (".tsv", ".csv"):
        text = read_text(table, WHAT)
        yield from rows_by_column(tab_cells(text) if ending == ".tsv" else comma_cells(text, problems), problems)
    else:
        objects = list(_objects(table, problems))
        if objects and lhotse.is_lhotse(objects[0][1]):
            yield from lhotse.rows_of(table, objects, lambda beside: _objects(beside, problems))
        else:
            yield from ((line, {name: "" if value is None else str(value) for name, value in row.items()}) for line, row in objects)


def _objects(table: Path, problems: list[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield line and value of each object of JSON lines, or number and value of each in a list."""
    text = read_text(table, WHAT)
    values: Iterator[tuple[int, str | Any]] = enumerate(text.split("\n"), 1)
    if ".json" in Path(table.name.lower()).suffixes and text.lstrip().startswith("["):
        try:
            values = enumerate(json.loads(text), 1)
        except (ValueError, RecursionError) as error:
            problems.append(f"not JSON ({error})")
            return
    for line, row in values:
        if isinstance(row, str):
            if not row.strip():
                continue
            try:
                row = json.loads(row)
            except (ValueError, RecursionError) as error:
                problems.append(f"line {line}: not JSON ({error})")
                continue
        if not isinstance(row, dict):
            problems.append(f"line {line}: {type(row).__name__}; expected an object")
        else:
            yield line, row


WHAT: Final = "the table of a plain manifest"
READER: Final = ListedReader(Params, utterances)
