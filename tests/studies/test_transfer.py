"""The study of the benefit of a donor: its trials, its tables, and a small real run."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

from pipeline.core.files import ROOT
from pipeline.scoring.utterances import scored
from pipeline.training.config import TrainingConfig
from studies.transfer import ABOUT, STRATEGIES, hours_needed, rate, strategies, trials, without
from tests.small_run import clone, dvc
from tests.studies.commands import command

PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))


def test_every_trial_has_a_unique_name_and_the_first_seed_at_full_size_comes_first() -> None:
    found = trials([1, 2, 3], [0.17, 0.5, None])
    assert len({trial.name for trial in found}) == len(found) == 9 + 9 + 3 + 9 + 18 + 9 * len(STRATEGIES)
    assert found[0].name == "hours-all-seed-1"
    assert {trial.about for trial in found} == set(ABOUT)


def test_a_trial_changes_only_the_params_of_its_kind() -> None:
    by_name = {trial.name: set(trial.changes(PARAMS)) for trial in trials([2], [0.17, None])}
    limit = "split.portuguese.limit_train_hours"
    plain = {"train.seed=2", "train.head=base_letter", f"~{limit}"}
    assert by_name["hours-all-seed-2"] == plain
    assert by_name["hours-0.17-seed-2"] == plain - {f"~{limit}"} | {f"++{limit}=0.17"}
    assert by_name["head-fresh-hours-all-seed-2"] == {"train.seed=2", "train.head=fresh", f"~{limit}"}
    unlimited = PARAMS | {"split": {"portuguese": {}}}
    assert f"~{limit}" not in set(trials([2], [None])[0].changes(unlimited))
    assert by_name["long-hours-all-seed-2"] == plain | {"+train.systems.transfer.steps_factor=3"}
    gradual = by_name["freezing-gradual-hours-all-seed-2"] - plain
    assert gradual == {"++train.config.freeze_encoder_steps=35", "++train.config.unfreeze_every=35"}
    assert by_name["freezing-lora-hours-all-seed-2"] - plain == {"++train.config.lora={rank:16,alpha:32}"}
    assert by_name["freezing-all-hours-0.17-seed-2"] == by_name["hours-0.17-seed-2"]
    (factor,) = by_name["equal-steps-seed-2"] - plain
    steps = round(PARAMS["train"]["steps"] * float(factor.rsplit("=", 1)[1]))
    assert steps == PARAMS["donor"]["steps"] + PARAMS["train"]["steps"]


@pytest.mark.parametrize("wanted, expected", [(0.9, "less than 0.25"), (0.8, "0.25"), (0.5, "0.71"), (0.4, "1.00"), (0.3, "more than 1.00")])
def test_hours_are_interpolated_between_the_measured_ones_or_a_bound(wanted: float, expected: str) -> None:
    assert hours_needed(wanted, [(1.0, 0.4), (0.5, 0.6), (0.25, 0.8)]) == expected


def test_the_strategies_are_different_training_configs() -> None:
    found = [TrainingConfig(batch_s=5, **strategies(440)[name]) for name in STRATEGIES]
    assert all(one != other for number, one in enumerate(found) for other in found[:number])
    assert found[0] == TrainingConfig(batch_s=5), "all of the donor is trainable, as in params.yaml"


def hypotheses(speakers: int, right: int) -> pd.DataFrame:
    return pd.DataFrame({"utterance_id": [f"u{number:02d}" for number in range(20)], "speaker": [f"s{number % speakers}" for number in range(20)],
                         "reference": "uma casa", "hypothesis": ["uma casa"] * right + ["uma coisa"] * (20 - right)})


def test_one_speaker_has_an_interval_over_utterances_and_a_second_seed_does_not_narrow_it() -> None:
    one = scored(hypotheses(1, 10))
    alone, twice = rate([(one, None)]), rate([(one, None), (one, None)])
    assert alone.value == twice.value == 0.25
    assert (alone.low, alone.high) == (twice.low, twice.high)
    assert 0.1 < alone.low < 0.25 < alone.high < 0.4
    assert rate([(one, one)]).value == 0


def test_the_study_in_a_workspace_gets_the_arguments_without_the_profile() -> None:
    for profile in (["--profile", "real-voice"], ["--profile=real-voice"]):
        assert without(["--about", "pair", *profile, "--seeds", "1"], "--profile") == ["--about", "pair", "--seeds", "1"]


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_study_runs_once_and_prints_the_same_tables_again(tmp_path: Path) -> None:
    folder = clone(tmp_path)
    assert dvc(folder, "repro").returncode == 0
    assert command(folder, "git", "add", "--all").returncode == 0
    assert command(folder, "git", "commit", "--quiet", "--message", "small").returncode == 0
    arguments = (sys.executable, "-m", "studies.transfer", "--seeds", "1", "--hours", "0.08", "all", "--about", *ABOUT)
    first = command(folder, *arguments)
    assert first.returncode == 0, first.stdout[-4000:]
    tables = first.stdout[first.stdout.index("| hours of Portuguese") :]
    assert tables.count("`transfer`") >= 2
    for heading in ("`scratch` needs, hours", "as many steps as donor and transfer together", "with the steps of `scratch_long`", "transfer, head",
                    "transfer, strategy"):
        assert heading in tables
    assert "nan" not in tables
    again = command(folder, *arguments)
    assert "Running stage" not in again.stdout
    assert tables in again.stdout
    assert command(folder, "git", "status", "--porcelain").stdout == "", "the workspace is unchanged"
