"""The HTTP interface: requests in, transcripts out, in the forms and errors of OpenAI's API.

No text of a request or an answer is logged. An upload goes to a file without a name, which ends with its request.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import os
import time
import traceback
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from fastapi import FastAPI, Request
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.core.errors import DataError, PipelineError
from pipeline.decoding.recordings import Ended, Segment, Source
from pipeline.decoding.system import HOT_WORDS
from pipeline.serving.answers import answer, done_event, event, events_of
from pipeline.serving.champion import Champion, Served
from pipeline.serving.engine import Engine, Job, StoppedError, TooLongError
from pipeline.serving.forms import FormError, Upload, read_form
from pipeline.serving.metrics import Metrics

T = TypeVar("T")

TRANSCRIPTIONS: Final = "/v1/audio/transcriptions"
PATHS: Final = (TRANSCRIPTIONS, "/v1/models", "/health", "/ready", "/metrics")
ALIASES: Final = ("vizinho", "whisper-1")
"""Names of the model besides its version: most clients have one in their code."""
VERSION_HEADER: Final = "x-vizinho-version"
IGNORED_HEADER: Final = "x-vizinho-ignored"
RETRY_AFTER_S: Final = 2
DRAIN_S: Final = 5.0
"""Time for which the rest of a refused upload is read: a client that is cut off while it sends does not read the answer."""
RECORDING: Final = "recording"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a client may use.

    Args:
        requests: transcription requests at a time, uploads included; further ones get 429.
        upload_bytes: size of a request's body.
        upload_s: time for an upload.
        answer_s: time from the end of the upload to the end of the answer.
    """

    requests: int = 64
    upload_bytes: int = 1 << 30
    upload_s: float = 600.0
    answer_s: float = 3600.0


class ApiError(Exception):
    """An error that the client sees."""

    def __init__(self, status: int, message: str, code: str | None = None, param: str | None = None,
                 headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.param, self.headers = status, message, code, param, dict(headers or {})

    def content(self) -> dict[str, Any]:
        """Return the error in the API's form."""
        kind = {401: "authentication_error", 429: "rate_limit_error"}.get(self.status)
        kind = kind or ("server_error" if self.status >= 500 else "invalid_request_error")
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}

    def response(self) -> JSONResponse:
        """Return the error as a response."""
        return JSONResponse(self.content(), self.status, self.headers)


class Body:
    """The body of a request as it is received, counted."""

    def __init__(self, receive: Receive, most_bytes: int) -> None:
        self._receive, self._most_bytes, self._size, self._over = receive, most_bytes, 0, False
        self.complete = False

    async def __call__(self) -> Message:
        """Return the next message.

        Raises:
            ApiError: the body is too large.
        """
        message = await self._receive()
        self.complete = message["type"] != "http.request" or not message.get("more_body", False)
        self._size += len(message.get("body", b""))
        if self._size > self._most_bytes and not self._over:
            self._over = True
            raise too_large(self._most_bytes)
        return message

    async def drain(self) -> None:
        """Read and drop the rest of the body, for a while."""
        self._over = True
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_S):
                while not self.complete:
                    await self()


class EventStream(StreamingResponse):
    """Server-sent events; `release` is called at the end, however it comes."""

    def __init__(self, events: AsyncIterator[str], headers: Mapping[str, str], release: Callable[[], object]) -> None:
        super().__init__(events, headers={"cache-control": "no-cache", "x-accel-buffering": "no", **headers}, media_type="text/event-stream")
        self._release = release

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._release()


class Service:
    """What the endpoints share.

    Args:
        champion: the system in service.
        engine: transcribes.
        bounds: what a client may use.
        token: that clients send; None for no check.
        metrics: counters.
        poll_s: time between two checks of the champion.
    """

    def __init__(self, champion: Champion, engine: Engine, bounds: Bounds, token: str | None, metrics: Metrics, poll_s: float = 5.0) -> None:
        self.champion, self.engine, self.bounds, self.metrics = champion, engine, bounds, metrics
        self._token, self._poll_s = token, poll_s
        self.running = 0
        self.stopping = asyncio.Event()

    def authorise(self, request: Request) -> None:
        """Refuse a request without the token."""
        scheme, _, sent = request.headers.get("authorization", "").partition(" ")
        if self._token is not None and not (scheme.lower() == "bearer" and hmac.compare_digest(sent.strip().encode(), self._token.encode())):
            raise ApiError(401, "a valid token is missing: Authorization: Bearer TOKEN", "invalid_api_key", headers={"www-authenticate": "Bearer"})

    @contextmanager
    def _place(self) -> Iterator[None]:
        """Hold one of the places for requests."""
        if self.running >= self.bounds.requests:
            raise ApiError(429, f"{self.running} requests are running, which is the limit; try again later", "rate_limit_exceeded",
                           headers={"retry-after": str(RETRY_AFTER_S)})
        self.running += 1
        try:
            yield
        finally:
            self.running -= 1

    async def transcribe(self, request: Request) -> Response:
        """Answer a transcription request."""
        body = Body(request.receive, self.bounds.upload_bytes)
        with ExitStack() as held:
            try:
                self.authorise(request)
                held.enter_context(self._place())
                if int(request.headers.get("content-length") or 0) > self.bounds.upload_bytes:
                    raise too_large(self.bounds.upload_bytes)
                upload = await self._receive(Request(request.scope, body))
                held.callback(upload.file.file.close)
            except ApiError as error:
                if error.status not in (408, 503) and request.headers.get("expect") != "100-continue":
                    await body.drain()
                if not body.complete:
                    error.headers["connection"] = "close"
                raise
            served = await self._acquire()
            self._check_model(upload, served)
            transcript = await self._submit(upload, served)
            held.callback(self.engine.cancel, transcript.job)
            headers = {VERSION_HEADER: served.version}
            if upload.ignored:
                headers[IGNORED_HEADER] = ", ".join(upload.ignored)
            if upload.form.stream:
                first = await _first_of(transcript.next(), request, self.bounds.answer_s)  # errors before the first text have their own status
                return EventStream(transcript.events(first, self.bounds.answer_s), headers, held.pop_all().close)
            segments, ended = await _first_of(transcript.whole(), request, self.bounds.answer_s)
            response = answer(upload.form, segments, ended.duration_s, served.system.vocabulary)
            response.headers.update(headers)
            return response

    async def _receive(self, request: Request) -> Upload:
        """Return the request that a client uploads."""
        parsing = asyncio.ensure_future(request.form(max_files=1, max_fields=500, max_part_size=64 << 10))
        stopping = asyncio.ensure_future(self.stopping.wait())
        try:
            await asyncio.wait({parsing, stopping}, timeout=self.bounds.upload_s, return_when=asyncio.FIRST_COMPLETED)
            if not parsing.done():
                raise stopped() if self.stopping.is_set() else ApiError(408, f"the upload took more than {self.bounds.upload_s:g} s", "timeout")
            form = parsing.result()
            try:
                return read_form(form.multi_items())
            except FormError as error:
                await form.close()
                raise ApiError(400, str(error), "invalid_value", error.param) from None
        except ApiError:
            raise
        except ClientDisconnect:
            raise ApiError(400, "the client closed the connection", "client_closed") from None
        except HTTPException as error:
            raise ApiError(400, f"the form cannot be read: {error.detail}", "invalid_form") from None
        except Exception as error:  # whatever a damaged form makes the parser do
            log.warning("a form cannot be read: %s", type(error).__name__)
            raise ApiError(400, "the form cannot be read", "invalid_form") from None
        finally:
            parsing.cancel()
            stopping.cancel()

    async def _acquire(self) -> Served:
        try:
            return await asyncio.to_thread(self.champion.acquire)
        except (PipelineError, OSError) as error:
            log.error("the champion cannot be loaded: %s", error)
            raise unavailable() from None

    def _check_model(self, upload: Upload, served: Served) -> None:
        if upload.form.model not in (*ALIASES, served.version):
            raise no_model(served.version)

    async def _submit(self, upload: Upload, served: Served) -> Transcript:
        """Queue the recording of a request."""
        try:
            decode = await asyncio.to_thread(served.decoder, upload.form.phrases)
        except PipelineError as error:
            if error.where == HOT_WORDS:
                raise ApiError(400, f"keywords: {error.found}; expected {error.expected}", "invalid_value", "keywords") from None
            log.error("a decoder with hot words cannot be loaded: %s", error)  # its files are those of the next champion, for example
            raise unavailable() from None
        path = Path(f"/proc/{os.getpid()}/fd/{upload.file.file.fileno()}")  # FFmpeg, a process of its own, opens it too
        transcript = Transcript(upload, asyncio.get_running_loop())
        try:
            transcript.job = self.engine.submit(Source(RECORDING, path), served, decode, transcript.deliver)
        except StoppedError:
            raise stopped() from None
        return transcript

    def names(self) -> list[str]:
        """Return the names of the model in service."""
        return [*ALIASES, self.champion.version]

    async def watch(self) -> None:
        """Check the champion now and then, until the service stops."""
        while True:
            await asyncio.sleep(self._poll_s)
            try:
                await asyncio.to_thread(self.champion.check)
                await asyncio.to_thread(self.champion.unload_if_idle, self.engine.serves)
            except Exception:
                log.exception("the check of the champion failed")

    def exposition(self) -> bytes:
        """Return the metrics."""
        jobs, seconds = self.engine.waiting()
        self.metrics.running.set(self.running)
        self.metrics.queue.set(jobs)
        self.metrics.queue_audio.set(seconds)
        self.metrics.champion.clear()
        self.metrics.champion.labels(self.champion.version).set(1)
        self.metrics.loaded.set(self.champion.loaded)
        self.metrics.behind.set(self.champion.behind)
        return generate_latest(self.metrics.registry)


class Transcript:
    """What the engine delivers for one request."""

    job: Job

    def __init__(self, upload: Upload, loop: asyncio.AbstractEventLoop) -> None:
        self._form, self._loop = upload.form, loop
        self._items: asyncio.Queue[Segment | Ended] = asyncio.Queue()

    def deliver(self, item: Segment | Ended) -> None:
        """Take a segment or the end, from any thread."""
        with suppress(RuntimeError):  # the loop is closed: nobody waits
            self._loop.call_soon_threadsafe(self._items.put_nowait, item)

    async def next(self) -> Segment | Ended:
        """Return the next segment with text, or the end.

        Raises:
            ApiError: the recording ended in an error.
        """
        while True:
            item = await self._items.get()
            if isinstance(item, Ended):
                if item.error is not None:
                    raise api_error(item.error)
                return item
            if item.text:
                return item

    async def whole(self) -> tuple[list[Segment], Ended]:
        """Return all segments with text, and the end.

        Raises:
            ApiError: the recording ended in an error.
        """
        segments = []
        while isinstance(item := await self.next(), Segment):
            segments.append(item)
        return segments, item

    async def events(self, first: Segment | Ended, timeout_s: float) -> AsyncIterator[str]:
        """Yield the events of a stream; an error after the first one is an event too.

        Args:
            first: what `next` returned.
            timeout_s: for all of it.
        """
        segments: list[Segment] = []
        item = first
        try:
            async with asyncio.timeout(timeout_s):
                while isinstance(item, Segment):
                    yield events_of(item, self._form, len(segments), follows=bool(segments))
                    segments.append(item)
                    item = await self.next()
            yield done_event(segments, self._form)
        except TimeoutError:
            yield event(took_too_long(timeout_s).content())
        except ApiError as error:
            yield event(error.content())


async def _first_of(work: Awaitable[T], request: Request, timeout_s: float) -> T:
    """Return what `work` returns, unless the client goes away or the time is over."""
    async def gone() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    working, leaving = asyncio.ensure_future(work), asyncio.ensure_future(gone())
    try:
        await asyncio.wait({working, leaving}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise ApiError(400, "the client closed the connection", "client_closed") if leaving.done() else took_too_long(timeout_s)
    finally:
        working.cancel()
        leaving.cancel()


def api_error(error: PipelineError) -> ApiError:
    """Return the error of a recording as the client sees it."""
    message = str(error).removeprefix(f"{RECORDING}: ")
    if isinstance(error, TooLongError):
        return ApiError(413, f"the recording: {message}", "audio_too_long", "file")
    if isinstance(error, StoppedError):
        return stopped()
    if isinstance(error, DataError):
        return ApiError(400, f"the recording: {message}", "invalid_audio", "file")
    return ApiError(500, "the recording cannot be transcribed", "internal_error")


def unavailable() -> ApiError:
    """Return the error of a request for which the model's files are missing or damaged."""
    return ApiError(503, "the model cannot be loaded", "model_unavailable", headers={"retry-after": "30"})


def no_model(version: str) -> ApiError:
    """Return the error of a request for another model."""
    return ApiError(404, f"this model is not in service; {ALIASES[0]} is {version}", "model_not_found", "model")


def entry_of(name: str) -> dict[str, Any]:
    """Return a model as the API lists it."""
    return {"id": name, "object": "model", "created": 0, "owned_by": "vizinho"}


def too_large(most_bytes: int) -> ApiError:
    """Return the error of an upload that is too large."""
    return ApiError(413, f"the request is larger than {most_bytes} bytes", "request_too_large", "file")


def took_too_long(timeout_s: float) -> ApiError:
    """Return the error of a recording that was not done in time; the same recording would take as long again."""
    return ApiError(408, f"the transcription took more than {timeout_s:g} s", "timeout", headers={"x-should-retry": "false"})


def stopped() -> ApiError:
    """Return the error of a request that another process has to take."""
    return ApiError(503, "the service is stopping; send the request again", "stopping",
                    headers={"retry-after": str(RETRY_AFTER_S), "x-should-retry": "true"})


class Edge:
    """Wraps the application: one line per request in the log, counters, headers of every response, no traceback for a client."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app, self._service = app, service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        started, status, request_id = time.monotonic(), 0, uuid.uuid4().hex
        path = scope["path"] if scope["path"] in PATHS else "other"

        async def send_on(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                given = {name.lower() for name, _ in message["headers"]}
                added = {VERSION_HEADER: self._service.champion.version, "x-request-id": request_id}
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
            self._service.metrics.requests.labels(path, str(status)).inc()
            self._service.metrics.latency.labels(path).observe(seconds)
            log.info("%s %s %s %d %.3f s", request_id, scope["method"] if path != "other" else "", path, status, seconds)


def create_app(service: Service) -> ASGIApp:
    """Return the application."""
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        watching = asyncio.create_task(service.watch())
        yield
        watching.cancel()

    app = FastAPI(title="vizinho", docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)

    @app.post(TRANSCRIPTIONS)
    async def transcriptions(request: Request) -> Response:
        return await service.transcribe(request)

    @app.get("/v1/models")
    async def models(request: Request) -> Response:
        service.authorise(request)
        return JSONResponse({"object": "list", "data": [entry_of(name) for name in service.names()]})

    @app.get("/v1/models/{name:path}")
    async def model(request: Request, name: str) -> Response:
        service.authorise(request)
        if name not in service.names():
            raise no_model(service.champion.version)
        return JSONResponse(entry_of(name))

    @app.get("/health")
    async def health() -> Response:
        return JSONResponse({"status": "ok"})

    @app.get("/ready")
    async def ready() -> Response:
        is_ready = bool(service.champion.version) and not service.stopping.is_set()
        return JSONResponse({"status": "ready" if is_ready else "not ready", "version": service.champion.version,
                             "loaded": service.champion.loaded, "behind": service.champion.behind}, 200 if is_ready else 503)

    @app.get("/metrics")
    async def metrics(request: Request) -> Response:
        service.authorise(request)
        return Response(service.exposition(), media_type=CONTENT_TYPE_LATEST)

    @app.exception_handler(ApiError)
    async def refused(_: Request, error: ApiError) -> Response:
        return error.response()

    @app.exception_handler(HTTPException)
    async def not_found(_: Request, error: HTTPException) -> Response:
        return ApiError(error.status_code, str(error.detail), headers=error.headers).response()

    @app.exception_handler(Exception)
    async def failed(_: Request, __: Exception) -> Response:
        return ApiError(500, "internal error", "internal_error").response()

    return Edge(app, service)
