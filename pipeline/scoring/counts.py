"""Errors and hits of each utterance: jiwer's alignments as arrays of counts.

Shape suffix: B utterances.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import jiwer
import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
Tokens = Literal["words", "characters"]


@dataclass(frozen=True, slots=True)
class Counts:
    """Substitutions, deletions, insertions and hits of each utterance, each of shape (B,)."""

    substitutions_B: Integers
    deletions_B: Integers
    insertions_B: Integers
    hits_B: Integers

    @property
    def errors_B(self) -> Integers:
        """Substitutions, deletions and insertions of each utterance."""
        return self.substitutions_B + self.deletions_B + self.insertions_B

    @property
    def reference_B(self) -> Integers:
        """Words (characters) of each reference."""
        return self.hits_B + self.substitutions_B + self.deletions_B

    @property
    def hypothesis_B(self) -> Integers:
        """Words (characters) of each hypothesis."""
        return self.hits_B + self.substitutions_B + self.insertions_B

    def of(self, rows_B: npt.NDArray[np.bool_] | Integers) -> Counts:
        """Return the counts of some utterances (a mask or indices)."""
        return Counts(self.substitutions_B[rows_B], self.deletions_B[rows_B], self.insertions_B[rows_B], self.hits_B[rows_B])

    def totals(self) -> dict[str, int]:
        """Return the corpus totals, named as in `vizinho.score/3`."""
        return {
            "substitutions": int(self.substitutions_B.sum()), "insertions": int(self.insertions_B.sum()),
            "deletions": int(self.deletions_B.sum()), "hits": int(self.hits_B.sum()),
        }

    def rate(self) -> float:
        """Return all errors over all reference words (characters); NaN if there is no reference word."""
        reference = int(self.reference_B.sum())
        return int(self.errors_B.sum()) / reference if reference else float("nan")


def align(references: Sequence[str], hypotheses: Sequence[str], tokens: Tokens) -> jiwer.WordOutput | jiwer.CharacterOutput:
    """Return jiwer's alignment of each pair. References and hypotheses may be empty."""
    process = jiwer.process_words if tokens == "words" else jiwer.process_characters
    return process(list(references), list(hypotheses))


def count(alignment: jiwer.WordOutput | jiwer.CharacterOutput) -> Counts:
    """Return the counts of each utterance of an alignment."""
    table = np.zeros((len(alignment.references), 4), dtype=np.int64)
    column = {"substitute": 0, "delete": 1, "insert": 2, "equal": 3}
    for row, chunks in zip(table, alignment.alignments, strict=False):  # jiwer makes one empty pair of no pairs
        for chunk in chunks:
            span = chunk.hyp_end_idx - chunk.hyp_start_idx if chunk.type == "insert" else chunk.ref_end_idx - chunk.ref_start_idx
            row[column[chunk.type]] += span
    return Counts(*table.T)


def information_lost(counts: Counts) -> tuple[float, float]:
    """Return match error rate and word information lost of a corpus.

    Source: Morris, Maier and Green, "From WER and RIL to MER and WIL" (Interspeech 2004), section 3; as in jiwer.
    """
    hits, errors = int(counts.hits_B.sum()), int(counts.errors_B.sum())
    reference, hypothesis = int(counts.reference_B.sum()), int(counts.hypothesis_B.sum())
    preserved = (hits / reference) * (hits / hypothesis) if reference and hypothesis else float(reference == hypothesis)
    return (errors / (hits + errors) if hits + errors else 0.0), 1 - preserved


def error_rates(references: Sequence[str], hypotheses: Sequence[str]) -> tuple[float, float]:
    """Return the corpus WER and CER, as fractions."""
    wer, cer = (count(align(references, hypotheses, tokens)).rate() for tokens in ("words", "characters"))
    return wer, cer
