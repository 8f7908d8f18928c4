"""The transcript of one request on its way from the engine's threads to the client: whole, or as a stream of events."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Final, TypeVar

from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from pipeline.decoding.recordings import Ended, Segment
from pipeline.serving.answers import done_event, event, events_of
from pipeline.serving.engine import Job
from pipeline.serving.errors import ApiError, client_closed, error_of_recording, took_too_long
from pipeline.serving.forms import Form

T = TypeVar("T")

UNREAD_S: Final = 10.0
"""Time after its end for which a stream waits for a client that does not read."""

log = logging.getLogger(__name__)


class Transcript:
    """What the engine delivers for one request.

    Args:
        form: of the request.
        timeout_s: from now to the last segment.
    """

    job: Job

    def __init__(self, form: Form, timeout_s: float) -> None:
        self._form, self._timeout_s = form, timeout_s
        self._loop = asyncio.get_running_loop()
        self._items: asyncio.Queue[Segment | Ended] = asyncio.Queue()
        self.deadline = self._loop.time() + timeout_s

    def deliver(self, item: Segment | Ended) -> None:
        """Take a segment or the end, from any thread."""
        with suppress(RuntimeError):  # the loop is closed: nobody waits
            self._loop.call_soon_threadsafe(self._items.put_nowait, item)

    async def next(self) -> Segment | Ended:
        """Return the next segment with text, or the end.

        Raises:
            ApiError: the recording ended in an error, or the time is over.
        """
        while True:
            try:
                async with asyncio.timeout_at(self.deadline):
                    item = await self._items.get()
            except TimeoutError:
                raise took_too_long(self._timeout_s) from None
            if isinstance(item, Ended):
                if item.error is not None:
                    raise error_of_recording(item.error)
                return item
            if item.text:
                return item

    async def whole(self) -> tuple[list[Segment], Ended]:
        """Return all segments with text, and the end.

        Raises:
            ApiError: the recording ended in an error, or the time is over.
        """
        segments = []
        while isinstance(item := await self.next(), Segment):
            segments.append(item)
        return segments, item

    async def events(self, first: Segment | Ended) -> AsyncIterator[str]:
        """Yield the events of a stream; an error after the first one is an event too.

        Args:
            first: what `next` returned.
        """
        segments: list[Segment] = []
        item = first
        try:
            while isinstance(item, Segment):
                yield events_of(item, self._form, len(segments), follows=bool(segments))
                segments.append(item)
                item = await self.next()
            yield done_event(segments, self._form)
        except ApiError as error:
            yield event(error.content())


class EventStream(StreamingResponse):
    """Server-sent events.

    Args:
        transcript: whose events are sent.
        first: what its `next` returned.
        headers: further ones.
        release: is called at the end, however it comes.
    """

    def __init__(self, transcript: Transcript, first: Segment | Ended, headers: Mapping[str, str], release: Callable[[], object]) -> None:
        super().__init__(transcript.events(first), headers={"cache-control": "no-cache", "x-accel-buffering": "no", **headers},
                         media_type="text/event-stream")
        self._deadline, self._release = transcript.deadline, release

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events; give up on a client that does not read them."""
        try:
            async with asyncio.timeout_at(self._deadline + UNREAD_S):
                await super().__call__(scope, receive, send)
        except TimeoutError:
            log.warning("a stream was ended: its client does not read")
        finally:
            self._release()


async def unless_gone(work: Awaitable[T], request: Request) -> T:
    """Return what `work` returns.

    Raises:
        ApiError: the client has gone.
    """
    async def gone() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    working, leaving = asyncio.ensure_future(work), asyncio.ensure_future(gone())
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise client_closed()
    finally:
        working.cancel()
        leaving.cancel()
