"""The error tree. Every message says where, what was found, what was expected, what to do.

PipelineError                the work failed                            exit 1
├── ParamsError              params.yaml or arguments are wrong         exit 2
├── DataError                an input is missing, damaged or unfit      exit 1
│   ├── MissingInputError    a file or folder is not there
│   └── LeakageError         train and test share what they must not
├── VocabularyError          weights and vocabulary do not belong together
├── NotComparableError       two scores rest on different ground (test set, normaliser)
├── TrainingError            training cannot work, or has diverged
└── PromotionError           a promotion is refused, or another came first
"""

from __future__ import annotations

from collections.abc import Sequence


class PipelineError(Exception):
    """The work failed. Shown to the user as its message alone, never as a traceback.

    Args:
        where: file, stage, key or utterance at fault.
        found: what is there.
        expected: what should be there.
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
    """Params or arguments are wrong: all problems in one message, one a line."""

    exit_code = 2

    def __init__(self, where: str, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        count = len(self.problems)
        lines = "".join(f"\n  {problem}" for problem in self.problems)
        super().__init__(where, f"{count} problem{'s' if count != 1 else ''}{lines}")


class DataError(PipelineError):
    """An input is missing, damaged or unfit for what is asked of it."""


class MissingInputError(DataError):
    """A file or folder that the work needs is not there."""


class LeakageError(DataError):
    """Training and test data share a speaker, a sentence or a recording."""


class VocabularyError(PipelineError):
    """Weights and vocabulary do not belong together."""


class NotComparableError(PipelineError):
    """Two scores rest on different ground: test set, normaliser or references."""


class TrainingError(PipelineError):
    """Training cannot work on this input, or it has diverged."""


class PromotionError(PipelineError):
    """A promotion or rollback is refused, or another one came first. The champion is unchanged."""
