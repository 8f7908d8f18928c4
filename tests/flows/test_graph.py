"""DVC's graph as flows read it, and the figures that they show and judge by."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from flows import artifacts, drift
from flows.evaluate import RELEASE, as_test, compared
from flows.graph import Graph, parse
from flows.redaction import redact
from flows.stages import key_of, reasons, rejects, why
from flows.watch import Seen, against
from flows.watch import reasons as wanted
from pipeline.core.errors import DataError
from pipeline.core.files import ROOT, read_json
from pipeline.core.stage import exit_with_code

DOT = """
strict digraph {
"data/raw/cv.dvc";
"ingest@cv";
"score";
"train@a";
"train@b";
"ingest@cv" -> "train@a";
"ingest@cv" -> "train@b";
"data/raw/cv.dvc" -> "ingest@cv";
"train@a" -> "score";
"train@b" -> "score";
}
"""


def test_stages_come_in_an_order_that_they_can_run_in_and_pointers_are_no_stages() -> None:
    needs = parse(DOT)
    assert list(needs) == ["ingest@cv", "train@a", "train@b", "score"]
    assert needs["score"] == {"train@a", "train@b"} and needs["ingest@cv"] == frozenset()


def test_what_depends_on_a_stale_stage_is_in_doubt_and_what_does_not_is_not() -> None:
    graph = Graph(parse(DOT), {"train@a": [{"changed deps": {"params.yaml": {"train.steps": "modified"}, "x.py": "modified"}}]})
    doubtful = graph.after(["train@a"])
    assert doubtful == {"train@a", "score"}
    assert [why(graph, stage, doubtful) for stage in graph.needs] == [
        None, "deps: params.yaml changed, x.py modified", None, "after train@a"]
    assert graph.before(["score"], cut=["train"]) == {"score"}
    assert graph.before(["train@a"]) == {"train@a", "ingest@cv"}


def test_what_dvc_says_that_is_no_mapping_is_told_as_changed() -> None:
    assert reasons(["changed command"]) == "changed"


def test_a_reject_table_is_found_in_an_error_message(capsys: pytest.CaptureFixture[str]) -> None:
    from pipeline.ingest import refuse_if_broken

    counts = {"too short": 6, "clipped": 3}
    found = [{"reason": reason, "source": "a.wav", "detail": "0.1 s" if reason == "too short" else ""} for reason in counts]
    with pytest.raises(SystemExit), exit_with_code():
        refuse_if_broken({"corpus": "toy", "utterances": 1, "rejected": 9, "rejects": counts}, found, 0.05)
    assert rejects(["read", *capsys.readouterr().err.splitlines()]) == [
        {"reason": "too short", "utterances": 6, "example": "a.wav: 0.1 s"}, {"reason": "clipped", "utterances": 3, "example": "a.wav"}]
    assert rejects(["      6  no error line before it"]) == []


def test_the_committed_runs_figures_make_tables() -> None:
    verdict = read_json(ROOT / "data/gate/verdict.json")
    rows = artifacts.verdict_rows(verdict)
    assert len(rows) == len(verdict["rules"]) and {row["holds"] for row in rows} <= {"yes", "no", "undecided", "not enabled"}
    scores = {row["system"]: row for row in artifacts.score_rows(ROOT)}
    assert set(scores) >= {"transfer", "scratch", "champion"}
    assert scores["transfer"]["WER % [95 %]"] == artifacts.percent(read_json(ROOT / "data/score/transfer.json")["wer"])


@pytest.mark.parametrize(("url", "page"), [
    ("git@example.org:team/vizinho.git", "https://example.org/team/vizinho/tree/retrain/x"),
    ("https://ana:s3cret@example.org/team/vizinho.git", "https://example.org/team/vizinho/tree/retrain/x"),
    ("ssh://git@example.org:2222/team/vizinho", "https://example.org/team/vizinho/tree/retrain/x"),
    ("/srv" + "/git/vizinho.git", None),
])
def test_a_branch_has_a_page_where_its_remote_is_a_web_host(url: str, page: str | None) -> None:
    assert artifacts.web_page(url, "retrain/x") == page


def test_the_last_reports_are_kept_and_their_address_is_the_one_that_is_served(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIZINHO_STATE", str(tmp_path))
    monkeypatch.setattr(artifacts, "KEPT_REPORTS", 2)
    (tmp_path / "index.html").write_text("a report")
    assert artifacts.keep_report(tmp_path / "index.html", "one").startswith("file:///")
    monkeypatch.setenv("VIZINHO_REPORTS_URL", "http://127.0.0.1:4201/")
    for run in ("two", "three"):
        assert artifacts.keep_report(tmp_path / "index.html", run) == f"http://127.0.0.1:4201/{run}/index.html"
    assert sorted(path.name for path in (tmp_path / "reports").iterdir()) == ["three", "two"]


def test_secrets_are_masked_and_other_text_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", "abcdef-123456")
    monkeypatch.setenv("SHORT_TOKEN", "abc")
    assert redact("key abcdef-123456 of abc, s3://bucket/x, http://u:p@h:1/x") == "key *** of abc, s3://bucket/x, http://***@h:1/x"


def test_a_secret_of_several_lines_is_masked_line_by_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEPLOY_PRIVATE_KEY", "-----BEGIN KEY-----\nMIIEvAIBADANBg\n-----END KEY-----\n")
    assert redact("line 2: MIIEvAIBADANBg") == "line 2: ***"


def test_an_artifact_key_has_only_what_prefect_allows() -> None:
    assert key_of("progress", "train@scratch_long") == "progress-train-scratch-long"


# ---- Drift and reasons ----------------------------------------------------------------------------------------------


def utterances(count: int, duration_s: float = 3.0, snr_db: float = 30.0, locale: str = "pt-BR", text: str = "a loja abre cedo") -> pd.DataFrame:
    spread = pd.Series(range(count)) / count
    return pd.DataFrame({"duration_s": duration_s + spread, "snr_db": snr_db + spread, "locale": locale, "text": text})


BOUNDS = {"length": 0.2, "snr": 0.2, "locales": 0.2, "vocabulary": 0.15}


def exceeded(new: pd.DataFrame) -> list[str]:
    return [found.name for found in drift.drifts(new, utterances(300), **BOUNDS) if found.exceeded]


@pytest.mark.parametrize(("changed", "names"), [
    ({}, []),
    ({"duration_s": 6.0}, ["length"]),
    ({"snr_db": 12.0}, ["SNR"]),
    ({"locale": "pt-PT"}, ["locale mix"]),
    ({"text": "o comboio abre cedo"}, ["words never trained on"]),
])
def test_each_drift_is_seen_by_its_own_distance(changed: dict[str, Any], names: list[str]) -> None:
    assert exceeded(utterances(100, **changed)) == names


def test_distances_are_those_of_their_definitions() -> None:
    assert drift.distance(pd.Series([1.0, 2, 3, 4]), pd.Series([3.0, 4, 5, 6])) == 0.5
    assert drift.mix(pd.Series(["a", "a", "b", "b"]), pd.Series(["a", "b", "b", "c"])) == 0.25
    assert drift.unseen(pd.Series(["um dois", "um três"]), pd.Series(["um dois"])) == 0.25
    assert drift.drifts(utterances(drift.FEWEST - 1, 9.0), utterances(300), **BOUNDS) == []


def test_each_threshold_is_a_reason_and_below_all_of_them_it_says_why_not() -> None:
    seen = Seen("retrain/2026-11-01-x", 10, 0.1, 3.0, ())
    assert wanted(seen, 11, 0.2, None) == []
    assert against(seen, 11, 0.2, None) == ("10 new utterances (of 11), 0.10 hours (of 0.2), 3 days since the last run; "
                                            "too few new utterances to judge drift")
    assert wanted(seen, 10, 0.2, None) == ["10 new utterances (10 are enough)"]
    assert wanted(seen, 11, 0.1, None) == ["0.10 hours of new speech (0.1 are enough)"]
    assert wanted(seen, 11, 0.2, 3.0) == ["3 days since the last run (3 are enough)"]
    assert wanted(replace(seen, age_days=1.2), 11, 0.2, 1.0) == ["1 day since the last run (1 are enough)"]
    assert wanted(replace(seen, drifts=(drift.Drift("length", 0.3, 0.2),)), 11, 0.2, None) == ["drift: length 0.30 (bound 0.2)"]


# ---- The champion on other data -------------------------------------------------------------------------------------


def card(value: float, low: float, high: float, corpus: str = "speak-pt", utterances: int = 100) -> dict[str, Any]:
    wer = {"value": value, "low": low, "high": high}
    return {"wer": wer, "test_set": {"utterances": utterances}, "slices": [{"slice": {"corpus": corpus}, "utterances": utterances, "wer": wer}]}


def test_a_regression_is_an_interval_above_what_was_known_and_a_margin() -> None:
    known = card(0.30, 0.28, 0.32)
    assert [row.worse(0.02) for row in compared(known, card(0.35, 0.31, 0.39), 50, None)] == [False, False]
    assert [(row.where, row.worse(0.02)) for row in compared(known, card(0.40, 0.33, 0.45), 50, None)] == [("all", True), ("corpus=speak-pt", True)]
    assert len(compared(known, card(0.40, 0.33, 0.45), 101, None)) == 1
    assert [row.where for row in compared(known, card(0.4, 0.3, 0.5, RELEASE), 50, RELEASE)] == [RELEASE]
    with pytest.raises(DataError, match="none of its utterances"):
        compared(known, card(0.4, 0.3, 0.5), 50, RELEASE)


def test_every_row_of_a_release_becomes_test_data() -> None:
    assert as_test("path\tsplit\ttext\na.wav\ttrain\tolá\n") == "path\ttext\tsplit\na.wav\tolá\ttest\n"
    with pytest.raises(DataError, match="no rows"):
        as_test("path\ttext\n")


# ---- What it costs --------------------------------------------------------------------------------------------------


def cpu_s(statement: str) -> float:
    """Return the CPU seconds that a fresh process takes for an import, and check that nothing heavy came with it."""
    code = (f"{statement}\nimport resource, sys\n"
            "heavy = sys.modules.keys() & {'torch', 'torchaudio', 'transformers', 'matplotlib', 'dvc', 'gto'}\nassert not heavy, heavy\n"
            "used = resource.getrusage(resource.RUSAGE_SELF)\nprint(used.ru_utime + used.ru_stime)")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return float(done.stdout)


def test_flows_are_imported_without_torch_and_for_little_more_than_prefect_itself() -> None:
    assert cpu_s("import flows") < 2.0
    prefect = cpu_s("import prefect, prefect.flow_engine")
    assert cpu_s("import flows.retrain, flows.promote, flows.rollback, flows.watch, flows.evaluate") < 2 * prefect  # pandas is most of the rest
