"""What the donor is worth: transfer against its rivals by hours of Portuguese, by seed, by total steps and by head.

    python -m studies.transfer [--seeds 1 2 3] [--hours 0.17 0.5 all] [--about hours equal long head] [--list]

Each trial is a DVC experiment of the current commit (`dvc exp run --temp`): the workspace is not touched, a trial that is
there already is not run again (after a kill, start it again), `dvc exp show` has them all. Needs a workspace that
`dvc repro` has nothing to do in. Ends with the tables of docs/results.md.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import dvc.api
import numpy as np
import pandas as pd
from tqdm import tqdm

from pipeline.core.files import ROOT
from pipeline.core.params import read_params
from pipeline.scoring.bootstrap import Interval, interval, units_of
from pipeline.scoring.utterances import Scored, scored

RESAMPLES = 10_000
HEADS = ("base_letter", "random", "fresh")
ABOUT = ("hours", "equal", "long", "head")


@dataclass(frozen=True, slots=True)
class Trial:
    """An experiment: what differs from params.yaml, and the systems that it trains and scores."""

    name: str
    seed: int
    systems: tuple[str, ...]
    hours: float | None = None  # of Portuguese to learn from; None: all
    head: str = HEADS[0]
    equal_steps: bool = False  # scratch_long takes as many steps as donor and transfer together
    long: bool = False  # transfer takes as many steps as scratch_long

    def changes(self, params: dict[str, Any]) -> Iterator[str]:
        """Yield the changes as `dvc exp run -S` takes them."""
        yield f"train.seed={self.seed}"
        yield f"train.head={self.head}"
        if self.hours is not None:
            yield f"+split.portuguese.limit_train_hours={self.hours}"
        if self.equal_steps:
            yield f"train.systems.scratch_long.steps_factor={(params['donor']['steps'] + params['train']['steps']) / params['train']['steps']:.6g}"
        if self.long:
            yield f"+train.systems.transfer.steps_factor={params['train']['systems']['scratch_long']['steps_factor']}"


def trials(seeds: Sequence[int], hours: Sequence[float | None]) -> list[Trial]:
    """Return all trials, the ones that tell most first."""
    three = ("transfer", "scratch", "scratch_long")
    by_hours = [Trial(f"hours-{hour or 'all'}-seed-{seed}", seed, three, hour) for seed in seeds for hour in reversed(hours)]
    equal = [Trial(f"equal-steps-seed-{seed}", seed, ("scratch_long",), equal_steps=True) for seed in seeds]
    long = [Trial(f"long-hours-{hour or 'all'}-seed-{seed}", seed, ("transfer",), hour, long=True) for seed in seeds for hour in reversed(hours)]
    by_head = [Trial(f"head-{head.replace('_', '-')}-hours-{hour or 'all'}-seed-{seed}", seed, ("transfer",), hour, head)
               for hour in reversed(hours) for head in HEADS[1:] for seed in seeds]
    return by_hours + equal + long + by_head


def reference(name: str) -> str | None:
    """Return the Git reference of an experiment of the current commit, None where there is none."""
    head = git("rev-parse", "HEAD").strip()
    found = git("for-each-ref", "--format=%(refname)", f"refs/exps/{head[:2]}/{head[2:]}").split()
    return next((reference for reference in found if reference.rsplit("/", 1)[1] == name), None)


def run(trial: Trial) -> None:
    """Run a trial, its output passed through.

    Raises:
        SystemExit: DVC failed.
    """
    words = ["dvc", "exp", "run", "--temp", "--name", trial.name]
    for change in trial.changes(read_params(ROOT / "params.yaml")):
        words += ["-S", change]
    state = {"VIZINHO_STATE": os.environ.get("VIZINHO_STATE", str(ROOT / ".vizinho"))}  # a temporary folder's own would go with it
    done = subprocess.run([*words, *(f"score@{system}" for system in trial.systems)], cwd=ROOT, env=os.environ | state)
    if done.returncode:
        sys.exit(f"error: {trial.name}: dvc ended with {done.returncode}; expected 0; see above, mend it, and start the study again")


@cache
def heard(name: str, system: str) -> Scored:
    """Return a system's hypotheses in a trial, counted."""
    content = dvc.api.read(f"data/transcribe/{system}.parquet", repo=str(ROOT), rev=reference(name), mode="rb")
    return scored(pd.read_parquet(io.BytesIO(content)))


def rate(runs: Sequence[tuple[Scored, Scored | None]], measure: str = "words") -> Interval:
    """Return the error rate (or its difference to a second system) over all seeds, with its interval over speakers.

    All seeds of an utterance are drawn with its speaker: the interval is of the mean over seeds, for other speakers.
    """
    units = units_of(pd.concat([one.table["speaker"] for one, _ in runs]).to_numpy())
    errors = np.concatenate([getattr(one, measure).errors_B - (getattr(other, measure).errors_B if other else 0) for one, other in runs])
    words = np.concatenate([getattr(one, measure).reference_B for one, _ in runs])
    return interval(units.sums(errors, words), 0.95, RESAMPLES, seed=1)


def shown(found: Interval) -> str:
    return f"{100 * found.value:.1f} [{100 * found.low:.1f}, {100 * found.high:.1f}]"


def row(label: str, chosen: Sequence[Trial], system: str, base: Sequence[Trial] = (), rival: str = "") -> str:
    """Return a table's row: WER and CER over the trials, each seed's WER, and the difference to a rival in the trials of the same seeds."""
    runs = [heard(trial.name, system) for trial in chosen]
    single = ", ".join(f"{100 * rate([(one, None)]).value:.1f}" for one in runs)
    alone: list[tuple[Scored, Scored | None]] = [(one, None) for one in runs]
    rivals = {trial.seed: heard(trial.name, rival) for trial in base}
    pairs = [(one, rivals[trial.seed]) for one, trial in zip(runs, chosen, strict=True) if trial.seed in rivals]
    return f"| {label} | {shown(rate(alone))} | {single} | {shown(rate(alone, 'characters'))} | {shown(rate(pairs)) if pairs else ''} |"


def hours_needed(wanted: float, points: Sequence[tuple[float, float]]) -> str:
    """Return how many hours a system needs for an error rate, between its measured (hours, rate) on a logarithmic scale."""
    points = sorted(points)
    if wanted < min(value for _, value in points):
        return f"more than {points[-1][0]:.2f}"
    for (few, high), (many, low) in zip(points, points[1:], strict=False):
        if low <= wanted <= high:
            share = (high - wanted) / (high - low) if high > low else 0.0
            return f"{few * (many / few) ** share:.2f}"
    return f"less than {points[0][0]:.2f}"


def tables(done: Sequence[Trial]) -> None:
    """Print what the trials gave."""
    three = ("transfer", "scratch", "scratch_long")
    head = "| {} | WER % | each seed | CER % | minus `{}`, points of WER |\n|---|---|---|---|---|"
    by_hours: dict[float, list[Trial]] = {}
    for trial in done:
        if trial.systems == three:
            by_hours.setdefault(hours_of(trial), []).append(trial)
    learned: dict[str, list[tuple[float, float]]] = {system: [] for system in three}
    print(head.format("hours of Portuguese, system", "scratch"))
    for hours, chosen in sorted(by_hours.items()):
        for system in three:
            learned[system].append((hours, rate([(heard(trial.name, system), None) for trial in chosen]).value))
            print(row(f"{hours:.2f} h, `{system}`", chosen, system, () if system == "scratch" else chosen, "scratch"))
    print("\n| `transfer` with | WER % | `scratch` needs, hours | `scratch_long` needs, hours |\n|---|---|---|---|")
    for hours, value in learned["transfer"]:
        needed = (hours_needed(value, learned[system]) for system in three[1:])
        print(f"| {hours:.2f} h | {100 * value:.1f} | {' | '.join(needed)} |")
    if equal := [trial for trial in done if trial.equal_steps]:
        print("\n" + head.format("as many steps as donor and transfer together", "transfer"))
        print(row("`scratch_long`", equal, "scratch_long", by_hours[hours_of(equal[0])], "transfer"))
    if long := [trial for trial in done if trial.long]:
        print("\n" + head.format("`transfer` with the steps of `scratch_long`", "scratch_long"))
    for hours in sorted({hours_of(trial) for trial in long}):
        chosen = [trial for trial in long if hours_of(trial) == hours]
        print(row(f"{hours:.2f} h", chosen, "transfer", by_hours[hours], "scratch_long"))
    heads = [trial for trial in done if trial.head != HEADS[0]]
    if heads:
        print("\n" + head.format("transfer, head", HEADS[0]))
    for hours in sorted({hours_of(trial) for trial in heads}):
        base = by_hours[hours]
        print(row(f"{hours:.2f} h, {HEADS[0]}", base, "transfer"))
        for name in HEADS[1:]:
            if chosen := [trial for trial in heads if trial.head == name and hours_of(trial) == hours]:
                print(row(f"{hours:.2f} h, {name}", chosen, "transfer", base, "transfer"))


@cache
def hours_of(trial: Trial) -> float:
    """Return the hours of Portuguese that a trial learned from, as its certificate has them."""
    content = dvc.api.read("data/split/portuguese/certificate.json", repo=str(ROOT), rev=reference(trial.name))
    return float(json.loads(content)["splits"]["train"]["hours"])


def git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=ROOT, text=True, capture_output=True, check=True).stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--hours", nargs="+", default=["0.17", "0.5", "all"], help="of Portuguese; `all`: what there is")
    parser.add_argument("--about", nargs="+", default=list(ABOUT), choices=ABOUT, help="which kinds of trial; the others build on `hours`")
    parser.add_argument("--list", action="store_true", help="show the trials and whether they are there; run nothing")
    asked = parser.parse_args()
    wanted = [trial for trial in trials(asked.seeds, [None if hour == "all" else float(hour) for hour in asked.hours])
              if trial.name.split("-")[0] in asked.about]
    if not asked.list:
        for trial in tqdm(wanted, desc="study", unit="trial"):
            if reference(trial.name) is None:
                run(trial)
    for trial in wanted if asked.list else ():
        print(f"{trial.name:<40} {'there' if reference(trial.name) else 'missing'}")
    tables([trial for trial in wanted if reference(trial.name)])


if __name__ == "__main__":
    main()
