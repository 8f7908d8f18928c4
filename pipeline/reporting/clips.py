"""Utterances to listen to: which, their audio, and the hypothesis of each system aligned with the reference."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.reporting.diff import Edit, align, count_errors, word_errors
from pipeline.reporting.inputs import Inputs, read_flac

Row = dict[str, Any]
"""A row of a table on the page."""


@dataclass(frozen=True, slots=True)
class Clip:
    """An utterance to listen to, with the hypothesis of each system as it serves.

    Attributes:
        utterance_id: as in the test split.
        kind: best, median or worst, by the challenger's word errors; the median is of the utterances with an error.
        speaker: speaker id.
        attributes: locale, accent and gender, those that are known.
        duration_s: of the audio.
        audio: FLAC as a data URI.
        transcript: as found in the corpus.
        reference: the normalised transcript.
        words: number of words in the reference.
        hypotheses: by system: its row of the systems table, its alignment with the reference, its number of word errors.
    """

    utterance_id: str
    kind: str
    speaker: str
    attributes: str
    duration_s: float
    audio: str
    transcript: str
    reference: str
    words: int
    hypotheses: list[tuple[Row, list[Edit], int]]


def select_clips(inputs: Inputs, systems: Sequence[Row], count: int) -> list[Clip]:
    """Return clips to listen to: the challenger's best, median and worst utterances.

    Args:
        inputs: the results of the run.
        systems: rows of the systems table; `name` is used.
        count: the number of clips.

    Raises:
        MissingInputError: the shard of a clip is missing.
        DataError: the audio of a clip cannot be read.
    """
    table = inputs.hypotheses[inputs.challenger]
    chosen = select_utterances(
        table["utterance_id"].tolist(),
        table["speaker"].tolist(),
        table["reference"].tolist(),
        table["hypothesis_served"].tolist(),
        count,
    )
    return [_clip(inputs, systems, name, kind) for name, kind in chosen]


def select_utterances(
    ids: Sequence[str],
    speakers: Sequence[str],
    references: Sequence[str],
    hypotheses: Sequence[str],
    count: int,
) -> list[tuple[str, str]]:
    """Return `count` utterances, each with its kind: best, median or worst by its word errors per reference word.

    The median is that of the utterances with an error: of a good system's test set most have none.
    Longer utterances come before shorter ones. Within a kind, each utterance has another speaker as long as there is one.

    Args:
        ids: utterance ids, unique.
        speakers: the speaker of each; empty if unknown.
        references: the reference of each.
        hypotheses: the hypothesis of each.
        count: utterances to select; fewer are returned if there are fewer.

    Returns:
        (utterance id, kind), the best first.
    """
    speaker = dict(zip(ids, speakers, strict=True))
    length = {name: len(reference.split()) for name, reference in zip(ids, references, strict=True)}
    error_rate = {
        name: word_errors(reference, hypothesis) / max(1, length[name])
        for name, reference, hypothesis in zip(ids, references, hypotheses, strict=True)
    }
    wrong = sorted(rate for rate in error_rate.values() if rate)
    median = wrong[len(wrong) // 2] if wrong else 0.0
    chosen: dict[str, str] = {}
    kinds: dict[str, Callable[[float], float]] = {
        "worst": lambda rate: -rate,
        "best": lambda rate: rate,
        "median": lambda rate: abs(rate - median),
    }
    for extra, (kind, distance) in enumerate(kinds.items()):
        share = (count + extra) // 3
        order = [name for *_, name in sorted((distance(rate), -length[name], name) for name, rate in error_rate.items())]
        left = [name for name in order if name not in chosen]
        first = {speaker[name] or name: name for name in reversed(left)}  # by speaker; an unknown speaker is another one each time
        others = set(left) - set(first.values())
        picks = [name for name in left if name not in others] + [name for name in left if name in others]
        chosen.update(dict.fromkeys(picks[:share], kind))
    return sorted(chosen.items(), key=lambda pair: ("best", "median", "worst").index(pair[1]))


def _clip(inputs: Inputs, systems: Sequence[Row], utterance_id: str, kind: str) -> Clip:
    hypotheses = []
    for row in systems:
        table = inputs.hypotheses.get(row["name"])
        found = table[table["utterance_id"] == utterance_id] if table is not None else None
        if found is not None and not found.empty:
            edits = align(found.iloc[0]["reference"], found.iloc[0]["hypothesis_served"])
            hypotheses.append((row, edits, count_errors(edits)))
    first = inputs.hypotheses[inputs.challenger].set_index("utterance_id").loc[utterance_id].to_dict()
    transcript = inputs.test.set_index("utterance_id")["transcript"].get(utterance_id, "")
    return Clip(
        utterance_id=utterance_id,
        kind=kind,
        speaker=first["speaker"],
        duration_s=float(first["duration_s"]),
        attributes=", ".join(filter(None, (first["locale"], first["accent"], first["gender"]))),
        audio="data:audio/flac;base64," + base64.b64encode(read_flac(inputs, utterance_id)).decode("ascii"),
        transcript=transcript,
        reference=first["reference"],
        words=len(first["reference"].split()),
        hypotheses=hypotheses,
    )
