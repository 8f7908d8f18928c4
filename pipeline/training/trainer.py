"""The training loop: deterministic, resumable at any step, with batches prepared ahead.

Read `Trainer` top down: `run` is a training; `step`, `evaluate`, `save` and `restore` are its parts. `Learner` has the forward and
backward passes.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from transformers import Wav2Vec2ForCTC

from pipeline.batching.batches import Schedule, epoch_batches, padding_share
from pipeline.batching.waveforms import UtteranceAudio, Waveform
from pipeline.core.errors import TrainingError
from pipeline.core.progress import bar, log
from pipeline.model.device import choose_device, exclusive, set_threads
from pipeline.model.geometry import num_frames
from pipeline.model.vocabulary import Vocabulary
from pipeline.training.acceleration import gpu_metrics
from pipeline.training.config import RunConfig
from pipeline.training.distributed import ProcessGroup
from pipeline.training.guards import ShutdownRequest, count_blank_evaluations, shutdown_requests, skip_step
from pipeline.training.learner import Learner
from pipeline.training.loader import BatchLoader, LoadedBatch
from pipeline.training.metrics import LogRow, MetricsLog, discard
from pipeline.training.preflight import frames_needed
from pipeline.training.selection import CheckpointSelection, best_evaluation, should_stop_early
from pipeline.training.state import Progress, load_state, random_state, save_state, set_random_state

ErrorRates = Callable[[Sequence[str], Sequence[str]], tuple[float, float]]
"""References and hypotheses to (WER, CER), corpus level."""


@dataclass(frozen=True, slots=True)
class Utterances:
    """The utterances of a split: audio, texts, lengths (N,) and ids."""

    audio: UtteranceAudio
    texts: list[str]
    duration_s: npt.NDArray[np.float64]
    ids: list[str]

    @classmethod
    def of(cls, table: pd.DataFrame, ingest: Path | str = "data/ingest", normalise: bool = True) -> Utterances:
        """Return the utterances of a split table.

        Args:
            table: rows of a split.
            ingest: folder of the shards.
            normalise: whether the model expects waveforms of zero mean and unit variance.
        """
        return cls(UtteranceAudio(table, ingest, normalise=normalise), table["text"].tolist(), table["duration_s"].to_numpy(dtype=np.float64),
                   table["utterance_id"].tolist())


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """What a training returns beside the model.

    Args:
        history: a row per evaluation; weights, data and config determine it. Columns step, audio_s, learning_rate, loss (mean since
            the row before), dev_wer, dev_cer, skipped (steps skipped so far), kept (1 in the row of the weights that the model ends
            with, 0 in the others). It ends before the last step where the training was stopped early.
        timing: a row per evaluation. Columns step, seconds (since the start, interruptions left out), waiting (share of the time
            spent waiting for data).
    """

    history: pd.DataFrame
    timing: pd.DataFrame


def train(model: Wav2Vec2ForCTC, vocabulary: Vocabulary, train_set: Utterances, dev_set: Utterances, config: RunConfig,
          resume: Path, error_rates: ErrorRates, label: str, log_row: LogRow = discard) -> TrainingResult:
    """Train `model` in place, on the GPU if there is one, and return its history.

    The result is a function of the model's weights, the data and the config: the batch of a step does not depend on how
    often the run was interrupted. The state is written to `resume` every `checkpoint_s`; the caller removes it
    (`remove_state`) when the result is saved.

    Args:
        model: with its initial weights; afterwards in evaluation mode.
        vocabulary: of the model.
        train_set: utterances to train on, each with enough frames for its labels.
        dev_set: utterances to evaluate on.
        config: of the run.
        resume: folder of the resume state, named by a hash of everything that the result depends on.
        error_rates: corpus-level WER and CER.
        label: the stage, for the log and the progress bar.
        log_row: is called with live metrics, four times per evaluation; a resumed run logs all rows again.

    Raises:
        TrainingError: there is nothing to train or evaluate on, or more than `max_skipped` steps had a non-finite loss or gradient.
        SystemExit: SIGTERM (143) or SIGINT (130) came; the state of the last whole step is saved.
    """
    for purpose, utterances in (("train on", train_set), ("evaluate on", dev_set)):
        if not utterances.texts:
            raise TrainingError(label, f"no utterance to {purpose}", "at least one", "check the split's certificate and the dropped utterances")
    set_threads(config.threads)
    device, group = choose_device(), ProcessGroup.joined()

    def device_lock() -> AbstractContextManager[None]:
        if device.type == "cpu" and not group.is_rank_zero:  # rank 0 has locked the cores of all processes
            return nullcontext()
        return exclusive(device, config.threads * config.replicas * group.size)

    with group.in_turn(device_lock):
        model.to(device)  # type: ignore[arg-type]
        return Trainer(model, vocabulary, train_set, dev_set, config, resume, error_rates, label, log_row, device, group).run()


class Trainer:
    """A training run. The arguments are those of `train`, with the device and the processes of the training."""

    def __init__(self, model: Wav2Vec2ForCTC, vocabulary: Vocabulary, train_set: Utterances, dev_set: Utterances, config: RunConfig,
                 resume: Path, error_rates: ErrorRates, label: str, log_row: LogRow, device: torch.device, group: ProcessGroup) -> None:
        self.vocabulary, self.train_set, self.dev_set, self.config = vocabulary, train_set, dev_set, config
        self.resume, self.error_rates, self.label, self.device, self.group = resume, error_rates, label, device, group
        self.learner = Learner(model, config, label, device, group)
        self.selection = CheckpointSelection(model, config.keep)
        self.metrics = MetricsLog(config.evaluate_every, log_row)
        self.stateful = {"model": model, "optimiser": self.learner.optimiser, "ema": self.learner.ema, "best": self.selection,
                         "metrics": self.metrics}
        self.budget_s = config.batch_s * group.size
        self.schedule = Schedule(train_set.duration_s, self.budget_s, config.seed, len(self.learner.replicas))
        self.waveform = augmented_waveforms(model, vocabulary, train_set, config)
        self.dev_indices = first_hours(dev_set.duration_s, config.evaluate_hours)
        self.progress = Progress()
        self.seconds_before, self.began, self.saved_at = 0.0, 0.0, 0.0

    def run(self) -> TrainingResult:
        """Take all steps, or stop early, with evaluations and checkpoints in between; return the history."""
        self.restore()
        progress = bar(self.config.steps, "step", self.label)
        with shutdown_requests(once=self.group.size == 1) as request, self._loader() as loader, progress:
            progress.update(self.progress.step)
            self.metrics.start()
            for step in range(self.progress.step, self.config.steps):
                self.step(step, loader)
                self.progress.step = step + 1
                progress.update(1)
                if self.progress.step % self.config.evaluate_every == 0 or self.progress.step == self.config.steps:
                    progress.set_postfix_str(self.evaluate(loader.waited_s))
                    if self._stops_early():
                        break
                elif self.metrics.is_due(self.progress.step):
                    progress.set_postfix_str(self._add_row(loader.waited_s))
                self._save_if_due(request)
        return self._finish()

    def step(self, step: int, loader: BatchLoader) -> None:
        """Take one optimiser step, counted from 0; skip it if its loss or gradient is not finite."""
        audio_before_s = self.progress.audio_s
        self.learner.optimiser.set_learning_rate(learning_rate_share(step, self.config))
        self._apply_schedules(step)
        result = self.learner.step(self._next_batches(loader))
        if result.is_finite:
            self.progress.losses.append(result.loss)
        else:
            skip_step(self.progress.skipped, step, result.loss, result.norm, self.utterances_with_non_finite_loss(step, loader),
                      self.config.max_skipped, self.label)
        self.metrics.add_step(result.loss if result.is_finite else None, self.progress.audio_s - audio_before_s)

    def evaluate(self, waited_s: float) -> str:
        """Evaluate on the development set, add a row to the history, and keep the weights if they are the best so far.

        Args:
            waited_s: seconds that this process has waited for data.

        Returns:
            The line for the progress bar.
        """
        progress, losses = self.progress, self.progress.losses
        with self.learner.ema.applied():
            hypotheses = self._transcribe_dev()
            wer, cer = self.error_rates([self.dev_set.texts[index] for index in self.dev_indices], hypotheses)
            seconds = self._seconds()
            progress.history.append({
                "step": progress.step, "audio_s": round(progress.audio_s, 1), "learning_rate": self._learning_rate(),
                "loss": sum(losses) / len(losses) if losses else math.nan, "dev_wer": wer, "dev_cer": cer, "skipped": len(progress.skipped)})
            progress.timing.append({"step": progress.step, "seconds": round(seconds, 2),
                                    "waiting": round(waited_s / (seconds - self.seconds_before), 4)})
            self.selection.update(progress.history)
        loss = progress.history[-1]["loss"]
        log(f"{self.label}: step {progress.step}, loss {loss:.3f}, dev CER {cer:.4f}, WER {wer:.4f}, {seconds:.0f} s")
        progress.blank_evaluations = count_blank_evaluations(hypotheses, progress.blank_evaluations, loss, self.label)
        losses.clear()
        return self._add_row(waited_s, dev_wer=wer, dev_cer=cer)

    def save(self) -> None:
        """Write the resume state."""
        self.progress.seconds, self.progress.random = self._seconds(), self.group.gather(random_state())
        if self.group.is_rank_zero:
            save_state(self.resume, self.stateful, self.progress)  # type: ignore[arg-type]
        self.saved_at = time.perf_counter()

    def restore(self) -> None:
        """Restore the resume state, or seed the random generators if there is none; set the model to the next step.

        Raises:
            TrainingError: the processes have different states.
        """
        config, group = self.config, self.group
        self.progress = load_state(self.resume, self.stateful)  # type: ignore[arg-type]
        if len(set(steps := group.gather(self.progress.step))) > 1:
            raise TrainingError(str(self.resume), f"processes at steps {', '.join(map(str, steps))}", "one state for all processes",
                                "set VIZINHO_STATE to a folder that all machines share")
        random = np.random.default_rng([config.seed, 1, group.rank] if group.rank else [config.seed, 1])
        np.random.seed(int(random.integers(1 << 31)))
        torch.manual_seed(int(random.integers(1 << 31)) if group.rank else config.seed)
        if self.progress.step:
            log(f"{self.label}: resumed at step {self.progress.step} of {config.steps}")
            set_random_state(self.progress.random[group.rank])
        else:
            self._log_start()
        self.learner.replicas.train()
        self.learner.freezing.apply(self.progress.step)
        self.learner.masking.apply(self.progress.step)
        self.saved_at = self.began = time.perf_counter()
        self.seconds_before = self.progress.seconds

    def utterances_with_non_finite_loss(self, step: int, loader: BatchLoader) -> list[str]:
        """Return the ids of a step's utterances whose loss is not finite; the ids of all of them if each loss alone is finite."""
        accumulate, model = self.config.accumulate, self.learner.model
        batch = [(int(index), number) for number in range(step * accumulate, (step + 1) * accumulate) for index in self.schedule[number]]
        model.eval()  # draws no random numbers: later steps draw the same ones
        with torch.no_grad():
            bad = [(index, number) for index, number in batch
                   if not math.isfinite(float(self.learner.loss(model, loader.collate(np.array([index]), number), 1)))]
        model.train()
        return [self.train_set.ids[index] for index, _ in bad or batch]

    def _loader(self) -> BatchLoader:
        train_set, accumulate = self.train_set, self.config.accumulate
        labels = [self.vocabulary.encode(text) for text in train_set.texts]
        return BatchLoader(train_set.audio, self.waveform, labels, train_set.duration_s, self.schedule, self.group.shard,
                           len(self.learner.replicas), self.device, self.progress.step * accumulate, self.config.steps * accumulate)

    def _next_batches(self, loader: BatchLoader) -> Iterator[LoadedBatch]:
        for _ in range(self.config.accumulate):
            batch = loader.next_batch()
            self.progress.audio_s += batch.audio_s
            yield batch

    def _apply_schedules(self, step: int) -> None:
        freezing, masking, blocks = self.learner.freezing, self.learner.masking, self.learner.model.config.num_hidden_layers
        if step in freezing.changes:
            deepest = freezing.apply(step)
            log(f"{self.label}: from step {step + 1} on the head and {min(deepest, blocks)} of {blocks} blocks are trained"
                + (", and everything below them" if deepest > blocks else ""))
        if step in masking.changes:
            log(f"{self.label}: from step {step + 1} on {'parts of the input are masked' if masking.apply(step) else 'nothing is masked'}")

    def _transcribe_dev(self) -> list[str]:
        """Return the hypotheses of the development set; each process transcribes a shard."""
        rank, size = self.group.rank, self.group.size
        shard = self.dev_indices[rank::size]
        texts = self.learner.transcribe(self.vocabulary, lambda index: self.dev_set.audio.waveform(int(shard[index])),
                                        self.dev_set.duration_s[shard], self.config.batch_s)
        hypotheses = [""] * len(self.dev_indices)
        for other, found in enumerate(self.group.gather(texts)):
            hypotheses[other::size] = found
        return hypotheses

    def _add_row(self, waited_s: float, **error_rates: float) -> str:
        return self.metrics.add_row(self.progress.step, self._learning_rate(), waited_s, error_rates | gpu_metrics(self.device))

    def _stops_early(self) -> bool:
        history, patience = self.progress.history, self.config.patience
        if self.progress.step == self.config.steps or not should_stop_early(history, patience):
            return False
        top = history[best_evaluation(history)]
        log(f"{self.label}: stopped early at step {self.progress.step} of {self.config.steps}: {patience} evaluation{'s' * (patience != 1)} no "
            f"better than that of step {top['step']} (dev WER {top['dev_wer']:.4f}, CER {top['dev_cer']:.4f})")
        return True

    def _save_if_due(self, request: ShutdownRequest) -> None:
        """Write a checkpoint if it is time for one or a shutdown was requested in any process; end the process in the second case."""
        due = self.group.is_rank_zero and time.perf_counter() - self.saved_at > self.config.checkpoint_s
        requests = self.group.gather((request.signal_number or 0, due))
        if self.progress.step == self.config.steps or not any(number or due for number, due in requests):
            return
        self.save()
        if number := max(number for number, _ in requests):
            self.group.gather(None)  # no process ends before the state is written
            log(f"{self.label}: interrupted at step {self.progress.step} of {self.config.steps}; run it again to resume from there")
            raise SystemExit(128 + number)  # a shell's exit code for a signal

    def _finish(self) -> TrainingResult:
        self.learner.finish()
        kept = self.selection.copy_to_model(self.progress.history)
        self.learner.merge()
        history = pd.DataFrame(self.progress.history)
        return TrainingResult(history.assign(kept=(history.index == kept).astype(int)), pd.DataFrame(self.progress.timing))

    def _learning_rate(self) -> float:
        return self.config.peak_rate * learning_rate_share(self.progress.step - 1, self.config)

    def _seconds(self) -> float:
        return self.seconds_before + time.perf_counter() - self.began

    def _log_start(self) -> None:
        config, train_set, size = self.config, self.train_set, self.group.size
        batches = epoch_batches(train_set.duration_s, self.budget_s, config.seed, 0, len(self.learner.replicas))
        log(f"{self.label}: {config.steps} steps of {self.budget_s * config.accumulate:g} s on {train_set.duration_s.sum() / 3600:.2f} hours "
            f"({len(batches) / config.accumulate:.0f} steps per epoch, padding {padding_share(train_set.duration_s, batches):.1%}), "
            + (f"{size} processes, {self.device.type}" if size > 1 else str(self.device)))


def first_hours(duration_s: npt.NDArray[np.float64], hours: float) -> npt.NDArray[np.int64]:
    """Return the indices of the first utterances that together are no longer than `hours`; at least the first one.

    Args:
        duration_s: lengths, (N,).
        hours: of audio.
    """
    return np.arange(max(1, np.searchsorted(np.cumsum(duration_s), hours * 3600, side="right")))  # type: ignore[call-overload]


def learning_rate_share(step: int, config: RunConfig) -> float:
    """Return the learning rate of a step as a share of the peak: a linear warm-up, then the decay.

    Args:
        step: counted from 0.
        config: steps, warm-up, shape of the decay and final rate.
    """
    if step < config.warmup_steps:
        return (step + 1) / config.warmup_steps
    progress = (step - config.warmup_steps) / max(1, config.steps - 1 - config.warmup_steps)
    falling = 0.5 * (1.0 + math.cos(math.pi * progress)) if config.decay == "cosine" else 1.0 - progress
    return config.final_rate + (1.0 - config.final_rate) * falling


def augmented_waveforms(model: Wav2Vec2ForCTC, vocabulary: Vocabulary, train_set: Utterances,
                        config: RunConfig) -> Callable[[int, int], Waveform]:
    """Return a function from an utterance's index and the number of its batch to its waveform, augmented if the config has augmentation.

    Args:
        model: its convolutions determine how many frames a waveform has.
        vocabulary: determines how many frames a text needs.
        train_set: the utterances.
        config: seed and augmentation.
    """
    if (changes := config.augment) is None:
        return lambda index, _: train_set.audio.waveform(index)
    from pipeline.training.augmentation import augment

    needed = frames_needed(vocabulary, train_set.texts)

    def waveform(index: int, number: int) -> Waveform:
        return augment(train_set.audio.waveform(index), changes, lambda samples: num_frames(model, np.array([samples]))[0] >= needed[index],
                       np.random.default_rng([config.seed, 2, number, index]), train_set.audio.normalise)

    return waveform
