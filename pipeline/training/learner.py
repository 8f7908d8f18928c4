"""A model set up for training: freezing, masks, adapters, replicas, optimiser, moving average, and one optimiser step.

`Trainer` uses it on the training set; the search for a batch size uses it on noise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import torch
from transformers import Wav2Vec2ForCTC

from pipeline.batching.waveforms import Waveform
from pipeline.decoding.forward import decode_all
from pipeline.decoding.greedy import decode
from pipeline.model.device import threads
from pipeline.model.geometry import frame_duration_s
from pipeline.model.vocabulary import Vocabulary
from pipeline.training.acceleration import autocast, compile_blocks
from pipeline.training.config import RunConfig
from pipeline.training.distributed import ProcessGroup
from pipeline.training.ema import ExponentialMovingAverage
from pipeline.training.freezing import FreezingSchedule
from pipeline.training.loader import LoadedBatch
from pipeline.training.lora import add_adapters, merge_adapters
from pipeline.training.masking import Masking
from pipeline.training.optimiser import Optimiser
from pipeline.training.replicas import Replicas, SubBatch


@dataclass(frozen=True, slots=True)
class StepResult:
    """The outcome of a step: its loss, over all processes, and the norm of its gradient before clipping."""

    loss: float
    norm: float

    @property
    def is_finite(self) -> bool:
        """Whether loss and norm are finite; otherwise the step has changed no weight."""
        return math.isfinite(self.loss + self.norm)


class Learner:
    """A model set up for training, in place, and its optimiser step.

    Args:
        model: on its device.
        config: of the run.
        label: the stage, for messages.
        device: where the model is.
        group: the processes of the training.

    Raises:
        ParamsError: `lora.target_modules` are none of the model's.
        TrainingError: `compile` is not possible here.
    """

    def __init__(self, model: Wav2Vec2ForCTC, config: RunConfig, label: str, device: torch.device, group: ProcessGroup) -> None:
        self.model, self.config, self.device, self.group = model, config, device, group
        if config.freeze_feature_encoder:
            model.freeze_feature_encoder()
        if config.gradient_checkpointing:
            model.activation_checkpointing_enable()
        self.masking = Masking(model, config)
        if config.lora is not None:
            add_adapters(model, config.lora, config.seed)
        self.replicas = Replicas(model, config.replicas if device.type == "cpu" and not draws_random_numbers(model) else 1)
        self.optimiser, self.ema = Optimiser(model, config), ExponentialMovingAverage(model, config.ema)
        if config.compile:
            compile_blocks(model, len(self.replicas), label)
        self.freezing = FreezingSchedule(self.replicas.models, config)

    def step(self, batches: Iterable[LoadedBatch]) -> StepResult:
        """Take one optimiser step over some batches; a step with a non-finite loss or gradient changes no weight.

        Args:
            batches: as many as `accumulate`; the next one is requested after the backward pass of the one before it.
        """
        loss = 0.0
        for batch in batches:
            loss += self.replicas.backward(batch.parts, partial(self.loss, utterances=batch.utterances))
        self.group.all_reduce_gradients(self.model.parameters())
        loss = sum(self.group.gather(loss))
        norm = float(torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip_norm))
        result = StepResult(loss, norm)
        if result.is_finite:
            self.optimiser.step()
            self.ema.update()
        else:
            self.optimiser.zero_grad()
        return result

    def loss(self, replica: Wav2Vec2ForCTC, part: SubBatch, utterances: int) -> torch.Tensor:
        """Return a part's share of the loss of a step: the mean over all utterances of all accumulated batches.

        Args:
            replica: computes the loss.
            part: the tensors of some utterances.
            utterances: number of utterances in the whole batch.
        """
        waveform_BS, mask_BS, labels_BU = (tensor.to(self.device, non_blocking=True) for tensor in part)
        self.masking.skip_short(waveform_BS.shape[1])
        with autocast(self.device, self.config.precision):
            mean = replica(waveform_BS, attention_mask=mask_BS, labels=labels_BU).loss
        return mean * (len(labels_BU) / utterances / self.config.accumulate)

    def transcribe(self, vocabulary: Vocabulary, waveform: Callable[[int], Waveform], duration_s: npt.NDArray[np.float64],
                   budget_s: float) -> list[str]:
        """Return greedy hypotheses of utterances, in order; afterwards the replicas are in training mode.

        Args:
            vocabulary: of the model.
            waveform: returns an utterance's waveform, (S,); called in several threads.
            duration_s: lengths, (N,).
            budget_s: padded seconds of audio per batch of a training; without gradients batches are four times as large.
        """
        self.model.eval()
        frame_s = frame_duration_s(self.model)
        with threads(self.config.threads * len(self.replicas)):
            texts = decode_all(self.model, lambda logits_TV: decode(logits_TV, vocabulary, frame_s).text, waveform, duration_s, 4 * budget_s)
        self.replicas.train()
        return texts

    def finish(self) -> None:
        """End the threads and make the moving average the model's weights; adapters are still separate."""
        self.replicas.close()
        self.masking.restore_config()
        self.ema.copy_to_model()

    def merge(self) -> Wav2Vec2ForCTC:
        """Return the plain model in evaluation mode, its adapters merged."""
        if self.config.lora is not None:
            merge_adapters(self.model)
        return self.model.eval()


def draws_random_numbers(model: Wav2Vec2ForCTC) -> bool:
    """Return whether a training pass draws random numbers: threads would then share one generator in no fixed order."""
    config = model.config
    names = ("hidden_dropout", "attention_dropout", "activation_dropout", "feat_proj_dropout", "final_dropout", "layerdrop")
    masks = config.apply_spec_augment and (config.mask_time_prob > 0 or config.mask_feature_prob > 0)
    return masks or any(getattr(config, name) > 0 for name in names) or any(
        name.endswith(".lora_dropout.default") and isinstance(module, torch.nn.Dropout) for name, module in model.named_modules())
