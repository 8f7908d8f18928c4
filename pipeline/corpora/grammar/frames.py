"""Sentence frames: a weighted grammar of templates, read from `lexicon/LANGUAGE.frames.txt`.

[statement]                            a rule: one of its lines is chosen
3x {subject} {verb_phrase preterite}.  a line, three times as likely as one without weight
pt-PT: Estou a falar com {subject}.    a line of one locale
<question>                             expands to a line of the rule `question`
[já|ainda|]                            one of these
{verb_phrase preterite}                a slot: the grammar's method `slot_verb_phrase`, called with "preterite"
"""

from __future__ import annotations

import random
import re
from bisect import bisect
from collections.abc import Callable, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any, Protocol, TypeVar

from pipeline.core.errors import DataError

T = TypeVar("T")


class Draft:
    """The state of a sentence while it is generated: random numbers, and the earlier phrases that later words agree with."""

    __slots__ = ("deferred_subject", "has_location", "last_phrase", "random", "relative_head", "subject", "used_concepts")

    def __init__(self, seed: str) -> None:
        self.random: Callable[[], float] = random.Random(seed).random
        self.restart()

    def restart(self) -> None:
        """Discard the sentence; the random numbers continue."""
        self.used_concepts: set[str] = set()
        self.subject: Any = None        # agreement of the next verb
        self.relative_head: Any = None  # agreement of the noun phrase that a relative clause modifies
        self.last_phrase: Any = None    # agreement of the last noun phrase
        self.deferred_subject = ""      # text of a subject that follows its verb
        self.has_location = False

    def choice(self, options: Sequence[T]) -> T:
        """Return one of the options."""
        return options[int(self.random() * len(options))]


Part = str | Callable[[Draft], str]


class Slots(Protocol):
    """What frames require of a grammar: a method `slot_NAME(draft, *arguments) -> str` for each slot."""

    locale: str


class Frames:
    """The frames of a locale, compiled."""

    def __init__(self, path: Path, slots: Slots) -> None:
        self._slots, self._where = slots, path.name
        lines: dict[str, list[tuple[int, str]]] = {}
        for line in path.read_text(encoding="utf-8").splitlines():
            line = line.partition("##")[0].strip()
            if header := re.fullmatch(r"\[(\w+)\]", line):
                rule = lines.setdefault(header[1], [])
            elif line:
                match = re.fullmatch(r"(?:(\w\w(?:-\w+)?): )?(?:(\d+)x )?(.+)", line)
                if match and match[1] in (None, slots.locale):
                    rule.append((int(match[2] or 1), match[3]))
        self._rules: dict[str, tuple[list[float], list[Part]]] = {name: ([], []) for name in lines}
        for name, options in lines.items():
            total = sum(weight for weight, _ in options)
            limits, parts = self._rules[name]
            limits.extend(limit / total for limit in list(accumulate(weight for weight, _ in options))[:-1])
            parts.extend(self._compile(text) for _, text in options)

    def expand(self, rule: str, draft: Draft) -> str:
        """Return one expansion of a rule."""
        limits, parts = self._rules[rule]
        part = parts[bisect(limits, draft.random())]
        return part if isinstance(part, str) else part(draft)

    def _compile(self, text: str) -> Part:
        tokens = re.findall(r"[\[\]|]|\{[^}]*\}|<\w+>|[^\[\]|{<]+", text)
        if "".join(tokens) != text:
            raise DataError(self._where, f"{text!r} cannot be read", "balanced {slot}, <rule> and [one|another]")
        tokens.reverse()
        part = self._sequence(tokens)
        if tokens:
            raise DataError(self._where, f"{text!r} has a bracket too many", "balanced [one|another]")
        return part

    def _sequence(self, tokens: list[str]) -> Part:
        parts: list[Part] = []
        while tokens and tokens[-1] not in "|]":
            token = tokens.pop()
            if token == "[":
                options = [self._sequence(tokens)]
                while tokens and tokens[-1] == "|":
                    tokens.pop()
                    options.append(self._sequence(tokens))
                if not tokens or tokens.pop() != "]":
                    raise DataError(self._where, "a [ is not closed", "[one|another]")
                parts.append(_alternatives(options))
            elif token[0] == "{":
                name, *arguments = token[1:-1].split()
                slot = getattr(self._slots, f"slot_{name}", None)
                if slot is None:
                    raise DataError(self._where, f"unknown slot {token}", "a slot of the language's grammar")
                parts.append(_slot(slot, tuple(arguments)))
            elif token[0] == "<":
                if token[1:-1] not in self._rules:
                    raise DataError(self._where, f"unknown rule {token}", f"one of {', '.join(self._rules)}")
                parts.append(_rule(self, token[1:-1]))
            else:
                parts.append(token)
        return parts[0] if len(parts) == 1 else _concatenation(parts)


def _alternatives(options: list[Part]) -> Part:
    def expand(draft: Draft) -> str:
        option = draft.choice(options)
        return option if isinstance(option, str) else option(draft)
    return expand


def _slot(slot: Callable[..., str], arguments: tuple[str, ...]) -> Part:
    return lambda draft: slot(draft, *arguments)


def _rule(frames: Frames, name: str) -> Part:
    return lambda draft: frames.expand(name, draft)


def _concatenation(parts: list[Part]) -> Part:
    return lambda draft: "".join([part if isinstance(part, str) else part(draft) for part in parts])
