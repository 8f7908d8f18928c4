"""FLEURS: sentences of an encyclopaedia, each read by two or three speakers, who are not identified.

{train,dev,test}.tsv              no header: id, file, as written, as spoken, letters, samples, gender; quotes are literal
audio/{train,dev,test}/FILE       the content of audio/{train,dev,test}.tar.gz
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Literal

from pydantic import Field

from pipeline.core.errors import MissingInputError
from pipeline.core.manifest import SAMPLE_RATE_HZ
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
    measured,
    path_inside,
    read_text,
    tab_cells,
)

SETS: Final = ("train", "dev", "test")
LOCALES: Final = {"pt_br": "pt-BR", "es_419": "es-419"}


class Params(PublishedRelease):
    """`ingest.CORPUS` with `reader: fleurs`."""

    reader: Literal["fleurs"]
    written: bool = Field(True, description="the transcript as written, with case, figures and marks; otherwise lower case, without marks")
    licence: str = Field("CC-BY-4.0", min_length=1, description="of all of it")


def utterances(params: Params, source: Path) -> Sequence[Utterance | Reject]:
    """Return the readings of the sets that exist.

    Raises:
        MissingInputError: the release is missing, or the recordings of a set are not unpacked.
        DataError: a recording is listed twice or is outside the release.
    """
    root = find_root(source, "t*.tsv", "FLEURS release")
    problems: list[str] = []
    recordings = Recordings(root)
    sets = [name for name in SETS if existing(root, f"{name}.tsv").is_file()]
    found = [row for name in sets for row in _rows(params, root, name, recordings, problems)]
    found += recordings.unnamed(source)
    return checked(root, found, problems, "reading")


def _rows(params: Params, root: Path, name: str, recordings: Recordings, problems: list[str]) -> Iterator[Utterance | Reject]:
    folder = f"audio/{name}"
    if not existing(root, folder).is_dir():
        raise MissingInputError(str(root / folder), "no such folder", f"the recordings of {name}",
                                f"unpack audio/{name}.tar.gz within audio/")
    locale = params.locale or LOCALES.get(root.resolve().name, params.default_locale)
    for line, cells in tab_cells(read_text(existing(root, f"{name}.tsv"), "a set of FLEURS")):
        if not any(cells):
            continue
        try:
            samples = measured(cells[5])
        except (IndexError, ValueError):
            samples = math.nan
        if len(cells) != 7 or samples is math.nan:
            yield malformed_row(f"{name}.tsv", line, f"{len(cells)} cells; expected 7, the sixth a number of samples")
            continue
        path = path_inside(root, f"{folder}/{cells[1]}")
        if not path.startswith(f"{folder}/"):
            problems.append(f"{name}.tsv, line {line}: file {cells[1]!r}; expected one inside {folder}")
        path = recordings.find(path)
        yield Utterance(
            id=f"{name}/{cells[1].rpartition('.')[0] or cells[1]}", source=path, audio=root / path,
            transcript=cells[2] if params.written else cells[3], locale=locale, licence=params.licence,
            gender=GENDERS.get(cells[6].lower(), "other"), release_split=name, duration_s=samples / SAMPLE_RATE_HZ if samples else None,
        )


READER: Final = ListedReader(Params, utterances)
