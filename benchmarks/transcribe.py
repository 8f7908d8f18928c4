"""Transcription of files on this machine, beside `transformers.pipeline`: speed, WER, joined recordings, start and memory.

    python -m benchmarks.transcribe [--model data/train/transfer] [--decoder data/language_model/portuguese] [--utterances 240] [--rounds 3]
                                    [--seams] [--words 20000] [--memory HOURS]

Same model, files and threads in one run. Needs a checkout in which `dvc repro` has run. Speed is audio-seconds per second, the median of the
rounds; each round measures every row, so ratios are between neighbours in time.

    greedy             the best symbol of every frame, files read from disk
    language model     the beam search with the decoder's n-gram
    pipeline           transformers.pipeline("automatic-speech-recognition"), one file at a time (its default)
    pipeline, batch N  the fastest of batches of 4, 8, 16 and 32 files, in order of length
    ... joined         the same utterances as one recording; the pipeline in chunks of the longest training utterance
    network alone      forward passes over batches in memory, as `decode_all` forms them: the limit
    first transcript   after the start of a process, of one file; with `--words` also for a decoder whose lexicon has so many words
    seams              test utterances joined to recordings, and the same utterances one by one
    memory             peak memory of one recording of HOURS hours, in a separate process
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import soundfile
import torch

from pipeline.batching.waveforms import UtteranceAudio, collate, prepare
from pipeline.core.files import ROOT, hash_file, read_json, read_table, write_json, write_text
from pipeline.core.manifest import SAMPLE_RATE_HZ
from pipeline.decoding.beam import DECODER, INSIDE_MODEL, LEXICON, NGRAM, load_decoder, read_lexicon
from pipeline.decoding.forward import by_length, logits_of
from pipeline.decoding.greedy import decode
from pipeline.decoding.recordings import BATCH_S, Segment, Source, longest_part_s, transcribe
from pipeline.decoding.torch_network import load_torch
from pipeline.model.device import choose_device, threads
from pipeline.ngram.builder import build, choose_builder
from pipeline.scoring.counts import error_rates

BATCHES: Final = (4, 8, 16, 32)
SEAMS_S: Final = (16.0, 67.0, 221.0, 549.0)
"""Lengths of the joined recordings."""
CHILD: Final = r"""
import re, sys
from pathlib import Path
from pipeline.cli.transcribe import transcribe_files
words = sum(len(getattr(item, "words", ())) for item in transcribe_files([sys.argv[1]], Path(sys.argv[2]), language_model=sys.argv[3] == "True"))
print(words, re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1])  # ru_maxrss would be that of the process that started this one
"""

Samples = npt.NDArray[np.int16]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT / "data")
    parser.add_argument("--model", type=Path, help="default: train/transfer in the data")
    parser.add_argument("--decoder", type=Path, help="default: language_model/portuguese in the data")
    parser.add_argument("--utterances", type=int, default=240, help="of the test set whose speed is measured; 0 for none")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seams", action="store_true", help="compare joined recordings with their utterances")
    parser.add_argument("--phases", action="store_true", help="cut the first samples of each utterance off, up to a frame and a half")
    parser.add_argument("--words", type=int, default=0, help="of the lexicon whose loading is measured too; 0 for none")
    parser.add_argument("--memory", type=float, default=0.0, help="hours of the recording whose memory is measured; 0 for none")
    given = parser.parse_args(arguments)
    given.model = given.model or given.data / "train/transfer"
    given.decoder = given.decoder or given.data / "language_model/portuguese"
    ours = Transcriber(given.model, given.decoder)
    table = read_table(given.data / "split/portuguese/test.parquet")
    audio = UtteranceAudio(table, given.data / "ingest")
    texts = table["text"].tolist()
    print(f"{choose_device()}, {torch.get_num_threads()} threads, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        samples = [audio.samples(index) for index in range(len(table))]
        if given.utterances:
            speeds(ours, given.model, samples[: given.utterances], texts[: given.utterances], given.rounds, folder)
            first_transcripts(given.model, given.decoder, given.data, samples[0], given.words, folder)
        if given.seams:
            seams(ours, samples, texts, folder)
        if given.phases:
            phases(ours, samples, texts, folder)
        if given.memory:
            memory(given.memory, np.concatenate(samples), with_decoder(given.model, given.decoder, folder / "served"), folder / "long.flac")
    print(f"load at the end {os.getloadavg()[0]:.1f}")


class Transcriber:
    """Transcribes files with one model, greedily or with its decoder."""

    def __init__(self, model: Path, decoder: Path) -> None:
        """Load both."""
        self.network, vocabulary, record = load_torch(model)
        self.model, frame_s = self.network.model, self.network.frame_s
        self.frame_s = frame_s
        self.longest_s = longest_part_s(record)
        self._decoders = {"greedy": partial(decode, vocabulary=vocabulary, frame_s=frame_s, words=True)}
        if found := load_decoder(decoder, vocabulary, frame_s):
            self._decoders["language model"] = found  # type: ignore[assignment]

    @property
    def names(self) -> list[str]:
        """The ways of decoding."""
        return list(self._decoders)

    def texts(self, files: Sequence[Path], name: str) -> list[str]:
        """Return the transcript of each file."""
        parts: dict[str, list[str]] = {str(file): [] for file in files}
        for item in transcribe(self.network, self._decoders[name], [Source(str(file), file) for file in files], self.longest_s):
            if isinstance(item, Segment):
                parts[item.source.name].append(item.text)
        return [" ".join(filter(None, found)) for found in parts.values()]


def seconds(work: Callable[[], object]) -> float:
    """Return how long a call takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def write_files(samples: Sequence[Samples], folder: Path) -> list[Path]:
    """Return one FLAC file for each utterance."""
    files = [folder / f"{number:04}.flac" for number in range(len(samples))]
    for file, one in zip(files, samples, strict=True):
        soundfile.write(file, one, SAMPLE_RATE_HZ)
    return files


def percent(references: Sequence[str], hypotheses: Sequence[str]) -> float:
    """Return the WER in per cent; one hypothesis for several references is that of their joined recording."""
    return 100 * error_rates(references if len(references) == len(hypotheses) else [" ".join(references)], hypotheses)[0]


def speeds(ours: Transcriber, model: Path, samples: Sequence[Samples], references: Sequence[str], rounds: int, folder: Path) -> None:
    """Print speed and WER of every way to transcribe the utterances, and the ratios."""
    audio_s = sum(map(len, samples)) / SAMPLE_RATE_HZ
    files, joined = write_files(samples, folder), folder / "joined.flac"
    soundfile.write(joined, np.concatenate(samples), SAMPLE_RATE_HZ)
    normalise = ours.network.normalise
    durations_s = np.array([len(one) / SAMPLE_RATE_HZ for one in samples])
    batches = [[prepare(samples[int(index)], normalise) for index in batch] for batch in by_length(durations_s, BATCH_S)]
    padded = sum(collate(batch)[0].size for batch in batches) / SAMPLE_RATE_HZ
    work: dict[str, Callable[[], list[str]]] = {}
    for name in ours.names:
        work[name] = partial(ours.texts, files, name)
        work[f"{name}, joined"] = partial(ours.texts, [joined], name)
    work["network alone"] = lambda: network_alone(ours.model, batches)
    work |= hugging_face(model, samples, ours.longest_s)
    print(f"{len(samples)} utterances, {audio_s:.0f} s, padding of the batches {100 * (1 - audio_s / padded):.1f} %")
    ours.texts(files[:16], "greedy")  # warm
    speed: dict[str, list[float]] = {name: [] for name in work}
    texts: dict[str, list[str]] = {}
    for round_ in range(rounds):
        for name in list(work):
            if round_ == 1 and name.startswith("pipeline, batch") and name != fastest(speed):
                del work[name]  # only the fastest is measured again
                continue
            began = time.perf_counter()
            texts[name] = work[name]()
            speed[name].append(audio_s / (time.perf_counter() - began))
    for name, found in speed.items():
        wer = f"   WER {percent(references, texts[name]):.1f} %" if texts[name] else ""
        print(f"{name:<24} {np.median(found):7.0f} audio-seconds per second ({min(found):.0f} to {max(found):.0f}){wer}")

    def ratio(one: str, other: str) -> str:
        pairs = [mine / theirs for mine, theirs in zip(speed[one], speed[other], strict=True)]
        return f"{np.median(pairs):.2f} ({min(pairs):.2f} to {max(pairs):.2f})"

    print("ratio of speeds, median (lowest to highest) of the rounds:")
    for name in ours.names:
        for other in ("pipeline", fastest(speed), "network alone"):
            print(f"  {name} / {other}: {ratio(name, other)}")
        print(f"  {name}: joined / files: {ratio(f'{name}, joined', name)}; joined / the pipeline's: {ratio(f'{name}, joined', 'pipeline, joined')}")
    if "language model" in speed:
        print(f"  language model / greedy: {ratio('language model', 'greedy')}", flush=True)


def network_alone(model: Any, batches: Sequence[Sequence[npt.NDArray[np.float32]]]) -> list[str]:
    """Run the forward passes, a thread for each batch as in `decode_all`; return nothing."""
    from concurrent.futures import ThreadPoolExecutor

    workers = torch.get_num_threads() if choose_device().type == "cpu" else 1
    with threads(1), ThreadPoolExecutor(workers) as pool:
        list(pool.map(lambda batch: len(logits_of(model, batch)), batches))
    return []


def fastest(speed: dict[str, list[float]]) -> str:
    """Return the fastest batch size of the pipeline: that with the most rounds, then the highest speed."""
    return max((name for name in speed if name.startswith("pipeline, batch")), key=lambda name: (len(speed[name]), speed[name][0]))


def hugging_face(folder: Path, samples: Sequence[Samples], longest_s: float) -> dict[str, Callable[[], list[str]]]:
    """Return the ways of the pipeline to transcribe the utterances."""
    from transformers import pipeline

    recogniser: Any = pipeline("automatic-speech-recognition", model=str(folder), device=choose_device())
    inputs = [{"raw": one.astype(np.float32) / 32_768, "sampling_rate": SAMPLE_RATE_HZ} for one in samples]
    order = np.argsort([len(one) for one in samples])

    def batched(size: int) -> list[str]:
        texts = [""] * len(inputs)
        for index, result in zip(order, recogniser([dict(inputs[index]) for index in order], batch_size=size), strict=True):
            texts[index] = result["text"]
        return texts

    whole = {"raw": np.concatenate(samples).astype(np.float32) / 32_768, "sampling_rate": SAMPLE_RATE_HZ}
    return {"pipeline": lambda: [recogniser(dict(one))["text"] for one in inputs],
            **{f"pipeline, batch {size}": partial(batched, size) for size in BATCHES},
            "pipeline, joined": lambda: [recogniser(dict(whole), chunk_length_s=longest_s, batch_size=8)["text"]]}


def with_decoder(model: Path, decoder: Path, target: Path) -> Path:
    """Return a copy of a model's folder with this decoder in it."""
    shutil.copytree(model, target, ignore=shutil.ignore_patterns("*.csv", INSIDE_MODEL))
    if (decoder / DECODER).exists():
        shutil.copytree(decoder, target / INSIDE_MODEL)
    return target


def first_transcripts(model: Path, decoder: Path, data: Path, samples: Samples, words: int, folder: Path) -> None:
    """Print how long a process takes to transcribe one file, its start included; the shortest of three."""
    file = write_files([samples], folder)[0]
    served = with_decoder(model, decoder, folder / "first")
    cases = {"greedy": (served, ["--no-lm"]), f"{lexicon_size(decoder):,} words": (served, [])}
    if words:
        large = larger_decoder(decoder, read_table(data / "split/portuguese/train.parquet")["text"].tolist(), words, folder / "decoder")
        cases[f"{words:,} words"] = with_decoder(model, large, folder / "large"), []
    for name, (served, options) in cases.items():
        command = [sys.executable, "-m", "pipeline.cli", "transcribe", "--model", str(served), *options, str(file)]
        took = [seconds(lambda command=command: subprocess.run(command, cwd=ROOT, check=True, capture_output=True)) for _ in range(3)]  # type: ignore[misc]
        print(f"first transcript, {name}: {min(took):.1f} s after the start of the process (of three: up to {max(took):.1f})", flush=True)


def lexicon_size(decoder: Path) -> int:
    """Return the number of words in a decoder's lexicon."""
    return len(read_lexicon(decoder / LEXICON)) if (decoder / LEXICON).exists() else 0


def larger_decoder(decoder: Path, sentences: Sequence[str], words: int, target: Path) -> Path:
    """Return a decoder with so many words: sentences whose words are drawn from the lexicon and from pairs of its words."""
    known = read_lexicon(decoder / LEXICON)
    draw = np.random.default_rng(0)
    invented = known[:words]
    while len(invented) < words:
        invented = list(dict.fromkeys([*invented, *("".join(draw.choice(known, 2)) for _ in range(words - len(invented)))]))
    lengths = [sentence.count(" ") + 1 for sentence in sentences]
    order = [invented[index] for _ in range(4) for index in draw.permutation(len(invented))]
    texts, at = list(sentences), 0
    while at < len(order):
        length = int(draw.choice(lengths))
        texts.append(" ".join(order[at : at + length]))
        at += length
    counted = Counter(word for sentence in texts for word in sentence.split(" "))
    target.mkdir()
    build(texts, counted, 3, None, choose_builder(sum(counted.values())), target / NGRAM)
    write_text(target / LEXICON, "".join(f"{word}\t{count}\n" for word, count in counted.items()))
    write_json(target / DECODER, read_json(decoder / DECODER) | {"files": {name: hash_file(target / name) for name in (NGRAM, LEXICON)}})
    return target


def seams(ours: Transcriber, samples: Sequence[Samples], references: Sequence[str], folder: Path) -> None:
    """Print the WER of all utterances one by one, and of all of them in recordings of some length that join them in their order."""
    lengths_s = [len(one) / SAMPLE_RATE_HZ for one in samples]
    files = write_files(samples, folder)
    alone = {name: percent(references, ours.texts(files, name)) for name in ours.names}
    print("WER in per cent, one by one: " + ", ".join(f"{name} {alone[name]:.2f}" for name in ours.names))
    for length_s in SEAMS_S:
        groups = joined(lengths_s, length_s)
        recordings = write_files([np.concatenate([samples[index] for index in group]) for group in groups], folder)
        texts = [" ".join(references[index] for index in group) for group in groups]
        found = {name: percent(texts, ours.texts(recordings, name)) for name in ours.names}
        print(f"{len(groups):4} recordings of {length_s:.0f} s: "
              + ", ".join(f"{name} {found[name]:.2f} ({found[name] - alone[name]:+.2f})" for name in ours.names), flush=True)


def phases(ours: Transcriber, samples: Sequence[Samples], references: Sequence[str], folder: Path) -> None:
    """Print the greedy WER by the number of samples that are cut off at the start: where the frames lie in the speech."""
    frame = round(ours.frame_s * SAMPLE_RATE_HZ)
    for cut in (frame * sixth // 6 for sixth in range(10)):
        files = write_files([one[cut:] for one in samples], folder)
        print(f"{cut:4} samples off: greedy {percent(references, ours.texts(files, 'greedy')):.2f}", flush=True)


def joined(lengths_s: Sequence[float], length_s: float) -> list[list[int]]:
    """Return which utterances each recording joins, in order: as few as last that long; a short rest belongs to the last recording."""
    groups: list[list[int]] = [[]]
    filled_s = 0.0
    for index, one_s in enumerate(lengths_s):
        if filled_s >= length_s:
            groups.append([])
            filled_s = 0.0
        groups[-1].append(index)
        filled_s += one_s
    if len(groups) > 1 and filled_s < length_s / 2:
        groups[-2:] = [groups[-2] + groups[-1]]
    return groups


def memory(hours: float, once: Samples, served: Path, path: Path) -> None:
    """Print time and peak memory of one recording of some hours: the same utterances again and again."""
    times = max(1, round(hours * 3600 * SAMPLE_RATE_HZ / len(once)))
    length_s = times * len(once) / SAMPLE_RATE_HZ
    with soundfile.SoundFile(path, "w", SAMPLE_RATE_HZ, 1) as output:
        for _ in range(times):
            output.write(once)
    for name, language_model in (("greedy", False), ("language model", True)):
        began = time.perf_counter()
        done = subprocess.run([sys.executable, "-c", CHILD, str(path), str(served), str(language_model)], cwd=ROOT, check=True,
                              capture_output=True, text=True)
        words, peak_kib = map(int, done.stdout.split())
        print(f"{length_s / 3600:.1f} hours, {name}: {words} words in {time.perf_counter() - began:.0f} s, "
              f"peak memory {peak_kib * 1024 / 1e9:.2f} GB", flush=True)


if __name__ == "__main__":
    main()
