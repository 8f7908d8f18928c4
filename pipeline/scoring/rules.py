"""The gate's rules: each compares a value and its interval with a limit. Outcomes: pass, fail, undecided, disabled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

Verdict = Literal["promote", "reject", "inconclusive"]


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of a verdict.

    Args:
        passed: None if the rule is disabled, or undecided: its interval includes the limit.
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
        """Return the rule as an entry of `rules` in `vizinho.verdict/5`."""
        return asdict(self)


Outcome = Literal["pass", "fail", "undecided", "disabled"]


def outcome_of(rule: Mapping[str, Any]) -> Outcome:
    """Return the outcome of a rule of a verdict, in the words that the command line, the report and the Prefect UI share."""
    if not rule["enabled"]:
        return "disabled"
    return {True: "pass", False: "fail", None: "undecided"}[rule["passed"]]  # type: ignore[return-value]


def disabled(name: str, limit: float | None = None, reason: str = "not enabled") -> Rule:
    """Return a disabled rule, which does not affect the verdict."""
    return Rule(name, False, None, None, None, limit, None, reason)


def if_enabled(enabled: bool, rule: Rule) -> Rule:
    """Return the rule, or a disabled rule of its name and limit."""
    return rule if enabled else disabled(rule.name, rule.limit)


def at_most(name: str, value: float, low: float, high: float, limit: float, what: str, units: str = "", points: bool = False) -> Rule:
    """Return the rule that a quantity is at most a limit, decided by its interval.

    Passes if the whole interval is at most the limit, fails if the whole interval is above it. Else the rule is
    undecided, and the reason estimates how much test data would decide it.

    Args:
        name: name of the rule.
        value: the quantity, a fraction.
        low: lower end of its interval, a fraction.
        high: upper end of its interval, a fraction.
        limit: largest value that passes, a fraction.
        what: name of the quantity, for the reason.
        units: number and name of the resampled units ("24 speakers now"), for the reason.
        points: whether the quantity is a difference, shown in percentage points.
    """
    form, unit = ("+.2f", "points") if points else (".2f", "%")
    measured = f"{what} {100 * value:{form}} {unit} [{100 * low:{form}}, {100 * high:{form}}]"
    bound = f"{100 * limit:{form}} {unit}" if limit else "0"
    if high <= limit:
        passed, reason = True, f"{measured}: the whole interval is at most {bound}"
    elif low > limit:
        passed, reason = False, f"{measured}: the whole interval is above {bound}"
    else:
        passed, reason = None, f"undecided: {measured}: the interval includes {bound}; {more_data(value, high, limit, units)}"
    return Rule(name, True, value, low, high, limit, passed, reason)


def more_data(value: float, high: float, limit: float, units: str) -> str:
    """Return the amount of test data that would decide, as text: an interval shrinks with the root of the number of units."""
    if value >= limit:
        return "more test data would not decide unless the value itself falls below the limit"
    times = ((high - value) / (limit - value)) ** 2
    return f"about {times:.1f} times the test data ({units}) would decide if the value remains the same"


def point_rule(name: str, value: float, limit: float, passed: bool, reason: str) -> Rule:
    """Return a rule on a single value, without interval."""
    return Rule(name, True, value, None, None, limit, passed, reason)


def verdict_of(rules: Sequence[Rule]) -> Verdict:
    """Return the verdict: `reject` if any rule fails, else `inconclusive` if any is undecided, else `promote`.

    Disabled rules do not count; without any enabled rule the verdict is `reject`.
    """
    results = [rule.passed for rule in rules if rule.enabled]
    if not results or False in results:
        return "reject"
    return "inconclusive" if None in results else "promote"


def spent_level(alpha: float, gates: int) -> float:
    """Return the one-sided error level of a gate: `alpha / ((gates + 1) (gates + 2))`.

    A period is the champion's tenure: from one promotion to the next. The levels of all its gates sum to `alpha`. So
    challengers that are no better are promoted with a probability of at most `alpha` in the whole period, however many
    gates run.

    (0.05, 0) → 0.025, the end of a two-sided 95 % interval; (0.05, 1) → 0.0083; (0.05, 9) → 0.00045

    Args:
        alpha: error level of the whole period, 0..1.
        gates: number of gates run in the period before this one.

    Source: Bonferroni with unequal shares; the telescoping sum of 1 / (k (k + 1)) is 1. Sequential spending as in
    Foster and Stine, "Alpha-investing" (J. R. Statist. Soc. B 70, 2008), section 2.
    """
    return alpha / ((gates + 1) * (gates + 2))
