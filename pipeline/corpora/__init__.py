"""Readers of corpora: one module per form in which speech is released, and the speaker that makes its own.

A reader is a module with
    Params      its section under `ingest` in params.yaml, a subclass of `Release`;
    shards      what each shard is to hold, as picklable tasks whose `len` is the number of candidates;
    read        the utterances and rejects of one task, in a fresh process;
    versions    what else its result depends on;
or a `READER` that has these (`release.Listed`, for releases whose utterances can be listed at once). One that keeps something
while a corpus comes in has `clean(params, source)` too, which is called when the corpus is in.
It yields audio as it finds it; decoding, resampling, measuring and writing are `ingest`'s. No torch here.
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

SHARD_BYTES: Final = 256_000_000  # more, and a reader of single rows waits for what it does not want


@dataclass(frozen=True, slots=True)
class Cell:
    """Where a sound lies in an Arrow file: what a list holds of it, until `read` fetches the content."""

    file: Path
    column: str
    row: int


@dataclass(frozen=True, slots=True)
class Utterance:
    """An utterance as released. `audio` is a sound file, its content, or mono samples (full scale 1.0) and their rate in Hz.

    `start_s` and `end_s` say which part of the file is meant; `duration_s` is what the release says of its length, and an
    utterance of another length is rejected.
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
    """An utterance that does not come in, and why."""

    id: str
    source: str
    reason: str
    detail: str = ""


class Headerless(Section):
    """How recordings without a header are coded. One of these endings that has a header after all is read by that."""

    rate_hz: int = Field(gt=0)
    coding: Literal["s8", "u8", "s16le", "s16be", "s24le", "s32le", "f32le", "mulaw", "alaw"] = Field("s16le", description="of a sample")
    channels: int = Field(1, ge=1)
    endings: tuple[str, ...] = Field((".raw", ".pcm"), description="of the files that are meant, in lower case")


class Release(Section):
    """What every corpus under `ingest` declares, whatever its reader."""

    reader: str
    language: str = Field(description="spanish or portuguese: the key under `split`")
    source: str = Field(description="folder, file or archive of the release, relative to the checkout, or its address; the stage's data dep")
    utterances_per_shard: int = Field(250, ge=1, description="a shard is read whole by one process; a kill costs as much")
    engine: Literal["processes", "ray"] = Field("processes", description="what makes the shards; the same bytes by either")
    channel: Literal["mix"] | Annotated[int, Field(ge=1)] = Field("mix", description="the mean of all, or the number of one, from 1")
    headerless: Headerless | None = Field(None, description="of recordings that have no header; by default there are none")
    limit_hours: float | None = Field(None, gt=0, description="hours of the release, for trials; by default all of it")
    limit_seed: int = Field(1, ge=0, description="which hours; a smaller limit is part of a larger one")
    min_duration_s: float = Field(0.5, gt=0, description="shorter holds no word")
    max_duration_s: float = Field(20.0, gt=0, description="longer does not fit a batch")
    trim_silence_s: float | None = Field(None, ge=0, description="silence kept at either end, such as 0.2; by default all of it")
    duration_tolerance_s: float = Field(0.25, ge=0, description="off what the release says of an utterance's length; MP3 pads 0.1")
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
    """The form of a reader."""

    Params: type[Release]

    def shards(self, params: Any, source: Path) -> Sequence[Sized]: ...
    def read(self, params: Any, source: Path, task: Any) -> Iterator[Utterance | Reject]: ...
    def versions(self) -> dict[str, str]: ...


def reader(name: str) -> Reader:
    """Return the reader that params.yaml calls `name`."""
    module = importlib.import_module(READERS[name])
    return cast(Reader, getattr(module, "READER", module))
