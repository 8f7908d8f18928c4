"""Hours of audio per minute on one core: the stage `ingest` beside its upper bound and the usual scripts.

    python -m benchmarks.ingest [--hours 0.3] [FOLDER]

FOLDER has sound files, which are repeated until the hours are reached, each round a little softer and coded as MP3 at 48 kHz
(which is how Common Voice is released): copies would be rejects. Without it, the embedded
speaker's sentences in that form. In turn, each in a separate process on one core:

    decode    decode, as every reader must
    limit     decode, resample and encode to FLAC only: the upper bound for the stage
    ingest    the stage: the same, and checks, measures, hash, fingerprint, Parquet, duplicates, report
    map       the usual recipe with `datasets`: map a function that decodes and resamples (torchaudio), floats to Arrow
    script    the usual script: for each file decode, resample (torchaudio), write a FLAC file

Best of three rounds by CPU time, all processes of a contestant counted; each does two files first, so that its start and imports,
which do not grow with the corpus, are left out. Marks: `ingest` at 70 % of `limit` at least, and twice `map`.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import multiprocessing.forkserver
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import soundfile

from pipeline.audio.codecs import duration_from_header, encode_flac, read_audio
from pipeline.audio.resample import resample
from pipeline.audio.samples import Waveform, to_int16
from pipeline.core.files import ROOT
from pipeline.core.manifest import SAMPLE_RATE_HZ

LONGEST_S: Final = 30.0
ROUNDS: Final = 3


def decode(paths: list[Path]) -> None:
    """Decode all files."""
    for path in paths:
        read_audio(path, LONGEST_S)


def limit(paths: list[Path]) -> None:
    """Decode, resample, encode."""
    for path in paths:
        encode_flac(to_int16(resample(*read_audio(path, LONGEST_S))))


def ingest(paths: list[Path]) -> None:
    """Run the stage over the files, in one process at a time."""
    from pipeline import ingest as stage

    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        os.environ["VIZINHO_STATE"] = str(root / "state")
        (root / "clips").symlink_to(paths[0].parent)
        (root / "manifest.tsv").write_text("path\ttext\n" + "".join(f"clips/{path.name}\tuma frase\n" for path in paths))
        (root / "params.yaml").write_text(json.dumps({"ingest": {"toy": {
            "reader": "manifest", "language": "portuguese", "source": ".", "locale": "pt-BR", "licence": "CC0-1.0",
            "max_duration_s": LONGEST_S, "max_reject_share": 1.0}}}))
        stage.run("toy", root=root, workers=1)


def torch_resample() -> Any:
    """Return a function that resamples as scripts do, on one thread."""
    import torch
    import torchaudio

    torch.set_num_threads(1)
    return lambda waveform_S, rate_hz: torchaudio.functional.resample(torch.from_numpy(waveform_S), rate_hz, SAMPLE_RATE_HZ).numpy()


def map_(paths: list[Path]) -> None:
    """Decode and resample in a mapped function; `datasets` writes what it returns."""
    import datasets

    resample = torch_resample()

    def prepared(row: dict[str, Any]) -> dict[str, Any]:
        waveform_S, rate_hz = soundfile.read(row["path"], dtype="float32")
        return {"input_values": resample(waveform_S, rate_hz)}

    with tempfile.TemporaryDirectory() as name:
        datasets.Dataset.from_dict({"path": [str(path) for path in paths]}).map(prepared, cache_file_name=f"{name}/cache.arrow")


def script(paths: list[Path]) -> None:
    """Decode, resample and write each file."""
    resample = torch_resample()
    with tempfile.TemporaryDirectory() as name:
        for number, path in enumerate(paths):
            waveform_S, rate_hz = soundfile.read(path, dtype="float32")
            soundfile.write(f"{name}/{number}.flac", resample(waveform_S, rate_hz), SAMPLE_RATE_HZ)


CONTESTANTS: Final = {"decode": decode, "limit": limit, "ingest": ingest, "map": map_, "script": script}


def cpu_s() -> float:
    """Return the CPU seconds of this process, of its children that have ended, and of the server that starts workers with all of its own."""
    ours = sum(used.ru_utime + used.ru_stime for used in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))
    server = multiprocessing.forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]
    if server is None:
        return ours
    ticks = Path(f"/proc/{server}/stat").read_text().rpartition(")")[2].split()[11:15]
    return ours + sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


def compete(name: str, folder: Path) -> None:
    """Run one contestant on one core, first on two files, then on all, and print the CPU seconds of the latter."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    paths = sorted(folder.iterdir())
    spent = []
    for part in (paths[:2], paths):
        start_s = cpu_s()
        with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
            CONTESTANTS[name](part)
        spent.append(cpu_s() - start_s)
    print(spent[1])


def material(folder: Path, hours: float, source: Path | None) -> float:
    """Fill a folder with sound files; return the hours that are in it."""
    made_s = 0.0
    for number, (waveform_S, rate_hz) in enumerate(given(source) if source else spoken(hours)):
        if made_s >= 3600 * hours:
            break
        soundfile.write(folder / f"{number:06d}.mp3", resample(waveform_S, rate_hz, 48_000), 48_000)
        made_s += len(waveform_S) / rate_hz
    return made_s / 3600


def given(source: Path) -> Iterator[tuple[Waveform, int]]:
    """Yield the sound files of a folder, without end, each round 2 % softer than the one before."""
    found = [read_audio(path, LONGEST_S) for path in sorted(source.rglob("*")) if duration_from_header(path) > 0]
    for turn in itertools.count():
        yield from ((waveform_S * 0.98**turn, rate_hz) for waveform_S, rate_hz in found)


def spoken(hours: float) -> Iterator[tuple[Waveform, int]]:
    """Yield so many hours and more of the embedded speaker's sentences."""
    from pipeline.corpora import Utterance, speak

    count = int(hours * 3600 / 3) + 1
    params = speak.Params(reader="speak", language="portuguese", source="", locales={"pt-BR": 1.0}, speakers=100, utterances=count, seed=1)
    for found in speak.read(params, ROOT, range(count)):
        if isinstance(found, Utterance) and isinstance(found.audio, tuple):
            yield found.audio


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--hours", type=float, default=0.3)
    parser.add_argument("--contestant", choices=CONTESTANTS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.contestant:
        compete(arguments.contestant, arguments.folder)
        return
    with tempfile.TemporaryDirectory() as name:
        hours = material(Path(name), arguments.hours, arguments.folder)
        rates = dict.fromkeys(CONTESTANTS, 0.0)
        for _ in range(ROUNDS):
            for contestant in CONTESTANTS:
                done = subprocess.run([sys.executable, "-m", "benchmarks.ingest", "--contestant", contestant, name], cwd=ROOT,
                                      stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
                if done.returncode == 0:
                    rates[contestant] = max(rates[contestant], hours / (float(done.stdout) / 60))
    print(f"{hours:.2f} hours, best of {ROUNDS} rounds")
    for contestant, rate in rates.items():
        beside = f"{rate / rates['limit']:>7.0%} of the limit" if rate else "  not installed, or failed"
        print(f"{contestant:<8}{rate:>8.1f} hours per minute and core{beside}")
    if rates["map"]:
        print(f"ingest is {rates['ingest'] / rates['map']:.1f} times map, {rates['ingest'] / rates['script']:.1f} times script")


if __name__ == "__main__":
    main()
