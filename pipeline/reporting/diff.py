"""Word-level difference of a hypothesis from its reference, for the eye: what was heard wrongly, missed or made up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["hit", "substitution", "deletion", "insertion"]


@dataclass(frozen=True, slots=True)
class Edit:
    """One step of an alignment; `reference` is empty for an insertion, `hypothesis` for a deletion."""

    kind: Kind
    reference: str
    hypothesis: str


def align(reference: str, hypothesis: str) -> list[Edit]:
    """Return a cheapest alignment of two texts, word by word.

    "a casa azul" and "a caza" → hit a, substitution casa → caza, deletion azul.

    Source: Wagner and Fischer, The string-to-string correction problem, 1974.
    """
    ref, hyp = reference.split(), hypothesis.split()
    cost = [list(range(len(hyp) + 1))]
    for i, word in enumerate(ref, 1):
        above, row = cost[-1], [i]
        for j, heard in enumerate(hyp, 1):
            row.append(min(above[j - 1] + (word != heard), above[j] + 1, row[-1] + 1))
        cost.append(row)
    edits: list[Edit] = []
    i, j = len(ref), len(hyp)
    while i or j:
        if i and j and cost[i][j] == cost[i - 1][j - 1] + (ref[i - 1] != hyp[j - 1]):
            i, j = i - 1, j - 1
            edits.append(Edit("hit" if ref[i] == hyp[j] else "substitution", ref[i], hyp[j]))
        elif i and cost[i][j] == cost[i - 1][j] + 1:
            i -= 1
            edits.append(Edit("deletion", ref[i], ""))
        else:
            j -= 1
            edits.append(Edit("insertion", "", hyp[j]))
    return edits[::-1]


def errors(edits: list[Edit]) -> int:
    """Return how many words are wrong: substitutions, deletions and insertions."""
    return sum(edit.kind != "hit" for edit in edits)
