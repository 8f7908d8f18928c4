"""What a rule is: a pattern per locale, and a function from a match to words."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from pipeline.text.words import Words


@dataclass(frozen=True, slots=True)
class Line:
    """The context of a match."""

    text: str
    words: Words
    all_capitals: bool  # the whole line, of several words, is in capitals

    @property
    def locale(self) -> str:
        """The locale's code."""
        return self.words.locale


Verbaliser = Callable[["re.Match[str]", Line], "str | None"]


@dataclass(frozen=True, slots=True)
class Rule:
    """A pattern for each locale, and a function that returns the words for a match, or None where it does not apply."""

    name: str
    starts_with: str
    pattern: Callable[[Words], str]
    verbalise: Verbaliser
    then: str = ""


def rule(starts_with: str, pattern: Callable[[Words], str], then: str = "") -> Callable[[Verbaliser], Rule]:
    """Return a decorator that makes a function a rule of the same name.

    Args:
        starts_with: first characters of the pattern's matches: `a` a letter in lower case, `A` a capital, `0` a digit, or a sign.
        pattern: returns the pattern for a locale.
        then: the characters that may follow the first figures of a match, where those are few: the rule is not tried before others.
    """
    return lambda verbalise: Rule(verbalise.__name__, starts_with, pattern, verbalise, then)
