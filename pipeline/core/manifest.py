"""The tables that stages exchange: their columns, types and meaning.

A *manifest* is a table of utterances keyed by `utterance_id`; audio stays in the shards that `ingest` wrote, and a
manifest row points to it by `corpus`, `shard` and `row`.
"""

from __future__ import annotations

import re
from typing import Any, Final

import pandas as pd
import pyarrow as pa

from pipeline.core.errors import DataError

SAMPLE_RATE_HZ: Final = 16_000

DESCRIPTION: Final[dict[str, pa.DataType]] = {
    "utterance_id": pa.string(),    # unique within all corpora: "<corpus>/<id in the release>"
    "corpus": pa.string(),          # the key in params.yaml, e.g. "speak-pt"
    "language": pa.string(),        # "portuguese" or "spanish": the key under `split` in params.yaml
    "speaker": pa.string(),         # "<corpus>/<speaker id in the release>"; empty if unknown
    "locale": pa.string(),          # pt-BR, pt-PT, es, es-419, ...
    "accent": pa.string(),          # as the release names it; empty if unknown
    "gender": pa.string(),          # female | male | other | "" (unknown)
    "age": pa.string(),             # as the release names it ("thirties"); empty if unknown
    "licence": pa.string(),         # SPDX identifier where there is one
    "source": pa.string(),          # where it came from: path within the release, or synthesiser and voice
    "release_split": pa.string(),   # official membership: train | dev | test | "" (none)
    "transcript": pa.string(),      # as in the release
    "duration_s": pa.float64(),     # of the 16 kHz mono audio written
    "peak": pa.float64(),           # largest absolute sample, 0..1
    "rms_db": pa.float64(),         # level in dB relative to full scale
    "clipped": pa.float64(),        # share of samples at full scale, 0..1
    "dc_offset": pa.float64(),      # mean sample
    "snr_db": pa.float64(),         # estimate: level of loud frames over level of quiet frames
    "silence": pa.float64(),        # share of 20 ms frames 40 dB or more under the loudest, 0..1
    "audio_hash": pa.string(),      # SHA-256 of the int16 samples at 16 kHz
    "fingerprint": pa.string(),     # coarse spectral fingerprint, survives re-encoding; hex
}
"""The metadata of an utterance, beside its audio. `ingest` writes it."""

SHARD: Final = pa.schema(
    [*DESCRIPTION.items(), ("audio", pa.struct([("bytes", pa.binary()), ("path", pa.string())]))]
)
"""A shard of `data/ingest/CORPUS/shard-NNNNN.parquet`; `audio.bytes` is FLAC, 16 kHz, mono, 16 bit."""

NORMALISED: Final[dict[str, pa.DataType]] = {
    **DESCRIPTION,
    "shard": pa.string(),           # file name of the shard under data/ingest/CORPUS/
    "row": pa.int64(),              # row within the shard
    "text": pa.string(),            # normalised, spoken form: the reference for training and scoring
    "variants": pa.string(),        # canonical form with spelling variants, hyphens folded: for the tolerant score
    "normaliser": pa.string(),      # version of the rules, e.g. "pt-BR/1"
    "keep": pa.bool_(),
    "drop_reason": pa.string(),     # empty where kept
}
"""`data/normalise/CORPUS/manifest.parquet`: every ingested utterance, kept or dropped."""

SPLIT: Final[dict[str, pa.DataType]] = {
    **{name: kind for name, kind in NORMALISED.items() if name not in ("keep", "drop_reason")},
    "speaker_dependent": pa.bool_(),  # its corpus is declared to have one speaker and was split by sentence
}
"""`data/split/LANGUAGE/{train,dev,test}.parquet`, sorted by `utterance_id`."""

REJECT: Final[dict[str, pa.DataType]] = {
    "utterance_id": pa.string(), "corpus": pa.string(), "source": pa.string(), "reason": pa.string(), "detail": pa.string(),
}
"""`data/ingest/CORPUS/rejects.parquet`: utterances that were not ingested, and the reason."""

SLICES: Final = ("corpus", "locale", "accent", "gender", "age", "duration_band", "snr_band", "numbers", "names")
"""Named subsets of a test set; each is a column of the hypotheses table."""

HYPOTHESIS: Final[dict[str, pa.DataType]] = {
    "utterance_id": pa.string(), "speaker": pa.string(),
    **{name: pa.string() for name in SLICES},
    "speaker_dependent": pa.bool_(), "duration_s": pa.float64(), "normaliser": pa.string(),
    "reference": pa.string(), "reference_variants": pa.string(),
    "hypothesis": pa.string(), "confidence": pa.float64(), "word_confidence": pa.list_(pa.float64()),
    "word_times": pa.list_(pa.list_(pa.float64())),
    "hypothesis_served": pa.string(), "confidence_served": pa.float64(), "word_confidence_served": pa.list_(pa.float64()),
    "word_times_served": pa.list_(pa.list_(pa.float64())),
    "robustness": pa.list_(pa.struct([("condition", pa.string()), ("hypothesis", pa.string()), ("hypothesis_served", pa.string())])),
}
"""`data/transcribe/SYSTEM.parquet`. `hypothesis` is the greedy one, `hypothesis_served` that of the system's decoder (equal if it has
none). `confidence` is a mean over the emitted symbols or, as served, over the words, 0..1; `word_confidence` has one value per word of the
hypothesis, `word_times` its start and end in seconds. `robustness` has the hypotheses in each condition of `transcribe.robustness`; it is empty
outside the robustness sample."""


def conform(table: pd.DataFrame, columns: dict[str, pa.DataType], where: str) -> pd.DataFrame:
    """Return `table` with exactly these columns, in this order and of these types.

    Raises:
        DataError: a column is missing, or a value does not fit its type.
    """
    if missing := [name for name in columns if name not in table.columns]:
        raise DataError(where, f"columns missing: {', '.join(missing)}", ", ".join(columns), "run the stage that writes it again")
    try:
        arrow = pa.Table.from_pandas(table[list(columns)], schema=pa.schema(list(columns.items())), preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise DataError(where, f"a value does not fit its column ({error})", "the types in pipeline/core/manifest.py") from None
    conformed: pd.DataFrame = arrow.to_pandas()
    return conformed


def duration_band(duration_s: float) -> str:
    """Return the duration slice: "0-2 s", "2-4 s", "4-8 s", "8-16 s" or "16 s and longer"."""
    for low, high in ((0, 2), (2, 4), (4, 8), (8, 16)):
        if duration_s < high:
            return f"{low}-{high} s"
    return "16 s and longer"


def snr_band(snr_db: float) -> str:
    """Return the noise slice: "under 10 dB", "10-20 dB", "20-30 dB", "30 dB and over"; "" if unknown."""
    if snr_db != snr_db:
        return ""
    for limit, name in ((10, "under 10 dB"), (20, "10-20 dB"), (30, "20-30 dB")):
        if snr_db < limit:
            return name
    return "30 dB and over"


def has_numbers(transcript: str, spoken: str) -> str:
    """Return whether a transcript writes a number in figures: "yes" or "no"; "" if the release has it in spoken form.

    "Chega às 14h30." → "yes"; "O século XX" → "yes"; "Chega às duas." → "no"; "chega às duas" → ""

    Args:
        transcript: as in the release.
        spoken: its normalised form.
    """
    if transcript == spoken:
        return ""
    return "yes" if any(map(str.isnumeric, transcript)) or any(map(ROMAN.fullmatch, bare_words(transcript))) else "no"


def has_names(transcript: str, spoken: str) -> str:
    """Return "yes" if a transcript has a capital letter that does not begin a sentence, otherwise "no".

    "" if the release has the transcript in spoken form.

    "Vi a Ana." → "yes"; "A Ana viu." → "yes"; "Vi a loja. Comprei." → "no"; "O século XX" → "no"; "vi a ana" → ""

    A name at the beginning of a sentence does not count; an acronym counts as a name.
    """
    if transcript == spoken:
        return ""
    begins = True
    for word, bare in zip(transcript.split(), bare_words(transcript), strict=True):
        if not begins and len(bare) > 1 and bare[0].isupper() and not ROMAN.fullmatch(bare):
            return "yes"
        abbreviated = len(bare) < 4 and bare[:1].isupper() and word.endswith(".")  # Sr. Silva
        begins = not bare or (word.rstrip("\"'”’»)")[-1:] in tuple(".!?…:") and not abbreviated)
    return "no"


ROMAN: Final = re.compile(r"[IVX]{2,}")


def bare_words(transcript: str) -> list[str]:
    """Return the words of a transcript without punctuation around them: « "Olá," » → « Olá »."""
    return [re.sub(r"^\W+|\W+$", "", word) for word in transcript.split()]


def counts(table: pd.DataFrame) -> dict[str, Any]:
    """Return utterances, speakers and hours of a manifest."""
    known = table.loc[table["speaker"] != "", "speaker"]
    return {"utterances": int(len(table)), "speakers": int(known.nunique()), "hours": float(table["duration_s"].sum() / 3600)}
