"""A Portuguese model: from the donor (transfer), or from nothing (scratch, scratch_long) as its fair rivals.

Reads:  data/split/portuguese, data/tokenise/portuguese/vocabulary.json, data/donor (scratch: its config.json alone)
Writes: data/train/SYSTEM/ (model, vizinho.json, history.csv, trained_on.parquet)
Params: train.seed, train.steps, train.head, train.recipe, train.systems.SYSTEM
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from pipeline.acoustic.recipe import Recipe, Run, from_nothing
from pipeline.core.errors import ParamsError
from pipeline.core.files import read_json, read_table
from pipeline.core.params import Section, load_section
from pipeline.core.progress import say
from pipeline.core.stage import stage_main

SPLIT = Path("data/split/portuguese")
VOCABULARY = Path("data/tokenise/portuguese/vocabulary.json")


class System(Section):
    """What differs between the systems: each has its own best rate and warm-up."""

    starts_from: str = Field(description="a model's folder, or its config.json alone: the same shape with fresh weights")
    steps_factor: float = Field(1.0, gt=0, description="times train.steps")
    peak_rate: float = Field(gt=0, lt=1, description="learning rate after the warm-up")
    warmup_steps: int = Field(ge=0)


class Train(Section):
    """Params of the stage."""

    seed: int = Field(ge=0)
    steps: int = Field(ge=1, description="of transfer and scratch alike")
    head: Literal["base_letter", "random", "fresh"] = Field(
        description="the donor's head: shared symbols copied and new letters from their base letter, or drawn; or every row drawn")
    recipe: Recipe
    systems: dict[str, System]


def run(system: str) -> None:
    """Train one system."""
    from pipeline.acoustic.fit import TRAINED_ON, fit
    from pipeline.acoustic.freezing import start_top_anew
    from pipeline.acoustic.head import head_record, head_table, move_head, plan_head
    from pipeline.acoustic.model import fresh_model, load_model
    from pipeline.acoustic.vocabulary import Vocabulary
    from pipeline.scoring.counts import error_rates

    params = load_section(Train, "train")
    if system not in params.systems:
        raise ParamsError("params.yaml", [f"train.systems: no {system!r}; found {', '.join(params.systems)}"])
    own = params.systems[system]
    vocabulary = Vocabulary.read(VOCABULARY)
    start = Path(own.starts_from)
    if start.is_dir():
        model, donor_vocabulary, donor_record = load_model(start)
        if isinstance(donor_record.get("origin"), dict) and donor_record["origin"].get("head") == "fresh" and params.head != "fresh":
            raise ParamsError("params.yaml", [f"train.head: found {params.head!r}; {start} came without a head, so no row can be carried over; "
                                              "expected 'fresh'"])
        plan = plan_head(donor_vocabulary, vocabulary, params.head)
        say(f"{system}: head carried over from {start} ({params.head}):\n{head_table(plan, donor_vocabulary)}")
        model.lm_head = move_head(model.lm_head, plan, model.config.output_hidden_size, model.config.initializer_range, params.seed)
        model.config.update({"vocab_size": len(plan), "pad_token_id": vocabulary.blank_row})
        start_top_anew(model, params.recipe.drop_layers, params.seed)
        origin = {"starts_from": own.starts_from, **head_record(plan, donor_vocabulary, params.head), "donor": {
            "weights_hash": donor_record["weights_hash"], "vocabulary_hash": donor_record["vocabulary_hash"]}}
        recipe, before = params.recipe, read_table(start / TRAINED_ON)
    else:
        model = fresh_model(read_json(start), vocabulary, params.seed)
        origin = {"starts_from": own.starts_from, "head": None, "head_plan": None, "donor": None}
        recipe, before = from_nothing(params.recipe), None
    run_params = Run(**recipe.model_dump(), steps=round(params.steps * own.steps_factor), peak_rate=own.peak_rate,
                     warmup_steps=own.warmup_steps, seed=params.seed)
    fit(model, vocabulary, SPLIT, run_params, Path("data/train") / system, f"train@{system}", error_rates,
        {"system": system, **origin}, before)


if __name__ == "__main__":
    stage_main(run)
