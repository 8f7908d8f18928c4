"""The five lines that a run ends with: where model, metrics, verdict and report are, and what they say."""

from __future__ import annotations

import sys
from pathlib import Path

from pipeline.core.files import read_json
from pipeline.core.stage import stage_main
from pipeline.reporting.curves import percent
from pipeline.reporting.inputs import SYSTEMS, interval, need


def summary(run: Path | str = ".") -> list[str]:
    """Return five lines on the run in a checkout: model, metrics, verdict, report, word error rates.

    Raises:
        MissingInputError: the verdict is not there.
        DataError: it, or a score, is damaged.
    """
    data = Path(run) / "data"
    verdict = read_json(data / "gate/verdict.json")
    rules = [rule for rule in need(verdict, "rules", str(data / "gate/verdict.json")) if rule["enabled"]]
    against = [rule["name"] for rule in rules if not rule["passed"]]
    outcome = f"without {', '.join(against)}" if against else f"all {len(rules)} enabled rules hold"
    rates = {
        name: interval(need(read_json(path), "wer", str(path)), str(path)).value
        for name in SYSTEMS
        if (path := data / f"score/{name}.json").exists()
    }
    return [
        f"model    {data / 'train/transfer'}",
        f"metrics  {data / 'score'}/*.json, or `dvc metrics show`",
        f"verdict  {verdict['verdict']} ({outcome}): {data / 'gate/verdict.json'}",
        f"report   {data / 'report/index.html'}",
        f"WER      {', '.join(f'{name} {percent(rate)}' for name, rate in rates.items()) or 'not measured'}",
    ]


def main(run: str = ".") -> None:
    """Print the summary."""
    sys.stdout.write("\n".join(summary(run)) + "\n")


if __name__ == "__main__":
    stage_main(main)
