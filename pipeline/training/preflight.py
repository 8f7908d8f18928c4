"""Before the first step, from the manifest alone: can this training work, and how much of what will it be?"""

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
from pipeline.training.config import Run
from pipeline.training.lora import moving

MAX_IMPOSSIBLE = 0.2
"""Share of the training utterances that may have more labels than frames; they are left out."""
MAX_MISSING = 0.05
"""Share of the letters that the vocabulary may lack: rare ones are left to <unk> on purpose, a tenth is a mistake."""
LENGTHS_S = (1, 2, 4, 8, 15, 30)
NEVER = 1 << 30


@dataclass(frozen=True, slots=True)
class Preflight:
    """What was found.

    Args:
        lines: the report, for people.
        problems: why training cannot work; none if it can.
        figures: what of it is stored with the model.
        infeasible: which utterances of each table no CTC path can spell, (N,).
    """

    lines: tuple[str, ...]
    problems: tuple[str, ...]
    figures: dict[str, Any]
    infeasible: dict[str, npt.NDArray[np.bool_]]

    def tell(self, label: str) -> None:
        """Say the report.

        Raises:
            TrainingError: there are problems; all of them are listed.
        """
        log("\n".join([f"{label}: before the first step", *(f"  {line}" for line in self.lines)]))
        if self.problems:
            listed = "".join(f"\n  {problem}" for problem in self.problems)
            raise TrainingError(label, f"training cannot work, {len(self.problems)} reason{'s' if len(self.problems) > 1 else ''}{listed}")


def preflight(model: Wav2Vec2ForCTC, vocabulary: Vocabulary, tables: Mapping[str, pd.DataFrame], run: Run, room_bytes: int) -> Preflight:
    """Look at a training before its first step; no audio is read and nothing is computed by the model.

    Args:
        tables: the split's tables `train` and `dev`.
        room_bytes: memory of the device (`device_bytes`).
    """
    lines, problems, infeasible, figures = [], [], {}, {}
    for name, table in tables.items():
        frames, needed = frames_and_labels(model, vocabulary, table["text"].tolist(), table["duration_s"].to_numpy())
        infeasible[name] = frames < needed
        if not len(table) or infeasible[name].all():
            problems.append(f"{name}: {'no utterance' if not len(table) else 'no utterance whose labels fit its frames'}; "
                            "look at the split's certificate, at what was dropped, and at transcripts against audio")
            continue
        line, problem = _labels(name, table, frames, needed)
        lines.append(line)
        problems += problem
    table, possible = tables["train"], tables["train"][~infeasible["train"]]
    for found in (_letters(vocabulary, table), _lengths(table, run), _work(possible, run), _memory(model, possible, run, room_bytes)):
        lines += found[0]
        problems += found[1]
        figures |= found[2]
    return Preflight(tuple(lines), tuple(problems), figures, infeasible)


def frames_and_labels(model: Wav2Vec2ForCTC, vocabulary: Vocabulary, texts: Sequence[str],
                      duration_s: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return how many frames each utterance has and how many it needs; where it needs more, no CTC path can spell it. (N,)"""
    return num_frames(model, np.round(np.nan_to_num(duration_s) * SAMPLE_RATE_HZ).astype(np.int64)), labels_needed(vocabulary, texts)


def labels_needed(vocabulary: Vocabulary, texts: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return how many frames each text needs at least: its labels, and a blank between two that are equal; where there is
    no label at all, more than any recording has. (N,)"""
    needed = np.empty(len(texts), dtype=np.int64)
    for index, text in enumerate(texts):
        rows = vocabulary.encode(text)
        needed[index] = len(rows) + sum(map(int.__eq__, rows, rows[1:])) if rows else NEVER
    return needed


def device_bytes(device: torch.device) -> int:
    """Return how much memory the work may have: the device's own, not what is free just now, as another training that holds
    it is waited for. On the CPU the machine's, or what its control group is given of it."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[1])
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = Path("/sys/fs/cgroup/memory.max")
    given = limit.read_text(encoding="ascii").strip() if limit.exists() else "max"
    return min(whole, int(given)) if given.isdigit() else whole


def without_weights(config: Mapping[str, Any]) -> Wav2Vec2ForCTC:
    """Return a model of a config.json's content whose weights take no memory: it can be measured, not run."""
    with torch.device("meta"):
        return Wav2Vec2ForCTC(Wav2Vec2Config(**{key: value for key, value in config.items() if key != "front_end"}))


def memory_needed(model: Wav2Vec2ForCTC, run: Run, longest_s: float) -> tuple[int, int]:
    """Return an estimate of the bytes that a step needs: for weights, gradients and optimiser; for what a batch leaves for
    the way back. Within a third of what is measured (tests)."""
    config = model.config
    weights, trained = sum(weight.numel() for weight in model.parameters()), moving(model, run)
    beside = (run.ema is not None) + (run.keep == "best" and not torch.cuda.is_available())  # a GPU's best weights lie in the main memory
    fixed = 4 * (weights + trained * (run.replicas + beside)) + 8 * trained
    budget_s = run.batch_s * (MOST if run.replicas > 1 else 1.0)
    seconds = max(budget_s + longest_s * (1 - 1 / run.processes), longest_s)  # shares of a batch may differ by an utterance
    values, frames_a_second = 0.0, float(SAMPLE_RATE_HZ)  # values a second of audio
    for channels, stride in zip(config.conv_dim, config.conv_stride, strict=True):
        frames_a_second /= stride
        if run.lora is None:  # nothing moves below the lowest adapter
            values += 3 * channels * frames_a_second  # what each convolution, norm and activation keeps
    block = 8 * config.hidden_size + 2 * config.intermediate_size
    block += 2.5 * config.hidden_size * (config.hidden_dropout > 0) + 1.25 * config.intermediate_size * (config.activation_dropout > 0)
    if config.attention_dropout > 0 and not torch.cuda.is_available():  # the CPU keeps the square of frames then
        block += 2.25 * config.num_attention_heads * longest_s * frames_a_second
    blocks = config.num_hidden_layers * config.hidden_size + block if run.gradient_checkpointing else config.num_hidden_layers * block
    values += (blocks + 4 * config.hidden_size + 2 * config.vocab_size) * frames_a_second
    bf16 = run.precision == "bf16" or (run.precision == "auto" and torch.cuda.is_available())
    return fixed, round(seconds * values * (2.5 if bf16 else 4))


def _labels(name: str, table: pd.DataFrame, frames: npt.NDArray[np.int64], needed: npt.NDArray[np.int64]) -> tuple[str, list[str]]:
    ids, bad = table["utterance_id"].to_numpy(), frames < needed
    room = frames / needed
    tightest = int(np.argmin(np.where(bad, np.inf, room)))
    line = (f"labels      {name}: {np.median(room[~bad]):.1f} frames a label (median), {room[tightest]:.1f} at least ({ids[tightest]}); "
            f"{bad.sum()} of {len(table)} utterances have more labels than frames, doubled ones counted twice")
    if name == "train" and bad.mean() > MAX_IMPOSSIBLE:
        return line, [f"labels: {bad.sum()} of {len(table)} utterances have more letters than frames (such as {', '.join(ids[bad][:5])}); "
                      f"expected at most {MAX_IMPOSSIBLE:.0%}; check transcripts against audio, or take a model with more frames a second"]
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
             + (f": {shown}, {share:.2%} of all" if lacking else "") + (f"; rows that no transcript uses: {' '.join(unused)}" if unused else "")]
    problems = [f"vocabulary: {share:.1%} of the letters have no row ({shown}); expected at most {MAX_MISSING:.0%}; make the vocabulary from these "
                "transcripts (`tokenise`), or look at their case and normalisation"] if share > MAX_MISSING else []
    return lines, problems, {"letters_without_row": lacking}


def _lengths(table: pd.DataFrame, run: Run) -> tuple[list[str], list[str], dict[str, Any]]:
    duration_s, ids = table["duration_s"].to_numpy(dtype=np.float64), table["utterance_id"].to_numpy()
    if (wrong := ~(duration_s > 0) | ~np.isfinite(duration_s)).any():
        return [], [f"lengths: {wrong.sum()} utterances have no length (such as {', '.join(ids[wrong][:5])}); run ingest again"], {}
    if not len(duration_s):
        return [], [], {}
    edges = [0.0, *LENGTHS_S, np.inf]
    counts, _ = np.histogram(duration_s, edges)
    shown = [f"{f'{low:g}–{high:g}' if high < np.inf else f'over {low:g}'} s: {count}" for low, high, count in
             zip(edges, edges[1:], counts.tolist(), strict=False) if count]
    longest, over = int(np.argmax(duration_s)), int((duration_s > run.batch_s).sum())
    return [f"lengths     {', '.join(shown)}; longest {duration_s[longest]:.1f} s ({ids[longest]})"
            + (f"; {over} longer than batch_s, each a batch alone" if over else "")], [], {}


def _work(table: pd.DataFrame, run: Run) -> tuple[list[str], list[str], dict[str, Any]]:
    if not len(table):
        return [], [], {}
    duration_s = table["duration_s"].to_numpy(dtype=np.float64)
    batches = epoch_batches(duration_s, run.batch_s * run.processes, run.seed, 0, run.replicas)
    epoch_steps, hours = len(batches) / run.accumulate, float(duration_s.sum()) / 3600
    figures = {"steps_per_epoch": round(epoch_steps, 1), "epochs": round(run.steps / epoch_steps, 3), "hours_an_epoch": hours,
               "padding": round(padding_share(duration_s, batches), 4)}
    late = f"; the warm-up takes {run.warmup_steps} of them, so the peak rate is never reached" if run.warmup_steps >= run.steps else ""
    freezing = [f"freezing    the head alone for {run.freeze_encoder_steps} steps, then the encoder"
                + (f" a block every {run.unfreeze_every} steps" if run.unfreeze_every else "")
                + (": never within this run" if run.freeze_encoder_steps >= run.steps else "")]
    return [f"steps       {run.steps}, {figures['epochs']:.2f} epochs of {hours:.2f} hours and {epoch_steps:.0f} steps, "
            f"{figures['padding']:.1%} padding{late}",
            *(freezing if run.freeze_encoder_steps or run.unfreeze_every else [])], [], figures


def _memory(model: Wav2Vec2ForCTC, table: pd.DataFrame, run: Run, room_bytes: int) -> tuple[list[str], list[str], dict[str, Any]]:
    sharing = 1 if torch.cuda.is_available() else run.processes
    fixed, batch = (sharing * part for part in memory_needed(model, run, float(table["duration_s"].max()) if len(table) else 0.0))
    together, room = (fixed + batch) / 2**30, room_bytes / 2**30
    trained, number = moving(model, run), sum(weight.numel() for weight in model.parameters())
    line = (f"memory      about {together:.2f} GiB: {fixed / 2**30:.2f} for weights, gradients and optimiser ({trained / 1e6:.3g} of "
            f"{number / 1e6:.3g} M parameters are trained), {batch / 2**30:.2f} for a batch; the device has {room:.1f} GiB"
            + (", which is less" if together > room else ", which is close" if together > 0.8 * room else ""))
    problems = [f"memory: a step needs about {together:.1f} GiB and the device has {room:.1f}; lower batch_s and raise accumulate, or set "
                "gradient_checkpointing: true"] if together > 1.5 * room else []  # an estimate alone stops nothing that may just fit
    return [line], problems, {"memory_bytes": fixed + batch, "trained_parameters": trained, "parameters": number}
