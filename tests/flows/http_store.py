"""A DVC remote over HTTP, on this machine, that can fail or stall during a push."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal

BLOCK = 1 << 16


@dataclass(slots=True)
class Store:
    """A folder behind PUT, GET and HEAD. A file exists once all of it has been received, as in a bucket.

    Args:
        folder: of the files.
        port: of the server.
        fails: what it does after it has received `after` bytes: it closes each connection ("gone"), or it keeps each one open and
            neither reads nor answers ("silent"); None: it serves.
        after: bytes that it still receives.
        received: bytes since the failure was set.
        failed: number of failed requests.
        cut: how many of them were uploads.
        fixed: set when it serves again.
    """

    folder: Path
    port: int = 0
    fails: Literal["gone", "silent"] | None = None
    after: int = 0
    received: int = 0
    failed: int = 0
    cut: int = 0
    fixed: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def files(self) -> set[str]:
        """Return the names of the complete files."""
        return {str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file() and not path.name.endswith(".part")}

    def fail(self, how: Literal["gone", "silent"], after: int) -> None:
        """Fail after this many bytes."""
        self.fails, self.after, self.received, self.failed, self.cut = how, after, 0, 0, 0
        self.fixed.clear()

    def fix(self) -> None:
        """Serve again; close the connections that were kept open."""
        self.fails = None
        self.fixed.set()


class Broken(Exception):
    """The store has failed during a request."""


@contextmanager
def http_store(folder: Path) -> Iterator[Store]:
    """Yield a running store."""
    folder.mkdir(parents=True)
    store = Store(folder)
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_PUT(self) -> None:
            target = store.folder / self.path.lstrip("/")
            part = target.with_name(f"{target.name}.{threading.get_ident()}.part")
            part.parent.mkdir(parents=True, exist_ok=True)
            try:
                with open(part, "wb") as file:
                    for block in self.body():
                        file.write(block)
                part.replace(target)
            finally:
                part.unlink(missing_ok=True)
            self.answer(201)

        def do_GET(self) -> None:
            self.serve(with_body=True)

        def do_HEAD(self) -> None:
            self.serve(with_body=False)

        def serve(self, with_body: bool) -> None:
            self.count(0)
            found = store.folder / self.path.lstrip("/")
            if not found.is_file():
                self.answer(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(found.stat().st_size))
            self.end_headers()
            if with_body:
                with open(found, "rb") as file:
                    shutil.copyfileobj(file, self.wfile)

        def answer(self, code: int) -> None:
            self.send_response(code)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def body(self) -> Iterator[bytes]:
            """Yield a request's body, chunked or with a length."""
            if "chunked" in self.headers.get("Transfer-Encoding", ""):
                while left := int(self.rfile.readline(), 16):
                    yield from self.blocks(left)
                    self.rfile.readline()
                self.rfile.readline()
            else:
                yield from self.blocks(int(self.headers["Content-Length"]))

        def blocks(self, left: int) -> Iterator[bytes]:
            while left:
                block = self.rfile.read(min(left, BLOCK))
                if not block:
                    raise Broken
                self.count(len(block))
                left -= len(block)
                yield block

        def count(self, size: int) -> None:
            """Count received bytes; fail if it is time to."""
            with lock:
                store.received += size
                failing = store.fails if store.received >= store.after else None
                store.failed += failing is not None
                store.cut += failing is not None and size > 0
            if failing == "silent":
                store.fixed.wait()
            if failing:
                raise Broken

        def handle(self) -> None:
            try:
                super().handle()
            except (Broken, ConnectionError):
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

    with Server(("127.0.0.1", 0), Handler) as server:
        store.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield store
        finally:
            store.fix()
            server.shutdown()
            thread.join()
