"""Checks before the first step, from the manifest alone: whether a training can work, and how much work and memory it takes."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

from pipeline.batching.batches import MOST, epoch_batches, padding_share
from pipeline.core.errors import TrainingError
from pipeline.core.manifest import SAMPLE_RATE_HZ
from pipeline.core.progress import log
from pipeline.model.geometry import num_frames
from pipeline.model.vocabulary import Vocabulary
from pipeline.training.config import RunConfig
from pipeline.training.lora import count_trainable

MAX_INFEASIBLE = 0.2
"""Largest share of the training utterances that may have more labels than frames; these are left out."""
MAX_MISSING = 0.05
"""Largest share of the letters that the vocabulary may lack: rare ones are mapped to <unk> on purpose, a tenth is a mistake."""
LENGTHS_S = (1, 2, 4, 8, 15, 30)
"""Edges of the histogram of lengths."""
UNREACHABLE = 1 << 30
"""More frames than any recording has."""


@dataclass(frozen=True, slots=True)
class Preflight:
    """The result of the checks.

    Args:
        lines: the report, for people.
        problems: reasons why training cannot work; none if it can.
        figures: what is stored with the model; data, model and config determine it.
        device_figures: memory in bytes: the estimate and the device's; what is recorded as timing.
        infeasible: whether an utterance of each table has too few frames for any CTC path, (N,).
    """

    lines: tuple[str, ...]
    problems: tuple[str, ...]
    figures: dict[str, Any]
    device_figures: dict[str, int]
    infeasible: dict[str, npt.NDArray[np.bool_]]

    def report(self, label: str) -> None:
        """Log the report.

        Args:
            label: the stage.

        Raises:
            TrainingError: there are problems; all of them are listed.
        """
        log("\n".join([f"{label}: before the first step", *(f"  {line}" for line in self.lines)]))
        if self.problems:
            listed = "".join(f"\n  {problem}" for problem in self.problems)
            raise TrainingError(label, f"training cannot work, {len(self.problems)} reason{'s' if len(self.problems) > 1 else ''}{listed}")


def preflight(model: Wav2Vec2ForCTC, vocabulary: Vocabulary, tables: Mapping[str, pd.DataFrame], config: RunConfig, memory_bytes: int) -> Preflight:
    """Return the result of the checks before a training's first step; no audio is read and the model computes nothing.

    Args:
        model: to be trained.
        vocabulary: of the model.
        tables: the split's tables `train` and `dev`.
        config: of the run.
        memory_bytes: of the device (`device_memory_bytes`).
    """
    lines, problems, infeasible, figures = [], [], {}, {}
    for name, table in tables.items():
        frames, needed = frames_and_needed(model, vocabulary, table["text"].tolist(), table["duration_s"].to_numpy())
        infeasible[name] = frames < needed
        if not len(table) or infeasible[name].all():
            problems.append(f"{name}: {'no utterance' if not len(table) else 'no utterance whose labels fit its frames'}; "
                            "check the split's certificate, the dropped utterances, and transcripts against audio")
            continue
        line, problem = _labels(name, table, frames, needed)
        lines.append(line)
        problems += problem
    table, feasible = tables["train"], tables["train"][~infeasible["train"]]
    for found in (_letters(vocabulary, table), _lengths(table, config), _work(feasible, config)):
        lines += found[0]
        problems += found[1]
        figures |= found[2]
    figures |= {"trained_parameters": count_trainable(model, config), "parameters": sum(weight.numel() for weight in model.parameters())}
    needed_bytes, line, problem = _memory(model, feasible, config, memory_bytes)
    return Preflight((*lines, line), (*problems, *problem), figures,
                     {"memory_estimate_bytes": needed_bytes, "device_memory_bytes": memory_bytes}, infeasible)


def frames_and_needed(model: Wav2Vec2ForCTC, vocabulary: Vocabulary, texts: Sequence[str],
                      duration_s: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the number of frames that each utterance has and the number that it needs, both (N,).

    An utterance that needs more than it has is infeasible: no CTC path yields its labels.

    Args:
        model: its convolutions determine the number of frames.
        vocabulary: maps texts to labels.
        texts: of the utterances.
        duration_s: lengths, (N,).
    """
    return num_frames(model, np.round(np.nan_to_num(duration_s) * SAMPLE_RATE_HZ).astype(np.int64)), frames_needed(vocabulary, texts)


def frames_needed(vocabulary: Vocabulary, texts: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return the smallest number of frames for each text, (N,): one per label and one blank between equal labels.

    For a text without labels it is more than any recording has.

    Source: Graves et al., "Connectionist temporal classification" (2006), section 3.1.
    """
    needed = np.empty(len(texts), dtype=np.int64)
    for index, text in enumerate(texts):
        rows = vocabulary.encode(text)
        needed[index] = len(rows) + sum(map(int.__eq__, rows, rows[1:])) if rows else UNREACHABLE
    return needed


def device_memory_bytes(device: torch.device) -> int:
    """Return the memory that a training may use: that of the GPU, or of the machine within the limit of its control group.

    It is the total, not what is free: a training waits for another one that uses the device.
    """
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[1])
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = Path("/sys/fs/cgroup/memory.max")
    allowed = limit.read_text(encoding="ascii").strip() if limit.exists() else "max"
    return min(whole, int(allowed)) if allowed.isdigit() else whole


def meta_model(config: Mapping[str, Any]) -> Wav2Vec2ForCTC:
    """Return a model on torch's meta device: its weights have shapes and take no memory.

    Args:
        config: content of the model's config.json.
    """
    with torch.device("meta"):
        return Wav2Vec2ForCTC(Wav2Vec2Config(**{key: value for key, value in config.items() if key != "front_end"}))


def estimate_memory(model: Wav2Vec2ForCTC, config: RunConfig, longest_s: float) -> tuple[int, int]:
    """Return an estimate of the bytes that a step needs: for weights, gradients and optimiser; and for a batch's activations.

    It is within a third of measured values (tests).

    Args:
        model: as it is before the run.
        config: of the run.
        longest_s: length of the longest utterance.
    """
    shape = model.config
    weights, trained = sum(weight.numel() for weight in model.parameters()), count_trainable(model, config)
    copies = (config.ema is not None) + (config.keep == "best" and not torch.cuda.is_available())  # with a GPU the best weights are in main memory
    fixed = 4 * (weights + trained * (config.replicas + copies)) + 8 * trained
    budget_s = config.batch_s * (MOST if config.replicas > 1 else 1.0)
    seconds = max(budget_s + longest_s * (1 - 1 / config.processes), longest_s)  # shards of a batch may differ by an utterance
    values, frames_per_second = 0.0, float(SAMPLE_RATE_HZ)  # values per second of audio
    for channels, stride in zip(shape.conv_dim, shape.conv_stride, strict=True):
        frames_per_second /= stride
        if config.lora is None:  # nothing is trained below the lowest adapter
            values += 3 * channels * frames_per_second  # of each convolution, norm and activation
    block = 8 * shape.hidden_size + 2 * shape.intermediate_size
    block += 2.5 * shape.hidden_size * (shape.hidden_dropout > 0) + 1.25 * shape.intermediate_size * (shape.activation_dropout > 0)
    if shape.attention_dropout > 0 and not torch.cuda.is_available():  # a CPU then keeps the whole attention matrix
        block += 2.25 * shape.num_attention_heads * longest_s * frames_per_second
    blocks = shape.num_hidden_layers * shape.hidden_size + block if config.gradient_checkpointing else shape.num_hidden_layers * block
    values += (blocks + 4 * shape.hidden_size + 2 * shape.vocab_size) * frames_per_second
    bf16 = config.precision == "bf16" or (config.precision == "auto" and torch.cuda.is_available())
    return fixed, round(seconds * values * (2.5 if bf16 else 4))


def _labels(name: str, table: pd.DataFrame, frames: npt.NDArray[np.int64], needed: npt.NDArray[np.int64]) -> tuple[str, list[str]]:
    ids, bad = table["utterance_id"].to_numpy(), frames < needed
    room = frames / needed
    tightest = int(np.argmin(np.where(bad, np.inf, room)))
    line = (f"labels      {name}: {np.median(room[~bad]):.1f} frames per label (median), {room[tightest]:.1f} at least ({ids[tightest]}); "
            f"{bad.sum()} of {len(table)} utterances have more labels than frames (doubled letters need a blank between them)")
    if name == "train" and bad.mean() > MAX_INFEASIBLE:
        return line, [f"labels: {bad.sum()} of {len(table)} utterances have more letters than frames (such as {', '.join(ids[bad][:5])}); "
                      f"expected at most {MAX_INFEASIBLE:.0%}; check transcripts against audio, or use a model with more frames per second"]
    return line, []


def _letters(vocabulary: Vocabulary, table: pd.DataFrame) -> tuple[list[str], list[str], dict[str, Any]]:
    counted = Counter("".join(table["text"]))
    counted.pop(" ", None)
    cased: Counter[str] = Counter()
    for letter, count in counted.items():
        cased[letter.upper() if vocabulary.upper_case else letter] += count
    lacking = {letter: count for letter, count in cased.most_common() if vocabulary.missing(letter)}
    unused = [symbol for symbol in vocabulary.symbols if symbol not in cased and symbol not in vocabulary.special and symbol != vocabulary.boundary]
    share = sum(lacking.values()) / max(1, sum(cased.values()))
    shown = ", ".join(f"{letter!r} ({count} times)" for letter, count in list(lacking.items())[:10]) + (", …" if len(lacking) > 10 else "")
    lines = [f"vocabulary  {len(cased)} letters in the transcripts, {len(lacking)} without a row"
             + (f": {shown}, {share:.2%} of all" if lacking else "") + (f"; rows without use: {' '.join(unused)}" if unused else "")]
    problems = [f"vocabulary: {share:.1%} of the letters have no row ({shown}); expected at most {MAX_MISSING:.0%}; make the vocabulary from these "
                "transcripts (`tokenise`), or check their case and normalisation"] if share > MAX_MISSING else []
    return lines, problems, {"letters_without_row": lacking}


def _lengths(table: pd.DataFrame, config: RunConfig) -> tuple[list[str], list[str], dict[str, Any]]:
    duration_s, ids = table["duration_s"].to_numpy(dtype=np.float64), table["utterance_id"].to_numpy()
    if (wrong := ~(duration_s > 0) | ~np.isfinite(duration_s)).any():
        return [], [f"lengths: {wrong.sum()} utterances have no length (such as {', '.join(ids[wrong][:5])}); run ingest again"], {}
    if not len(duration_s):
        return [], [], {}
    edges = [0.0, *LENGTHS_S, np.inf]
    counts, _ = np.histogram(duration_s, edges)
    shown = [f"{f'{low:g}–{high:g}' if high < np.inf else f'over {low:g}'} s: {count}" for low, high, count in
             zip(edges, edges[1:], counts.tolist(), strict=False) if count]
    longest, over = int(np.argmax(duration_s)), int((duration_s > config.batch_s).sum())
    return [f"lengths     {', '.join(shown)}; longest {duration_s[longest]:.1f} s ({ids[longest]})"
            + (f"; {over} longer than batch_s, each a batch alone" if over else "")], [], {}


def _work(table: pd.DataFrame, config: RunConfig) -> tuple[list[str], list[str], dict[str, Any]]:
    if not len(table):
        return [], [], {}
    duration_s = table["duration_s"].to_numpy(dtype=np.float64)
    batches = epoch_batches(duration_s, config.batch_s * config.processes, config.seed, 0, config.replicas)
    epoch_steps, hours = len(batches) / config.accumulate, float(duration_s.sum()) / 3600
    figures = {"steps_per_epoch": round(epoch_steps, 1), "epochs": round(config.steps / epoch_steps, 3), "hours_per_epoch": hours,
               "padding": round(padding_share(duration_s, batches), 4)}
    late = f"; the warm-up takes {config.warmup_steps} of them, so the peak rate is never reached" if config.warmup_steps >= config.steps else ""
    freezing = [f"freezing    the head alone for {config.freeze_encoder_steps} steps, then the encoder"
                + (f", one more block every {config.unfreeze_every} steps" if config.unfreeze_every else "")
                + (": never within this run" if config.freeze_encoder_steps >= config.steps else "")]
    return [f"steps       {config.steps}, {figures['epochs']:.2f} epochs of {hours:.2f} hours and {epoch_steps:.0f} steps, "
            f"{figures['padding']:.1%} padding{late}",
            *(freezing if config.freeze_encoder_steps or config.unfreeze_every else [])], [], figures


def _memory(model: Wav2Vec2ForCTC, table: pd.DataFrame, config: RunConfig, memory_bytes: int) -> tuple[int, str, list[str]]:
    on_device = 1 if torch.cuda.is_available() else config.processes  # processes that share the device
    fixed, batch = (on_device * part for part in estimate_memory(model, config, float(table["duration_s"].max()) if len(table) else 0.0))
    together, room = (fixed + batch) / 2**30, memory_bytes / 2**30
    trained, number = count_trainable(model, config), sum(weight.numel() for weight in model.parameters())
    line = (f"memory      about {together:.2f} GiB: {fixed / 2**30:.2f} for weights, gradients and optimiser ({trained / 1e6:.3g} of "
            f"{number / 1e6:.3g} M parameters are trained), {batch / 2**30:.2f} for a batch; the device has {room:.1f} GiB"
            + (", which is less" if together > room else ", which is close" if together > 0.8 * room else ""))
    problems = [f"memory: a step needs about {together:.1f} GiB and the device has {room:.1f}; lower batch_s and raise accumulate, or set "
                "gradient_checkpointing: true"] if together > 1.5 * room else []  # the estimate is not exact enough to refuse a close fit
    return fixed + batch, line, problems
