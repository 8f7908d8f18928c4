"""retrain on a real, tiny pipeline: which stages run, what is left, and how it fails."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.logging import disable_run_logger
from prefect.settings import PREFECT_API_DATABASE_CONNECTION_URL, get_current_settings

from flows import workspace
from flows.retrain import check_git, commit_run, push_data, retrain
from pipeline.core.timing import record_timing
from pipeline.registry.git import git
from pipeline.registry.store import dvc
from tests.flows.conftest import Run, change, children, edit
from tests.hostile_git import configure
from tests.toy_registry import Toy

Start = Callable[..., Run]


def left_behind() -> list[Path]:
    """Return the clones of earlier runs."""
    return [path for path in (workspace.state_folder() / "work").iterdir() if path.is_dir() and path.name != "registry"]


@pytest.mark.slow
def test_a_run_without_a_stale_stage_runs_none_and_makes_no_commit(toy: Toy, started: Start) -> None:
    run = started(retrain)
    head = git(toy.origin, "rev-parse", "main")
    assert run.state.is_completed(), run.state.message
    assert run.run.name.startswith("embedded 20")
    stages = {name: state for name, state in run.states().items() if not name.startswith(("pull", "update", "push"))}
    assert stages == dict.fromkeys(("split@portuguese", "donor", "train@transfer", "transcribe@transfer", "transcribe@champion", "score",
                                    "gate"), "Cached")
    assert run.outcome == {"commit": head, "artefact": "asr-pt-toy", "verdict": "promote", "promoted": None}
    branches = git(toy.origin, "for-each-ref", "--format=%(refname:short) %(objectname)", "refs/heads/retrain").split()
    assert branches[1:] == [head] and branches[0].startswith("retrain/20") and branches[0].endswith(str(run.id)[:8])
    assert {"asr-pt-toy-data", "asr-pt-toy-evaluation", "asr-pt-toy-verdict", "asr-pt-toy-commit"} <= run.artifacts.keys()
    assert {"profile:embedded", "model:asr-pt-toy", "gpu:none"} <= set(run.run.tags)
    assert left_behind() == []


@pytest.mark.slow
def test_stale_stages_run_and_the_run_commit_is_what_dvc_repro_makes(toy: Toy, started: Start) -> None:
    edit(toy, "train", "print('epoch one of one')")
    before = change(toy, train__generation=2)
    run = started(retrain)
    assert run.state.is_completed(), run.state.message
    assert {name: state for name, state in run.states().items() if "@" in name or name in ("donor", "score", "gate")} == {
        "split@portuguese": "Cached", "donor": "Cached", "train@transfer": "Completed", "transcribe@transfer": "Completed",
        "transcribe@champion": "Cached", "score": "Completed", "gate": "Completed"}
    assert "epoch one of one" in run.lines

    commit = run.outcome["commit"]
    assert git(toy.origin, "rev-parse", f"{commit}^") == before
    bare = toy.clone("manual")
    bare.git("checkout", "--quiet", before)
    bare.git("checkout", "--quiet", commit, "--", "params.yaml")  # with the gate index that the flow has set
    subprocess.run([sys.executable, "-m", "dvc", "repro", "--force", "--quiet"], cwd=bare.path, check=True)
    made = {path: git(toy.origin, "show", f"{commit}:{path}") for path in ("data/score/transfer.json", "data/gate/verdict.json")}
    assert {path: (bare.path / path).read_text().rstrip("\n") for path in made} == made

    theirs = toy.clone("engineer")
    theirs.git("fetch", "--quiet", "origin", commit)
    theirs.git("checkout", "--quiet", commit)
    dvc(theirs.path, "pull")
    output = subprocess.run([sys.executable, "-m", "dvc", "repro"], cwd=theirs.path, check=True, capture_output=True, text=True).stdout
    assert "Running stage" not in output and theirs.git("status", "--porcelain") == ""

    assert toy.in_use() is None
    assert left_behind() == []


@pytest.mark.slow
def test_a_failed_stage_shows_its_last_lines_and_its_rejects(toy: Toy, started: Start) -> None:
    table = "error: ingest@toy: 9 of 10 rejected\\n        6  too short (such as a.wav: 0.1 s)\\n        3  silent\\n ; expected at most 5%"
    edit(toy, "score", f"import sys\nprint('scoring')\nprint('''{table}''', file=sys.stderr)\nsys.exit(1)")
    change(toy, train__generation=3)
    run = started(retrain)
    assert run.state.name == "Failed"
    assert run.states()["score"] == "Failed" and run.states()["train@transfer"] == "Completed" and "gate" not in run.states()
    message = run.tasks["score"].state.message
    assert message == run.state.message.removeprefix("1 of 6 stages: ").partition("; fix it")[0]
    assert "6  too short (such as a.wav: 0.1 s)" in message and "255" not in message and "Traceback" not in "\n".join(run.lines)
    assert json.loads(run.artifacts["rejects-score"].data) == [
        {"reason": "too short", "utterances": 6, "example": "a.wav: 0.1 s"}, {"reason": "silent", "utterances": 3, "example": ""}]
    assert "scoring" in run.artifacts["failure-score"].data
    assert git(toy.origin, "for-each-ref", "refs/heads/retrain") == ""
    assert len(left_behind()) == 1


@pytest.mark.slow
def test_a_run_after_a_failed_one_reuses_its_completed_stages(toy: Toy, started: Start) -> None:
    edit(toy, "score", "raise SystemExit('error: broken')")
    change(toy, train__generation=3)
    assert started(retrain).states()["train@transfer"] == "Completed"
    (toy.path / "score_first.py").write_text("")
    toy.commit("Fix score")
    toy.git("push", "--quiet", "origin", "main")
    again = started(retrain)
    assert again.state.is_completed()
    assert (again.states()["train@transfer"], again.states()["score"]) == ("Cached", "Completed")  # DVC's run-cache is shared


@pytest.mark.slow
def test_a_git_remote_that_rejects_is_named_and_not_retried(toy: Toy, started: Start) -> None:
    hook = toy.origin / "hooks/pre-receive"
    hook.write_text("#!/bin/sh\necho 'retrain branches are frozen' >&2\nexit 1\n")
    hook.chmod(0o755)
    began = time.monotonic()
    run = started(retrain, promote="auto")
    assert run.state.name == "Failed"
    assert "retrain branches are frozen" in run.state.message
    assert time.monotonic() - began < 60 and toy.in_use() is None
    assert len(left_behind()) == 1  # the run is kept
    hook.unlink()
    assert started(retrain, promote="auto").outcome["promoted"] == "v0.1.0"


@pytest.mark.slow
def test_a_missing_dvc_remote_is_retried_and_nothing_is_pushed_to_git_without_its_data(
        toy: Toy, started: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(push_data, "retry_delay_seconds", [0])
    edit(toy, "gate", f"import pathlib\npathlib.Path('{toy.folder}/dvc-remote').write_text('')")
    change(toy, train__generation=4)
    run = started(retrain)
    assert run.state.name == "Failed" and "push" in run.state.message
    assert run.tasks[next(name for name in run.tasks if name.startswith("push data"))].run_count == 4
    assert git(toy.origin, "for-each-ref", "refs/heads/retrain") == ""
    (toy.folder / "dvc-remote").unlink()
    (toy.path / "gate_first.py").write_text("")
    toy.commit("Keep the remote")
    toy.git("push", "--quiet", "origin", "main")
    again = started(retrain)
    assert again.state.is_completed(), again.state.message
    assert again.states()["train@transfer"] == "Cached"


@pytest.mark.slow
def test_a_planted_secret_is_in_no_row_of_the_database(toy: Toy, started: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "hunter2-" + "correct-horse"
    monkeypatch.setenv("STORE_SECRET_ACCESS_KEY", secret)
    (toy.path / ".dvc/config.local").write_text("['remote \"other\"']\n    url = ssh://ana@example.org/x\n    password = battery-staple-9\n")
    edit(toy, "score", "import os, sys\nprint(os.environ['STORE_SECRET_ACCESS_KEY'])\n"
                       "sys.exit('error: ' + os.environ['STORE_SECRET_ACCESS_KEY'] + ' battery-staple-9')")
    run = started(retrain)
    assert run.state.name == "Failed" and "error: *** ***" in run.state.message
    assert "***" in run.lines
    url = PREFECT_API_DATABASE_CONNECTION_URL.value() or f"sqlite+aiosqlite:///{get_current_settings().home}/prefect.db"
    database = Path(str(url).partition(":///")[2])
    with sqlite3.connect(database) as connection:
        dump = "\n".join(connection.iterdump())
    assert "retrain" in dump and "error: *** ***" in dump
    assert secret not in dump and "battery-staple-9" not in dump


@pytest.mark.parametrize(("given", "message"), [
    ({"profile": "no-such"}, "no profiles/no-such.yaml"),
    ({"git_ref": "no-such"}, "'no-such': no such branch, tag or commit"),
    ({"corpora": ["no-such"]}, "no-such is not imported; imported are none"),
    ({"promote": "auto", "push": False}, "only a run on the Git remote can be promoted"),
])
def test_impossible_parameters_are_rejected_before_any_stage_runs(toy: Toy, given: dict[str, Any], message: str) -> None:
    with disable_run_logger():
        state = retrain.fn(**given)
    assert state.name == "Failed" and message in state.message


def test_what_git_cannot_do_at_the_end_fails_before_any_stage_runs(toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gnupg").mkdir(mode=0o700)
    monkeypatch.setenv("GNUPGHOME", str(tmp_path / "gnupg"))
    configure(tmp_path, "[commit]\n    gpgSign = true\n", monkeypatch)
    with disable_run_logger():
        state = retrain.fn()
    assert state.name == "Failed" and "commit.gpgSign of git: it is on, and a trial signature (openpgp) failed" in state.message
    assert len(left_behind()) == 1
    configure(tmp_path, "", monkeypatch)
    with workspace.workspace(left_behind()[0].name, "main", print) as space:  # as a retry does
        check_git(space)
    (toy.path / ".git/shallow").write_text(toy.git("rev-parse", "HEAD") + "\n")
    toy.git("remote", "remove", "origin")
    with disable_run_logger():
        state = retrain.fn(promote="never", push=False)
    assert state.name == "Failed" and "a shallow clone; expected the whole history" in state.message


def test_only_a_change_outside_of_timing_makes_a_commit_and_that_contains_the_timing(toy: Toy) -> None:
    space = workspace.Workspace(toy.path, workspace.repository(), toy.git("rev-parse", "HEAD"))
    record_timing("gate", toy.path, seconds=1.5)
    assert commit_run(space, "embedded", "0 of 7 stages ran") == space.commit
    edited = toy.path / "data/score/transfer.json"
    edited.write_text(edited.read_text() + "\n")
    commit = commit_run(space, "embedded", "1 of 7 stages ran in 2 s")
    assert toy.git("rev-parse", f"{commit}^") == space.commit
    assert set(toy.git("diff", "--name-only", space.commit, commit).splitlines()) >= {"data/score/transfer.json", "data/timing/gate/timing.json"}
    assert toy.git("log", "-1", "--format=%s") == "Retrain embedded: promote, WER 50.0 %"


@pytest.mark.slow
def test_no_process_and_no_open_file_is_left(toy: Toy, started: Start) -> None:
    before = children()
    handles = len(os.listdir("/proc/self/fd"))
    run = started(retrain, push=False)
    assert children() <= before
    assert len(os.listdir("/proc/self/fd")) <= handles + 2
    assert left_behind() == [Path(run.outcome["path"])]
    assert git(left_behind()[0], "rev-parse", "HEAD") == run.outcome["commit"]
    assert git(toy.origin, "for-each-ref", "refs/heads/retrain") == ""


@pytest.mark.slow
def test_the_clones_of_failed_runs_are_removed_after_a_week(toy: Toy, started: Start) -> None:
    left = started(retrain, push=False).outcome["path"]
    marker = Path(f"{left}.run")
    assert marker.exists()
    for age_days, kept in ((workspace.KEPT_DAYS - 1, True), (workspace.KEPT_DAYS + 1, False)):
        at = time.time() - age_days * 86_400
        os.utime(marker, (at, at))
        workspace.remove_old_clones(marker.parent)
        assert (Path(left).exists(), marker.exists()) == (kept, kept)


def test_each_parameter_has_a_description_in_the_form(server: None) -> None:
    from flows.evaluate import evaluate
    from flows.promote import promote
    from flows.rollback import rollback
    from flows.watch import watch

    for flow in (retrain, promote, rollback, watch, evaluate):
        for name, shown in flow.parameters.properties.items():
            assert len(shown.get("description", "")) > 10, f"{flow.name}: {name} has no description"
    assert retrain.parameters.properties["promote"]["enum"] == ["auto", "approve", "never"]
    with get_client(sync_client=True) as client:
        assert client.hello().status_code == 200
