"""Error analysis: confused words and characters, the worst utterances, calibration of the confidence."""

from __future__ import annotations

import unicodedata
from collections import Counter
from typing import Any, Final

import numpy as np

from pipeline.scoring.bootstrap import Floats
from pipeline.scoring.counts import Integers, align, information_lost
from pipeline.scoring.utterances import Scored

BINS: Final = 10
"""Bins of the calibration error, as in Guo et al."""


def analysis(rows: Scored, examples: int) -> dict[str, Any]:
    """Return the error analysis: the key `errors` of `vizinho.score/3`.

    Args:
        rows: one system's hypotheses with their counts.
        examples: number of entries in each list.
    """
    mer, wil = information_lost(rows.words)
    words = confusions(rows, "words")
    characters = confusions(rows, "characters")
    return {
        "mer": mer, "wil": wil,
        **{kind: _listed(words[kind], examples) for kind in words},
        "characters": {
            **{kind: _listed(characters[kind], examples) for kind in characters}, "groups": groups(characters["substitutions"]),
        },
        "worst": worst(rows, examples),
        "calibration": calibration(rows),
        "word_calibration": word_calibration(rows),
    }


def confusions(rows: Scored, tokens: str) -> dict[str, Counter[tuple[str, ...]]]:
    """Return how often each word (character) was substituted, inserted or deleted.

    The digraphs lh and nh count as one character each: "filho" transcribed as "finho" substitutes nh for lh.

    Args:
        rows: one system's hypotheses with their counts.
        tokens: "words" or "characters".

    Returns:
        For each kind of error, counts by (reference, hypothesis) or (token,).
    """
    found: dict[str, Counter[tuple[str, ...]]] = {"substitutions": Counter(), "insertions": Counter(), "deletions": Counter()}
    wrong = rows.table.loc[rows.characters.errors_B > 0]
    if wrong.empty:
        return found
    texts = wrong[["reference", "hypothesis"]]
    if tokens == "characters":
        texts = texts.replace(DIGRAPHS, regex=True)
    alignment = align(texts["reference"].tolist(), texts["hypothesis"].tolist(), "words" if tokens == "words" else "characters")
    for reference, hypothesis, chunks in zip(alignment.references, alignment.hypotheses, alignment.alignments, strict=True):
        for chunk in chunks:
            reference_tokens = [LETTERS.get(token, token) for token in reference[chunk.ref_start_idx : chunk.ref_end_idx]]
            hypothesis_tokens = [LETTERS.get(token, token) for token in hypothesis[chunk.hyp_start_idx : chunk.hyp_end_idx]]
            if chunk.type == "substitute":
                found["substitutions"].update(zip(reference_tokens, hypothesis_tokens, strict=True))
            elif chunk.type == "insert":
                found["insertions"].update((token,) for token in hypothesis_tokens)
            elif chunk.type == "delete":
                found["deletions"].update((token,) for token in reference_tokens)
    return found


DIGRAPHS: Final = {"lh": "\ue000", "nh": "\ue001"}
LETTERS: Final = {code: letters for letters, code in DIGRAPHS.items()}
"""Digraphs that stand for one sound, as characters of the private-use area."""


def _listed(counter: Counter[tuple[str, ...]], examples: int) -> list[dict[str, Any]]:
    keys = {1: ("token",), 2: ("reference", "hypothesis")}
    ranked = sorted(counter.items(), key=lambda item: (-item[1], item[0]))[:examples]
    return [{**dict(zip(keys[len(tokens)], tokens, strict=True)), "count": times} for tokens, times in ranked]


PAIRS: Final = ("s/z", "lh/nh", "lh/l", "nh/n")


def groups(substitutions: Counter[tuple[str, ...]]) -> dict[str, int]:
    """Return the character substitutions by kind: the confusions that are typical of Portuguese spelling.

    `accents`: same letter, different accent (a for ã, c for ç); `s/z`, `lh/nh`, `lh/l` and `nh/n`: one for the other.
    """
    found = {"accents": 0, **dict.fromkeys(PAIRS, 0), "other": 0}
    for (reference, hypothesis), times in substitutions.items():
        pair = next((name for name in PAIRS if {reference, hypothesis} == set(name.split("/"))), None)
        if pair:
            found[pair] += times
        elif _base(reference) == _base(hypothesis):
            found["accents"] += times
        else:
            found["other"] += times
    return found


def _base(character: str) -> str:
    return unicodedata.normalize("NFD", character)[0] if len(character) == 1 else character


def worst(rows: Scored, examples: int) -> list[dict[str, Any]]:
    """Return the utterances with the most word errors per reference word (an empty reference counts as one word)."""
    errors_B, reference_B = rows.words.errors_B, rows.words.reference_B
    share_B = errors_B / np.maximum(reference_B, 1)
    order = np.lexsort((np.arange(len(share_B)), -errors_B, -share_B))[:examples]
    columns = ["utterance_id", "reference", "hypothesis"]
    return [
        {**dict(zip(columns, rows.table.loc[index, columns], strict=True)), "errors": int(errors_B[index]), "words": int(reference_B[index])}
        for index in order.tolist() if errors_B[index]
    ]


def calibration(rows: Scored) -> dict[str, Any] | None:
    """Return the expected calibration error of the confidence; None if the hypotheses have none.

    The confidence of an utterance is the mean probability of its symbols. It is compared with the share of correct
    characters in the hypothesis. An utterance is weighted by the number of its characters.
    """
    if "confidence" not in rows.table:
        return None
    weight_B = rows.characters.hypothesis_B
    nonempty_B = weight_B > 0
    return _calibration(rows.table["confidence"].to_numpy(dtype=float)[nonempty_B], rows.characters.hits_B[nonempty_B],
                        weight_B[nonempty_B], "characters")


def word_calibration(rows: Scored) -> dict[str, Any] | None:
    """Return the expected calibration error of the words' confidences; None if the hypotheses have none.

    A word is correct if the alignment pairs it with the same word.
    """
    if "word_confidence" not in rows.table:
        return None
    confidence_W = np.concatenate([np.zeros(0), *rows.table["word_confidence"]])
    correct_W = np.array(right_words(rows), dtype=np.int64)
    return _calibration(confidence_W, correct_W, np.ones(len(correct_W), dtype=np.int64), "words")


def right_words(rows: Scored) -> list[bool]:
    """Return whether each word of the hypotheses is correct, in order: the alignment pairs it with the same word."""
    right_W: list[bool] = []
    alignment = align(rows.table["reference"].tolist(), rows.table["hypothesis"].tolist(), "words")
    for hypothesis, chunks in zip(rows.table["hypothesis"], alignment.alignments, strict=True):
        right = [False] * len(hypothesis.split())
        for chunk in chunks:
            right[chunk.hyp_start_idx : chunk.hyp_end_idx] = [chunk.type == "equal"] * (chunk.hyp_end_idx - chunk.hyp_start_idx)
        right_W += right
    return right_W


def _calibration(confidence_N: Floats, correct_N: Integers, weight_N: Integers, unit: str) -> dict[str, Any] | None:
    """Return the expected calibration error over N utterances or words.

    Args:
        confidence_N: confidence, 0..1.
        correct_N: number of correct units (characters, words) in each.
        weight_N: number of units in each.
        unit: name of the units, as a key of each bin.

    Source: Guo et al., "On calibration of modern neural networks" (ICML 2017), equation 3, ten equal bins.
    """
    if not len(confidence_N):
        return None
    bin_N = np.clip((confidence_N * BINS).astype(int), 0, BINS - 1)
    bins, error = [], 0.0
    for index in range(BINS):
        inside_N = bin_N == index
        units = int(weight_N[inside_N].sum())
        if not units:
            continue
        confidence = float((confidence_N[inside_N] * weight_N[inside_N]).sum() / units)
        accuracy = int(correct_N[inside_N].sum()) / units
        bins.append({"low": index / BINS, "high": (index + 1) / BINS, unit: units, "confidence": confidence, "accuracy": accuracy})
        error += units / int(weight_N.sum()) * abs(confidence - accuracy)
    return {"ece": error, "bins": bins}
