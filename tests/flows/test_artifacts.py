"""The artifacts of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flows import artifacts
from pipeline.core.files import ROOT, read_json, write_json
from pipeline.core.timing import record_timing


def test_the_committed_runs_figures_make_tables() -> None:
    verdict = read_json(ROOT / "data/gate/verdict.json")
    rows = artifacts.verdict_rows(verdict)
    assert len(rows) == len(verdict["rules"]) and {row["outcome"] for row in rows} <= {"pass", "fail", "undecided", "disabled"}
    scores = {row["system"]: row for row in artifacts.score_rows(ROOT)}
    challenger = verdict["challenger"]["system"]
    assert set(scores) >= {challenger, "champion"}
    assert scores[challenger]["WER % as served [95 %]"] == artifacts.percent(read_json(ROOT / f"data/score/{challenger}.json")["wer_served"])


@pytest.mark.parametrize(("enabled", "passed", "outcome"), [
    (True, True, "pass"), (True, False, "fail"), (True, None, "undecided"), (False, None, "disabled"), (False, True, "disabled")])
def test_a_rule_has_one_of_four_outcomes(enabled: bool, passed: bool | None, outcome: str) -> None:
    assert artifacts.outcome_of({"enabled": enabled, "passed": passed}) == outcome


def test_a_score_has_the_speed_of_its_transcription_and_a_dash_without_a_timing(tmp_path: Path) -> None:
    rate = {"value": 0.373, "low": 0.343, "high": 0.403}
    score = {"wer": rate, "wer_served": rate, "cer_served": {"value": 0.1}, "test_set": {"utterances": 40, "speakers": 12}}
    for system in ("champion", "mine"):
        write_json(tmp_path / f"data/score/{system}.json", score)
    record_timing("transcribe@mine", tmp_path, rtfx=48.26)
    assert artifacts.score_rows(tmp_path) == [
        {"system": system, "WER % as served [95 %]": "37.3 [34.3, 40.3]", "CER % as served [95 %]": "10.0",
             "WER % greedy [95 %]": "37.3 [34.3, 40.3]", "utterances": 40, "speakers": 12, "audio s per s": speed}
        for system, speed in (("champion", "–"), ("mine", "48.3"))]


@pytest.mark.parametrize(("url", "page"), [
    ("git@example.org:team/vizinho.git", "https://example.org/team/vizinho/tree/retrain/x"),
    ("https://ana:s3cret@example.org/team/vizinho.git", "https://example.org/team/vizinho/tree/retrain/x"),
    ("ssh://git@example.org:2222/team/vizinho", "https://example.org/team/vizinho/tree/retrain/x"),
    ("/srv" + "/git/vizinho.git", None),
])
def test_a_branch_has_a_page_where_its_remote_is_a_web_host(url: str, page: str | None) -> None:
    assert artifacts.web_page(url, "retrain/x") == page


def test_the_last_reports_are_kept_and_their_address_is_below_the_server(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIZINHO_STATE", str(tmp_path))
    monkeypatch.setattr(artifacts, "KEPT_REPORTS", 2)
    (tmp_path / "index.html").write_text("a report")
    (tmp_path / "data.html").write_text("its page on the data")
    assert artifacts.keep_report(tmp_path / "index.html", "one").startswith("file:///")
    monkeypatch.setenv("VIZINHO_REPORTS_URL", "http://127.0.0.1:4201/")
    for run in ("two", "three"):
        assert artifacts.keep_report(tmp_path / "index.html", run) == f"http://127.0.0.1:4201/{run}/index.html"
    assert sorted(path.name for path in (tmp_path / "reports").iterdir()) == ["three", "two"]
    assert (tmp_path / "reports/three/data.html").read_text() == "its page on the data"
