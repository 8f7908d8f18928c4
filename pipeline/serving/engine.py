"""Transcription of many recordings at a time, fairly: the parts of all requests share batches.

Readers cut recordings into parts, a few ahead of need; workers run the network over batches of them. Which parts go next: those of the
request that has been served the least, so that a short recording does not wait for a long one.
"""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final, Protocol

from pipeline.core.errors import DataError, PipelineError
from pipeline.decoding.networks import Network
from pipeline.decoding.recordings import Channels, Decode, Ended, Piece, Segment, Source, pieces, segment_of

AGEING: Final = 0.1
"""A request that has received less than this many seconds of audio per second of waiting goes before a new one."""
ALIKE: Final = 2.0
"""Lengths of the parts in a batch differ at most by this factor: a short part is not padded to a long one."""
MOST_CHANNELS: Final = 16
READERS: Final = 4
RECENT: Final = 0.1
"""Weight of the last batch in the speed."""
FATAL: Final = "AcceleratorError"
"""What PyTorch raises when a GPU has failed in a way from which only a new process recovers; lack of memory is another error."""

log = logging.getLogger(__name__)


class TooLongError(DataError):
    """A recording is longer than the limit."""


class StoppedError(PipelineError):
    """The service stopped before the recording was done."""


class Transcriber(Protocol):
    """What the engine needs of a system.

    Args:
        network: turns waveforms into logits.
        longest_s: longest part that is decoded at once.
    """

    network: Network
    longest_s: float


@dataclass(frozen=True, slots=True)
class Limits:
    """What the engine may use.

    Args:
        workers: batches that run at the same time: 1 per GPU, or one per processor.
        batch_s: padded seconds per batch.
        audio_s: longest recording.
        busy_s: how long a batch may be busy with further parts of recordings, after the first part of each; the engine measures how much audio
            that is. New recordings wait for the batches that run, so long recordings must not fill them.
    """

    workers: int = 1
    batch_s: float = 30.0
    audio_s: float = 4 * 3600.0
    busy_s: float = 0.1


@dataclass(eq=False, slots=True)
class Job:
    """A recording that is being transcribed.

    Args:
        source: the recording.
        system: transcribes it to its end, whatever is loaded later.
        decode: returns the hypothesis for the logits of one part.
        deliver: receives the segments in order, then the end.
        parts: its parts, read when they are asked for.
        arrived: when it was submitted, on the monotonic clock.
        ready: parts that wait for the network, by their number.
        decoded: segments that wait for an earlier one.
        read: number of parts read.
        delivered: number of segments delivered.
        served_s: audio given to the network.
        end: of the recording, once it was read.
        reading: whether a reader has it.
        closed: whether it is not read any more.
        finished: whether nothing further is delivered.
    """

    source: Source
    system: Transcriber
    decode: Decode
    deliver: Callable[[Segment | Ended], object]
    parts: Generator[Piece | Ended, None, None]
    arrived: float
    ready: dict[int, Piece] = field(default_factory=dict)
    decoded: dict[int, Segment] = field(default_factory=dict)
    read: int = 0
    delivered: int = 0
    served_s: float = 0.0
    end: Ended | None = None
    reading: bool = False
    closed: bool = False
    finished: bool = False

    @property
    def ready_s(self) -> float:
        """Return how much audio waits for the network."""
        return sum(_duration_s(piece) for piece in self.ready.values())


class Engine:
    """Owns the threads. `submit` and `cancel` may be called from any thread.

    Args:
        limits: what it may use.
        observe: is called with the number of parts, the padded seconds and the seconds of audio of each batch.
    """

    def __init__(self, limits: Limits, observe: Callable[[int, float, float], object] = lambda *_: None) -> None:
        self.limits = limits
        self._observe = observe
        self._changed = threading.Condition()
        self._jobs: dict[Job, None] = {}  # in order of arrival
        self._stopped = self._failed = False
        self._speed = 0.0  # padded seconds per second of one worker; 0 before the first batch
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="reader")
        self._workers = [threading.Thread(target=self._work, name=f"worker-{number}", daemon=True) for number in range(limits.workers)]
        for worker in self._workers:
            worker.start()

    def submit(self, source: Source, system: Transcriber, decode: Decode, deliver: Callable[[Segment | Ended], object]) -> Job:
        """Queue a recording and return it.

        Args:
            source: the recording, a file.
            system: transcribes it.
            decode: of that system.
            deliver: receives each segment, in order, and the end; several threads call it, one at a time. It must not block.

        Raises:
            StoppedError: the engine was stopped.
        """
        parts = pieces([source], system.longest_s, Channels.AUTO, system.network.normalise, live=False, most_channels=MOST_CHANNELS)
        job = Job(source, system, decode, deliver, parts, time.monotonic())
        with self._changed:
            if self._stopped:
                raise StoppedError("the service", "it is stopping", "", "try again")
            self._jobs[job] = None
            self._read_on(job)
        return job

    def cancel(self, job: Job) -> None:
        """Drop a job: nothing further is delivered. A job that is done stays as it is."""
        with self._changed:
            if not job.finished:
                self._finish(job, None)

    def stop(self) -> None:
        """Stop the threads; jobs that are not done end with a `StoppedError`."""
        with self._changed:
            self._stopped = True
            for job in list(self._jobs):
                error = StoppedError("the service", "it stopped before the recording was done", "", "send it again")
                self._finish(job, Ended(job.source, error=error))
            self._changed.notify_all()
        for worker in self._workers:
            worker.join()
        self._readers.shutdown()

    @property
    def healthy(self) -> bool:
        """Return whether recordings can be transcribed: the threads run, and the GPU has not failed for this process."""
        return not self._failed and (self._stopped or all(worker.is_alive() for worker in self._workers))

    def waiting(self) -> tuple[int, float]:
        """Return how many recordings are not done, and how much of their audio waits for the network."""
        with self._changed:
            return len(self._jobs), sum(job.ready_s for job in self._jobs)

    def serves(self, system: Transcriber) -> bool:
        """Return whether a recording that is not done needs this system."""
        with self._changed:
            return any(job.system is system for job in self._jobs)

    # ---- Readers: everything below is called with the lock held, unless it says otherwise --------------------------------------

    def _read_on(self, job: Job) -> None:
        """Have a reader cut further parts, if the job has few, or close the recording of a job that is finished."""
        if not job.reading and not job.closed and (job.finished or job.end is None) and job.ready_s < 2 * self.limits.batch_s:
            job.reading = True
            self._readers.submit(self._read, job)

    def _read(self, job: Job) -> None:
        """Read the next parts of a recording. In a reader's thread, without the lock."""
        try:
            while True:
                with self._changed:
                    if job.finished or job.ready_s >= 2 * self.limits.batch_s:
                        break
                item = self._next(job)
                with self._changed:
                    if isinstance(item, Ended):
                        job.end = item
                        self._deliver(job)
                        break
                    job.ready[job.read] = item
                    job.read += 1
                    self._changed.notify()
        finally:
            with self._changed:
                job.reading = False
                done = job.finished or job.end is not None
                job.closed = done
                self._read_on(job)
            if done:
                job.parts.close()

    def _next(self, job: Job) -> Piece | Ended:
        """Return a recording's next part or its end. Without the lock."""
        try:
            item = next(job.parts)
        except Exception as error:  # a damaged file can make a decoder fail in any way
            log.warning("a recording cannot be read: %s", type(error).__name__)
            return Ended(job.source, error=DataError(job.source.name, "it cannot be decoded", "audio", "convert it"))
        length_s = item.end_s if isinstance(item, Piece) else item.duration_s
        if length_s > self.limits.audio_s:
            return Ended(job.source, length_s, TooLongError(job.source.name, "it is too long", f"at most {self.limits.audio_s:g} s", "split it"))
        return item

    # ---- Workers ---------------------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        """Run batches until the engine stops. In a worker's thread, without the lock."""
        while True:
            with self._changed:
                while not (batch := self._take()):
                    if self._stopped:
                        return
                    self._changed.wait()
            began = time.monotonic()
            results = self._segments(batch)
            self._measure(batch, time.monotonic() - began)
            for job, index, segment in results:
                with self._changed:
                    if job.finished:
                        continue
                    if isinstance(segment, PipelineError):
                        self._finish(job, Ended(job.source, error=segment))
                    else:
                        job.decoded[index] = segment
                        self._deliver(job)

    def _take(self) -> list[tuple[Job, int, Piece]]:
        """Remove the next batch from the queue and return it: parts of one system, of similar length, within the padded seconds."""
        now, further_s = time.monotonic(), self._speed * self.limits.busy_s
        waiting: list[tuple[float, int, Job, int, Piece]] = []
        for job in self._jobs:
            turn_s = job.served_s - AGEING * (now - job.arrived)
            for index, piece in job.ready.items():
                waiting.append((turn_s, len(waiting), job, index, piece))
                turn_s += _duration_s(piece)
        batch: list[tuple[Job, int, Piece]] = []
        longest_s = 0.0
        for _, _, job, index, piece in sorted(waiting, key=lambda entry: entry[:2]):
            duration_s = _duration_s(piece)
            if batch:
                first_s = _duration_s(batch[0][2])
                alike = first_s / ALIKE <= duration_s <= first_s * ALIKE
                if job.system is not batch[0][0].system or not alike or (len(batch) + 1) * max(longest_s, duration_s) > self.limits.batch_s:
                    continue
            if index:  # not the first part
                if batch and duration_s > further_s:
                    continue
                further_s -= duration_s
            batch.append((job, index, piece))
            longest_s = max(longest_s, duration_s)
        for job, index, piece in batch:
            del job.ready[index]
            job.served_s += _duration_s(piece)
            self._read_on(job)
        return batch

    def _measure(self, batch: list[tuple[Job, int, Piece]], took_s: float) -> None:
        """Note how fast a batch was; the last few count. Without the lock."""
        speed = len(batch) * max(_duration_s(piece) for _, _, piece in batch) / max(took_s, 1e-6)
        with self._changed:
            self._speed += (speed - self._speed) * (RECENT if self._speed else 1.0)

    def _segments(self, batch: list[tuple[Job, int, Piece]]) -> list[tuple[Job, int, Segment | PipelineError]]:
        """Return the hypotheses of a batch. If it fails, its parts run one by one, so that one does not spoil the others. Without the lock."""
        durations_s = [_duration_s(piece) for _, _, piece in batch]
        self._observe(len(batch), len(batch) * max(durations_s), sum(durations_s))
        try:
            logits = batch[0][0].system.network.logits_of([piece.waveform for _, _, piece in batch])
            return [(job, index, segment_of(piece, job.decode(logits_TV))) for (job, index, piece), logits_TV in zip(batch, logits, strict=True)]
        except Exception as error:
            self._failed = self._failed or type(error).__name__ == FATAL
            if len(batch) > 1:
                return [result for one in batch for result in self._segments([one])]
            frames = "".join(traceback.format_tb(error.__traceback__))  # without the message, which may have text of the recording
            log.error("a part of %.1f s cannot be transcribed: %s\n%s", durations_s[0], type(error).__name__, frames)
            return [(batch[0][0], batch[0][1], PipelineError("the service", f"it cannot transcribe the recording ({type(error).__name__})"))]

    def _deliver(self, job: Job) -> None:
        """Hand over the segments that are complete in order, and the end after the last one."""
        while not job.finished and (segment := job.decoded.pop(job.delivered, None)):
            job.delivered += 1
            job.deliver(segment)
        if not job.finished and job.end is not None and (job.end.error is not None or job.delivered == job.read):
            self._finish(job, job.end)

    def _finish(self, job: Job, end: Ended | None) -> None:
        job.finished = True
        job.ready.clear()
        job.decoded.clear()
        self._jobs.pop(job, None)
        if end is not None:
            job.deliver(end)
        self._read_on(job)  # closes the recording


def _duration_s(piece: Piece) -> float:
    return piece.end_s - piece.start_s
