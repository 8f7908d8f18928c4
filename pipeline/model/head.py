"""Transfer of a CTC head to another language: by symbol, never by position."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from torch import nn

from pipeline.model.vocabulary import Vocabulary, base_letter

Strategy = Literal["base_letter", "random", "fresh"]


@dataclass(frozen=True, slots=True)
class HeadRow:
    """The source of one row of the new head: `how` is copied, base letter or fresh; `donor_row` is None for fresh."""

    symbol: str
    donor_symbol: str
    donor_row: int | None
    how: Literal["copied", "base letter", "fresh"]


def plan_head(donor: Vocabulary, target: Vocabulary, strategy: Strategy) -> list[HeadRow]:
    """Return the source of every row of the target head.

    Args:
        donor: vocabulary of the donor, whatever its order, case and special symbols.
        target: vocabulary of the new model.
        strategy: `base_letter` copies shared symbols and starts new letters from their base letter (ã from a);
            `random` copies shared symbols and draws new letters; `fresh` draws every row.
    """
    rows = {(symbol.lower() if donor.upper_case else symbol): row for row, symbol in enumerate(donor.symbols)
            if symbol not in donor.special}
    roles = {target.blank: donor.blank, target.unknown: donor.unknown, target.boundary: donor.boundary}
    plan = []
    for symbol in target.symbols:
        donor_symbol, how = symbol, "fresh"
        if strategy != "fresh":
            if symbol in roles and roles[symbol] in donor.symbols:
                donor_symbol, how = roles[symbol], "copied"
            elif symbol in rows:
                how = "copied"
            elif strategy == "base_letter" and base_letter(symbol) in rows and symbol not in roles:
                donor_symbol, how = base_letter(symbol), "base letter"
        if how == "fresh":
            plan.append(HeadRow(symbol, "", None, "fresh"))
        else:
            row = donor.symbols.index(donor_symbol) if donor_symbol in donor.symbols else rows[donor_symbol]
            plan.append(HeadRow(symbol, donor.symbols[row], row, how))  # type: ignore[arg-type]
    return plan


def transfer_head(donor_head: nn.Linear | None, plan: Sequence[HeadRow], hidden_size: int, std: float, seed: int) -> nn.Linear:
    """Return a new head of `len(plan)` rows, filled as planned.

    Args:
        donor_head: the donor's `lm_head` (V_donor, hidden); None if it has none, then every row must be fresh.
        plan: a row per symbol.
        hidden_size: of the model.
        std: standard deviation of fresh rows (`initializer_range` of the configuration).
        seed: of the generator for fresh rows.
    """
    generator = torch.Generator().manual_seed(seed)
    head = nn.Linear(hidden_size, len(plan))
    with torch.no_grad():
        head.weight.copy_(torch.normal(0.0, std, head.weight.shape, generator=generator))
        head.bias.zero_()
        for row, source in enumerate(plan):
            if source.donor_row is not None and donor_head is not None:
                head.weight[row] = donor_head.weight[source.donor_row]
                head.bias[row] = donor_head.bias[source.donor_row]
    return head


def head_table(plan: Sequence[HeadRow], donor: Vocabulary) -> str:
    """Return the plan as a table: a line per source of rows, and one for the donor's unused rows."""
    groups: dict[str, list[str]] = {"copied": [], "base letter": [], "fresh": []}
    for row in plan:
        groups[row.how].append(row.symbol if row.donor_symbol in ("", row.symbol) else f"{row.symbol}←{row.donor_symbol}")
    groups["left behind"] = left_behind(plan, donor)
    lines = [f"  {'how':<12}rows  symbols"]
    return "\n".join(lines + [f"  {how:<12}{len(symbols):>4}  {' '.join(symbols)}".rstrip() for how, symbols in groups.items()])


def left_behind(plan: Sequence[HeadRow], donor: Vocabulary) -> list[str]:
    """Return the donor's symbols that no row of the new head starts from: sentence marks, punctuation, letters of its own."""
    taken = {row.donor_row for row in plan}
    return [symbol for row, symbol in enumerate(donor.symbols) if row not in taken]


def head_record(plan: Sequence[HeadRow], donor: Vocabulary, strategy: Strategy) -> dict[str, Any]:
    """Return the plan as JSON values, as stored in `vizinho.json`."""
    return {"head": strategy, "head_plan": [asdict(row) for row in plan], "head_left_behind": left_behind(plan, donor)}
