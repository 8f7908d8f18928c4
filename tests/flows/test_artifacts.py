"""The artifacts of a run."""

from __future__ import annotations

from typing import Any

import pytest

from flows import artifacts
from pipeline.core.files import ROOT, read_json


def test_the_committed_runs_figures_make_tables() -> None:
    verdict = read_json(ROOT / "data/gate/verdict.json")
    rows = artifacts.verdict_rows(verdict)
    assert len(rows) == len(verdict["rules"]) and {row["outcome"] for row in rows} <= {"pass", "fail", "undecided", "disabled"}
    scores = {row["system"]: row for row in artifacts.score_rows(ROOT)}
    challenger = verdict["challenger"]["system"]
    assert set(scores) >= {challenger, "champion"}
    assert scores[challenger]["WER % [95 %]"] == artifacts.percent(read_json(ROOT / f"data/score/{challenger}.json")["wer"])


@pytest.mark.parametrize(("enabled", "passed", "outcome"), [
    (True, True, "pass"), (True, False, "fail"), (True, None, "undecided"), (False, None, "disabled"), (False, True, "disabled")])
def test_a_rule_has_one_of_four_outcomes(enabled: bool, passed: bool | None, outcome: str) -> None:
    assert artifacts.outcome_of({"enabled": enabled, "passed": passed}) == outcome


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
    assert artifacts.keep_report(tmp_path / "index.html", "one").startswith("file:///")
    monkeypatch.setenv("VIZINHO_REPORTS_URL", "http://127.0.0.1:4201/")
    for run in ("two", "three"):
        assert artifacts.keep_report(tmp_path / "index.html", run) == f"http://127.0.0.1:4201/{run}/index.html"
    assert sorted(path.name for path in (tmp_path / "reports").iterdir()) == ["three", "two"]
