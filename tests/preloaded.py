"""Stages that start at once: each is forked from a process that has imported the large libraries, as `python -m` would run it.

A stage that uses torch takes ten seconds of CPU time to import it and transformers; a small run has ten of them. `served` starts the process and
yields a folder with a `python` to put first in PATH. What is no stage runs in the real Python.
"""

from __future__ import annotations

import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SHIM = """#!{python} -IS
import json, os, socket, sys
if sys.argv[1:2] != ["-m"] or not sys.argv[2:] or not sys.argv[2].startswith("pipeline."):
    os.execv("{python}", ["{python}", *sys.argv[1:]])
with socket.socket(socket.AF_UNIX) as stage:
    stage.connect("{address}")
    socket.send_fds(stage, [b"-"], [0, 1, 2])
    stage.sendall(json.dumps([os.getcwd(), sys.argv[2:], dict(os.environ)]).encode())
    stage.shutdown(socket.SHUT_WR)
    sys.exit(int(stage.recv(8) or b"1"))
"""


@contextmanager
def served(folder: Path) -> Iterator[Path]:
    """Start the process; yield the folder of its `python`; end it and all stages.

    Args:
        folder: an empty folder; its path has at most 90 bytes, the limit of a socket's address.
    """
    folder.mkdir(parents=True, exist_ok=True)
    address = folder / "socket"
    python = folder / "python"
    python.write_text(SHIM.format(python=sys.executable, address=address), encoding="utf-8")
    python.chmod(0o755)
    with subprocess.Popen([sys.executable, "-m", "tests.preloaded", str(address)], start_new_session=True) as process:
        try:
            while not address.exists():
                assert process.poll() is None, "it ended before it was ready"
                time.sleep(0.05)
            yield folder
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def serve(address: str) -> tuple[str, list[str]]:
    """Fork a process per stage, one at a time. Returns in those alone: the stage's module and its arguments; all else is set up."""
    import datasets  # noqa: F401
    import pandas as pd  # noqa: F401
    import scipy.signal  # noqa: F401
    import scipy.stats  # noqa: F401
    import torchaudio  # noqa: F401
    from transformers import Wav2Vec2ForCTC  # noqa: F401

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{address}.new")
        listener.listen()
        os.rename(f"{address}.new", address)
        while True:
            stage, _ = listener.accept()
            _, streams, _, _ = socket.recv_fds(stage, 1, 3)
            with stage.makefile("rb") as sent:
                folder, (module, *arguments), environment = json.load(sent)
            if pid := os.fork():
                for stream in streams:
                    os.close(stream)
                stage.sendall(str(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])).encode())
                stage.close()
                continue
            for number, stream in enumerate(streams):
                os.dup2(stream, number)
                os.close(stream)
            sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w", buffering=1, errors="backslashreplace")  # noqa: SIM115
            os.chdir(folder)
            os.environ.clear()
            os.environ.update(environment)
            sys.path[0] = folder
            return module, arguments


if __name__ == "__main__":
    name, sys.argv[1:] = serve(sys.argv[1])
    runpy.run_module(name, run_name="__main__", alter_sys=True)
