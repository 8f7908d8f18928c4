"""`vizinho serve` as a process: its log, its token, its end."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.core.files import ROOT
from tests.serving.service import SHORT, TOKEN, curl, save


@pytest.mark.slow
def test_a_process_serves_until_a_signal_and_ends_with_exit_code_0(tmp_path: Path) -> None:
    (tmp_path / "a.flac").write_bytes(SHORT)
    command = [sys.executable, "-m", "pipeline.cli", "serve", "--model", str(save(tmp_path / "model")), "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, env=os.environ | {"VIZINHO_SERVE_TOKEN": TOKEN}, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        log = []
        while not (found := re.search(r"running on (http://127\.0\.0\.1:[0-9]+)", log[-1] if log else "")):
            log.append(process.stderr.readline())
            assert log[-1], log
        status, headers, body = curl(f"{found[1]}/v1/audio/transcriptions", "-F", f"file=@{tmp_path / 'a.flac'}", "-F", "model=vizinho")
        process.send_signal(signal.SIGTERM)
        rest = process.stderr.read()
        assert process.wait(30) == 0
    assert (status, bool(json.loads(body)["text"])) == (200, True)
    assert re.fullmatch("[0-9a-f]{12}", headers["x-vizinho-version"]), "a model outside the registry goes by the hash of its weights"
    assert re.search(r"POST /v1/audio/transcriptions 200 [0-9.]+ s\n", rest)
    assert json.loads(body)["text"] not in "".join(log) + rest
    assert "Traceback" not in rest


@pytest.mark.slow
def test_a_service_that_cannot_start_says_why(tmp_path: Path) -> None:
    for arguments, code, message in ((("--host", "0.0.0.0"), 2, "host 0.0.0.0 without a token: set VIZINHO_SERVE_TOKEN"),
                                     (("--model", str(tmp_path)), 1, "no model"), (("--port", "70000"), 2, "less than or equal to 65535")):
        done = subprocess.run([sys.executable, "-m", "pipeline.cli", "serve", *arguments], cwd=ROOT, capture_output=True, text=True)
        assert (done.returncode, message in done.stderr) == (code, True), done.stderr
        assert "Traceback" not in done.stderr
