"""Run a command that ends with whoever started it: `python -I leash.py FD COMMAND...`, as leader of its process group.

FD is the reading end of a pipe that the starter holds open. When it closes, however the starter ended, the whole group
is killed: DVC and the training under it would otherwise go on. Standard library only, as it must start at once.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading


def watch(line: int) -> None:
    """Kill the group when the pipe closes."""
    while os.read(line, 1):
        pass
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, lambda *_: None)  # the command's to act on; a handler, unlike SIG_IGN, is not inherited
    threading.Thread(target=watch, args=[int(sys.argv[1])], daemon=True).start()
    code = subprocess.call(sys.argv[2:])
    os._exit(code if code >= 0 else 128 - code)
