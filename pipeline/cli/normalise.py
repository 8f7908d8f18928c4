"""`vizinho normalise`: the spoken form of each line of standard input, written as soon as the line is read."""

from __future__ import annotations

from typing import BinaryIO

from pipeline.core.errors import DataError
from pipeline.text import normalise


def normalise_stream(locale: str, source: BinaryIO, sink: BinaryIO) -> None:
    """Write the spoken form of each line of `source` to `sink`; a line without speech gives an empty one.

    Args:
        locale: pt-BR, pt-PT, es or es-419.
        source: UTF-8; only a line feed ends a line.
        sink: UTF-8; flushed after each line, so that a reader need not wait.

    Raises:
        DataError: a line is not UTF-8; the lines before it are written.
    """
    for number, line in enumerate(source, 1):
        try:
            written = line.decode("utf-8")
        except UnicodeDecodeError as error:
            raise DataError(f"standard input, line {number}", f"not UTF-8 ({error})", "UTF-8 text", "convert it, for example with iconv") from None
        sink.write(normalise(written, locale).encode() + b"\n")
        sink.flush()
