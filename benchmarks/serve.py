"""The HTTP service under load, beside `vizinho transcribe` and a plain server of the same model.

    python -m benchmarks.serve [--data data] [--model data/train/transfer] [--decoder data/language_model/portuguese] [--no-lm]
                               [--utterances 120] [--rounds 3] [--seconds 20] [--long HOURS] [--memory REQUESTS]

Needs a checkout in which `dvc repro` has run. The client, the service and the plain server run on this machine, over the loopback interface; the
client's processor time is the service's loss. Each round measures every row, so ratios are between neighbours in time.

    offline            `vizinho transcribe` of the files, the model loaded: the limit
    service            the same files as requests, enough at a time for a full queue
    plain              transformers.pipeline in FastAPI, one request at a time, greedily: what people write first
    latency            open loop: Poisson arrivals at 25, 50 and 90 % of the service's throughput, from the planned arrival to the whole answer
    fairness           the same at 25 %, alone and while one recording of HOURS hours is transcribed
    memory             resident memory of the service over so many requests of the shortest utterances

On a machine with other work, the processor time of a process says more than its speed: the ratio of two is that of the speeds on a quiet machine
whose processors are all used. Every load ends by itself: after `--seconds` and the answers to what was sent by then, or after its requests.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import soundfile

from benchmarks.transcribe import Transcriber, with_decoder, write_files
from pipeline.batching.waveforms import UtteranceAudio
from pipeline.core.files import ROOT, read_table
from pipeline.core.manifest import SAMPLE_RATE_HZ

LOADS: Final = (0.25, 0.5, 0.9)
AT_A_TIME: Final = 48
TIMEOUT_S: Final = 600.0
PLAIN: Final = '''
import io, sys, threading
import soundfile, uvicorn
from fastapi import FastAPI, UploadFile
from transformers import pipeline

recogniser, one = pipeline("automatic-speech-recognition", model=sys.argv[1]), threading.Lock()
app = FastAPI()

@app.post("/v1/audio/transcriptions")
def transcribe(file: UploadFile):
    samples, rate = soundfile.read(io.BytesIO(file.file.read()), dtype="float32")
    with one:
        return {"text": recogniser({"raw": samples, "sampling_rate": rate})["text"]}

uvicorn.run(app, host="127.0.0.1", port=0, access_log=False)
'''


@dataclass(frozen=True, slots=True)
class Clip:
    """An utterance as a request."""

    request: bytes
    duration_s: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: seconds from the planned arrival to the end of the answer, status, text."""

    clip: int
    latency_s: float
    status: int
    text: str


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT / "data")
    parser.add_argument("--model", type=Path, help="default: train/transfer in the data")
    parser.add_argument("--decoder", type=Path, help="default: language_model/portuguese in the data")
    parser.add_argument("--no-lm", action="store_true", help="decode greedily, as the plain server does")
    parser.add_argument("--utterances", type=int, default=120)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=20.0, help="of arrivals per load")
    parser.add_argument("--long", type=float, default=0.0, help="hours of the recording beside short ones; 0 for none")
    parser.add_argument("--memory", type=int, default=0, help="requests over which memory is measured; 0 for none")
    given = parser.parse_args(arguments)
    model = given.model or given.data / "train/transfer"
    decoder = given.decoder or given.data / "language_model/portuguese"
    audio = UtteranceAudio(read_table(given.data / "split/portuguese/test.parquet"), given.data / "ingest")
    samples = [audio.samples(index) for index in range(given.utterances)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        served = with_decoder(model, decoder, folder / "served")
        files = write_files(samples, folder)
        clips = [Clip(request_of(file.read_bytes()), len(one) / SAMPLE_RATE_HZ) for file, one in zip(files, samples, strict=True)]
        with service(served, ["--no-lm"] if given.no_lm else []) as (address, process), plain(served) as (plain_address, other):
            print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}, {len(clips)} utterances, "
                  f"{sum(clip.duration_s for clip in clips):.0f} s", flush=True)
            ours, way = Transcriber(model, decoder), "greedy" if given.no_lm else "language model"
            rate = throughputs(ours, way, files, clips, (address, process.pid), (plain_address, other.pid), given.rounds)
            latencies(clips, address, rate, given.seconds, given.rounds)
            if given.long:
                fairness(clips, address, rate, given.seconds, long_recording(samples, given.long, folder / "long.flac"))
            if given.memory:
                memory(sorted(clips, key=lambda clip: clip.duration_s)[:8], address, process.pid, given.memory)
    print(f"load at the end {os.getloadavg()[0]:.1f}")


# ---- Servers -------------------------------------------------------------------------------------------------------------------


@contextmanager
def running(command: Sequence[str]) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """Start a server; yield its port and its process; end it."""
    with tempfile.NamedTemporaryFile("r", suffix=".log") as log, open(log.name, "w") as output, subprocess.Popen(
            [sys.executable, *command], cwd=ROOT, stdout=output, stderr=output, text=True,
            env={name: value for name, value in os.environ.items() if name != "VIZINHO_SERVE_TOKEN"}) as process:
        try:
            deadline = time.monotonic() + TIMEOUT_S
            while not (found := re.search(r"running on http://127\.0\.0\.1:([0-9]+)", Path(log.name).read_text())):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(Path(log.name).read_text()[-2000:])
                time.sleep(0.1)
            yield int(found[1]), process
        finally:
            process.terminate()
            process.wait(60)


def service(model: Path, options: Sequence[str]) -> Iterator[tuple[int, subprocess.Popen[str]]]:  # type: ignore[misc]
    """Return a running service of a model."""
    return running(["-m", "pipeline.cli", "serve", "--model", str(model), "--port", "0", "--requests", "1000", *options])  # type: ignore[return-value]


def plain(model: Path) -> Iterator[tuple[int, subprocess.Popen[str]]]:  # type: ignore[misc]
    """Return a running plain server of a model."""
    return running(["-c", PLAIN, str(model)])  # type: ignore[return-value]


# ---- Clients -------------------------------------------------------------------------------------------------------------------


def request_of(content: bytes) -> bytes:
    """Return a whole request with this recording."""
    body = (b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nvizinho\r\n--b\r\n'
            b'Content-Disposition: form-data; name="file"; filename="a.flac"\r\n\r\n' + content + b"\r\n--b--\r\n")
    head = ("POST /v1/audio/transcriptions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: multipart/form-data; boundary=b\r\n"
            f"Content-Length: {len(body)}\r\n\r\n")
    return head.encode() + body


async def ask(port: int, clip: Clip, number: int, planned: float) -> Answer:
    """Send a request and return its answer."""
    async with asyncio.timeout(TIMEOUT_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(clip.request)
        answer = await reader.read()
        writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    return Answer(number, time.monotonic() - planned, int(head.split()[1]), json.loads(body).get("text", ""))


async def closed_loop(port: int, clips: Sequence[Clip], count: int, at_a_time: int) -> list[Answer]:
    """Send so many requests, each client its next one after an answer."""
    numbers = iter(range(count))
    answers: list[Answer] = []

    async def client() -> None:
        for number in numbers:
            answers.append(await ask(port, clips[number % len(clips)], number % len(clips), time.monotonic()))

    await asyncio.gather(*(client() for _ in range(at_a_time)))
    return answers


async def open_loop(port: int, clips: Sequence[Clip], per_s: float, seconds: float, seed: int) -> list[Answer]:
    """Send requests at random times, whatever is answered: Poisson arrivals."""
    draw = np.random.default_rng(seed)
    started, at, tasks = time.monotonic(), 0.0, []
    while (at := at + draw.exponential(1 / per_s)) < seconds:
        await asyncio.sleep(max(0.0, started + at - time.monotonic()))
        number = int(draw.integers(len(clips)))
        tasks.append(asyncio.create_task(ask(port, clips[number], number, started + at)))
    return list(await asyncio.gather(*tasks))


# ---- Tables --------------------------------------------------------------------------------------------------------------------


def processor_s(pid: int) -> float:
    """Return the processor time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def throughputs(ours: Transcriber, way: str, files: Sequence[Path], clips: Sequence[Clip], service: tuple[int, int], plain: tuple[int, int],
                rounds: int) -> float:
    """Print speeds and processor times of the three, and their ratios; return the service's requests per second.

    Args:
        ours: transcribes offline.
        way: of decoding.
        files: the utterances.
        clips: the same as requests.
        service: port and process.
        plain: port and process of the plain server.
        rounds: of all three.
    """
    audio_s = sum(clip.duration_s for clip in clips)
    ours.texts(files[:16], way)  # warm
    asyncio.run(closed_loop(service[0], clips, 16, AT_A_TIME))
    asyncio.run(closed_loop(plain[0], clips, 4, 1))
    speeds: dict[str, list[float]] = {"offline": [], "service": [], "plain": []}
    times: dict[str, list[float]] = {name: [] for name in speeds}
    others = 0
    for _ in range(rounds):
        began, before = time.perf_counter(), time.process_time()
        texts = ours.texts(files, way)
        speeds["offline"].append(audio_s / (time.perf_counter() - began))
        times["offline"].append(1000 * (time.process_time() - before) / audio_s)
        for name, (port, pid), at_a_time in (("service", service, AT_A_TIME), ("plain", plain, 4)):
            began, before = time.perf_counter(), processor_s(pid)
            answers = asyncio.run(closed_loop(port, clips, len(clips), at_a_time))
            speeds[name].append(audio_s / (time.perf_counter() - began))
            times[name].append(1000 * (processor_s(pid) - before) / audio_s)
            if name == "service":
                others += sum(answer.status != 200 or answer.text != texts[answer.clip] for answer in answers)
    for name, found in speeds.items():
        print(f"{name:<10} {np.median(found):7.0f} audio-seconds per second ({min(found):.0f} to {max(found):.0f}); processor time "
              f"{np.median(times[name]):.1f} ms per second of audio ({min(times[name]):.1f} to {max(times[name]):.1f})")
    for one, other in (("service", "offline"), ("service", "plain")):
        for kind, pairs in (("speed", [mine / theirs for mine, theirs in zip(speeds[one], speeds[other], strict=True)]),
                            ("inverse of the processor time", [theirs / mine for mine, theirs in zip(times[one], times[other], strict=True)])):
            print(f"{one} / {other}, {kind}: {np.median(pairs):.2f} ({min(pairs):.2f} to {max(pairs):.2f})")
    print(f"answers with another text than offline: {others} of {len(clips) * rounds}", flush=True)
    return float(np.median(speeds["service"])) * len(clips) / audio_s


def latencies(clips: Sequence[Clip], port: int, per_s: float, seconds: float, rounds: int) -> None:
    """Print latencies under each load, the median of the rounds (lowest to highest)."""
    found: dict[float, list[list[float]]] = {load: [] for load in LOADS}
    counts, failed = dict.fromkeys(LOADS, 0), dict.fromkeys(LOADS, 0)
    for round_ in range(rounds):
        for load in LOADS:
            answers = asyncio.run(open_loop(port, clips, load * per_s, seconds, round_))
            found[load].append([1000 * quantile for quantile in np.quantile([answer.latency_s for answer in answers], (0.5, 0.95, 0.99))])
            counts[load] += len(answers)
            failed[load] += sum(answer.status != 200 for answer in answers)
    for load, rows in found.items():
        columns = [f"p{name} {np.median(column):.0f} ms ({min(column):.0f} to {max(column):.0f})"
                   for name, column in zip((50, 95, 99), zip(*rows, strict=True), strict=True)]
        print(f"at {load:.0%} of {per_s:.0f} requests per second: {', '.join(columns)}; {counts[load]} requests, {failed[load]} failed", flush=True)


def long_recording(samples: Sequence[np.ndarray], hours: float, path: Path) -> Clip:  # type: ignore[type-arg]
    """Return a request with a recording of so many hours: the utterances again and again."""
    once = np.concatenate(samples)
    times = max(1, round(hours * 3600 * SAMPLE_RATE_HZ / len(once)))
    with soundfile.SoundFile(path, "w", SAMPLE_RATE_HZ, 1) as output:
        for _ in range(times):
            output.write(once)
    return Clip(request_of(path.read_bytes()), times * len(once) / SAMPLE_RATE_HZ)


def fairness(clips: Sequence[Clip], port: int, per_s: float, seconds: float, long: Clip) -> None:
    """Print the latencies of short recordings alone, then beside a long one, then alone again."""
    async def beside() -> tuple[list[Answer], bool]:
        task = asyncio.create_task(ask(port, long, 0, time.monotonic()))
        await asyncio.sleep(3.0)
        answers = await open_loop(port, clips, LOADS[0] * per_s, seconds, 0)
        ended = task.done()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return answers, ended

    def p95(answers: Sequence[Answer]) -> float:
        return 1000 * float(np.quantile([answer.latency_s for answer in answers], 0.95))

    before = asyncio.run(open_loop(port, clips, LOADS[0] * per_s, seconds, 0))
    during, ended = asyncio.run(beside())
    time.sleep(1.0)
    after = asyncio.run(open_loop(port, clips, LOADS[0] * per_s, seconds, 0))
    print(f"short recordings beside one of {long.duration_s / 3600:.1f} hours{' (which ended meanwhile)' * ended}: p95 {p95(during):.0f} ms, alone "
          f"{p95(before):.0f} ms before and {p95(after):.0f} ms after: {p95(during) / np.mean([p95(before), p95(after)]):.2f} times", flush=True)


def memory(clips: Sequence[Clip], port: int, pid: int, count: int) -> None:
    """Print the service's resident memory after each tenth of the requests."""
    sizes = []
    for _ in range(10):
        asyncio.run(closed_loop(port, clips, count // 10, 16))
        status = Path(f"/proc/{pid}/status").read_text()
        sizes.append(int(re.search(r"VmRSS:\s+([0-9]+) kB", status)[1]) // 1024)  # type: ignore[index]
    print(f"resident memory in MiB after each of 10 times {count // 10} requests: {', '.join(map(str, sizes))}", flush=True)


if __name__ == "__main__":
    main()
