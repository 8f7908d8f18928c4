"""The results of a run, read once from `data/` and checked."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.core.errors import DataError, MissingInputError, ParamsError
from pipeline.core.files import hash_file, read_json, read_table
from pipeline.core.params import read_params
from pipeline.reporting.charts import Interval
from pipeline.reporting.curves import Curve, curve_from

TARGET: Final = "portuguese"  # the language of the test split
RERUN: Final = "run the stage that writes it again"

HYPOTHESIS_COLUMNS: Final = [
    "utterance_id",
    "speaker",
    "corpus",
    "locale",
    "accent",
    "gender",
    "age",
    "duration_s",
    "reference",
    "hypothesis",
    "confidence",
    "word_confidence",
    "word_times",
    "hypothesis_served",
    "confidence_served",
    "word_confidence_served",
    "word_times_served",
]
TEST_COLUMNS: Final = ["utterance_id", "language", "corpus", "shard", "row", "transcript", "snr_db"]


T = TypeVar("T")

Outcome = Literal["pass", "fail", "undecided", "disabled"]


@dataclass(frozen=True, slots=True)
class Inputs:
    """The results of a run. An optional part that is missing is None, or has no entry in its mapping.

    Attributes:
        folder: the folder that was read.
        trained: the systems of `train.systems`, in order.
        baseline: `gate.baseline`, the trained system that the verdict compares with besides the champion.
        scores: `score/SYSTEM.json` by system, the trained ones first.
        verdict: `gate/verdict.json`.
        curves: the learning curve of each trained system.
        models: `vizinho.json` of each trained system and of the donor.
        donor_curve: the learning curve of the donor; None if it was imported.
        hypotheses: `transcribe/SYSTEM.parquet` by system.
        transcriptions: `transcribe/SYSTEM.json` by system.
        test: the test split.
        training_words: the words of the training texts; None if the split has no training set.
        corpora: by (language, corpus), the reports of the stages "ingest" and "normalise".
        certificates: the leakage certificate of each language.
        ranking: `rank/ranking.json`.
        hashes: the SHA-256 of every file that was read, by its path in `folder`.
    """

    folder: Path
    trained: tuple[str, ...]
    baseline: str
    scores: dict[str, dict[str, Any]]
    verdict: dict[str, Any]
    curves: dict[str, Curve]
    models: dict[str, dict[str, Any]]
    donor_curve: Curve | None
    hypotheses: dict[str, pd.DataFrame]
    transcriptions: dict[str, dict[str, Any]]
    test: pd.DataFrame
    training_words: frozenset[str] | None
    corpora: dict[tuple[str, str], dict[str, Any]]
    certificates: dict[str, dict[str, Any]]
    ranking: dict[str, Any] | None
    hashes: dict[str, str]

    @property
    def challenger(self) -> str:
        """Return the name of the system that the verdict is about."""
        return str(self.verdict["challenger"]["system"])


class _Reader:
    """Read the files of a run folder and record their paths. A missing file is None unless it is required."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.read: list[Path] = []

    def json(self, relative: str, required: bool) -> dict[str, Any] | None:
        if not (path := self._path(relative, required)):
            return None
        value = read_json(path)
        if not isinstance(value, dict):
            raise DataError(str(path), f"found {type(value).__name__}", "a JSON object", RERUN)
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
            raise DataError(str(path), f"unreadable ({error})", "a CSV file", RERUN) from None
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
    """Return the results that the stages wrote under `folder` (usually `data`).

    Raises:
        MissingInputError: a required file is missing.
        DataError: a file, required or not, is damaged or lacks a field that the report shows.
    """
    folder = Path(folder)
    reader = _Reader(folder)
    verdict = reader.json("gate/verdict.json", True) or {}
    _check_verdict(verdict, f"{folder}/gate/verdict.json")
    names = system_names(folder.parent)
    trained = [name for name in names if name not in ("champion", "donor")]
    baseline = str(need(need(read_params(folder.parent / "params.yaml"), "gate", "params.yaml"), "baseline", "params.yaml: gate"))
    needed = {str(verdict["challenger"]["system"]), baseline}  # files of the others may be missing, but not damaged

    scores = _present((name, reader.json(f"score/{name}.json", name in needed)) for name in names)
    for name, score in scores.items():
        _check_score(score, f"{folder}/score/{name}.json")
    hypotheses = _present(
        (name, reader.table(f"transcribe/{name}.parquet", HYPOTHESIS_COLUMNS, name in needed)) for name in names
    )
    _check_challenger(verdict, set(scores) & set(hypotheses), f"{folder}/gate/verdict.json")

    languages = sorted(path.parent.name for path in folder.glob("split/*/certificate.json"))

    test = reader.table(f"split/{TARGET}/test.parquet", TEST_COLUMNS, True)
    assert test is not None
    train = reader.table(f"split/{TARGET}/train.parquet", ["text"], False)
    return Inputs(
        folder=folder,
        trained=tuple(trained),
        baseline=baseline,
        scores=scores,
        verdict=verdict,
        curves=_present((name, reader.curve(f"train/{name}/history.csv", name, name in needed)) for name in trained),
        models=_present(
            [
                *((name, reader.json(f"train/{name}/vizinho.json", name in needed)) for name in trained),
                ("donor", reader.json("donor/vizinho.json", False)),
            ]
        ),
        donor_curve=reader.curve("donor/history.csv", "donor", False),
        hypotheses=hypotheses,
        transcriptions=_present((name, reader.json(f"transcribe/{name}.json", False)) for name in names),
        test=test,
        training_words=None if train is None else frozenset(word for text in train["text"] for word in text.split()),
        corpora=_read_corpora(reader),
        certificates=_present((name, reader.json(f"split/{name}/certificate.json", True)) for name in languages),
        ranking=reader.json("rank/ranking.json", False),
        hashes={str(path.relative_to(folder)): hash_file(path) for path in sorted(reader.read)},
    )


def _read_corpora(reader: _Reader) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the reports of ingest and normalise by (language, corpus), the target language first."""
    corpora: dict[tuple[str, str], dict[str, Any]] = {}
    for stage in ("ingest", "normalise"):
        for path in sorted(reader.folder.glob(f"{stage}/*/*/report.json")):
            language, corpus = path.parts[-3:-1]
            corpora.setdefault((language, corpus), {})[stage] = reader.json(
                f"{stage}/{language}/{corpus}/report.json", True
            )
    return dict(sorted(corpora.items(), key=lambda pair: (pair[0][0] != TARGET, pair[0])))


def system_names(root: Path | str) -> list[str]:
    """Return the names of the systems of a checkout: those of `train.systems` in params.yaml, then champion and donor.

    Raises:
        MissingInputError: there is no params.yaml.
        ParamsError: it names no system.
    """
    file = Path(root) / "params.yaml"
    train = read_params(file).get("train")
    systems = train.get("systems") if isinstance(train, dict) else None
    if not isinstance(systems, dict) or not systems:
        raise ParamsError(file.name, [f"train.systems: found {systems!r}; expected at least one system"])
    return [*map(str, systems), "champion", "donor"]


def _check_score(score: Mapping[str, Any], where: str) -> None:
    for key in ("test_set", "normaliser"):
        need(score, key, where)
    for key in ("wer", "cer", "wer_served", "cer_served"):
        interval(need(score, key, where), f"{where}: {key}")


def _check_verdict(verdict: Mapping[str, Any], where: str) -> None:
    for key in ("verdict", "rules", "comparisons", "comparisons_greedy", "challenger"):
        need(verdict, key, where)
    if verdict["verdict"] not in ("promote", "reject", "inconclusive"):
        raise DataError(
            where, f"verdict {verdict['verdict']!r}", "promote, reject or inconclusive", "run the gate again"
        )
    need(verdict["challenger"], "system", where)
    for rule in verdict["rules"]:
        for key in ("name", "enabled", "value", "low", "high", "limit", "passed", "reason"):
            need(rule, key, where)


def _check_challenger(verdict: Mapping[str, Any], systems: set[str], where: str) -> None:
    if verdict["challenger"]["system"] not in systems:
        raise DataError(
            where,
            f"challenger {verdict['challenger']['system']!r} has no score or hypotheses",
            ", ".join(sorted(systems)),
            "transcribe and score it",
        )


def _present(pairs: Iterable[tuple[str, T | None]]) -> dict[str, T]:
    return {name: value for name, value in pairs if value is not None}


def need(value: Mapping[str, Any], key: str, where: str) -> Any:
    """Return `value[key]`.

    Args:
        value: an object of a file.
        key: a required key.
        where: the file, for the error message.

    Raises:
        DataError: the key is missing.
    """
    if key not in value:
        raise DataError(where, f"no {key!r}; found {', '.join(map(str, value)) or 'nothing'}", f"{key!r}", RERUN)
    return value[key]


def interval(value: Any, where: str) -> Interval:
    """Return a rate given as `{value, low, high}`.

    Raises:
        DataError: a part is missing or is not a finite number.
    """
    parts = [need(value, key, where) for key in ("value", "low", "high")] if isinstance(value, Mapping) else [value]
    if len(parts) != 3 or not all(isinstance(part, (int, float)) and math.isfinite(part) for part in parts):
        raise DataError(where, f"found {value!r}", "value, low and high as finite numbers", RERUN)
    return Interval(*(float(part) for part in parts))


def point(value: Any, where: str) -> float | None:
    """Return the value of a rate given as `{value, …}` or as a number; None if it was not measured.

    Raises:
        DataError: the value is not a finite number.
    """
    if isinstance(value, Mapping):
        value = need(value, "value", where)
    if value is None:
        return None
    if not isinstance(value, (int, float)) or not math.isfinite(value):
        raise DataError(where, f"found {value!r}", "a finite number or null", RERUN)
    return float(value)


def outcome(rule: Mapping[str, Any]) -> Outcome:
    """Return the outcome of a rule in `gate/verdict.json`."""
    if not rule["enabled"]:
        return "disabled"
    return "undecided" if rule["passed"] is None else "pass" if rule["passed"] else "fail"


def read_flac(inputs: Inputs, utterance_id: str) -> bytes:
    """Return the audio of a test utterance as FLAC, from the shard that ingest wrote.

    Raises:
        MissingInputError: the shard is missing.
        DataError: the test split or the shard has no such row, or the row has no FLAC.
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
    try:
        audio = _audio_in_row(path, int(row))
    except (OSError, KeyError, pa.ArrowException) as error:
        raise DataError(str(path), f"unreadable ({error})", "a Parquet shard", "run ingest again") from None
    if audio is None:
        raise DataError(str(path), f"no row {row}", utterance_id, "run split again")
    if not audio.startswith(b"fLaC"):
        raise DataError(utterance_id, f"{path} row {row} has no FLAC", "FLAC bytes", "run ingest again")
    return audio


def _audio_in_row(path: Path, row: int) -> bytes | None:
    """Return the audio bytes in a row of a shard, reading one row group; None if the shard has fewer rows."""
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            rows = file.metadata.row_group(group).num_rows
            if row < rows:
                audio = file.read_row_group(group, columns=["audio.bytes"]).column("audio")[row].as_py()["bytes"]
                return bytes(audio or b"")
            row -= rows
    return None
