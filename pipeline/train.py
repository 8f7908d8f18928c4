"""A Portuguese model: from the donor (transfer), or from nothing (scratch, scratch_long) as its fair rivals.

Reads:  data/split/portuguese (or what `align` kept of it), data/tokenise/portuguese/vocabulary.json, data/donor (scratch: its
        config.json alone) or another start
Writes: data/train/SYSTEM/ (model, vizinho.json, history.csv, trained_on.parquet)
Params: train.seed, train.split, train.steps, train.head, train.config, train.systems.SYSTEM
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from pipeline.core.errors import ParamsError
from pipeline.core.files import read_json, read_table
from pipeline.core.params import Section, load_section
from pipeline.core.progress import log
from pipeline.core.stage import stage_main
from pipeline.training.config import Run, TrainingConfig, without_donor_settings
from pipeline.training.distributed import launch_distributed

VOCABULARY = Path("data/tokenise/portuguese/vocabulary.json")


class System(Section):
    """What differs between the systems: each has its own best rate and warm-up."""

    starts_from: str = Field(description="a model's folder; a checkpoint's as it was published; or a config.json: that shape with fresh weights")
    head: Literal["base_letter", "random", "fresh"] | None = Field(None, description="in place of train.head; fresh where the start has none")
    steps_factor: float = Field(1.0, gt=0, description="times train.steps")
    peak_rate: float = Field(gt=0, lt=1, description="learning rate after the warm-up")
    warmup_steps: int = Field(ge=0)


class Train(Section):
    """Params of the stage."""

    seed: int = Field(ge=0)
    split: Literal["data/split/portuguese", "data/align/portuguese"] = Field(
        "data/split/portuguese", description="what to learn from: the split, or what the stage `align` kept of it; a dep in dvc.yaml")
    steps: int = Field(ge=1, description="of transfer and scratch alike")
    head: Literal["base_letter", "random", "fresh"] = Field(
        description="the donor's head: shared symbols copied and new letters from their base letter, or drawn; or every row drawn")
    config: TrainingConfig
    systems: dict[str, System]


def run(system: str) -> None:
    """Train one system."""
    params = load_section(Train, "train")
    if system not in params.systems:
        raise ParamsError("params.yaml", [f"train.systems: no {system!r}; found {', '.join(params.systems)}"])
    if launch_distributed("pipeline.train", [system], params.config.processes):
        return
    from pipeline.model.artifact import RECORD, fresh_model, load_model
    from pipeline.model.checkpoint import read_checkpoint
    from pipeline.model.head import head_record, head_table, move_head, plan_head
    from pipeline.model.provenance import TRAINED_ON
    from pipeline.model.vocabulary import Vocabulary
    from pipeline.scoring.counts import error_rates
    from pipeline.training.fit import fit
    from pipeline.training.freezing import reinitialise_top_layers

    own = params.systems[system]
    vocabulary = Vocabulary.read(VOCABULARY)
    start = Path(own.starts_from)
    if start.is_dir():
        head = own.head or params.head
        if (start / RECORD).exists() or not (start / "config.json").exists():
            model, donor_vocabulary, donor_record = load_model(start)
            before = read_table(start / TRAINED_ON)
        else:
            model, donor_vocabulary, came = read_checkpoint(start, headless=VOCABULARY, seed=params.seed)
            donor_record, before = {"origin": came, "weights_hash": came["weights_sha256"], "vocabulary_hash": donor_vocabulary.hash}, None
        if isinstance(donor_record.get("origin"), dict) and donor_record["origin"].get("head") == "fresh" and head != "fresh":
            where = f"train.systems.{system}.head" if own.head else "train.head"
            raise ParamsError("params.yaml", [f"{where}: found {head!r}; {start} came without a head, so no row can be carried over; "
                                              "expected 'fresh'"])
        plan = plan_head(donor_vocabulary, vocabulary, head)
        log(f"{system}: head carried over from {start} ({head}):\n{head_table(plan, donor_vocabulary)}")
        model.lm_head = move_head(model.lm_head, plan, model.config.output_hidden_size, model.config.initializer_range, params.seed)
        model.config.update({"vocab_size": len(plan), "pad_token_id": vocabulary.blank_row})
        reinitialise_top_layers(model, params.config.reinit_top_layers, params.seed)
        origin = {"starts_from": own.starts_from, **head_record(plan, donor_vocabulary, head), "donor": {
            "weights_hash": donor_record["weights_hash"], "vocabulary_hash": donor_record["vocabulary_hash"]}}
        config = params.config
    else:
        model = fresh_model(read_json(start), vocabulary, params.seed)
        origin = {"starts_from": own.starts_from, "head": None, "head_plan": None, "donor": None}
        config, before = without_donor_settings(params.config), None
    run_params = Run(**config.model_dump(), steps=round(params.steps * own.steps_factor), peak_rate=own.peak_rate,
                     warmup_steps=own.warmup_steps, seed=params.seed)
    aligned = Path(params.split) / "alignment.json"
    fit(model, vocabulary, Path(params.split), run_params, Path("data/train") / system, f"train@{system}", error_rates,
        {"system": system, "split": params.split, "alignment": read_json(aligned) if aligned.exists() else None, **origin}, before)


if __name__ == "__main__":
    stage_main(run)
