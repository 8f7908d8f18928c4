"""A Portuguese model: from the donor (transfer), or from scratch with the same data, as its baseline.

Reads:  data/split/portuguese (or the utterances that `align` kept of it), data/tokenise/portuguese/vocabulary.json, data/donor (for a
        system from scratch only its config.json) or another start
Writes: data/train/SYSTEM/ (model, vizinho.json, history.csv, trained_on.parquet); data/timing/train/SYSTEM/
Params: train.seed, train.split, train.steps, train.head, train.config, train.systems.SYSTEM
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd
from pydantic import Field

from pipeline.core.errors import ParamsError
from pipeline.core.files import read_json, read_table
from pipeline.core.params import Section, load_section
from pipeline.core.progress import log
from pipeline.core.stage import stage_main
from pipeline.training.config import RunConfig, TrainingConfig, without_donor_settings
from pipeline.training.distributed import launch_distributed

if TYPE_CHECKING:
    from pipeline.model.vocabulary import Vocabulary

VOCABULARY = Path("data/tokenise/portuguese/vocabulary.json")
OUTPUT = Path("data/train")


class System(Section):
    """The settings that differ between systems: each has its own best learning rate and warm-up."""

    starts_from: str = Field(description="folder of a model or of a published checkpoint; or a config.json: that shape with fresh weights")
    head: Literal["base_letter", "random", "fresh"] | None = Field(None, description="instead of train.head; fresh where the start has no head")
    steps_factor: float = Field(1.0, gt=0, description="times train.steps")
    peak_rate: float = Field(gt=0, lt=1, description="learning rate after the warm-up")
    warmup_steps: int = Field(ge=0)


class Train(Section):
    """Params of the stage."""

    seed: int = Field(ge=0)
    split: Literal["data/split/portuguese", "data/align/portuguese"] = Field(
        "data/split/portuguese", description="training data: the split, or the utterances that the stage `align` kept of it; a dep in dvc.yaml")
    steps: int = Field(ge=1, description="optimiser steps of a system whose steps_factor is 1")
    head: Literal["base_letter", "random", "fresh"] = Field(
        description="rows of the new head: copied for shared symbols and from the base letter for new letters; copied or random; all random")
    config: TrainingConfig
    systems: dict[str, System]


@dataclass(frozen=True, slots=True)
class Donor:
    """The model that a system starts from.

    Args:
        model: a Wav2Vec2ForCTC with its own head.
        vocabulary: of its head.
        hashes: `weights_hash` and `vocabulary_hash`.
        has_fresh_head: whether it was published without a head, so that its head has random weights.
        trained_on: what it was trained on, None if unknown.
    """

    model: Any
    vocabulary: Vocabulary
    hashes: dict[str, str]
    has_fresh_head: bool
    trained_on: pd.DataFrame | None


def run(system: str) -> None:
    """Train one system and write its model folder.

    Args:
        system: a key of train.systems.

    Raises:
        ParamsError: the params have no such system, or do not fit its start.
    """
    params = load_section(Train, "train")
    if system not in params.systems:
        raise ParamsError("params.yaml", [f"train.systems: no {system!r}; found {', '.join(params.systems)}"])
    launch_distributed("pipeline.train", [system], params.config.processes)
    from pipeline.model.vocabulary import Vocabulary
    from pipeline.scoring.counts import error_rates
    from pipeline.training.fit import fit

    settings, vocabulary = params.systems[system], Vocabulary.read(VOCABULARY)
    start, config, trained_on = Path(settings.starts_from), params.config, None
    if start.is_dir():
        donor = read_donor(start, params.seed)
        model, origin = transfer(donor, vocabulary, system, params)
        trained_on = donor.trained_on
    else:
        model, origin = from_scratch(start, vocabulary, params.seed)
        config = without_donor_settings(config)
    run_config = RunConfig(**config.model_dump(), steps=round(params.steps * settings.steps_factor), peak_rate=settings.peak_rate,
                           warmup_steps=settings.warmup_steps, seed=params.seed)
    alignment = Path(params.split) / "alignment.json"
    record = {"system": system, "split": params.split, "alignment": read_json(alignment) if alignment.exists() else None,
              "starts_from": settings.starts_from, **origin}
    fit(model, vocabulary, Path(params.split), run_config, OUTPUT / system, f"train@{system}", error_rates, record, trained_on)


def read_donor(start: Path, seed: int) -> Donor:
    """Return the model in a folder: one of this project, or a published checkpoint.

    Args:
        start: the folder.
        seed: of a fresh head, for a checkpoint without one.

    Raises:
        MissingInputError: the folder has no model.
        VocabularyError: weights and vocabulary do not match.
    """
    from pipeline.model.artifact import RECORD, load_model
    from pipeline.model.checkpoint import read_checkpoint
    from pipeline.model.provenance import TRAINED_ON

    if (start / RECORD).exists() or not (start / "config.json").exists():
        model, vocabulary, record = load_model(start)
        origin = record.get("origin")
        return Donor(model, vocabulary, {key: record[key] for key in ("weights_hash", "vocabulary_hash")},
                     isinstance(origin, dict) and origin.get("head") == "fresh", read_table(start / TRAINED_ON))
    model, vocabulary, origin = read_checkpoint(start, headless=VOCABULARY, seed=seed)
    return Donor(model, vocabulary, {"weights_hash": origin["weights_sha256"], "vocabulary_hash": vocabulary.hash}, origin["head"] == "fresh", None)


def transfer(donor: Donor, vocabulary: Vocabulary, system: str, params: Train) -> tuple[Any, dict[str, Any]]:
    """Return the donor's model, changed in place, with a head for another vocabulary; and the record of its origin.

    Args:
        donor: the model to start from.
        vocabulary: of the new head.
        system: a key of train.systems.
        params: of the stage.

    Raises:
        ParamsError: rows would be copied from a donor without a trained head, or the encoder has fewer blocks than reinit_top_layers.
    """
    from pipeline.model.head import head_record, head_table, plan_head, transfer_head
    from pipeline.training.freezing import reinitialise_top_layers

    settings, model = params.systems[system], donor.model
    if (head := settings.head or params.head) != "fresh" and donor.has_fresh_head:
        key = f"train.systems.{system}.head" if settings.head else "train.head"
        raise ParamsError("params.yaml", [f"{key}: found {head!r}; {settings.starts_from} came without a head, so no row can be copied; "
                                          "expected 'fresh'"])
    plan = plan_head(donor.vocabulary, vocabulary, head)
    log(f"{system}: head transferred from {settings.starts_from} ({head}):\n{head_table(plan, donor.vocabulary)}")
    model.lm_head = transfer_head(model.lm_head, plan, model.config.output_hidden_size, model.config.initializer_range, params.seed)
    model.config.update({"vocab_size": len(plan), "pad_token_id": vocabulary.blank_row})
    reinitialise_top_layers(model, params.config.reinit_top_layers, params.seed)
    return model, {**head_record(plan, donor.vocabulary, head), "donor": donor.hashes}


def from_scratch(config: Path, vocabulary: Vocabulary, seed: int) -> tuple[Any, dict[str, Any]]:
    """Return a model with fresh weights, and the record of its origin.

    Args:
        config: a config.json, for the shape of the model.
        vocabulary: of the head.
        seed: of the weights.

    Raises:
        MissingInputError: there is no such file.
    """
    from pipeline.model.artifact import fresh_model

    return fresh_model(read_json(config), vocabulary, seed), {"head": None, "head_plan": None, "donor": None}


if __name__ == "__main__":
    stage_main(run)
