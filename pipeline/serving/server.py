"""The running service: champion, engine and HTTP server of one process."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import uvicorn

from pipeline.core.errors import ParamsError
from pipeline.core.processors import usable_processors
from pipeline.decoding.networks import Backend
from pipeline.serving.api import Bounds, Service, create_app
from pipeline.serving.champion import Champion
from pipeline.serving.edge import KEEP_ALIVE_S, protocol_of
from pipeline.serving.engine import Engine, Limits
from pipeline.serving.metrics import Metrics
from pipeline.serving.pull import Puller

LOOPBACK = ("127.0.0.1", "::1", "localhost")
BACKLOG = 256
"""Connections that the kernel holds for the service: they become open files at once, before the bound is applied."""
GPU_WORKERS = 2
"""One decodes a batch while the other runs the network."""


class Server(uvicorn.Server):
    """Stops gracefully: requests have `grace_s` to finish, then those that are left get an error that makes a client send them again."""

    def __init__(self, service: Service, host: str, port: int, grace_s: float) -> None:
        protocol = protocol_of(service.bounds.connections, service.metrics)
        super().__init__(uvicorn.Config(create_app(service), host, port, http=protocol, ws="none", access_log=False, log_config=None, lifespan="on",
                                        server_header=False, backlog=BACKLOG, timeout_keep_alive=KEEP_ALIVE_S,
                                        timeout_graceful_shutdown=int(grace_s) + 10))
        self._service, self._grace_s = service, grace_s

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop at a signal, at once at a second SIGINT; the process then ends with exit code 0."""
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop."""
        handing_back = asyncio.create_task(self._hand_back())
        await super().shutdown(sockets)
        handing_back.cancel()
        await asyncio.to_thread(self._service.engine.stop)

    async def _hand_back(self) -> None:
        await asyncio.sleep(self._grace_s)
        self._service.stopping.set()
        await asyncio.to_thread(self._service.engine.stop)


def make_server(root: Path, host: str, port: int, token: str | None, backend: Backend = Backend.TORCH, *, model: Path | None = None,
                language_model: bool = True, bounds: Bounds | None = None, workers: int | None = None, batch_s: float = 30.0,
                audio_s: float = 4 * 3600.0, grace_s: float = 30.0, poll_s: float = 5.0, pull_s: float = 0.0, unload_after_s: float = 0.0) -> Server:
    """Load the champion and return a server that is ready to run.

    Args:
        root: of the checkout.
        host: address to listen on.
        port: to listen on; 0 for any.
        token: that clients send. Without one the service listens on the loopback interface only.
        backend: what runs the network.
        model: a model folder to serve instead of the champion.
        language_model: whether the model's decoder is used.
        bounds: what a client may use.
        workers: batches at the same time; None for one per processor, or two on a GPU.
        batch_s: padded seconds per batch.
        audio_s: longest recording.
        grace_s: time for running requests when the service stops.
        poll_s: time between two checks of the champion.
        pull_s: time between two pulls of the checkout, of which the first is done here; 0 for none.
        unload_after_s: time without a request after which the model leaves memory; 0 for never.

    Raises:
        ParamsError: the service would listen on another interface without a token.
        PipelineError: the champion cannot be loaded.
    """
    if host not in LOOPBACK and not token:
        raise ParamsError("vizinho serve", [f"host {host} without a token: set VIZINHO_SERVE_TOKEN, or listen on 127.0.0.1"])
    metrics = Metrics()
    champion = Champion(root, backend, language_model, model, unload_after_s, metrics.reloaded)
    puller = None
    if pull_s and model is None:
        puller = Puller(root, pull_s, lambda: asyncio.to_thread(champion.check), metrics.pulled)
        asyncio.run(puller.once())  # if it fails, the model that the checkout has is served
    champion.acquire()
    engine = Engine(Limits(_workers(workers), batch_s, audio_s), metrics.batch_done)
    return Server(Service(champion, engine, bounds or Bounds(), token, metrics, poll_s, puller), host, port, grace_s)


@contextmanager
def gpu_lock(backend: Backend) -> Iterator[None]:
    """Hold the lock of the GPU, if the backend uses one: stages that train or transcribe on it wait until the service stops, and it for them."""
    if backend is not Backend.TORCH:
        yield
        return
    from pipeline.model.device import choose_device, exclusive

    if (device := choose_device()).type == "cpu":
        yield
        return
    with exclusive(device, 1):
        yield


def _workers(asked: int | None) -> int:
    """Return how many batches run at the same time. On a CPU they share its threads: by default one for each batch."""
    if (torch := sys.modules.get("torch")) is None:
        return asked or usable_processors()
    if torch.cuda.is_available():
        return asked or GPU_WORKERS
    threads = int(torch.get_num_threads())
    workers = asked or threads
    torch.set_num_threads(max(1, threads // workers))  # threads that share a batch wait for each other at every operation
    return workers


def log_to_standard_error() -> None:
    """Log one line per request, and what happens to the champion."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    for name in ("httpx", "asyncio", "multipart", "python_multipart"):  # the last one logs the content of forms at DEBUG
        logging.getLogger(name).setLevel(logging.WARNING)
