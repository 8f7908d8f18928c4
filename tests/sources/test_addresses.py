"""A release at an address: `dvc import-url` downloads it, complete or not at all, and the stage reads the download."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile
import yaml

from pipeline.core.files import ROOT, hash_file

TOY = {"reader": "manifest", "language": "portuguese", "source": "data/raw/toy.tar", "locale": "pt-BR", "licence": "CC0-1.0"}
RUN = "import sys; from pathlib import Path; from pipeline import ingest; ingest.run(sys.argv[1], root=Path.cwd(), workers=1)"
GRAPH = {"stages": {"ingest": {"foreach": "${ingest}", "do": {
    "cmd": "python take_in.py ${key}", "params": ["ingest.${key}"], "deps": ["${item.source}"], "outs": ["data/ingest/${item.language}/${key}"]}}}}


def release(*pitches_hz: float) -> bytes:
    """Return an archive of tones and their table."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        def add(name: str, data: bytes) -> None:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))

        add("manifest.tsv", ("path\ttext\n" + "".join(f"{number}.wav\tfrase {number}\n" for number in range(len(pitches_hz)))).encode())
        for number, hz in enumerate(pitches_hz):
            sound = io.BytesIO()
            soundfile.write(sound, 0.3 * np.sin(2 * np.pi * hz * np.arange(160_000) / 16_000), 16_000, format="WAV")
            add(f"{number}.wav", sound.getvalue())
    return content.getvalue()


class Bucket(BaseHTTPRequestHandler):
    """One file with GET and HEAD, as an object store serves it; a transfer can be cut off."""

    content: bytes
    cut_after: int | None
    cuts: int

    def do_HEAD(self) -> None:
        self.head()

    def do_GET(self) -> None:
        self.head()
        self.wfile.write(self.content[: self.cut_after])
        if self.cut_after is not None:
            type(self).cuts += 1
            self.close_connection = True

    def head(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.content)))
        self.send_header("ETag", f'"{hashlib.md5(self.content).hexdigest()}"')
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def bucket() -> Iterator[tuple[type[Bucket], str]]:
    handler = type("Here", (Bucket,), {"content": release(300, 400, 500), "cut_after": None, "cuts": 0})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield handler, f"http://127.0.0.1:{server.server_address[1]}/releases/toy.tar"
        server.shutdown()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name, content in ((".dvc/config", "[core]\n    no_scm = true\n    analytics = false\n    check_update = false\n"), ("take_in.py", GUARDED),
                          ("params.yaml", yaml.safe_dump({"ingest": {"toy": TOY}})), ("dvc.yaml", yaml.safe_dump(GRAPH))):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    (tmp_path / "data/raw").mkdir(parents=True)
    return tmp_path


GUARDED = "if __name__ == '__main__':\n    " + RUN + "\n"


def dvc(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"DVC_SITE_CACHE_DIR": str(root / "site"), "DVC_GLOBAL_CONFIG_DIR": str(root / "global"),
                                "VIZINHO_STATE": str(root / "state"), "PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, "-m", "dvc", *words], cwd=root, env=environment, capture_output=True, text=True, timeout=120)


def taken(root: Path) -> int:
    return sum(len(pd.read_parquet(shard)) for shard in (root / "data/ingest/portuguese/toy").glob("shard-*.parquet"))


@pytest.mark.slow
def test_a_release_at_an_address_is_downloaded_completely_or_not_at_all_and_updated_on_demand(
        bucket: tuple[type[Bucket], str], checkout: Path) -> None:
    server, url = bucket
    source = checkout / "data/raw/toy.tar"

    server.cut_after = len(server.content) // 2
    cut = dvc(checkout, "import-url", url, "data/raw/toy.tar")
    assert cut.returncode and server.cuts
    assert not source.exists(), "half a release is none"

    server.cut_after = None
    done = dvc(checkout, "import-url", url, "data/raw/toy.tar")
    assert done.returncode == 0, done.stderr
    assert source.read_bytes() == server.content
    record = yaml.safe_load((checkout / "data/raw/toy.tar.dvc").read_text())
    assert record["deps"][0]["path"] == url
    assert record["outs"][0]["md5"] == hashlib.md5(server.content).hexdigest()

    done = dvc(checkout, "repro")
    assert done.returncode == 0, done.stdout + done.stderr
    assert taken(checkout) == 3
    dep, = yaml.safe_load((checkout / "dvc.lock").read_text())["stages"]["ingest@toy"]["deps"]
    assert (dep["path"], dep["md5"]) == ("data/raw/toy.tar", hashlib.md5(server.content).hexdigest())

    (checkout / "remote").mkdir()
    assert dvc(checkout, "remote", "add", "-d", "store", str(checkout / "remote")).returncode == 0
    assert dvc(checkout, "push").returncode == 0
    source.unlink()
    shutil.rmtree(checkout / ".dvc/cache")
    server.cut_after = 0
    pulled = dvc(checkout, "pull")
    assert pulled.returncode == 0, pulled.stderr
    assert source.read_bytes() == server.content, "another clone has it from the remote"
    server.cut_after = None

    before = hash_file(source)
    server.content = release(300, 400, 500, 600)
    assert "up to date" in dvc(checkout, "repro").stdout, "an import is frozen"
    assert hash_file(source) == before
    server.cut_after = len(server.content) // 2
    assert dvc(checkout, "update", "data/raw/toy.tar.dvc").returncode
    assert not source.exists() or hash_file(source) == before
    server.cut_after = None
    done = dvc(checkout, "update", "data/raw/toy.tar.dvc")
    assert done.returncode == 0, done.stderr
    assert dvc(checkout, "repro").returncode == 0
    assert taken(checkout) == 4


@pytest.mark.slow
def test_an_address_as_source_is_a_dvc_dep_and_gives_the_bytes_of_the_archive(bucket: tuple[type[Bucket], str], checkout: Path) -> None:
    server, url = bucket

    def made() -> dict[str, str]:
        return {path.name: hash_file(path) for path in (checkout / "data/ingest/portuguese/toy").iterdir()}

    (checkout / "data/raw/toy.tar").write_bytes(server.content)
    assert dvc(checkout, "repro").returncode == 0
    local = made()
    (checkout / "params.yaml").write_text(yaml.safe_dump({"ingest": {"toy": TOY | {"source": url}}}))
    done = dvc(checkout, "repro")
    assert done.returncode == 0, done.stdout + done.stderr
    assert made() == local
    assert not [path for path in (checkout / "state").rglob("*") if path.is_file() and path.suffix != ".lock"], "nothing is left of what was fetched"
    assert "up to date" in dvc(checkout, "repro").stdout
    server.content = release(300, 400, 500, 600)
    assert "changed deps" in dvc(checkout, "status").stdout, "the store's version is asked for"
    done = dvc(checkout, "repro")
    assert done.returncode == 0, done.stdout + done.stderr
    assert taken(checkout) == 4
