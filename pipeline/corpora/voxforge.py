"""VoxForge: submissions of volunteers, one folder each (`User-20131106-iqc`), in one of three layouts.

    etc/PROMPTS, etc/prompts-original, etc/README, wav/*.wav      new
    PROMPTS, README, *.wav                                        old
    prompts.txt, readme.txt, *.wav                                as VoxForge's own recorder packs them

Names match in lower and upper case, and any ending of a recording will do. `prompts-original` has the sentences with case and
punctuation; PROMPTS fills in the ones it lacks. Each anonymous submission counts as a speaker of its own, although two may be the
same person.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Literal

from pydantic import Field

from pipeline.audio.codecs import recording_paths
from pipeline.core.errors import MissingInputError
from pipeline.corpora import Reject, Utterance
from pipeline.corpora.release import GENDERS, ListedReader, PublishedRelease, existing, lines_of, read_text, same_name

BROKEN: Final = ("Marcelo-20131106-iqc", "anonymous-20140619-wcy", "ThiagoCastro-20131129-qpn", "anonymous-20131016-uzv")
"""Submissions whose recordings do not match their prompts."""
PROMPTS: Final = ("etc/prompts-original", "prompts-original", "etc/PROMPTS", "PROMPTS", "prompts.txt")
READMES: Final = ("etc/README", "README", "readme.txt")
FOLDERS: Final = ("wav", "flac")
PACKED: Final = (".tgz", ".tar.gz", ".tar", ".zip")
LATIN_1: Final = "latin-1"  # of old submissions


class Params(PublishedRelease):
    """`ingest.CORPUS` with `reader: voxforge`."""

    reader: Literal["voxforge"]
    licence: str = Field("GPL-3.0-or-later", min_length=1, description="of all of it")


def utterances(params: Params, source: Path) -> Sequence[Utterance | Reject]:
    """Return the recordings of all submissions, in the order of their names; one without a submission is a reject.

    Raises:
        MissingInputError: the source has no submission.
    """
    submissions: dict[Path, list[str]] = {}
    for path in recording_paths(source):
        submissions.setdefault(submission_of(source / path), []).append(path)
    prompts = {folder: prompts_of(folder) for folder in submissions}
    if not any(prompts.values()):
        raise MissingInputError(str(source), "no submission with recordings", "folders with PROMPTS and wav/*.wav (or *.wav)",
                                "unpack each submission's archive there")
    found = [row for folder in sorted(submissions) for row in _rows(params, source, folder, submissions[folder], prompts[folder])]
    packed = (path.name for path in sorted(source.iterdir()) if path.name.lower().endswith(PACKED))
    unpacked = {same_name(folder.name) for folder in submissions}
    return found + [Reject(name, name, "not unpacked", "an archive beside the submissions") for name in packed
                    if same_name(re.sub(r"[.](?:tgz|zip|tar([.]\w+)?)$", "", name, flags=re.IGNORECASE)) not in unpacked]


def submission_of(path: Path) -> Path:
    """Return the folder of the submission that a recording belongs to."""
    return path.parent.parent if path.parent.name.lower() in FOLDERS else path.parent


def _rows(params: Params, source: Path, folder: Path, paths: Sequence[str], prompts: Sequence[dict[str, str]]) -> Iterator[Utterance | Reject]:
    """Yield a submission's recordings by name."""
    about = readme_of(folder)
    submission = os.path.relpath(folder, source) if folder != source else folder.resolve().name
    name = about.get("user name", "") or folder.name.partition("-")[0]
    first: dict[str, str] = {}
    for where in sorted(paths):
        path = source / where
        identity = f"{submission}/{path.stem}"
        if folder.name in BROKEN:
            yield Reject(identity, where, "broken submission", "its prompts and recordings do not match")
        elif not prompts:
            yield Reject(where, where, "unlisted", "no etc/PROMPTS or PROMPTS in its submission")
        elif (before := first.setdefault(identity, where)) != where:
            yield Reject(where, where, "same name", f"as {before}")
        else:
            yield Utterance(
                id=identity, source=where, audio=path, transcript=transcript_of(path.stem, prompts),
                locale=params.default_locale, licence=params.licence,
                speaker=submission if name.lower() in ("", "anonymous") else name, accent=about.get("pronunciation dialect", ""),
                gender=GENDERS.get(about.get("gender", "").lower(), ""), age=about.get("age range", ""),
            )


def prompts_of(folder: Path) -> list[dict[str, str]]:
    """Return the sentence of each recording's stem, one table per file: « mic/pt-0001 TODO DIA É » → {"pt-0001": "TODO DIA É", "1": ...}."""
    return [_prompts(read_text(path, "prompts of VoxForge", LATIN_1)) for name in PROMPTS if (path := existing(folder, name)).is_file()]


def _prompts(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in lines_of(text):
        path, _, sentence = line.strip().replace("\t", " ", 1).partition(" ")
        stem = re.sub(r"[.](?:wav|flac|mfc)$", "", path.rpartition("/")[2], flags=re.IGNORECASE)
        if sentence.strip():
            found[same_name(stem)] = sentence.strip()
    return {trailing_number(stem): sentence for stem, sentence in found.items()} | found


def transcript_of(stem: str, prompts: Sequence[dict[str, str]]) -> str:
    """Return a recording's transcript in the first table with its stem or its number ("1" for pt-0001); "" if none has it."""
    return next((text for table in prompts if (text := table.get(same_name(stem)) or table.get(trailing_number(stem)))), "")


def trailing_number(stem: str) -> str:
    """Return the number at a stem's end without leading zeros, the stem if it has none."""
    match = re.search(r"[0-9]+$", stem)
    return str(int(match[0])) if match else stem


def readme_of(folder: Path) -> dict[str, str]:
    """Return the fields of the submission's README: {"gender": "Masculino", ...}, keys in lower case."""
    readme = next((path for name in READMES if (path := existing(folder, name)).is_file()), None)
    if readme is None:
        return {}
    pairs = [line.partition(":") for line in lines_of(read_text(readme, "README of VoxForge", LATIN_1))]
    return {key.strip().lower(): value.strip().strip("[];").strip() for key, colon, value in reversed(pairs) if colon}


READER: Final = ListedReader(Params, utterances)
