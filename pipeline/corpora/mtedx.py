"""Multilingual TEDx: whole talks, and the part of each sentence.

    data/{train,valid,test}/wav/TALK.flac             the folder is called wav, and the list names TALK.wav
    data/{train,valid,test}/txt/{train,valid,test}.pt     one sentence per line
    data/{train,valid,test}/txt/{train,valid,test}.yaml   one item per sentence: duration, offset, speaker_id, wav (named .wav)

Subtitles have sounds and text on the screen in brackets, « (Aplausos) », which are not spoken: the reader removes them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Literal

import yaml
from pydantic import Field

from pipeline.core.errors import DataError
from pipeline.core.params import parse_yaml
from pipeline.corpora import Reject, Utterance
from pipeline.corpora.release import (
    LOCALES,
    SPLITS,
    ListedReader,
    PublishedRelease,
    Recordings,
    checked,
    existing,
    find_root,
    malformed_row,
    parse_number,
    path_inside,
    read_text,
)

SETS: Final = ("train", "valid", "test")
KEYS: Final = ("duration", "offset", "speaker_id", "wav")
MAX_DEPTH: Final = 3
"""Levels of a list of parts, and one more, whose item is a reject."""
UNSPOKEN: Final = re.compile(r"\([^()]*\)|\[[^\[\]]*\]|[♪♫]")


class Params(PublishedRelease):
    """`ingest.CORPUS` with `reader: mtedx`."""

    reader: Literal["mtedx"]
    licence: str = Field("CC-BY-NC-ND-4.0", min_length=1, description="of all of it")


def utterances(params: Params, source: Path) -> Sequence[Utterance | Reject]:
    """Return the sentences of the sets that exist.

    Raises:
        MissingInputError: the release is missing.
        DataError: a set has more or fewer sentences than parts, or a talk is outside the release.
    """
    root = find_root(source, "data/*/txt/*.yaml", "mTEDx release")
    problems: list[str] = []
    recordings = Recordings(root)
    sets = [name for name in SETS if existing(root, f"data/{name}").is_dir()]
    found = [row for name in sets for row in _rows(params, root, name, recordings, problems)]
    found += recordings.unnamed(source)
    return checked(root, found, problems, "sentence")


def _rows(params: Params, root: Path, name: str, recordings: Recordings, problems: list[str]) -> Iterator[Utterance | Reject]:
    texts = f"data/{name}/txt/{name}.{LOCALES[params.language]}"
    table = f"data/{name}/txt/{name}.yaml"
    sentences = read_text(existing(root, texts), "sentences of mTEDx").removesuffix("\n").split("\n")
    parts = parts_of(existing(root, table))
    if len(sentences) != len(parts):
        problems.append(f"{texts} has {len(sentences)} lines, {table} {len(parts)} items; expected equally many")
        return
    for line, (sentence, part) in enumerate(zip(sentences, parts, strict=True), 1):
        values = {key: str(part.get(key, "")) for key in KEYS} if isinstance(part, dict) else dict.fromkeys(KEYS, "")
        offset_s, duration_s = parse_number(values["offset"]), parse_number(values["duration"])
        talk = values["wav"].rpartition(".")[0] or values["wav"]
        path = path_inside(root, f"data/{name}/wav/{talk}")
        if not talk or offset_s is None or duration_s is None or offset_s < 0 or duration_s <= 0:
            yield malformed_row(table, line, f"{part}; expected {', '.join(KEYS)}")
            continue
        if not path.startswith(f"data/{name}/wav/"):
            problems.append(f"{table}, item {line}: wav {values['wav']!r}; expected one inside data/{name}/wav")
        path = recordings.find(f"{path}.flac")
        yield Utterance(
            id=f"{talk}-{offset_s:.3f}", source=path, audio=root / path, transcript=" ".join(UNSPOKEN.sub(" ", sentence).split()),
            locale=params.default_locale, licence=params.licence, speaker=values["speaker_id"], release_split=SPLITS[name],
            start_s=offset_s, end_s=offset_s + duration_s, duration_s=duration_s,
        )


def parts_of(table: Path) -> list[Any]:
    """Return the items of a set's list, all values as strings (a talk's id may look like a number).

    Raises:
        DataError: the file is not a YAML list, or is nested too deeply, or has aliases.
    """
    try:
        parts = parse_yaml(read_text(table, "parts of mTEDx"), max_depth=MAX_DEPTH, plain=True)
    except yaml.YAMLError as error:
        raise DataError(str(table), f"not YAML ({error})", "a list of parts") from None
    if not isinstance(parts, list):
        raise DataError(str(table), type(parts).__name__, "a list of parts")
    return parts


READER: Final = ListedReader(Params, utterances)
