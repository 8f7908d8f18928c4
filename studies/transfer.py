"""The benefit of the donor: transfer against training from scratch by hours of Portuguese, seed, total steps, head and frozen weights.

    python -m studies.transfer [--profile real-voice] [--seeds 1 2 3] [--hours 0.17 0.5 all]
                               [--about hours pair equal long head freezing] [--list]

Each trial is a DVC experiment of the current commit (`dvc exp run --temp`) and does not change the workspace. A finished trial is
not repeated, so that a killed study can be started again. `dvc exp show` lists all trials. Needs a workspace in which `dvc repro`
has nothing to do; with `--profile` the study makes one from the current commit and the profile's params (`studies/workspace.py`).
Prints the tables of docs/results.md at the end.
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
from pipeline.core.stage import exit_with_code
from pipeline.scoring.bootstrap import Interval, Units, interval, units_of
from pipeline.scoring.utterances import Scored, scored, speaker_independent
from studies.workspace import run_study, workspace

RESAMPLES = 10_000
HEADS = ("base_letter", "random", "fresh")
ABOUT = ("hours", "pair", "equal", "long", "head", "freezing")
DEFAULT = ("hours", "equal", "long", "head")
THREE = ("transfer", "scratch", "scratch_long")


def strategies(steps: int) -> dict[str, dict[str, Any]]:
    """Return strategies of freezing the donor's weights, as keys of train.config."""
    eighth = max(1, steps // 8)
    return {
        "all": {},
        "convolutions-still": {"freeze_feature_encoder": True},
        "head-first": {"freeze_encoder_steps": 2 * eighth},
        "gradual": {"freeze_encoder_steps": eighth, "unfreeze_every": eighth},
        "layer-decay": {"layer_decay": 0.5},
        "new-top": {"reinit_top_layers": 1},
        "lora": {"lora": {"rank": 16, "alpha": 32}},
    }


STRATEGIES = tuple(strategies(1))


@dataclass(frozen=True, slots=True)
class Trial:
    """An experiment: its differences from params.yaml, and the systems that it trains and scores."""

    name: str
    seed: int
    systems: tuple[str, ...]
    hours: float | None = None  # of Portuguese to train on; None: all
    head: str = HEADS[0]
    equal_steps: bool = False  # scratch_long takes as many steps as donor and transfer together
    long: bool = False  # transfer takes as many steps as scratch_long
    strategy: str = STRATEGIES[0]  # of freezing the donor's weights

    @property
    def about(self) -> str:
        """The kind of trial: the beginning of its name."""
        return self.name.split("-")[0]

    def changes(self, params: dict[str, Any]) -> Iterator[str]:
        """Yield the changes as arguments of `dvc exp run -S`."""
        yield f"train.seed={self.seed}"
        yield f"train.head={self.head}"
        if self.hours is not None:
            yield f"++split.portuguese.limit_train_hours={self.hours}"
        elif "limit_train_hours" in params["split"]["portuguese"]:
            yield "~split.portuguese.limit_train_hours"
        if self.equal_steps:
            yield f"train.systems.scratch_long.steps_factor={(params['donor']['steps'] + params['train']['steps']) / params['train']['steps']:.6g}"
        if self.long:
            yield f"+train.systems.transfer.steps_factor={params['train']['systems']['scratch_long']['steps_factor']}"
        for key, value in strategies(params["train"]["steps"])[self.strategy].items():
            yield f"++train.config.{key}={written(value)}"


def written(value: Any) -> str:
    """Return a value in the syntax of `dvc exp run -S`: `{rank:8,alpha:16}`."""
    return json.dumps(value, separators=(",", ":")).replace('"', "")


def trials(seeds: Sequence[int], hours: Sequence[float | None]) -> list[Trial]:
    """Return all trials, the most informative first."""
    by_hours = [Trial(f"{about}-{hour or 'all'}-seed-{seed}", seed, systems, hour)
                for about, systems in (("hours", THREE), ("pair", THREE[:2])) for seed in seeds for hour in reversed(hours)]
    equal = [Trial(f"equal-steps-seed-{seed}", seed, ("scratch_long",), equal_steps=True) for seed in seeds]
    long = [Trial(f"long-hours-{hour or 'all'}-seed-{seed}", seed, ("transfer",), hour, long=True) for seed in seeds for hour in reversed(hours)]
    by_head = [Trial(f"head-{head.replace('_', '-')}-hours-{hour or 'all'}-seed-{seed}", seed, ("transfer",), hour, head)
               for hour in reversed(hours) for head in HEADS[1:] for seed in seeds]
    freezing = [Trial(f"freezing-{strategy}-hours-{hour or 'all'}-seed-{seed}", seed, ("transfer",), hour, strategy=strategy)
                for seed in seeds for hour in hours for strategy in STRATEGIES]
    return by_hours + equal + long + by_head + freezing


HEAD = "| {} | WER % | each seed | CER % | minus `{}`, points of WER | points of CER |\n|---|---|---|---|---|---|"


def reference(name: str) -> str | None:
    """Return the Git reference of an experiment of the current commit, None if there is none."""
    head = git("rev-parse", "HEAD").strip()
    found = git("for-each-ref", "--format=%(refname)", f"refs/exps/{head[:2]}/{head[2:]}").split()
    return next((reference for reference in found if reference.rsplit("/", 1)[1] == name), None)


def run(trial: Trial) -> None:
    """Run a trial, its output passed through.

    Raises:
        SystemExit: DVC failed.
    """
    command = ["dvc", "exp", "run", "--temp", "--name", trial.name]
    for change in trial.changes(read_params(ROOT / "params.yaml")):
        command += ["-S", change]
    state = {"VIZINHO_STATE": os.environ.get("VIZINHO_STATE", str(ROOT / ".vizinho"))}  # state in the temporary folder would be removed with it
    done = subprocess.run([*command, *(f"score@{system}" for system in trial.systems)], cwd=ROOT, env=os.environ | state)
    if done.returncode:
        sys.exit(f"error: {trial.name}: dvc ended with {done.returncode}; expected 0; see above, fix it, and start the study again")


@cache
def hypotheses_of(name: str, system: str) -> Scored:
    """Return the counted errors of a system in a trial, over speakers without training data if there are any."""
    content = dvc.api.read(f"data/transcribe/{system}.parquet", repo=str(ROOT), rev=reference(name), mode="rb")
    table = pd.read_parquet(io.BytesIO(content))
    return scored(table[speaker_independent(table)[0]])


def rate(runs: Sequence[tuple[Scored, Scored | None]], measure: str = "words") -> Interval:
    """Return the error rate (or its difference to a second system) over all seeds, with its interval.

    The interval is over speakers, or over utterances if no two speakers are known. All seeds of an utterance are drawn together: it is
    the interval of the mean over seeds, for other speakers or utterances.
    """
    tables = pd.concat([one.table for one, _ in runs])
    units = units_of(tables["speaker"].to_numpy())
    if units.name == "utterance":
        _, codes = np.unique(tables["utterance_id"].to_numpy(dtype=str), return_inverse=True)
        units = Units(codes, int(codes.max()) + 1, "utterance")
    errors = np.concatenate([getattr(one, measure).errors_B - (getattr(other, measure).errors_B if other else 0) for one, other in runs])
    words = np.concatenate([getattr(one, measure).reference_B for one, _ in runs])
    return interval(units.sums(errors, words), 0.95, RESAMPLES, seed=1)


def shown(found: Interval) -> str:
    return f"{100 * found.value:.1f} [{100 * found.low:.1f}, {100 * found.high:.1f}]"


def row(label: str, chosen: Sequence[Trial], system: str, base: Sequence[Trial] = (), rival: str = "") -> str:
    """Return a table's row: WER and CER over the trials, each seed's WER, and the differences to a rival in the trials of the same seeds."""
    runs = [hypotheses_of(trial.name, system) for trial in chosen]
    single = ", ".join(f"{100 * rate([(one, None)]).value:.1f}" for one in runs)
    alone: list[tuple[Scored, Scored | None]] = [(one, None) for one in runs]
    rivals = {trial.seed: hypotheses_of(trial.name, rival) for trial in base}
    pairs = [(one, rivals[trial.seed]) for one, trial in zip(runs, chosen, strict=True) if trial.seed in rivals]
    differences = [shown(rate(pairs, measure)) if pairs else "" for measure in ("words", "characters")]
    return f"| {label} | {shown(rate(alone))} | {single} | {shown(rate(alone, 'characters'))} | {' | '.join(differences)} |"


def hours_needed(target: float, points: Sequence[tuple[float, float]]) -> str:
    """Return how many hours a system needs for an error rate, between its measured (hours, rate) on a logarithmic scale."""
    points = sorted(points)
    if target < min(value for _, value in points):
        return f"more than {points[-1][0]:.2f}"
    for (few, high), (many, low) in zip(points, points[1:], strict=False):
        if low <= target <= high:
            share = (high - target) / (high - low) if high > low else 0.0
            return f"{few * (many / few) ** share:.2f}"
    return f"less than {points[0][0]:.2f}"


def tables(done: Sequence[Trial]) -> None:
    """Print the tables of the trials."""
    if done and hypotheses_of(done[0].name, done[0].systems[0]).table["speaker_dependent"].all():
        print("Speaker-dependent: the same voice in training and test; intervals are over utterances.\n")
    by_hours = grouped(done, "hours")
    compared(by_hours or grouped(done, "pair"))
    if equal := [trial for trial in done if trial.equal_steps]:
        print("\n" + HEAD.format("as many steps as donor and transfer together", "transfer"))
        print(row("`scratch_long`", equal, "scratch_long", by_hours[hours_of(equal[0])], "transfer"))
    for hours, chosen in grouped(done, "long", "`transfer` with the steps of `scratch_long`", "scratch_long").items():
        print(row(f"{hours:.2f} h", chosen, "transfer", by_hours[hours], "scratch_long"))
    for about, value, names in (("head", "head", HEADS), ("freezing", "strategy", STRATEGIES)):
        for hours, chosen in grouped(done, about, f"transfer, {value}", names[0]).items():
            by_name = {name: [trial for trial in chosen if getattr(trial, value) == name] for name in names}
            base = by_hours[hours] if about == "head" else by_name[names[0]]
            print(row(f"{hours:.2f} h, {names[0]}", base, "transfer"))
            for name in names[1:]:
                if by_name[name]:
                    print(row(f"{hours:.2f} h, {name}", by_name[name], "transfer", base, "transfer"))


def grouped(done: Sequence[Trial], about: str, what: str = "", rival: str = "") -> dict[float, list[Trial]]:
    """Return the trials of a kind by hours of training data, fewest first; print the head of their table if `what` is given."""
    groups: dict[float, list[Trial]] = {}
    for trial in done:
        if trial.about == about:
            groups.setdefault(hours_of(trial), []).append(trial)
    if groups and what:
        print("\n" + HEAD.format(what, rival))
    return dict(sorted(groups.items()))


def compared(by_hours: dict[float, list[Trial]]) -> None:
    """Print transfer and training from scratch by hours of Portuguese, and the hours from scratch that reach the error rate of transfer."""
    if not by_hours:
        return
    learned: dict[tuple[str, str], list[tuple[float, float]]] = {}
    measures = (("words", "WER"), ("characters", "CER"))
    print(HEAD.format("hours of Portuguese, system", "scratch"))
    for hours, chosen in by_hours.items():
        for system in chosen[0].systems:
            for measure, _ in measures:
                found = rate([(hypotheses_of(trial.name, system), None) for trial in chosen], measure).value
                learned.setdefault((measure, system), []).append((hours, found))
            print(row(f"{hours:.2f} h, `{system}`", chosen, system, () if system == "scratch" else chosen, "scratch"))
    rivals = [system for measure, system in learned if measure == "words" and system != "transfer"]
    for measure, name in measures:
        print(f"\n| `transfer` with | {name} % | {' | '.join(f'`{system}` needs, hours' for system in rivals)} |\n|---|---|{'---|' * len(rivals)}")
        for hours, value in learned[measure, "transfer"]:
            print(f"| {hours:.2f} h | {100 * value:.1f} | {' | '.join(hours_needed(value, learned[measure, system]) for system in rivals)} |")


@cache
def hours_of(trial: Trial) -> float:
    """Return the hours of Portuguese in the training set of a trial, from its certificate."""
    content = dvc.api.read("data/split/portuguese/certificate.json", repo=str(ROOT), rev=reference(trial.name))
    return float(json.loads(content)["splits"]["train"]["hours"])


def git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, text=True, capture_output=True, check=True).stdout


def without(arguments: Sequence[str], option: str) -> list[str]:
    """Return the arguments of a command without an option and its value."""
    kept, skip = [], False
    for argument in arguments:
        if not skip and argument != option and not argument.startswith(f"{option}="):
            kept.append(argument)
        skip = argument == option
    return kept


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", help="params of profiles/ instead of params.yaml, in a separate workspace")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--hours", nargs="+", default=["0.17", "0.5", "all"], help="of Portuguese; `all`: the whole training set")
    parser.add_argument("--about", nargs="+", default=list(DEFAULT), choices=ABOUT,
                        help="which kinds of trial; equal, long and head build on `hours`; pair: hours without scratch_long")
    parser.add_argument("--list", action="store_true", help="print the trials and whether they are done; run nothing")
    asked = parser.parse_args()
    if asked.profile:
        sys.exit(run_study(workspace(asked.profile), without(sys.argv[1:], "--profile")))
    wanted = [trial for trial in trials(asked.seeds, [None if hour == "all" else float(hour) for hour in asked.hours])
              if trial.about in asked.about]
    if not asked.list:
        for trial in tqdm(wanted, desc="study", unit="trial"):
            if reference(trial.name) is None:
                run(trial)
    for trial in wanted if asked.list else ():
        print(f"{trial.name:<40} {'done' if reference(trial.name) else 'missing'}")
    tables([trial for trial in wanted if reference(trial.name)])


if __name__ == "__main__":
    with exit_with_code():
        main()
