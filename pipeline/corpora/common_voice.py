"""Common Voice, scripted speech: a language's folder of any release from 5 to 25, or of a delta archive.

    clips/*.mp3
    train.tsv dev.tsv test.tsv    the official sets: disjoint by speaker, one reading a sentence; no delta archive has them
    validated.tsv                 every clip with more votes for it than against it
    clip_durations.tsv            or times.txt: the length of each clip, from release 14 on

Columns are found by name: releases differ in them (`accent` or `accents`; `variant` from 13, `sentence_id` from 17 on).
Cells hold quotes as they are, except that some releases were written from tables already quoted as spreadsheets do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal

from pydantic import Field

from pipeline.core.errors import DataError
from pipeline.corpora import Reject, Utterance
from pipeline.corpora.release import GENDERS, Listed, Listing, Published, inside, malformed, read_lines, refuse, repeated_ids, root_of, tab_cells

OFFICIAL: Final = ("train", "dev", "test")
NEEDED: Final = ("client_id", "path", "sentence")
AGES: Final = {"fourties": "forties"}
NO_SETS: Final = "a delta archive or a sample has no official sets: ingest.CORPUS.sets: rebuilt"
PLACES: Final = {
    # language: what a variant or an accent that its speaker wrote says, locale
    "portuguese": ((r"bra[sz]il", "pt-BR"), (r"portugal|european|europeu", "pt-PT")),
    "spanish": ((r"españa|peninsular|canari", "es"),
                (r"rioplatense|mexican|méxico|carib|andin|chilen|centroam|américa ?central|americacentral|argentin|colombia", "es-419")),
}


class Params(Published):
    """`ingest.CORPUS` with `reader: common_voice`."""

    reader: Literal["common_voice"]
    sets: Literal["official", "extended", "rebuilt"] = Field(
        "official", description="official: train, dev, test as released; extended: and the rest of validated.tsv, for train; "
                                "rebuilt: validated.tsv alone, for `split` to divide by speaker and sentence")
    licence: str = Field("CC0-1.0", min_length=1, description="of all clips")


def utterances(params: Params, source: Path) -> Sequence[Utterance | Reject]:
    """Return the clips of the sets that are asked for, each once; a row that is no row is a reject.

    Raises:
        MissingInputError: no release, or no such set in it.
        DataError: a table lacks a column, or names a path outside the release, or a clip is in two official sets.
    """
    root = root_of(source, "validated.tsv" if params.sets == "rebuilt" else "train.tsv", "Common Voice release", NO_SETS)
    durations_s = durations(root)
    found = Listing(params.utterances_per_shard)
    problems: list[str] = []
    for name in () if params.sets == "rebuilt" else OFFICIAL:
        found += _rows(params, root, name, durations_s, problems)
    problems += [f"{name} is in two of {', '.join(OFFICIAL)}" for name in repeated_ids(found)]
    if params.sets != "official":
        there = {utterance.id for utterance in found}
        found += (row for row in _rows(params, root, "validated", durations_s, problems) if row.id not in there)
    problems += [f"{name} is twice in validated.tsv" for name in repeated_ids(found)] if not problems else []
    refuse(root, problems)
    if not found:
        raise DataError(str(root), "no rows", "a row for each clip", "see ingest.CORPUS.sets")
    return found


def _rows(params: Params, root: Path, name: str, durations_s: dict[str, float], problems: list[str]) -> Iterator[Utterance | Reject]:
    """Yield the clips of one table; what is wrong with the table or a path is added to `problems`."""
    rows = tab_cells(read_lines(root / f"{name}.tsv", f"the set {name} of Common Voice"))
    _, header = next(rows, (1, []))
    if missing := [column for column in NEEDED if column not in header]:
        problems.append(f"{name}.tsv: no column {', '.join(missing)}; there are {', '.join(header)}")
        return
    for line, cells in rows:
        if len(cells) == len(header):
            row = dict(zip(header, cells, strict=True))
            path = inside(root, f"clips/{row['path']}" if row["path"].endswith(".mp3") else f"clips/{row['path']}.mp3")
            if not path.startswith("clips/"):
                problems.append(f"{name}.tsv, line {line}: path {row['path']!r}; expected one inside clips")
            clip = path.rpartition("/")[2]
            utterance = Utterance(
                id=clip.removesuffix(".mp3"), source=path, audio=root / path, transcript=unquoted(row["sentence"]),
                locale=params.locale or row.get("locale") or params.default_locale, licence=params.licence, speaker=row["client_id"],
                accent=unquoted(row.get("accents") or row.get("accent") or ""),
                gender=GENDERS.get(row.get("gender", ""), "other"), age=AGES.get(row.get("age", ""), row.get("age", "")),
                release_split=name if name in OFFICIAL else "", duration_s=durations_s.get(clip),
            )
            yield replace(utterance, locale=locale_of(params, row.get("variant", ""), utterance.accent) or utterance.locale)
        elif any(cells):
            yield malformed(f"{name}.tsv", line, f"{len(cells)} cells; expected {len(header)}")


def durations(root: Path) -> dict[str, float]:
    """Return the length in seconds of each clip, as far as the release tells.

    Raises:
        DataError: a line is not a clip and its milliseconds.
    """
    table = next((root / name for name in ("clip_durations.tsv", "times.txt") if (root / name).is_file()), None)
    if table is None:
        return {}
    found, problems = {}, []
    for line, text in enumerate(read_lines(table, "lengths of clips"), 1):
        match = re.fullmatch(r"(\S+)\s+(\d+(?:\.\d+)?)\s*", text)
        if match:
            found[match[1]] = float(match[2]) / 1_000
        elif text.strip() and line > 1:  # the first may be the header
            problems.append(f"line {line}: {text!r}; expected a clip and its milliseconds")
    refuse(table, problems)
    return found


def unquoted(cell: str) -> str:
    """Return a cell without the quotes that a spreadsheet puts around it, where all of them match.

    « \"\"\"Que pena!\"\", disse.\" » → « \"Que pena!\", disse. »; « \"começo » stays, « \"um\" e \"dois\" » stays
    """
    inner = cell[1:-1]
    if len(cell) > 2 and cell[0] == cell[-1] == '"' and '"' not in inner.replace('""', ""):
        return inner.replace('""', '"')
    return cell


def locale_of(params: Params, variant: str, accent: str) -> str:
    """Return the locale that the variant says, or else the accent; "" where they say none, or several.

    Portuguese: « Portuguese (Brasil) » → pt-BR; « Português de Portugal » → pt-PT. Spanish: « rioplatense » → es-419
    """
    for said in (variant, accent):
        locales = {locale for pattern, locale in PLACES.get(params.language, ()) if re.search(pattern, said, re.IGNORECASE)}
        if locales:
            return locales.pop() if len(locales) == 1 else ""
    return ""


READER: Final = Listed(Params, utterances)
