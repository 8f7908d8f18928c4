"""Training on a GPU, beside matrix products, prepared batches and the Hugging Face Trainer: one command, no data, some minutes.

    python benchmarks/gpu.py [--sizes base xlsr] [--steps 60] [--batch-s 160] [--profile]
    python benchmarks/gpu.py --toy      a test of the script in seconds, on any device

Random weights in the shapes of wav2vec2-base (95 M) and XLSR-53 (315 M), bf16, convolutions frozen, as in
profiles/common-voice-xlsr.yaml except for gradient checkpointing (--checkpointing). Noise at lengths like Common Voice's, in memory, as in a
second epoch. Throughput is of audio without padding. The Trainer's rows need accelerate.

    matmul        bf16 products of large matrices: the reference of "share of the matrix rate"
    one shape     forward, backward and step over one prepared batch without padding: the limit
    ours          the loop of `donor` and `train`
    trainer       the Trainer with a padding collator, four workers; random sampling, and by length
"""

from __future__ import annotations

import argparse
import gc
import importlib.util
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from transformers import Wav2Vec2ForCTC

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pipeline.batching.batches import epoch_batches, padding_share
from pipeline.batching.waveforms import collate, standardise
from pipeline.model.artifact import fresh_model, parameters
from pipeline.model.device import choose_device
from pipeline.model.vocabulary import Vocabulary
from pipeline.training.acceleration import autocast
from pipeline.training.config import RunConfig
from pipeline.training.optimiser import Optimiser
from pipeline.training.trainer import Utterances, train

HZ = 16_000
WORDS = Vocabulary(("<pad>", "<unk>", "|", *"abcdefghijklmnopqrstuvwxyzãõáéíóúâêôç"))
SHAPES: dict[str, dict[str, Any]] = {
    "base": {"conv_bias": True, "apply_spec_augment": True, "mask_time_prob": 0.05},
    "xlsr": {"conv_bias": True, "apply_spec_augment": True, "mask_time_prob": 0.05, "hidden_size": 1024, "num_hidden_layers": 24,
             "num_attention_heads": 16, "intermediate_size": 4096},
    "toy": {"conv_dim": [16, 32], "conv_kernel": [400, 4], "conv_stride": [160, 2], "hidden_size": 32, "num_hidden_layers": 1,
            "num_attention_heads": 2, "intermediate_size": 64, "num_conv_pos_embeddings": 8, "num_conv_pos_embedding_groups": 2},
}


class Noise:
    """Audio of seeded noise with these lengths, all in memory."""

    normalise = True

    def __init__(self, duration_s: npt.NDArray[np.float64]) -> None:
        samples = np.random.default_rng(1).integers(-3_000, 3_000, int(20 * HZ), dtype=np.int16)
        self._samples = [samples[: round(length * HZ)] for length in duration_s]

    def waveform(self, index: int) -> npt.NDArray[np.float32]:
        return standardise(self._samples[index])

    def keep(self, indices: Sequence[int], workers: int) -> int:
        return 0


def spoken(count: int, seed: int) -> Utterances:
    """Return synthetic utterances, 12 letters per second, with lengths like Common Voice's."""
    random = np.random.default_rng(seed)
    duration_s = np.clip(random.lognormal(np.log(4.6), 0.35, count), 1.5, 15.0)
    texts = ["".join(random.choice(list("aeiorstnlm"), int(12 * length))) for length in duration_s]
    return Utterances(Noise(duration_s), texts, duration_s, [f"noise/{number}" for number in range(count)])  # type: ignore[arg-type]


def flops_per_second_of_audio(model: Wav2Vec2ForCTC, length_s: float) -> float:
    """Return the model's floating-point operations per second of audio, forward and backward, in utterances of that length.

    Two per multiplication; the backward pass costs twice the forward pass, and nothing in the frozen convolutions. Recomputation by
    checkpointing is not counted.
    """
    config = model.config
    frames_per_second, channels, convolutions = float(HZ), 1, 0.0
    for width, kernel, stride in zip(config.conv_dim, config.conv_kernel, config.conv_stride, strict=True):
        frames_per_second /= stride
        convolutions += 2 * kernel * channels * width * frames_per_second
        channels = width
    hidden = config.hidden_size
    block = 2 * (4 * hidden**2 + 2 * hidden * config.intermediate_size) + 4 * hidden * frames_per_second * length_s
    around = 2 * channels * hidden + 2 * config.num_conv_pos_embeddings * hidden**2 / config.num_conv_pos_embedding_groups
    around += 2 * hidden * config.vocab_size
    return convolutions + 3 * frames_per_second * (config.num_hidden_layers * block + around)


def matmul_rate(device: torch.device, size: int, precision: torch.dtype) -> float:
    """Return the floating-point operations per second of large matrix products."""
    left, right = (torch.randn(size, size, device=device, dtype=precision) for _ in range(2))
    for _ in range(3):
        left @ right
    synchronise(device)
    began, times = time.perf_counter(), 0
    while times < 10 or time.perf_counter() - began < 1.0:
        left @ right
        times += 1
        if times % 10 == 0:
            synchronise(device)
    synchronise(device)
    return 2 * size**3 * times / (time.perf_counter() - began)


def synchronise(device: torch.device) -> None:
    """Wait until the device has done all its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def fresh(size: str, checkpointing: bool) -> Wav2Vec2ForCTC:
    """Return a model of a size in `SHAPES` with random weights."""
    model = fresh_model(SHAPES[size], WORDS, 1)
    model.freeze_feature_encoder()
    if checkpointing:
        model.activation_checkpointing_enable()
    return model


def one_shape(model: Wav2Vec2ForCTC, config: RunConfig, length_s: float, device: torch.device) -> dict[str, float]:
    """Step over one prepared batch."""
    model.to(device).train()
    count = max(1, int(config.batch_s / length_s))
    waveform_BS, mask_BS = (torch.from_numpy(value).to(device)
                            for value in collate([np.random.default_rng(1).standard_normal(int(length_s * HZ)).astype(np.float32)] * count))
    labels_BU = torch.randint(3, len(WORDS.symbols), (count, int(12 * length_s)), device=device)
    optimiser, began = Optimiser(model, config), 0.0
    for step in range(config.steps):
        if step == config.steps // 2:
            synchronise(device)
            began = time.perf_counter()
        with autocast(device, config.precision):
            loss = model(waveform_BS, attention_mask=mask_BS, labels=labels_BU).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip_norm)
        optimiser.step()
    synchronise(device)
    return {"throughput": (config.steps - config.steps // 2) * count * length_s / (time.perf_counter() - began), "padding": 0.0}


def ours(model: Wav2Vec2ForCTC, config: RunConfig, train_set: Utterances) -> dict[str, float]:
    """Train with our loop; the throughput is that of the second half."""
    with tempfile.TemporaryDirectory() as resume:
        result = train(model, WORDS, train_set, spoken(4, 2), config, Path(resume), lambda *_: (1.0, 1.0), "ours")
    rows = result.history.merge(result.timing)
    first, last = rows.iloc[0], rows.iloc[-1]
    batches = epoch_batches(train_set.duration_s, config.batch_s, config.seed, 0)
    return {"throughput": float((last["audio_s"] - first["audio_s"]) / (last["seconds"] - first["seconds"])), "waiting": float(last["waiting"]),
            "padding": padding_share(train_set.duration_s, batches)}


def trainer(model: Wav2Vec2ForCTC, config: RunConfig, train_set: Utterances, by_length: bool, checkpointing: bool,
            device: torch.device) -> dict[str, float]:
    """Train with the Trainer, with the mean number of utterances per step of our loop; the throughput is that of the second half."""
    from transformers import Trainer, TrainerCallback, TrainingArguments
    from transformers.trainer_pt_utils import LengthGroupedSampler

    per_step = round(np.mean([len(batch) for batch in epoch_batches(train_set.duration_s, config.batch_s, config.seed, 0)]))
    audio_s: list[float] = []
    padded_s: list[float] = []
    marks: list[tuple[int, float]] = []

    class Rows(torch.utils.data.Dataset[dict[str, Any]]):
        def __len__(self) -> int:
            return len(train_set.texts)

        def __getitem__(self, index: int) -> dict[str, Any]:
            return {"input_values": train_set.audio.waveform(index), "labels": WORDS.encode(train_set.texts[index])}

    def collator(rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        waveform_BS, mask_BS = collate([row["input_values"] for row in rows])
        labels = [torch.tensor(row["labels"]) for row in rows]
        return {"input_values": torch.from_numpy(waveform_BS), "attention_mask": torch.from_numpy(mask_BS),
                "labels": torch.nn.utils.rnn.pad_sequence(labels, batch_first=True, padding_value=-100)}

    class Counting(Trainer):
        def _get_train_sampler(self, *given: Any) -> Any:  # the Trainer finds lengths in a Dataset of `datasets` alone
            lengths = [round(length * HZ) for length in train_set.duration_s]
            return LengthGroupedSampler(per_step, lengths=lengths) if by_length else super()._get_train_sampler(*given)

        def training_step(self, model: Any, inputs: dict[str, torch.Tensor], *more: Any, **named: Any) -> Any:
            audio_s.append(float(inputs["attention_mask"].sum()) / HZ)
            padded_s.append(inputs["attention_mask"].numel() / HZ)
            return super().training_step(model, inputs, *more, **named)

    class Marking(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
            if state.global_step in (config.steps // 2, config.steps):
                synchronise(device)
                marks.append((state.global_step, time.perf_counter()))

    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            folder, per_device_train_batch_size=per_step, max_steps=config.steps, learning_rate=config.peak_rate, bf16=device.type == "cuda",
            use_cpu=device.type == "cpu", save_strategy="no", report_to=[], logging_strategy="no",
            seed=1, disable_tqdm=True, max_grad_norm=config.clip_norm, weight_decay=config.weight_decay,
            activation_checkpointing=checkpointing, dataloader_num_workers=4 if device.type == "cuda" else 0,
            dataloader_pin_memory=device.type == "cuda", remove_unused_columns=False)
        Counting(model=model, args=arguments, data_collator=collator, train_dataset=Rows(), callbacks=[Marking()]).train()  # type: ignore[arg-type]
    (half, began), (end, ended) = marks
    return {"throughput": sum(audio_s[half:end]) / (ended - began), "padding": 1 - sum(audio_s) / sum(padded_s)}


def profile(model: Wav2Vec2ForCTC, config: RunConfig, train_set: Utterances, device: torch.device) -> None:
    """Print the time of our loop by kernel, and the share of time in which the device was idle."""
    kinds = [torch.profiler.ProfilerActivity.CUDA if device.type == "cuda" else torch.profiler.ProfilerActivity.CPU]
    ours(model, config, train_set)  # warm-up
    with torch.profiler.profile(activities=kinds) as seen:
        began = time.perf_counter()
        ours(model, config, train_set)
        synchronise(device)
        wall = time.perf_counter() - began
    rows = [(event.key, (event.self_device_time_total if device.type == "cuda" else event.self_cpu_time_total) / 1e6, event.count)
            for event in seen.key_averages()]
    busy = sum(seconds for _, seconds, _ in rows)
    print(f"  profile of {config.steps} steps in {wall:.2f} s: {busy:.2f} s in kernels, {max(0.0, 1 - busy / wall):.0%} idle")
    for name, seconds, count in sorted(rows, key=lambda row: -row[1])[:15]:
        print(f"    {seconds / wall:6.1%} {count:7d} times  {name[:110]}")


def print_row(row: str, work: Callable[[Wav2Vec2ForCTC, RunConfig], dict[str, float]], size: str, checkpointing: bool, config: RunConfig,
              share_per_rate: float, device: torch.device) -> None:
    """Run a row and print its figures.

    Args:
        row: its name.
        work: returns the figures of a fresh model.
        size: of the model.
        checkpointing: whether the fresh model has gradient checkpointing.
        config: of the run.
        share_per_rate: share of the matrix rate per audio-second per second.
        device: that the row runs on.
    """
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    try:
        found = work(fresh(size, checkpointing), config)
    except torch.cuda.OutOfMemoryError as error:  # the padding of a random batch may not fit: that is a result
        print(f"  {row:<18} out of memory: {str(error).splitlines()[0][:100]}", flush=True)
    else:
        memory = f", {torch.cuda.max_memory_allocated(device) / 1e9:.1f} GB" if device.type == "cuda" else ""
        print(f"  {row:<18} {found['throughput']:8.1f} audio-seconds per second, {found['throughput'] * share_per_rate:6.1%} of the matrix rate, "
              f"padding {found['padding']:5.1%}{memory}" + (f", waiting for data {found['waiting']:.1%}" if "waiting" in found else ""),
              flush=True)
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", default=["base", "xlsr"], choices=list(SHAPES))
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--batch-s", type=float, default=160.0)
    parser.add_argument("--checkpointing", action="store_true")
    parser.add_argument("--compile", action="store_true", help="compile the blocks in our loop")
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--toy", action="store_true")
    options = parser.parse_args()
    device = choose_device()
    if options.toy:
        options.sizes, options.steps, options.batch_s, options.profile = ["toy"], 4, 20.0, True
    elif device.type == "cpu":
        print("no GPU: nothing is measured; --toy tests the script on the CPU")
        return
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    precision = torch.bfloat16 if device.type == "cuda" else torch.float32
    peak = matmul_rate(device, 256 if options.toy else 8192, precision)
    print(f"{name}, torch {torch.__version__}: matrix products {peak / 1e12:.1f} TFLOP/s in {precision}", flush=True)
    train_set = spoken(40 if options.toy else 8_000, 1)
    length_s = float(train_set.duration_s.mean())
    with_trainer = importlib.util.find_spec("accelerate") is not None
    if not with_trainer:
        print("accelerate is missing (`pip install --no-deps accelerate`): the Trainer's rows are left out")
    for size in options.sizes:
        config = RunConfig(batch_s=options.batch_s, steps=options.steps, peak_rate=1e-4, warmup_steps=2, seed=1,
                           evaluate_every=max(1, options.steps // 2),
                           evaluate_hours=1.0, checkpoint_s=1e9, freeze_feature_encoder=True, gradient_checkpointing=options.checkpointing,
                           compile=options.compile)
        per_audio_second = flops_per_second_of_audio(fresh(size, False), length_s)
        print(f"{size}: {parameters(fresh(size, False)) / 1e6:.1f} M parameters, {per_audio_second / 1e9:.1f} GFLOP per second of audio", flush=True)
        rows = {"one shape": lambda model, run: one_shape(model, run, length_s, device), "ours": lambda model, run: ours(model, run, train_set)}
        if with_trainer:
            for row, by_length in (("trainer", False), ("trainer by length", True)):
                rows[row] = lambda model, run, by_length=by_length: trainer(model, run, train_set, by_length, options.checkpointing, device)
        for row, work in rows.items():
            print_row(row, work, size, options.checkpointing and row == "one shape", config, per_audio_second / peak, device)
        if options.profile:
            short = config.model_copy(update={"steps": min(config.steps, 20), "evaluate_every": min(config.steps, 20) // 2})
            profile(fresh(size, False), short, train_set, device)


if __name__ == "__main__":
    main()
