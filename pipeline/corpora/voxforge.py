"""VoxForge: submissions of volunteers, one folder each (`User-20131106-iqc`), in one of two layouts.

    etc/PROMPTS, etc/prompts-original, etc/README, wav/*.wav      new
    PROMPTS, README, *.wav                                        old

`prompts-original` has the sentences with case and punctuation; PROMPTS fills in the ones it lacks. Each anonymous submission
counts as a speaker of its own, although two may be the same person.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Literal

from pydantic import Field

from pipeline.core.errors import MissingInputError
from pipeline.corpora import Reject, Utterance
from pipeline.corpora.release import GENDERS, ListedReader, PublishedRelease, read_text

BROKEN: Final = ("Marcelo-20131106-iqc", "anonymous-20140619-wcy", "ThiagoCastro-20131129-qpn", "anonymous-20131016-uzv")
"""Submissions whose recordings do not match their prompts."""
PROMPTS: Final = ("etc/prompts-original", "prompts-original", "etc/PROMPTS", "PROMPTS")
READMES: Final = ("etc/README", "README")
FOLDERS: Final = ("wav", "flac", ".")
LATIN_1: Final = "latin-1"  # of old submissions


class Params(PublishedRelease):
    """`ingest.CORPUS` with `reader: voxforge`."""

    reader: Literal["voxforge"]
    licence: str = Field("GPL-3.0-or-later", min_length=1, description="of all of it")


def utterances(params: Params, source: Path) -> Sequence[Utterance | Reject]:
    """Return the recordings of all submissions, in the order of their names.

    Raises:
        MissingInputError: the source has no submission.
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
    about = readme_of(folder)
    name = about.get("user name", "") or folder.name.partition("-")[0]
    for path in sorted(path for inner in FOLDERS for path in (folder / inner).glob("*") if path.suffix in (".wav", ".flac")):
        identity, where = f"{folder.name}/{path.stem}", str(path.relative_to(source))
        if folder.name in BROKEN:
            yield Reject(identity, where, "broken submission", "its prompts and recordings do not match")
            continue
        yield Utterance(
            id=identity, source=where, audio=path, transcript=transcript_of(path.stem, prompts),
            locale=params.default_locale, licence=params.licence,
            speaker=folder.name if name.lower() in ("", "anonymous") else name, accent=about.get("pronunciation dialect", ""),
            gender=GENDERS.get(about.get("gender", "").lower(), ""), age=about.get("age range", ""),
        )


def prompts_of(folder: Path) -> list[dict[str, str]]:
    """Return the sentence of each recording's stem, one table per file: « mic/pt-0001 TODO DIA É » → {"pt-0001": "TODO DIA É", "1": ...}."""
    return [_prompts(read_text(folder / name, "prompts of VoxForge", LATIN_1)) for name in PROMPTS if (folder / name).is_file()]


def _prompts(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in text.splitlines():
        path, _, sentence = line.strip().partition(" ")
        stem = re.sub(r"[.](?:wav|flac|mfc)$", "", path.rpartition("/")[2])
        if sentence.strip():
            found[stem] = sentence.strip()
    return {trailing_number(stem): sentence for stem, sentence in found.items()} | found


def transcript_of(stem: str, prompts: Sequence[dict[str, str]]) -> str:
    """Return a recording's transcript in the first table with its stem or its number ("1" for pt-0001); "" if none has it."""
    return next((text for table in prompts if (text := table.get(stem) or table.get(trailing_number(stem)))), "")


def trailing_number(stem: str) -> str:
    """Return the number at a stem's end without leading zeros, the stem if it has none."""
    match = re.search(r"[0-9]+$", stem)
    return str(int(match[0])) if match else stem


def readme_of(folder: Path) -> dict[str, str]:
    """Return the fields of the submission's README: {"gender": "Masculino", ...}, keys in lower case."""
    readme = next((folder / name for name in READMES if (folder / name).is_file()), None)
    if readme is None:
        return {}
    pairs = [line.partition(":") for line in read_text(readme, "README of VoxForge", LATIN_1).splitlines()]
    return {key.strip().lower(): value.strip().strip("[];").strip() for key, colon, value in reversed(pairs) if colon}


READER: Final = ListedReader(Params, utterances)
