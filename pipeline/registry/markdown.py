"""Tables in Markdown: of a model card, of what a run shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def markdown_table(rows: Sequence[Mapping[str, Any]]) -> str:
    r"""Return rows as a Markdown table, the keys of the first one as its head; "" for no rows.

    What would break the table is escaped: "a|b" → "a\|b", a line break → a blank.
    """
    if not rows:
        return ""
    lines = [list(rows[0]), ["---"] * len(rows[0]), *(row.values() for row in rows)]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in line) + " |" for line in lines)
