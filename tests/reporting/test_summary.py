from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline import report
from pipeline.core.files import ROOT
from pipeline.core.timing import record_timing
from pipeline.reporting.summary import describe_rules, summary
from tests.reporting.results import edit, rule


def test_the_summary_is_five_sentences_and_names_files_that_exist(root: Path) -> None:
    report.run(root)
    lines = [line.replace("\N{NO-BREAK SPACE}", " ") for line in summary(root)]
    assert lines == [
        "Verdict: promote. All 2 enabled rules pass. On this test set a true gain of 10 % passes with a probability of 62 %. "
        f"See {root}/data/gate/verdict.json.",
        "Word error rate (WER) on the test set, as served: transfer 22.0 %, scratch 60.0 %, scratch_long 31.0 %, champion 95.0 %, donor 95.0 %.",
        f"The challenger is transfer, in {root}/data/train/transfer.",
        f"All metrics are in {root}/data/score; `dvc metrics show` prints them.",
        f"The report, with figures, errors and audio, is {root}/data/report/index.html.",
    ]
    for name in ("data/gate/verdict.json", "data/train/transfer", "data/score", "data/report/index.html"):
        assert (root / name).exists()


def test_speed_is_reported_where_it_was_recorded(root: Path) -> None:
    record_timing("train@transfer", root, seconds=1234.5)
    record_timing("transcribe@transfer", root, rtfx=210.4)
    assert summary(root)[2].replace("\N{NO-BREAK SPACE}", " ").endswith(
        "data/train/transfer. On this machine its training took 1 234 s and it transcribes 210 audio-seconds per second."
    )


def test_the_challenger_is_that_of_the_verdict(root: Path) -> None:
    edit(root / "data/gate/verdict.json", lambda verdict: verdict["challenger"].update(system="scratch_long"))
    assert summary(root)[2] == f"The challenger is scratch_long, in {root}/data/train/scratch_long."


def test_the_command_prints_the_summary_or_one_message_and_records_no_timing(root: Path) -> None:
    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "pipeline.reporting.summary"], cwd=root, env={**os.environ, "PYTHONPATH": str(ROOT)},
            text=True, capture_output=True, timeout=60,
        )

    done = run()
    assert done.stdout.startswith("Verdict: promote.")
    assert done.returncode == 0
    assert not list((ROOT / "data/timing").rglob("*summary*"))
    (root / "data/gate/verdict.json").unlink()
    done = run()
    assert "data/gate/verdict.json: no such file" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.returncode == 1


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([rule("a"), rule("b", enabled=False, passed=None)], "All 1 enabled rules pass."),
        ([rule("a", passed=False), rule("b")], "1 of 2 enabled rules fails: a."),
        (
            [rule("a", passed=False), rule("b", passed=False), rule("c", passed=None), rule("d")],
            "2 of 4 enabled rules fail: a, b. 1 of 4 enabled rules is undecided: c.",
        ),
        ([rule("a", enabled=False, passed=None)], "No rule is enabled."),
    ],
)
def test_rules_that_fail_or_are_undecided_are_named(rules: list[dict[str, Any]], expected: str) -> None:
    assert describe_rules(rules) == expected
