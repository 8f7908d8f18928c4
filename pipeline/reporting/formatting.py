"""Numbers and symbols as text for people."""

from __future__ import annotations

import math
from typing import Any


def percent(fraction: float) -> str:
    """Return a rate in percent for print: 0.1234 → 12.3 %, with a no-break space."""
    return f"{fraction * 100:.1f}\N{NO-BREAK SPACE}%"


def points(fraction: float) -> str:
    """Return a rate or a difference of rates for print, in per cent or points: -0.1234 → −12.3, with U+2212 as minus."""
    return f"{fraction * 100:.1f}".replace("-", "−")


def thousands(number: int | float) -> str:
    """Return a whole number for print: 12345 → 12 345, with a no-break space."""
    return f"{number:,.0f}".replace(",", "\N{NO-BREAK SPACE}")


def format_p_value(p: float | None) -> str:
    """Return a p-value for print: 0.0004 → < 0.001, None → –."""
    return "–" if p is None else "<\N{NO-BREAK SPACE}0.001" if p < 0.001 else f"{p:.3f}"


def format_signed(number: float, digits: int) -> str:
    """Return a number with its sign, with U+2212 as minus: -0.25, 1 → −0.2."""
    return f"{number:+.{digits}f}".replace("-", "−")


def format_value(value: Any) -> str:
    """Return a JSON value for print: numbers with up to four significant digits, yes or no, – for null."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) or (isinstance(value, float) and math.isfinite(value) and abs(value) >= 10_000):
        return thousands(value).replace("-", "−")
    if isinstance(value, float):
        return f"{value:.4g}".replace("-", "−")
    return str(value)


def format_seconds(seconds: float) -> str:
    """Return a duration for print: 2.84 → 2.8 s."""
    return f"{seconds:.1f}\N{NO-BREAK SPACE}s"


def visible_symbol(symbol: str) -> str:
    """Return a symbol for print: space → ␣, nothing → ∅."""
    return symbol.replace(" ", "␣") or "∅"
