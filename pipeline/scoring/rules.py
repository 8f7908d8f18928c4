"""The gate's rules: each judges a figure with its interval against a limit, and knows three answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

Verdict = Literal["promote", "reject", "inconclusive"]


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of a verdict.

    Args:
        passed: None where the rule is not enabled, or the interval lies on both sides of the limit (undecided).
        reason: one sentence.
    """

    name: str
    enabled: bool
    value: float | None
    low: float | None
    high: float | None
    limit: float | None
    passed: bool | None
    reason: str

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


Outcome = Literal["pass", "fail", "undecided", "disabled"]


def outcome_of(rule: Mapping[str, Any]) -> Outcome:
    """Return the outcome of a rule of a verdict, in the words that the command, the report and the UI share."""
    if not rule["enabled"]:
        return "disabled"
    return {True: "pass", False: "fail", None: "undecided"}[rule["passed"]]  # type: ignore[return-value]


def disabled(name: str, limit: float | None = None, reason: str = "not enabled") -> Rule:
    """Return a rule that does not count."""
    return Rule(name, False, None, None, None, limit, None, reason)


def switched(enabled: bool, rule: Rule) -> Rule:
    """Return the rule, or that it does not count."""
    return rule if enabled else disabled(rule.name, rule.limit)


def at_most(name: str, value: float, low: float, high: float, limit: float, what: str, units: str = "", points: bool = False) -> Rule:
    """Return the rule that a measured quantity lies at or under a limit, by its interval.

    Passed where the whole interval does, failed where none of it does, else undecided, with how much more test data
    would decide.

    Args:
        what: the quantity, for the reason.
        units: what the interval was resampled by, with their number ("24 speakers").
        points: the quantity is a difference of percentages.
    """
    shown = {bound: f"{100 * bound:+.2f} points" if points else f"{100 * bound:.2f} %" for bound in (low, high, limit)}
    if high <= limit:
        passed, reason = True, f"{what} is at most {shown[high]}, limit {shown[limit]}"
    elif low > limit:
        passed, reason = False, f"{what} is at least {shown[low]}, limit {shown[limit]}"
    else:
        passed, reason = None, f"undecided: {what} is {shown[low]} to {shown[high]}, limit {shown[limit]}; {more_data(value, high, limit, units)}"
    return Rule(name, True, value, low, high, limit, passed, reason)


def more_data(value: float, high: float, limit: float, units: str) -> str:
    """Return how much more test data would decide: an interval shrinks with the root of the number of units."""
    if value >= limit:
        return "more test data would not show it to be under the limit unless the figure itself falls"
    times = ((high - value) / (limit - value)) ** 2
    return f"about {times:.1f} times the test data ({units}) would decide, if the figure stays as it is"


def bare(name: str, value: float, limit: float, holds: bool, reason: str) -> Rule:
    """Return a rule on a figure without interval."""
    return Rule(name, True, value, None, None, limit, holds, reason)


def verdict_of(rules: Sequence[Rule]) -> Verdict:
    """Return the verdict: any rule failed, reject; any undecided, inconclusive; else promote."""
    answers = [rule.passed for rule in rules if rule.enabled]
    if not answers or False in answers:
        return "reject"
    return "inconclusive" if None in answers else "promote"


def spent_level(alpha: float, gates: int) -> float:
    """Return the one-sided error level of a gate: `alpha / ((gates + 1) (gates + 2))`.

    Summed over all gates from a promotion on, these levels make `alpha`: however often a challenger that is no better
    is judged, it is promoted with a probability of at most `alpha` in the whole period.

    (0.05, 0) → 0.025, the end of a two-sided 95 % interval; (0.05, 1) → 0.0083; (0.05, 9) → 0.00045

    Args:
        alpha: error level of the period from one promotion to the next, 0..1.
        gates: gates run in it before this one.

    Source: Bonferroni with unequal shares; the telescoping sum of 1 / (k (k + 1)) is 1. Sequential spending as in
    Foster and Stine, "Alpha-investing" (J. R. Statist. Soc. B 70, 2008), section 2.
    """
    return alpha / ((gates + 1) * (gates + 2))
