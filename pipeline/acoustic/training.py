"""The training loop: deterministic, resumable at any point, never waiting for data."""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from transformers import Wav2Vec2ForCTC

from pipeline.acoustic.averaging import Averaging
from pipeline.acoustic.batching import Schedule, epoch_batches, padding_share
from pipeline.acoustic.clips import Clips, Waveform
from pipeline.acoustic.decoding import decode_all, num_frames
from pipeline.acoustic.device import autocast, choose_device, compile_blocks, exclusive, figures_of, set_threads, threads
from pipeline.acoustic.freezing import Freezing
from pipeline.acoustic.guards import note_blanks, pass_over, wishes
from pipeline.acoustic.live import Note, Watch, silent
from pipeline.acoustic.loading import Loader
from pipeline.acoustic.lora import adapt, merge
from pipeline.acoustic.masking import Masking
from pipeline.acoustic.optimiser import Optimiser
from pipeline.acoustic.parallel import Team
from pipeline.acoustic.preflight import labels_needed
from pipeline.acoustic.recipe import Run
from pipeline.acoustic.replicas import Part, Replicas
from pipeline.acoustic.selection import Selection, best, gives_up
from pipeline.acoustic.vocabulary import Vocabulary
from pipeline.core.errors import TrainingError
from pipeline.core.files import atomic
from pipeline.core.progress import bar, say

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


def rate_at(step: int, recipe: Run) -> float:
    """Return the learning rate's share of its peak at a step, counted from 0: linear warm-up, then the decay."""
    if step < recipe.warmup_steps:
        return (step + 1) / recipe.warmup_steps
    progress = (step - recipe.warmup_steps) / max(1, recipe.steps - 1 - recipe.warmup_steps)
    falling = 0.5 * (1.0 + math.cos(math.pi * progress)) if recipe.decay == "cosine" else 1.0 - progress
    return recipe.final_rate + (1.0 - recipe.final_rate) * falling


def train(model: Wav2Vec2ForCTC, vocabulary: Vocabulary, train_set: Utterances, dev_set: Utterances, recipe: Run,
          resume: Path, error_rates: ErrorRates, label: str, note: Note = silent) -> pd.DataFrame:
    """Train `model` in place and return its history, a row an evaluation.

    The run is a function of the model's weights, the data and the recipe: the batch of a step does not depend on how
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
    set_threads(recipe.threads)
    device, team = choose_device(), Team.joined()

    def held() -> AbstractContextManager[None]:
        if device.type == "cpu" and not team.leads:  # the first one has asked for the cores of all
            return nullcontext()
        return exclusive(device, recipe.threads * recipe.replicas * team.size)

    with team.in_turn(held):
        return _train(model.to(device), vocabulary, train_set, dev_set, recipe, resume, error_rates, label, note, device, team)


def draws_at_random(model: Wav2Vec2ForCTC) -> bool:
    """Return whether a training pass draws random numbers: threads would then share one generator in no fixed order."""
    config = model.config
    names = ("hidden_dropout", "attention_dropout", "activation_dropout", "feat_proj_dropout", "final_dropout", "layerdrop")
    masks = config.apply_spec_augment and (config.mask_time_prob > 0 or config.mask_feature_prob > 0)
    return masks or any(getattr(config, name) > 0 for name in names) or any(
        name.endswith(".lora_dropout.default") and isinstance(module, torch.nn.Dropout) for name, module in model.named_modules())


def forget(resume: Path) -> None:
    """Remove a finished run's resume state."""
    shutil.rmtree(resume, ignore_errors=True)


def _train(model: Wav2Vec2ForCTC, vocabulary: Vocabulary, train_set: Utterances, dev_set: Utterances, recipe: Run,
           resume: Path, error_rates: ErrorRates, label: str, note: Note, device: torch.device, team: Team) -> pd.DataFrame:
    if recipe.freeze_feature_encoder:
        model.freeze_feature_encoder()
    if recipe.gradient_checkpointing:
        model.activation_checkpointing_enable()
    masking = Masking(model, recipe)
    if recipe.lora is not None:
        adapt(model, recipe.lora, recipe.seed)
    replicas = Replicas(model, recipe.replicas if device.type == "cpu" and not draws_at_random(model) else 1)
    optimiser, averaging, selection = Optimiser(model, recipe), Averaging(model, recipe.ema), Selection(model, recipe.keep)
    watch = Watch(recipe.evaluate_every, note)
    parts_of_state = {"model": model, "optimiser": optimiser, "average": averaging, "best": selection, "watch": watch}
    if recipe.compile:
        compile_blocks(model, len(replicas), label)
    freezing, blocks = Freezing(replicas.models, recipe), model.config.num_hidden_layers
    budget_s = recipe.batch_s * team.size
    schedule = Schedule(train_set.duration_s, budget_s, recipe.seed, len(replicas))
    dev_indices = first_hours(dev_set.duration_s, recipe.evaluate_hours)
    my_dev_indices = dev_indices[team.rank::team.size]
    references = [dev_set.texts[index] for index in dev_indices]
    encoded = [vocabulary.encode(text) for text in train_set.texts]

    state = _restore(resume, parts_of_state)
    if len(set(steps := team.gather(state["step"]))) > 1:
        raise TrainingError(str(resume), f"processes that stand at steps {', '.join(map(str, steps))}", "one state for all",
                            "let VIZINHO_STATE be a folder that all machines see")
    random = np.random.default_rng([recipe.seed, 1, team.rank] if team.rank else [recipe.seed, 1])
    np.random.seed(int(random.integers(1 << 31)))
    torch.manual_seed(int(random.integers(1 << 31)) if team.rank else recipe.seed)
    if state["step"]:
        say(f"{label}: resumed at step {state['step']} of {recipe.steps}")
        _set_random_state(state["random"][team.rank])
    else:
        batches = epoch_batches(train_set.duration_s, budget_s, recipe.seed, 0, len(replicas))
        say(f"{label}: {recipe.steps} steps of {budget_s * recipe.accumulate:g} s on {train_set.duration_s.sum() / 3600:.2f} hours "
            f"({len(batches) / recipe.accumulate:.0f} steps an epoch, padding {padding_share(train_set.duration_s, batches):.1%}), "
            + (f"{team.size} processes, {device.type}" if team.size > 1 else str(device)))

    heard = _augmented(model, vocabulary, train_set, recipe) if recipe.augment else lambda index, _: train_set.clips.waveform(index)

    def loss_of(replica: Wav2Vec2ForCTC, part: Part, utterances: int) -> torch.Tensor:
        waveform_BS, mask_BS, labels_BU = (tensor.to(device, non_blocking=True) for tensor in part)
        masking.fit(waveform_BS.shape[1])
        with autocast(device, recipe.precision):
            mean = replica(waveform_BS, attention_mask=mask_BS, labels=labels_BU).loss
        return mean * (len(labels_BU) / utterances / recipe.accumulate)

    def culprits(step: int) -> list[str]:
        """Return which utterances of a step have a loss of their own that is no number; all of them if each has one."""
        asked = [(int(index), number) for number in range(step * recipe.accumulate, (step + 1) * recipe.accumulate) for index in schedule[number]]
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
    first, seconds_before = state["step"] * recipe.accumulate, state["seconds"]
    losses = state["losses"]
    loader = Loader(train_set.clips, heard, encoded, train_set.duration_s, schedule, team.share, len(replicas), device,
                    first, recipe.steps * recipe.accumulate)
    with wishes(team.size == 1) as wish, loader, bar(recipe.steps, "step", label) as progress:
        progress.update(state["step"])
        watch.begin()
        for step in range(state["step"], recipe.steps):
            optimiser.set_rate(rate_at(step, recipe))
            if step in freezing.changes:
                deep = freezing.apply(step)
                say(f"{label}: from step {step + 1} on the head and {min(deep, blocks)} of {blocks} blocks move"
                    + (", and what is below them" if deep > blocks else ""))
            if step in masking.changes:
                say(f"{label}: from step {step + 1} on {'parts of the input are masked' if masking.apply(step) else 'nothing is masked'}")
            loss_sum, audio_before = 0.0, state["audio_s"]
            for _ in range(recipe.accumulate):
                parts, utterances, audio_s = loader.take()
                loss_sum += replicas.backward(parts, partial(loss_of, utterances=utterances))
                state["audio_s"] += audio_s
            team.add_gradients([weight for weight in model.parameters() if weight.requires_grad])
            loss_sum = sum(team.gather(loss_sum))
            norm = float(torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.clip_norm))
            if math.isfinite(loss_sum + norm):
                optimiser.step()
                averaging.update()
                losses.append(loss_sum)
                watch.add(loss_sum, state["audio_s"] - audio_before)
            else:
                optimiser.forget()
                pass_over(state["skipped"], step, loss_sum, norm, culprits(step), recipe.max_skipped, label)
                watch.add(None, state["audio_s"] - audio_before)
            progress.update(1)
            done = step + 1
            if look := done % recipe.evaluate_every == 0 or done == recipe.steps:
                model.eval()
                with threads(recipe.threads * len(replicas)), averaging.applied():
                    decoded = decode_all(model, vocabulary, lambda index: dev_set.clips.waveform(int(my_dev_indices[index])),
                                         dev_set.duration_s[my_dev_indices], 4 * recipe.batch_s)
                replicas.train()
                hypotheses = [""] * len(references)
                for rank, found in enumerate(team.gather([one.text for one in decoded])):
                    hypotheses[rank::team.size] = found
                wer, cer = error_rates(references, hypotheses)
                elapsed = time.perf_counter() - began
                state["history"].append({
                    "step": done, "seconds": round(seconds_before + elapsed, 2), "audio_s": round(state["audio_s"], 1),
                    "learning_rate": recipe.peak_rate * rate_at(step, recipe), "loss": sum(losses) / len(losses) if losses else math.nan,
                    "dev_wer": wer, "dev_cer": cer, "waiting": round(loader.waited / elapsed, 4), "skipped": len(state["skipped"])})
                say(f"{label}: step {done}, loss {state['history'][-1]['loss']:.3f}, dev CER {cer:.4f}, WER {wer:.4f}, "
                    f"{seconds_before + elapsed:.0f} s")
                state["blanks"] = note_blanks(hypotheses, state["blanks"], state["history"][-1]["loss"], label)
                losses.clear()
                progress.set_postfix_str(watch.tell(done, recipe.peak_rate * rate_at(step, recipe), loader.waited,
                                                    {"dev_wer": wer, "dev_cer": cer, **figures_of(device)}))
                with averaging.applied():
                    selection.note(state["history"])
                if done < recipe.steps and gives_up(state["history"], recipe.patience):
                    top = state["history"][best(state["history"])]
                    say(f"{label}: ended early at step {done} of {recipe.steps}: {recipe.patience} evaluation{'s' * (recipe.patience != 1)} no "
                        f"better than that of step {top['step']} (dev WER {top['dev_wer']:.4f}, CER {top['dev_cer']:.4f})")
                    break
            if not look and watch.due(done):
                progress.set_postfix_str(watch.tell(done, recipe.peak_rate * rate_at(step, recipe), loader.waited, figures_of(device)))
            asks = team.gather((wish.number or 0, team.leads and time.perf_counter() - saved_at > recipe.checkpoint_s))
            if done < recipe.steps and any(number or due for number, due in asks):
                state.update(step=done, seconds=seconds_before + time.perf_counter() - began, losses=losses, random=team.gather(_random_state()))
                if team.leads:
                    _save(resume, parts_of_state, state)
                saved_at = time.perf_counter()
                if number := max(number for number, _ in asks):
                    team.gather(None)  # written before anybody goes
                    say(f"{label}: interrupted at step {done} of {recipe.steps}; run it again to go on from there")
                    raise SystemExit(128 + number)  # as a shell tells it
    replicas.close()
    masking.close()
    averaging.settle()
    kept = selection.settle(state["history"])
    if recipe.lora is not None:
        merge(model)
    model.eval()
    history = pd.DataFrame(state["history"])
    return history.assign(kept=(history.index == kept).astype(int))


def _augmented(model: Wav2Vec2ForCTC, vocabulary: Vocabulary, train_set: Utterances, recipe: Run) -> Callable[[int, int], Waveform]:
    """Return what gives an utterance of a batch, by their numbers, as the recipe changes it."""
    from pipeline.acoustic.augmentation import augment

    chosen, needed = recipe.augment, labels_needed(vocabulary, train_set.texts)
    assert chosen is not None

    def heard(index: int, number: int) -> Waveform:
        return augment(train_set.clips.waveform(index), chosen, lambda samples: num_frames(model, np.array([samples]))[0] >= needed[index],
                       np.random.default_rng([recipe.seed, 2, number, index]), train_set.clips.normalise)

    return heard


def _random_state() -> dict[str, Any]:
    kind, keys, position, has_gauss, gauss = np.random.get_state()  # transformers' SpecAugment draws from it
    return {"numpy": [kind, torch.from_numpy(np.asarray(keys).astype(np.int64)), position, has_gauss, gauss], "torch": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state_all()}  # empty where there is no GPU; dropout there draws from it


def _set_random_state(state: dict[str, Any]) -> None:
    kind, keys, position, has_gauss, gauss = state["numpy"]
    np.random.set_state((kind, keys.numpy().astype(np.uint32), position, has_gauss, gauss))
    torch.set_rng_state(state["torch"])
    torch.cuda.set_rng_state_all(state["cuda"])


class _Part(Protocol):
    """What a resumed run takes up where it was."""

    def state_dict(self) -> Any: ...

    def load_state_dict(self, state: Any, /) -> Any: ...


def _save(resume: Path, parts: Mapping[str, _Part], state: dict[str, Any]) -> None:
    kept = {"state": state, **{name: part.state_dict() for name, part in parts.items()}}
    try:
        with atomic(resume / "state.pt") as temporary, open(temporary, "wb") as handle:
            torch.save(kept, handle)
    except (OSError, RuntimeError) as error:  # torch hides what the disk said behind an error of its own
        told = error if isinstance(error, OSError) else error.__context__
        if not isinstance(told, OSError):
            raise
        times = 3 + bool(kept["average"]["means"]) + bool(kept["best"])  # weights, what the optimiser keeps of each, their mean, the best
        size = sum(tensor.nbytes for tensor in kept["model"].values()) * times
        raise TrainingError(str(resume / "state.pt"), f"cannot be written ({told.strerror})", f"{size / 1e6:.0f} MB of room on that disk",
                            "make room or set VIZINHO_STATE to another disk, and run it again: the checkpoint before it is whole") from None


def _restore(resume: Path, parts: Mapping[str, _Part]) -> dict[str, Any]:
    path = resume / "state.pt"
    if not path.exists():
        return {"step": 0, "seconds": 0.0, "audio_s": 0.0, "losses": [], "history": [], "random": {}, "skipped": [], "blanks": 0}
    kept = torch.load(path, weights_only=True, map_location="cpu")
    for name, part in parts.items():
        part.load_state_dict(kept[name])
    return dict(kept["state"])
