"""The reasons to retrain."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from flows.drift import Drift
from flows.watch import NewData, last_run, reasons_against, reasons_for
from flows.workspace import Workspace
from pipeline.registry.git import git


def test_each_threshold_is_a_reason_and_below_all_of_them_the_flow_reports_why_not() -> None:
    found = NewData("retrain/2026-11-01-x", 10, 0.1, 3.0, ())
    assert reasons_for(found, 11, 0.2, None) == []
    assert reasons_against(found, 11, 0.2, None) == (
        "10 new utterances (threshold 11), 0.10 hours (threshold 0.2), 3 days since the last run; too few new utterances to measure drift")
    assert reasons_for(found, 10, 0.2, None) == ["10 new utterances (threshold 10)"]
    assert reasons_for(found, 11, 0.1, None) == ["0.10 hours of new speech (threshold 0.1)"]
    assert reasons_for(found, 11, 0.2, 3.0) == ["3 days since the last run (threshold 3)"]
    assert reasons_for(replace(found, age_days=1.2), 11, 0.2, 1.0) == ["1 day since the last run (threshold 1)"]
    assert reasons_for(replace(found, drifts=(Drift("length", 0.3, 0.2),)), 11, 0.2, None) == ["drift: length 0.30 (bound 0.2)"]


def test_only_branches_named_and_filled_as_runs_are_runs(tmp_path: Path) -> None:
    repository: Any = None
    git(tmp_path, "init", "--quiet", "-b", "main")
    commits = {}
    for name, params in {"ours": "registry: {artefact: ours}", "theirs": "registry: {artefact: theirs}", "list": "[1]", "none": "registry:",
                         "broken": "a: [", "empty": None}.items():
        (tmp_path / "params.yaml").unlink(missing_ok=True)
        if params:
            (tmp_path / "params.yaml").write_text(params)
        git(tmp_path, "add", "--all")
        git(tmp_path, "-c", "user.name=Ana Reis", "-c", "user.email=ana@example.org", "commit", "--quiet", "--allow-empty", "-m", name)
        commits[name] = git(tmp_path, "rev-parse", "HEAD")
    branches = {"2026-11-01-aa": "ours", "2026-11-02-bb": "ours", "2026-11-03-cc": "theirs", "2026-11-04-dd": "list", "2026-11-05-ee": "none",
                "2026-11-06-ff": "broken", "2026-11-07-gg": "empty", "try": "ours", "2026-13-45-hh": "ours", "ana/2026-12-01-ii": "ours",
                "2026-12-01": "ours"}
    for branch, name in branches.items():
        git(tmp_path, "update-ref", f"refs/remotes/origin/retrain/{branch}", commits[name])
    space = Workspace(tmp_path, repository, commits["empty"])
    assert (last_run(space, "ours").branch, last_run(space, "ours").commit) == ("retrain/2026-11-02-bb", commits["ours"])
    assert last_run(space, "nobody's") == replace(last_run(space, "nobody's"), branch=commits["empty"][:9], commit=commits["empty"])
