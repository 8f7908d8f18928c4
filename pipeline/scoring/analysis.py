"""Which words and characters go wrong, which utterances are worst, and how far the confidence can be believed."""

from __future__ import annotations

import unicodedata
from collections import Counter
from typing import Any, Final

import numpy as np

from pipeline.scoring.counts import align, information_lost
from pipeline.scoring.utterances import Scored

BINS: Final = 10
"""Bins of the calibration error, as in Guo et al."""


def analysis(rows: Scored, examples: int) -> dict[str, Any]:
    """Return the error analysis: the key `errors` of `vizinho.score/1`.

    Args:
        examples: entries in each list.
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
    }


def confusions(rows: Scored, tokens: str) -> dict[str, Counter[tuple[str, ...]]]:
    """Return how often each word (character) was put for another, put in or left out."""
    found: dict[str, Counter[tuple[str, ...]]] = {"substitutions": Counter(), "insertions": Counter(), "deletions": Counter()}
    wrong = rows.table.loc[rows.characters.errors_B > 0]
    if wrong.empty:
        return found
    alignment = align(wrong["reference"].tolist(), wrong["hypothesis"].tolist(), "words" if tokens == "words" else "characters")
    for reference, hypothesis, chunks in zip(alignment.references, alignment.hypotheses, alignment.alignments, strict=True):
        for chunk in chunks:
            said = reference[chunk.ref_start_idx : chunk.ref_end_idx]
            heard = hypothesis[chunk.hyp_start_idx : chunk.hyp_end_idx]
            if chunk.type == "substitute":
                found["substitutions"].update(zip(said, heard, strict=True))
            elif chunk.type == "insert":
                found["insertions"].update((token,) for token in heard)
            elif chunk.type == "delete":
                found["deletions"].update((token,) for token in said)
    return found


def _listed(counter: Counter[tuple[str, ...]], examples: int) -> list[dict[str, Any]]:
    keys = {1: ("token",), 2: ("reference", "hypothesis")}
    ranked = sorted(counter.items(), key=lambda item: (-item[1], item[0]))[:examples]
    return [{**dict(zip(keys[len(tokens)], tokens, strict=True)), "count": times} for tokens, times in ranked]


def groups(substitutions: Counter[tuple[str, ...]]) -> dict[str, int]:
    """Return how many character substitutions are of a kind that Portuguese spelling invites.

    `accents`: same letter, other accent (a for ã, c for ç); `s/z`: one for the other; `l/n`: as when lh is heard as nh.
    """
    found = {"accents": 0, "s/z": 0, "l/n": 0, "other": 0}
    for (said, heard), times in substitutions.items():
        if _base(said) == _base(heard):
            found["accents"] += times
        elif {said, heard} == {"s", "z"}:
            found["s/z"] += times
        elif {said, heard} == {"l", "n"}:
            found["l/n"] += times
        else:
            found["other"] += times
    return found


def _base(character: str) -> str:
    return unicodedata.normalize("NFD", character)[0]


def worst(rows: Scored, examples: int) -> list[dict[str, Any]]:
    """Return the utterances with the most word errors a reference word (an empty reference counts as one word)."""
    errors_B, reference_B = rows.words.errors_B, rows.words.reference_B
    share_B = errors_B / np.maximum(reference_B, 1)
    order = np.lexsort((np.arange(len(share_B)), -errors_B, -share_B))[:examples]
    columns = ["utterance_id", "reference", "hypothesis"]
    return [
        {**dict(zip(columns, rows.table.loc[index, columns], strict=True)), "errors": int(errors_B[index]), "words": int(reference_B[index])}
        for index in order.tolist() if errors_B[index]
    ]


def calibration(rows: Scored) -> dict[str, Any] | None:
    """Return the expected calibration error of the confidence; None where the hypotheses carry none.

    The confidence of an utterance is the mean probability of its symbols, so it is held against the share of its
    hypothesis's characters that are right, each utterance weighing as many characters as it has.

    Source: Guo et al., "On calibration of modern neural networks" (ICML 2017), equation 3, ten equal bins.
    """
    if "confidence" not in rows.table:
        return None
    weight_B = rows.characters.hypothesis_B
    spoken_B = weight_B > 0
    if not spoken_B.any():
        return None
    weight_B, right_B = weight_B[spoken_B], rows.characters.hits_B[spoken_B]
    confidence_B = rows.table["confidence"].to_numpy(dtype=float)[spoken_B]
    bin_B = np.clip((confidence_B * BINS).astype(int), 0, BINS - 1)
    bins, error = [], 0.0
    for index in range(BINS):
        inside = bin_B == index
        characters = int(weight_B[inside].sum())
        if not characters:
            continue
        confidence = float((confidence_B[inside] * weight_B[inside]).sum() / characters)
        accuracy = int(right_B[inside].sum()) / characters
        bins.append({"low": index / BINS, "high": (index + 1) / BINS, "characters": characters,
                     "confidence": confidence, "accuracy": accuracy})
        error += characters / int(weight_B.sum()) * abs(confidence - accuracy)
    return {"ece": error, "bins": bins}
