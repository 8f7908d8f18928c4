from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from pipeline import report
from pipeline.core.errors import DataError, ParamsError
from pipeline.reporting.change import champion_changes, read_revision
from pipeline.reporting.inputs import read_inputs
from tests.reporting.html_page import Page
from tests.reporting.results import edit


def git(root: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    return subprocess.run(["git", "-C", str(root), *identity, *arguments], check=True, capture_output=True, text=True).stdout.strip()


def commit(root: Path) -> str:
    """Commit the params, scores, verdict and certificates of a run, as a checkout does, and return the commit."""
    git(root, "init", "--quiet")
    git(root, "add", "params.yaml", "data/score", "data/gate", *(str(path) for path in sorted(root.glob("data/split/*/certificate.json"))))
    git(root, "commit", "--quiet", "-m", "a run")
    return git(root, "rev-parse", "HEAD")


def change_params(root: Path, **report_params: object) -> None:
    params = yaml.safe_load((root / "params.yaml").read_text())
    (root / "params.yaml").write_text(yaml.safe_dump({**params, "report": {"clips": 0, "audio_mb": 0, **report_params}}))


def test_utterances_are_better_worse_or_the_same_by_their_word_errors(root: Path) -> None:
    inputs = read_inputs(root / "data")
    challenger, champion = inputs.hypotheses["transfer"], inputs.hypotheses["champion"]
    for table in (challenger, champion):
        table["hypothesis_served"] = table["reference"]
    champion.loc[3, "hypothesis_served"] = ""
    champion.loc[4, "hypothesis_served"] += " mais"
    challenger.loc[5, "hypothesis_served"] += " e mais"
    found = champion_changes(inputs)
    assert found is not None
    reference = len(champion.loc[3, "reference"].split())
    assert (found["better"], found["worse"], found["same"], found["gained"], found["lost"]) == (2, 1, 45, reference + 1, 2)
    assert [row["utterance_id"] for row in found["examples"]["better"]] == ["speak-pt/00003", "speak-pt/00004"]
    del inputs.hypotheses["champion"]
    assert champion_changes(inputs) is None


def test_a_run_is_compared_with_the_run_of_another_commit(root: Path) -> None:
    before = commit(root)
    change_params(root, against="HEAD")
    edit(root / "data/score/transfer.json", lambda score: score["wer_served"].update(value=0.2, low=0.1, high=0.3))
    edit(root / "data/split/portuguese/certificate.json", lambda found: found["splits"]["dev"].update(utterances=500))
    found = read_revision(root, "HEAD", read_inputs(root / "data"))
    assert (found.commit, found.verdict, found.same_test_set) == (before, "promote", True)
    assert {"system": "transfer", "rate": "WER, as served", "before": 0.22, "after": 0.2} in found.rates
    assert [row["name"] for row in found.params] == ["report.against", "report.clips"]
    assert found.params[0] == {"name": "report.against", "before": None, "after": '"HEAD"'}
    report.run(root)
    text = Page((root / "data/report/index.html").read_text()).text
    for shown in (f"Against commit {before[:12]} its verdict: promote", "transfer WER, as served 22.0 % 20.0 % −2.0", "report.clips 8 → 0",
                  "portuguese, dev 400, 0.50 h → 500, 0.50 h"):
        assert shown in text, shown
    assert "not comparable" not in text


def test_a_system_that_the_other_run_lacks_and_another_test_set_are_reported(root: Path) -> None:
    (root / "data/score/scratch_long.json").rename(root / "aside.json")
    commit(root)
    (root / "aside.json").rename(root / "data/score/scratch_long.json")
    for path in (root / "data/score").glob("*.json"):
        edit(path, lambda score: score["test_set"].update(hash="00"))
    found = read_revision(root, "HEAD", read_inputs(root / "data"))
    assert {row["before"] for row in found.rates if row["system"] == "scratch_long"} == {None} and not found.same_test_set


@pytest.mark.parametrize("revision", ["no-such-commit", "--output=x", "HEAD:params.yaml"])
def test_a_revision_that_is_no_commit_is_refused(root: Path, revision: str) -> None:
    commit(root)
    with pytest.raises(ParamsError, match="report.against: found .*; expected a commit of this repository"):
        read_revision(root, revision, read_inputs(root / "data"))
    assert not (root / "x").exists()


def test_a_damaged_file_of_the_commit_is_named(root: Path) -> None:
    score = root / "data/score/transfer.json"
    good = score.read_text()
    score.write_text("{")
    commit(root)
    score.write_text(good)
    with pytest.raises(DataError, match="data/score/transfer.json of "):
        read_revision(root, "HEAD", read_inputs(root / "data"))
