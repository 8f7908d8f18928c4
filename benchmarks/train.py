"""Training on this machine, beside the Hugging Face Trainer set up as its speech recognition example sets it up.

    python benchmarks/train.py [--steps 440] [--rows NAME ...]

Same fresh model, same Portuguese utterances, same audio per step, fp32, same learning rate and warm-up; each row runs in a
separate process. Needs a checkout in which `dvc repro` has run. Throughput is of audio without padding.

    one shape     forward, backward and step over prepared batches of one length: the limit
    ours          the loop of `donor` and `train`
    trainer       datasets.map, DataCollatorCTCWithPadding, AdamW; random sampling
    ... by length the same with train_sampling_strategy: group_by_length
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from transformers import Wav2Vec2ForCTC

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pipeline.batching.batches import epoch_batches, padding_share
from pipeline.batching.waveforms import collate
from pipeline.core.files import ROOT, read_json, read_table
from pipeline.core.params import read_params
from pipeline.core.timing import peak_memory_bytes
from pipeline.decoding.forward import decode_all
from pipeline.decoding.greedy import decode
from pipeline.model.artifact import fresh_model
from pipeline.model.device import set_threads
from pipeline.model.vocabulary import Vocabulary
from pipeline.scoring.counts import error_rates
from pipeline.training.config import RunConfig
from pipeline.training.optimiser import Optimiser
from pipeline.training.preflight import frames_and_needed
from pipeline.training.replicas import Replicas
from pipeline.training.trainer import Utterances, first_hours, train

RATES = {"adamw": 2.0e-3, "muon": 6.0e-3}  # the best of each (docs/log.md)
WARMUP = 80
ROWS = ("one shape, adamw", "ours, adamw", "trainer", "trainer by length", "one shape, muon", "ours, muon")


def utterances(name: str, model: Wav2Vec2ForCTC, vocabulary: Vocabulary) -> Utterances:
    """Return the feasible utterances of a Portuguese split, as in `fit`."""
    table = read_table(ROOT / f"data/split/portuguese/{name}.parquet")
    frames, needed = frames_and_needed(model, vocabulary, table["text"].tolist(), table["duration_s"].to_numpy())
    return Utterances.of(table[frames >= needed].reset_index(drop=True), ROOT / "data/ingest")


def config_of(optimiser: str, steps: int) -> RunConfig:
    """Return the default training config with an optimiser at its best learning rate."""
    config = read_params(ROOT / "params.yaml")["train"]["config"] | {"optimiser": optimiser, "checkpoint_s": 1e9}
    return RunConfig(**config, steps=steps, peak_rate=RATES[optimiser], warmup_steps=WARMUP, seed=1)


def one_shape(model: Wav2Vec2ForCTC, vocabulary: Vocabulary, config: RunConfig) -> dict[str, Any]:
    """Step over prepared batches, each of `config.batch_s` seconds without padding."""
    set_threads(config.threads)
    replicas, optimiser, random = Replicas(model, config.replicas), Optimiser(model, config), np.random.default_rng(1)
    each, length = 2, int(config.batch_s * 16_000 / (2 * len(replicas)) / 4_000) * 4_000
    letters = len(vocabulary.symbols)
    parts = []
    for _ in range(len(replicas)):
        waveform_BS, mask_BS = collate(list(random.standard_normal((each, length)).astype(np.float32)))
        labels_BU = random.integers(4, letters, size=(each, length // 1_400))
        parts.append((torch.from_numpy(waveform_BS), torch.from_numpy(mask_BS), torch.from_numpy(labels_BU)))

    def loss_of(replica: Wav2Vec2ForCTC, part: Any, utterances: int) -> torch.Tensor:
        waveform, mask, labels = part
        return replica(waveform, attention_mask=mask, labels=labels).loss * (len(labels) / utterances)  # type: ignore[no-any-return]

    replicas.train()
    audio_s, began = 0.0, 0.0
    for step in range(config.steps // 2):
        if step == 10:
            audio_s, began = 0.0, time.perf_counter()
        replicas.backward(parts, partial(loss_of, utterances=each * len(replicas)))
        torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip_norm)
        optimiser.step()
        audio_s += each * len(replicas) * length / 16_000
    return {"throughput": audio_s / (time.perf_counter() - began), "padding": 0.0}


def ours(model: Wav2Vec2ForCTC, vocabulary: Vocabulary, config: RunConfig) -> dict[str, Any]:
    """Train with our loop."""
    train_set, dev_set = (utterances(name, model, vocabulary) for name in ("train", "dev"))
    with tempfile.TemporaryDirectory() as resume:
        result = train(model, vocabulary, train_set, dev_set, config, Path(resume), error_rates, "ours")
    batches = epoch_batches(train_set.duration_s, config.batch_s, config.seed, 0, config.replicas)
    return summary(result.history.merge(result.timing)) | {"padding": padding_share(train_set.duration_s, batches)}


def trainer(model: Wav2Vec2ForCTC, vocabulary: Vocabulary, config: RunConfig, sampling: str) -> dict[str, Any]:
    """Train with the Hugging Face Trainer, with the mean number of utterances per step of our loop."""
    from datasets import Dataset
    from transformers import Trainer, TrainerCallback, TrainingArguments, Wav2Vec2Processor

    processor = Wav2Vec2Processor.from_pretrained(ROOT / "data/train/scratch")
    train_set, dev_set = (utterances(name, model, vocabulary) for name in ("train", "dev"))
    batches = epoch_batches(train_set.duration_s, config.batch_s, config.seed, 0, config.replicas)
    per_step = max(1, round(np.mean([len(batch) for batch in batches])))
    texts = [vocabulary.encode(text) for text in train_set.texts]

    def prepared(row: dict[str, Any]) -> dict[str, Any]:
        values = processor(train_set.audio.samples(row["index"]).astype(np.float32) / 32768, sampling_rate=16_000).input_values[0]
        return {"input_values": values, "length": len(values), "labels": texts[row["index"]]}

    data = Dataset.from_dict({"index": list(range(len(texts)))}).map(prepared, remove_columns=["index"])
    seconds_of: list[tuple[float, float]] = []  # of each batch: spoken, padded

    def collator(rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        batch = processor.feature_extractor.pad([{"input_values": row["input_values"]} for row in rows], padding=True, return_attention_mask=True,
                                                return_tensors="pt")
        labels = processor.tokenizer.pad([{"input_ids": row["labels"]} for row in rows], padding=True, return_tensors="pt")
        seconds_of.append((float(batch["attention_mask"].sum()) / 16_000, batch["attention_mask"].numel() / 16_000))
        return dict(batch) | {"labels": labels["input_ids"].masked_fill(labels["attention_mask"].ne(1), -100)}

    dev = first_hours(dev_set.duration_s, config.evaluate_hours)
    rows: list[dict[str, float]] = []
    began = 0.0

    class Evaluating(TrainerCallback):
        def on_step_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:
            nonlocal began
            began = began or time.perf_counter()

        def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
            if state.global_step % config.evaluate_every == 0 or state.global_step == config.steps:
                model.eval()
                decoded = decode_all(model, lambda logits_TV: decode(logits_TV, vocabulary, 0.02).text,
                                     lambda index: dev_set.audio.waveform(int(dev[index])), dev_set.duration_s[dev], 4 * config.batch_s)
                model.train()
                wer, cer = error_rates([dev_set.texts[index] for index in dev], decoded)
                spoken_s = sum(spoken for spoken, _ in seconds_of[: state.global_step])
                rows.append({"step": state.global_step, "seconds": time.perf_counter() - began, "audio_s": spoken_s, "dev_wer": wer, "dev_cer": cer})

    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            folder, per_device_train_batch_size=per_step, max_steps=config.steps, learning_rate=config.peak_rate, warmup_steps=config.warmup_steps,
            lr_scheduler_type="cosine", weight_decay=config.weight_decay, max_grad_norm=config.clip_norm, train_sampling_strategy=sampling,
            length_column_name="length", save_strategy="no", report_to=[], logging_strategy="no", use_cpu=True, seed=config.seed, disable_tqdm=True,
            dataloader_pin_memory=False)
        Trainer(model=model, args=arguments, data_collator=collator, train_dataset=data, processing_class=processor, callbacks=[Evaluating()]).train()
    spoken, padded = (sum(values) for values in zip(*seconds_of[: config.steps], strict=True))
    return summary(pd.DataFrame(rows)) | {"padding": 1 - spoken / padded}


def summary(history: pd.DataFrame) -> dict[str, Any]:
    """Return the throughput after the first evaluation (kernels are compiled before it), and the error rates by time."""
    first, last = history.iloc[0], history.iloc[-1]
    return {"throughput": float((last["audio_s"] - first["audio_s"]) / (last["seconds"] - first["seconds"])), "cer": float(last["dev_cer"]),
            "seconds": float(last["seconds"]), "curve": history[["seconds", "step", "dev_cer"]].to_numpy().tolist()}


def work(row: str, steps: int) -> dict[str, Any]:
    """Return one row's figures."""
    config = config_of("muon" if row.endswith("muon") else "adamw", steps)
    vocabulary = Vocabulary.read(ROOT / "data/tokenise/portuguese/vocabulary.json")
    model = fresh_model(read_json(ROOT / "data/donor/config.json"), vocabulary, 1)
    if row.startswith("trainer"):
        torch.set_num_threads(config.replicas * config.threads)
        torch.set_flush_denormal(True)
        found = trainer(model, vocabulary, config, "group_by_length" if row.endswith("length") else "random")
    else:
        found = (ours if row.startswith("ours") else one_shape)(model, vocabulary, config)
    return found | {"memory": peak_memory_bytes()}


def reached(curve: list[list[float]], cer: float) -> str:
    """Return when a curve first reaches an error rate: seconds and steps."""
    return next((f"{seconds:.0f} s, {step:.0f} steps" for seconds, step, value in curve if value <= cer), "not reached")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=440)
    parser.add_argument("--rows", nargs="+", default=list(ROWS), choices=ROWS)
    parser.add_argument("--row", choices=ROWS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.row:
        print(json.dumps(work(options.row, options.steps)))
        return
    found: dict[str, dict[str, Any]] = {}
    for row in options.rows:
        done = subprocess.run([sys.executable, __file__, "--row", row, "--steps", str(options.steps)], cwd=ROOT, text=True, stdout=subprocess.PIPE,
                              env=os.environ | {"OMP_WAIT_POLICY": "passive"})
        if done.returncode:
            sys.exit(f"error: the row {row!r} failed; see above")
        found[row] = json.loads(done.stdout.strip().splitlines()[-1])
        print(f"{row:<20} {found[row]['throughput']:6.1f} audio-seconds per second, padding {found[row]['padding']:5.1%}, "
              f"peak memory {found[row]['memory'] / 1e9:.2f} GB" + (f", dev CER {found[row]['cer']:.3f} in {found[row]['seconds']:.0f} s"
                                                                     if "cer" in found[row] else ""), flush=True)
    for optimiser in ("adamw", "muon"):
        if {limit := f"one shape, {optimiser}", own := f"ours, {optimiser}"} <= set(found):
            print(f"{own} over {limit}: {found[own]['throughput'] / found[limit]['throughput']:.2f}")
    for peer in ("trainer", "trainer by length"):
        for own in ("ours, adamw", "ours, muon"):
            if {peer, own} <= set(found):
                print(f"{own} over {peer}: {found[own]['throughput'] / found[peer]['throughput']:.2f} in throughput; its last CER "
                      f"{found[peer]['cer']:.3f} after {reached(found[own]['curve'], found[peer]['cer'])} (it: {found[peer]['seconds']:.0f} s)")
    lengths_s = np.clip(np.random.default_rng(1).lognormal(np.log(4.6), 0.35, 20_000), 1.0, 15.0)
    for budget_s in (14.0, 160.0):
        order = np.random.default_rng(1).permutation(len(lengths_s))
        per_batch = max(1, round(budget_s / float(lengths_s.mean())))
        random_batches = [order[start : start + per_batch] for start in range(0, len(order), per_batch)]
        print(f"padding at lengths like Common Voice's, {budget_s:.0f} s per batch: ours "
              f"{padding_share(lengths_s, epoch_batches(lengths_s, budget_s, 1, 0)):.1%}, random {padding_share(lengths_s, random_batches):.1%}")


if __name__ == "__main__":
    main()
