"""Plain transcript files, `id<TAB>text[<TAB>speaker]`, of any system."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from pipeline.core.errors import DataError, MissingInputError
from pipeline.text import normalise, variants

MAX_LISTED = 10
"""Most ids listed in a message; the rest are counted."""


def read_transcripts(path: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Return text and speaker by id. A line with only an id has an empty text; a missing speaker is "" (unknown).

    Raises:
        MissingInputError: the file is missing.
        DataError: lists every line without id, with more than three columns or with a repeated id; also if the file is
            empty or not UTF-8.
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
            problems.append(f"line {number}: id {name} is repeated")
        else:
            texts[name], speakers[name] = (rest + ["", ""])[:2]
    if problems or not texts:
        raise DataError(str(path), _listed(problems) or "empty", "lines of id<TAB>text[<TAB>speaker], each id once")
    return texts, speakers


def paired_tables(reference: Path, hypotheses: Sequence[Path], locale: str | None) -> list[pd.DataFrame]:
    """Return one table per hypothesis file with the columns that `scorecard` needs; speakers come from the reference file.

    Args:
        reference: file of the references.
        hypotheses: files of the hypotheses, with the same ids.
        locale: normalise all texts by its rules and add its spelling variants; None for texts as they are.

    Raises:
        DataError: lists, per file, ids that are missing or unknown.
    """
    references, speakers = read_transcripts(reference)
    by_file = [(path, read_transcripts(path)[0]) for path in hypotheses]
    problems = []
    for path, texts in by_file:
        for kind, names in (("missing", references.keys() - texts.keys()), ("unknown", texts.keys() - references.keys())):
            if names:
                problems.append(f"{path}: {len(names)} {kind} ({_listed(sorted(names))})")
    if problems:
        raise DataError("ids", "; ".join(problems), f"the ids of {reference}", "use files of the same utterances")

    clean: Callable[[str], str] = (lambda text: normalise(text, locale)) if locale else str
    ids = sorted(references)
    base = pd.DataFrame({
        "utterance_id": ids, "speaker": [speakers[name] for name in ids], "speaker_dependent": False,
        "reference": [clean(references[name]) for name in ids],
    })
    tables = []
    for _, texts in by_file:
        table = base.assign(hypothesis=[clean(texts[name]) for name in ids])
        if locale:
            table = table.assign(**{f"{side}_variants": [variants(text, locale) for text in table[side]] for side in ("reference", "hypothesis")})
        tables.append(table)
    return tables


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:MAX_LISTED]) + (f" and {len(names) - MAX_LISTED} more" if len(names) > MAX_LISTED else "")
