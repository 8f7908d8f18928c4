"""Stages as tasks: what their output means."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from flows import stages
from flows.graph import Graph, base, parse
from flows.process import Progress
from flows.stages import describe_changes, key_of, parse_rejects, stale_reason
from pipeline.core.stage import exit_with_code
from tests.flows.test_graph import DOT


def test_a_stage_may_be_stale_by_its_own_changes_or_after_another_stage() -> None:
    graph = Graph(parse(DOT), {"train@a": [{"changed deps": {"params.yaml": {"train.steps": "modified"}, "x.py": "modified"}}]})
    maybe_stale = graph.after(["train@a"])
    assert [stale_reason(graph, stage, maybe_stale) for stage in graph.needs] == [
        None, "deps: params.yaml changed, x.py modified", None, "after train@a"]


def test_a_change_that_dvc_reports_without_details_is_described_as_changed() -> None:
    assert describe_changes(["changed command"]) == "changed"


def test_a_reject_table_is_found_in_an_error_message(capsys: pytest.CaptureFixture[str]) -> None:
    from pipeline.ingest import check_reject_share

    counts = {"too short": 6, "clipped": 3}
    found = [{"reason": reason, "source": "a.wav", "detail": "0.1 s" if reason == "too short" else ""} for reason in counts]
    with pytest.raises(SystemExit), exit_with_code():
        check_reject_share({"corpus": "toy", "utterances": 1, "rejected": 9, "rejects": counts}, found, 0.05)
    assert parse_rejects(["read", *capsys.readouterr().err.splitlines()]) == [
        {"reason": "too short", "utterances": 6, "example": "a.wav: 0.1 s"}, {"reason": "clipped", "utterances": 3, "example": "a.wav"}]
    assert parse_rejects(["      6  no error line before it"]) == []


@pytest.mark.parametrize(("stage", "label"), [("train@mine", "train@mine"), ("transcribe_existing@donor", "transcribe@donor")])
def test_a_stage_has_one_progress_artifact_of_its_own_bar_that_ends_full(stage: str, label: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[tuple[object, ...]] = []
    monkeypatch.setattr(stages, "create_progress_artifact", lambda percent, key, description: shown.append((key, percent)) or "id")
    monkeypatch.setattr(stages, "update_progress_artifact", lambda found, percent, description="": shown.append((found, percent)))
    artifact = stages.ProgressArtifact(stage)
    artifact.complete()  # no bar was drawn
    for name, percent in (("memory://.8YajZ", 79), (label, 50), (label, 60), ("Checkout", 100), (label, 99)):  # 60 comes within two seconds
        artifact.show(Progress(name, percent, "240/480 [00:33<00:33, 7.2step/s]"))
    artifact.complete()
    assert shown == [(stages.key_of("progress", stage), 50.0), ("id", 100.0)]


@pytest.mark.slow
def test_a_stage_that_dvc_does_not_start_is_explained_by_dvc(tmp_path: Path) -> None:
    graph = {"ingest": {"cmd": "true", "deps": ["data/raw/cv-pt"]}, "train": {"cmd": "echo no number; exit 1"}}
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"stages": graph}))
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    subprocess.run([sys.executable, "-m", "dvc", "init", "--quiet"], cwd=tmp_path, check=True)

    def failure(stage: str) -> list[str]:
        done = subprocess.run([sys.executable, "-m", "dvc", "repro", "--single-item", stage], cwd=tmp_path, text=True, capture_output=True)
        assert done.returncode
        return stages.lines_of_failure((done.stdout + done.stderr).splitlines())

    assert any("data/raw/cv-pt" in line for line in failure("ingest"))
    assert not any(line.startswith("ERROR: failed to reproduce") for line in failure("train"))
    assert "no number" in failure("train")


@pytest.mark.parametrize("stage", ["donor", "align@portuguese", "train@mine", "transcribe@mine", "transcribe_existing@champion"])
def test_a_stage_that_uses_the_whole_machine_runs_alone_for_any_system(stage: str) -> None:
    assert base(stage) in stages.EXCLUSIVE


def test_an_artifact_key_has_only_what_prefect_allows() -> None:
    assert key_of("progress", "train@scratch_long") == "progress-train-scratch-long"
