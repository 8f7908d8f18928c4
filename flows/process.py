"""Run a command in a separate process group: its lines, its progress bars as numbers, and its end with the flow.

The command writes to a pseudo-terminal, because DVC and tqdm draw progress bars only there. Text that the command overwrites is
progress; text that it ends with a line break is its log.
"""

from __future__ import annotations

import errno
import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flows.redaction import redact

END_WITH_PARENT: Final = Path(__file__).with_name("end_with_parent.py")
KEPT_LINES: Final = 40
KEPT_STATES: Final = 500
"""States of progress bars that are remembered, to recognise one that is redrawn unchanged."""
GRACE_S: Final = 20.0
"""Seconds between SIGINT and SIGKILL: a stage closes its files and DVC releases its locks in this time."""

ESCAPES: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
BAR: Final = re.compile(r"^(?P<label>[^|]*?):?\s*(?P<percent>\d{1,3})%\|[^|]*\|\s*(?P<figures>[^\[]*\[[^\]]*\]?)\s*(?P<line>.*)$")
BAR_CLOCK: Final = re.compile(r"\[[^\]]*(\]|$)")
"""The clock of a bar: it advances without progress of the work."""
COUNTER: Final = re.compile(r"\[\d+:\d\d(:\d\d)?[,<][^\]]*\]?\s*$")
"""A bar without a total: `Checkout |3.00 [00:01, 2.5file/s]`."""
DVC_BAR: Final = re.compile(r"^\s*(\d{1,3}% .*\|.*|Fetching|Pushing|Collecting|Checkout|Building workspace index|!)$")
DVC_HINT: Final = re.compile(r"^(To track the changes with git, run:|\s+git add .*|To enable auto staging, run:|\s+dvc config core.autostage true|"
                             r"Use `dvc push` to send your updates to remote storage\.|"
                             r"WARNING: No file hash info found for '.*'\. It won't be created\.)$")
"""What DVC prints for its user at a terminal; a run's log needs none of it. The warning names each out of a stage that has not run yet."""

stopping = threading.Event()
"""Set when the flow ends before its commands: each of them is then stopped."""


@dataclass(frozen=True, slots=True)
class Progress:
    """A state of a progress bar.

    Args:
        label: text before the percentage: `train@transfer`.
        percent: 0 to 100.
        figures: the bar's own figures: `240/480 [00:33<00:33, 7.2step/s]`.
    """

    label: str
    percent: int
    figures: str


@dataclass(frozen=True, slots=True)
class Finished:
    """How a command ended.

    Args:
        code: its exit code; 128 plus the signal's number after a signal.
        lines: its last lines.
        stopped: whether this process stopped it.
        seconds: how long it ran.
        stalled: whether it was stopped because it had shown nothing new for too long.
    """

    code: int
    lines: tuple[str, ...]
    stopped: bool
    seconds: float
    stalled: bool = False


class Screen:
    """Splits the output of a terminal into lines and progress."""

    def __init__(self, on_line: Callable[[str], object], on_progress: Callable[[Progress], object]) -> None:
        """Create a screen that passes each line and each state of a progress bar on."""
        self.on_line, self.on_progress = on_line, on_progress
        self.rest = b""
        self.states: dict[str, None] = {}
        self.changed_at = time.monotonic()

    def feed(self, chunk: bytes) -> None:
        """Process new output: pass on the complete lines and the states of bars in it."""
        *lines, self.rest = (self.rest + chunk).split(b"\n")
        for part in [*lines, self.rest]:
            self.note_change(part)
        for line in lines:
            self.end_line(line)
        if b"\r" in self.rest:
            *drawn, last = self.rest.split(b"\r")
            for part in drawn[-2:]:
                self.split_bar(_plain(part))
            self.rest = last

    def note_change(self, drawn: bytes) -> None:
        """Record the time if something new is drawn; the clock of a bar does not count."""
        state = BAR_CLOCK.sub("", _plain(drawn.replace(b"\r", b" "))).strip()
        if state not in self.states:
            self.changed_at = time.monotonic()
            self.states[state] = None
            if len(self.states) > KEPT_STATES:
                del self.states[next(iter(self.states))]

    def end_line(self, line: bytes) -> None:
        """Pass on a line in its final state: without overwritten text, and without the bar before it."""
        for part in reversed(line.split(b"\r")):
            text = self.split_bar(_plain(part))
            if text and not COUNTER.search(text) and not DVC_BAR.match(text):
                if not DVC_HINT.match(text):
                    self.on_line(text)
                return

    def split_bar(self, text: str) -> str:
        """Return a text without the progress bar at its start; pass the bar's state on.

        A bar without a label is DVC's, for one of the files that it copies or hashes: it is dropped.
        """
        found = BAR.match(text)
        if not found:
            return text
        if label := found["label"].strip():
            self.on_progress(Progress(redact(label), min(100, int(found["percent"])), redact(found["figures"].strip())))
        return found["line"]

    def close(self) -> None:
        """Pass on what is left after the last line break."""
        self.end_line(self.rest)


def _plain(part: bytes) -> str:
    return ESCAPES.sub("", part.decode(errors="replace")).rstrip()


def run(command: Sequence[str], cwd: Path, environment: Mapping[str, str], on_line: Callable[[str], object] = lambda line: None,
        on_progress: Callable[[Progress], object] = lambda progress: None, stall_timeout_s: float | None = None) -> Finished:
    """Run a command to its end and return how it ended.

    No process of its group survives it, nor does one survive this process, even after SIGKILL.

    Args:
        command: program and arguments.
        cwd: its working folder.
        environment: its environment.
        on_line: called with each line, secrets masked.
        on_progress: called with each state of a progress bar.
        stall_timeout_s: it is stopped after it has shown nothing new for this long; None: no limit.
    """
    lines: deque[str] = deque(maxlen=KEPT_LINES)
    stopped_at: float | None = None
    stalled = False

    def keep(line: str) -> None:
        if stopped_at is not None:
            return  # messages about the interrupt hide the reason for it
        clean = redact(line)
        lines.append(clean)
        on_line(clean)

    screen, began = Screen(keep, on_progress), time.monotonic()
    terminal, held_pipe, process = _start(command, cwd, environment)
    try:
        while True:
            stalled |= stall_timeout_s is not None and stopped_at is None and time.monotonic() - screen.changed_at > stall_timeout_s
            if (stopping.is_set() or stalled) and stopped_at is None:
                stopped_at = time.monotonic()
                _signal(process.pid, signal.SIGINT)
            if stopped_at is not None and time.monotonic() - stopped_at > GRACE_S:
                _signal(process.pid, signal.SIGKILL)
            if select.select([terminal], [], [], 0.2)[0]:
                if not (chunk := _read(terminal)):
                    break
                screen.feed(chunk)
            elif process.poll() is not None:
                break  # a process that outlived the leader still holds the terminal
        code = process.wait(GRACE_S)
        screen.close()
        return Finished(code, tuple(lines), stopped_at is not None, time.monotonic() - began, stalled)
    finally:
        _signal(process.pid, signal.SIGKILL)
        os.close(held_pipe)
        os.close(terminal)
        process.wait()


def _start(command: Sequence[str], cwd: Path, environment: Mapping[str, str]) -> tuple[int, int, subprocess.Popen[bytes]]:
    """Return the terminal of a started command, the pipe that keeps its group alive while open, and the leader of its group."""
    ours, theirs = pty.openpty()
    reading_end, writing_end = os.pipe()
    try:
        modes = termios.tcgetattr(theirs)
        modes[1] &= ~termios.OPOST  # line breaks as they are written
        termios.tcsetattr(theirs, termios.TCSANOW, modes)
        termios.tcsetwinsize(theirs, (50, 120))
        process = subprocess.Popen([sys.executable, "-I", str(END_WITH_PARENT), str(reading_end), *command], cwd=cwd, env=dict(environment),
                                   stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, pass_fds=[reading_end], start_new_session=True)
    except BaseException:
        os.close(writing_end)
        os.close(ours)
        raise
    finally:
        os.close(theirs)
        os.close(reading_end)
    return ours, writing_end, process


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 1 << 16)
    except OSError as error:
        if error.errno == errno.EIO:  # no process has the other end open
            return b""
        raise


def _signal(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
