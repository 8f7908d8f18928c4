"""Word-level alignment of a hypothesis with its reference, for display: substitutions, deletions and insertions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["hit", "substitution", "deletion", "insertion"]


@dataclass(frozen=True, slots=True)
class Edit:
    """One step of an alignment.

    Attributes:
        kind: hit, substitution, deletion or insertion.
        reference: the reference word; empty for an insertion.
        hypothesis: the hypothesis word; empty for a deletion.
    """

    kind: Kind
    reference: str
    hypothesis: str


def align(reference: str, hypothesis: str) -> list[Edit]:
    """Return a minimum-cost alignment of two texts, word by word.

    "a casa azul" and "a caza azul grande" → hit a, substitution casa → caza, hit azul, insertion grande.

    Args:
        reference: words separated by whitespace.
        hypothesis: likewise.

    Source: Wagner and Fischer, The string-to-string correction problem, 1974.
    """
    ref, hyp = reference.split(), hypothesis.split()
    cost = [list(range(len(hyp) + 1))]
    for i, ref_word in enumerate(ref, 1):
        above, row = cost[-1], [i]
        for j, hyp_word in enumerate(hyp, 1):
            row.append(min(above[j - 1] + (ref_word != hyp_word), above[j] + 1, row[-1] + 1))
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


def count_errors(edits: list[Edit]) -> int:
    """Return the number of word errors: substitutions + deletions + insertions."""
    return sum(edit.kind != "hit" for edit in edits)
