"""The test utterances as data of the page: what the explorer sorts, filters and shows. Everything is embedded; the page asks for nothing."""

from __future__ import annotations

import base64
import json
import math
import string
from collections.abc import Collection, Sequence
from itertools import chain, islice, zip_longest
from typing import Any, Final

import pandas as pd

from pipeline.reporting.clips import Row, select_utterances
from pipeline.reporting.corpora import PUNCTUATION
from pipeline.reporting.diff import encode
from pipeline.reporting.inputs import Inputs, read_flac

LEVELS: Final = string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/"
"""One letter per word: its confidence in 64 levels, A is 0 and / is 1."""
CODED: Final = ("corpus", "speaker", "locale", "gender", "age", "accent")
"""Columns whose values repeat: the page holds each value once."""
MOST_MB: Final = 13.0  # of the data, audio included: the page has less than 15 MB as long as its texts do
MOST_AUDIO: Final = 300  # utterances with audio
MOST_PER_MEGABYTE: Final = 100
DECODERS: Final = {"served": "_served", "greedy": ""}
"""Decoder → the end of its columns' names in `transcribe/SYSTEM.parquet`."""


def explorer_data(inputs: Inputs, systems: Sequence[Row], audio_mb: float, clips: Collection[str]) -> dict[str, Any]:
    """Return the test utterances in columns, for the explorer's script.

    Args:
        inputs: the results of the run.
        systems: rows of the systems table; `name` and `label` are used.
        audio_mb: MB of audio to include at most, in base64, besides the clips; less if the page would exceed its limit.
        clips: ids of the utterances whose audio is elsewhere on the page.

    Returns:
        `utterance_id`, `duration_s`, `snr_db`, `reference`, `transcript`: a value per utterance, in the order of the test split; the transcript is
        "" where it differs from the reference in case and punctuation alone.
        `coded`: by column, `values` and a `code` per utterance. `hypotheses`: what to choose from, each with `system`, `decoder`, `label`,
        the `edits` of each utterance (`diff.encode`), its `confidence` and the `words`' confidences (`LEVELS`); `times` has, by the id of an
        utterance with audio, start and end of each word in hundredths of a second.
        `unseen`: words of the references that no training text has; None if the training texts are missing.
        `audio`: FLAC in base64 by utterance id. `shown`: the two hypotheses to start with.

    Raises:
        MissingInputError: the shard of an utterance is missing.
        DataError: audio cannot be read.
    """
    table = inputs.hypotheses[inputs.challenger]
    ids = table["utterance_id"].tolist()
    facts = inputs.test.set_index("utterance_id").reindex(ids)
    references = table["reference"].tolist()
    transcripts = facts["transcript"].fillna("").tolist()
    hypotheses = [found for row in systems for found in _hypotheses(inputs, row, ids, references)]
    first = {found["system"]: index for index, found in reversed(list(enumerate(hypotheses)))}
    data = {
        "utterance_id": ids,
        "duration_s": [round(float(value), 2) for value in table["duration_s"]],
        "snr_db": [_number(value, 1) for value in facts["snr_db"]],
        "reference": references,
        "transcript": ["" if _bare(found) == reference else found for found, reference in zip(transcripts, references, strict=True)],
        "coded": {name: _coded(table[name].tolist()) for name in CODED},
        "hypotheses": hypotheses,
        "shown": [first[inputs.challenger], first.get("champion", first.get(inputs.baseline))],
        "unseen": None if inputs.training_words is None else sorted({word for text in references for word in text.split()} - inputs.training_words),
    }
    left_mb = MOST_MB - len(json.dumps(data, ensure_ascii=False).encode()) / 1e6
    audio = _audio(inputs, table, max(0.0, min(audio_mb, left_mb)), clips)
    for found in hypotheses:
        found["times"] = _times(inputs, found["system"], DECODERS[found["decoder"]], {*audio, *clips})
    return data | {"audio": audio}


def _times(inputs: Inputs, system: str, ending: str, ids: Collection[str]) -> dict[str, list[int]]:
    """Return the times of the words of some utterances, as start, end, start, end and so on, in hundredths of a second."""
    table = inputs.hypotheses[system]
    table = table[table["utterance_id"].isin(list(ids))]
    return {name: [round(100 * float(second)) for pair in times for second in pair]
            for name, times in zip(table["utterance_id"], table[f"word_times{ending}"], strict=True)}


def _hypotheses(inputs: Inputs, row: Row, ids: list[str], references: list[str]) -> list[dict[str, Any]]:
    """Return what a system made of the utterances: as served, and greedy where that differs."""
    if row["name"] not in inputs.hypotheses:
        return []
    table = inputs.hypotheses[row["name"]].set_index("utterance_id").reindex(ids)
    columns = {
        decoder: (table["hypothesis" + end].fillna("").tolist(), table["confidence" + end].tolist(), table["word_confidence" + end].tolist())
        for decoder, end in DECODERS.items()
    }
    differs = columns["served"][0] != columns["greedy"][0]
    return [
        {
            "system": row["name"],
            "decoder": decoder,
            "label": row["label"] + ({"served": ", as served", "greedy": ", greedy"}[decoder] if differs else ""),
            "edits": [encode(reference, text) for reference, text in zip(references, texts, strict=True)],
            "confidence": [_number(value, 2) for value in confidences],
            "words": _levels(words),
        }
        for decoder, (texts, confidences, words) in columns.items()
        if differs or decoder == "served"
    ]


def _bare(transcript: str) -> str:
    """Return a transcript in lower case and without punctuation around its words."""
    return " ".join(filter(None, (word.strip(PUNCTUATION) for word in transcript.lower().split())))


def _coded(values: Sequence[str]) -> dict[str, Any]:
    """Return a column of few values as its values and a code per row."""
    codes, distinct = pd.factorize(pd.Series(values, dtype=object), sort=True)
    return {"values": distinct.tolist(), "code": codes.tolist()}


def _levels(confidences: Sequence[Sequence[float] | None]) -> list[str]:
    """Return the confidences of each utterance's words as one letter each; [[0, 1], []] → ["A/", ""]."""
    known = [() if words is None or isinstance(words, float) else words for words in confidences]  # a float is pandas' missing value
    codes = pd.Series(list(chain.from_iterable(known)), dtype=float).mul(63).round().clip(0, 63).astype(int)
    letters = iter("".join(LEVELS[code] for code in codes.tolist()))
    return ["".join(islice(letters, len(words))) for words in known]


def _number(value: float, digits: int) -> float | None:
    """Return a number for JSON: rounded, None if it is not finite."""
    return round(float(value), digits) if value is not None and math.isfinite(value) else None


def _audio(inputs: Inputs, table: pd.DataFrame, megabytes: float, clips: Collection[str]) -> dict[str, str]:
    """Return the FLAC of some utterances in base64: in turn the challenger's worst, best and median, of as many speakers as possible."""
    table = table[~table["utterance_id"].isin(list(clips))]
    ids, speakers, references, hypotheses = (table[name].tolist() for name in ("utterance_id", "speaker", "reference", "hypothesis_served"))
    chosen = select_utterances(ids, speakers, references, hypotheses, min(MOST_AUDIO, int(megabytes * MOST_PER_MEGABYTE)))
    kinds = [[name for name, found in chosen if found == kind] for kind in ("worst", "best", "median")]
    audio: dict[str, str] = {}
    left = megabytes * 1e6
    for name in filter(None, chain.from_iterable(zip_longest(*kinds))):
        encoded = base64.b64encode(read_flac(inputs, name)).decode("ascii")
        left -= len(encoded)
        if left < 0:
            break
        audio[name] = encoded
    return dict(sorted(audio.items()))
