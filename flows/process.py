"""A command in a process group of its own: its lines as they come, its progress bars as numbers, its end ours.

The command writes to a pseudo-terminal, since that is where it draws progress bars; what it draws over itself is
progress, what it ends with a line break is its log.
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

LEASH: Final = Path(__file__).with_name("leash.py")
KEPT_LINES: Final = 40
KEPT_STATES: Final = 500  # of bars side by side: one that is drawn again as it was is no news
GRACE_S: Final = 20.0  # after SIGINT: a stage lets go of its files and DVC of its locks; then SIGKILL

ESCAPES: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
BAR: Final = re.compile(r"^(?P<label>[^|]*?):?\s*(?P<percent>\d{1,3})%\|[^|]*\|\s*(?P<rest>[^\[]*\[[^\]]*\]?)\s*(?P<line>.*)$")
CLOCK: Final = re.compile(r"\[[^\]]*(\]|$)")  # of a bar: it goes on where nothing else does
COUNTER: Final = re.compile(r"\[\d+:\d\d(:\d\d)?[,<][^\]]*\]?\s*$")  # a bar without a total: `Checkout |3.00 [00:01, 2.5file/s]`

DVC_BAR: Final = re.compile(r"^\s*(\d{1,3}% .*\|.*|Fetching|Pushing|Collecting|Checkout|Building workspace index|!)$")
HINT: Final = re.compile(r"^(To track the changes with git, run:|\s+git add .*|To enable auto staging, run:|\s+dvc config core.autostage true|"
                         r"Use `dvc push` to send your updates to remote storage\.)$")  # of DVC, to whoever sits before it

stopping = threading.Event()
"""Set when the flow ends before its commands: each of them is stopped."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What a progress bar shows.

    Args:
        percent: 0 to 100.
        rest: the bar's own figures: `240/480 [00:33<00:33, 7.2step/s]`.
    """

    label: str
    percent: int
    rest: str


@dataclass(frozen=True, slots=True)
class Finished:
    """How a command ended.

    Args:
        code: its exit code; 128 and the signal's number where it was killed.
        lines: its last lines.
        stopped: whether it was stopped from here.
        seconds: how long it ran.
        stuck: whether that was because nothing moved any more.
    """

    code: int
    lines: tuple[str, ...]
    stopped: bool
    seconds: float
    stuck: bool = False


class Screen:
    """Splits what a terminal is sent into lines and progress."""

    def __init__(self, said: Callable[[str], object], progressed: Callable[[Progress], object]) -> None:
        self.said, self.progressed = said, progressed
        self.rest = b""
        self.states: dict[str, None] = {}
        self.moved_at = time.monotonic()

    def feed(self, chunk: bytes) -> None:
        """Take in what came: whole lines are said, bars are told."""
        *lines, self.rest = (self.rest + chunk).split(b"\n")
        for part in [*lines, self.rest]:
            self.look(part)
        for line in lines:
            self.line(line)
        if b"\r" in self.rest:
            *drawn, last = self.rest.split(b"\r")
            for part in drawn[-2:]:
                self.bar(_plain(part))
            self.rest = last

    def look(self, drawn: bytes) -> None:
        """Note the time where something is drawn that was not there before, a bar's clock aside."""
        state = CLOCK.sub("", _plain(drawn.replace(b"\r", b" "))).strip()
        if state not in self.states:
            self.moved_at = time.monotonic()
            self.states[state] = None
            if len(self.states) > KEPT_STATES:
                del self.states[next(iter(self.states))]

    def line(self, line: bytes) -> None:
        """Say a line as it looks in the end: what was drawn over is gone, what was written behind a bar is a line."""
        for part in reversed(line.split(b"\r")):
            text = self.bar(_plain(part))
            if text and not COUNTER.search(text) and not DVC_BAR.match(text):
                if not HINT.match(text):
                    self.said(text)
                return

    def bar(self, text: str) -> str:
        """Return a text without the progress bar that it begins with; tell the bar's state."""
        found = BAR.match(text)
        if not found:
            return text
        self.progressed(Progress(redact(found["label"].strip()), min(100, int(found["percent"])), redact(found["rest"].strip())))
        return found["line"]

    def close(self) -> None:
        self.line(self.rest)


def _plain(part: bytes) -> str:
    return ESCAPES.sub("", part.decode(errors="replace")).rstrip()


def run(command: Sequence[str], cwd: Path, environment: Mapping[str, str], said: Callable[[str], object] = lambda line: None,
        progressed: Callable[[Progress], object] = lambda progress: None, patience_s: float | None = None) -> Finished:
    """Run a command to its end and return how it ended. Nothing of its process group is left afterwards, nor when this
    process is killed.

    Args:
        said: called with each line, secrets taken out.
        progressed: called with each state of a progress bar.
        patience_s: it is stopped where it has shown nothing new for so long; None: it may be silent.
    """
    lines: deque[str] = deque(maxlen=KEPT_LINES)
    stopped_at: float | None = None
    stuck = False

    def say(line: str) -> None:
        if stopped_at is not None:
            return  # what it says of the interrupt is not what anybody looks for
        clean = redact(line)
        lines.append(clean)
        said(clean)

    screen, began = Screen(say, progressed), time.monotonic()
    ours, theirs = pty.openpty()
    line_end, held = os.pipe()
    try:
        modes = termios.tcgetattr(theirs)
        modes[1] &= ~termios.OPOST  # line breaks as they are written
        termios.tcsetattr(theirs, termios.TCSANOW, modes)
        termios.tcsetwinsize(theirs, (50, 120))
        process = subprocess.Popen([sys.executable, "-I", str(LEASH), str(line_end), *command], cwd=cwd, env=dict(environment),
                                   stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, pass_fds=[line_end], start_new_session=True)
    except BaseException:
        os.close(held)
        os.close(ours)
        raise
    finally:
        os.close(theirs)
        os.close(line_end)
    try:
        while True:
            stuck |= patience_s is not None and stopped_at is None and time.monotonic() - screen.moved_at > patience_s
            if (stopping.is_set() or stuck) and stopped_at is None:
                stopped_at = time.monotonic()
                _signal(process.pid, signal.SIGINT)
            if stopped_at is not None and time.monotonic() - stopped_at > GRACE_S:
                _signal(process.pid, signal.SIGKILL)
            if select.select([ours], [], [], 0.2)[0]:
                if not (chunk := _read(ours)):
                    break
                screen.feed(chunk)
            elif process.poll() is not None:
                break  # a process that outlived the leader still holds the terminal
        code = process.wait(GRACE_S)
        screen.close()
        return Finished(code, tuple(lines), stopped_at is not None, time.monotonic() - began, stuck)
    finally:
        _signal(process.pid, signal.SIGKILL)
        os.close(held)
        os.close(ours)
        process.wait()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 1 << 16)
    except OSError as error:
        if error.errno == errno.EIO:  # nobody writes any more
            return b""
        raise


def _signal(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
