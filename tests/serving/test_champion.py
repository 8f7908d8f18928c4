"""The champion in service: replaced while requests run, kept when the new one is damaged, unloaded when idle."""

from __future__ import annotations

import re
import socket
import threading
import time
from pathlib import Path

import openai
import pytest

from pipeline.core.errors import DataError
from pipeline.decoding.networks import Backend
from pipeline.serving.champion import Champion
from tests import tiny
from tests.exports import write_champion
from tests.serving.service import LONG, SHORT, TOKEN, checkout, curl, encoded, promote, running, save, talk


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return checkout(tmp_path)


def test_a_new_pointer_replaces_the_system_and_the_old_one_still_works(root: Path) -> None:
    results: list[bool] = []
    champion = Champion(root, reloaded=results.append)
    old = champion.acquire()
    champion.check()
    assert champion.acquire() is old
    promote(root, save(root / "models/second", seed=4), "v0.2.0")
    champion.check()
    new = champion.acquire()
    assert (old.version, new.version, champion.version, results) == ("v0.1.0", "v0.2.0", "v0.2.0", [True])
    waveform = tiny.spoken("a").astype("float32")
    assert (old.network.logits_of([waveform])[0] != new.network.logits_of([waveform])[0]).any()


def test_a_champion_whose_files_have_not_come_yet_is_not_served(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    results: list[bool] = []
    champion = Champion(root, reloaded=results.append)
    champion.acquire()
    promote(root, save(root / "models/second", seed=4), "v0.2.0")
    record = (root / "data/champion/vizinho.json").read_text()
    (root / "data/champion/vizinho.json").write_text("{}")
    for _ in range(3):
        champion.check()
    assert (champion.version, champion.acquire().version, results) == ("v0.1.0", "v0.1.0", [False])
    assert [re.search("v0.1.0 stays in service: .*changed or missing: vizinho.json", message) is not None for message in caplog.messages] == [True]
    (root / "data/champion/vizinho.json").write_text(record)
    champion.check()
    assert (champion.version, results) == ("v0.2.0", [False, True])


def test_a_model_that_nobody_uses_is_unloaded_and_loaded_by_the_next_request(root: Path) -> None:
    champion = Champion(root, unload_after_s=0.05)
    served = champion.acquire()
    time.sleep(0.06)
    assert not champion.unload_if_idle(lambda _: True)
    assert not champion.unload_if_idle(lambda _: False), "a request has just used it"
    time.sleep(0.06)
    assert champion.unload_if_idle(lambda other: other is not served)
    assert (champion.loaded, champion.version) == (False, "v0.1.0")
    promote(root, save(root / "models/second", seed=4), "v0.2.0")
    champion.check()
    assert (champion.loaded, champion.version) == (False, "v0.2.0")
    assert champion.acquire().version == "v0.2.0"


def test_a_tag_of_another_version_is_reported(root: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    from pipeline.registry.tags import Assignment

    (root / "params.yaml").write_text("registry: {artefact: asr-pt-tiny}\n")
    monkeypatch.setattr("pipeline.registry.tags.current", lambda *_: Assignment("asr-pt-tiny#champion#2", 2, "v0.2.0", "0" * 40))
    champion = Champion(root)
    champion.acquire()
    for _ in range(2):
        champion.check()
    assert champion.behind
    assert caplog.messages == ["the registry's tag names v0.2.0, v0.1.0 is in service: pull champion.yaml and the model's files"]


def test_the_first_champion_must_load(root: Path) -> None:
    (root / "data/champion/vizinho.json").write_text("{}")
    with pytest.raises(DataError, match="changed or missing"):
        Champion(root).acquire()


def test_hot_words_never_take_the_decoder_of_the_next_champion(root: Path, tmp_path: Path) -> None:
    form = ("-F", f"file=@{sound(tmp_path)}", "-F", "model=vizinho")
    with running(root) as (_, url):
        (root / "data/champion/language_model").mkdir()
        (root / "data/champion/language_model/decoder.json").write_text("{}")
        status, headers, _ = curl(f"{url}/v1/audio/transcriptions", *form, "-F", "keywords[]=serra")
        assert (status, headers["retry-after"]) == (503, "30")
        assert curl(f"{url}/v1/audio/transcriptions", *form)[0] == 200


@pytest.mark.slow
def test_exports_are_served_with_the_same_text(root: Path, tmp_path: Path) -> None:
    """Without the model's weights: only their export is read."""
    exported = write_champion(tmp_path / "exported")
    with running(root, model=exported) as (_, url):
        expected = curl(f"{url}/v1/audio/transcriptions", "-F", f"file=@{sound(tmp_path)}", "-F", "model=vizinho")
    (exported / "model.safetensors").unlink()
    with running(root, model=exported, backend=Backend.ONNX) as (_, url):
        found = curl(f"{url}/v1/audio/transcriptions", "-F", f"file=@{sound(tmp_path)}", "-F", "model=vizinho", "-F", "keywords[]=serra")
        plain = curl(f"{url}/v1/audio/transcriptions", "-F", f"file=@{sound(tmp_path)}", "-F", "model=vizinho")
    assert (found[0], plain[2]) == (200, expected[2])


def sound(folder: Path) -> Path:
    (folder / "a.flac").write_bytes(SHORT)
    return folder / "a.flac"


def test_hot_words_are_loaded_once(root: Path) -> None:
    served = Champion(root).acquire()
    assert served.decoder(("rosa",)) is served.decoder(("rosa",))
    assert served.decoder(()) is served.decoder(())
    for number in range(6):
        served.decoder((tiny.LETTERS[number % 5] * (number + 1),))
    assert len(served._decoders) == 4


@pytest.mark.slow
def test_no_request_is_lost_while_the_champion_changes(root: Path) -> None:
    """Clients send requests all the time; the champion changes ten times; each answer is that of the version in its header."""
    models = [root / "models/first", save(root / "models/second", seed=4)]
    found: list[tuple[str, str]] = []
    over = threading.Event()
    with running(root) as (server, url):
        with openai.OpenAI(base_url=f"{url}/v1", api_key=TOKEN, max_retries=0) as client:
            def ask() -> None:
                while not over.is_set():
                    raw = client.audio.transcriptions.with_raw_response.create(file=("a.flac", LONG), model="vizinho")
                    found.append((raw.headers["x-vizinho-version"], raw.parse().text))

            threads = [threading.Thread(target=ask) for _ in range(4)]
            for thread in threads:
                thread.start()
            for number in range(2, 12):
                promote(root, models[(number + 1) % 2], f"v0.{number}.0")
                while server._service.champion.version != f"v0.{number}.0":
                    time.sleep(0.01)
                time.sleep(0.3)
            over.set()
            for thread in threads:
                thread.join()
        assert 'vizinho_reloads_total{result="success"} 10' in curl(f"{url}/metrics")[2]
    texts = {odd: {text for version, text in found if int(version.split(".")[1]) % 2 == odd} for odd in (0, 1)}
    assert [len(texts[odd]) for odd in (0, 1)] == [1, 1]
    assert texts[0] != texts[1]
    assert len({version for version, _ in found}) > 5


@pytest.mark.slow
def test_a_stop_lets_requests_finish_or_hands_them_back(root: Path) -> None:
    """With time to finish the answer is complete; without, it is 503 with Retry-After, also for an upload that is under way."""
    audio = encoded(talk(*["rosa era", "serra", "osso"] * 400), "FLAC")
    for grace_s, expected in ((60.0, (200, None)), (0.0, (503, "2"))):
        answers: list[tuple[int, str | None]] = []
        with running(root, grace_s=grace_s) as (server, url):
            def ask(url: str = url, answers: list[tuple[int, str | None]] = answers) -> None:
                with openai.OpenAI(base_url=f"{url}/v1", api_key=TOKEN, max_retries=0) as client:
                    create = client.audio.transcriptions.with_raw_response.create
                    try:
                        answers.append((create(file=("a.flac", audio), model="vizinho").status_code, None))
                    except openai.APIStatusError as error:
                        answers.append((error.status_code, error.response.headers["retry-after"]))

            thread = threading.Thread(target=ask)
            thread.start()
            upload = socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=10)
            if not grace_s:
                upload.sendall(f"POST /v1/audio/transcriptions HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 900\r\n"
                               "Content-Type: multipart/form-data; boundary=b\r\n\r\n--b".encode())
            while server._service.engine.waiting()[0] < 1 or server._service.running < (1 if grace_s else 2):
                time.sleep(0.005)
        with upload:
            assert grace_s or upload.recv(1000).startswith(b"HTTP/1.1 503 ")
        thread.join()
        assert answers == [expected]


@pytest.mark.slow
def test_a_short_recording_overtakes_hours_of_audio(root: Path) -> None:
    hour = encoded(talk(*["rosa era", "serra", "osso"] * 900), "FLAC")
    with running(root) as (_, url), openai.OpenAI(base_url=f"{url}/v1", api_key=TOKEN, max_retries=0) as client:
        done: list[str] = []
        threads = [threading.Thread(target=lambda: done.append(client.audio.transcriptions.create(file=("h.flac", hour), model="vizinho").text))
                   for _ in range(2)]
        for thread in threads:
            thread.start()
        time.sleep(1.0)
        started = time.monotonic()
        client.audio.transcriptions.create(file=("a.flac", SHORT), model="vizinho")
        short_s = time.monotonic() - started
        assert not done
        for thread in threads:
            thread.join()
        assert short_s < 2.0
