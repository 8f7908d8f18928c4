"""Peak memory of a backend: `python -m pipeline.exporting.memory BACKEND MODEL EXPORTS RECORDING` transcribes greedily and prints it in bytes."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path

from pipeline.core.errors import PipelineError
from pipeline.core.files import ROOT
from pipeline.core.timing import peak_memory_bytes
from pipeline.decoding.greedy import decode
from pipeline.decoding.networks import Backend, load_network
from pipeline.decoding.recordings import Source, longest_part_s, transcribe


def peak_memory_of(backend: Backend, model: Path, exports: Path, recording: Path) -> int:
    """Return the peak memory of a process that transcribes a recording, in bytes.

    Args:
        backend: what runs the network.
        model: folder of the model.
        exports: folder of its exports.
        recording: a file.

    Raises:
        PipelineError: the process failed.
    """
    paths = [str(path.resolve()) for path in (model, exports, recording)]
    done = subprocess.run([sys.executable, "-m", "pipeline.exporting.memory", backend, *paths], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PipelineError(f"export: {backend}", " ".join(done.stderr.split())[-600:], "a transcript")
    return int(done.stdout)


def main(backend: str, model: str, exports: str, recording: str) -> None:
    """Transcribe a recording and print the peak memory of this process."""
    network, vocabulary, record = load_network(Path(model), Backend(backend), Path(exports))
    decoder = partial(decode, vocabulary=vocabulary, frame_s=network.frame_s, words=True)
    for _ in transcribe(network, decoder, [Source(recording, Path(recording))], longest_part_s(record)):
        pass
    print(peak_memory_bytes())


if __name__ == "__main__":
    main(*sys.argv[1:])
