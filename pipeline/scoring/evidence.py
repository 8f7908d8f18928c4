"""What a gate judges: three systems on one test set, and the checks that they can be judged at all."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pipeline.core.errors import DataError, LeakageError, NotComparableError
from pipeline.scoring.bootstrap import units_of
from pipeline.scoring.counts import Counts
from pipeline.scoring.scorecard import Resampling, rate
from pipeline.scoring.utterances import Scored, hash_test_set, scored


@dataclass(frozen=True, slots=True)
class Rate:
    """An error rate with its interval, as fractions."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class ConditionResult:
    """What a system heard in one condition, on a sample of the test set."""

    rows: Scored
    wer: Rate


@dataclass(frozen=True, slots=True)
class System:
    """A system as judged.

    Args:
        rows: the hypotheses that its figures rest on.
        test_set: hash of the test set, as its score says.
        normaliser: version of the rules that normalised the references, as its score says.
        facts: data/transcribe/SYSTEM.json: size, invariance, overlap of its training data with the test set.
        under: condition to the hypotheses in it; empty where that was not measured.
    """

    name: str
    rows: Scored
    test_set: str
    normaliser: str
    wer: Rate
    cer: Rate
    facts: Mapping[str, Any]
    under: Mapping[str, ConditionResult] = field(default_factory=dict)

    def with_hypotheses(self, hypotheses: list[str], how: Resampling) -> System:
        """Return the system with other hypotheses, scored anew."""
        return of_rows(self, scored(self.rows.table.assign(hypothesis=hypotheses)), how)

    def on(self, rows: np.ndarray[Any, Any], how: Resampling) -> System:
        """Return the system on some of the utterances (a mask), scored anew."""
        return of_rows(self, self.rows.of(rows), how)


@dataclass(frozen=True, slots=True)
class Corpus:
    """What the reports of ingest and normalise say of a corpus; utterances, but for the last two.

    Args:
        hours, speakers: of what is kept.
    """

    language: str
    name: str
    rejected: int
    taken: int
    dropped: int
    hours: float
    speakers: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a verdict rests on.

    Args:
        left: what training, dev and test still share, by the certificate of the split.
        speed: the challenger's throughput relative to the reference workload; None if it was not measured for these weights.
        licences: utterances by licence in the training data.
        corpora: those that the policy has bounds for.
    """

    challenger: System
    champion: System
    baseline: System
    left: int
    licences: Mapping[str, int]
    speaker_dependent: bool
    corpora: Sequence[Corpus] = ()
    speed: Rate | None = None

    @property
    def systems(self) -> tuple[System, System, System]:
        return self.challenger, self.champion, self.baseline


def of_rows(like: System, rows: Scored, how: Resampling) -> System:
    """Return a system with these rows and their score, else as `like`."""
    units = units_of(rows.table["speaker"])

    def measured(counts: Counts) -> Rate:
        found = rate(counts, units, how)
        return Rate(*(math.nan if found[part] is None else found[part] for part in ("value", "low", "high")))

    return System(like.name, rows, hash_test_set(rows.table["utterance_id"].tolist(), rows.table["reference"].tolist()),
                  like.normaliser, measured(rows.words), measured(rows.characters), like.facts, like.under)


def check(evidence: Evidence, *, certificate: bool, trained_on: bool) -> None:
    """Check that the systems can be judged; a broken or foreign figure is never a verdict.

    Args:
        certificate: whether the certificate of the split must be clean.
        trained_on: whether no system may have been trained on what is tested.

    Raises:
        DataError: a figure is no finite number, or is not that of the hypotheses.
        NotComparableError: systems differ in test set or normaliser.
        LeakageError: the certificate is not clean, or a system was trained on what is tested.
    """
    for system in evidence.systems:
        for name, found, counts in (("wer", system.wer, system.rows.words), ("cer", system.cer, system.rows.characters)):
            if not all(map(math.isfinite, (found.value, found.low, found.high))):
                raise DataError(f"score of {system.name}", f"{name} is {found.value} ({found.low} to {found.high})",
                                "finite numbers", "look at its hypotheses: a test set of one utterance has no interval")
            if abs(found.value - counts.rate()) > 1e-12:
                raise DataError(f"score of {system.name}", f"{name} {found.value}", f"{counts.rate()}, as its hypotheses have it",
                                f"run `dvc repro score@{system.name}`")
        table = system.rows.table
        hashes = {
            evidence.challenger.test_set: f"that of {evidence.challenger.name}",
            hash_test_set(table["utterance_id"].tolist(), table["reference"].tolist()): "that of its hypotheses",
        }
        for expected, whose in hashes.items():
            if system.test_set != expected:
                raise NotComparableError(f"score of {system.name}", f"test set {system.test_set[:12]}", f"{expected[:12]}, {whose}",
                                         "transcribe and score every system on the same test split")
        if system.normaliser != evidence.challenger.normaliser:
            raise NotComparableError(f"score of {system.name}", f"normaliser {system.normaliser}",
                                     f"{evidence.challenger.normaliser}, that of {evidence.challenger.name}",
                                     "score every system on references of one normaliser version")
    if certificate and evidence.left:
        raise LeakageError("certificate of the split", f"{evidence.left} things shared by training and test data", "none",
                           "run split again; no verdict can rest on this test set")
    for system in evidence.systems if trained_on else ():
        if met := {name: count for name, count in met_in_training(system, evidence.speaker_dependent).items() if count}:
            shared = ", ".join(f"{count} {name}" for name, count in met.items())
            raise LeakageError(f"training data of {system.name}", f"{shared} of the test set", "none",
                               "train on the train split alone, or test on what the system has not seen")


def met_in_training(system: System, speaker_dependent: bool) -> dict[str, int]:
    """Return how many speakers, sentences and recordings of the test set a system was trained on.

    Speakers do not count where the test set is speaker-dependent by declaration.
    """
    return {name: int(count) for name, count in system.facts["trained_on_test"].items()
            if not (name == "speakers" and speaker_dependent)}
