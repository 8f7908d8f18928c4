"""The HTTP service, by the `openai` client, by curl and by broken clients."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import os
import re
import shutil
import socket
import struct
import subprocess
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import openai
import pytest
from openai.types.audio import Transcription, TranscriptionVerbose

from pipeline.cli.transcribe import results, transcribe_files
from pipeline.core.errors import ParamsError
from pipeline.serving.api import Bounds
from pipeline.serving.server import Server, make_server
from tests import tiny
from tests.serving.service import LONG, SHORT, TOKEN, checkout, curl, encoded, running


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkout(tmp_path_factory.mktemp("checkout"))


FILES_BEFORE: set[str] = set()


@pytest.fixture(scope="module")
def served(root: Path) -> Iterator[tuple[Server, str]]:
    FILES_BEFORE.update(os.listdir(tempfile.gettempdir()))
    with running(root, bounds=Bounds(requests=8, upload_bytes=4 << 20, upload_s=0.4), audio_s=120.0) as server:
        yield server


@pytest.fixture
def url(served: tuple[Server, str]) -> str:
    return served[1]


@pytest.fixture
def client(url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{url}/v1", api_key=TOKEN, max_retries=0) as found:
        yield found


@pytest.fixture(scope="module")
def expected(root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What `vizinho transcribe` says of the two recordings."""
    folder = tmp_path_factory.mktemp("audio")
    (folder / "short.flac").write_bytes(SHORT)
    (folder / "long.flac").write_bytes(LONG)
    found = results(transcribe_files([str(folder / "short.flac"), str(folder / "long.flac")], root / "data/champion"))
    return dict(zip(("short", "long"), found, strict=True))


# ---- The openai client ---------------------------------------------------------------------------------------------------------


def test_json_has_the_text_of_vizinho_transcribe(client: openai.OpenAI, expected: dict[str, Any]) -> None:
    for name, audio in (("short", SHORT), ("long", LONG)):
        found = client.audio.transcriptions.create(file=(f"{name}.flac", audio), model="vizinho", language="pt")
        assert isinstance(found, Transcription)
        assert found.text == expected[name]["text"] != ""
        assert found.usage is not None
        assert found.usage.type == "duration"
        assert found.usage.seconds == expected[name]["duration_s"]


def test_verbose_json_has_segments_and_words(client: openai.OpenAI, expected: dict[str, Any]) -> None:
    found = client.audio.transcriptions.create(file=("a.flac", LONG), model="vizinho", response_format="verbose_json")
    assert isinstance(found, TranscriptionVerbose)
    assert (found.text, found.duration, found.language) == (expected["long"]["text"], expected["long"]["duration_s"], "portuguese")
    assert found.segments is not None
    assert found.words is not None
    assert [(word.word, word.start, word.end) for word in found.words] == [
        (word["word"], word["start_s"], word["end_s"]) for word in expected["long"]["words"]]
    assert " ".join(segment.text for segment in found.segments) == found.text
    assert [segment.id for segment in found.segments] == list(range(len(found.segments)))
    for segment in found.segments:
        assert set(segment.to_dict()) == {"id", "seek", "start", "end", "text", "tokens", "temperature", "avg_logprob", "compression_ratio",
                                          "no_speech_prob"}
        assert tiny.vocabulary().decode(segment.tokens) == segment.text
        assert segment.avg_logprob <= 0 < segment.compression_ratio
    only = client.audio.transcriptions.create(file=("a.flac", SHORT), model="vizinho", response_format="verbose_json",
                                              timestamp_granularities=["segment"])
    assert only.words is None
    assert only.segments


def test_text_and_subtitles_are_plain(client: openai.OpenAI, expected: dict[str, Any]) -> None:
    made = {form: client.audio.transcriptions.create(file=("a.flac", SHORT), model="vizinho", response_format=form)  # type: ignore[call-overload]
            for form in ("text", "srt", "vtt")}
    assert made["text"] == expected["short"]["text"] + "\n"
    assert made["srt"].startswith("1\n00:00:")
    assert made["vtt"].startswith("WEBVTT\n\n1\n00:00:")


def test_a_stream_has_a_delta_per_segment_and_the_text_at_its_end(client: openai.OpenAI, expected: dict[str, Any]) -> None:
    with client.audio.transcriptions.create(file=("a.flac", LONG), model="vizinho", stream=True, include=["logprobs"]) as stream:
        events = list(stream)
    deltas = [event for event in events if event.type == "transcript.text.delta"]
    segments = [event for event in events if event.type == "transcript.text.segment"]
    assert events[-1].type == "transcript.text.done"
    assert "".join(event.delta for event in deltas) == events[-1].text == expected["long"]["text"]
    assert len(deltas) == len(segments) > 1
    assert [event.start for event in segments] == sorted(event.start for event in segments)
    assert "".join(str(one.token) for event in deltas for one in event.logprobs or []) == events[-1].text


def test_the_async_client_is_served_and_requests_run_side_by_side(url: str, expected: dict[str, Any]) -> None:
    async def work() -> None:
        async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=TOKEN, max_retries=0) as client:
            plain = [client.audio.transcriptions.create(file=("a.flac", audio), model="whisper-1") for audio in (LONG, SHORT, SHORT)]
            assert [found.text for found in await asyncio.gather(*plain)] == [expected[name]["text"] for name in ("long", "short", "short")]
            stream = await client.audio.transcriptions.create(file=("a.flac", SHORT), model="vizinho", stream=True)
            assert [event.type async for event in stream][-1] == "transcript.text.done"

    asyncio.run(work())


def test_fields_without_effect_are_named_and_every_response_has_the_version(client: openai.OpenAI) -> None:
    raw = client.audio.transcriptions.with_raw_response.create(
        file=("a.flac", SHORT), model="v0.1.0", temperature=0.7, prompt="rua", chunking_strategy={"type": "server_vad", "threshold": 0.5},
        include=["logprobs"])
    assert raw.headers["x-vizinho-ignored"] == "temperature, prompt, chunking_strategy"
    assert raw.headers["x-vizinho-version"] == "v0.1.0"
    found = raw.parse()
    assert found.logprobs is not None
    assert "".join(str(one.token) for one in found.logprobs) == found.text
    assert [model.id for model in client.models.list()] == ["vizinho", "whisper-1", "v0.1.0"]
    assert client.models.retrieve("v0.1.0").id == "v0.1.0"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("v0.2.0")


@pytest.mark.slow
def test_keywords_favour_words(client: openai.OpenAI) -> None:
    plain, favoured = (client.audio.transcriptions.create(file=("a.flac", LONG), model="vizinho", keywords=words).text
                       for words in ([], ["osso", "Serra  Rosa"]))
    assert plain != favoured
    with pytest.raises(openai.BadRequestError, match=r"keywords: ż; expected letters that the model writes"):
        client.audio.transcriptions.create(file=("a.flac", SHORT), model="vizinho", keywords=["ż"])


@pytest.mark.parametrize(("fields", "status", "code", "param"), [
    ({"model": "gpt-9"}, 404, "model_not_found", "model"), ({"language": "en"}, 400, "invalid_value", "language"),
    ({"languages": ["en", "fr"]}, 400, "invalid_value", "languages"), ({"temperature": 3}, 400, "invalid_value", "temperature"),
    ({"response_format": "diarized_json"}, 400, "invalid_value", "response_format"),
    ({"timestamp_granularities": ["word"]}, 400, "invalid_value", "timestamp_granularities"),
    ({"include": ["logprobs"], "response_format": "text"}, 400, "invalid_value", "include"),
    ({"stream": True, "response_format": "srt"}, 400, "invalid_value", "response_format"),
    ({"keywords": ["a" * 101]}, 400, "invalid_value", "keywords"),
])
def test_a_wrong_field_is_an_error_in_the_apis_form(client: openai.OpenAI, fields: dict[str, Any], status: int, code: str, param: str) -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        client.audio.transcriptions.create(**({"file": ("a.flac", SHORT), "model": "vizinho"} | fields))
    error = caught.value
    assert (error.status_code, error.code, error.param, error.type) == (status, code, param, "invalid_request_error")


# ---- curl ----------------------------------------------------------------------------------------------------------------------


def test_curl_is_served(url: str, tmp_path: Path, expected: dict[str, Any]) -> None:
    (tmp_path / "a.flac").write_bytes(SHORT)
    file = f"file=@{tmp_path / 'a.flac'}"
    status, headers, body = curl(f"{url}/v1/audio/transcriptions", "-F", file, "-F", "model=vizinho")
    assert (status, json.loads(body)["text"], headers["content-type"]) == (200, expected["short"]["text"], "application/json")
    status, headers, body = curl(f"{url}/v1/audio/transcriptions", "-N", "-F", file, "-F", "model=vizinho", "-F", "stream=true")
    assert headers["content-type"].startswith("text/event-stream")
    assert body.count("event: transcript.text.delta\ndata: {") == 1
    assert body.rstrip().rpartition("\ndata: ")[2] == json.dumps({"type": "transcript.text.done", "text": expected["short"]["text"]})


def test_the_token_is_needed_where_texts_and_counts_are(url: str, tmp_path: Path) -> None:
    (tmp_path / "a.flac").write_bytes(SHORT)
    for path, arguments in (("/v1/audio/transcriptions", ("-F", f"file=@{tmp_path / 'a.flac'}", "-F", "model=vizinho")), ("/v1/models", ()),
                            ("/metrics", ())):
        for token in (None, "wrong", "ç"):
            status, headers, body = curl(url + path, *arguments, token=token)
            assert (status, json.loads(body)["error"]["code"], headers["x-vizinho-version"]) == (401, "invalid_api_key", "v0.1.0")
    assert json.loads(curl(f"{url}/health", token=None)[2]) == {"status": "ok"}
    assert json.loads(curl(f"{url}/ready", token=None)[2]) == {"status": "ready", "version": "v0.1.0", "loaded": True, "behind": False, "pull": "off"}
    assert [curl(url + path)[0] for path in ("/v2", "/v1/audio/transcriptions", "/docs")] == [404, 405, 404]


def test_the_metrics_count_requests_batches_and_audio(url: str, client: openai.OpenAI) -> None:
    client.audio.transcriptions.create(file=("a.flac", SHORT), model="vizinho")
    found = curl(f"{url}/metrics")[2]
    for pattern in (r'vizinho_requests_total{path="/v1/audio/transcriptions",status="200"} [1-9]', r"vizinho_batch_parts_count [1-9]",
                    r"vizinho_audio_seconds_total [1-9]", r'vizinho_champion{version="v0.1.0"} 1', r"vizinho_queue_requests 0",
                    r"vizinho_queue_audio_seconds 0", r'vizinho_request_seconds_count{path="/v1/audio/transcriptions"} [1-9]'):
        assert re.search(pattern, found), pattern


def test_no_text_is_logged(client: openai.OpenAI, caplog: pytest.LogCaptureFixture, expected: dict[str, Any]) -> None:
    with caplog.at_level(logging.DEBUG), caplog.at_level(logging.DEBUG, "pipeline"):
        client.audio.transcriptions.create(file=("segredo.flac", SHORT), model="vizinho", prompt="segredo", keywords=["rosa"])
    ours = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith(("pipeline", "uvicorn")))
    assert "/v1/audio/transcriptions 200" in ours
    assert not [word for word in ("segredo", "rosa", *expected["short"]["text"].split()) if re.search(rf"\b{word}\b", ours)]


# ---- Limits and broken clients -------------------------------------------------------------------------------------------------


def flac_that_counts_too_many() -> bytes:
    """A FLAC file whose header counts 2**36 - 1 samples."""
    content = bytearray(SHORT)
    content[21] |= 0x0F
    content[22:26] = b"\xff" * 4
    return bytes(content)


def mp3_that_counts_too_many() -> bytes:
    """An MP3 file whose header counts 10**8 frames."""
    content = bytearray(encoded(tiny.spoken("rosa era"), "MP3"))
    at = max(content.find(b"Xing"), content.find(b"Info")) + 8
    content[at : at + 4] = struct.pack(">I", 10**8)
    return bytes(content)


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.wav", encoded(tiny.spoken("rosa")))
    return buffer.getvalue()


def wav_at(rate_hz: int, channels: int) -> bytes:
    data = b"\0" * 2 * channels * 20
    return (b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, channels, rate_hz, 0,
            0, 16) + b"data" + struct.pack("<I", len(data)) + data)


WAV = encoded(tiny.spoken("rosa era"))
HOSTILE: dict[str, tuple[bytes, int]] = {
    "empty": (b"", 400), "one byte": (b"R", 400), "text": (b"no audio at all" * 100, 400), "zip named .flac": (zipped(), 400),
    "truncated wav": (WAV[:5000], 200), "truncated flac": (SHORT[: len(SHORT) // 2], 0), "header alone": (WAV[:44], 400),
    "no samples": (encoded(np.zeros(0)), 400), "silent": (encoded(np.zeros(16_000)), 200), "one sample": (encoded(np.ones(1) / 2), 200),
    "nan": (encoded(np.full(1000, np.nan), subtype="FLOAT"), 400), "infinite": (encoded(np.full(1000, np.inf), subtype="FLOAT"), 400),
    "64 channels": (encoded(np.zeros((1000, 64))), 400), "1000 channels": (encoded(np.zeros((100, 1000))), 400),
    "1 Hz": (wav_at(1, 1), 0), "10 MHz": (wav_at(10_000_000, 1), 0), "4 GHz": (wav_at(4_000_000_000, 1), 400),
    "65535 channels": (wav_at(16_000, 65_535), 400),
    "mp3 counts too many samples": (mp3_that_counts_too_many(), 200),
    "flac counts too many samples": (flac_that_counts_too_many(), 400), "wav counts too many bytes": (WAV[:40] + b"\xff" * 4 + WAV[44:], 200),
    "wav counts too few bytes": (WAV[:40] + struct.pack("<I", 100) + WAV[44:], 200),
    "longer than the limit": (encoded(np.zeros(16_000 * 121), "FLAC"), 413),
    "too large": (b"\0" * (5 << 20), 413),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_recording_is_an_error_of_its_sender(served: tuple[Server, str], client: openai.OpenAI, case: str) -> None:
    content, status = HOSTILE[case]
    name = "../../etc/passwd\u202e\r\n.flac"
    try:
        raw = client.audio.transcriptions.with_raw_response.create(file=(name, content), model="vizinho")
        found, text = raw.status_code, raw.text
    except openai.APIStatusError as error:
        found, text = error.status_code, error.response.text
        assert set(json.loads(text)["error"]) == {"message", "type", "param", "code"}
    assert found == status or (not status and found in (200, 400)), text
    assert not re.search(r"Traceback|/proc|/tmp|passwd|\.py", text)
    assert_nothing_left(served[0])


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="FFmpeg is not installed")
@pytest.mark.parametrize(("form", "arguments"), [("m4a", ["-c:a", "aac", "-f", "ipod", "-movflags", "frag_keyframe+empty_moov"]),
                                                 ("webm", ["-c:a", "libopus", "-f", "webm"])])
def test_recordings_of_phones_and_browsers_are_transcribed(served: tuple[Server, str], client: openai.OpenAI, form: str,
                                                           arguments: list[str]) -> None:
    made = subprocess.run(["ffmpeg", "-v", "error", "-i", "pipe:0", *arguments, "pipe:1"], input=WAV, capture_output=True, check=True).stdout
    found = client.audio.transcriptions.create(file=(f"a.{form}", made), model="vizinho", response_format="verbose_json")
    assert isinstance(found, TranscriptionVerbose)
    assert float(found.duration) == pytest.approx(len(tiny.spoken("rosa era")) / 16_000, abs=0.1)
    assert_nothing_left(served[0])


def left(server: Server) -> list[Any]:
    """Return requests, recordings and audio that the server has not done with, and files that it holds or has left."""
    links = []
    for link in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):
            links.append(os.readlink(link))
    service = server._service
    return [service.running, *service.engine.waiting(), *(link for link in links if link.startswith(tempfile.gettempdir()) and "(deleted)" in link),
            *set(os.listdir(tempfile.gettempdir())) - FILES_BEFORE]


def assert_nothing_left(server: Server) -> None:
    for _ in range(200):
        if left(server) == [0, 0, 0.0]:
            break
        time.sleep(0.01)
    assert left(server) == [0, 0, 0.0]


def request_bytes(body: bytes, length: int | None = None, kind: str = "multipart/form-data; boundary=b") -> bytes:
    return (f"POST /v1/audio/transcriptions HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: {kind}\r\n"
            f"Content-Length: {len(body) if length is None else length}\r\n\r\n").encode() + body


def form(*parts: tuple[str, bytes]) -> bytes:
    return b"".join(b"--b\r\nContent-Disposition: form-data; " + head.encode() + b"\r\n\r\n" + body + b"\r\n" for head, body in parts) + b"--b--\r\n"


FILE = ('name="file"; filename="a.flac"', SHORT)
MODEL = ('name="model"', b"vizinho")
RAW: dict[str, tuple[bytes, int]] = {
    "no form": (request_bytes(b"{}", kind="application/json"), 400),
    "no boundary": (request_bytes(form(FILE, MODEL), kind="multipart/form-data"), 400),
    "other boundary": (request_bytes(form(FILE, MODEL), kind="multipart/form-data; boundary=c"), 400),
    "no end": (request_bytes(form(FILE)[:-8]), 400),
    "no file": (request_bytes(form(MODEL)), 400), "no model": (request_bytes(form(FILE)), 400), "file without a name": (
        request_bytes(form(('name="file"', SHORT), MODEL)), 400), "two files": (request_bytes(form(FILE, FILE, MODEL)), 400),
    "model is a file": (request_bytes(form(('name="model"; filename="m"', b"vizinho"))), 400), "part without a name": (
        request_bytes(form(("x=1", b"y"), FILE)), 400), "strange charset": (
        request_bytes(form(FILE, MODEL), kind="multipart/form-data; boundary=b; charset=idna"), 200), "1000 fields": (
        request_bytes(form(FILE, *[MODEL] * 1000)), 400), "long field": (request_bytes(form(FILE, ('name="prompt"', b"a" * 100_000))), 400),
    "upload that stalls": (request_bytes(form(FILE)[:-8], 1 << 20), 408), "no HTTP": (b"\x16\x03\x01\x02\0\r\n\r\n", 400),
}


@pytest.mark.filterwarnings("ignore:.*SpooledTemporaryFile.*:pytest.PytestUnraisableExceptionWarning")  # of an unfinished part; it has no name
@pytest.mark.parametrize("case", RAW)
def test_a_broken_request_is_an_error_of_its_sender(served: tuple[Server, str], case: str) -> None:
    content, status = RAW[case]
    with socket.create_connection(("127.0.0.1", int(served[1].rpartition(":")[2])), timeout=10) as connection:
        connection.sendall(content)
        answer = connection.recv(1 << 16)
    assert int(answer.split()[1]) == status, answer
    assert b"Traceback" not in answer
    assert_nothing_left(served[0])


@pytest.mark.parametrize("sent", [request_bytes(form(FILE, MODEL))[:400], request_bytes(form(FILE, MODEL))], ids=["during the upload", "after it"])
@pytest.mark.parametrize("half", [True, False], ids=["half-closed", "closed"])
def test_a_client_that_leaves_leaves_nothing_behind(served: tuple[Server, str], caplog: pytest.LogCaptureFixture, sent: bytes, half: bool) -> None:
    with socket.create_connection(("127.0.0.1", int(served[1].rpartition(":")[2])), timeout=10) as connection:
        connection.sendall(sent)
        if half:
            connection.shutdown(socket.SHUT_WR)
            assert not connection.recv(1 << 16).startswith(b"HTTP/1.1 5")
    assert_nothing_left(served[0])
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_a_client_that_leaves_a_stream_ends_its_recording(served: tuple[Server, str], client: openai.OpenAI) -> None:
    stream = client.audio.transcriptions.create(file=("a.flac", LONG), model="vizinho", stream=True)
    next(iter(stream))
    stream.close()
    assert_nothing_left(served[0])


def test_an_upload_that_is_too_large_is_refused_however_it_comes(url: str, tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"\0" * (5 << 20))
    form = ("-F", f"file=@{tmp_path / 'a.wav'}", "-F", "model=vizinho")
    for header in ("Expect: 100-continue", "Expect:", "Transfer-Encoding: chunked"):
        status, _, body = curl(f"{url}/v1/audio/transcriptions", "-H", header, *form)
        assert (status, json.loads(body)["error"]["code"]) == (413, "request_too_large"), header


def test_further_requests_than_the_limit_are_asked_to_come_again(root: Path) -> None:
    with running(root, bounds=Bounds(requests=1)) as (server, url):
        server._service.running = 1
        with openai.OpenAI(base_url=f"{url}/v1", api_key=TOKEN, max_retries=0) as client:
            with pytest.raises(openai.RateLimitError) as caught:
                client.audio.transcriptions.create(file=("a.flac", LONG), model="vizinho")
            assert caught.value.response.headers["retry-after"] == "2"
            server._service.running = 0
            assert client.audio.transcriptions.create(file=("a.flac", SHORT), model="vizinho").text


@pytest.mark.slow
def test_a_transcription_that_takes_too_long_is_ended(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(root, bounds=Bounds(answer_s=0.25), batch_s=1.0) as (server, url):
        network = server._service.champion.acquire().network
        fast = network.logits_of
        monkeypatch.setattr(network, "logits_of", lambda waveforms: time.sleep(0.05) or fast(waveforms))
        with openai.OpenAI(base_url=f"{url}/v1", api_key=TOKEN, max_retries=1) as client:
            with pytest.raises(openai.APIStatusError) as caught:
                client.audio.transcriptions.create(file=("a.flac", LONG), model="vizinho")
            assert (caught.value.status_code, caught.value.code) == (408, "timeout")
            stream = client.audio.transcriptions.create(file=("a.flac", LONG), model="vizinho", stream=True)
            assert next(iter(stream)).type == "transcript.text.delta"
            with pytest.raises(openai.APIError, match=r"the transcription took more than 0\.25 s"):
                list(stream)
        assert curl(f"{url}/metrics")[2].count('vizinho_requests_total{path="/v1/audio/transcriptions",status="408"} 1.0') == 1, "no second try"


def test_another_interface_needs_a_token(root: Path) -> None:
    with pytest.raises(ParamsError, match="host 0.0.0.0 without a token: set VIZINHO_SERVE_TOKEN") as caught:
        make_server(root, "0.0.0.0", 0, None)
    assert caught.value.exit_code == 2
