from __future__ import annotations

from typing import Any

import pytest

from pipeline.reporting.formatting import format_p_value, format_seconds, format_signed, format_value, percent, points, thousands, visible_symbol


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "–"), (True, "yes"), (False, "no"), (12_345, "12\N{NO-BREAK SPACE}345"), (-7, "−7"), (0.123456, "0.1235"), (-0.5, "−0.5"),
        (12_345.6, "12\N{NO-BREAK SPACE}346"), ("text", "text"),
    ],
)
def test_a_value_of_any_json_type_is_printed(value: Any, expected: str) -> None:
    assert format_value(value) == expected


def test_p_values_signs_and_blanks_are_printed_legibly() -> None:
    assert [format_p_value(p) for p in (None, 0.0004, 0.0123)] == ["–", "<\N{NO-BREAK SPACE}0.001", "0.012"]
    assert [format_signed(value, 1) for value in (-0.25, 0.0, 1.04)] == ["−0.2", "+0.0", "+1.0"]
    assert [visible_symbol(symbol) for symbol in (" ", "", "ã")] == ["␣", "∅", "ã"]
    assert format_seconds(2.84) == "2.8\N{NO-BREAK SPACE}s"


def test_rates_and_counts_are_printed_with_no_break_spaces() -> None:
    assert [points(value) for value in (0.1234, -0.1234, 0.0)] == ["12.3", "−12.3", "0.0"]
    assert percent(0.1234) == "12.3\N{NO-BREAK SPACE}%"
    assert thousands(12345) == "12\N{NO-BREAK SPACE}345"
