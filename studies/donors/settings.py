"""The params of the study, `studies/donors/params.yaml`, and its folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Literal

from pydantic import Field, model_validator

from pipeline.core.files import ROOT
from pipeline.core.params import Section, load_section
from pipeline.training.config import TrainingConfig
from studies.donors.sentences import LANGUAGES

HERE: Final = Path("studies/donors")
"""Relative to the checkout, the working directory of every stage."""
SPEECH, DONORS, TRIALS, RESULTS = HERE / "data/speech", HERE / "data/donor", HERE / "data/trials", HERE / "results"
PARAMS: Final = ROOT / HERE / "params.yaml"
MULTILINGUAL, SCRATCH, WEAK = "multilingual", "scratch", "es_weak"
Snapshot = Literal["equal_cer", "equal_steps", "weak"]


class Speech(Section):
    """`speech`: the same for every donor language."""

    speakers: int = Field(ge=2, description="the same voices, rooms and noises in every language; sentence i is read by speaker i mod speakers")
    dev_speakers: int = Field(ge=1, description="the last of them")
    sentences: int = Field(ge=1, description="sentences read, before the cut to the hours")
    train_hours: float = Field(gt=0)
    dev_hours: float = Field(gt=0)
    seed: int = Field(ge=0, description="of sentences, voices, rooms and noises")
    portuguese_sentences: int = Field(ge=0, description="sentences after those of the default's corpus, of which its training speakers read theirs")


class Donor(Section):
    """`donor`: training at a constant rate with an average of the weights, so that one run gives every snapshot."""

    target_cer: float = Field(gt=0, lt=1, description="dev CER at which a donor is taken")
    steps: int = Field(ge=1, description="steps at which a donor is taken, whatever its CER; a multiple of config.evaluate_every")
    weak_steps: int = Field(ge=1, description="steps of the weaker Spanish donor; a multiple of config.evaluate_every")
    max_steps: int = Field(ge=1, description="the end, whether the target is reached or not")
    peak_rate: float = Field(gt=0, lt=1)
    warmup_steps: int = Field(ge=0)
    seed: int = Field(ge=0)
    config: TrainingConfig

    @model_validator(mode="after")
    def _evaluated(self) -> Donor:
        for name in ("steps", "weak_steps", "max_steps"):
            if getattr(self, name) % self.config.evaluate_every:
                raise ValueError(f"{name}: found {getattr(self, name)}; expected a multiple of config.evaluate_every")
        if self.steps > self.max_steps or self.weak_steps > self.max_steps:
            raise ValueError("steps and weak_steps: expected at most max_steps")
        return self


class Transfer(Section):
    """`transfer`: training in Portuguese, the same for every start."""

    steps: int = Field(ge=1)
    peak_rate: float = Field(gt=0, lt=1)
    warmup_steps: int = Field(ge=0)
    head: Literal["base_letter", "random", "fresh"]
    fixed_cer: float = Field(gt=0, lt=1, description="dev CER whose first step is reported")
    test_utterances: int = Field(ge=1, description="of the default's test split, drawn by hash")
    config: TrainingConfig


class Group(Section):
    """An entry of `trials`: one training from every start, with the same Portuguese and the same seed."""

    minutes: float = Field(gt=0, description="of Portuguese")
    seed: int = Field(ge=0, description="of the drawn utterances and of the training")
    snapshot: Snapshot = Field("equal_cer", description="which snapshot of a donor to start from")


class Results(Section):
    """`results`."""

    level: float = Field(gt=0, lt=1)
    resamples: int = Field(ge=100)
    seed: int = Field(ge=0)


def section(model: type[Any], *keys: str) -> Any:
    """Return a section of the study's params as `model`."""
    return load_section(model, *keys, path=PARAMS)


def donors() -> list[str]:
    """Return the codes of the donor languages."""
    return list(LANGUAGES)
