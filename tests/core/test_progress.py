"""Progress bars appear on a terminal alone; the closing line counts what was dropped."""

from __future__ import annotations

import io
import sys
import time

import pytest

from pipeline.core import progress


class Terminal(io.StringIO):
    """A standard error that is a terminal."""

    def isatty(self) -> bool:
        return True


def use_bar() -> None:
    with progress.bar(3, "step", "train") as bar:
        for _ in range(3):
            bar.update()
        bar.refresh()


def test_a_bar_writes_to_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    use_bar()
    assert "train" in terminal.getvalue()
    assert "3/3" in terminal.getvalue()


def test_a_bar_writes_nothing_where_standard_error_is_no_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    use_bar()
    assert capfd.readouterr() == ("", "")


def test_a_silenced_process_writes_no_bar_and_no_log_and_delays_its_errors(
        monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(progress, "_silenced", False)  # restored afterwards
    progress.log("before")
    progress.silence()
    progress.log("after")
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    progress.log_error("broken")
    assert capsys.readouterr() == ("before\n", "error: broken\n")
    assert waits == [progress.GRACE_S]
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    use_bar()
    assert terminal.getvalue() == ""


def test_an_error_goes_to_standard_error_at_once(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("waits"))
    progress.log_error("params.yaml: wrong")
    assert capsys.readouterr() == ("", "error: params.yaml: wrong\n")


@pytest.mark.parametrize("dropped, expected", [
    (None, "normalise@a: 1200 utterances, 1.12 hours"),
    ({}, "normalise@a: 1200 utterances, 1.12 hours; dropped 0"),
    ({"empty": 1, "other script": 2, "too long": 0}, "normalise@a: 1200 utterances, 1.12 hours; dropped 3 (2 other script, 1 empty)"),
])
def test_the_closing_line_has_the_figures_and_the_dropped_by_reason(dropped: dict[str, int] | None, expected: str) -> None:
    assert progress.stage_line("normalise@a", {"utterances": 1200, "hours": 1.1234}, dropped) == expected
