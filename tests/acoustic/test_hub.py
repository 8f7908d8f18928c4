"""A checkpoint from a hub (here one of this machine): fetched once at its pinned revision, and only where that is allowed."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from pipeline.acoustic.checkpoint import read_checkpoint
from pipeline.acoustic.hub import fetch
from pipeline.core.errors import DataError, MissingInputError
from tests.checkpoints import lay, lay_adapter

NAME, REVISION = "somebody/wav2vec2-spanish", "0123456789abcdef0123456789abcdef01234567"


class Hub(BaseHTTPRequestHandler):
    """The three requests that a download makes: the list of files, a file's head, and the file."""

    folder: Path
    asked: list[str]
    broken: set[str]

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_GET(self) -> None:
        self.answer(body=True)

    def answer(self, body: bool) -> None:
        path = self.path.split("?")[0]
        self.asked.append(f"{self.command} {path}")
        files = sorted(self.folder.iterdir())
        if path == f"/api/models/{NAME}/tree/{REVISION}":
            self.give(json.dumps([{"type": "file", "path": file.name, "size": file.stat().st_size, "oid": "0" * 40} for file in files]).encode(), {})
        elif (file := self.folder / path.rsplit("/", 1)[1]) in files and path == f"/{NAME}/resolve/{REVISION}/{file.name}" \
                and file.name not in self.broken:
            content = file.read_bytes()
            self.give(content, {"ETag": f'"{hashlib.sha1(content).hexdigest()}"', "X-Repo-Commit": REVISION}, body)
        else:
            self.send_error(404)

    def give(self, content: bytes, headers: dict[str, str], body: bool = True) -> None:
        self.send_response(200)
        for name, value in {**headers, "Content-Length": str(len(content)), "Content-Type": "application/json"}.items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Hub]]:
    lay(tmp_path / "published", "jonatasgrosman/wav2vec2-large-xlsr-53-spanish")
    (tmp_path / "published/flax_model.msgpack").write_bytes(b"another framework's weights")
    handler = type("Here", (Hub,), {"folder": tmp_path / "published", "asked": [], "broken": set()})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_address[1]}")
        yield handler
        server.shutdown()


def get(folder: Path, revision: str = REVISION, download: bool = True, language: str | None = None) -> None:
    fetch(NAME, revision, folder, language, download)


def test_what_is_needed_is_fetched_once_and_its_revision_noted(hub: type[Hub], tmp_path: Path) -> None:
    get(tmp_path / "raw")
    assert {file.name for file in (tmp_path / "raw").iterdir() if file.is_file()} == {
        "config.json", "vocab.json", "tokenizer_config.json", "special_tokens_map.json", "preprocessor_config.json", "pytorch_model.bin", "hub.json"}
    assert json.loads((tmp_path / "raw/hub.json").read_text()) == {"repository": NAME, "revision": REVISION}
    assert read_checkpoint(tmp_path / "raw")[2]["weights_sha256"] == read_checkpoint(tmp_path / "published")[2]["weights_sha256"]
    hub.asked.clear()
    get(tmp_path / "raw", download=False)
    assert hub.asked == []


def test_safetensors_are_preferred_and_the_languages_adapter_comes_along(hub: type[Hub], tmp_path: Path) -> None:
    hub.folder = tmp_path / "mms"
    lay(hub.folder, "facebook/mms-1b-all", "bin")
    lay(hub.folder, "facebook/mms-1b-all", "safetensors")
    for language in ("eng", "spa"):
        lay_adapter(hub.folder, language)
    get(tmp_path / "raw", language="spa")
    names = {file.name for file in (tmp_path / "raw").iterdir()}
    assert {"model.safetensors", "adapter.spa.safetensors"} <= names
    assert not {"pytorch_model.bin", "adapter.eng.safetensors"} & names


def test_nothing_is_downloaded_unless_the_params_say_so(hub: type[Hub], tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match=f"raw: no checkpoint; expected {NAME} at {REVISION}; set donor.hub.download: true"):
        get(tmp_path / "raw", download=False)
    assert hub.asked == []


def test_a_fetch_that_was_cut_off_is_not_taken_for_a_checkpoint_and_goes_on(hub: type[Hub], tmp_path: Path) -> None:
    hub.broken = {"vocab.json"}
    with pytest.raises(DataError, match=r"somebody/wav2vec2-spanish: cannot be fetched .*run it again \(what has come is kept\)"):
        get(tmp_path / "raw")
    assert (tmp_path / "raw/pytorch_model.bin").exists() and not (tmp_path / "raw/config.json").exists()
    hub.broken = set()
    hub.asked.clear()
    get(tmp_path / "raw")
    assert f"GET /{NAME}/resolve/{REVISION}/pytorch_model.bin" not in hub.asked
    read_checkpoint(tmp_path / "raw")


def test_a_folder_of_another_revision_or_of_unknown_origin_is_refused(hub: type[Hub], tmp_path: Path) -> None:
    get(tmp_path / "raw")
    with pytest.raises(DataError, match=f"a checkpoint from {NAME} at {REVISION}; expected {NAME} at {'f' * 40}; empty the folder"):
        get(tmp_path / "raw", "f" * 40)
    (tmp_path / "raw/hub.json").unlink()
    with pytest.raises(DataError, match="a checkpoint from nobody says where"):
        get(tmp_path / "raw")


def test_a_repository_without_weights_of_pytorch_is_named(hub: type[Hub], tmp_path: Path) -> None:
    (tmp_path / "published/pytorch_model.bin").unlink()
    with pytest.raises(DataError, match=r"no model\.safetensors or pytorch_model\.bin at 0123456789ab; expected weights of PyTorch"):
        get(tmp_path / "raw")
    assert not (tmp_path / "raw").exists()


def test_a_hub_that_does_not_answer_is_told_in_one_line(hub: type[Hub], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("time.sleep", lambda _: None)  # the client tries six times, longer and longer apart
    with pytest.raises(DataError, match="cannot be fetched") as caught:
        get(tmp_path / "raw")
    assert "\n" not in str(caught.value)
