"""The summary that `make repro` prints at its end: verdict, error rates, speed, and the files with details."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pipeline.core.files import read_json
from pipeline.core.stage import exit_with_code
from pipeline.core.timing import read_timing
from pipeline.reporting.formatting import percent, thousands
from pipeline.reporting.inputs import interval, need, outcome, system_names


def summary(root: Path | str = ".") -> list[str]:
    """Return five lines on the run in a checkout: verdict, word error rates, challenger, metrics, report.

    Raises:
        MissingInputError: the verdict or params.yaml is missing.
        ParamsError: params.yaml names no system.
        DataError: the verdict or a score is damaged.
    """
    root = Path(root)
    data = root / "data"
    file = data / "gate/verdict.json"
    verdict = read_json(file)
    challenger = str(need(need(verdict, "challenger", str(file)), "system", str(file)))
    rates = {}
    for name in system_names(root):
        if (path := data / f"score/{name}.json").exists():
            score = read_json(path)
            served, greedy = (percent(interval(need(score, rate, str(path)), str(path)).value) for rate in ("wer_served", "wer"))
            rates[name] = served if served == greedy else f"{served} (greedy {greedy})"
    return [
        f"Verdict: {verdict['verdict']}. {describe_rules(need(verdict, 'rules', str(file)))}{describe_power(verdict.get('power'))} See {file}.",
        f"Word error rate (WER) on the test set, as served: {', '.join(f'{name} {rate}' for name, rate in rates.items()) or 'not measured'}.",
        f"The challenger is {challenger}, in {data / 'train' / challenger}.{describe_speed(challenger, root)}",
        f"All metrics are in {data / 'score'}; `dvc metrics show` prints them.",
        f"The report, with figures, errors and audio, is {data / 'report/index.html'}.",
    ]


def describe_rules(rules: Iterable[Mapping[str, Any]]) -> str:
    """Return the outcomes of the gate's enabled rules, in one or two sentences.

    Args:
        rules: `rules` in gate/verdict.json.
    """
    outcomes = {rule["name"]: outcome(rule) for rule in rules if rule["enabled"]}
    sentences = []
    for result, one, many in (("fail", "fails", "fail"), ("undecided", "is undecided", "are undecided")):
        if names := [name for name, found in outcomes.items() if found == result]:
            verb = one if len(names) == 1 else many
            sentences.append(f"{len(names)} of {len(outcomes)} enabled rules {verb}: {', '.join(names)}.")
    if sentences:
        return " ".join(sentences)
    return f"All {len(outcomes)} enabled rules pass." if outcomes else "No rule is enabled."


def describe_power(power: Mapping[str, Any] | None) -> str:
    """Return what the test set can decide in a sentence, "" if it is unknown.

    Args:
        power: `power` in gate/verdict.json.
    """
    return f" On this test set {'; '.join(entry['reason'] for entry in power['gains'])}." if power else ""


def describe_speed(system: str, root: Path) -> str:
    """Return in a sentence how long a system's training took and how fast it transcribes, "" if nothing was recorded."""
    training, transcription = (read_timing(f"{stage}@{system}", root) or {} for stage in ("train", "transcribe"))
    parts = []
    if "seconds" in training:
        parts.append(f"its training took {thousands(training['seconds'])} s")
    if "rtfx" in transcription:
        parts.append(f"it transcribes {thousands(transcription['rtfx'])} audio-seconds per second")
    text = " and ".join(parts)
    return f" On this machine {text}." if text else ""


def main() -> None:
    """Print the summary of this checkout. Unlike a stage it records no timing."""
    with exit_with_code():
        sys.stdout.write("\n".join(summary()) + "\n")


if __name__ == "__main__":
    main()
