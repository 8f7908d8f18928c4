"""A folder of recordings with a text file beside each, as research corpora are distributed (CETUC, LapsBM, SID).

SPEAKER/NAME.wav, SPEAKER/NAME.txt     or all in one folder, of one speaker
SPEAKER/prompts.txt                    instead of the text files: « 7=a sentence » for SPEAKER7.wav (SID)
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

from pydantic import Field

from pipeline.core.errors import DataError, MissingInputError
from pipeline.corpora import Reject, Utterance
from pipeline.corpora.release import ListedReader, PublishedRelease, raise_problems, read_text, repeated_ids

ENDINGS: Final = (".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a", ".webm", ".raw")
GENDER: Final = re.compile(r"(?:^|[-_])([FM])-?[0-9]{2,4}(?:$|[-_])")
"""F or M before the speaker's number, as in Abel_M001, LapsBM-F004 and F0012."""


class Params(PublishedRelease):
    """`ingest.CORPUS` with `reader: folder`."""

    reader: Literal["folder"]
    speaker: str = Field("", description="of all recordings; by default the name of a recording's folder")
    encoding: str = Field("utf-8", pattern="^(utf-8|latin-1|cp1252)$", description="of text files that are not UTF-8")


def utterances(params: Params, source: Path) -> Sequence[Utterance | Reject]:
    """Return all recordings in the source, by path; one without a text has an empty transcript, which ingest rejects.

    Hidden files are ignored: macOS puts ._NAME.wav into archives.

    Raises:
        MissingInputError: the source has no recording.
        DataError: two recordings differ by their ending only, or a text is not in the encoding.
    """
    paths = sorted(path for path in source.rglob("[!.]*") if path.suffix.lower() in ENDINGS and path.is_file())
    if not paths:
        raise MissingInputError(str(source), "no recording", f"files that end in {', '.join(ENDINGS)}",
                                "set ingest.CORPUS.source, or fetch the data (`dvc pull`)")
    prompts: dict[Path, dict[str, str]] = {}
    found = []
    for path in paths:
        where = path.relative_to(source)
        if path.parent not in prompts:
            prompts[path.parent] = prompts_of(path.parent, params)
        folder = where.parent.name or source.resolve().name
        match = GENDER.search(folder)
        found.append(Utterance(
            id=str(where.with_suffix("")), source=str(where), audio=path, transcript=text_of(path, prompts[path.parent], params),
            locale=params.default_locale, licence=params.licence, speaker=params.speaker or folder,
            gender={"F": "female", "M": "male"}[match[1]] if match else "",
        ))
    raise_problems(source, [f"{name} has two endings" for name in repeated_ids(found)])
    return found


def text_of(path: Path, prompts: dict[str, str], params: Params) -> str:
    """Return a recording's transcript: its text file on one line, or its prompt; "" if it has neither."""
    beside = path.with_suffix(".txt")
    if beside.is_file():
        return " ".join(_read(beside, params).split())
    return prompts.get(path.stem.removeprefix(path.parent.name), "")


def prompts_of(folder: Path, params: Params) -> dict[str, str]:
    """Return the sentence of each number in a folder's prompts.txt, {} without that file."""
    if not (folder / "prompts.txt").is_file():
        return {}
    pairs = (line.partition("=") for line in _read(folder / "prompts.txt", params).splitlines())
    return {key.strip(): text.strip() for key, equals, text in pairs if equals}


def _read(path: Path, params: Params) -> str:
    try:
        return read_text(path, "a transcript", "" if params.encoding == "utf-8" else params.encoding)
    except DataError as error:
        raise DataError(error.where, error.found, error.expected, "set ingest.CORPUS.encoding to latin-1 or cp1252") from None


READER: Final = ListedReader(Params, utterances)
