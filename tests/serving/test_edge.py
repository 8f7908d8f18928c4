"""Connections of clients that send little, nothing, or do not read; the GPU that has failed."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from pipeline.core.errors import PipelineError
from pipeline.decoding.recordings import Ended, Segment, Source
from pipeline.serving import edge, transcripts
from pipeline.serving.api import Bounds
from pipeline.serving.forms import Form
from pipeline.serving.server import Server, _workers, gpu_lock
from pipeline.serving.transcripts import EventStream, Transcript
from tests.serving.service import checkout, curl, running

HALF = b"GET /health HTTP/1.1\r\nHost: a\r\n"
WHOLE = HALF + b"\r\n"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkout(tmp_path_factory.mktemp("checkout"))


@contextmanager
def connected(url: str, count: int, sent: bytes = b"") -> Iterator[list[socket.socket]]:
    """Open connections, one after the other, and send this on each."""
    with ExitStack() as held:
        found = []
        for _ in range(count):
            connection = held.enter_context(socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=10))
            connection.sendall(sent)
            found.append(connection)
        yield found


def is_closed(connection: socket.socket) -> bool:
    """Return whether the server closed a connection without a response."""
    try:
        return connection.recv(1000) == b""
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False


def metric(server: Server, name: str, **labels: str) -> float:
    return server._service.metrics.registry.get_sample_value(name, labels) or 0.0


def test_headers_that_do_not_come_end_their_connection(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge, "HEADERS_S", 0.1)
    with running(root) as (server, url), connected(url, 1) as (silent,), connected(url, 1, HALF) as (half,), connected(url, 1, WHOLE) as (whole,):
        assert is_closed(silent)
        assert is_closed(half)
        assert whole.recv(1000).startswith(b"HTTP/1.1 200")
        whole.sendall(HALF)  # also those of a second request
        while answer := whole.recv(1000):
            assert answer.endswith(b'{"status":"ok"}')
        assert metric(server, "vizinho_connections_closed_total", reason="late") == 3


def test_a_body_after_the_response_ends_its_connection(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge, "HEADERS_S", 0.1)
    with running(root) as (_, url), connected(url, 1, HALF + b"Content-Length: 100000\r\n\r\n") as (connection,):
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")
        deadline = time.monotonic() + 5
        with suppress(ConnectionResetError, BrokenPipeError):
            while time.monotonic() < deadline:
                connection.sendall(b"x")
                time.sleep(0.02)
        assert time.monotonic() < deadline


def test_further_connections_replace_those_that_wait_the_longest_without_a_request(root: Path) -> None:
    with running(root, bounds=Bounds(connections=4)) as (server, url), connected(url, 4, HALF) as old, connected(url, 2, HALF) as new:
        assert [is_closed(connection) for connection in old[:2]] == [True, True]
        assert curl(f"{url}/health")[0] == 200
        for connection in new:
            connection.sendall(b"\r\n")
            assert connection.recv(1000).startswith(b"HTTP/1.1 200")
        assert metric(server, "vizinho_connections_closed_total", reason="bound") == 3
        assert len(server.server_state.connections) <= 4


@pytest.mark.slow
def test_a_thousand_connections_with_half_a_header_keep_nobody_out(root: Path) -> None:
    with running(root) as (server, url), connected(url, 1000, HALF):
        started = time.monotonic()
        answers = [curl(f"{url}/ready")[0] for _ in range(10)]
        seconds = (time.monotonic() - started) / 10
        assert answers == [200] * 10
        assert len(server.server_state.connections) <= Bounds().connections
        assert seconds < 1.0
        print(f"1,000 connections, {seconds * 1000:.0f} ms per request")


@pytest.mark.slow
def test_a_thousand_clients_that_open_connections_all_the_time_keep_nobody_out(root: Path) -> None:
    over = threading.Event()

    def flood(url: str) -> None:
        while not over.is_set():
            with connected(url, 100, HALF):
                over.wait(0.2)

    with running(root) as (_, url):
        threads = [threading.Thread(target=flood, args=(url,)) for _ in range(10)]
        for thread in threads:
            thread.start()
        try:
            answers = [curl(f"{url}/ready")[0] for _ in range(20)]
        finally:
            over.set()
            for thread in threads:
                thread.join()
    assert answers == [200] * 20


SEGMENT = Segment(Source("recording", Path("recording")), 0, 0.0, 1.0, "rosa", ())


def test_a_client_that_does_not_read_its_stream_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcripts, "UNREAD_S", 0.05)
    released: list[bool] = []

    async def work() -> None:
        transcript = Transcript(Form(model="vizinho"), 0.05)

        async def send(_: Any = None) -> None:
            await asyncio.Event().wait()

        stream = EventStream(transcript, SEGMENT, {}, lambda: released.append(True))
        await stream({"type": "http", "asgi": {"spec_version": "2.3"}}, send, send)  # type: ignore[arg-type]

    asyncio.run(asyncio.wait_for(work(), 5))
    assert released == [True]


def test_the_time_of_a_stream_counts_from_its_request() -> None:
    async def work() -> list[str]:
        transcript = Transcript(Form(model="vizinho", stream=True), 0.1)
        await asyncio.sleep(0.06)
        transcript.deliver(SEGMENT)
        first = await transcript.next()
        began = time.monotonic()
        events = [event async for event in transcript.events(first)]
        assert time.monotonic() - began < 0.09
        return events

    events = asyncio.run(work())
    assert "transcript.text.delta" in events[0]
    assert "the transcription took more than 0.1 s" in events[-1]


def test_a_gpu_that_has_failed_makes_the_process_unhealthy(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class AcceleratorError(RuntimeError):
        pass

    done = threading.Event()
    with running(root) as (server, url):
        engine, served = server._service.engine, server._service.champion.acquire()
        for kind, health in ((MemoryError, 200), (AcceleratorError, 503)):
            def fail(_: Any, kind: type[Exception] = kind) -> list[Any]:
                raise kind

            monkeypatch.setattr(served.network, "logits_of", fail)
            ends: list[Segment | Ended] = []
            done.clear()

            def deliver(item: Segment | Ended, ends: list[Segment | Ended] = ends) -> None:
                ends.append(item)
                done.set()

            soundfile.write(root / "a.wav", np.ones(16_000) / 2, 16_000)
            engine.submit(Source("recording", root / "a.wav"), served, served.decoder(()), deliver)
            assert done.wait(5)
            assert isinstance(ends[0], Ended)
            assert isinstance(ends[0].error, PipelineError)
            assert curl(f"{url}/health")[0] == health


def test_workers_share_the_threads_of_the_cpu() -> None:
    import torch

    before = torch.get_num_threads()
    try:
        for asked, expected in ((None, (4, 1)), (2, (2, 2)), (8, (8, 1))):
            torch.set_num_threads(4)
            assert (_workers(asked), torch.get_num_threads()) == expected
    finally:
        torch.set_num_threads(before)


def test_the_service_holds_the_lock_of_its_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import fcntl
    import tempfile
    from types import SimpleNamespace

    import torch

    from pipeline.decoding.networks import Backend

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: SimpleNamespace(uuid="GPU-1"))
    for gpu, backend, locked in ((True, Backend.TORCH, True), (True, Backend.ONNX, False), (False, Backend.TORCH, False)):
        device = torch.device("cuda", 0) if gpu else torch.device("cpu")
        monkeypatch.setattr("pipeline.model.device.choose_device", lambda device=device: device)
        with gpu_lock(backend), open(tmp_path / "vizinho-gpu-GPU-1.lock", "a") as other:
            try:
                fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
                assert not locked
            except BlockingIOError:
                assert locked
