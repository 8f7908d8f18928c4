"""The engine: parts of all requests in fair order, segments delivered in order, failures kept to their request."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from pipeline.decoding.greedy import Decoded
from pipeline.decoding.recordings import Ended, Segment, Source
from pipeline.serving.engine import Engine, Job, Limits, StoppedError, TooLongError
from tests.serving.service import talk


@dataclass
class Network:
    """Notes its batches; the logits of a part are its length. `go` lets it run."""

    frame_s: float = 0.02
    normalise: bool = False
    go: threading.Event = field(default_factory=threading.Event)
    batches: list[list[int]] = field(default_factory=list)
    fails: Callable[[Sequence[Any]], bool] = lambda _: False

    def logits_of(self, waveforms: Sequence[Any]) -> list[Any]:
        assert self.go.wait(2)
        self.batches.append([len(waveform) for waveform in waveforms])
        if self.fails(waveforms):
            raise RuntimeError("out of memory")
        return [np.full((1, 1), len(waveform)) for waveform in waveforms]

    decode_all: Any = None


@dataclass
class System:
    network: Network = field(default_factory=Network)
    longest_s: float = 3.0


def decode(logits: Any) -> Decoded:
    return Decoded(str(int(logits[0, 0])), 1.0, ())


class Client:
    """Collects what the engine delivers."""

    def __init__(self, engine: Engine, system: System, file: Path) -> None:
        self.items: queue.Queue[Segment | Ended] = queue.Queue()
        self.done_at = 0.0
        self.job: Job = engine.submit(Source("recording", file), system, decode, self._deliver)

    def _deliver(self, item: Segment | Ended) -> None:
        self.done_at = time.monotonic()
        self.items.put(item)

    def all(self) -> tuple[list[Segment], Ended]:
        segments = []
        while isinstance(item := self.items.get(timeout=10), Segment):
            segments.append(item)
        return segments, item


@contextmanager
def engine_of(**limits: Any) -> Iterator[Engine]:
    engine = Engine(Limits(**limits))
    try:
        yield engine
    finally:
        engine.stop()


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    found = {}
    for name, samples in {"short": talk("rosa"), "other": talk("ossos"), "long": talk(*["rosa era", "serra", "osso"] * 12)}.items():
        found[name] = tmp_path / f"{name}.wav"
        soundfile.write(found[name], samples, 16_000)
    return found


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_segments_come_in_order_from_several_workers(files: dict[str, Path]) -> None:
    system = System()
    system.network.go.set()
    with engine_of(workers=3, batch_s=4.0) as engine:
        segments, ended = Client(engine, system, files["long"]).all()
    assert ended.error is None
    assert [segment.start_s for segment in segments] == sorted(segment.start_s for segment in segments)
    assert sum(segment.end_s - segment.start_s for segment in segments) == pytest.approx(ended.duration_s, abs=0.01)
    assert engine.waiting() == (0, 0.0)


def test_short_recordings_do_not_wait_for_a_long_one(files: dict[str, Path]) -> None:
    system = System()
    with engine_of(batch_s=4.0) as engine:
        long = Client(engine, system, files["long"])
        until(lambda: long.job.served_s > 0)  # its first batch is with the network
        short = [Client(engine, system, files[name]) for name in ("short", "other")]
        until(lambda: all(client.job.ready for client in short))
        system.network.go.set()
        for client in (*short, long):
            assert client.all()[1].error is None
    assert max(client.done_at for client in short) < long.done_at
    assert {len(talk("rosa")), len(talk("ossos"))} <= set(system.network.batches[1]), "both short ones are in the next batch"


def test_a_batch_has_parts_of_one_system_and_of_similar_length_within_the_budget(files: dict[str, Path]) -> None:
    first, second = System(), System()
    with engine_of(batch_s=6.0) as engine:
        clients = [Client(engine, system, files[name]) for system in (first, second) for name in ("short", "long", "other")]
        first.network.go.set()
        second.network.go.set()
        assert all(client.all()[1].error is None for client in clients)
    for batch in (*first.network.batches, *second.network.batches):
        assert len(batch) * max(batch) <= 6 * 16_000 or len(batch) == 1
        assert max(batch) <= 2.1 * min(batch)


@pytest.mark.parametrize(("busy_s", "together"), [(0.0, False), (1e6, True)])
def test_long_recordings_leave_a_batch_soon(files: dict[str, Path], busy_s: float, together: bool) -> None:
    """A worker is with further parts of recordings for a short time; first parts of others do not count."""
    system = System()
    with engine_of(batch_s=60.0, busy_s=busy_s) as engine:
        clients = [Client(engine, system, files["long"])]
        until(lambda: clients[0].job.served_s > 0)
        clients += [Client(engine, system, files[name]) for name in ("short", "other", "short")]
        until(lambda: all(client.job.end is not None for client in clients))  # all parts wait
        system.network.go.set()
        assert all(client.all()[1].error is None for client in clients)
    assert len(system.network.batches[1]) >= 3, "the short ones share a batch"
    assert (max(map(len, system.network.batches[1:])) > 4) is together


def test_a_part_that_fails_does_not_spoil_the_others_of_its_batch(files: dict[str, Path]) -> None:
    system = System()
    bad = len(soundfile.read(files["short"])[0])
    system.network.fails = lambda waveforms: any(len(waveform) == bad for waveform in waveforms)
    with engine_of() as engine:
        first = Client(engine, system, files["long"])
        until(lambda: first.job.served_s > 0)
        clients = [Client(engine, system, files[name]) for name in ("short", "other")]
        until(lambda: all(client.job.ready for client in clients))
        system.network.go.set()
        errors = [client.all()[1].error for client in (first, *clients)]
    assert [error is None for error in errors] == [True, False, True]
    assert "RuntimeError" in str(errors[1])
    assert "out of memory" not in str(errors[1])


def test_a_cancelled_recording_delivers_nothing_more_and_frees_its_place(files: dict[str, Path]) -> None:
    system = System()
    with engine_of(batch_s=4.0) as engine:
        client = Client(engine, system, files["long"])
        until(lambda: client.job.served_s > 0)
        engine.cancel(client.job)
        system.network.go.set()
        until(lambda: client.job.closed)
        assert engine.waiting() == (0, 0.0)
        assert client.items.empty()


def test_a_stop_ends_what_is_not_done_and_refuses_new_recordings(files: dict[str, Path]) -> None:
    system = System()
    with engine_of(batch_s=4.0) as engine:
        client = Client(engine, system, files["long"])
        until(lambda: client.job.served_s > 0)
        threading.Timer(0.05, system.network.go.set).start()
        engine.stop()
        assert isinstance(client.all()[1].error, StoppedError)
        with pytest.raises(StoppedError, match="stopping"):
            Client(engine, system, files["short"])


def test_a_recording_longer_than_the_limit_is_refused_while_it_is_read(files: dict[str, Path]) -> None:
    system = System()
    system.network.go.set()
    with engine_of(audio_s=5.0) as engine:
        assert isinstance(Client(engine, system, files["long"]).all()[1].error, TooLongError)
        assert Client(engine, system, files["short"]).all()[1].error is None


def test_a_long_recording_is_read_as_it_is_needed(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", talk(*["rosa era"] * 60), 16_000)
    system = System()
    with engine_of(batch_s=4.0) as engine:
        client = Client(engine, system, tmp_path / "a.wav")
        until(lambda: not client.job.reading)
        assert 8 <= client.job.ready_s + client.job.served_s < 20
        system.network.go.set()
        assert client.all()[1].error is None
