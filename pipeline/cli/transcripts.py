"""Plain transcript files, `id<TAB>text[<TAB>speaker]`, of any system."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from pipeline.core.errors import DataError, MissingInputError
from pipeline.text import normalise, variants

NAMED = 10
"""Ids named in a message; the rest are counted."""


def read_transcripts(path: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Return text and speaker by id. A line of an id alone is an empty text; a missing speaker is "" (unknown).

    Raises:
        MissingInputError: there is no such file.
        DataError: not UTF-8, no line, a line without id or with more than three columns, an id twice; every line named.
    """
    try:
        content = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise MissingInputError(str(path), "no such file", "lines of id<TAB>text") from None
    except UnicodeDecodeError as error:
        raise DataError(str(path), f"not UTF-8 ({error})", "UTF-8 text", "convert it") from None
    texts: dict[str, str] = {}
    speakers: dict[str, str] = {}
    problems = []
    for number, line in enumerate(content.removesuffix("\n").split("\n") if content else [], 1):
        name, *rest = line.removesuffix("\r").split("\t")
        if not name.strip() or len(rest) > 2:
            problems.append(f"line {number} has {'no id' if not name.strip() else f'{len(rest) + 1} columns'}")
        elif name in texts:
            problems.append(f"line {number}: id {name} again")
        else:
            texts[name], speakers[name] = (rest + ["", ""])[:2]
    if problems or not texts:
        raise DataError(str(path), _some(problems) or "empty", "lines of id<TAB>text[<TAB>speaker], each id once")
    return texts, speakers


def paired(reference: Path, hypotheses: Sequence[Path], locale: str | None) -> list[pd.DataFrame]:
    """Return for each hypothesis file a table that can be scored against the reference file, speakers taken from it.

    Args:
        locale: normalise all texts by its rules first, and know its spelling variants.

    Raises:
        DataError: an id of the reference is missing in a hypothesis file, or one there is unknown; every file's named.
    """
    references, speakers = read_transcripts(reference)
    heard = [(path, read_transcripts(path)[0]) for path in hypotheses]
    problems = []
    for path, texts in heard:
        for kind, names in (("missing", references.keys() - texts.keys()), ("unknown", texts.keys() - references.keys())):
            if names:
                problems.append(f"{path}: {len(names)} {kind} ({_some(sorted(names))})")
    if problems:
        raise DataError("ids", "; ".join(problems), f"those of {reference}", "score what belongs together")

    clean: Callable[[str], str] = (lambda text: normalise(text, locale)) if locale else str
    ids = sorted(references)
    base = pd.DataFrame({
        "utterance_id": ids, "speaker": [speakers[name] for name in ids], "speaker_dependent": False,
        "reference": [clean(references[name]) for name in ids],
    })
    tables = []
    for _, texts in heard:
        table = base.assign(hypothesis=[clean(texts[name]) for name in ids])
        if locale:
            table = table.assign(**{f"{side}_variants": [variants(text, locale) for text in table[side]] for side in ("reference", "hypothesis")})
        tables.append(table)
    return tables


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
