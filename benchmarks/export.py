"""Exported networks beside PyTorch at the same number of threads: speed, size, memory, and the start of a process.

    python -m benchmarks.export [--model data/train/transfer] [--exports data/export/transfer] [--utterances 60] [--rounds 5] [--threads 2]
                                [--large] [--start]

Speed is audio-seconds per second of the network without decoding, as `vizinho transcribe` runs it. The backends take turns; ratios are medians over
the rounds of pairs of neighbours in time.

    --large    the shape of XLSR-53 (315 million parameters) with random weights, exported here; needs no data
    --start    from the start of a process to the first transcript of one file, greedily; the shortest of three
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import soundfile
import torch
from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

from pipeline.batching.waveforms import UtteranceAudio, Waveform, standardise
from pipeline.core.files import ROOT, read_table
from pipeline.core.manifest import SAMPLE_RATE_HZ
from pipeline.decoding.networks import EXPORTS, Backend, Network
from pipeline.decoding.onnx_network import OnnxNetwork
from pipeline.decoding.torch_network import TorchNetwork
from pipeline.exporting.int8 import quantise
from pipeline.exporting.memory import peak_memory_of
from pipeline.exporting.network import export_network
from pipeline.model.artifact import load_model
from pipeline.model.device import set_threads

XLSR: Final = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096, "feat_extract_norm": "layer",
               "conv_bias": True, "do_stable_layer_norm": True, "vocab_size": 46}
BATCH_S: Final = 60.0
LARGE_LENGTHS_S: Final = (3.0, 4.0, 5.0, 6.0, 7.0, 8.0)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT / "data")
    parser.add_argument("--model", type=Path, help="default: train/transfer in the data")
    parser.add_argument("--exports", type=Path, help="default: export/transfer in the data")
    parser.add_argument("--utterances", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--large", action="store_true", help="measure the shape of XLSR-53 with random weights instead")
    parser.add_argument("--start", action="store_true", help="measure the start of a process as well")
    given = parser.parse_args(arguments)
    set_threads(given.threads)
    print(f"{given.threads} threads, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as name:
        if given.large:
            large(Path(name), given.rounds, given.threads)
        else:
            model, exports = given.model or given.data / "train/transfer", given.exports or given.data / "export/transfer"
            audio = UtteranceAudio(read_table(given.data / "split/portuguese/test.parquet"), given.data / "ingest")
            trained(model, exports, audio, given.utterances, given.rounds, given.threads)
            if given.start:
                soundfile.write(Path(name) / "one.wav", audio.samples(0), SAMPLE_RATE_HZ)
                starts(model, Path(name) / "one.wav")
    print(f"load at the end {os.getloadavg()[0]:.1f}")


def trained(model: Path, exports: Path, audio: UtteranceAudio, utterances: int, rounds: int, threads: int) -> None:
    """Print speed, size and memory of a trained model's exports."""
    network, _, _ = load_model(model)
    waveforms = [audio.waveform(index) for index in range(min(utterances, len(audio)))]
    sizes = {Backend.TORCH: model / "model.safetensors", **{backend: exports / file for backend, file in EXPORTS.items()}}
    exported = {backend: OnnxNetwork(sizes[backend], threads) for backend in EXPORTS}
    speeds({Backend.TORCH: TorchNetwork(network), **exported}, waveforms, rounds, sizes)
    with tempfile.TemporaryDirectory() as folder:
        recording = Path(folder) / "joined.wav"
        soundfile.write(recording, np.concatenate([audio.samples(index) for index in range(len(waveforms))]), SAMPLE_RATE_HZ)
        for backend in Backend:
            print(f"{backend:<10} peak memory {peak_memory_of(backend, model, exports, recording) / 1e6:.0f} MB, one recording", flush=True)


def large(folder: Path, rounds: int, threads: int) -> None:
    """Print speed and size of the exports of a network with XLSR-53's shape and random weights, on noise."""
    torch.manual_seed(1)
    model = Wav2Vec2ForCTC(Wav2Vec2Config(**XLSR)).eval()
    files = {backend: folder / name for backend, name in EXPORTS.items()}
    timed("export", lambda: export_network(model, files[Backend.ONNX], {"vocabulary_hash": "", "weights_hash": ""}))
    timed("int8", lambda: quantise(files[Backend.ONNX], files[Backend.ONNX_INT8]))
    draw = np.random.default_rng(1)
    waveforms = [standardise(draw.normal(size=round(length_s * SAMPLE_RATE_HZ)).astype(np.float32)) for length_s in LARGE_LENGTHS_S]
    networks: dict[Backend, Network] = {Backend.TORCH: TorchNetwork(model)}
    networks |= {backend: OnnxNetwork(file, threads) for backend, file in files.items()}
    logits = {backend: network.logits_of(waveforms[:1])[0] for backend, network in networks.items()}
    for backend in EXPORTS:
        difference = np.abs(logits[backend] - logits[Backend.TORCH])
        print(f"{backend:<10} logits differ by {difference.max():.1e} at most, {difference.mean():.1e} on average; "
              f"standard deviation of logits {logits[Backend.TORCH].std():.2f}")
    speeds(networks, waveforms, rounds, files)


def speeds(networks: dict[Backend, Network], waveforms: Sequence[Waveform], rounds: int, files: dict[Backend, Path]) -> None:
    """Print the speed of each network and its ratio to PyTorch's; the first round warms up."""
    lengths_s = np.array([len(waveform) / SAMPLE_RATE_HZ for waveform in waveforms])
    found: dict[Backend, list[float]] = {backend: [] for backend in networks}
    for round_ in range(rounds + 1):
        for backend, network in networks.items():
            speed = audio_seconds_per_second(network, waveforms, lengths_s)
            if round_:
                found[backend].append(speed)
    for backend, values in found.items():
        ratios = [mine / theirs for mine, theirs in zip(values, found[Backend.TORCH], strict=True)]
        size = f", {files[backend].stat().st_size / 1e6:.1f} MB" if backend in files else ""
        print(f"{backend:<10} {np.median(values):7.1f} audio-seconds per second ({min(values):.1f} to {max(values):.1f}), "
              f"{np.median(ratios):.2f} times torch ({min(ratios):.2f} to {max(ratios):.2f}){size}", flush=True)


def audio_seconds_per_second(network: Network, waveforms: Sequence[Waveform], lengths_s: npt.NDArray[np.float64]) -> float:
    """Return the speed of a network on waveforms in memory."""
    began = time.perf_counter()
    network.decode_all(len, waveforms.__getitem__, lengths_s, BATCH_S)
    return float(lengths_s.sum()) / (time.perf_counter() - began)


def timed(name: str, work: Callable[[], object]) -> None:
    """Print how long a call takes."""
    began = time.perf_counter()
    work()
    print(f"{name}: {time.perf_counter() - began:.1f} s", flush=True)


def starts(model: Path, file: Path) -> None:
    """Print how long a process takes to transcribe one file greedily, its start included."""
    for backend in Backend:
        command = [sys.executable, "-m", "pipeline.cli", "transcribe", "--model", str(model), "--no-lm", "--backend", backend, str(file)]
        took = []
        for _ in range(3):
            began = time.perf_counter()
            subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
            took.append(time.perf_counter() - began)
        print(f"{backend:<10} first transcript {min(took):.1f} s after the start of the process (of three: up to {max(took):.1f})", flush=True)


if __name__ == "__main__":
    main()
