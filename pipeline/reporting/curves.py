"""What the learning curves prove: three comparisons of transfer with training from scratch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from pipeline.core.errors import DataError


@dataclass(frozen=True, slots=True)
class Point:
    """An evaluation on the dev set."""

    step: int
    cer: float
    audio_s: float | None  # training audio seen until then, repeats included


@dataclass(frozen=True, slots=True)
class Curve:
    """The dev error of one training, evaluation by evaluation; never empty, steps ascending."""

    system: str
    points: tuple[Point, ...]
    steps: int  # trained in all, evaluated or not

    @property
    def last(self) -> Point:
        return self.points[-1]

    def at(self, step: int) -> Point | None:
        """Return the latest evaluation at or before `step`; None if there is none."""
        return next((point for point in reversed(self.points) if point.step <= step), None)

    def reaching(self, cer: float) -> Point | None:
        """Return the first evaluation at or below an error; None if it was never reached."""
        return next((point for point in self.points if point.cer <= cer), None)


@dataclass(frozen=True, slots=True)
class Answer:
    """One question put to the curves. `answer` says "Not measured" with the reason where the curves cannot tell."""

    question: str
    answer: str
    caveat: str
    measured: bool


def curve_from(history: pd.DataFrame, system: str, where: str) -> Curve:
    """Return the curve in a training history (columns `step`, `dev_cer`, `audio_s` if known).

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
    heard = evaluated["audio_s"] if "audio_s" in evaluated else pd.Series(float("nan"), index=evaluated.index)
    points = tuple(
        Point(int(step), float(cer), float(audio_s) if audio_s == audio_s else None)
        for step, cer, audio_s in zip(evaluated["step"], evaluated["dev_cer"], heard, strict=True)
    )
    return Curve(system, points, int(numbers["step"].max()))


def saved(transfer: Curve, scratch: Curve) -> tuple[Point, Point] | None:
    """Return where transfer first reaches scratch's final error, and where scratch itself first does; None if never."""
    reached, target = transfer.reaching(scratch.last.cer), scratch.reaching(scratch.last.cer)
    return (reached, target) if reached and target else None


def answers(curves: Mapping[str, Curve], donor_steps: int | None) -> list[Answer]:
    """Return the comparisons at equal Portuguese steps, at equal total steps, and of steps to an equal error.

    Args:
        curves: by system; `transfer` and `scratch` must be there, `scratch_long` may be.
        donor_steps: steps that the donor was trained for in this run; None where it came from elsewhere.
    """
    transfer, scratch, longer = curves["transfer"], curves["scratch"], curves.get("scratch_long")
    return [
        _equal_steps(transfer, scratch),
        _equal_total(transfer, longer, donor_steps),
        _steps_saved(transfer, scratch),
    ]


def _equal_steps(transfer: Curve, scratch: Curve) -> Answer:
    question = "Same Portuguese steps"
    step = min(transfer.last.step, scratch.last.step)
    ours, theirs = transfer.at(step), scratch.at(step)
    if not ours or not theirs:
        return Answer(question, f"Not measured: no evaluation of both up to step {thousands(step)}.", "", False)
    where = (
        f"After {thousands(ours.step)} steps"
        if ours.step == theirs.step
        else (f"After {thousands(ours.step)} steps (scratch evaluated at {thousands(theirs.step)})")
    )
    return Answer(
        question,
        f"{where}, dev CER is {percent(ours.cer)} with transfer and {percent(theirs.cer)} from scratch"
        f"{_ratio(ours.cer, theirs.cer)}.",
        "The donor's own training is not counted: it is paid once and serves every target language.",
        True,
    )


def _equal_total(transfer: Curve, longer: Curve | None, donor_steps: int | None) -> Answer:
    question = "Same steps in all, donor included"
    if donor_steps is None:
        return Answer(
            question, "Not measured: the donor was not trained in this run, so its steps are unknown.", "", False
        )
    if longer is None:
        return Answer(question, "Not measured: there is no longer training from scratch in this run.", "", False)
    budget = min(donor_steps + transfer.last.step, longer.last.step)
    ours, theirs = transfer.at(budget - donor_steps), longer.at(budget)
    if not ours or not theirs:
        return Answer(
            question,
            f"Not measured: the longest training from scratch ends at {thousands(longer.last.step)} steps "
            f"(dev CER {percent(longer.last.cer)}), before donor and transfer together are evaluated; they end at "
            f"{thousands(donor_steps + transfer.last.step)} steps ({percent(transfer.last.cer)}).",
            "The two figures rest on different numbers of steps and prove nothing against each other.",
            False,
        )
    return Answer(
        question,
        f"Within {thousands(budget)} steps, dev CER is {percent(ours.cer)} with transfer "
        f"({thousands(donor_steps)} Spanish + {thousands(ours.step)} Portuguese) and {percent(theirs.cer)} "
        f"from scratch ({thousands(theirs.step)} Portuguese){_ratio(ours.cer, theirs.cer)}.",
        " ".join(
            f"{name} is taken in the middle of its learning-rate schedule, to its disadvantage."
            for name, point, curve in (("Transfer", ours, transfer), ("Scratch", theirs, longer))
            if point != curve.last
        ),
        True,
    )


def _steps_saved(transfer: Curve, scratch: Curve) -> Answer:
    question = "Steps to the same error"
    if not (pair := saved(transfer, scratch)):
        return Answer(
            question,
            f"Transfer never reaches scratch's final dev CER of {percent(scratch.last.cer)}: nothing is saved.",
            "",
            True,
        )
    ours, theirs = pair
    speech = ""
    if ours.audio_s is not None and theirs.audio_s is not None:
        speech = (
            f" ({ours.audio_s / 60:.0f} instead of {theirs.audio_s / 60:.0f} minutes of speech heard, repeats included)"
        )
    return Answer(
        question,
        f"Scratch's final dev CER of {percent(scratch.last.cer)} is reached by transfer at step "
        f"{thousands(ours.step)} instead of {thousands(theirs.step)}{speech}.",
        "Read off at evaluations, not between them: the true step lies at or before the one named.",
        True,
    )


def _ratio(ours: float, theirs: float) -> str:
    if theirs <= 0 or ours == theirs:
        return ""
    return f": {abs(ours / theirs - 1) * 100:.0f}\N{NO-BREAK SPACE}% {'fewer' if ours < theirs else 'more'} errors"


def percent(fraction: float) -> str:
    """Return a rate for print: 0.1234 → 12.3 %, with a no-break space."""
    return f"{fraction * 100:.1f}\N{NO-BREAK SPACE}%"


def thousands(number: int | float) -> str:
    """Return a whole number for print: 12345 → 12 345, with a no-break space."""
    return f"{number:,.0f}".replace(",", "\N{NO-BREAK SPACE}")
