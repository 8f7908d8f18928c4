"""A model hub on this machine: it serves one repository at one commit."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal

import pytest

REVISION = "0123456789abcdef0123456789abcdef01234567"


class Hub(BaseHTTPRequestHandler):
    """The requests of a download: the commit, its files, a file's head, and the file."""

    kind: Literal["models", "datasets"]
    name: str
    folder: Path
    requests: list[str]
    broken: set[str]

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_GET(self) -> None:
        self.answer(body=True)

    def answer(self, body: bool) -> None:
        path = self.path.split("?")[0]
        self.requests.append(f"{self.command} {path}")
        names = sorted(str(file.relative_to(self.folder)) for file in self.folder.rglob("*") if file.is_file())
        files = "" if self.kind == "models" else f"/{self.kind}"
        name = path.removeprefix(f"{files}/{self.name}/resolve/{REVISION}/")
        if path == f"/api/{self.kind}/{self.name}/revision/{REVISION}":
            self.give(json.dumps({"id": self.name, "sha": REVISION, "siblings": [{"rfilename": name} for name in names]}).encode(), {})
        elif path == f"/api/{self.kind}/{self.name}/tree/{REVISION}":
            self.give(json.dumps([{"type": "file", "path": name, "size": (self.folder / name).stat().st_size, "oid": "0" * 40}
                                  for name in names]).encode(), {})
        elif name in names and name not in self.broken:
            content = (self.folder / name).read_bytes()
            self.give(content, {"ETag": f'"{hashlib.sha1(content).hexdigest()}"', "X-Repo-Commit": REVISION}, body)
        else:
            self.send_error(404)

    def give(self, content: bytes, headers: dict[str, str], body: bool = True) -> None:
        self.send_response(200)
        for name, value in {**headers, "Content-Length": str(len(content)), "Content-Type": "application/json"}.items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def serving(kind: Literal["models", "datasets"], name: str, folder: Path) -> Iterator[type[Hub]]:
    """Serve a folder as a repository of the hub that HF_ENDPOINT names; yield its handler, with the requests made and the files to break."""
    handler = type("Here", (Hub,), {"kind": kind, "name": name, "folder": folder, "requests": [], "broken": set()})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server, pytest.MonkeyPatch.context() as patch:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        patch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_address[1]}")
        yield handler
        server.shutdown()
