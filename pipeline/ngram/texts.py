"""The sentences of a text: read, normalised, each counted once; what cannot be normalised is dropped and counted by reason.

A text comes from a file, from the transcripts of a corpus release, or from the project's own grammar.
"""

from __future__ import annotations

import gzip
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

from pipeline import corpora, text
from pipeline.core.errors import DataError, MissingInputError
from pipeline.core.files import state_dir
from pipeline.corpora.sentences import sentence
from pipeline.sources.archives import unpacked
from pipeline.sources.remote import fetched, is_address

NOT_UTF_8: Final = "not UTF-8"
REPEATED: Final = "repeated"


@dataclass(frozen=True, slots=True)
class Written:
    """A sentence as written. `locale` may be empty; `reason` tells why it cannot be used, and is empty if it can."""

    text: str
    locale: str = ""
    reason: str = ""


@dataclass(slots=True)
class Text:
    """The usable sentences of a text, in the order in which they were read.

    Args:
        offered: sentences read, usable or not.
        dropped: unusable ones by reason.
        sentences: spoken forms, no two alike.
        variants: of each sentence the canonical form that near-duplicates are compared by (`text.variants`).
    """

    offered: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    sentences: list[str] = field(default_factory=list)
    variants: list[str] = field(default_factory=list)

    @property
    def num_words(self) -> int:
        """The number of words in the sentences."""
        return sum(spoken.count(" ") + 1 for spoken in self.sentences)


def lines_of(path: Path) -> Iterator[Written]:
    """Yield the sentences of a text file: one per line, UTF-8 with or without byte order mark, gzip if the name ends in `.gz`.

    Blank lines are no sentences. A line that is not UTF-8, or has a NUL as those of UTF-16, has the reason
    "not UTF-8".

    Raises:
        MissingInputError: the file is missing.
        DataError: it is no file, or damaged gzip.
    """
    if not path.exists():
        raise MissingInputError(str(path), "no such file", "a text file, one sentence per line", "correct the text's `file` in params.yaml")
    if not path.is_file():
        raise DataError(str(path), "a folder", "a text file, one sentence per line", "correct the text's `file` in params.yaml")
    try:
        with gzip.open(path) if path.suffix == ".gz" else open(path, "rb") as handle:
            for number, content in enumerate(handle):
                try:
                    line = content.decode("utf-8-sig" if number == 0 else "utf-8").strip()
                except UnicodeDecodeError:
                    line = "\0"
                if "\0" in line:
                    yield Written("", reason=NOT_UTF_8)
                elif line:
                    yield Written(line)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(str(path), f"damaged gzip ({error})", "a complete gzip file", "compress the text again") from None


def transcripts_of(source: str, params: corpora.Release) -> Iterator[Written]:
    """Yield the transcripts of a corpus release; an utterance that its reader rejects has the reader's reason.

    Args:
        source: folder, file or archive, relative to the working directory, or its address.
        params: of the reader that the release needs.
    """
    reader = corpora.reader(params.reader)
    with ExitStack() as stack:
        at = stack.enter_context(fetched(source, state_dir() / "fetched")) if is_address(source) else Path(source)
        folder = stack.enter_context(unpacked(at, state_dir() / "archives"))
        for task in reader.shards(params, folder):
            for found in reader.read(params, folder, task):
                if isinstance(found, corpora.Utterance):
                    yield Written(found.transcript, found.locale)
                else:
                    yield Written("", reason=found.reason)
        if hasattr(reader, "clean"):
            cast(Any, reader).clean(params, folder)


def generated(utterances: int, seed: int, locales: Mapping[str, float]) -> Iterator[Written]:
    """Yield sentences of the project's grammar, as the reader `speak` writes them.

    Args:
        utterances: number of sentences.
        seed: of the list of sentences; another than that of the corpus, whose sentences would be removed otherwise.
        locales: share of the sentences by locale.
    """
    number_of = dict.fromkeys(locales, 0)
    for index in range(utterances):
        locale = max(number_of, key=lambda name: locales[name] * (index + 1) - number_of[name])
        number_of[locale] += 1
        yield Written(sentence(locale, seed, index), locale)


def gather(written: Iterable[Written], default_locale: str, seen: set[str]) -> Text:
    """Return the sentences in spoken form, each once; the others counted by reason.

    `not UTF-8`, or a reader's reason   it could not be read
    `other language`                    its locale is of another language than the default
    `nothing spoken`, `other script`, `unknown symbol`     the normaliser cannot verbalise it (`text.check`)
    `repeated`                          its spoken form is in `seen`

    Args:
        written: sentences as read.
        default_locale: rules of sentences whose own locale has none.
        seen: spoken forms of the texts before this one; those of this one are added.
    """
    found = Text()
    for item in written:
        found.offered += 1
        spoken, reason = "", item.reason
        locale = item.locale if item.locale in text.LOCALES else default_locale
        if not reason and (item.locale or locale).split("-")[0] != default_locale.split("-")[0]:
            reason = "other language"
        if not reason:
            result = text.check(item.text, locale)
            spoken, reason = result.text, result.reason
        if not reason and spoken in seen:
            reason = REPEATED
        if reason:
            found.dropped[reason] += 1
            continue
        seen.add(spoken)
        variants = text.variants(spoken, locale)
        found.sentences.append(spoken)
        found.variants.append(spoken if variants == spoken else variants)
    return found


def gather_normalised(sentences: Iterable[str], variants: Iterable[str], seen: set[str]) -> Text:
    """Return sentences that are normalised already, as those of a split, each once."""
    found = Text()
    for spoken, canonical in zip(sentences, variants, strict=True):
        found.offered += 1
        if spoken in seen:
            found.dropped[REPEATED] += 1
            continue
        seen.add(spoken)
        found.sentences.append(spoken)
        found.variants.append(canonical)
    return found
