"""A folder of recordings with a text file beside each, as research corpora are distributed (CETUC, LapsBM, SID).

SPEAKER/NAME.wav, SPEAKER/NAME.txt     or all in one folder, of one speaker
SPEAKER/prompts.txt                    instead of the text files: « 7=a sentence » for SPEAKER7.wav (SID)

Names match in lower and upper case: NAME.TXT belongs to NAME.WAV.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Literal

from pydantic import Field

from pipeline.audio.codecs import SUFFIXES, recording_paths
from pipeline.core.errors import DataError, MissingInputError
from pipeline.corpora import Reject, Utterance
from pipeline.corpora.release import ListedReader, PublishedRelease, lines_of, raise_problems, read_text, repeated_ids, same_name

GENDER: Final = re.compile(r"(?:^|[-_])([FM])-?[0-9]{2,4}(?:$|[-_])")
"""F or M before the speaker's number, as in Abel_M001, LapsBM-F004 and F0012."""


class Params(PublishedRelease):
    """`ingest.CORPUS` with `reader: folder`."""

    reader: Literal["folder"]
    speaker: str = Field("", description="of all recordings; by default the name of a recording's folder")
    encoding: str = Field("utf-8", pattern="^(utf-8|latin-1|cp1252)$", description="of text files that are not UTF-8")


def utterances(params: Params, source: Path) -> Sequence[Utterance | Reject]:
    """Return all recordings in the source, by path; one without a text has an empty transcript, which ingest rejects.

    Raises:
        MissingInputError: the source has no recording.
        DataError: two recordings differ by their ending only, or a text is not in the encoding.
    """
    endings = (*SUFFIXES, *(params.headerless.endings if params.headerless else ()))
    paths = sorted(source / path for path in recording_paths(source, endings))
    if not paths:
        raise MissingInputError(str(source), "no recording", f"files that end in {', '.join(endings)}",
                                "set ingest.CORPUS.source, or fetch the data (`dvc pull`)")
    names: dict[Path, dict[str, Path]] = {}
    prompts: dict[Path, dict[str, str]] = {}
    found = []
    for path in paths:
        where = path.relative_to(source)
        if path.parent not in prompts:
            names[path.parent] = texts_in(path.parent)
            prompts[path.parent] = prompts_of(names[path.parent], params)
        folder = where.parent.name or source.resolve().name
        match = GENDER.search(folder)
        found.append(Utterance(
            id=str(where.with_suffix("")), source=str(where), audio=path, transcript=text_of(path, names[path.parent], prompts[path.parent], params),
            locale=params.default_locale, licence=params.licence, speaker=params.speaker or folder,
            gender={"F": "female", "M": "male"}[match[1]] if match else "",
        ))
    raise_problems(source, [f"{name} has two endings" for name in repeated_ids(found)])
    return found


def texts_in(folder: Path) -> dict[str, Path]:
    """Return a folder's text files by `same_name`."""
    return {same_name(name): folder / name for name in sorted(os.listdir(folder)) if name.lower().endswith(".txt")}


def text_of(path: Path, texts: Mapping[str, Path], prompts: Mapping[str, str], params: Params) -> str:
    """Return a recording's transcript: its text file on one line, or its prompt; "" if it has neither.

    Args:
        path: the recording.
        texts: of its folder, as `texts_in` returns them.
        prompts: of its folder, as `prompts_of` returns them.
        params: the encoding.
    """
    beside = path.with_suffix(".txt")
    if not beside.is_file():
        beside = texts.get(same_name(beside.name), beside)
    if beside.is_file():
        return " ".join(_read(beside, params).split())
    stem, folder = same_name(path.stem), same_name(path.parent.name)
    return prompts.get(stem.removeprefix(folder), "")


def prompts_of(texts: Mapping[str, Path], params: Params) -> dict[str, str]:
    """Return the sentence of each number in a folder's prompts.txt, {} without that file."""
    if "prompts.txt" not in texts:
        return {}
    pairs = (line.partition("=") for line in lines_of(_read(texts["prompts.txt"], params)))
    return {same_name(key.strip()): text.strip() for key, equals, text in pairs if equals}


def _read(path: Path, params: Params) -> str:
    try:
        return read_text(path, "a transcript", "" if params.encoding == "utf-8" else params.encoding)
    except DataError as error:
        raise DataError(error.where, error.found, error.expected, "set ingest.CORPUS.encoding to latin-1 or cp1252") from None


READER: Final = ListedReader(Params, utterances)
