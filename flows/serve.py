"""`make ui`: Prefect's server, the deployments and a worker on this machine alone, until Ctrl-C.

Database, settings and logs are in the state folder. A server or worker that ends is restarted. Both end with this process, flow runs
and their stages included. Port: `PREFECT_SERVER_API_PORT`, by default 4200.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from flows.register import POOL
from pipeline.core.errors import ParamsError, PipelineError
from pipeline.core.files import ROOT, lock_free, state_dir
from pipeline.core.progress import log
from pipeline.core.stage import exit_with_code

HOST: Final = "127.0.0.1"
START_S: Final = 120.0
"""The server must answer within this time after its start."""
END_S: Final = 30.0
"""A process that does not end within this time after a signal gets the next one."""
BRIEF_S: Final = 30.0
"""A process that ends sooner than this after its start is not restarted."""


@dataclass(slots=True)
class Part:
    """A process of the service, in a separate session: Ctrl-C reaches only this process, which stops the parts in order.

    Args:
        name: "server" or "worker".
        command: arguments of `prefect`.
        environment: of the process.
        log: file for its output; None: the terminal.
        process: None while it is stopped.
        since: monotonic time of its last start.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    log: Path | None = None
    process: subprocess.Popen[bytes] | None = None
    since: float = field(default=0.0)

    def start(self) -> None:
        """Start the process."""
        output = open(self.log, "ab") if self.log else None  # noqa: SIM115 - the child keeps it open
        try:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "prefect", *self.command], cwd=ROOT, env=dict(self.environment), stdin=subprocess.DEVNULL, stdout=output,
                stderr=output, start_new_session=True, preexec_fn=_end_with_parent)
        finally:
            if output:
                output.close()
        self.since = time.monotonic()

    def ended(self) -> bool:
        """Return whether the process has ended without `stop`."""
        return self.process is not None and self.process.poll() is not None

    def stop(self) -> None:
        """End the process and its descendants: SIGINT to the process, then SIGTERM and SIGKILL to all that are left."""
        if self.process is None:
            return
        family = [self.process.pid, *descendants(self.process.pid)]
        for sign, patience_s in ((signal.SIGINT, END_S), (signal.SIGTERM, END_S), (signal.SIGKILL, END_S)):
            for pid in family[:1] if sign == signal.SIGINT else family:
                _send(pid, sign)
            until = time.monotonic() + patience_s
            while (left := [pid for pid in family if alive(pid)]) and time.monotonic() < until:
                if self.process.poll() is not None and sign == signal.SIGINT:
                    break  # it does not stop its children: the next signal does
                time.sleep(0.1)
            if not left:
                break
        self.process.wait()
        self.process = None

    def last_lines(self) -> str:
        """Return the last lines of its log."""
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:]) if self.log else "see above"


def serve(port: int) -> None:
    """Run the service until the process is interrupted.

    Args:
        port: of the server, 1 to 65535.

    Raises:
        PipelineError: the port is in use, or a part does not start or ends soon after its start.
    """
    home = state_dir().resolve() / "prefect"
    home.mkdir(parents=True, exist_ok=True)
    url = f"http://{HOST}:{port}"
    environment = environment_of(home, url)
    with _one_at_a_time(home / "serve.lock", url):
        check_port(port)
        began = time.monotonic()
        server = Part("server", ("server", "start", "--host", HOST, "--port", str(port), "--log-level", "WARNING"), environment, home / "server.log")
        own = {name: value for name, value in environment.items() if name != "VIZINHO_NOTIFY"}  # its passwords stay out of a run's environment
        worker = Part("worker", ("worker", "start", "--pool", POOL, "--type", "process", "--name", socket.gethostname()), own)
        (home / "server.log").write_bytes(b"")
        try:
            server.start()
            wait_for(server, url)
            _run("flows.register", environment)
            _run("flows.reschedule", environment)
            worker.start()
            log(f"ready after {time.monotonic() - began:.0f} s: {url} (Ctrl-C stops it)\n"
                f"start a run:  PREFECT_API_URL={url}/api prefect deployment run retrain/nightly")
            keep_running([server, worker], before={"worker": lambda: reschedule(server, url, environment)})
        finally:
            for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(sign, signal.SIG_IGN)  # a second Ctrl-C must not interrupt the stop
            log("stopping: runs, worker, server")
            worker.stop()
            server.stop()


def environment_of(home: Path, url: str) -> dict[str, str]:
    """Return the environment of server, worker and flow runs: no telemetry, local addresses; variables that are already set win.

    Args:
        home: Prefect's folder.
        url: of the server.
    """
    defaults = {"PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1", "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
            "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30", "PREFECT_CLIENT_MAX_RETRIES": "8",  # 2 + 4 + ... + 256 s without the server
            "PREFECT_HOME": str(home), "PREFECT_LOGGING_EXTRA_LOGGERS": ""}
    fixed = {"PREFECT_API_URL": f"{url}/api", "VIZINHO_CHECKOUT": str(ROOT), "VIZINHO_STATE": str(state_dir().resolve()),
             "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}
    return {**defaults, **os.environ, **fixed}


def check_port(port: int) -> None:
    """Check that the port is free.

    Raises:
        PipelineError: it is in use.
    """
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((HOST, port))
        except OSError as error:
            raise PipelineError(f"port {port} of {HOST}", f"{error.strerror}", "a free port",
                                "stop the process that listens on it, or `PREFECT_SERVER_API_PORT=4300 make ui`") from None


def wait_for(server: Part, url: str) -> None:
    """Wait until the server answers.

    Args:
        server: the started part.
        url: its address.

    Raises:
        PipelineError: it has ended, or does not answer within `START_S`.
    """
    while time.monotonic() < server.since + START_S:
        if server.ended():
            break
        try:
            with urllib.request.urlopen(f"{url}/api/health", timeout=5):
                return
        except urllib.error.HTTPError:
            return  # it requires a password: it is up
        except OSError:
            time.sleep(0.2)
    raise PipelineError("prefect server", f"no answer from {url}\n{server.last_lines()}", f"an answer within {START_S:g} s", f"see {server.log}")


def keep_running(parts: list[Part], before: Mapping[str, Callable[[], object]]) -> None:
    """Restart each part that ends; never return.

    Args:
        parts: all of them.
        before: what to do before a part is restarted, by its name.

    Raises:
        PipelineError: a part ends within `BRIEF_S` after its start.
    """
    while True:
        for part in parts:
            if part.ended():
                assert part.process
                code, lasted_s = part.process.returncode, time.monotonic() - part.since
                if lasted_s < BRIEF_S:
                    raise PipelineError(f"prefect {part.name}", f"ended {lasted_s:.0f} s after its start (exit code {code})\n{part.last_lines()}",
                                        "a process that keeps running")
                log(f"the {part.name} has ended (exit code {code}): restarting it")
                before.get(part.name, lambda: None)()
                part.start()
        time.sleep(0.5)


def reschedule(server: Part, url: str, environment: Mapping[str, str]) -> None:
    """Schedule the runs again that an ended worker had taken and not started; log an error if that fails.

    Args:
        server: the server, which may have been restarted as well.
        url: its address.
        environment: of both.
    """
    try:
        wait_for(server, url)
        _run("flows.reschedule", environment)
    except PipelineError as error:
        log(f"error: {error}")


def descendants(pid: int) -> list[int]:
    """Return the ids of a process's children, their children, and so on."""
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], text=True, capture_output=True, check=True).stdout
    children: dict[int, list[int]] = {}
    for line in listed.splitlines():
        child, parent = map(int, line.split())
        children.setdefault(parent, []).append(child)
    found, waiting = [], [pid]
    while waiting:
        found += (born := children.get(waiting.pop(), []))
        waiting += born
    return found


def alive(pid: int) -> bool:
    """Return whether a process exists and is no zombie."""
    status = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], text=True, capture_output=True, check=False).stdout.strip()
    return bool(status) and not status.startswith("Z")


def _send(pid: int, sign: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, sign)


def _end_with_parent() -> None:
    """Have the kernel send SIGTERM to this child when its parent ends. Source: prctl(2), PR_SET_PDEATHSIG; Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def _run(module: str, environment: Mapping[str, str]) -> None:
    """Run a module of the flows to its end and log what it prints.

    Raises:
        PipelineError: it failed.
    """
    done = subprocess.run([sys.executable, "-m", module], cwd=ROOT, env=dict(environment), text=True, capture_output=True, check=False)
    if done.returncode:
        raise PipelineError(f"python -m {module}", (done.stderr or done.stdout).strip().removeprefix("error: "))
    if printed := done.stdout.strip():
        log(printed)


@contextmanager
def _one_at_a_time(lock: Path, url: str) -> Iterator[None]:
    """Hold the lock of this state folder's service. If the service is running already, print its address and exit with 0."""
    with open(lock, "a+", encoding="utf-8") as handle:
        if not lock_free(handle):
            handle.seek(0)
            log(f"already running: {handle.read()}")
            sys.exit(0)
        handle.truncate(0)
        handle.write(f"{url}, process {os.getpid()}")
        handle.flush()
        yield


def main() -> None:
    """Serve until Ctrl-C, SIGTERM or SIGHUP, then exit with 0."""
    for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(sign, signal.default_int_handler)  # SIGINT too: a shell starts background jobs with SIGINT ignored
    port = os.environ.get("PREFECT_SERVER_API_PORT", "4200")
    with exit_with_code():
        if not port.isdecimal() or not 0 < int(port) < 65536:
            raise ParamsError("PREFECT_SERVER_API_PORT", [f"{port}: expected a number from 1 to 65535"])
        try:
            serve(int(port))
        except KeyboardInterrupt:
            log("stopped")


if __name__ == "__main__":
    main()
