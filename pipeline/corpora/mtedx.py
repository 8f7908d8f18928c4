"""Multilingual TEDx: whole talks, and which part of each is which sentence.

    data/{train,valid,test}/wav/TALK.flac             the folder is called wav
    data/{train,valid,test}/txt/{train,valid,test}.pt     a sentence a line
    data/{train,valid,test}/txt/{train,valid,test}.yaml   as many items: duration, offset, speaker_id, wav (called .wav)

Subtitles hold sounds and text on the screen in brackets, « (Aplausos) », which nobody speaks: they are taken out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Literal

import yaml
from pydantic import Field

from pipeline.core.errors import DataError
from pipeline.corpora import Reject, Utterance
from pipeline.corpora.release import LOCALES, SPLITS, Listed, Published, inside, malformed, number, read_text, root_of, whole

SETS: Final = ("train", "valid", "test")
KEYS: Final = ("duration", "offset", "speaker_id", "wav")
ENDINGS: Final = (".flac", ".wav")
UNSPOKEN: Final = re.compile(r"\([^()]*\)|\[[^\[\]]*\]|[♪♫]")


class Params(Published):
    """`ingest.CORPUS` with `reader: mtedx`."""

    reader: Literal["mtedx"]
    licence: str = Field("CC-BY-NC-ND-4.0", min_length=1, description="of all of it")


def utterances(params: Params, source: Path) -> Sequence[Utterance | Reject]:
    """Return the sentences of the sets that are there.

    Raises:
        MissingInputError: no release.
        DataError: a set's sentences and its parts are not equally many, or a talk lies outside the release.
    """
    root = root_of(source, "data/*/txt/*.yaml", "mTEDx release")
    problems: list[str] = []
    found = [row for name in SETS if (root / "data" / name).is_dir() for row in _rows(params, root, name, problems)]
    return whole(root, found, problems, "sentence")


def _rows(params: Params, root: Path, name: str, problems: list[str]) -> Iterator[Utterance | Reject]:
    texts = f"data/{name}/txt/{name}.{LOCALES[params.language]}"
    table = f"data/{name}/txt/{name}.yaml"
    sentences = read_text(root / texts, "sentences of mTEDx").removesuffix("\n").split("\n")
    parts = parts_of(root / table)
    if len(sentences) != len(parts):
        problems.append(f"{texts} has {len(sentences)} lines, {table} {len(parts)} items; expected equally many")
        return
    for line, (sentence, part) in enumerate(zip(sentences, parts, strict=True), 1):
        values = {key: str(part.get(key, "")) for key in KEYS} if isinstance(part, dict) else dict.fromkeys(KEYS, "")
        offset_s, duration_s = number(values["offset"]), number(values["duration"])
        talk = values["wav"].rpartition(".")[0] or values["wav"]
        path = inside(root, f"data/{name}/wav/{talk}")
        if not talk or offset_s is None or duration_s is None or offset_s < 0 or duration_s <= 0:
            yield malformed(table, line, f"{part}; expected {', '.join(KEYS)}")
            continue
        if not path.startswith(f"data/{name}/wav/"):
            problems.append(f"{table}, item {line}: wav {values['wav']!r}; expected one inside data/{name}/wav")
        path += next((ending for ending in ENDINGS if (root / f"{path}{ending}").exists()), ENDINGS[0])
        yield Utterance(
            id=f"{talk}-{offset_s:.3f}", source=path, audio=root / path, transcript=" ".join(UNSPOKEN.sub(" ", sentence).split()),
            locale=params.default_locale, licence=params.licence, speaker=values["speaker_id"], release_split=SPLITS[name],
            start_s=offset_s, end_s=offset_s + duration_s, duration_s=duration_s,
        )


def parts_of(table: Path) -> list[Any]:
    """Return the items of a set's list, all values as they are written (a talk's id may look like a number).

    Raises:
        DataError: it is no list in YAML.
    """
    try:
        parts = yaml.load(read_text(table, "parts of mTEDx"), Loader=getattr(yaml, "CBaseLoader", yaml.BaseLoader))
    except yaml.YAMLError as error:
        raise DataError(str(table), f"not YAML ({error})", "a list of parts") from None
    if not isinstance(parts, list):
        raise DataError(str(table), type(parts).__name__, "a list of parts")
    return parts


READER: Final = Listed(Params, utterances)
