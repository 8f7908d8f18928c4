"""What surrounds the application: connections within bounds; of each request a line in the log, counts, and headers in its response."""

from __future__ import annotations

import asyncio
import logging
import time
import traceback
import uuid
from collections.abc import Callable
from typing import Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from pipeline.serving.errors import ApiError
from pipeline.serving.metrics import Metrics

VERSION_HEADER: Final = "x-vizinho-version"
REQUEST_HEADER: Final = "x-request-id"
HEADERS_S: Final = 10.0
"""Time for the headers of a request, from its first byte or the start of the connection."""
KEEP_ALIVE_S: Final = 75
"""Time for which a connection stays open between two requests: longer than clients and proxies keep theirs, so that they end it."""

log = logging.getLogger(__name__)


class Edge:
    """Wraps the application: one line per request in the log, counters, headers of every response, no traceback for a client.

    Args:
        app: the application.
        paths: that are counted by name.
        version: returns the version in service.
        metrics: counters.
    """

    def __init__(self, app: ASGIApp, paths: tuple[str, ...], version: Callable[[], str], metrics: Metrics) -> None:
        self._app, self._paths, self._version, self._metrics = app, paths, version, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        started, status, request_id = time.monotonic(), 0, uuid.uuid4().hex
        path = scope["path"] if scope["path"] in self._paths else "other"

        async def send_on(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                given = {name.lower() for name, _ in message["headers"]}
                added = {VERSION_HEADER: self._version(), REQUEST_HEADER: request_id}
                message["headers"] = [*message["headers"], *((name.encode(), value.encode()) for name, value in added.items()
                                                             if name.encode() not in given)]
            await send(message)

        try:
            await self._app(scope, receive, send_on)
        except Exception as error:  # without its message, which may have text of the request
            log.error("%s: %s\n%s", request_id, type(error).__name__, "".join(traceback.format_tb(error.__traceback__)))
            if not status:
                await ApiError(500, "internal error", "internal_error").response()(scope, receive, send_on)
        finally:
            seconds = time.monotonic() - started
            self._metrics.requests.labels(path, str(status)).inc()
            self._metrics.latency.labels(path).observe(seconds)
            log.info("%s %s %s %d %.3f s", request_id, scope["method"] if path != "other" else "", path, status, seconds)


def protocol_of(most: int, metrics: Metrics) -> type[asyncio.Protocol]:
    """Return uvicorn's HTTP protocol with a bound on connections and a time limit for headers.

    When one connection more than the bound is opened, the one that has waited the longest for a request is closed. So connections without
    requests, however many, do not keep others out. If all have requests, the new one is closed.

    Args:
        most: connections at a time.
        metrics: counters.
    """
    waiting: dict[BoundedProtocol, None] = {}  # connections without a request, in the order in which they began to wait

    class BoundedProtocol(H11Protocol):
        _late: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            waiting[self] = None
            self._late = self.loop.call_later(HEADERS_S, self._end, "late")
            if len(self.connections) > most:
                next(iter(waiting))._end("bound")
            metrics.connections.set(len(self.connections))

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self._requested():
                self._stop_waiting()
            elif self._late is None and not self.transport.is_closing():
                self._late = self.loop.call_later(HEADERS_S, self._end, "late")

        def on_response_complete(self) -> None:
            super().on_response_complete()
            if not self._requested() and not self.transport.is_closing():
                waiting[self] = None

        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            self._stop_waiting()
            metrics.connections.set(len(self.connections))

        def _requested(self) -> bool:
            return self.cycle is not None and not self.cycle.response_complete

        def _stop_waiting(self) -> None:
            waiting.pop(self, None)
            if self._late is not None:
                self._late.cancel()
                self._late = None

        def _end(self, reason: str) -> None:
            self._stop_waiting()
            self.connections.discard(self)
            metrics.closed.labels(reason).inc()
            self.transport.abort()

    return BoundedProtocol
