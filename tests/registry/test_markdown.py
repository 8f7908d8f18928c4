"""Tables in Markdown."""

from __future__ import annotations

from pipeline.registry.markdown import markdown_table


def test_rows_become_a_table_with_escaped_cells() -> None:
    assert markdown_table([{"a": "x|y", "b": 1}, {"a": "two\nlines", "b": None}]) == "| a | b |\n| --- | --- |\n| x\\|y | 1 |\n| two lines | None |"


def test_no_rows_are_no_table() -> None:
    assert markdown_table([]) == ""
