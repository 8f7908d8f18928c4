"""Peak memory of the stage `ingest`, with a corpus and with ten times as much data.

    python -m benchmarks.memory [--utterances 200] [--times 10] [--seconds 4] [--workers 2]

Each round is a fresh process that ingests WAV files (generated noise, which FLAC compresses worst) through the reader
`manifest`. The peak resident memory of it and of every worker is read while they run. Requirement: neither the stage's own
process nor its largest worker grows by a tenth.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import numpy as np
import soundfile

from pipeline.core.files import ROOT
from pipeline.core.manifest import SAMPLE_RATE_HZ

STAGE: Final = ("import sys; from pathlib import Path; from pipeline import ingest; "
                "ingest.run('toy', root=Path(sys.argv[1]), workers=int(sys.argv[2]))")
GROWTH: Final = 1.1
POLL_S: Final = 0.01


def corpus(root: Path, utterances: int, seconds: float) -> None:
    """Write a corpus of noise and its params."""
    noise = np.random.default_rng(1)
    rows = ["path\ttext"]
    for number in range(utterances):
        name = f"clips/{number:06d}.wav"
        (root / name).parent.mkdir(exist_ok=True)
        soundfile.write(root / name, noise.uniform(-0.3, 0.3, int(seconds * SAMPLE_RATE_HZ)), SAMPLE_RATE_HZ)
        rows.append(f"{name}\tuma frase")
    (root / "manifest.tsv").write_text("\n".join(rows) + "\n")
    (root / "params.yaml").write_text(json.dumps({"ingest": {"toy": {
        "reader": "manifest", "language": "portuguese", "source": ".", "locale": "pt-BR", "licence": "CC0-1.0", "utterances_per_shard": 50}}}))


def peaks_mb(root: Path, workers: int) -> tuple[float, float]:
    """Run the stage; return the peak memory of its own process and of its largest worker, in MB.

    Raises:
        RuntimeError: the stage failed, or it had no worker.
    """
    process = subprocess.Popen([sys.executable, "-c", STAGE, str(root), str(workers)], cwd=ROOT, stdout=subprocess.DEVNULL,
                               start_new_session=True, env=os.environ | {"VIZINHO_STATE": str(root / "state")})
    most: dict[int, float] = {}
    while process.poll() is None:
        for pid in session(process.pid):
            most[pid] = max(most.get(pid, 0.0), high_water_mb(pid))
        time.sleep(POLL_S)
    own = most.pop(process.pid, 0.0)
    if process.returncode or not most:
        raise RuntimeError(f"the stage ended with {process.returncode}, with {len(most)} workers")
    return own, max(most.values())


def session(leader: int) -> list[int]:
    """Return the running processes of a session."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(stat.read_text().rpartition(")")[2].split()[3]) == leader:
                found.append(int(stat.parent.name))
        except (OSError, ValueError):
            continue
    return found


def high_water_mb(pid: int) -> float:
    """Return the peak resident memory of a process in MB, 0 if it has ended."""
    try:
        match = re.search(r"^VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    except OSError:
        return 0.0
    return int(match[1]) / 1_000 if match else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--utterances", type=int, default=200)
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    measured = []
    for utterances in (arguments.utterances, arguments.utterances * arguments.times):
        with tempfile.TemporaryDirectory() as name:
            corpus(Path(name), utterances, arguments.seconds)
            measured.append(peaks_mb(Path(name), arguments.workers))
        print(f"{utterances:>7} utterances: the stage's process {measured[-1][0]:.0f} MB, the largest worker {measured[-1][1]:.0f} MB", flush=True)
    once, often = measured
    grown = max(after / before for before, after in zip(once, often, strict=True))
    print(f"{arguments.times} times the data: {grown:.2f} times the memory at most")
    sys.exit(grown > GROWTH)


if __name__ == "__main__":
    main()
