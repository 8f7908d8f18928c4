"""What a run left behind, read once and checked: the report's view of `data/`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.core.errors import DataError, MissingInputError
from pipeline.core.files import hash_file, read_json, read_table
from pipeline.reporting.charts import Interval
from pipeline.reporting.curves import Curve, curve_from

SYSTEMS: Final = ("transfer", "scratch", "scratch_long", "champion", "donor")
TRAINED: Final = ("transfer", "scratch", "scratch_long")
NEEDED: Final = ("transfer", "scratch")
"""Without these there is nothing to report; every other system may be absent, but not damaged."""
TARGET: Final = "portuguese"
AGAIN: Final = "run the stage that writes it again"

HYPOTHESIS_COLUMNS: Final = [
    "utterance_id",
    "speaker",
    "locale",
    "accent",
    "gender",
    "duration_s",
    "reference",
    "hypothesis",
]
TEST_COLUMNS: Final = ["utterance_id", "language", "corpus", "shard", "row", "transcript"]


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Inputs:
    """A run's results. Mappings by system, in the order of SYSTEMS; None or empty where an optional part is absent."""

    folder: Path
    scores: dict[str, dict[str, Any]]
    verdict: dict[str, Any]
    curves: dict[str, Curve]
    models: dict[str, dict[str, Any]]  # vizinho.json, `donor` included
    donor_curve: Curve | None
    hypotheses: dict[str, pd.DataFrame]
    decodings: dict[str, dict[str, Any]]  # speed and size, as transcribe measured them
    test: pd.DataFrame
    corpora: dict[tuple[str, str], dict[str, Any]]  # (language, corpus) -> {"ingest": ..., "normalise": ...}
    certificates: dict[str, dict[str, Any]]  # by language
    ranking: dict[str, Any] | None
    hashes: dict[str, str]  # path within the folder -> SHA-256, of every file the figures rest on

    @property
    def challenger(self) -> str:
        """The system that the verdict is about."""
        return str(self.verdict["challenger"]["system"])


class _Reader:
    """Reads files of a run folder and remembers which; an absent file is None unless it is required."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.read: list[Path] = []

    def json(self, relative: str, required: bool) -> dict[str, Any] | None:
        if not (path := self._path(relative, required)):
            return None
        value = read_json(path)
        if not isinstance(value, dict):
            raise DataError(str(path), f"found {type(value).__name__}", "a JSON object", AGAIN)
        return value

    def table(self, relative: str, columns: list[str], required: bool) -> pd.DataFrame | None:
        path = self._path(relative, required)
        return read_table(path, columns) if path else None

    def curve(self, relative: str, system: str, required: bool) -> Curve | None:
        if not (path := self._path(relative, required)):
            return None
        try:
            history = pd.read_csv(path)
        except ValueError as error:  # what pandas raises for no CSV, nothing at all or other bytes than UTF-8
            raise DataError(str(path), f"unreadable ({error})", "a CSV file", AGAIN) from None
        return curve_from(history, system, str(path))

    def _path(self, relative: str, required: bool) -> Path | None:
        path = self.folder / relative
        if path.exists():
            self.read.append(path)
            return path
        if required:
            raise MissingInputError(
                str(path), "no such file", "a result of the run", "run the stage that writes it (`dvc repro`)"
            )
        return None


def read_inputs(folder: Path | str) -> Inputs:
    """Return what the stages left under `folder` (usually `data`).

    Raises:
        MissingInputError: a required file is not there.
        DataError: a file, required or not, is damaged or lacks what the report shows.
    """
    folder = Path(folder)
    reader = _Reader(folder)

    scores = _found((name, reader.json(f"score/{name}.json", name in NEEDED)) for name in SYSTEMS)
    for name, score in scores.items():
        where = f"{folder}/score/{name}.json"
        for key in ("test_set", "normaliser"):
            need(score, key, where)
        for key in ("wer", "cer"):
            interval(need(score, key, where), f"{where}: {key}")
    hypotheses = _found(
        (name, reader.table(f"transcribe/{name}.parquet", HYPOTHESIS_COLUMNS, name in NEEDED)) for name in SYSTEMS
    )
    verdict = reader.json("gate/verdict.json", True) or {}
    _check_verdict(verdict, set(scores) & set(hypotheses), f"{folder}/gate/verdict.json")

    corpora: dict[tuple[str, str], dict[str, Any]] = {}
    for stage in ("ingest", "normalise"):
        for path in sorted(folder.glob(f"{stage}/*/*/report.json")):
            language, corpus = path.parts[-3:-1]
            corpora.setdefault((language, corpus), {})[stage] = reader.json(
                f"{stage}/{language}/{corpus}/report.json", True
            )
    languages = sorted(path.parent.name for path in folder.glob("split/*/certificate.json"))

    test = reader.table(f"split/{TARGET}/test.parquet", TEST_COLUMNS, True)
    assert test is not None
    return Inputs(
        folder=folder,
        scores=scores,
        verdict=verdict,
        curves=_found((name, reader.curve(f"train/{name}/history.csv", name, name in NEEDED)) for name in TRAINED),
        models=_found(
            [
                *((name, reader.json(f"train/{name}/vizinho.json", name in NEEDED)) for name in TRAINED),
                ("donor", reader.json("donor/vizinho.json", False)),
            ]
        ),
        donor_curve=reader.curve("donor/history.csv", "donor", False),
        hypotheses=hypotheses,
        decodings=_found((name, reader.json(f"transcribe/{name}.json", False)) for name in SYSTEMS),
        test=test,
        corpora=dict(sorted(corpora.items(), key=lambda pair: (pair[0][0] != TARGET, pair[0]))),
        certificates=_found((name, reader.json(f"split/{name}/certificate.json", True)) for name in languages),
        ranking=reader.json("rank/ranking.json", False),
        hashes={str(path.relative_to(folder)): hash_file(path) for path in sorted(reader.read)},
    )


def _check_verdict(verdict: Mapping[str, Any], systems: set[str], where: str) -> None:
    for key in ("verdict", "rules", "comparisons", "challenger"):
        need(verdict, key, where)
    if verdict["verdict"] not in ("promote", "reject", "inconclusive"):
        raise DataError(
            where, f"verdict {verdict['verdict']!r}", "promote, reject or inconclusive", "run the gate again"
        )
    if need(verdict["challenger"], "system", where) not in systems:
        raise DataError(
            where,
            f"challenger {verdict['challenger']['system']!r} has no score or hypotheses",
            ", ".join(sorted(systems)),
            "transcribe and score it",
        )
    for rule in verdict["rules"]:
        for key in ("name", "enabled", "value", "low", "high", "limit", "passed", "reason"):
            need(rule, key, where)


def _found(pairs: Iterable[tuple[str, T | None]]) -> dict[str, T]:
    return {name: value for name, value in pairs if value is not None}


def need(value: Mapping[str, Any], key: str, where: str) -> Any:
    """Return `value[key]`.

    Raises:
        DataError: it is not there.
    """
    if key not in value:
        raise DataError(where, f"no {key!r}; found {', '.join(map(str, value)) or 'nothing'}", f"{key!r}", AGAIN)
    return value[key]


def interval(value: Any, where: str) -> Interval:
    """Return a rate given as `{value, low, high}`.

    Raises:
        DataError: a part is missing or no finite number.
    """
    parts = [need(value, key, where) for key in ("value", "low", "high")] if isinstance(value, Mapping) else [value]
    if len(parts) != 3 or not all(isinstance(part, (int, float)) and math.isfinite(part) for part in parts):
        raise DataError(where, f"found {value!r}", "value, low and high as finite numbers", AGAIN)
    return Interval(*(float(part) for part in parts))


def point(value: Any, where: str) -> float | None:
    """Return a rate's value, given as `{value, …}` or as a bare number; None where nothing was measured.

    Raises:
        DataError: it is no finite number.
    """
    if isinstance(value, Mapping):
        value = need(value, "value", where)
    if value is None:
        return None
    if not isinstance(value, (int, float)) or not math.isfinite(value):
        raise DataError(where, f"found {value!r}", "a finite number or null", AGAIN)
    return float(value)


def flac_of(inputs: Inputs, utterance_id: str) -> bytes:
    """Return an utterance's audio as FLAC, from the shard that ingest wrote.

    Raises:
        DataError: the test split, the shard or the row is missing, or is no FLAC.
    """
    rows = inputs.test[inputs.test["utterance_id"] == utterance_id]
    if len(rows) != 1:
        raise DataError(
            f"{inputs.folder}/split/{TARGET}/test.parquet",
            f"{len(rows)} rows of {utterance_id}",
            "one",
            "run transcribe again on this split",
        )
    language, corpus, shard, row = rows.iloc[0][["language", "corpus", "shard", "row"]]
    path = inputs.folder / "ingest" / language / corpus / shard
    if not path.exists():
        raise MissingInputError(str(path), "no such file", "a shard", f"run ingest@{corpus} (`dvc repro`)")
    skip = int(row)
    try:
        with pq.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                if skip < file.metadata.row_group(group).num_rows:
                    audio = file.read_row_group(group, columns=["audio.bytes"]).column("audio")[skip].as_py()["bytes"]
                    break
                skip -= file.metadata.row_group(group).num_rows
            else:
                raise DataError(str(path), f"no row {row}", utterance_id, "run split again")
    except (OSError, KeyError, pa.ArrowException) as error:
        raise DataError(str(path), f"unreadable ({error})", "a Parquet shard", "run ingest again") from None
    if not audio or not audio.startswith(b"fLaC"):
        raise DataError(utterance_id, f"{path} row {row} holds no FLAC", "FLAC bytes", "run ingest again")
    return bytes(audio)
