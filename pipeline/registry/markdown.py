"""Tables in Markdown, for model cards and artifacts of runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def markdown_table(rows: Sequence[Mapping[str, Any]]) -> str:
    r"""Return rows as a Markdown table, with the keys of the first one as its header; "" for no rows.

    Characters that would break the table are escaped: "a|b" → "a\|b", a line break → a blank.
    """
    if not rows:
        return ""
    lines = [list(rows[0]), ["---"] * len(rows[0]), *(row.values() for row in rows)]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in line) + " |" for line in lines)
