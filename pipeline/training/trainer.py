"""The training loop: deterministic, resumable at any point, never waiting for data."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from transformers import Wav2Vec2ForCTC

from pipeline.batching.batches import Schedule, epoch_batches, padding_share
from pipeline.batching.waveforms import Clips, Waveform
from pipeline.core.errors import TrainingError
from pipeline.core.progress import bar, log
from pipeline.decoding.greedy import decode_all
from pipeline.model.device import choose_device, exclusive, set_threads, threads
from pipeline.model.geometry import num_frames
from pipeline.model.vocabulary import Vocabulary
from pipeline.training.acceleration import autocast, compile_blocks, figures_of
from pipeline.training.config import Run
from pipeline.training.distributed import ProcessGroup
from pipeline.training.ema import Averaging
from pipeline.training.freezing import Freezing
from pipeline.training.guards import note_blanks, skip_step, wishes
from pipeline.training.loader import Loader
from pipeline.training.lora import adapt, merge
from pipeline.training.masking import Masking
from pipeline.training.metrics import Note, Watch, silent
from pipeline.training.optimiser import Optimiser
from pipeline.training.preflight import labels_needed
from pipeline.training.replicas import Part, Replicas
from pipeline.training.selection import Selection, best, gives_up
from pipeline.training.state import _random_state, _restore, _save, _set_random_state

ErrorRates = Callable[[Sequence[str], Sequence[str]], tuple[float, float]]
"""References and hypotheses to (WER, CER), corpus level."""


@dataclass(frozen=True, slots=True)
class Utterances:
    """What the loop is given of a split: its audio, its texts, its lengths (N,) and its ids."""

    clips: Clips
    texts: list[str]
    duration_s: npt.NDArray[np.float64]
    ids: list[str]

    @classmethod
    def of(cls, table: pd.DataFrame, ingest: Path | str = "data/ingest", normalise: bool = True) -> Utterances:
        """Return the utterances of a split table."""
        return cls(Clips(table, ingest, normalise=normalise), table["text"].tolist(), table["duration_s"].to_numpy(dtype=np.float64),
                   table["utterance_id"].tolist())


def first_hours(duration_s: npt.NDArray[np.float64], hours: float) -> npt.NDArray[np.int64]:
    """Return the indices of the first utterances that together last so long at most; one at least."""
    return np.arange(max(1, np.searchsorted(np.cumsum(duration_s), hours * 3600, side="right")))


def rate_at(step: int, config: Run) -> float:
    """Return the learning rate's share of its peak at a step, counted from 0: linear warm-up, then the decay."""
    if step < config.warmup_steps:
        return (step + 1) / config.warmup_steps
    progress = (step - config.warmup_steps) / max(1, config.steps - 1 - config.warmup_steps)
    falling = 0.5 * (1.0 + math.cos(math.pi * progress)) if config.decay == "cosine" else 1.0 - progress
    return config.final_rate + (1.0 - config.final_rate) * falling


def train(model: Wav2Vec2ForCTC, vocabulary: Vocabulary, train_set: Utterances, dev_set: Utterances, config: Run,
          resume: Path, error_rates: ErrorRates, label: str, note: Note = silent) -> pd.DataFrame:
    """Train `model` in place and return its history, a row an evaluation.

    The run is a function of the model's weights, the data and the config: the batch of a step does not depend on how
    often the run was interrupted. Its state is written to `resume` every `checkpoint_s` and removed by the caller
    (`forget`) when the result is safe.

    Args:
        resume: folder of the resume state, named by a hash of everything that the result depends on.
        error_rates: corpus-level WER and CER.
        label: name in the progress bar.
        note: is told figures by name while the run lasts, four times between looks; a resumed run tells all of them again.

    Returns:
        Columns step, seconds, audio_s, learning_rate, loss (mean since the last row), dev_wer, dev_cer, waiting
        (share of time spent waiting for data), skipped (steps passed over so far), kept (1 in the row of the weights that
        the model ends with, 0 in the others). It ends before the last step where `patience` is at its end.

    Raises:
        TrainingError: nothing to train or evaluate on, or loss or gradient is no number more than `max_skipped` times.
        SystemExit: SIGTERM (143) or SIGINT (130) came; the state of the last whole step is kept.
    """
    for what, given in (("train on", train_set), ("evaluate on", dev_set)):
        if not given.texts:
            raise TrainingError(label, f"no utterance to {what}", "at least one", "look at the split's certificate and at what was dropped")
    set_threads(config.threads)
    device, group = choose_device(), ProcessGroup.joined()

    def held() -> AbstractContextManager[None]:
        if device.type == "cpu" and not group.is_rank_zero:  # the first one has asked for the cores of all
            return nullcontext()
        return exclusive(device, config.threads * config.replicas * group.size)

    with group.in_turn(held):
        return _train(model.to(device), vocabulary, train_set, dev_set, config, resume, error_rates, label, note, device, group)


def draws_at_random(model: Wav2Vec2ForCTC) -> bool:
    """Return whether a training pass draws random numbers: threads would then share one generator in no fixed order."""
    config = model.config
    names = ("hidden_dropout", "attention_dropout", "activation_dropout", "feat_proj_dropout", "final_dropout", "layerdrop")
    masks = config.apply_spec_augment and (config.mask_time_prob > 0 or config.mask_feature_prob > 0)
    return masks or any(getattr(config, name) > 0 for name in names) or any(
        name.endswith(".lora_dropout.default") and isinstance(module, torch.nn.Dropout) for name, module in model.named_modules())


def _train(model: Wav2Vec2ForCTC, vocabulary: Vocabulary, train_set: Utterances, dev_set: Utterances, config: Run,
           resume: Path, error_rates: ErrorRates, label: str, note: Note, device: torch.device, group: ProcessGroup) -> pd.DataFrame:
    if config.freeze_feature_encoder:
        model.freeze_feature_encoder()
    if config.gradient_checkpointing:
        model.activation_checkpointing_enable()
    masking = Masking(model, config)
    if config.lora is not None:
        adapt(model, config.lora, config.seed)
    replicas = Replicas(model, config.replicas if device.type == "cpu" and not draws_at_random(model) else 1)
    optimiser, averaging, selection = Optimiser(model, config), Averaging(model, config.ema), Selection(model, config.keep)
    watch = Watch(config.evaluate_every, note)
    parts_of_state = {"model": model, "optimiser": optimiser, "average": averaging, "best": selection, "watch": watch}
    if config.compile:
        compile_blocks(model, len(replicas), label)
    freezing, blocks = Freezing(replicas.models, config), model.config.num_hidden_layers
    budget_s = config.batch_s * group.size
    schedule = Schedule(train_set.duration_s, budget_s, config.seed, len(replicas))
    dev_indices = first_hours(dev_set.duration_s, config.evaluate_hours)
    my_dev_indices = dev_indices[group.rank::group.size]
    references = [dev_set.texts[index] for index in dev_indices]
    encoded = [vocabulary.encode(text) for text in train_set.texts]

    state = _restore(resume, parts_of_state)
    if len(set(steps := group.gather(state["step"]))) > 1:
        raise TrainingError(str(resume), f"processes that stand at steps {', '.join(map(str, steps))}", "one state for all",
                            "let VIZINHO_STATE be a folder that all machines see")
    random = np.random.default_rng([config.seed, 1, group.rank] if group.rank else [config.seed, 1])
    np.random.seed(int(random.integers(1 << 31)))
    torch.manual_seed(int(random.integers(1 << 31)) if group.rank else config.seed)
    if state["step"]:
        log(f"{label}: resumed at step {state['step']} of {config.steps}")
        _set_random_state(state["random"][group.rank])
    else:
        batches = epoch_batches(train_set.duration_s, budget_s, config.seed, 0, len(replicas))
        log(f"{label}: {config.steps} steps of {budget_s * config.accumulate:g} s on {train_set.duration_s.sum() / 3600:.2f} hours "
            f"({len(batches) / config.accumulate:.0f} steps an epoch, padding {padding_share(train_set.duration_s, batches):.1%}), "
            + (f"{group.size} processes, {device.type}" if group.size > 1 else str(device)))

    heard = _augmented(model, vocabulary, train_set, config) if config.augment else lambda index, _: train_set.clips.waveform(index)

    def loss_of(replica: Wav2Vec2ForCTC, part: Part, utterances: int) -> torch.Tensor:
        waveform_BS, mask_BS, labels_BU = (tensor.to(device, non_blocking=True) for tensor in part)
        masking.fit(waveform_BS.shape[1])
        with autocast(device, config.precision):
            mean = replica(waveform_BS, attention_mask=mask_BS, labels=labels_BU).loss
        return mean * (len(labels_BU) / utterances / config.accumulate)

    def culprits(step: int) -> list[str]:
        """Return which utterances of a step have a loss of their own that is no number; all of them if each has one."""
        asked = [(int(index), number) for number in range(step * config.accumulate, (step + 1) * config.accumulate) for index in schedule[number]]
        model.eval()  # draws nothing: the steps to come see the numbers that they would have
        with torch.no_grad():
            bad = [(index, number) for index, number in asked
                   if not math.isfinite(float(loss_of(model, loader.part_of(np.array([index]), number), 1)))]
        model.train()
        return [train_set.ids[index] for index, _ in bad or asked]

    replicas.train()
    freezing.apply(state["step"])
    masking.apply(state["step"])
    saved_at = began = time.perf_counter()
    first, seconds_before = state["step"] * config.accumulate, state["seconds"]
    losses = state["losses"]
    loader = Loader(train_set.clips, heard, encoded, train_set.duration_s, schedule, group.share, len(replicas), device,
                    first, config.steps * config.accumulate)
    with wishes(group.size == 1) as wish, loader, bar(config.steps, "step", label) as progress:
        progress.update(state["step"])
        watch.begin()
        for step in range(state["step"], config.steps):
            optimiser.set_rate(rate_at(step, config))
            if step in freezing.changes:
                deep = freezing.apply(step)
                log(f"{label}: from step {step + 1} on the head and {min(deep, blocks)} of {blocks} blocks move"
                    + (", and what is below them" if deep > blocks else ""))
            if step in masking.changes:
                log(f"{label}: from step {step + 1} on {'parts of the input are masked' if masking.apply(step) else 'nothing is masked'}")
            loss_sum, audio_before = 0.0, state["audio_s"]
            for _ in range(config.accumulate):
                parts, utterances, audio_s = loader.take()
                loss_sum += replicas.backward(parts, partial(loss_of, utterances=utterances))
                state["audio_s"] += audio_s
            group.add_gradients([weight for weight in model.parameters() if weight.requires_grad])
            loss_sum = sum(group.gather(loss_sum))
            norm = float(torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip_norm))
            if math.isfinite(loss_sum + norm):
                optimiser.step()
                averaging.update()
                losses.append(loss_sum)
                watch.add(loss_sum, state["audio_s"] - audio_before)
            else:
                optimiser.forget()
                skip_step(state["skipped"], step, loss_sum, norm, culprits(step), config.max_skipped, label)
                watch.add(None, state["audio_s"] - audio_before)
            progress.update(1)
            done = step + 1
            if look := done % config.evaluate_every == 0 or done == config.steps:
                model.eval()
                with threads(config.threads * len(replicas)), averaging.applied():
                    decoded = decode_all(model, vocabulary, lambda index: dev_set.clips.waveform(int(my_dev_indices[index])),
                                         dev_set.duration_s[my_dev_indices], 4 * config.batch_s)
                replicas.train()
                hypotheses = [""] * len(references)
                for rank, found in enumerate(group.gather([one.text for one in decoded])):
                    hypotheses[rank::group.size] = found
                wer, cer = error_rates(references, hypotheses)
                elapsed = time.perf_counter() - began
                state["history"].append({
                    "step": done, "seconds": round(seconds_before + elapsed, 2), "audio_s": round(state["audio_s"], 1),
                    "learning_rate": config.peak_rate * rate_at(step, config), "loss": sum(losses) / len(losses) if losses else math.nan,
                    "dev_wer": wer, "dev_cer": cer, "waiting": round(loader.waited / elapsed, 4), "skipped": len(state["skipped"])})
                log(f"{label}: step {done}, loss {state['history'][-1]['loss']:.3f}, dev CER {cer:.4f}, WER {wer:.4f}, "
                    f"{seconds_before + elapsed:.0f} s")
                state["blanks"] = note_blanks(hypotheses, state["blanks"], state["history"][-1]["loss"], label)
                losses.clear()
                progress.set_postfix_str(watch.tell(done, config.peak_rate * rate_at(step, config), loader.waited,
                                                    {"dev_wer": wer, "dev_cer": cer, **figures_of(device)}))
                with averaging.applied():
                    selection.note(state["history"])
                if done < config.steps and gives_up(state["history"], config.patience):
                    top = state["history"][best(state["history"])]
                    log(f"{label}: ended early at step {done} of {config.steps}: {config.patience} evaluation{'s' * (config.patience != 1)} no "
                        f"better than that of step {top['step']} (dev WER {top['dev_wer']:.4f}, CER {top['dev_cer']:.4f})")
                    break
            if not look and watch.due(done):
                progress.set_postfix_str(watch.tell(done, config.peak_rate * rate_at(step, config), loader.waited, figures_of(device)))
            asks = group.gather((wish.number or 0, group.is_rank_zero and time.perf_counter() - saved_at > config.checkpoint_s))
            if done < config.steps and any(number or due for number, due in asks):
                state.update(step=done, seconds=seconds_before + time.perf_counter() - began, losses=losses, random=group.gather(_random_state()))
                if group.is_rank_zero:
                    _save(resume, parts_of_state, state)
                saved_at = time.perf_counter()
                if number := max(number for number, _ in asks):
                    group.gather(None)  # written before anybody goes
                    log(f"{label}: interrupted at step {done} of {config.steps}; run it again to go on from there")
                    raise SystemExit(128 + number)  # as a shell tells it
    replicas.close()
    masking.close()
    averaging.settle()
    kept = selection.settle(state["history"])
    if config.lora is not None:
        merge(model)
    model.eval()
    history = pd.DataFrame(state["history"])
    return history.assign(kept=(history.index == kept).astype(int))


def _augmented(model: Wav2Vec2ForCTC, vocabulary: Vocabulary, train_set: Utterances, config: Run) -> Callable[[int, int], Waveform]:
    """Return what gives an utterance of a batch, by their numbers, as the config changes it."""
    from pipeline.training.augmentation import augment

    chosen, needed = config.augment, labels_needed(vocabulary, train_set.texts)
    assert chosen is not None

    def heard(index: int, number: int) -> Waveform:
        return augment(train_set.clips.waveform(index), chosen, lambda samples: num_frames(model, np.array([samples]))[0] >= needed[index],
                       np.random.default_rng([config.seed, 2, number, index]), train_set.clips.normalise)

    return heard


