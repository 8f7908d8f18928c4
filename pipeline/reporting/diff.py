"""Word-level alignment of a hypothesis with its reference, for display: substitutions, deletions and insertions."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest
from typing import Final, Literal

from rapidfuzz.distance import Levenshtein

Kind = Literal["hit", "substitution", "deletion", "insertion"]
KINDS: Final[dict[str, Kind]] = {"equal": "hit", "replace": "substitution", "delete": "deletion", "insert": "insertion"}


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


def encode(reference: str, hypothesis: str) -> str:
    """Return an alignment in the form that the page holds: "n" hits, "=word" a substitution, "-" a deletion, "+word" an insertion.

    "a casa azul" and "a caza azul grande" → "1 =caza 1 +grande"; the words of the reference are stored once.
    """
    ref, hyp = reference.split(), hypothesis.split()
    parts: list[str] = []
    for step in Levenshtein.opcodes(ref, hyp):
        if step.tag == "equal":
            parts.append(str(step.src_end - step.src_start))
        elif step.tag == "delete":
            parts += ["-"] * (step.src_end - step.src_start)
        else:
            parts += [("=" if step.tag == "replace" else "+") + word for word in hyp[step.dest_start:step.dest_end]]
    return " ".join(parts)


def word_errors(reference: str, hypothesis: str) -> int:
    """Return the number of word errors: substitutions + deletions + insertions of a minimum-cost alignment."""
    return Levenshtein.distance(reference.split(), hypothesis.split())


def count_errors(edits: list[Edit]) -> int:
    """Return the number of word errors: substitutions + deletions + insertions."""
    return sum(edit.kind != "hit" for edit in edits)
