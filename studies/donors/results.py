"""The study's results: error rates by start, correlations with the predictions, mistakes, a table and a figure.

Reads:  studies/donors/data/donor, studies/donors/data/trials (those that there are), data/rank/ranking.json
Writes: studies/donors/results/: results.json, table.md, prediction.svg
Params: results
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd

from pipeline.core.errors import MissingInputError
from pipeline.core.files import read_json, read_table, write_json, write_text
from pipeline.core.progress import log
from pipeline.core.stage import exit_with_code
from pipeline.reporting.charts import BLUE, VERMILION, WIDTH, Box, _densify, _line, _place_label, _svg, _text, ticks
from studies.donors.outcome import Errors, bounds, correlation, errors_of, mistakes, predictions, steps_to
from studies.donors.sentences import LANGUAGES
from studies.donors.settings import DONORS, MULTILINGUAL, RESULTS, SCRATCH, TRIALS, WEAK, Results, Transfer, section

RANKING = Path("data/rank/ranking.json")
Condition = tuple[float, str]
"""Minutes of Portuguese, and the snapshot that donors are taken at."""


def read_trials(folder: Path = TRIALS) -> dict[Condition, tuple[pd.DataFrame, pd.DataFrame]]:
    """Return hypotheses and histories of the groups that there are, by condition, the seeds of each together.

    Raises:
        MissingInputError: there is none.
    """
    found: dict[Condition, list[tuple[pd.DataFrame, pd.DataFrame]]] = {}
    for path in sorted(folder.glob("*/group.json")):
        group = read_json(path)
        pair = read_table(path.with_name("hypotheses.parquet")), pd.read_csv(path.with_name("histories.csv"))
        found.setdefault((group["minutes"], group["snapshot"]), []).append(tuple(one.assign(seed=group["seed"]) for one in pair))  # type: ignore[arg-type]
    if not found:
        raise MissingInputError(str(folder), "no group of trials", "at least one", "run `python -m studies.donors --reduced`")
    return {key: (pd.concat([one for one, _ in pairs]), pd.concat([one for _, one in pairs])) for key, pairs in sorted(found.items())}


def label(start: str) -> str:
    """Return the name of a start as tables show it."""
    return {MULTILINGUAL: "all six", WEAK: "Spanish, fewer steps", SCRATCH: "scratch"}.get(start) or LANGUAGES[start][0]


def condition_results(hypotheses: pd.DataFrame, histories: pd.DataFrame, near: Mapping[str, Mapping[str, float]], params: Results,
                      fixed_cer: float) -> dict[str, Any]:
    """Return the results of a condition.

    Args:
        hypotheses: of all starts and seeds.
        histories: of all starts and seeds.
        near: predictions.
        params: level, resamples and seed.
        fixed_cer: the dev CER whose first step is reported.
    """
    errors = {"wer": errors_of(hypotheses, "words"), "cer": errors_of(hypotheses, "characters")}
    starts: dict[str, Any] = {}
    for name in errors["wer"].starts:
        rows, history = (table[table["start"] == name] for table in (hypotheses, histories))
        starts[name] = {
            **{measure: rate_of(found, name, None, params) for measure, found in errors.items()},
            **{f"{measure}_minus_{other}": rate_of(found, name, other, params) for measure, found in errors.items() for other in (SCRATCH, "es")
               if other != name and other in found.starts},
            "dev_cer": {str(seed): float(one["dev_cer"].iloc[-1]) for seed, one in history.groupby("seed")},
            "steps_to_fixed_cer": {str(seed): steps_to(one, fixed_cer) for seed, one in history.groupby("seed")},
            "mistakes": mistakes(rows["reference"].tolist(), rows["hypothesis"].tolist()),
        }
    return {"seeds": sorted(int(seed) for seed in set(hypotheses["seed"])), "utterances": int(hypotheses["utterance_id"].nunique()),
            "speakers": int(hypotheses["speaker"].nunique()), "starts": starts,
            "correlations": {measure: {name: correlation(one, found, params.level, params.resamples, params.seed) for name, one in near.items()
                                       if len(set(one) & set(found.starts)) > 2} for measure, found in errors.items()}}


def rate_of(errors: Errors, start: str, other: str | None, params: Results) -> dict[str, float]:
    """Return the error rate of a start, or its difference to another one, with its interval over speakers and seeds."""
    sign = np.array([(name == start) - (name == other) for name in errors.starts], float)
    low, high = bounds(errors.resampled_RN(params.resamples, params.seed) @ sign, params.level)
    return {"value": float(errors.rates_N() @ sign), "low": low, "high": high}


def shown(rate: Mapping[str, float]) -> str:
    """Return a rate in percent: `31.2 [29.0, 33.5]`."""
    return f"{100 * rate['value']:.1f} [{100 * rate['low']:.1f}, {100 * rate['high']:.1f}]"


def tables(results: Mapping[str, Any]) -> str:
    """Return the results as Markdown tables."""
    lines = [f"| donor | symbols | steps to dev CER {results['target_cer']:.0%} | dev CER there | dev CER at the equal steps |",
             "|---|---|---|---|---|"]
    for code, donor in results["donors"].items():
        equal = donor["snapshots"]["equal_steps"]
        lines.append(f"| {label(code)} | {donor['symbols']} | {donor['steps_to_target'] or 'not reached'} | "
                     f"{100 * donor['snapshots']['equal_cer']['dev_cer']:.1f} % | {100 * equal['dev_cer']:.1f} % at step {equal['step']} |")
    for condition in results["conditions"]:
        seeds = condition["seeds"]
        lines += ["", f"{condition['minutes']:g} minutes of Portuguese, donors at {condition['snapshot'].replace('_', ' ')}, "
                  f"seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}:", "",
                  f"| start | WER % | CER % | minus scratch, points of WER | steps to dev CER {results['fixed_cer']:.0%} | "
                  + " | ".join(f"{name}, % wrong" for name in next(iter(condition["starts"].values()))["mistakes"]["classes"]) + " |"]
        lines.append("|---" * (lines[-1].count("|") - 1) + "|")
        for name, start in sorted(condition["starts"].items(), key=lambda item: item[1]["wer"]["value"]):
            steps = [step for step in start["steps_to_fixed_cer"].values() if step is not None]
            reached = f"{median(steps):g}" if len(steps) == len(seeds) else f"{len(steps)} of {len(seeds)} seeds reach it"
            lines.append(f"| {label(name)} | {shown(start['wer'])} | {shown(start['cer'])} | "
                         f"{shown(start['wer_minus_scratch']) if 'wer_minus_scratch' in start else ''} | {reached} | "
                         + " | ".join(f"{100 * one['rate']:.1f}" for one in start["mistakes"]["classes"].values()) + " |")
        lines += ["", "| prediction | its best donor | best by WER | Spearman with the benefit (WER) | p | Kendall | Spearman (CER) |",
                  "|---|---|---|---|---|---|---|"]
        for name, one in condition["correlations"]["wer"].items():
            cer = condition["correlations"]["cer"][name]
            lines.append(f"| {name} | {label(one['predicted_best'])} | {label(one['measured_best'])} | {coefficient(one['spearman'])} | "
                         f"{one['p_permutation']:.3f} | {coefficient(one['kendall'])} | {coefficient(cer['spearman'])} |")
    return "\n".join(lines) + "\n"


def coefficient(found: Mapping[str, float]) -> str:
    """Return a correlation with its interval: `+0.83 [0.49, 0.94]`."""
    return f"{found['value']:+.2f} [{found['low']:.2f}, {found['high']:.2f}]"


def figure(near: Mapping[str, Mapping[str, float]], condition: Mapping[str, Any]) -> str:
    """Return prediction against outcome as SVG: a panel for the score and one for each level of `rank`.

    Args:
        near: predictions; those of single measures are left out.
        condition: its results.
    """
    names = [name for name in near if not name.startswith("measure ")]
    columns, height = min(2, len(names)), 210
    width = (WIDTH - 60) / columns
    starts = {name: start["wer"] for name, start in condition["starts"].items() if name in LANGUAGES}
    lowest, highest = min(rate["low"] for rate in starts.values()), max(rate["high"] for rate in starts.values())
    marks = [tick for tick in ticks(highest, 40) if lowest - 0.01 <= tick <= highest + 0.01]
    marks = marks[:: max(1, math.ceil(len(marks) / 6))]
    parts: list[str] = []
    described: list[str] = []
    for number, name in enumerate(names):
        row, column = divmod(number, columns)
        box = Box(50 + column * width, 92 + row * (height + 60), 50 + (column + 1) * width - 26, 92 + row * (height + 60) + height)
        panel = {code: near[name][code] for code in starts if code in near[name]}
        low, high = min(panel.values()), max(panel.values())
        margin = 0.12 * (high - low or 1.0)

        def place(value: float, rate: float, box: Box = box, low: float = low - margin, high: float = high + margin) -> tuple[float, float]:
            return (box.left + (box.right - box.left) * (value - low) / (high - low),
                    box.bottom - (box.bottom - box.top) * (rate - lowest) / (highest - lowest))

        for mark in marks:
            y = place(0, mark)[1]
            parts += [_line(box.left, y, box.right, y, opacity=0.2), _text(box.left - 6, y + 4, f"{100 * mark:g}", anchor="end", size=11)]
        found = condition["correlations"]["wer"][name]["spearman"]
        parts += [_text(box.left, box.top - 10, f"{name}: Spearman {coefficient(found)}", size=11.5),
                  _text(box.right, box.bottom + 18, "nearer to Portuguese →", anchor="end", size=11)]
        best = min(starts, key=lambda code: starts[code]["value"])
        bars = {code: [place(value, starts[code][end]) for end in ("low", "value", "high")] for code, value in panel.items()}
        drawn = [spot for bar in bars.values() for spot in _densify(bar)]
        labels: list[Box] = []
        for code, bar in bars.items():
            colour, (x, y) = VERMILION if code == best else BLUE, bar[1]
            at_x, at_y, anchor, taken = _place_label(bar[1], code, 12, drawn, labels, box)
            labels.append(taken)
            parts += [_line(x, bar[0][1], x, bar[2][1], colour=colour, width=1.5, opacity=0.6),
                      f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" fill="{colour}"/>',
                      _text(at_x, at_y, code, anchor=anchor, colour=colour, weight=600)]
        described.append(f"{name}: Spearman {coefficient(found)}")
    subtitle = (f"WER % after {condition['minutes']:g} minutes of Portuguese, {len(condition['seeds'])} seed{'s' * (len(condition['seeds']) > 1)}; "
                "bars: interval over speakers and seeds; positive: the prediction holds")
    rows = math.ceil(len(names) / columns)
    return _svg(92 + rows * (height + 60) - 20, "Does nearness to Portuguese predict the best donor?", subtitle, ". ".join(described), parts)


def main_condition(conditions: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the condition that the figure shows: equal dev CER, 10 minutes if there are any, otherwise the most seeds."""
    equal = [one for one in conditions if one["snapshot"] == "equal_cer"] or list(conditions)
    return max(equal, key=lambda one: (one["minutes"] == 10, len(one["seeds"])))


def run() -> None:
    """Write the results of the trials that there are."""
    params, fixed_cer = section(Results, "results"), section(Transfer, "transfer").fixed_cer
    near = {name: {code: value for code, value in one.items() if code in LANGUAGES} for name, one in predictions(read_json(RANKING)).items()}
    donors = {path.parent.name: read_json(path) for path in DONORS.glob("*/donor.json")}
    conditions = [{"minutes": minutes, "snapshot": snapshot, **condition_results(*pair, near, params, fixed_cer)}
                  for (minutes, snapshot), pair in read_trials().items()]
    order = [code for code in (*LANGUAGES, MULTILINGUAL) if code in donors]
    results = {"schema": "vizinho.donors/1", "target_cer": next(iter(donors.values()))["target_cer"], "fixed_cer": fixed_cer,
               "donors": {code: donors[code] for code in order}, "predictions": near, "conditions": conditions}
    write_json(RESULTS / "results.json", results)
    write_text(RESULTS / "table.md", tables(results))
    write_text(RESULTS / "prediction.svg", figure(near, main_condition(conditions)))
    log(tables(results))


if __name__ == "__main__":
    with exit_with_code():
        run()
