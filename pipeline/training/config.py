"""How a model is trained: the part of params.yaml that `donor` and `train` share. No torch here."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from pipeline.core.params import Section

Precision = Literal["auto", "fp32", "bf16"]


class SpecAugment(Section):
    """Masks on what the convolutions heard, in place of those that the model's configuration asks for."""

    time_prob: float = Field(0.05, ge=0, lt=1, description="share of the frames that are masked")
    time_length: int = Field(10, ge=1, description="frames a mask")
    feature_prob: float = Field(0.0, ge=0, lt=1, description="share of the channels that are masked")
    feature_length: int = Field(10, ge=1, description="channels a mask")
    from_step: int = Field(0, ge=0, description="first step with masks, counted from 0")
    until_step: int | None = Field(None, ge=1, description="first step without them again")


class Augment(Section):
    """Changes to the audio of the training set; each is a range to draw from, or left out."""

    rate: float = Field(0.5, gt=0, le=1, description="share of the utterances to which each change is made, drawn for each change anew")
    speed: tuple[float, float] | None = Field(None, description="tempo and pitch, in steps of 0.05; (0.9, 1.1) is usual")
    rt60_s: tuple[float, float] | None = Field(None, description="time in which a room's echo falls by 60 dB; (0.2, 0.6) are living rooms")
    drr_db: float = Field(6.0, description="direct sound over the echo")
    snr_db: tuple[float, float] | None = Field(None, description="speech over pink noise")

    @model_validator(mode="after")
    def _ranges(self) -> Augment:
        for name, low, high in (("speed", 0.5, 2.0), ("rt60_s", 0.02, 3.0), ("snr_db", -10.0, 60.0)):
            pair = getattr(self, name)
            if pair is not None and not low <= pair[0] <= pair[1] <= high:
                raise ValueError(f"{name}: found {list(pair)}; expected two numbers, the lower first, from {low:g} to {high:g}")
        return self


class Lora(Section):
    """Adapters of low rank beside the encoder's matrices: these and the head train, the donor's own weights stay (Hu et al. 2022).

    Freezing schedules and rates by depth are then those of the adapters; they move by AdamW whatever the optimiser.
    """

    rank: int = Field(8, ge=1, description="of an adapter")
    alpha: float = Field(16.0, gt=0, description="what an adapter adds is scaled by alpha / rank")
    dropout: float = Field(0.0, ge=0, lt=1, description="share of an adapter's input that is dropped in training")
    target_modules: tuple[str, ...] = Field(("q_proj", "k_proj", "v_proj", "out_proj", "intermediate_dense", "output_dense"), min_length=1,
                                            description="matrices of each block that get one: all of attention and feed-forward by default")


class TrainingConfig(Section):
    """Times are seconds of audio and rates are per step, unless the description says otherwise."""

    batch_s: float = Field(gt=0, description="padded seconds of audio in a batch, for each process: the most, or the mean where replicas share it")
    accumulate: int = Field(1, ge=1, description="batches a step")
    decay: Literal["cosine", "linear"] = Field("cosine", description="shape of the rate after the warm-up")
    final_rate: float = Field(0.02, ge=0, le=1, description="share of the peak rate at the last step")
    weight_decay: float = Field(0.01, ge=0, description="on matrices alone, not on biases and norms")
    head_rate_factor: float = Field(1.0, gt=0, description="rate of the head over that of the rest")
    clip_norm: float = Field(1.0, gt=0, description="largest norm of the gradient")
    freeze_feature_encoder: bool = Field(False, description="leave the convolutions as they are (usual for large donors)")
    freeze_encoder_steps: int = Field(0, ge=0, description="steps at the start in which the head alone moves")
    unfreeze_every: int = Field(0, ge=0, description="then one more block of the encoder moves every so many steps, from the top; 0: all at once")
    layer_decay: float = Field(1.0, gt=0, le=1, description="rate of a block over that of the block above it")
    reinit_top_layers: int = Field(0, ge=0, description="blocks at the encoder's top that start with fresh weights")
    lora: Lora | None = Field(None, description="adapters in place of the donor's own weights; left out: these move")
    spec_augment: SpecAugment | None = Field(None, description="masks; left out: as the model's configuration has them, at every step")
    augment: Augment | None = Field(None, description="changes to the training audio; left out: none")
    max_skipped: int = Field(10, ge=0, description="steps without a finite loss or gradient that are passed over before the run stops")
    gradient_checkpointing: bool = Field(False, description="trade a third more time for much less memory")
    compile: bool = Field(False, description="compile the encoder's blocks (torch.compile, any length); costs a minute or two at the start and needs "
                                             "a C++ compiler, and on a CPU replicas: 1")
    precision: Precision = Field("auto", description="auto: bf16 on a GPU, fp32 on a CPU")
    optimiser: Literal["adamw", "muon"] = Field("adamw", description="muon: for the encoder's matrices; learns a small model faster")
    processes: int = Field(1, ge=1, description="that share each batch of so many times batch_s, a GPU each (or CPU cores); started by torchrun")
    replicas: int = Field(1, ge=1, description="CPU threads that share a batch, each with a part of it (ignored on a GPU)")
    threads: int = Field(1, ge=1, description="CPU threads within one operation; fixed, as the order of float sums depends on it")
    evaluate_every: int = Field(100, ge=1, description="steps between looks at the development set")
    evaluate_hours: float = Field(0.1, gt=0, description="of the development set looked at on the way, its first hours")
    ema: float | None = Field(None, ge=0, lt=1, description="decay of a running mean of the weights, which is evaluated and kept in their place; "
                                                            "0.999 and 0.9999 are usual; left out: none")
    keep: Literal["last", "best"] = Field("last", description="which weights are the result: of the last step, or of the evaluation with the lowest "
                                                              "dev WER, by CER among equals, on the evaluate_hours looked at")
    patience: int | None = Field(None, ge=1, description="evaluations in a row, none better than the best before them (by the same measure), after "
                                                         "which the run ends; left out: it goes through all steps")
    checkpoint_s: float = Field(20.0, ge=0, description="wall seconds between writes of the resume state")

    @model_validator(mode="after")
    def _adapters_on_what_was_learned(self) -> TrainingConfig:
        if self.lora is not None and self.reinit_top_layers:
            raise ValueError(f"lora beside reinit_top_layers: {self.reinit_top_layers}; expected one of them: blocks with fresh weights have to move themselves")
        return self


TRANSFER_ONLY = ("freeze_feature_encoder", "freeze_encoder_steps", "unfreeze_every", "layer_decay", "reinit_top_layers", "lora")
"""What only makes sense on weights that have learned something: from nothing, everything has to learn."""


def without_donor_settings(config: TrainingConfig) -> TrainingConfig:
    """Return a config as it is for a model without a donor."""
    return config.model_copy(update={name: TrainingConfig.model_fields[name].default for name in TRANSFER_ONLY})


class Run(TrainingConfig):
    """One training run: a recipe with the values that differ between systems."""

    steps: int = Field(ge=1)
    peak_rate: float = Field(gt=0, lt=1, description="learning rate after the warm-up")
    warmup_steps: int = Field(ge=0)
    seed: int = Field(ge=0, description="of the order of the data and of fresh weights")
