"""Filter wrong transcripts from the training set by forced alignment with a pinned model; off by default.

Reads   data/split/LANGUAGE/{train,dev}.parquet, data/ingest/LANGUAGE, the aligner's folder
Writes  data/align/LANGUAGE/train.parquet (what is kept), dev.parquet (as it was), scores.parquet, dropped.parquet,
        alignment.json (`vizinho.align/2`, docs/schemas/align.json)
Params  align.LANGUAGE

Set `train.split` to the folder to train on what is kept. There is no threshold by default: each utterance is also measured with
synthetic negatives (another utterance's transcript, its own truncated, its own extended), a classifier learns to separate those from
the transcripts (pipeline/alignment/transcript_filter.py), and transcripts with the lowest scores are dropped while this drops more wrong
ones than right ones.
"""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import Field, field_validator, model_validator

from pipeline.core.errors import DataError, PipelineError, VocabularyError
from pipeline.core.files import atomic_folder, hash_file, read_table, write_json, write_table
from pipeline.core.manifest import counts
from pipeline.core.params import PARAMS_FILE, Section, load_section
from pipeline.core.progress import log, stage_line
from pipeline.core.stage import stage_main

if TYPE_CHECKING:
    import pandas as pd

    from pipeline.alignment.aligner import CorpusMeasures  # type: ignore[attr-defined]
    from pipeline.alignment.transcript_filter import FilterResult

LEAST: Final = 200
"""Utterances that can be judged by one another: of 63 right ones, by a weak aligner, 8 were lost (docs/results.md)."""
SHOWN: Final = 12
"""Utterances shown in the report, the lowest scores first."""
MOVING: Final = ("data/champion", "data/train")


class Align(Section):
    """`align.LANGUAGE`."""

    aligner: str = Field(description="a model's folder: data/donor, or one brought in under data/raw (ours, or a checkpoint in Hugging Face layout)")
    weights_sha256: str | None = Field(None, pattern="^[0-9a-f]{64}$", description="of its model.safetensors; another model is refused")
    checkpoint_language: str | None = Field(None, description="of a checkpoint with a vocabulary for each of many (MMS): por")
    seed: int = Field(1, ge=0, description="of the synthetic negatives and the folds")
    batch_s: float = Field(60.0, gt=0, description="padded seconds of audio in a batch")
    threads: int = Field(2, ge=1, description="CPU threads, each with a batch of its own")
    share: float | None = Field(None, ge=0, lt=1, description="drop this share, the lowest scores first")
    threshold: float | None = Field(None, description="drop what scores less: log-odds of a right transcript")
    max_dropped: float = Field(0.3, gt=0, le=1, description="a larger share fails the stage: look at the corpus, or at the aligner")
    min_power: float = Field(0.8, ge=0.5, le=1, description="smallest AUC of transcripts against synthetic negatives")

    @field_validator("aligner")
    @classmethod
    def _pinned(cls, value: str) -> str:
        if any(Path(value).is_relative_to(moving) for moving in MOVING):
            raise ValueError("expected a pinned model: this one changes with what is filtered by it. Take data/donor, or bring a version in: "
                             "`dvc get . data/champion --rev ARTEFACT@VERSION -o data/raw/aligner`, then `dvc add data/raw/aligner`")
        return value

    @model_validator(mode="after")
    def _one_filter(self) -> Align:
        if self.share is not None and self.threshold is not None:
            raise ValueError("share and threshold are both given; expected one of them, or neither: the stage then finds the threshold")
        return self


def run(language: str, data: Path = Path("data"), params_file: Path = PARAMS_FILE) -> None:
    """Score the transcripts of `language`'s training set and write what is kept of it.

    Raises:
        DataError: too few utterances, or another model than the pinned one.
        VocabularyError: the aligner has no head of its own.
        PipelineError: the aligner cannot separate transcripts from negatives, or more than `max_dropped` would be dropped.
    """
    from pipeline.alignment.aligner import measure_all
    from pipeline.alignment.transcript_filter import filter_transcripts

    params = load_section(Align, "align", language, path=params_file)
    split = data / "split" / language
    table = read_table(split / "train.parquet")
    model, vocabulary, aligner = load_aligner(params, table)
    measured = measure_all(model, vocabulary, table, data / "ingest", params.seed, params.batch_s, params.threads, f"align@{language}",
                           [aligner["weights_hash"], hash_file(split / "train.parquet")])
    if (usable := len(table) - len(measured.unaligned)) < LEAST:
        raise DataError(f"align.{language}", f"{usable} utterances of {len(table)} that can be aligned", f"{LEAST} at least",
                        "leave the stage out for a corpus this small, or look at its transcripts")
    judged = filter_transcripts(measured, params.share, params.threshold)
    if judged.power["all"] < params.min_power:
        raise PipelineError(f"align.{language}", f"{params.aligner} separates transcripts from synthetic negatives with an "
                            f"AUC of {judged.power['all']:.1%}", f"{params.min_power:.0%} at least",
                            "take an aligner that knows more of the language, lower min_power, or "
                            "leave the stage out (align: {})")
    scores = score_table(table, measured, judged)
    dropped = scores[scores["reason"] != ""].sort_values("score", na_position="first", kind="stable")
    if len(dropped) > params.max_dropped * len(table):
        told = ", ".join(f"{count} {reason}" for reason, count in Counter(dropped["reason"]).most_common())
        raise PipelineError(f"align.{language}", f"{len(dropped)} of {len(table)} utterances would be dropped ({told})",
                            f"{params.max_dropped:.0%} at most", f"look at some ({', '.join(dropped['utterance_id'][:3])}), take another aligner, or "
                            "raise max_dropped")
    kept = table[~table["utterance_id"].isin(dropped["utterance_id"])]
    with atomic_folder(data / "align" / language) as folder:
        write_table(folder / "train.parquet", kept)
        shutil.copyfile(split / "dev.parquet", folder / "dev.parquet")
        write_table(folder / "scores.parquet", scores)
        write_table(folder / "dropped.parquet", dropped)
        write_json(folder / "alignment.json", report(language, aligner, table, kept, scores, measured, judged))
    log(stage_line(f"align@{language}", counts(kept), Counter(dropped["reason"]))
        + f"; {judged.power['all']:.1%} AUC against synthetic negatives, about {judged.wrong_share:.1%} of all transcripts are estimated to be wrong")


def load_aligner(params: Align, table: pd.DataFrame) -> tuple[Any, Any, dict[str, Any]]:
    """Return the aligner, its vocabulary, and its entry in the report.

    Raises:
        VocabularyError: it came without a head.
        DataError: it is not the pinned one.
    """
    from pipeline.model.artifact import RECORD, load_model
    from pipeline.model.checkpoint import read_checkpoint
    from pipeline.model.provenance import TRAINED_ON, overlap

    folder = Path(params.aligner)
    if (folder / RECORD).exists() or not (folder / "config.json").exists():
        model, vocabulary, record = load_model(folder)
        weights_hash, origin = record["weights_hash"], record.get("origin")
        if isinstance(origin, dict) and origin.get("head") == "fresh":
            raise VocabularyError(str(folder), "a model that came without a head, and has learned no transcript", "one that can transcribe",
                                  "set align.LANGUAGE.aligner to such a model, or leave the stage out")
    else:
        model, vocabulary, origin = read_checkpoint(folder, params.checkpoint_language)
        weights_hash = origin["weights_sha256"]
    if params.weights_sha256 not in (None, weights_hash):
        raise DataError(str(folder), f"weights of SHA-256 {weights_hash}", str(params.weights_sha256), "restore the pinned model, or pin this one")
    known = read_table(folder / TRAINED_ON) if (folder / TRAINED_ON).exists() else None
    learned_from = overlap(known, table)["recordings"] if known is not None and len(known) else None
    if learned_from:
        log(f"align: {folder} was trained on {learned_from} of these recordings, with the transcripts that it is to score")
    return model, vocabulary, {"folder": params.aligner, "weights_hash": weights_hash, "vocabulary_hash": vocabulary.hash,
                               "trained_on": learned_from}


def score_table(table: pd.DataFrame, measured: CorpusMeasures, judged: FilterResult) -> pd.DataFrame:
    """Return a row per utterance: its score, the reason for dropping it (empty if kept), the aligner's hypothesis, its measures."""
    from pipeline.alignment.transcript_filter import MEASURES

    scores = table[["utterance_id", "corpus", "speaker", "duration_s", "text"]].copy()
    scores["hypothesis"], scores["score"] = measured.hypotheses, judged.score_U
    scores["reason"] = [measured.unaligned.get(number, reason) for number, reason in enumerate(judged.reasons)]
    return scores.assign(**dict(zip(MEASURES, measured.own_UM.T, strict=True)))


def report(language: str, aligner: dict[str, Any], table: pd.DataFrame, kept: pd.DataFrame, scores: pd.DataFrame, measured: CorpusMeasures,
           judged: FilterResult) -> dict[str, Any]:
    """Return the report (`vizinho.align/2`)."""
    import numpy as np

    known = scores["score"].dropna()
    negatives = np.concatenate(list(judged.negatives.values()))
    edges = np.linspace(min(known.min(), np.quantile(negatives, 0.05)), known.max(), 25)
    dropped = scores[scores["reason"] != ""]
    lowest = scores[scores["score"].notna()].nsmallest(SHOWN, "score")
    return {
        "schema": "vizinho.align/2",
        "language": language,
        "aligner": aligner,
        "letters_without_symbol": list(measured.unmapped),
        "utterances": len(table),
        "kept": counts(kept),
        "dropped": dict(Counter(dropped["reason"]).most_common()),
        "power": judged.power,
        "wrong_share": judged.wrong_share,
        "threshold": judged.threshold,
        "chosen_by": judged.chosen_by,
        "weights": judged.weights,
        "distribution": {
            "quantiles": {f"{share:g}": float(known.quantile(share)) for share in (0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 1)},
            "edges": edges.tolist(),
            "transcripts": np.histogram(np.clip(known, edges[0], edges[-1]), edges)[0].tolist(),
            "negatives": np.histogram(np.clip(negatives, edges[0], edges[-1]), edges)[0].tolist(),
        },
        "lowest": [{"utterance_id": row.utterance_id, "score": float(row.score),  # type: ignore[arg-type]
                    "reason": row.reason, "text": row.text, "hypothesis": row.hypothesis}
                   for row in lowest.itertuples()],
    }


if __name__ == "__main__":
    stage_main(run)
