"""The perplexity of an ARPA n-gram on sentences. Only the n-grams that they need are held in memory."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from pipeline.core.errors import DataError

BEGIN: Final = "<s>"
END: Final = "</s>"
UNKNOWN: Final = "<unk>"

Ngrams: TypeAlias = dict[tuple[str, ...], tuple[float, float]]
"""n-gram → log10 of probability and of back-off weight."""

_SECTION = re.compile(r"\\(\d+)-grams:")


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How well an n-gram predicts sentences.

    Args:
        sentences: their number.
        words: in them.
        out_of_vocabulary: words that the n-gram does not have, fraction of `words`.
        perplexity: per known word and sentence end; unknown words are left out and nothing is predicted from them.
    """

    sentences: int
    words: int
    out_of_vocabulary: float
    perplexity: float


def num_ngrams(arpa: Path) -> dict[int, int]:
    """Return the number of n-grams per order, from the head of the file."""
    found: dict[int, int] = {}
    with open(arpa, encoding="utf-8") as handle:
        for line in handle:
            if match := re.fullmatch(r"ngram (\d+)=(\d+)", line.strip()):
                found[int(match[1])] = int(match[2])
            elif _SECTION.match(line):
                break
    return found


def evaluate(arpa: Path, sentences: Sequence[str]) -> Evaluation:
    """Return the rate of unknown words and the perplexity of the n-gram on spoken sentences.

    Raises:
        DataError: there is no sentence.
    """
    if not sentences:
        raise DataError(arpa.name, "no sentence to evaluate on", "at least one", "add utterances to dev")
    parts = [[BEGIN, *sentence.split(), END] for sentence in sentences]
    ngrams = read_ngrams(arpa, parts)
    order = max(num_ngrams(arpa))
    logarithm, predicted, unknown = 0.0, 0, 0
    for words in parts:
        history: tuple[str, ...] = (BEGIN,)
        for word in words[1:]:
            if (word,) not in ngrams:
                unknown += 1
                history = ()
                continue
            logarithm += log10_probability(ngrams, history, word)
            predicted += 1
            history = (*history, word)[-(order - 1) :]
    num_words = sum(len(words) - 2 for words in parts)
    return Evaluation(len(parts), num_words, unknown / num_words if num_words else 0.0, 10 ** (-logarithm / predicted))


def log10_probability(ngrams: Ngrams, history: tuple[str, ...], word: str) -> float:
    """Return log10 of the probability of a known word after a history of at most order - 1 words."""
    weight = 0.0
    while (*history, word) not in ngrams:
        weight += ngrams.get(history, (0.0, 0.0))[1]
        history = history[1:]
    return weight + ngrams[(*history, word)][0]


def read_ngrams(arpa: Path, parts: Sequence[Sequence[str]]) -> Ngrams:
    """Return the n-grams of the file that occur in the given sequences of words.

    Raises:
        DataError: a line is no entry of an ARPA file.
    """
    kept: Ngrams = {}
    wanted: set[str] = set()
    order = 0
    with open(arpa, encoding="utf-8") as handle:
        for number, line in enumerate(handle, 1):
            line = line.rstrip("\n")
            if match := _SECTION.fullmatch(line):
                order = int(match[1])
                wanted = {" ".join(words[i : i + order]) for words in parts for i in range(len(words) - order + 1)}
            elif order and line and not line.startswith("\\"):
                fields = line.split("\t")
                if len(fields) < 2:
                    raise DataError(f"{arpa}, line {number}", repr(line[:80]), "log10 probability TAB words [TAB log10 back-off]", "build it again")
                if fields[1] in wanted:
                    kept[tuple(fields[1].split(" "))] = (float(fields[0]), float(fields[2]) if len(fields) > 2 else 0.0)
    return kept
