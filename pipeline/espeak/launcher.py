"""The launcher of eSpeak NG: starts the child program, sends it requests, returns its replies or raises its errors.

Nothing here loads eSpeak NG. `pipeline.espeak.child` describes the requests.
"""

from __future__ import annotations

import importlib.util
import json
import os
import select
import struct
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import cache
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from pipeline.core.errors import DataError, MissingInputError

CHILD: Final = "pipeline.espeak.child"
PACKAGE: Final = "espeakng-loader"
MODULE: Final = "espeakng_loader"
WHERE: Final = "eSpeak NG"
RATE_HZ: Final = 22_050  # of synthesised samples
TIMEOUT_S: Final = 60    # for one reply; synthesis runs a hundred times faster than real time
PIPE_BYTES: Final = 1 << 20  # holds an utterance, so that the child need not wait within one
FRAME: Final = struct.Struct("<II")


class Espeak:
    """One child process, from start to end of a `with` block: a fresh start, so that the same requests give the same bytes."""

    def __init__(self, seed: int | None = None) -> None:
        """Start the child and load eSpeak NG in it.

        Args:
            seed: of eSpeak's random numbers; None where nothing is synthesised.

        Raises:
            MissingInputError: espeakng-loader is not installed.
            DataError: eSpeak NG cannot be loaded, or the child died.
        """
        command = [sys.executable, "-I", "-S", str(child_file()), str(package_folder())]  # without site: starts in half the time
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the child)
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors,
                                         pipesize=PIPE_BYTES)
        try:
            self._ask({"command": "open", "seed": seed})
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Espeak:
        """Return the running child."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        """End the child."""
        self.close()

    def synthesise(self, text: str, voice: str, variant: str, *, rate_wpm: int, volume: int, pitch: int, pitch_range: int,
                   word_gap_ms: int) -> bytearray:
        """Return the text as spoken by a voice: 16-bit samples, little endian, at 22,050 Hz.

        Args:
            text: in spoken form.
            voice: eSpeak's name, such as pt-br.
            variant: of the voice, such as m3.
            rate_wpm: words per minute.
            volume: 0..200, 100 is eSpeak's default.
            pitch: 0..100, 50 is the variant's own.
            pitch_range: 0..100, monotonous to lively.
            word_gap_ms: pause between words, in steps of 10 ms.

        Raises:
            DataError: there is no such voice or variant, eSpeak returns an error, or the child died.
        """
        return self._ask({"command": "synthesise", "text": text, "voice": voice, "variant": variant, "rate_wpm": rate_wpm, "volume": volume,
                          "pitch": pitch, "pitch_range": pitch_range, "word_gap": word_gap_ms // 10})[1]

    def phonemise(self, voice: str, words: Sequence[str]) -> list[str]:
        """Return the words in IPA, each as the voice pronounces it on its own.

        Raises:
            DataError: there is no such voice, or the child died.
        """
        written: list[str] = self._ask({"command": "phonemise", "voice": voice, "words": list(words)})[0]["words"]
        return written

    def close(self) -> None:
        """End the child."""
        self._process.kill()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            if stream is not None:
                stream.close()
        self._process.wait()

    def _ask(self, request: dict[str, Any]) -> tuple[dict[str, Any], bytearray]:
        encoded = json.dumps(request).encode()
        try:
            self._write(FRAME.pack(len(encoded), 0) + encoded)
            header_length, payload_length = FRAME.unpack(self._read(FRAME.size))
            header: dict[str, Any] = json.loads(self._read(header_length))
            payload = self._read(payload_length)
        except (BrokenPipeError, EOFError):
            raise self._death() from None
        if "error" in header:
            raise DataError(WHERE, *header["error"])
        return header, payload

    def _write(self, frame: bytes) -> None:
        assert self._process.stdin is not None
        rest = memoryview(frame)
        while rest:
            rest = rest[os.write(self._process.stdin.fileno(), rest) :]

    def _read(self, length: int) -> bytearray:
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        ready = select.poll()
        ready.register(descriptor, select.POLLIN)
        received = bytearray(length)
        rest = memoryview(received)
        while rest:
            if not ready.poll(1_000 * TIMEOUT_S):
                raise DataError(WHERE, f"no reply within {TIMEOUT_S} s", action="run the stage again")
            count = os.readv(descriptor, [rest])
            if not count:
                raise EOFError
            rest = rest[count:]
        return received

    def _death(self) -> DataError:
        status = self._process.wait()
        self._errors.seek(0)
        last = self._errors.read().decode(errors="replace").strip().rpartition("\n")[2]
        return DataError(WHERE, f"its process died (exit {status})" + (f": {last}" if last else ""),
                         action="check whether memory or disk is full, and run the stage again")


def phonemise(voice: str, words: Sequence[str]) -> list[str]:
    """Return the words in IPA, each as the eSpeak NG voice pronounces it on its own.

    Every call starts a child of its own, so that what a word becomes depends on no other language.

    Raises:
        MissingInputError: espeakng-loader is not installed.
        DataError: eSpeak NG cannot be loaded, has no such voice, or died.
    """
    with Espeak() as espeak:
        return espeak.phonemise(voice, words)


def version() -> str:
    """Return the version of the package that contains eSpeak NG.

    Raises:
        MissingInputError: it is not installed.
    """
    try:
        return metadata.version(PACKAGE)
    except metadata.PackageNotFoundError:
        raise _not_installed() from None


def package_folder() -> Path:
    """Return the folder that espeakng_loader is installed in, without importing it.

    Raises:
        MissingInputError: it is not installed.
    """
    found = importlib.util.find_spec(MODULE)
    if found is None or found.origin is None:
        raise _not_installed()
    return Path(found.origin).parent.parent


@cache
def child_file() -> Path:
    """Return the child program."""
    found = importlib.util.find_spec(CHILD)
    assert found is not None, f"{CHILD} lies beside this module"
    assert found.origin is not None, f"{CHILD} is a file"
    return Path(found.origin)


def _not_installed() -> MissingInputError:
    return MissingInputError(WHERE, f"the package {PACKAGE} is not installed", PACKAGE, "install it: pip install -r requirements/speak.txt")
