"""Remarks of decoders stay out of standard error; Python's own messages do not."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import soundfile

from pipeline.core.files import ROOT
from tests.audio.signals import babble

CODE = """
import sys, soundfile
from contextlib import nullcontext
from pipeline.audio.quiet import quiet_libraries
with quiet_libraries() if sys.argv[2] == "quiet" else nullcontext():
    soundfile.read(sys.argv[1])
    print("inside", file=sys.stderr)
print("after", file=sys.stderr)
"""


def damaged(folder: Path) -> None:
    """Write an MP3 file on which libmpg123 remarks."""
    buffer = io.BytesIO()
    soundfile.write(buffer, babble(1), 16_000, format="MP3")
    content = buffer.getvalue()
    (folder / "a.mp3").write_bytes(content[:3000] + bytes(500) + content[3000:])


INGEST = """
import sys
from pathlib import Path
from pipeline import ingest
root = Path(sys.argv[1])
(root / "params.yaml").write_text("ingest: {toy: {reader: folder, language: portuguese, source: corpus, licence: CC0-1.0, limit_hours: 1}}")
ingest.run("toy", root=root, workers=1)
print("after", file=sys.stderr)
"""


def test_ingest_hides_the_remarks_of_decoders_in_its_own_process_and_its_workers(tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    damaged(tmp_path / "corpus")
    (tmp_path / "corpus/a.txt").write_text("um dois")
    done = subprocess.run([sys.executable, "-c", INGEST, str(tmp_path)], cwd=ROOT, text=True, capture_output=True, check=True,
                          env={**os.environ, "VIZINHO_STATE": str(tmp_path / "state")})
    assert done.stderr == "after\n"
    assert "1 utterances" in done.stdout


def test_remarks_of_libmpg123_are_hidden_and_messages_of_python_are_not(tmp_path: Path) -> None:
    damaged(tmp_path)

    def standard_error(mode: str) -> str:
        command = [sys.executable, "-c", CODE, str(tmp_path / "a.mp3"), mode]
        return subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=True).stderr

    assert "Illegal Audio-MPEG-Header" in standard_error("loud"), "the library has changed: is the context still needed?"
    assert standard_error("quiet") == "inside\nafter\n"
