"""Receivers of notifications on this machine: a webhook and a mail server that keep all messages."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_string
from email.header import decode_header, make_header
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@contextmanager
def webhook() -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """Yield the port of a webhook, and the JSON bodies that it has received."""
    got: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with _serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as port:
        yield port, got


@contextmanager
def mailbox() -> Iterator[tuple[int, list[tuple[str, str]]]]:
    """Yield the port of an SMTP server, and (subject, text) of the mails that it has received."""
    got: list[tuple[str, str]] = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 ready\r\n")
            while line := self.rfile.readline():
                match line[:4].upper().strip():
                    case b"DATA":
                        self.wfile.write(b"354 send\r\n")
                        lines = []
                        while (text := self.rfile.readline()) not in (b".\r\n", b""):
                            lines.append(text.decode())
                        mail = message_from_string("".join(lines))
                        part = next(part for part in mail.walk() if part.get_content_type().startswith("text/"))
                        payload = part.get_payload(decode=True)
                        assert isinstance(payload, bytes)
                        got.append((str(make_header(decode_header(mail["Subject"]))), payload.decode()))
                        self.wfile.write(b"250 received\r\n")
                    case b"QUIT":
                        self.wfile.write(b"221 bye\r\n")
                        return
                    case _:
                        self.wfile.write(b"250 ok\r\n")

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with _serving(Server(("127.0.0.1", 0), Handler)) as port:
        yield port, got


@contextmanager
def _serving(server: socketserver.TCPServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
