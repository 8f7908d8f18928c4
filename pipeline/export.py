"""Export a trained system's network to ONNX, fp32 and int8, and measure what each form loses.

Both are run as `vizinho transcribe --backend` runs them, with the system's decoder, on the test split and on a recording that joins test
utterances. Their hypotheses are compared with those of PyTorch; the gate decides which forms are shipped.

Reads:  a model folder, a decoder's folder (the model's own folder `language_model/` if none is named), data/transcribe/SYSTEM.parquet,
        data/split/portuguese/test.parquet
Writes: data/export/SYSTEM/: model.onnx, model.int8.onnx, hypotheses.parquet (core.manifest columns utterance_id, hypothesis, hypothesis_served
        and the backend), parity.json (`vizinho.export/1`); data/timing/export/SYSTEM/ (speed, memory)
Params: export
"""

from __future__ import annotations

import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
from pydantic import Field

from pipeline.core.errors import DataError
from pipeline.core.files import atomic_folder, hash_file, hash_json, read_table, write_json, write_table
from pipeline.core.manifest import SAMPLE_RATE_HZ
from pipeline.core.params import Section, load_section
from pipeline.core.progress import log
from pipeline.core.stage import stage_main
from pipeline.core.timing import record_timing
from pipeline.scoring.comparison import difference
from pipeline.scoring.counts import align, count, error_rates
from pipeline.scoring.scorecard import Resampling, number
from pipeline.scoring.utterances import speaker_independent, units_in

if TYPE_CHECKING:
    from pipeline.batching.waveforms import UtteranceAudio
    from pipeline.decoding.greedy import Decoded
    from pipeline.decoding.networks import Backend, Network
    from pipeline.exporting.parity import Windows

    Both = tuple[Decoded, Decoded]

SCHEMA: Final = "vizinho.export/1"
TEST: Final = Path("data/split/portuguese/test.parquet")
HYPOTHESES: Final = "hypotheses.parquet"
SPEED_ROUNDS: Final = 3
"""Repetitions of the speed measurement; the first one warms up."""


class Export(Section):
    """Params of the stage."""

    utterances: int | None = Field(ge=1, description="a sample of the test split, by hash, for texts and WER; null: all of it")
    seed: int = Field(ge=0, description="of the sample and the resampling")
    logit_utterances: int = Field(ge=1, description="first ones of the sample whose logits are compared")
    batch_utterances: int = Field(ge=2, description="utterances of mixed lengths in the padded batch")
    recording_s: float = Field(gt=0, description="least length of the recording that joins utterances of the sample")
    speed_utterances: int = Field(ge=1, description="first ones of the sample on which speed is measured")
    threads: int = Field(ge=1, description="CPU threads, of PyTorch and of ONNX Runtime")
    batch_s: float = Field(gt=0, description="padded seconds of audio in a batch")
    level: float = Field(0.95, gt=0, lt=1, description="two-sided confidence of the intervals in parity.json")
    resamples: int = Field(1_000, ge=1_000, description="of these intervals; the gate computes its own")


def run(system: str, model_folder: str, decoder_folder: str | None = None) -> None:
    """Export a system's network and measure the parity of each form.

    Args:
        system: its name.
        model_folder: its weights and vocabulary.
        decoder_folder: its decoder; by default the folder `language_model` of the model, if there is one.
    """
    from pipeline.batching.waveforms import UtteranceAudio
    from pipeline.decoding.beam import INSIDE_MODEL, describe_decoder, load_decoder
    from pipeline.decoding.greedy import decode
    from pipeline.decoding.networks import EXPORTS, Backend
    from pipeline.decoding.onnx_network import PARITY, OnnxNetwork
    from pipeline.decoding.recordings import longest_part_s
    from pipeline.decoding.torch_network import TorchNetwork
    from pipeline.exporting.int8 import quantise
    from pipeline.exporting.network import OPSET, export_network, library_versions, reason_not_to_export
    from pipeline.exporting.parity import batch_invariance, joined, logit_parity, windows
    from pipeline.model.artifact import load_model
    from pipeline.model.device import exclusive, set_threads

    params = load_section(Export, "export")
    set_threads(params.threads)
    table = sample(read_table(TEST), params.utterances, params.seed)
    reference = references(read_table(f"data/transcribe/{system}.parquet"), table, system)
    model, vocabulary, record = load_model(model_folder)
    torch_network = TorchNetwork(model)
    decoders = Path(decoder_folder or Path(model_folder) / INSIDE_MODEL)
    parity = {"schema": SCHEMA, "system": system, "weights_hash": record["weights_hash"], "vocabulary_hash": vocabulary.hash,
              "decoder": describe_decoder(decoders), "opset": OPSET, "versions": library_versions(), "not_exported": reason_not_to_export(model),
              "sample": {"utterances": len(table), "seconds": float(table["duration_s"].sum()), "of": len(read_table(TEST, ["utterance_id"]))}}
    if parity["not_exported"]:
        with atomic_folder(f"data/export/{system}") as folder:
            write_table(folder / HYPOTHESES, pd.DataFrame(columns=["utterance_id", "backend", "hypothesis", "hypothesis_served"], dtype="str"))
            write_json(folder / PARITY, parity | {"exports": []})
        log(f"export@{system}: not exported: {parity['not_exported']}")
        return
    search = load_decoder(decoders, vocabulary, torch_network.frame_s)
    greedily = partial(decode, vocabulary=vocabulary, frame_s=torch_network.frame_s, words=True)
    audio, duration_s = UtteranceAudio(table, normalise=torch_network.normalise), table["duration_s"].to_numpy(dtype=float)

    def both(logits_TV: Any) -> Both:
        greedy = greedily(logits_TV)
        return greedy, search(logits_TV) if search else greedy

    with exclusive(model.device, params.threads), atomic_folder(f"data/export/{system}") as folder, tempfile.TemporaryDirectory() as scratch:
        fp32 = folder / EXPORTS[Backend.ONNX]
        export_network(model, fp32, {"vocabulary_hash": vocabulary.hash, "weights_hash": record["weights_hash"]})
        quantise(fp32, folder / EXPORTS[Backend.ONNX_INT8])
        exports = {backend: OnnxNetwork(folder / file, params.threads) for backend, file in EXPORTS.items()}
        waveforms = [audio.waveform(index) for index in range(min(params.logit_utterances, len(table)))]
        mixed = [audio.waveform(int(index)) for index in spread(duration_s, params.batch_utterances)]
        logits = torch_network.decode_all(lambda logits_TV: logits_TV, waveforms.__getitem__, duration_s[: len(waveforms)], 0.0)
        length = joined(duration_s, params.recording_s)
        recording, spoken = write_recording(audio, length, Path(scratch) / "recording.wav"), " ".join(table["text"][:length])
        decoder, longest_s = search or greedily, longest_part_s(record)
        torch_windows = windows(torch_network, decoder, recording, longest_s)
        entries, tables, seconds = [], [], {}
        for backend, network in exports.items():
            began = time.perf_counter()
            found = network.decode_all(both, audio.waveform, duration_s, params.batch_s)
            seconds[backend] = time.perf_counter() - began
            texts = reference[["utterance_id"]].assign(
                backend=backend.value, hypothesis=[greedy.text for greedy, _ in found], hypothesis_served=[served.text for _, served in found])
            tables.append(texts)
            entries.append({
                "backend": backend.value, "file": EXPORTS[backend], "bytes": (folder / EXPORTS[backend]).stat().st_size,
                "hash": hash_file(folder / EXPORTS[backend]),
                **text_parity(reference, texts, Resampling(params.level, params.resamples, params.seed)),
                "logits": logit_parity(logits, [network.logits_of([waveform])[0] for waveform in waveforms]),
                "batch": batch_invariance(network, mixed),
                "recording": window_parity(torch_windows, windows(network, decoder, recording, longest_s), spoken),
            })
        speeds = measure_speed({Backend.TORCH: torch_network, **exports}, audio, duration_s[: params.speed_utterances], params.batch_s)
        write_table(folder / HYPOTHESES, pd.concat(tables, ignore_index=True))
        write_json(folder / PARITY, parity | {"exports": entries})
        memory = measure_memory(Path(model_folder), folder, recording)
    record_timing(f"export@{system}", Path.cwd(), weights_hash=record["weights_hash"], backends={
        backend.value: {"rtfx": speeds[backend], "relative_to_torch": speeds[backend] / speeds[Backend.TORCH],
                        "peak_memory_bytes": memory.get(backend), "decoding_seconds": seconds.get(backend)}
        for backend in Backend})
    for entry in entries:
        change, size = entry["wer_served"]["difference"], entry["bytes"]
        log(f"export@{system}: {entry['backend']}, {size:,} bytes, WER {100 * change['value']:+.2f} points, "
            f"{entry['utterances_changed_served']} of {len(table)} utterances changed, "
            f"{speeds[Backend(entry['backend'])] / speeds[Backend.TORCH]:.2f} times the speed of torch on {params.threads} threads")


def sample(test: pd.DataFrame, utterances: int | None, seed: int) -> pd.DataFrame:
    """Return the utterances with the lowest hashes of seed and id, in the order of the split; all of them for None."""
    if utterances is None or utterances >= len(test):
        return test
    ranks = [hash_json([seed, name]) for name in test["utterance_id"]]
    kept = sorted(sorted(range(len(test)), key=ranks.__getitem__)[:utterances])
    return test.iloc[kept].reset_index(drop=True)


def references(transcribed: pd.DataFrame, table: pd.DataFrame, system: str) -> pd.DataFrame:
    """Return the rows of PyTorch's hypotheses for these utterances, in their order.

    Raises:
        DataError: an utterance has no hypothesis.
    """
    rows = transcribed.set_index("utterance_id", drop=False)
    if missing := sorted(set(table["utterance_id"]) - set(rows.index)):
        raise DataError(f"data/transcribe/{system}.parquet", f"no hypothesis of {len(missing)} utterances, first {missing[0]}",
                        f"the utterances of {TEST}", f"run `dvc repro transcribe@{system}`")
    return rows.loc[table["utterance_id"]].reset_index(drop=True)


def spread(duration_s: Any, count: int) -> Any:
    """Return the indices of utterances of evenly spread lengths, the shortest first."""
    order = np.argsort(duration_s, kind="stable")
    return order[np.unique(np.linspace(0, len(order) - 1, min(count, len(order))).astype(int))]


def text_parity(reference: pd.DataFrame, texts: pd.DataFrame, resampling: Resampling) -> dict[str, Any]:
    """Return the WER of PyTorch and of an export with their paired difference, greedy and as served, and the number of changed texts.

    Args:
        reference: rows of PyTorch's hypotheses (core.manifest.HYPOTHESIS).
        texts: the export's, in the same order.
        resampling: of the interval.
    """
    found: dict[str, Any] = {}
    rows, _ = speaker_independent(reference)
    for ending in ("", "_served"):
        ours, theirs = (count(align(reference.loc[rows, "reference"].tolist(), column[rows].tolist(), "words"))
                        for column in (reference[f"hypothesis{ending}"], texts[f"hypothesis{ending}"]))
        change, _ = difference(ours, theirs, units_in(reference[rows]), resampling)
        found[f"wer{ending}"] = {"torch": ours.rate(), "export": theirs.rate(),
                                 "difference": {"value": number(change.value), "low": number(change.low), "high": number(change.high),
                                                "level": resampling.level}}
        found[f"utterances_changed{ending}"] = int((reference[f"hypothesis{ending}"] != texts[f"hypothesis{ending}"]).sum())
    return found


def window_parity(reference: Windows, found: Windows, text: str) -> dict[str, Any]:
    """Return how many windows of a recording have another text than by PyTorch, whether the windows are the same, and the WER of both.

    Args:
        reference: PyTorch's.
        found: the export's.
        text: the reference transcript of the recording.
    """
    same = reference.starts_s == found.starts_s
    changed = sum(one != other for one, other in zip(reference.texts, found.texts, strict=True)) if same else len(reference.texts)
    ours, theirs = (error_rates([text], [windows.text])[0] for windows in (reference, found))
    return {"windows": len(reference.texts), "same_windows": same, "windows_changed": changed, "wer": {"torch": ours, "export": theirs}}


def write_recording(audio: UtteranceAudio, utterances: int, file: Path) -> Path:
    """Write a recording that joins the first utterances, and return its file."""
    import soundfile

    soundfile.write(file, np.concatenate([audio.samples(index) for index in range(utterances)]), SAMPLE_RATE_HZ)
    return file


def measure_speed(networks: dict[Backend, Network], audio: UtteranceAudio, duration_s: Any, batch_s: float) -> dict[Backend, float]:
    """Return the audio-seconds per second of each network without decoding: the best round; the networks take turns."""
    best: dict[Backend, float] = dict.fromkeys(networks, 0.0)
    for repetition in range(SPEED_ROUNDS):
        for backend, network in networks.items():
            began = time.perf_counter()
            network.decode_all(len, audio.waveform, duration_s, batch_s)
            if repetition:
                best[backend] = max(best[backend], float(duration_s.sum()) / (time.perf_counter() - began))
    return best


def measure_memory(model: Path, exports: Path, recording: Path) -> dict[Backend, int]:
    """Return the peak memory of a process of each form that transcribes the recording, in bytes. That of PyTorch is measured by `transcribe`."""
    from pipeline.decoding.networks import EXPORTS
    from pipeline.exporting.memory import peak_memory_of

    with ThreadPoolExecutor(len(EXPORTS)) as pool:
        return dict(zip(EXPORTS, pool.map(lambda backend: peak_memory_of(backend, model, exports, recording), EXPORTS), strict=True))


if __name__ == "__main__":
    stage_main(run)
