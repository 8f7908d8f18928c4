"""The entry point of every stage module: `python -m pipeline.split portuguese`."""

from __future__ import annotations

import codecs
import gc
import inspect
import io
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pipeline.core.errors import PipelineError
from pipeline.core.progress import log_error


def arguments_of(run: Callable[..., object]) -> list[str]:
    """Return the names of the arguments that `run` takes from a command line: its parameters without a default."""
    return [name for name, parameter in inspect.signature(run).parameters.items() if parameter.default is parameter.empty]


def optional_arguments_of(run: Callable[..., object]) -> list[str]:
    """Return the names of the arguments that a command line may leave out: the parameters of `run` whose default is None."""
    return [name for name, parameter in inspect.signature(run).parameters.items() if parameter.default is None]


def stage_main(run: Callable[..., object]) -> None:
    """Call `run` with the command line's arguments and record its timing. If their number is wrong, print the usage and exit with 2."""
    arguments, wanted, optional, module = sys.argv[1:], arguments_of(run), optional_arguments_of(run), run.__globals__["__spec__"].name
    if not len(wanted) <= len(arguments) <= len(wanted) + len(optional):
        usage = [f"python -m {module}", *(name.upper() for name in wanted), *(f"[{name.upper()}]" for name in optional)]
        print("usage: " + " ".join(usage), file=sys.stderr)
        sys.exit(2)
    began = time.perf_counter()
    with exit_with_code():
        run(*arguments)
        if os.environ.get("RANK", "0") == "0":  # one process of a training records
            from pipeline.core.timing import peak_memory_bytes, record_timing  # late: it loads pandas, which `vizinho --help` does not need

            record_timing("@".join([module.removeprefix("pipeline."), *arguments[:1]]), seconds=round(time.perf_counter() - began, 2),
                          peak_memory_bytes=peak_memory_bytes())


def write_utf8() -> None:
    """Write UTF-8 to standard output and standard error, whatever the locale; what is not Unicode, as in some file names, is escaped.

    Files are UTF-8 everywhere, so that what one command prints is what another one reads.
    """
    codecs.register_error("escape", _escaped)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="escape")


def _escaped(error: UnicodeError) -> tuple[bytes, int]:
    """Return the bytes that surrogates stand for if they are UTF-8, as where the file system's encoding is ASCII; otherwise escapes."""
    assert isinstance(error, UnicodeEncodeError)
    text = error.object[error.start : error.end]
    try:
        encoded = text.encode("utf-8", "surrogateescape")
        encoded.decode()
    except UnicodeError:
        encoded = text.encode("utf-8", "backslashreplace")
    return encoded, error.end


@contextmanager
def exit_with_code() -> Iterator[None]:
    """End the process with one message and the error's exit code if the work in this context fails.

    Errors that the user can fix have no traceback.

    Garbage collection runs less often in this context, and the kernel frees the remaining objects at the end: those that imports
    create live as long as the process. With the default thresholds torch starts a sixth slower, and ends in 1.9 s instead of 0.4.
    """
    gc.set_threshold(100_000, 20, 20)
    write_utf8()
    try:
        yield
    except PipelineError as error:
        log_error(str(error))
        sys.exit(error.exit_code)
    except OSError as error:  # a full disk, a folder instead of a file, missing permission
        log_error(f"{error.filename or 'a file'}: {error.strerror or error}")
        sys.exit(1)
    finally:
        gc.freeze()
