"""A checkout with a tiny champion, and a server of it on a loopback port."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile
import torch

from pipeline.core.files import hash_file, write_json
from pipeline.model.artifact import save_model
from pipeline.serving.server import Server, make_server
from tests import tiny

TOKEN = "a-token"


def save(folder: Path, seed: int = 3) -> Path:
    """Write a tiny model that emits letters; return its folder."""
    random = tiny.model(seed=seed)
    with torch.no_grad():
        random.lm_head.weight.mul_(60)
    save_model(random, tiny.vocabulary(), folder, {})
    return folder


def promote(root: Path, model: Path, version: str) -> None:
    """Make a model the champion of a checkout: its files, its record, the pointer."""
    target = root / "data/champion"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(model, target)
    record = json.loads((target / "vizinho.json").read_text())
    files = {str(file.relative_to(target)): hash_file(file) for file in target.rglob("*") if file.is_file()}
    now = "2026-01-01T00:00:00Z"
    write_json(root / f"registry/records/{version}.json", {
        "schema": "vizinho.record/4", "artefact": "asr-pt-tiny", "version": version, "restores": None, "replaces": None, "promoted_at": now,
        "system": "tiny", "commit": "0" * 40, "exports": [], "data": {}, "test_set": "t", "normaliser": "pt-BR/1",
        "model": {"dvc": f"{'0' * 32}.dir", "weights_hash": record["weights_hash"], "vocabulary_hash": tiny.vocabulary().hash, "files": files},
        "verdict": {"hash": "h", "verdict": "promote", "wer": 0.1, "cer": 0.1, "gates": 1}, "approval": {"by": "ana", "at": now, "champion": None}})
    (root / "champion.yaml").write_text(f"champion:\n  path: data/champion\n  version: {version}\n")


def checkout(root: Path) -> Path:
    """Write a checkout whose champion is v0.1.0; return it."""
    promote(root, save(root / "models/first"), "v0.1.0")
    return root


@contextmanager
def running(root: Path, **options: Any) -> Iterator[tuple[Server, str]]:
    """Run a server in a thread; yield it and its address."""
    server = make_server(root, "127.0.0.1", 0, options.pop("token", TOKEN), **{"poll_s": 0.05, "workers": 1, "grace_s": 20.0} | options)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield server, f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(60)
        assert not thread.is_alive()


def talk(*texts: str, pause_s: float = 0.5) -> npt.NDArray[np.int16]:
    """Return utterances with pauses after them."""
    return np.concatenate([part for text in texts for part in (tiny.spoken(text), np.zeros(round(pause_s * 16_000), np.int16))])


def encoded(samples: Any, form: str = "WAV", rate_hz: int = 16_000, **options: Any) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate_hz, format=form, **options)
    return buffer.getvalue()


SHORT = encoded(tiny.spoken("rosa era"), "FLAC")
LONG = encoded(talk(*["rosa era", "serra", "osso"] * 12), "FLAC")


def curl(url: str, *arguments: str, token: str | None = TOKEN) -> tuple[int, dict[str, str], str]:
    """Return status, headers and body."""
    authorise = ["-H", f"Authorization: Bearer {token}"] if token else []
    done = subprocess.run(["curl", "-sS", "-i", "--max-time", "20", *authorise, *arguments, url], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    head, _, body = done.stdout.replace("\r\n", "\n").partition("\n\n")
    while head.startswith("HTTP/1.1 100"):
        head, _, body = body.partition("\n\n")
    status, *lines = head.split("\n")
    return int(status.split()[1]), dict(line.lower().split(": ", 1) for line in lines), body
