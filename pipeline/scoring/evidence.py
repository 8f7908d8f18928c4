"""Evidence of a gate: three systems on one test set, and the checks that they are comparable."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pipeline.core.errors import DataError, LeakageError, NotComparableError
from pipeline.scoring.counts import Counts
from pipeline.scoring.scorecard import Resampling, rate
from pipeline.scoring.utterances import Scored, hash_test_set, scored, units_in


@dataclass(frozen=True, slots=True)
class Rate:
    """An error rate with its interval, as fractions."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class ConditionResult:
    """A system's hypotheses in one condition, on a sample of the test set, and their WER."""

    rows: Scored
    wer: Rate


@dataclass(frozen=True, slots=True)
class System:
    """A system under evaluation.

    Args:
        name: name of the system.
        rows: the hypotheses that its error rates cover.
        test_set: hash of the test set, from its score.
        normaliser: version of the rules that normalised the references, from its score.
        wer: word error rate, from its score.
        cer: character error rate, from its score.
        facts: data/transcribe/SYSTEM.json: size, invariance, overlap of its training data with the test set.
        conditions: name of a condition to the result in it; empty if none was measured.
    """

    name: str
    rows: Scored
    test_set: str
    normaliser: str
    wer: Rate
    cer: Rate
    facts: Mapping[str, Any]
    conditions: Mapping[str, ConditionResult] = field(default_factory=dict)

    def with_hypotheses(self, hypotheses: list[str], resampling: Resampling) -> System:
        """Return the system with other hypotheses, scored again."""
        return rescored(self, scored(self.rows.table.assign(hypothesis=hypotheses)), resampling)

    def subset(self, rows: np.ndarray[Any, Any], resampling: Resampling) -> System:
        """Return the system on the selected utterances (a mask), scored again."""
        return rescored(self, self.rows.of(rows), resampling)


@dataclass(frozen=True, slots=True)
class Corpus:
    """Figures of a corpus from the reports of ingest and normalise.

    Args:
        language: language of the corpus, as in its folder.
        name: name of the corpus.
        rejected: utterances that ingest rejected.
        ingested: utterances that ingest wrote.
        dropped: ingested utterances that normalise dropped.
        hours: hours of the kept utterances.
        speakers: known speakers of the kept utterances.
    """

    language: str
    name: str
    rejected: int
    ingested: int
    dropped: int
    hours: float
    speakers: int


@dataclass(frozen=True, slots=True)
class Export:
    """An exported form of the challenger's network, with its hypotheses and PyTorch's on the same utterances, both as served.

    Args:
        backend: what runs it: `onnx` or `onnx-int8`.
        file: its name in data/export/SYSTEM/.
        hash: SHA-256 of the file.
        size: bytes of the file.
        reference: hypotheses of PyTorch.
        rows: its own hypotheses.
        batched: whether its backend makes batches.
        batch_difference: largest change of a logit in a padded batch.
    """

    backend: str
    file: str
    hash: str
    size: int
    reference: Scored
    rows: Scored
    batched: bool
    batch_difference: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that a verdict depends on.

    Args:
        challenger: the system that may become champion, as it would serve.
        champion: the system in use, as it serves.
        baseline: the system that the challenger must beat besides the champion, with its decoder.
        leaked: number of items that train, dev and test still share, from the certificate of the split.
        licences: utterances by licence in the training data.
        speaker_dependent: whether the test speakers may be in the training data by declaration.
        corpora: the corpora that the policy has bounds for.
        speed: the challenger's throughput relative to the reference workload; None if it was not measured for these weights.
        shown: further baselines as they serve, which the verdict shows without depending on them.
        greedy: challenger, champion, baseline and those of `shown` with greedy hypotheses; empty if they are the same.
        exports: of the challenger; empty if the policy ignores them.
    """

    challenger: System
    champion: System
    baseline: System
    leaked: int
    licences: Mapping[str, int]
    speaker_dependent: bool
    corpora: Sequence[Corpus] = ()
    speed: Rate | None = None
    shown: tuple[System, ...] = ()
    greedy: tuple[System, ...] = ()
    exports: tuple[Export, ...] = ()

    @property
    def all_systems(self) -> tuple[System, ...]:
        """Challenger, champion, baseline and those of `shown`, as they serve."""
        return (*self.systems, *self.shown)

    @property
    def greedy_systems(self) -> tuple[System, ...]:
        """The same with greedy hypotheses."""
        return self.greedy or self.all_systems

    @property
    def systems(self) -> tuple[System, System, System]:
        """Challenger, champion and baseline."""
        return self.challenger, self.champion, self.baseline


def rescored(like: System, rows: Scored, resampling: Resampling) -> System:
    """Return a copy of the system `like` with other rows and their error rates."""
    units = units_in(rows.table)

    def rate_of(counts: Counts) -> Rate:
        found = rate(counts, units, resampling)
        return Rate(*(math.nan if found[part] is None else found[part] for part in ("value", "low", "high")))

    return System(like.name, rows, hash_test_set(rows.table["utterance_id"].tolist(), rows.table["reference"].tolist()),
                  like.normaliser, rate_of(rows.words), rate_of(rows.characters), like.facts, like.conditions)


def check(evidence: Evidence, *, certificate: bool, trained_on: bool) -> None:
    """Check that the systems are comparable. Broken evidence is an error, never a verdict.

    Args:
        evidence: the systems, and the number of items shared by the splits.
        certificate: whether the certificate of the split must be clean.
        trained_on: whether to reject systems that were trained on the test set.

    Raises:
        DataError: an error rate is not finite, or differs from that of the hypotheses.
        NotComparableError: systems differ in test set or normaliser.
        LeakageError: the certificate is not clean, or a system was trained on the test set.
    """
    for system in (*evidence.all_systems, *evidence.greedy):
        for name, found, counts in (("wer", system.wer, system.rows.words), ("cer", system.cer, system.rows.characters)):
            if not all(map(math.isfinite, (found.value, found.low, found.high))):
                raise DataError(f"score of {system.name}", f"{name} is {found.value} ({found.low} to {found.high})",
                                "finite numbers", "check its hypotheses: a test set of one utterance has no interval")
            if abs(found.value - counts.rate()) > 1e-12:
                raise DataError(f"score of {system.name}", f"{name} {found.value}", f"{counts.rate()}, the rate of its hypotheses",
                                f"run `dvc repro score@{system.name}`")
        table = system.rows.table
        hashes = {
            evidence.challenger.test_set: f"the test set of {evidence.challenger.name}",
            hash_test_set(table["utterance_id"].tolist(), table["reference"].tolist()): "the test set of its hypotheses",
        }
        for expected, whose in hashes.items():
            if system.test_set != expected:
                raise NotComparableError(f"score of {system.name}", f"test set {system.test_set[:12]}", f"{expected[:12]}, {whose}",
                                         "transcribe and score every system on the same test split")
        if system.normaliser != evidence.challenger.normaliser:
            raise NotComparableError(f"score of {system.name}", f"normaliser {system.normaliser}",
                                     f"{evidence.challenger.normaliser}, the version of {evidence.challenger.name}",
                                     "score every system on references of one normaliser version")
    if certificate and evidence.leaked:
        raise LeakageError("certificate of the split", f"{evidence.leaked} items shared by train, dev and test", "none",
                           "run `dvc repro split`; this test set cannot support a verdict")
    for system in evidence.systems if trained_on else ():
        if overlap := {name: count for name, count in overlap_with_training(system, evidence.speaker_dependent).items() if count}:
            shared = ", ".join(f"{count} {name}" for name, count in overlap.items())
            raise LeakageError(f"training data of {system.name}", f"{shared} of the test set", "none",
                               "train on the train split only, or test on data that the system was not trained on")


def overlap_with_training(system: System, speaker_dependent: bool) -> dict[str, int]:
    """Return the number of speakers, sentences and recordings of the test set that are in a system's training data.

    Speakers are not counted if the test set is speaker-dependent by declaration.
    """
    return {name: int(count) for name, count in system.facts["trained_on_test"].items()
            if not (name == "speakers" and speaker_dependent)}
