"""A command's process group ends with its parent, and its exit code is passed on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from flows.process import END_WITH_PARENT


def start(*command: str) -> tuple[subprocess.Popen[bytes], int]:
    """Return a command under the module, and the pipe's end that keeps it alive."""
    reading_end, writing_end = os.pipe()
    process = subprocess.Popen([sys.executable, "-I", str(END_WITH_PARENT), str(reading_end), *command], pass_fds=[reading_end],
                               start_new_session=True)
    os.close(reading_end)
    return process, writing_end


def test_a_closed_pipe_kills_the_group() -> None:
    process, pipe = start("sleep", "60")
    os.close(pipe)
    assert process.wait(10) == -signal.SIGKILL


def test_the_exit_code_of_the_command_is_passed_on_and_a_signal_adds_128() -> None:
    for command, code in ((["sh", "-c", "exit 3"], 3), (["sh", "-c", "kill -TERM $$"], 128 + signal.SIGTERM)):
        process, pipe = start(*command)
        assert process.wait(10) == code
        os.close(pipe)
