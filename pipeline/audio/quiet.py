"""Decoders that write remarks on standard error by themselves: libmpg123 notes each damaged frame of an MP3 file."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Hide what C libraries write on standard error; what Python writes there still appears.

    Of the whole process, so not for use in several threads at once. Where `sys.stderr` is not the process's standard error, as in
    tests, nothing changes for it.
    """
    sys.stderr.flush()
    saved = os.dup(2)
    silent = os.open(os.devnull, os.O_WRONLY)
    python = sys.stderr
    try:
        is_own = python.fileno() == 2
    except (OSError, ValueError):
        is_own = False
    try:
        os.dup2(silent, 2)
        if is_own:
            sys.stderr = os.fdopen(os.dup(saved), "w", buffering=1, encoding=python.encoding, errors=python.errors)
        yield
    finally:
        if is_own:
            sys.stderr.close()
            sys.stderr = python
        os.dup2(saved, 2)
        os.close(saved)
        os.close(silent)
