"""`vizinho normalise`: one line of output per line of input, without delay."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest

from pipeline.cli.normalise import normalise_stream
from pipeline.core.errors import DataError
from pipeline.core.files import ROOT


def stream(text: bytes, locale: str = "pt-BR") -> bytes:
    """Return the output of the command for these bytes."""
    sink = io.BytesIO()
    normalise_stream(locale, io.BytesIO(text), sink)
    return sink.getvalue()


def test_each_line_gives_one_line_even_without_speech() -> None:
    assert stream("Às 14h.\n\n...\nO Sr. Zé\n".encode()) == "às catorze horas\n\n\no senhor zé\n".encode()


def test_only_a_line_feed_ends_a_line() -> None:
    assert stream("a\r\nb\u2028c\x0bd\x85e\n\ufefff".encode()) == b"a\nb c d e\nf\n"


def test_the_locale_decides() -> None:
    assert stream(b"16\n", "pt-PT") == b"dezasseis\n"
    assert stream(b"16\n", "es") == "dieciséis\n".encode()


def test_a_line_that_is_not_utf8_is_reported_after_the_lines_before_it_are_written() -> None:
    sink = io.BytesIO()
    with pytest.raises(DataError, match="standard input, line 2: not UTF-8"):
        normalise_stream("pt-BR", io.BytesIO(b"um\n\xff\n"), sink)
    assert sink.getvalue() == b"um\n"


def test_a_line_comes_back_before_the_next_is_sent() -> None:
    code = "import sys; from pipeline.cli.normalise import normalise_stream; normalise_stream('pt-BR', sys.stdin.buffer, sys.stdout.buffer)"
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        for written, spoken in ((b"1\n", b"um\n"), (b"2\n", b"dois\n")):
            process.stdin.write(written)
            process.stdin.flush()
            assert process.stdout.readline() == spoken
        process.stdin.close()
    assert process.returncode == 0
