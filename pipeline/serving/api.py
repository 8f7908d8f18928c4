"""The HTTP interface: requests in, transcripts out, in the forms and errors of OpenAI's API.

No text of a request or an answer is logged. An upload goes to a file without a name, which ends with its request.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.telemetry import TelemetryConfig
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from pipeline.core.errors import PipelineError
from pipeline.decoding.recordings import Decode, Source
from pipeline.decoding.system import HOT_WORDS
from pipeline.serving.answers import answer
from pipeline.serving.champion import Champion, Served
from pipeline.serving.edge import VERSION_HEADER, Edge
from pipeline.serving.engine import Engine, StoppedError
from pipeline.serving.errors import RECORDING, ApiError, no_model, stopped, too_large, too_many, unauthorised, unavailable
from pipeline.serving.forms import Upload
from pipeline.serving.metrics import Metrics
from pipeline.serving.pull import Puller
from pipeline.serving.transcripts import EventStream, Transcript, unless_gone
from pipeline.serving.uploads import Body, read_upload, unnamed

TRANSCRIPTIONS: Final = "/v1/audio/transcriptions"
PATHS: Final = (TRANSCRIPTIONS, "/v1/models", "/health", "/ready", "/metrics")
ALIASES: Final = ("vizinho", "whisper-1")
"""Names of the model besides its version: most clients have one in their code."""
NO_TELEMETRY: Final[TelemetryConfig] = {"tracing": False, "metrics": False, "logs": False, "operation_spans": False, "auto_configure": False}
"""FastAPI would send messages of exceptions to a collector that the environment names; they may have text of a request."""
IGNORED_HEADER: Final = "x-vizinho-ignored"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What clients may use.

    Args:
        requests: transcription requests at a time, uploads included; further ones get 429.
        upload_bytes: size of a request's body.
        upload_s: time for an upload.
        answer_s: time from the end of the upload to the end of the answer.
        connections: open connections; further ones replace those without a request.
    """

    requests: int = 64
    upload_bytes: int = 1 << 30
    upload_s: float = 600.0
    answer_s: float = 3600.0
    connections: int = 512


class Service:
    """What the endpoints share.

    Args:
        champion: the system in service.
        engine: transcribes.
        bounds: what clients may use.
        token: that clients send; None for no check.
        metrics: counters.
        poll_s: time between two checks of the champion.
        puller: brings promotions into the checkout; None for none.
    """

    def __init__(self, champion: Champion, engine: Engine, bounds: Bounds, token: str | None, metrics: Metrics, poll_s: float = 5.0,
                 puller: Puller | None = None) -> None:
        self.champion, self.engine, self.bounds, self.metrics, self.puller = champion, engine, bounds, metrics, puller
        self._token, self._poll_s = token, poll_s
        self._loader = ThreadPoolExecutor(1, "hot-words")  # separate: a decoder that is loaded must not delay requests without hot words
        self.running = 0
        self.stopping = asyncio.Event()

    def authorise(self, request: Request) -> None:
        """Refuse a request without the token."""
        scheme, _, sent = request.headers.get("authorization", "").partition(" ")
        if self._token is not None and not (scheme.lower() == "bearer" and hmac.compare_digest(sent.strip().encode(), self._token.encode())):
            raise unauthorised()

    @contextmanager
    def _place(self) -> Iterator[None]:
        """Hold one of the places for requests."""
        if self.running >= self.bounds.requests:
            raise too_many(self.running)
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
                upload = await read_upload(Request(request.scope, body), self.bounds.upload_s, self.stopping)
                content = held.enter_context(unnamed(upload.file))
            except ApiError as error:
                held.close()  # the place is free while the rest of the body is read
                if error.status not in (408, 503) and request.headers.get("expect") != "100-continue":
                    await body.drain()
                if not body.complete:
                    error.headers["connection"] = "close"
                raise
            served = await self._acquire()
            if upload.form.model not in (*ALIASES, served.version):
                raise no_model(ALIASES[0], served.version)
            transcript = await self._submit(upload, content, served)
            held.callback(self.engine.cancel, transcript.job)
            headers = {VERSION_HEADER: served.version}
            if upload.ignored:
                headers[IGNORED_HEADER] = ", ".join(upload.ignored)
            if upload.form.stream:
                first = await unless_gone(transcript.next(), request)  # errors before the first text have their own status
                return EventStream(transcript, first, headers, held.pop_all().close)
            segments, ended = await unless_gone(transcript.whole(), request)
            response = answer(upload.form, segments, ended.duration_s, served.system.vocabulary)
            response.headers.update(headers)
            return response

    async def _acquire(self) -> Served:
        if (served := self.champion.at_hand()) is not None:
            return served
        try:
            return await asyncio.to_thread(self.champion.acquire)
        except (PipelineError, OSError) as error:
            log.error("the champion cannot be loaded: %s", error)
            raise unavailable() from None

    async def _decoder(self, served: Served, phrases: tuple[str, ...]) -> Decode:
        """Return what decodes logits and favours these phrases."""
        if not phrases:
            return served.decoder(())
        try:
            return await asyncio.get_running_loop().run_in_executor(self._loader, served.decoder, phrases)
        except PipelineError as error:
            if error.where == HOT_WORDS:
                raise ApiError(400, f"keywords: {error.found}; expected {error.expected}", "invalid_value", "keywords") from None
            log.error("a decoder with hot words cannot be loaded: %s", error)  # its files are those of the next champion, for example
            raise unavailable() from None

    async def _submit(self, upload: Upload, content: Path, served: Served) -> Transcript:
        """Queue the recording of a request; `content` is its file."""
        transcript = Transcript(upload.form, self.bounds.answer_s)
        decode = await self._decoder(served, upload.form.phrases)
        try:
            transcript.job = self.engine.submit(Source(RECORDING, content), served, decode, transcript.deliver)
        except StoppedError:
            raise stopped() from None
        return transcript

    def names(self) -> list[str]:
        """Return the names of the model in service."""
        return [*ALIASES, self.champion.version]

    def state(self) -> dict[str, Any]:
        """Return what `/ready` reports."""
        ready = bool(self.champion.version) and not self.stopping.is_set()
        return {"status": "ready" if ready else "not ready", "version": self.champion.version, "loaded": self.champion.loaded,
                "behind": self.champion.behind, "pull": self.puller.state if self.puller else "off"}

    async def watch(self) -> None:
        """Check the champion now and then, until the service stops. Files are not checked while a pull changes them."""
        while True:
            await asyncio.sleep(self._poll_s)
            try:
                if not (self.puller and self.puller.running):
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


def entry_of(name: str) -> dict[str, Any]:
    """Return a model as the API lists it."""
    return {"id": name, "object": "model", "created": 0, "owned_by": "vizinho"}


def create_app(service: Service) -> ASGIApp:
    """Return the application."""
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(service.watch())]
        if service.puller is not None:
            tasks.append(asyncio.create_task(service.puller.run()))
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    app = FastAPI(title="vizinho", docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan, telemetry=NO_TELEMETRY)

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
            raise no_model(ALIASES[0], service.champion.version)
        return JSONResponse(entry_of(name))

    @app.get("/health")
    async def health() -> Response:
        healthy = service.engine.healthy
        return JSONResponse({"status": "ok" if healthy else "failed"}, 200 if healthy else 503)

    @app.get("/ready")
    async def ready() -> Response:
        state = service.state()
        return JSONResponse(state, 200 if state["status"] == "ready" else 503)

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

    return Edge(app, PATHS, lambda: service.champion.version, service.metrics)
