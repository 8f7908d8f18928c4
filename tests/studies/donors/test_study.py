"""The study of donors: its params, draws, snapshots and tables, and a tiny run of all of it."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
import yaml

from pipeline.core.errors import DataError
from pipeline.core.files import ROOT
from pipeline.core.params import read_params
from studies.donors.__main__ import commands
from studies.donors.donor import first_at, first_share, taken
from studies.donors.results import condition_results, figure, main_condition, tables
from studies.donors.settings import PARAMS, Donor, Group, Results, Speech, Transfer, section
from studies.donors.speech import donor_lines, donor_split
from studies.donors.trials import drawn, starts
from tests.small_run import clone, dvc
from tests.studies.commands import command

NEAR = {"score": {"es": 2.0, "it": 1.0, "en": -1.0}, "measure letters": {"es": 1.0, "it": 0.5, "en": 0.7}}
RESULTS = Results(level=0.95, resamples=200, seed=1)


def test_the_params_are_valid_and_the_reduced_form_is_the_first_groups() -> None:
    params = read_params(PARAMS)
    assert section(Speech, "speech").dev_speakers < section(Speech, "speech").speakers
    donor, transfer = section(Donor, "donor"), section(Transfer, "transfer")
    assert donor.weak_steps < donor.steps and transfer.steps % transfer.config.evaluate_every == 0
    groups = {name: section(Group, "trials", name) for name in params["trials"]}
    assert len(set(groups.values())) == len(groups)
    first = list(groups)[0]
    assert groups[first] == Group(minutes=10, seed=1)
    assert commands(list(groups), 1) == [["repro", f"trials@{first}"], ["repro", "--single-item", "results"]]
    assert len(commands(list(groups), None)) == 2 * len(groups)
    with pytest.raises(ValueError, match="expected a multiple of config.evaluate_every"):
        Donor(**{**params["donor"], "weak_steps": 33})


def test_every_language_has_the_same_speakers_on_other_sentences() -> None:
    params = section(Speech, "speech").model_copy(update={"sentences": 70})
    spanish, english = donor_lines("es", params), donor_lines("en", params)
    assert [line.speaker for line in spanish] == [line.speaker for line in english]
    assert spanish[0].speaker == spanish[66].speaker != spanish[1].speaker
    assert spanish[0].text != english[0].text


def test_train_and_dev_have_other_speakers_and_sentences_and_a_cut_in_hours() -> None:
    params = section(Speech, "speech").model_copy(update={"speakers": 5, "dev_speakers": 1, "train_hours": 0.01, "dev_hours": 0.002})
    table = pd.DataFrame({"number": range(40), "speaker": [str(number % 5) for number in range(40)], "language": "es",
                          "text": [f"text {number // 2}" for number in range(40)], "duration_s": 3.0})
    parts = donor_split(table, params)
    assert set(parts["dev"]["speaker"]) == {"4"} and not set(parts["train"]["speaker"]) & {"4"}
    assert not set(parts["train"]["text"]) & set(parts["dev"]["text"])
    assert [len(part) for part in parts.values()] == [12, 2]
    with pytest.raises(DataError, match="raise speech.sentences"):
        donor_split(table, params.model_copy(update={"dev_hours": 1.0}))


def test_a_larger_portuguese_set_contains_the_smaller_one_and_another_seed_draws_others() -> None:
    table = pd.DataFrame({"utterance_id": [f"u{number}" for number in range(100)], "duration_s": 6.0})
    small, large, other = (set(drawn(table, minutes, seed)["utterance_id"]) for minutes, seed in ((1, 1), (3, 1), (1, 2)))
    assert small < large and len(small) == 10 and len(large) == 30 and small != other


def test_the_multilingual_donor_has_an_equal_share_of_the_hours_of_other_sentences() -> None:
    table = pd.DataFrame({"text": range(60), "duration_s": 2.0})
    shares = [set(first_share(table, 6, order)["text"]) for order in range(6)]
    assert [len(share) for share in shares] == [10] * 6 and len(set.union(*shares)) == 60


def test_snapshots_are_taken_at_their_steps_and_at_the_first_evaluation_that_reaches_the_target() -> None:
    history = [{"step": step, "dev_cer": cer} for step, cer in ((50, 0.5), (100, 0.1), (150, 0.09), (200, 0.2))]
    assert [taken(history[: number + 1], {"weak": 50, "equal_steps": 150}, 0.1, 200) for number in range(4)] == [
        ["weak"], ["equal_cer"], ["equal_steps"], []]
    assert taken(history, {"equal_steps": 150}, 0.01, 200) == ["equal_cer"], "the last weights, if the target is not reached"
    assert (first_at(history, 0.1), first_at(history, 0.01)) == (100, None)


def test_equal_steps_are_for_the_donors_alone() -> None:
    assert set(starts(Group(minutes=3, seed=1))) == {"es", "ca", "it", "fr", "ro", "en", "multilingual", "es_weak", "scratch"}
    found = starts(Group(minutes=3, seed=1, snapshot="equal_steps"))
    assert set(found) == {"es", "ca", "it", "fr", "ro", "en"} and str(found["it"]).endswith("data/donor/it/equal_steps")


def condition() -> dict[str, Any]:
    """Results of planted trials: Spanish helps most, English least; from scratch all is wrong."""
    right = {"es": 9, "it": 6, "en": 3, "scratch": 0}
    rows = [{"start": start, "seed": seed, "utterance_id": f"u{number:02d}", "speaker": f"s{number}", "reference": "a minha irmã",
             "hypothesis": "a minha irmã" if number < good - seed else "a mina irma"}
            for start, good in right.items() for seed in (1, 2) for number in range(12)]
    history = pd.DataFrame([{"start": start, "seed": seed, "step": step, "dev_cer": 1 - 0.05 * good - step / 1000}
                            for start, good in right.items() for seed in (1, 2) for step in (100, 200)])
    return {"minutes": 10.0, "snapshot": "equal_cer", **condition_results(pd.DataFrame(rows), history, NEAR, RESULTS, 0.5)}


def test_the_table_has_a_row_per_start_with_the_sign_of_its_benefit() -> None:
    found = condition()
    assert found["correlations"]["wer"]["score"]["spearman"]["value"] == 1
    assert found["starts"]["es"]["wer_minus_scratch"]["high"] < 0 < found["starts"]["en"]["wer_minus_es"]["low"]
    donor = {"symbols": 30, "steps_to_target": 300, "snapshots": dict.fromkeys(("equal_cer", "equal_steps"), {"step": 400, "dev_cer": 0.1})}
    text = tables({"target_cer": 0.1, "fixed_cer": 0.5, "donors": {"es": donor, "it": donor | {"steps_to_target": None}}, "conditions": [found]})
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert [row.split(" | ")[0] for row in rows if "[" in row] == ["| Spanish", "| Italian", "| English", "| scratch", "| score", "| measure letters"]
    assert "| 100 |" in rows[4] and "0 of 2 seeds reach it" in text and "not reached" in text
    assert "| score | Spanish | Spanish | +1.00 [" in text
    assert "nan" not in text


def test_the_figure_has_a_panel_for_the_score_and_places_the_nearer_and_better_donor_to_the_lower_right() -> None:
    svg = figure(NEAR, condition())
    root = ElementTree.fromstring(svg)
    circles = [(float(one.get("cx")), float(one.get("cy"))) for one in root.iter("{http://www.w3.org/2000/svg}circle")]  # type: ignore[arg-type]
    assert len(circles) == 3, "one panel: single measures have none"
    spanish, italian, english = circles
    assert english[0] < italian[0] < spanish[0] and english[1] < italian[1] < spanish[1]
    assert "Spearman +1.00" in svg


def test_the_figure_shows_equal_quality_at_ten_minutes() -> None:
    conditions = [{"minutes": minutes, "snapshot": snapshot, "seeds": seeds} for minutes, snapshot, seeds in
                  ((3, "equal_cer", [1, 2]), (10, "equal_cer", [1]), (10, "equal_steps", [1, 2]))]
    assert main_condition(conditions) == conditions[1]
    assert main_condition(conditions[2:]) == conditions[2]


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_tiny_study_runs_once_and_the_checkout_does_not_see_its_stages(tmp_path: Path) -> None:
    folder = clone(tmp_path)
    study = folder / "studies/donors"
    (study / "dvc.lock").unlink(missing_ok=True)
    shutil.rmtree(study / "results", ignore_errors=True)
    params = yaml.safe_load((study / "params.yaml").read_text(encoding="utf-8"))
    params["speech"] |= {"speakers": 6, "dev_speakers": 2, "sentences": 60, "train_hours": 0.02, "dev_hours": 0.01, "portuguese_sentences": 20}
    params["donor"] |= {"target_cer": 0.01, "steps": 4, "weak_steps": 2, "max_steps": 6, "warmup_steps": 1}
    params["donor"]["config"] |= {"evaluate_every": 2, "evaluate_hours": 0.005}
    params["transfer"] |= {"steps": 4, "warmup_steps": 1, "test_utterances": 10}
    params["transfer"]["config"] |= {"evaluate_every": 2, "evaluate_hours": 0.005}
    params["trials"] = {"small": {"minutes": 1, "seed": 1}, "steps": {"minutes": 1, "seed": 1, "snapshot": "equal_steps"}}
    (study / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")
    assert dvc(folder, "repro", "tokenise@portuguese", "rank").returncode == 0
    first = command(folder, sys.executable, "-m", "studies.donors", "--reduced", "1")
    assert first.returncode == 0, first.stdout[-4000:]
    again = command(folder, sys.executable, "-m", "studies.donors")
    assert again.returncode == 0 and again.stdout.count("Running stage 'trials@") == 1, again.stdout[-4000:]
    assert "Running stage 'donor@" not in again.stdout
    results = yaml.safe_load((study / "results/results.json").read_text(encoding="utf-8"))
    assert [(one["snapshot"], len(one["starts"])) for one in results["conditions"]] == [("equal_cer", 9), ("equal_steps", 6)]
    assert set(results["donors"]) == {"es", "ca", "it", "fr", "ro", "en", "multilingual"}
    assert results["donors"]["es"]["snapshots"]["weak"]["step"] == 2
    assert np.isfinite(results["conditions"][0]["correlations"]["wer"]["score"]["spearman"]["value"])
    ElementTree.parse(study / "results/prediction.svg")
    assert "donors" not in dvc(folder, "stage", "list", "--all").stdout


def test_the_study_is_a_repository_of_its_own_for_dvc() -> None:
    assert (ROOT / "studies/donors/.dvc/config").is_file()
    stages = yaml.safe_load((ROOT / "studies/donors/dvc.yaml").read_text(encoding="utf-8"))["stages"]
    assert {stage: set(body["foreach"]) for stage, body in stages.items() if "foreach" in body and stage != "trials"} == {
        "speech": {"es", "ca", "it", "fr", "ro", "en", "portuguese"}, "donor": {"es", "ca", "it", "fr", "ro", "en"}}
