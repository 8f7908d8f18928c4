"""Readers of corpora: one module per release format, and the synthetic speaker.

A reader is a module with
    Params      its section under `ingest` in params.yaml, a subclass of `Release`;
    shards      the content of each shard, as picklable tasks whose `len` is the number of candidates;
    read        the utterances and rejects of one task, in a fresh process;
    versions    the libraries that its result depends on;
or a `READER` that has these (`release.ListedReader`, for releases whose utterances can be listed at once). One that keeps files
during ingest also has `clean(params, source)`, which is called at the end.
A reader yields audio as released; `ingest` decodes, resamples, measures and writes it. No torch here.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterator, Sequence, Sized
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Protocol, cast

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from pipeline.core.manifest import SAMPLE_RATE_HZ
from pipeline.core.params import Section

READERS: Final = {
    "speak": "pipeline.corpora.speak",
    "manifest": "pipeline.corpora.plain",
    "common_voice": "pipeline.corpora.common_voice",
    "mls": "pipeline.corpora.mls",
    "coraa": "pipeline.corpora.coraa",
    "voxforge": "pipeline.corpora.voxforge",
    "fleurs": "pipeline.corpora.fleurs",
    "mtedx": "pipeline.corpora.mtedx",
    "folder": "pipeline.corpora.folder",
    "datasets": "pipeline.corpora.hugging_face",
}
"""The `reader` of a corpus in params.yaml, and its module."""

SHARD_BYTES: Final = 256_000_000  # larger shards are slow to read one row of


@dataclass(frozen=True, slots=True)
class Cell:
    """The location of audio in an Arrow file, which a listing holds until `read` loads the content."""

    file: Path
    column: str
    row: int


@dataclass(frozen=True, slots=True)
class Utterance:
    """An utterance as released. `audio` is a sound file, its content, or mono samples (full scale 1.0) and their rate in Hz.

    `start_s` and `end_s` are the utterance's part of the file. `duration_s` is its duration according to the release; an
    utterance of another duration is rejected.
    """

    id: str
    source: str
    audio: Path | bytes | Cell | tuple[npt.NDArray[np.float32], int]
    transcript: str
    locale: str
    licence: str
    speaker: str = ""
    accent: str = ""
    gender: str = ""
    age: str = ""
    release_split: str = ""
    start_s: float = 0.0
    end_s: float = math.inf
    duration_s: float | None = None


@dataclass(frozen=True, slots=True)
class Reject:
    """An utterance that is not ingested, and the reason."""

    id: str
    source: str
    reason: str
    detail: str = ""


class Headerless(Section):
    """The encoding of recordings without a header. A file with one of these endings and a header is read by its header."""

    rate_hz: int = Field(gt=0)
    coding: Literal["s8", "u8", "s16le", "s16be", "s24le", "s32le", "f32le", "mulaw", "alaw"] = Field("s16le", description="of a sample")
    channels: int = Field(1, ge=1)
    endings: tuple[str, ...] = Field((".raw", ".pcm"), description="of such files, in lower case")


class Release(Section):
    """The params that every corpus under `ingest` has, whatever its reader."""

    reader: str
    language: str = Field(description="spanish or portuguese: the key under `split`")
    source: str = Field(description="folder, file or archive of the release, relative to the checkout, or its address; the stage's data dep")
    utterances_per_shard: int = Field(250, ge=1, description="one process produces a shard; a kill costs at most one per process")
    engine: Literal["processes", "ray"] = Field("processes", description="what produces the shards; both give the same bytes")
    channel: Literal["mix"] | Annotated[int, Field(ge=1)] = Field("mix", description="the mean of all, or the number of one, from 1")
    headerless: Headerless | None = Field(None, description="of recordings without a header; by default none")
    limit_hours: float | None = Field(None, gt=0, description="hours of the release, for trials; by default all of it")
    limit_seed: int = Field(1, ge=0, description="which hours; a smaller limit is part of a larger one")
    min_duration_s: float = Field(0.5, gt=0, description="shorter holds no word")
    max_duration_s: float = Field(20.0, gt=0, description="longer does not fit a batch")
    trim_silence_s: float | None = Field(None, ge=0, description="silence kept at either end, such as 0.2; by default all of it")
    duration_tolerance_s: float = Field(0.25, ge=0, description="difference from the release's duration of an utterance; MP3 pads 0.1")
    max_clipped: float = Field(0.01, ge=0, le=1, description="share of samples at full scale; more sounds broken")
    max_reject_share: float = Field(0.05, ge=0, le=1, description="more rejects than this mean a wrong source or wrong params")

    @model_validator(mode="after")
    def _check(self) -> Release:
        if self.min_duration_s >= self.max_duration_s:
            raise ValueError(f"min_duration_s {self.min_duration_s} must be under max_duration_s {self.max_duration_s}")
        most = int(SHARD_BYTES / (2 * SAMPLE_RATE_HZ * self.max_duration_s))
        if self.utterances_per_shard > most:
            raise ValueError(f"utterances_per_shard must be at most {most} at max_duration_s {self.max_duration_s}, "
                             f"so that a shard stays under {SHARD_BYTES // 1_000_000} MB")
        return self


class Reader(Protocol):
    """What a reader has to provide."""

    Params: type[Release]

    def shards(self, params: Any, source: Path) -> Sequence[Sized]:
        """Return one picklable task per shard; its `len` is the number of candidates."""

    def read(self, params: Any, source: Path, task: Any) -> Iterator[Utterance | Reject]:
        """Yield the utterances and rejects of one task, in a fresh process."""

    def versions(self) -> dict[str, str]:
        """Return the versions of libraries that the result depends on."""


def reader(name: str) -> Reader:
    """Return the reader that params.yaml names `name`."""
    module = importlib.import_module(READERS[name])
    return cast(Reader, getattr(module, "READER", module))
