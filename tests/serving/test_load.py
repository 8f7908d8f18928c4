"""The service as a process under load: killed and started again; a new champion in the middle of a long recording."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import openai
import pytest

from pipeline.core.files import ROOT
from tests.serving.service import LONG, SHORT, TOKEN, checkout, encoded, promote, running, save, talk

pytestmark = pytest.mark.slow


class Process:
    """`vizinho serve` of a model, in a process whose temporary folder is empty at the start."""

    def __init__(self, model: Path, temporary: Path, port: int = 0) -> None:
        self._log = tempfile.NamedTemporaryFile("r", suffix=".log")  # noqa: SIM115 (closed in __exit__)
        with open(self._log.name, "w") as output:
            self.process = subprocess.Popen([sys.executable, "-m", "pipeline.cli", "serve", "--model", str(model), "--port", str(port)], cwd=ROOT,
                                            env=os.environ | {"VIZINHO_SERVE_TOKEN": TOKEN, "TMPDIR": str(temporary)}, stderr=output)
        while not (found := re.search(r"running on http://127\.0\.0\.1:([0-9]+)", Path(self._log.name).read_text())):
            assert self.process.poll() is None, Path(self._log.name).read_text()
            time.sleep(0.05)
        self.port = int(found[1])

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait(30)
        self._log.close()


def test_a_kill_under_load_leaves_no_file_and_the_next_process_answers_what_is_sent_again(tmp_path: Path) -> None:
    """Clients that try again, as the `openai` package does by default, get every answer."""
    model = save(tmp_path / "model")
    (tmp_path / "tmp").mkdir()
    answers: Counter[str] = Counter()
    over = threading.Event()

    def ask(port: int) -> None:
        with openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key=TOKEN, max_retries=60) as client:
            while not over.is_set():
                answers[client.audio.transcriptions.create(file=("a.flac", LONG), model="vizinho").text] += 1

    with ExitStack() as held:
        first = held.enter_context(Process(model, tmp_path / "tmp"))
        threads = [threading.Thread(target=ask, args=(first.port,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        while answers.total() < 5:
            time.sleep(0.02)
        first.process.send_signal(signal.SIGKILL)
        first.process.wait(10)
        assert not list((tmp_path / "tmp").iterdir())
        before = answers.total()
        held.enter_context(Process(model, tmp_path / "tmp", first.port))
        while answers.total() < before + 10:
            time.sleep(0.02)
        over.set()
        for thread in threads:
            thread.join()
    assert len(answers) == 1, "all answers are complete and the same"
    print(f"{answers.total()} answers, {before} before the kill")


def test_a_long_recording_is_finished_by_the_model_that_began_it(tmp_path: Path) -> None:
    root = checkout(tmp_path)
    audio = encoded(talk(*["rosa era", "serra", "osso"] * 600), "FLAC")
    found: dict[str, tuple[str, str]] = {}
    with running(root) as (server, url), openai.OpenAI(base_url=f"{url}/v1", api_key=TOKEN, max_retries=0) as client:
        def ask(name: str, content: bytes) -> None:
            raw = client.audio.transcriptions.with_raw_response.create(file=("a.flac", content), model="vizinho")
            found[name] = raw.headers["x-vizinho-version"], raw.parse().text

        ask("alone", audio)
        long = threading.Thread(target=ask, args=("reloaded", audio))
        long.start()
        while not server._service.engine.waiting()[0]:
            time.sleep(0.01)
        promote(root, save(root / "models/second", seed=4), "v0.2.0")
        while server._service.champion.version != "v0.2.0":
            time.sleep(0.01)
        assert "reloaded" not in found, "the recording was too short for this test"
        ask("short", SHORT)
        assert "reloaded" not in found
        long.join()
        ask("after", audio)
    assert found["alone"] == found["reloaded"]
    assert (found["short"][0], found["after"][0]) == ("v0.2.0", "v0.2.0")
    assert found["after"][1] != found["alone"][1]
