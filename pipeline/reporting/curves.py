"""Learning curves, and three comparisons of transfer with training from scratch that are read from them."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from pipeline.core.errors import DataError
from pipeline.reporting.formatting import percent, thousands


@dataclass(frozen=True, slots=True)
class Point:
    """An evaluation on the dev set.

    Attributes:
        step: optimiser steps until then.
        cer: character error rate, a fraction.
        audio_s: training audio processed until then in seconds, repeats included; None if unknown.
    """

    step: int
    cer: float
    audio_s: float | None


@dataclass(frozen=True, slots=True)
class Curve:
    """The dev CER of one training, evaluation by evaluation.

    Attributes:
        system: the system's name.
        points: at least one evaluation, steps ascending.
        steps: the total number of training steps.
    """

    system: str
    points: tuple[Point, ...]
    steps: int

    @property
    def last(self) -> Point:
        """Return the last evaluation."""
        return self.points[-1]

    def at(self, step: int) -> Point | None:
        """Return the latest evaluation at or before `step`, None if there is none."""
        return next((point for point in reversed(self.points) if point.step <= step), None)

    def reaching(self, cer: float) -> Point | None:
        """Return the first evaluation with a CER at or below `cer`, None if there is none."""
        return next((point for point in self.points if point.cer <= cer), None)


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one question about the curves, in sentences.

    Attributes:
        question: a short title.
        answer: the figures, or "Not measured" with the reason.
        caveat: what limits the comparison; may be empty.
        measured: whether the curves contain the answer.
    """

    question: str
    answer: str
    caveat: str
    measured: bool


def curve_from(history: pd.DataFrame, system: str, where: str) -> Curve:
    """Return the learning curve in a training history.

    Args:
        history: columns `step`, `dev_cer` (empty where a step was not evaluated), optionally `audio_s`.
        system: the system's name.
        where: the file, for error messages.

    Raises:
        DataError: a column is missing or not numeric, or no step was evaluated.
    """
    if missing := [name for name in ("step", "dev_cer") if name not in history.columns]:
        raise DataError(
            where, f"columns missing: {', '.join(missing)}", "step, dev_cer", "run the stage that writes it again"
        )
    try:
        numbers = history.apply(pd.to_numeric).sort_values("step")
    except (ValueError, TypeError) as error:
        raise DataError(
            where, f"not a number ({error})", "numbers or nothing", "run the stage that writes it again"
        ) from None
    evaluated = numbers.dropna(subset=["dev_cer"])
    if evaluated.empty:
        raise DataError(where, "no step has a dev_cer", "at least one evaluation", "run the training again")
    audio = evaluated["audio_s"] if "audio_s" in evaluated else pd.Series(float("nan"), index=evaluated.index)
    points = tuple(
        Point(int(step), float(cer), float(audio_s) if audio_s == audio_s else None)
        for step, cer, audio_s in zip(evaluated["step"], evaluated["dev_cer"], audio, strict=True)
    )
    return Curve(system, points, int(numbers["step"].max()))


def steps_saved(challenger: Curve, baseline: Curve) -> tuple[Point, Point] | None:
    """Return the first evaluations of both systems at or below the baseline's final CER, None if the challenger has none."""
    reached, target = challenger.reaching(baseline.last.cer), baseline.reaching(baseline.last.cer)
    return (reached, target) if reached and target else None


def answers(challenger: Curve, baseline: Curve, longer: Curve | None, donor_steps: int | None) -> list[Answer]:
    """Return the comparisons at equal Portuguese steps, at equal total steps, and of steps to an equal CER.

    Args:
        challenger: the curve of the system that starts from the donor.
        baseline: the curve of the system that is trained from scratch.
        longer: the curve of another system that is trained from scratch with more steps than the baseline, if there is one.
        donor_steps: training steps of the donor in this run; None if the donor was imported.
    """
    return [
        _equal_steps(challenger, baseline),
        _equal_total(challenger, longer, donor_steps),
        _steps_saved(challenger, baseline),
    ]


def _equal_steps(challenger: Curve, baseline: Curve) -> Answer:
    question = "Equal Portuguese steps"
    step = min(challenger.last.step, baseline.last.step)
    ours, theirs = challenger.at(step), baseline.at(step)
    if not ours or not theirs:
        return Answer(question, f"Not measured: no evaluation of both up to step {thousands(step)}.", "", False)
    where = (
        f"After {thousands(ours.step)} steps"
        if ours.step == theirs.step
        else (f"After {thousands(ours.step)} steps ({baseline.system} evaluated at {thousands(theirs.step)})")
    )
    return Answer(
        question,
        f"{where}, dev CER is {percent(ours.cer)} with {challenger.system} and {percent(theirs.cer)} with {baseline.system}"
        f"{_ratio(ours.cer, theirs.cer)}.",
        "The training of the donor is not counted: it is done once for all target languages.",
        True,
    )


def _equal_total(challenger: Curve, longer: Curve | None, donor_steps: int | None) -> Answer:
    question = "Equal total steps, donor included"
    if donor_steps is None:
        return Answer(
            question, "Not measured: the donor was not trained in this run, so its steps are unknown.", "", False
        )
    if longer is None:
        return Answer(question, "Not measured: this run has no longer training from scratch.", "", False)
    budget = min(donor_steps + challenger.last.step, longer.last.step)
    ours, theirs = challenger.at(budget - donor_steps), longer.at(budget)
    if not ours or not theirs:
        return Answer(
            question,
            f"Not measured: the longest training from scratch ends at {thousands(longer.last.step)} steps "
            f"(dev CER {percent(longer.last.cer)}), before the first evaluation of donor and {challenger.system} together; they end at "
            f"{thousands(donor_steps + challenger.last.step)} steps ({percent(challenger.last.cer)}).",
            "The two figures are of different numbers of steps and are not comparable.",
            False,
        )
    return Answer(
        question,
        f"Within {thousands(budget)} steps, dev CER is {percent(ours.cer)} with {challenger.system} "
        f"({thousands(donor_steps)} Spanish + {thousands(ours.step)} Portuguese) and {percent(theirs.cer)} "
        f"with {longer.system} ({thousands(theirs.step)} Portuguese){_ratio(ours.cer, theirs.cer)}.",
        " ".join(
            f"{name} is evaluated in the middle of its learning-rate schedule, which is a disadvantage."
            for name, point, curve in ((challenger.system, ours, challenger), (longer.system, theirs, longer))
            if point != curve.last
        ),
        True,
    )


def _steps_saved(challenger: Curve, baseline: Curve) -> Answer:
    question = "Steps to an equal CER"
    if not (pair := steps_saved(challenger, baseline)):
        return Answer(
            question,
            f"{challenger.system} never reaches the final dev CER of {baseline.system}, {percent(baseline.last.cer)}: no steps are saved.",
            "",
            True,
        )
    ours, theirs = pair
    speech = ""
    if ours.audio_s is not None and theirs.audio_s is not None:
        speech = (
            f" ({ours.audio_s / 60:.0f} instead of {theirs.audio_s / 60:.0f} minutes of audio processed, repeats included)"
        )
    return Answer(
        question,
        f"{challenger.system} reaches the final dev CER of {baseline.system}, {percent(baseline.last.cer)}, at step "
        f"{thousands(ours.step)} instead of {thousands(theirs.step)}{speech}.",
        "Steps are those of evaluations: the error may have been reached earlier.",
        True,
    )


def _ratio(ours: float, theirs: float) -> str:
    if theirs <= 0 or ours == theirs:
        return ""
    return f": {abs(ours / theirs - 1) * 100:.0f}\N{NO-BREAK SPACE}% {'fewer' if ours < theirs else 'more'} errors"
