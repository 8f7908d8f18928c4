"""Common Voice, scripted speech: a language's folder of any release from 5 to 25, or of a delta archive.

    clips/*.mp3
    train.tsv dev.tsv test.tsv    the official sets: disjoint by speaker, one reading a sentence; no delta archive has them
    validated.tsv                 every clip with more up than down votes
    invalidated.tsv other.tsv     the other clips
    clip_durations.tsv            clip and milliseconds; from release 16.1 on
    times.txt                     « `cv-corpus-14.0-2023-06-23/pt/clips/NAME.mp3` = 6192 »; releases 14 and 15

Columns are found by name: releases differ in them (`accent` or `accents`; `variant` from 13, `sentence_id` from 17 on).
Quotes in cells are literal, except in some releases that were written from tables with spreadsheet quoting.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal

from pydantic import Field

from pipeline.audio.codecs import is_recording
from pipeline.core.errors import DataError
from pipeline.corpora import Reject, Utterance
from pipeline.corpora.release import (
    GENDERS,
    ListedReader,
    Listing,
    PublishedRelease,
    Recordings,
    existing,
    find_root,
    malformed_row,
    measured,
    path_inside,
    raise_problems,
    read_lines,
    repeated_ids,
    tab_cells,
)

OFFICIAL: Final = ("train", "dev", "test")
NEEDED: Final = ("client_id", "path", "sentence")
OTHERS: Final = ("validated", "invalidated", "other")
DURATION: Final = re.compile(r"\s*`?([^`\t]*?\.\w+)`?(?:\s*=\s*|\s+|\s*$)(\S*)\s*")
"""A clip and its duration, in every form that a release had: after a tab, or after « = » with the clip in backticks."""
AGES: Final = {"fourties": "forties"}
NO_SETS: Final = "a delta archive or a sample has no official sets: ingest.CORPUS.sets: rebuilt"
LOCALE_PATTERNS: Final = {
    # language: pattern of a variant or of a free-text accent, locale
    "portuguese": ((r"bra[sz]il", "pt-BR"), (r"portugal|european|europeu", "pt-PT")),
    "spanish": ((r"españa|peninsular|canari", "es"),
                (r"rioplatense|mexican|méxico|carib|andin|chilen|centroam|américa ?central|americacentral|argentin|colombia", "es-419")),
}


class Params(PublishedRelease):
    """`ingest.CORPUS` with `reader: common_voice`."""

    reader: Literal["common_voice"]
    sets: Literal["official", "extended", "rebuilt"] = Field(
        "official", description="official: train, dev, test as released; extended: also the rest of validated.tsv, for train; "
                                "rebuilt: validated.tsv alone, which `split` divides by speaker and sentence")
    licence: str = Field("CC0-1.0", min_length=1, description="of all clips")


def utterances(params: Params, source: Path) -> Sequence[Utterance | Reject]:
    """Return the clips of the sets that the params select, each once; a damaged row is a reject.

    Raises:
        MissingInputError: the release or a set of it is missing.
        DataError: a table lacks a column or has a path outside the release, or a clip is in two official sets.
    """
    root = find_root(source, "validated.tsv" if params.sets == "rebuilt" else "train.tsv", "Common Voice release", NO_SETS)
    durations_s, recordings = durations(root), Recordings(root)
    found = Listing(params.utterances_per_shard)
    problems: list[str] = []
    for name in () if params.sets == "rebuilt" else OFFICIAL:
        found += _rows(params, root, name, durations_s, recordings, problems)
    problems += [f"{name} is in two of {', '.join(OFFICIAL)}" for name in repeated_ids(found)]
    if params.sets != "official":
        official = {utterance.id for utterance in found}
        found += (row for row in _rows(params, root, "validated", durations_s, recordings, problems) if row.id not in official)
    problems += [f"{name} is twice in validated.tsv" for name in repeated_ids(found)] if not problems else []
    raise_problems(root, problems)
    if not found:
        raise DataError(str(root), "no rows", "a row for each clip", "see ingest.CORPUS.sets")
    if not recordings.named.all():
        for name in (*OFFICIAL, *OTHERS):
            recordings.mark(_paths(existing(root, f"{name}.tsv")))
    found += recordings.unnamed(source)
    return found


def _paths(table: Path) -> Iterator[str]:
    """Yield the paths of a table's clips, nothing if there is no such table."""
    if table.is_file():
        rows = tab_cells(read_lines(table, "a set of Common Voice"))
        _, header = next(rows, (1, []))
        if "path" in header:
            column = header.index("path")
            yield from (clip_path(cells[column]) for _, cells in rows if len(cells) == len(header))


def clip_path(cell: str) -> str:
    """Return a clip's path in the release: « common_voice_pt_1.mp3 » → « clips/common_voice_pt_1.mp3 »."""
    return f"clips/{cell}" if is_recording(cell) else f"clips/{cell}.mp3"


def _rows(params: Params, root: Path, name: str, durations_s: dict[str, float], recordings: Recordings,
          problems: list[str]) -> Iterator[Utterance | Reject]:
    """Yield the clips of one table; errors of the table or of a path are added to `problems`."""
    rows = tab_cells(read_lines(existing(root, f"{name}.tsv"), f"the set {name} of Common Voice"))
    _, header = next(rows, (1, []))
    if missing := [column for column in NEEDED if column not in header]:
        problems.append(f"{name}.tsv: no column {', '.join(missing)}; found {', '.join(header)}")
        return
    for line, cells in rows:
        if len(cells) == len(header):
            row = dict(zip(header, cells, strict=True))
            path = path_inside(root, clip_path(row["path"]))
            if not path.startswith("clips/"):
                problems.append(f"{name}.tsv, line {line}: path {row['path']!r}; expected one inside clips")
            clip = os.path.splitext(os.path.basename(path))[0]
            path = recordings.find(path)
            utterance = Utterance(
                id=clip, source=path, audio=root / path, transcript=unquoted(row["sentence"]),
                locale=params.locale or row.get("locale") or params.default_locale, licence=params.licence, speaker=row["client_id"],
                accent=unquoted(row.get("accents") or row.get("accent") or ""),
                gender=GENDERS.get(row.get("gender", ""), "other"), age=AGES.get(row.get("age", ""), row.get("age", "")),
                release_split=name if name in OFFICIAL else "", duration_s=durations_s.get(clip),
            )
            yield replace(utterance, locale=locale_of(params, row.get("variant", ""), utterance.accent) or utterance.locale)
        elif any(cells):
            yield malformed_row(f"{name}.tsv", line, f"{len(cells)} cells; expected {len(header)}")


def durations(root: Path) -> dict[str, float]:
    """Return the duration in seconds of each clip, by its name without ending, if it was measured; {} if the release has none.

    Raises:
        DataError: a line is not a clip and its milliseconds.
    """
    table = next((path for name in ("clip_durations.tsv", "times.txt") if (path := existing(root, name)).is_file()), None)
    if table is None:
        return {}
    found, problems = {}, []
    for line, text in enumerate(read_lines(table, "durations of clips"), 1):
        match = DURATION.fullmatch(text)
        try:
            duration_ms = measured(match[2]) if match else None
        except ValueError:
            match = None
        if match is None and text.strip() and line > 1:  # the first may be the header
            problems.append(f"line {line}: {text!r}; expected a clip and its milliseconds")
        elif match and duration_ms:
            found[os.path.splitext(os.path.basename(match[1]))[0]] = duration_ms / 1_000
    raise_problems(table, problems)
    return found


def unquoted(cell: str) -> str:
    r"""Return a cell without spreadsheet quotes, if all quotes in it match.

    « \"\"\"Que pena!\"\", disse.\" » → « \"Que pena!\", disse. »; « \"começo » is unchanged, « \"um\" e \"dois\" » is unchanged
    """
    inner = cell[1:-1]
    if len(cell) > 2 and cell[0] == cell[-1] == '"' and '"' not in inner.replace('""', ""):
        return inner.replace('""', '"')
    return cell


def locale_of(params: Params, variant: str, accent: str) -> str:
    """Return the locale of the variant, otherwise that of the accent; "" if neither matches exactly one.

    Portuguese: « Portuguese (Brasil) » → pt-BR; « Português de Portugal » → pt-PT. Spanish: « rioplatense » → es-419
    """
    for text in (variant, accent):
        locales = {locale for pattern, locale in LOCALE_PATTERNS.get(params.language, ()) if re.search(pattern, text, re.IGNORECASE)}
        if locales:
            return locales.pop() if len(locales) == 1 else ""
    return ""


READER: Final = ListedReader(Params, utterances)
