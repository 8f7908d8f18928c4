"""Score one system's hypotheses: greedy, and as the system serves.

Reads:  data/transcribe/SYSTEM.parquet, data/transcribe/SYSTEM.json
Writes: data/score/SYSTEM.json (`vizinho.score/3`)
Params: score
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
from pydantic import Field

from pipeline.core.errors import DataError
from pipeline.core.files import ROOT, read_json, read_table, write_json
from pipeline.core.manifest import HYPOTHESIS, conform
from pipeline.core.params import Section, load_section
from pipeline.core.progress import log
from pipeline.core.stage import stage_main
from pipeline.scoring.robustness import robustness
from pipeline.scoring.scorecard import Resampling, percent, scorecard, with_served
from pipeline.scoring.utterances import COLUMNS, as_served, check_hypotheses, scored, serves_greedily, speaker_independent, speech_rate_band
from pipeline.text import variants


class ScoreParams(Section):
    """`score` in params.yaml."""

    level: Annotated[float, Field(gt=0, lt=1)] = 0.95  # two-sided confidence of the intervals, as usual in papers
    resamples: Annotated[int, Field(ge=1_000)] = 10_000  # for the whole test set: the ends vary by 1 % of the width between seeds
    slice_resamples: Annotated[int, Field(ge=1_000)] = 1_000  # for a slice, whose interval is wide
    seed: Annotated[int, Field(ge=0)] = 0  # of the resampling
    pairs: tuple[tuple[str, str], ...] = ()  # pairs of columns to slice by
    pair_utterances: Annotated[int, Field(ge=1)] = 20  # smallest slice by two columns, in utterances
    examples: Annotated[int, Field(ge=1)] = 20  # entries in each list of the error analysis


FACTS: dict[str, type | tuple[type, ...]] = {
    "system": str, "audio_s": (int, float), "parameters": int, "model_bytes": int, "vocabulary_hash": str, "normaliser": str,
    "invariance": dict, "trained_on_test": dict,
}
"""Required keys of data/transcribe/SYSTEM.json, with their types."""


def check_facts(facts: Any, system: str, where: str) -> None:
    """Check that data/transcribe/SYSTEM.json is complete and belongs to this system.

    Args:
        facts: content of the file.
        system: name of the expected system.
        where: path of the file, for the message.

    Raises:
        DataError: lists every key that is missing, has another type or is not finite.
    """
    problems = [f"{name} is missing" for name in FACTS if name not in facts]
    problems += [f"{name} is {facts[name]!r}" for name, kind in FACTS.items() if name in facts and not _is_valid(facts[name], kind)]
    if not problems and facts["system"] != system:
        problems = [f"system is {facts['system']!r}, not {system!r}"]
    if problems:
        raise DataError(where, "; ".join(problems), ", ".join(FACTS), f"run `dvc repro transcribe@{system}`")


def _is_valid(value: object, kind: type | tuple[type, ...]) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool) and (not isinstance(value, float) or math.isfinite(value))


def with_derived_columns(table: pd.DataFrame) -> pd.DataFrame:
    """Return the hypotheses with the columns `speech_rate` and `hypothesis_variants`, the latter by the locale of their normaliser."""
    locale = table["normaliser"].str.split("/").str[0]
    words = table["reference"].map(lambda text: len(text.split()))
    return table.assign(
        speech_rate=list(map(speech_rate_band, words, table["duration_s"])),
        hypothesis_variants=list(map(variants, table["hypothesis"], locale)),
    )


def run(system: str, root: Path | str = ROOT) -> None:
    """Score `system`, write its score and print its error rates."""
    root = Path(root)
    params = load_section(ScoreParams, "score", path=root / "params.yaml")
    hypothesis_file, fact_file = root / f"data/transcribe/{system}.parquet", root / f"data/transcribe/{system}.json"
    facts = read_json(fact_file)
    check_facts(facts, system, str(fact_file))
    table = conform(read_table(hypothesis_file), HYPOTHESIS, str(hypothesis_file))
    check_hypotheses(table, str(hypothesis_file))
    resampling = Resampling(params.level, params.resamples, params.seed)
    conditions = (facts.get("robustness") or {}).get("conditions")

    def card_of(table: pd.DataFrame) -> dict[str, Any]:
        card = scorecard(
            with_derived_columns(table), system=system, normaliser=", ".join(sorted(table["normaliser"].unique())), resampling=resampling,
            columns=COLUMNS, pairs=params.pairs, min_utterances=params.pair_utterances, slice_resamples=params.slice_resamples,
            examples=params.examples,
        )
        rows = scored(table[speaker_independent(table)[0] & (table["robustness"].str.len() > 0)])
        return card | {"robustness": robustness(rows, conditions, resampling)}

    greedy = card_of(table)
    card = with_served(greedy, greedy if serves_greedily(table) else card_of(as_served(table)))
    write_json(root / f"data/score/{system}.json", card)
    log(f"score@{system}: " + summary(card))


def summary(card: dict[str, Any]) -> str:
    """Return a score in one line."""
    greedy, served = (", ".join(f"{name.upper()} {percent(card[name + ending])}" for name in ("wer", "cer")) for ending in ("", "_served"))
    return f"{card['test_set']['utterances']} utterances; {greedy}" + ("" if served == greedy else f"; as served {served}")


if __name__ == "__main__":
    stage_main(run)
