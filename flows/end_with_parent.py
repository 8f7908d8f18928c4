"""Run a command whose process group ends with its parent: `python -I end_with_parent.py FD COMMAND...`.

FD is the reading end of a pipe whose writing end the parent holds. The kernel closes the pipe when the parent ends, SIGKILL
included, and the whole group is then killed. Without it DVC and the training under it would continue. This process leads the
group. Standard library only, for a fast start.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading


def kill_group_at_end_of(pipe: int) -> None:
    """Kill the process group when the pipe is closed at its other end."""
    while os.read(pipe, 1):
        pass
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, lambda *_: None)  # the command handles it; a handler, unlike SIG_IGN, is not inherited
    threading.Thread(target=kill_group_at_end_of, args=[int(sys.argv[1])], daemon=True).start()
    code = subprocess.call(sys.argv[2:])
    os._exit(code if code >= 0 else 128 - code)
