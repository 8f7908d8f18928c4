"""Transcription of files on this machine, beside `transformers.pipeline`: short files, one long file, and the time to the first word.

    python benchmarks/transcribe.py [--model data/train/transfer] [--utterances 240] [--memory HOURS]

Same model, files and threads in one run. Needs a checkout in which `dvc repro` has run. Speed is audio-seconds per second.

    ours               vizinho's decoder, files read from disk
    pipeline           transformers.pipeline("automatic-speech-recognition"), one file at a time (its default)
    pipeline, batch N  the fastest of batches of 4, 8, 16 and 32 files, in order of length
    ... joined         the same utterances as one recording; the pipeline in chunks of the longest training utterance
    network alone      forward passes over batches in memory, as `decode_all` forms them: the limit
    memory             peak memory of one recording of HOURS hours, in a separate process
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pipeline.batching.waveforms import UtteranceAudio, collate, prepare
from pipeline.core.files import ROOT, read_table
from pipeline.core.manifest import SAMPLE_RATE_HZ
from pipeline.decoding.greedy import _by_length, logits_of
from pipeline.decoding.recordings import BATCH_S, Segment, Source, longest_part_s, transcribe
from pipeline.model.artifact import expects_normalised_input, load_model
from pipeline.model.device import choose_device
from pipeline.scoring.counts import error_rates

CHILD = """
import resource, sys
from pathlib import Path
from pipeline.cli.transcribe import transcribe_files
words = sum(len(getattr(item, "words", ())) for item in transcribe_files([sys.argv[1]], Path(sys.argv[2])))
print(words, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def seconds(work: Callable[[], object]) -> float:
    """Return how long a call takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=ROOT / "data/train/transfer")
    parser.add_argument("--utterances", type=int, default=240)
    parser.add_argument("--memory", type=float, default=0.0, help="hours of the recording whose memory is measured; 0 for none")
    given = parser.parse_args()
    device = choose_device()
    model, vocabulary, record = load_model(given.model)
    model.to(device)  # type: ignore[arg-type]
    table = read_table(ROOT / "data/split/portuguese/test.parquet").iloc[: given.utterances]
    audio = UtteranceAudio(table, ROOT / "data/ingest")
    samples = [audio.samples(index) for index in range(len(table))]
    references, audio_s = table["text"].tolist(), sum(map(len, samples)) / SAMPLE_RATE_HZ
    print(f"{len(table)} utterances, {audio_s:.0f} s, {device}, {torch.get_num_threads()} threads")
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for number, one in enumerate(samples):
            files.append(Path(folder) / f"{number:04}.flac")
            soundfile.write(files[-1], one, SAMPLE_RATE_HZ)
        joined = Path(folder) / "joined.flac"
        soundfile.write(joined, np.concatenate(samples), SAMPLE_RATE_HZ)

        def ours(paths: list[Path]) -> list[str]:
            texts = {str(path): [] for path in paths}  # type: ignore[var-annotated]
            for item in transcribe(model, vocabulary, [Source(str(path), path) for path in paths], longest_part_s(record)):
                if isinstance(item, Segment):
                    texts[item.source.name].append(item.text)
            return [" ".join(filter(None, parts)) for parts in texts.values()]

        def row(name: str, work: Callable[[], list[str]]) -> float:
            found: list[str] = []
            took_s = seconds(lambda: found.extend(work()))
            wanted = references if len(found) == len(references) else [" ".join(references)]
            print(f"{name:<22} {audio_s / took_s:8.0f} audio-seconds per second   WER {100 * error_rates(wanted, found)[0]:.1f} %", flush=True)
            return audio_s / took_s

        ours(files[:16])  # warm
        short = row("ours", lambda: ours(files))
        long = row("ours, joined", lambda: ours([joined]))
        best = hugging_face(given.model, samples, longest_part_s(record), row)
        normalise = expects_normalised_input(model)
        durations_s = np.array([len(one) / SAMPLE_RATE_HZ for one in samples])
        batches = [[prepare(samples[int(index)], normalise) for index in batch] for batch in _by_length(durations_s, BATCH_S)]
        limit = audio_s / seconds(lambda: [logits_of(model, batch) for batch in batches])
        padded = sum(collate(batch)[0].size for batch in batches) / SAMPLE_RATE_HZ
        print(f"{'network alone':<22} {limit:8.0f} audio-seconds per second   padding {100 * (1 - audio_s / padded):.1f} %")
        print(f"ratios: {short / best['pipeline']:.1f} to the pipeline's default, {short / best['batch']:.2f} to its best, "
              f"{long / short:.2f} joined to short, {short / limit:.2f} of the limit")
        first = seconds(lambda: subprocess.run([sys.executable, "-m", "pipeline.cli", "transcribe", "--model", str(given.model), str(files[0])],
                                               cwd=ROOT, check=True, capture_output=True))
        print(f"first transcript {first:.1f} s after the start of the process")
        if given.memory:
            memory(given.memory, np.concatenate(samples), Path(folder) / "long.flac", given.model)


def hugging_face(folder: Path, samples: list[np.ndarray], longest_s: float, row: Callable[..., float]) -> dict[str, float]:  # type: ignore[type-arg]
    """Print the rows of the pipeline; return its default and its best speed on short files."""
    from transformers import pipeline

    recogniser = pipeline("automatic-speech-recognition", model=str(folder), device=choose_device())
    inputs = [{"raw": one.astype(np.float32) / 32_768, "sampling_rate": SAMPLE_RATE_HZ} for one in samples]
    order = np.argsort([len(one) for one in samples])

    def batched(size: int) -> list[str]:
        found = recogniser([dict(inputs[index]) for index in order], batch_size=size)
        texts = [""] * len(inputs)
        for index, result in zip(order, found, strict=True):
            texts[index] = result["text"]
        return texts

    speeds = {"pipeline": row("pipeline", lambda: [recogniser(dict(one))["text"] for one in inputs])}
    speeds["batch"] = max([speeds["pipeline"], *(row(f"pipeline, batch {size}", lambda size=size: batched(size)) for size in (4, 8, 16, 32))])  # type: ignore[misc]
    whole = {"raw": np.concatenate(samples).astype(np.float32) / 32_768, "sampling_rate": SAMPLE_RATE_HZ}
    row("pipeline, joined", lambda: [recogniser(dict(whole), chunk_length_s=longest_s, batch_size=8)["text"]])
    return speeds


def memory(hours: float, once: np.ndarray, path: Path, model: Path) -> None:  # type: ignore[type-arg]
    """Print time and peak memory of one recording of some hours: the same utterances again and again."""
    with soundfile.SoundFile(path, "w", SAMPLE_RATE_HZ, 1) as output:
        for _ in range(max(1, round(hours * 3600 * SAMPLE_RATE_HZ / len(once)))):
            output.write(once)
        length_s = output.tell() / SAMPLE_RATE_HZ
    began = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", CHILD, str(path), str(model)], cwd=ROOT, check=True, capture_output=True, text=True)
    words, peak_kib = map(int, done.stdout.split())
    print(f"{length_s / 3600:.1f} hours: {words} words in {time.perf_counter() - began:.0f} s, peak memory {peak_kib / 2**20:.2f} GiB")


if __name__ == "__main__":
    main()
