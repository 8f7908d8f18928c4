"""Multilingual LibriSpeech: audiobooks read by volunteers, cut by alignment; transcripts without case and punctuation.

metainfo.txt                                      speaker | gender | partition | minutes | book | title | chapter
{train,dev,test}/transcripts.txt                  id, tab, text; no header
{train,dev,test}/segments.txt                     id, tab, recording, tab, start, tab, end; no header
{train,dev,test}/audio/SPEAKER/BOOK/ID.flac       or .opus, or what they were converted to
train/limited_supervision/{1hr,9hr}/.../handles.txt     ids, one per line, of official subsets of 1 and 9 hours
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Literal

from pydantic import Field

from pipeline.core.errors import MissingInputError
from pipeline.corpora import Reject, Utterance
from pipeline.corpora.release import (
    GENDERS,
    ListedReader,
    PublishedRelease,
    Recordings,
    checked,
    existing,
    find_root,
    malformed_row,
    parse_number,
    read_text,
    tab_cells,
)

SETS: Final = ("train", "dev", "test")
LISTS: Final = {"1h": ("1hr",), "9h": ("9hr",), "10h": ("1hr", "9hr")}


class Params(PublishedRelease):
    """`ingest.CORPUS` with `reader: mls`."""

    reader: Literal["mls"]
    licence: str = Field("CC-BY-4.0", min_length=1, description="of all of it")
    limited: Literal["1h", "9h", "10h"] | None = Field(None, description="the release's own list of 1, 9 or 10 hours instead of all of train")


def utterances(params: Params, source: Path) -> Sequence[Utterance | Reject]:
    """Return the segments of the three sets.

    Raises:
        MissingInputError: the release, a table of a set or a selected list is missing.
        DataError: an id occurs twice, or is on a list and not in the transcripts.
    """
    root = find_root(source, "*/transcripts.txt", "MLS release")
    genders, recordings = genders_of(root), Recordings(root)
    sets = [name for name in SETS if existing(root, name).is_dir()]
    found = [row for name in sets for row in _rows(params, root, name, genders, recordings)]
    found += recordings.unnamed(source)
    if params.limited is None:
        return checked(root, found, [], "segment", "id ")
    wanted = handles(root, LISTS[params.limited])
    lacking = sorted(wanted - {row.id for row in found if isinstance(row, Utterance) and row.release_split == "train"})
    kept = [row for row in found if isinstance(row, Reject) or row.release_split != "train" or row.id in wanted]
    problems = [f"id {name} is on a list of limited_supervision, and not in train/transcripts.txt" for name in lacking]
    return checked(root, kept, problems, "segment", "id ")


def _rows(params: Params, root: Path, name: str, genders: dict[str, str], recordings: Recordings) -> Iterator[Utterance | Reject]:
    table = f"{name}/transcripts.txt"
    lengths_s = durations(existing(root, f"{name}/segments.txt"))
    for line, cells in tab_cells(read_text(existing(root, table), "transcripts of MLS")):
        parts = cells[0].split("_")
        if not any(cells):
            continue
        if len(cells) != 2 or len(parts) != 3 or not all(part.isalnum() for part in parts):
            yield malformed_row(table, line, "expected SPEAKER_BOOK_NUMBER, a tab, and the text")
            continue
        path = recordings.find(f"{name}/audio/{parts[0]}/{parts[1]}/{cells[0]}.flac")
        yield Utterance(
            id=cells[0], source=path, audio=root / path, transcript=cells[1], locale=params.default_locale, licence=params.licence,
            speaker=parts[0], gender=genders.get(parts[0], ""), release_split=name, duration_s=lengths_s.get(cells[0]),
        )


def handles(root: Path, folders: Sequence[str]) -> set[str]:
    """Return the ids on the lists of these folders of limited_supervision.

    Raises:
        MissingInputError: a folder has no list.
    """
    found: set[str] = set()
    for folder in folders:
        lists = sorted((root / "train/limited_supervision" / folder).rglob("handles.txt"))
        if not lists:
            raise MissingInputError(str(root / "train/limited_supervision" / folder), "no handles.txt", "the release's lists of limited hours",
                                    "unpack the release whole, or leave ingest.CORPUS.limited out")
        found |= {line.strip() for file in lists for line in read_text(file, "list of MLS").splitlines() if line.strip()}
    return found


def genders_of(root: Path) -> dict[str, str]:
    """Return each speaker's gender in metainfo.txt, {} without that file."""
    table = existing(root, "metainfo.txt")
    if not table.is_file():
        return {}
    lines = read_text(table, "speakers of MLS").splitlines()
    cells = [[cell.strip() for cell in line.split("|", 2)] for line in lines if line.count("|") >= 2]
    return {speaker: GENDERS.get(gender.lower(), "other") for speaker, gender, _ in cells if speaker.isdigit()}


def durations(table: Path) -> dict[str, float]:
    """Return the duration of each segment in segments.txt in seconds, {} without that file."""
    if not table.is_file():
        return {}
    found = {}
    for _, cells in tab_cells(read_text(table, "segments of MLS")):
        if len(cells) == 4 and (start_s := parse_number(cells[2])) is not None and (end_s := parse_number(cells[3])) is not None:
            found[cells[0]] = end_s - start_s
    return found


READER: Final = ListedReader(Params, utterances)
