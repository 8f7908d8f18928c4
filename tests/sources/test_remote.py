"""Sources at an address, with a web server that cuts off transfers and fsspec's own stores: complete or not at all, and no secret in a message."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import fsspec
import pytest

from pipeline.core.errors import DataError, MissingInputError, ParamsError
from pipeline.sources import remote

CONTENT = bytes(range(256)) * 60_000  # 15 MB: four pieces


class Store(BaseHTTPRequestHandler):
    """One file, as an object store serves it; `cuts` transfers end after 5 MB."""

    content: bytes = CONTENT
    ranges: bool
    cuts: int
    sent: int

    def do_HEAD(self) -> None:
        if not self.path.endswith("release.tar"):
            self.send_error(404)
            return
        self.send_response(200)
        self.send_head(len(self.content))

    def do_GET(self) -> None:
        if not self.path.endswith("release.tar"):
            self.send_error(404)
            return
        first, last = 0, len(self.content) - 1
        if self.ranges and "Range" in self.headers:
            one, _, other = self.headers["Range"].removeprefix("bytes=").partition("-")
            first, last = int(one), min(last, int(other or last))
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(self.content)}")
        else:
            self.send_response(200)
        self.send_head(last + 1 - first)
        part = self.content[first : last + 1]
        if type(self).cuts and (self.sent + len(part) > 5_000_000 or len(part) > 5_000_000):
            type(self).cuts -= 1
            part = part[:1_000_000]
            self.close_connection = True
        type(self).sent += len(part)
        with contextlib.suppress(ConnectionError):  # the client may have closed the connection
            self.wfile.write(part)

    def send_head(self, length: int) -> None:
        self.send_header("Content-Length", str(length))
        self.send_header("ETag", f'"{hashlib.md5(self.content).hexdigest()}"')
        if self.ranges:
            self.send_header("Accept-Ranges", "bytes")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(params=[True, False], ids=["a store that gives parts", "a store that gives all"])
def store(request: pytest.FixtureRequest) -> Iterator[tuple[type[Store], str]]:
    handler = type("Here", (Store,), {"ranges": request.param, "cuts": 0, "sent": 0})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield handler, f"http://127.0.0.1:{server.server_address[1]}/release.tar"
        server.shutdown()


@pytest.fixture
def memory() -> Iterator[fsspec.AbstractFileSystem]:
    system = fsspec.filesystem("memory")
    yield system
    system.store.clear()


def test_a_file_is_downloaded_completely_and_removed_at_the_end(store: tuple[type[Store], str], tmp_path: Path) -> None:
    with remote.fetched(store[1], tmp_path / "state") as path:
        assert (path.name, path.read_bytes()) == ("release.tar", CONTENT)
    assert not [path for path in (tmp_path / "state").rglob("*") if path.suffix != ".lock"]


def test_an_interrupted_transfer_is_resumed_and_one_that_fails_leaves_no_partial_file(store: tuple[type[Store], str], tmp_path: Path) -> None:
    handler, url = store
    handler.cuts = 2
    with remote.fetched(url, tmp_path / "state") as path:
        assert path.read_bytes() == CONTENT
    assert handler.cuts == 0
    handler.cuts = 10**6
    with pytest.raises(DataError) as caught, remote.fetched(url, tmp_path / "state"):
        raise AssertionError("half a release was given")
    assert str(caught.value).startswith(f"source {url}: ")
    assert not list((tmp_path / "state").rglob("release.tar"))
    handler.cuts = 0
    with remote.fetched(url, tmp_path / "state") as path:
        assert path.read_bytes() == CONTENT


def test_a_download_is_kept_after_a_failure_and_repeated_for_another_version(
        store: tuple[type[Store], str], tmp_path: Path) -> None:
    handler, url = store
    for first in (True, False):
        handler.sent = 0
        with pytest.raises(RuntimeError), remote.fetched(url, tmp_path / "state"):
            raise RuntimeError
        assert bool(handler.sent) == first
    handler.content = CONTENT[::-1]
    with remote.fetched(url, tmp_path / "state") as path:
        assert path.read_bytes() == CONTENT[::-1]


def test_an_address_that_ends_in_a_slash_is_a_folder(memory: fsspec.AbstractFileSystem, tmp_path: Path) -> None:
    files = {"manifest.tsv": b"path\ttext\n", **{f"clips/{number}.wav": bytes([number]) * 10 for number in range(100)}}
    for name, content in files.items():
        memory.pipe(f"/bucket/pt/{name}", content)
    memory.pipe("/bucket/pt-other/clips/0.wav", b"not of it")
    with remote.fetched("memory://bucket/pt/", tmp_path / "state") as folder:
        assert {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()} == files


def test_a_local_address_is_read_as_well(tmp_path: Path) -> None:
    (tmp_path / "there.bin").write_bytes(b"here")
    with remote.fetched(f"file://{tmp_path}/there.bin", tmp_path / "state") as path:
        assert path.read_bytes() == b"here"


@pytest.mark.parametrize("secret", ["https://ana:{}@example.org/pt.tar", "https://example.org/pt.tar?X-Amz-Signature={}", "s3://{}@bucket/pt/"])
def test_an_address_with_credentials_is_refused_and_the_message_has_none(tmp_path: Path, secret: str) -> None:
    with pytest.raises(ParamsError) as caught, remote.fetched(secret.format("s3cr3t"), tmp_path / "state"):
        pass
    assert "put credentials where the store's own tools read them" in str(caught.value)
    assert "s3cr3t" not in str(caught.value) and "ana" not in str(caught.value)


@pytest.mark.parametrize(("address", "package"), [("s3://bucket/pt.tar", "s3fs"), ("gs://bucket/pt/", "gcsfs"), ("az://box/pt.tar", "adlfs")])
def test_a_store_without_a_package_for_it_is_an_error_that_names_the_package(tmp_path: Path, address: str, package: str) -> None:
    if importlib.util.find_spec(package):
        pytest.skip(f"{package} is installed")
    with pytest.raises(MissingInputError) as caught, remote.fetched(address, tmp_path / "state"):
        pass
    assert f"nstall {package}" in str(caught.value) and str(caught.value).startswith(f"source {address}: ")


def test_a_missing_file_is_reported(store: tuple[type[Store], str], tmp_path: Path, memory: fsspec.AbstractFileSystem) -> None:
    for address in (store[1].replace("release", "other"), "memory://bucket/absent.tar", "memory://bucket/absent/"):
        with pytest.raises(MissingInputError, match="no such file or folder"), remote.fetched(address, tmp_path / "state"):
            pass
    with pytest.raises(MissingInputError, match="no package reads abc://"), remote.fetched("abc://x/y.tar", tmp_path / "state"):
        pass
