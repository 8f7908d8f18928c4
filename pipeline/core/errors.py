"""The error tree. Every message states where, what was found, what was expected, what to do.

PipelineError                the work failed                            exit 1
├── ParamsError              params.yaml or arguments are wrong         exit 2
├── DataError                an input is missing, damaged or unusable   exit 1
│   ├── MissingInputError    a file or folder is missing
│   └── LeakageError         train and test share speakers, sentences or recordings
├── VocabularyError          weights and vocabulary do not match
├── NotComparableError       two scores are not comparable (test set, normaliser)
├── TrainingError            training is not possible, or has diverged
└── PromotionError           a promotion is refused, or another one was made first
"""

from __future__ import annotations

from collections.abc import Sequence


class PipelineError(Exception):
    """The work failed. The user sees the message without a traceback.

    Args:
        where: file, stage, key or utterance at fault.
        found: the actual content or state.
        expected: the required content or state.
        action: what the user can do.
    """

    exit_code = 1

    def __init__(self, where: str, found: str, expected: str = "", action: str = "") -> None:
        self.where, self.found, self.expected, self.action = where, found, expected, action
        parts = [f"{where}: {found}"]
        if expected:
            parts.append(f"expected {expected}")
        if action:
            parts.append(action)
        super().__init__("; ".join(parts))


class ParamsError(PipelineError):
    """Params or arguments are wrong: all problems in one message, one per line."""

    exit_code = 2

    def __init__(self, where: str, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        count = len(self.problems)
        lines = "".join(f"\n  {problem}" for problem in self.problems)
        super().__init__(where, f"{count} problem{'s' if count != 1 else ''}{lines}")


class DataError(PipelineError):
    """An input is missing, damaged or unusable for the task."""


class MissingInputError(DataError):
    """A required file or folder is missing."""


class LeakageError(DataError):
    """Training and test data share a speaker, a sentence or a recording."""


class VocabularyError(PipelineError):
    """Weights and vocabulary do not match."""


class NotComparableError(PipelineError):
    """Two scores are not comparable: they differ in test set, normaliser or references."""


class TrainingError(PipelineError):
    """Training is not possible on this input, or it has diverged."""


class PromotionError(PipelineError):
    """A promotion or rollback is refused, or another one was made first. The champion is unchanged."""
