"""Shutdown requests, skipped steps, and the plateau of blanks."""

from __future__ import annotations

import os
import signal
import threading
from typing import Any

import pytest

from pipeline.core.errors import TrainingError
from pipeline.training.guards import count_blank_evaluations, shutdown_requests, skip_step


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_is_recorded_and_the_handlers_come_back(number: signal.Signals) -> None:
    handlers = [signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT)]
    with shutdown_requests() as request:
        assert request.signal_number is None
        os.kill(os.getpid(), number)
        assert request.signal_number == number
        assert [signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT)] == handlers, "a second signal has its usual effect"
    assert [signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT)] == handlers


def test_under_torchrun_a_repeated_signal_is_only_recorded() -> None:
    with shutdown_requests(once=False) as request:
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)
    assert request.signal_number == signal.SIGINT


def test_outside_of_the_main_thread_no_handler_is_set() -> None:
    handler, found = signal.getsignal(signal.SIGTERM), []

    def work() -> None:
        with shutdown_requests() as request:
            found.append((request.signal_number, signal.getsignal(signal.SIGTERM)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [(None, handler)]


def test_skipped_steps_are_counted_and_one_too_many_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    skipped: list[dict[str, Any]] = []
    for step in (4, 9):
        skip_step(skipped, step, float("nan"), 2.0, [f"a/{number}" for number in range(10)], 2, "test")
    assert [one["step"] for one in skipped] == [5, 10]
    assert capsys.readouterr().out.splitlines()[0] == ("test: step 5 skipped, the loss is nan and its gradient's norm 2.0: "
                                                       "a/0, a/1, a/2, a/3, a/4, a/5, a/6, a/7 and 2 more")
    with pytest.raises(TrainingError, match=r"at step 12, the 3\. such step .*expected finite numbers in all but 2 steps"):
        skip_step(skipped, 11, float("nan"), 2.0, ["a/1"], 2, "test")


def test_blank_evaluations_are_counted_in_a_row_and_the_second_is_logged(capsys: pytest.CaptureFixture[str]) -> None:
    counts = [0]
    for hypotheses in (["", ""], ["", ""], ["", ""], ["", "a"], ["", ""]):
        counts.append(count_blank_evaluations(hypotheses, counts[-1], 3.0, "test"))
    assert counts == [0, 1, 2, 3, 0, 1]
    assert capsys.readouterr().out.count("nothing but blanks on the development set, 2 evaluations in a row") == 1
