"""VoxForge: submissions of volunteers, a folder each (`User-20131106-iqc`), in either of two layouts.

    etc/PROMPTS, etc/prompts-original, etc/README, wav/*.wav      new
    PROMPTS, README, *.wav                                        old

`prompts-original` has the sentences with case and marks; where it lacks one, that of PROMPTS is taken. Who did not give
a name is a speaker for each submission: it may be the same person, which nobody can tell.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Literal

from pydantic import Field

from pipeline.core.errors import MissingInputError
from pipeline.corpora import Reject, Utterance
from pipeline.corpora.release import GENDERS, Listed, Published, read_text

BROKEN: Final = ("Marcelo-20131106-iqc", "anonymous-20140619-wcy", "ThiagoCastro-20131129-qpn", "anonymous-20131016-uzv")
"""Submissions whose recordings are not what their prompts say."""
PROMPTS: Final = ("etc/prompts-original", "prompts-original", "etc/PROMPTS", "PROMPTS")
READMES: Final = ("etc/README", "README")
FOLDERS: Final = ("wav", "flac", ".")
LATIN_1: Final = "latin-1"  # of old submissions


class Params(Published):
    """`ingest.CORPUS` with `reader: voxforge`."""

    reader: Literal["voxforge"]
    licence: str = Field("GPL-3.0-or-later", min_length=1, description="of all of it")


def utterances(params: Params, source: Path) -> Sequence[Utterance | Reject]:
    """Return the recordings of all submissions, in the order of their names.

    Raises:
        MissingInputError: no submission lies in the source.
    """
    submissions = [folder for folder in sorted(source.glob("*")) if any((folder / name).is_file() for name in PROMPTS)]
    found = [row for folder in submissions for row in _rows(params, source, folder)]
    if not found:
        raise MissingInputError(str(source), "no submission with recordings", "folders with PROMPTS and wav/*.wav (or *.wav)",
                                "unpack each submission's archive there")
    return found


def _rows(params: Params, source: Path, folder: Path) -> Iterator[Utterance | Reject]:
    """Yield a submission's recordings by name."""
    prompts = prompts_of(folder)
    about = about_of(folder)
    name = about.get("user name", "") or folder.name.partition("-")[0]
    for path in sorted(path for inner in FOLDERS for path in (folder / inner).glob("*") if path.suffix in (".wav", ".flac")):
        identity, where = f"{folder.name}/{path.stem}", str(path.relative_to(source))
        if folder.name in BROKEN:
            yield Reject(identity, where, "broken submission", "its prompts and recordings are known not to fit")
            continue
        yield Utterance(
            id=identity, source=where, audio=path, transcript=said(path.stem, prompts),
            locale=params.default_locale, licence=params.licence,
            speaker=folder.name if name.lower() in ("", "anonymous") else name, accent=about.get("pronunciation dialect", ""),
            gender=GENDERS.get(about.get("gender", "").lower(), ""), age=about.get("age range", ""),
        )


def prompts_of(folder: Path) -> list[dict[str, str]]:
    """Return the sentence of each recording's stem, a table a file: « mic/pt-0001 TODO DIA É » → {"pt-0001": "TODO DIA É", "1": ...}."""
    return [_prompts(read_text(folder / name, "prompts of VoxForge", LATIN_1)) for name in PROMPTS if (folder / name).is_file()]


def _prompts(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in text.splitlines():
        path, _, sentence = line.strip().partition(" ")
        stem = re.sub(r"[.](?:wav|flac|mfc)$", "", path.rpartition("/")[2])
        if sentence.strip():
            found[stem] = sentence.strip()
    return {bare(stem): sentence for stem, sentence in found.items()} | found


def said(stem: str, prompts: Sequence[dict[str, str]]) -> str:
    """Return what is said in a recording by the first table that has its stem or its number ("1" stands for pt-0001); "" if none has."""
    return next((text for table in prompts if (text := table.get(stem) or table.get(bare(stem)))), "")


def bare(stem: str) -> str:
    """Return the number at a stem's end, without zeros before it; the stem where there is none."""
    match = re.search(r"[0-9]+$", stem)
    return str(int(match[0])) if match else stem


def about_of(folder: Path) -> dict[str, str]:
    """Return what the submission's README says: {"gender": "Masculino", ...}, in lower case left of the colon."""
    readme = next((folder / name for name in READMES if (folder / name).is_file()), None)
    if readme is None:
        return {}
    pairs = [line.partition(":") for line in read_text(readme, "README of VoxForge", LATIN_1).splitlines()]
    return {key.strip().lower(): value.strip().strip("[];").strip() for key, colon, value in reversed(pairs) if colon}


READER: Final = Listed(Params, utterances)
