"""The training config: the part of params.yaml that `donor` and `train` share. No torch here."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from pipeline.core.params import Section

Precision = Literal["auto", "fp32", "bf16"]


class SpecAugment(Section):
    """Masks on the convolutions' output, instead of those in the model's configuration."""

    time_prob: float = Field(0.05, ge=0, lt=1, description="share of the frames that are masked")
    time_length: int = Field(10, ge=1, description="frames per mask")
    feature_prob: float = Field(0.0, ge=0, lt=1, description="share of the channels that are masked")
    feature_length: int = Field(10, ge=1, description="channels per mask")
    from_step: int = Field(0, ge=0, description="first step with masks, counted from 0")
    until_step: int | None = Field(None, ge=1, description="first step without masks again")


class Augment(Section):
    """Augmentation: changes to the audio of the training set; each is a range to draw from, or is left out."""

    rate: float = Field(0.5, gt=0, le=1, description="share of the utterances to which each change is made; each change is drawn separately")
    speed: tuple[float, float] | None = Field(None, description="tempo and pitch, in steps of 0.05; (0.9, 1.1) is usual")
    rt60_s: tuple[float, float] | None = Field(None, description="time in which reverberation falls by 60 dB; (0.2, 0.6) are living rooms")
    drr_db: float = Field(6.0, description="direct sound over reverberation")
    snr_db: tuple[float, float] | None = Field(None, description="speech over pink noise")
    edge_s: float | None = Field(None, gt=0, le=1, description="each end is cut, or lengthened by its mirror image, by up to this; parts of a "
                                                               "recording have other ends than training utterances")

    @model_validator(mode="after")
    def _ranges(self) -> Augment:
        for name, low, high in (("speed", 0.5, 2.0), ("rt60_s", 0.02, 3.0), ("snr_db", -10.0, 60.0)):
            pair = getattr(self, name)
            if pair is not None and not low <= pair[0] <= pair[1] <= high:
                raise ValueError(f"{name}: found {list(pair)}; expected two numbers, the lower first, from {low:g} to {high:g}")
        return self


class Lora(Section):
    """Low-rank adapters (LoRA) beside the encoder's matrices: adapters and head are trained, the donor's weights are frozen.

    Freezing schedules and layer-wise rates then apply to the adapters; AdamW trains them whatever `optimiser` is.

    Source: Hu et al., "LoRA: low-rank adaptation of large language models" (2022).
    """

    rank: int = Field(8, ge=1, description="of an adapter")
    alpha: float = Field(16.0, gt=0, description="an adapter's output is scaled by alpha / rank")
    dropout: float = Field(0.0, ge=0, lt=1, description="share of an adapter's input that is dropped in training")
    target_modules: tuple[str, ...] = Field(("q_proj", "k_proj", "v_proj", "out_proj", "intermediate_dense", "output_dense"), min_length=1,
                                            description="matrices of each block with an adapter; by default all of attention and feed-forward")


class TrainingConfig(Section):
    """How a model is trained. Times are seconds of audio, unless the description states otherwise."""

    batch_s: float = Field(gt=0, description="padded seconds of audio in a batch of one process: the maximum, or the mean with several replicas")
    accumulate: int = Field(1, ge=1, description="batches per optimiser step")
    decay: Literal["cosine", "linear"] = Field("cosine", description="shape of the learning rate after the warm-up")
    final_rate: float = Field(0.02, ge=0, le=1, description="share of the peak rate at the last step")
    weight_decay: float = Field(0.01, ge=0, description="on matrices only, not on biases and norms")
    head_rate_factor: float = Field(1.0, gt=0, description="learning rate of the head over that of the rest")
    clip_norm: float = Field(1.0, gt=0, description="largest norm of the gradient; larger ones are scaled down")
    freeze_feature_encoder: bool = Field(False, description="freeze the convolutions (usual for large donors)")
    freeze_encoder_steps: int = Field(0, ge=0, description="first steps, in which only the head is trained")
    unfreeze_every: int = Field(0, ge=0, description="steps between unfreezing one block of the encoder and the next, from the top; 0: all at once")
    layer_decay: float = Field(1.0, gt=0, le=1, description="learning rate of a block over that of the block above it")
    reinit_top_layers: int = Field(0, ge=0, description="blocks at the encoder's top that start with fresh weights")
    lora: Lora | None = Field(None, description="train adapters instead of the donor's weights; left out: train the weights")
    spec_augment: SpecAugment | None = Field(None, description="masks; left out: those of the model's configuration, at every step")
    augment: Augment | None = Field(None, description="changes to the training audio; left out: none")
    max_skipped: int = Field(10, ge=0, description="steps with a non-finite loss or gradient that are skipped before the run fails")
    gradient_checkpointing: bool = Field(False, description="recompute activations in the backward pass: a third more time, much less memory")
    compile: bool = Field(False, description="compile the encoder's blocks (torch.compile, any length); takes a minute or two at the start, needs "
                                             "a C++ compiler, and on a CPU replicas: 1")
    precision: Precision = Field("auto", description="auto: bf16 on a GPU, fp32 on a CPU")
    optimiser: Literal["adamw", "muon"] = Field("adamw", description="muon: for the encoder's matrices; trains a small model faster")
    processes: int = Field(1, ge=1, description="number of processes, each with a GPU (or CPU cores) and batch_s of every batch; started by torchrun")
    replicas: int = Field(1, ge=1, description="data-parallel CPU threads, each with a part of every batch (ignored on a GPU)")
    threads: int = Field(1, ge=1, description="CPU threads within one operation; fixed, since the order of float sums depends on it")
    evaluate_every: int = Field(100, ge=1, description="steps between evaluations on the development set")
    evaluate_hours: float = Field(0.1, gt=0, description="first hours of the development set, used for evaluations")
    ema: float | None = Field(None, ge=0, lt=1, description="decay of the exponential moving average of the weights, which is evaluated and saved "
                                                            "instead of them; 0.999 and 0.9999 are usual; left out: none")
    keep: Literal["last", "best"] = Field("last", description="which weights are the result: those of the last step, or of the evaluation with the "
                                                              "lowest dev WER (by CER among equals) on evaluate_hours")
    patience: int | None = Field(None, ge=1, description="early stopping: evaluations in a row without an improvement (by dev WER, then CER) after "
                                                         "which the run ends; left out: all steps are taken")
    checkpoint_s: float = Field(20.0, ge=0, description="wall seconds between writes of the resume state")

    @model_validator(mode="after")
    def _no_adapters_on_fresh_blocks(self) -> TrainingConfig:
        if self.lora is not None and self.reinit_top_layers:
            raise ValueError(f"lora beside reinit_top_layers: {self.reinit_top_layers}; expected one of them: adapters would leave the "
                             "blocks with fresh weights frozen")
        return self


TRANSFER_ONLY = ("freeze_feature_encoder", "freeze_encoder_steps", "unfreeze_every", "layer_decay", "reinit_top_layers", "lora")
"""Settings that only make sense with a donor: a model trained from scratch has to train all of its weights."""


def without_donor_settings(config: TrainingConfig) -> TrainingConfig:
    """Return the config of a model without a donor: the settings in `TRANSFER_ONLY` have their defaults."""
    return config.model_copy(update={name: TrainingConfig.model_fields[name].default for name in TRANSFER_ONLY})


class RunConfig(TrainingConfig):
    """The config of one training run: a training config and the values that differ between systems."""

    steps: int = Field(ge=1)
    peak_rate: float = Field(gt=0, lt=1, description="learning rate after the warm-up")
    warmup_steps: int = Field(ge=0)
    seed: int = Field(ge=0, description="of the order of the data, of random draws and of fresh weights")
