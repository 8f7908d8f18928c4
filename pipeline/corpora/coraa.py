"""CORAA ASR v1: spontaneous and prepared Portuguese speech, transcribed or validated by listeners.

    metadata_{train,dev,test}_final.csv     comma-separated, quoted; at least one of the three
    {train,dev,test}/...                    the recordings, at `file_path`

The release has no speakers, so `split` can only keep the official sets apart. Listeners voted for and against an utterance and its
transcript; rows that were only transcribed may have no votes, and are kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, Literal

from pydantic import Field

from pipeline.corpora import Reject, Utterance
from pipeline.corpora.release import (
    ListedReader,
    PublishedRelease,
    Recordings,
    checked,
    comma_cells,
    existing,
    find_root,
    malformed_row,
    parse_number,
    path_inside,
    read_text,
)

SETS: Final = ("train", "dev", "test")
NEEDED: Final = ("file_path", "text", "variety")
VARIETIES: Final = {"pt_br": "pt-BR", "pt_pt": "pt-PT"}


class Params(PublishedRelease):
    """`ingest.CORPUS` with `reader: coraa`."""

    reader: Literal["coraa"]
    licence: str = Field("CC-BY-NC-ND-4.0", min_length=1, description="of all of it")
    min_up_votes: int = Field(0, ge=0, description="up votes at least; fewer is a reject, which counts towards max_reject_share")
    max_down_votes: int | None = Field(None, ge=0, description="down votes at most; more is a reject as well; by default any number")


def utterances(params: Params, source: Path) -> Sequence[Utterance | Reject]:
    """Return the utterances of the sets that exist.

    Raises:
        MissingInputError: the release is missing.
        DataError: a table lacks a column, has unmatched quotes, or has a path twice or outside the release.
    """
    root = find_root(source, "metadata_*_final.csv", "CORAA release")
    problems: list[str] = []
    recordings = Recordings(root)
    sets = [name for name in SETS if existing(root, f"metadata_{name}_final.csv").is_file()]
    found = [row for name in sets for row in _rows(params, root, name, recordings, problems)]
    found += recordings.unnamed(source)
    return checked(root, found, problems, "utterance")


def _rows(params: Params, root: Path, name: str, recordings: Recordings, problems: list[str]) -> Iterator[Utterance | Reject]:
    table = f"metadata_{name}_final.csv"
    broken: list[str] = []
    rows = comma_cells(read_text(existing(root, table), "metadata of CORAA"), broken)
    _, header = next(rows, (1, []))
    if missing := [column for column in NEEDED if column not in header]:
        problems.append(f"{table}: no column {', '.join(missing)}; found {', '.join(header)}")
        return
    for line, cells in rows:
        if not any(cells):
            continue
        if len(cells) != len(header):
            yield malformed_row(table, line, f"{len(cells)} cells; expected {len(header)}")
            continue
        row = dict(zip(header, cells, strict=True))
        path = path_inside(root, row["file_path"])
        if not path:
            problems.append(f"{table}, line {line}: path {row['file_path']!r}; expected one inside the release")
        identity, path = path.rpartition(".")[0] or path, recordings.find(path)
        if against := outvoted(params, row):
            yield Reject(identity, path, "outvoted", against)
            continue
        yield Utterance(
            id=identity, source=path, audio=root / path, transcript=row["text"],
            locale=VARIETIES.get(row["variety"].lower(), params.default_locale), licence=params.licence,
            accent=row.get("accent", ""), release_split=name,
        )
    problems += [f"{table}, {problem}" for problem in broken]


def outvoted(params: Params, row: Mapping[str, str]) -> str:
    """Return the votes that reject a row, "" for a row that is kept. A row without votes is kept."""
    up, down = (parse_number(row.get(column, "")) for column in ("up_votes", "down_votes"))
    few, many = up is not None and up < params.min_up_votes, down is not None and params.max_down_votes is not None and down > params.max_down_votes
    return f"{up or 0:g} for it, {down or 0:g} against" if few or many else ""


READER: Final = ListedReader(Params, utterances)
