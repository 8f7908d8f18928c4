"""Word-level alignment of a hypothesis with its reference, for display: substitutions, deletions and insertions."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby, zip_longest
from typing import Final, Literal

from rapidfuzz.distance import Levenshtein

Kind = Literal["hit", "substitution", "deletion", "insertion"]
KINDS: Final[dict[str, Kind]] = {"equal": "hit", "replace": "substitution", "delete": "deletion", "insert": "insertion"}
SIGNS: Final[dict[Kind, str]] = {"substitution": "=", "deletion": "-", "insertion": "+"}


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
    """
    ref, hyp = reference.split(), hypothesis.split()
    edits: list[Edit] = []
    for step in Levenshtein.opcodes(ref, hyp):
        before, after = ref[step.src_start:step.src_end], hyp[step.dest_start:step.dest_end]
        edits += [Edit(KINDS[step.tag], *words) for words in zip_longest(before, after, fillvalue="")]
    return edits


def encode(edits: list[Edit]) -> str:
    """Return an alignment in the form that the page holds: "n" hits, "=word" a substitution, "-" a deletion, "+word" an insertion.

    The alignment of "a casa azul" and "a caza azul grande" → "1 =caza 1 +grande"; the words of the reference are stored once.
    """
    parts: list[str] = []
    for hit, steps in groupby(edits, key=lambda edit: edit.kind == "hit"):
        group = list(steps)
        parts += [str(len(group))] if hit else [SIGNS[edit.kind] + edit.hypothesis for edit in group]
    return " ".join(parts)


def count_errors(edits: list[Edit]) -> int:
    """Return the number of word errors: substitutions + deletions + insertions."""
    return sum(edit.kind != "hit" for edit in edits)
