"""Greedy CTC decoding: the best symbol of every frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.model.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True)
class Word:
    """A decoded word with its times in the recording.

    `confidence` is the product of its symbols' probabilities, 0..1: a word is right only if all of them are. The calibration
    error of their mean is eight times as large (docs/log.md).
    """

    word: str
    start_s: float
    end_s: float
    confidence: float


@dataclass(frozen=True, slots=True)
class Decoded:
    """A hypothesis; `confidence` is the mean probability of the emitted symbols (of blank, if there are none)."""

    text: str
    confidence: float
    words: tuple[Word, ...]


def decode(logits_TV: npt.NDArray[np.float32], vocabulary: Vocabulary, frame_s: float, words: bool = False) -> Decoded:
    """Return the best path of one utterance's logits, repeats collapsed and blanks removed (Graves et al. 2006, 3.2)."""
    best_T = logits_TV.argmax(1)
    top_T = logits_TV[np.arange(len(best_T)), best_T]
    probability_T = 1.0 / np.exp(logits_TV - top_T[:, None]).sum(1)
    starts = np.flatnonzero(np.diff(best_T, prepend=-1) != 0)
    starts = starts[best_T[starts] != vocabulary.blank_row]
    confidence = probability_T[starts] if len(starts) else probability_T
    found = _words(best_T, starts, probability_T, vocabulary, frame_s) if words else ()
    return Decoded(vocabulary.decode(best_T[starts].tolist()), float(confidence.mean()) if len(confidence) else 0.0, found)


def _words(best_T: npt.NDArray[np.int64], starts: npt.NDArray[np.int64], probability_T: npt.NDArray[np.float32],
           vocabulary: Vocabulary, frame_s: float) -> tuple[Word, ...]:
    boundary = vocabulary.symbols.index(vocabulary.boundary)
    groups: list[list[int]] = [[]]
    for start in starts.tolist():
        if best_T[start] == boundary:
            groups.append([])
        else:
            groups[-1].append(start)
    words = []
    for group in groups:
        if text := vocabulary.decode([int(best_T[start]) for start in group]):
            last = group[-1]
            while last + 1 < len(best_T) and best_T[last + 1] == best_T[group[-1]]:
                last += 1
            words.append(Word(text, round(group[0] * frame_s, 3), round((last + 1) * frame_s, 3),
                              round(float(probability_T[group].prod()), 4)))
    return tuple(words)
