"""Any dataset that Hugging Face's `datasets` loads: saved to disk, a folder of Parquet, Arrow, CSV or audio files, or a commit on the hub.

    dataset_dict.json, or state.json     as `save_to_disk` writes it
    *.parquet, metadata.csv, ...         a folder as `load_dataset` reads it, including configurations in its README.md

`datasets` finds the splits and columns in the stage's own process. The workers read audio row by row from its Arrow files and
decode it like that of any other corpus. No code of a dataset runs, and only `hub.download: true` allows the network.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, Literal, cast, get_args

import pyarrow as pa
import yaml
from pydantic import Field

from pipeline.core.errors import DataError, MissingInputError
from pipeline.core.files import hash_json, state_dir
from pipeline.core.params import Section
from pipeline.core.progress import log
from pipeline.corpora import Cell, Reject, Release, Utterance
from pipeline.corpora.release import (
    GENDERS,
    SPLITS,
    ListedReader,
    Listing,
    Recordings,
    parse_number,
    path_inside,
    raise_problems,
    read_text,
    repeated_ids,
    shown,
)
from pipeline.sources.hub import fetch_once, first_line

Column = Literal["audio", "text", "id", "speaker", "locale", "accent", "gender", "age", "licence", "split", "duration"]
ALIASES: Final[dict[str, tuple[str, ...]]] = {
    "text": ("transcript", "transcription", "sentence"),
    "id": ("utterance_id",),  # a column `id` is one of sentences as often as of recordings
    "speaker": ("client_id", "speaker_id"),
    "accent": ("accents",),
    "licence": ("license",),
    "split": ("release_split",),
    "duration": ("duration_s", "duration_ms"),  # a column `duration` may be in milliseconds
}
NOT_ITSELF: Final = ("id", "split", "duration")
ROWS: Final = 10_000  # described at a time
JSON: Final = (".json", ".jsonl", ".ndjson")
MAX_DEPTH: Final = 500  # of a value; Python's own parser ends at a thousand, with an error


class Hub(Section):
    """A dataset on a hub; `source` is the folder that it is downloaded to."""

    repository: str = Field(pattern=r"^[\w.-]+/[\w.-]+$", description="OWNER/NAME")
    revision: str = Field(pattern="^[0-9a-f]{40}$", description="a commit: a branch changes over time")
    files: tuple[str, ...] = Field((), description="patterns of the files to fetch, such as pt/*; by default all but code")
    download: bool = Field(False, description="download it if the folder is empty; otherwise nothing uses the network")


class Params(Release):
    """`ingest.CORPUS` with `reader: datasets`."""

    reader: Literal["datasets"]
    hub: Hub | None = Field(None, description="where to download the dataset from; by default the folder has it")
    config: str = Field("", description="which configuration, if the dataset has several")
    data_files: str | None = Field(None, pattern=r"^[^/~.:][^/:]*(/[^/~.:][^/:]*)*$",
                                   description="which files, such as shard-*.parquet, if the folder has others; they are one split")
    splits: tuple[str, ...] = Field((), description="such as train, validation; by default all")
    columns: dict[Column, str] = Field({}, description="field: its column, where the name differs")
    where: dict[str, str] = Field({}, description="column: value; only rows with all of them are read")
    locale: str = Field("", description="of rows without one")
    licence: str = Field("", description="of rows without one; SPDX where it exists")


# ---- Finding the dataset --------------------------------------------------------------------------------------------


def fetch(hub: Hub, folder: Path) -> None:
    """Download a commit's files to `folder`, unless it has them already; an interrupted download is resumed.

    Raises:
        DataError: the folder has another commit or files of unknown origin, or the hub does not answer.
        MissingInputError: files are missing, and `hub.download` is false.
    """
    def download() -> None:
        import huggingface_hub

        log(f"ingest: fetching {hub.repository} at {hub.revision[:12]}")
        huggingface_hub.snapshot_download(hub.repository, repo_type="dataset", revision=hub.revision, local_dir=folder,
                                          allow_patterns=list(hub.files) or None, ignore_patterns=["*.py"],
                                          endpoint=os.environ.get("HF_ENDPOINT"))

    wanted = {"repository": hub.repository, "revision": hub.revision, "files": list(hub.files)}
    fetch_once(folder, wanted, "dataset", "ingest.CORPUS.hub", hub.download, download)


def load(params: Params, source: Path) -> dict[str, Any]:
    """Return the splits that the params select, by name; a dataset without splits is one split named "".

    Raises:
        MissingInputError: the source is missing.
        DataError: `datasets` cannot load it, or it lacks a split.
    """
    if not source.is_dir():
        raise MissingInputError(str(source), "no such folder", "a dataset",
                                "set ingest.CORPUS.source, or create the folder for ingest.CORPUS.hub to fill")
    _refuse_outside_files(source)
    _refuse_deep_json(source)
    import datasets

    at = _literal(params, source)

    if not sys.stderr.isatty():
        datasets.disable_progress_bars()
    try:
        if any((source / name).is_file() for name in ("dataset_dict.json", "state.json")):
            loaded = datasets.load_from_disk(str(at))
        else:
            with _undecoded_audio(datasets.Audio):
                loaded = datasets.load_dataset(str(at), params.config or None, data_files=params.data_files,
                                               cache_dir=str(_cache(params, source)),
                                               download_config=datasets.DownloadConfig(local_files_only=True))
    except Exception as error:  # a loader of any kind of file raises any kind of error
        raise DataError(str(source), f"`datasets` cannot load it ({first_line(error)})",
                        "a dataset saved to disk, or a folder that load_dataset reads",
                        "see ingest.CORPUS.config and data_files; of a dataset that needs code, take its Parquet form "
                        "(a commit of refs/convert/parquet)") from None
    splits = {str(name): part for name, part in loaded.items()} if isinstance(loaded, dict) else {"": loaded}
    if missing := [name for name in params.splits if name not in splits]:
        raise DataError(str(source), f"no split {', '.join(missing)}", f"some of {', '.join(filter(None, splits)) or 'none'}",
                        "see ingest.CORPUS.splits")
    return {name: part for name, part in splits.items() if not params.splits or name in params.splits}


def _refuse_outside_files(source: Path) -> None:
    """Check that the configurations of a folder name only files in it: `datasets` would fetch others, offline or not.

    Raises:
        DataError: a configuration names a file elsewhere, or cannot be read.
    """
    for card, form in ((source / "README.md", r"\A\s*---\s*\n(.*?)\n---"), (source / ".huggingface.yaml", r"(.*)")):
        match = re.search(form, read_text(card, "the dataset's card", "latin-1"), re.DOTALL) if card.is_file() else None
        try:
            configs = (yaml.safe_load(match[1]) or {}).get("configs") if match else None
        except (yaml.YAMLError, AttributeError, RecursionError) as error:
            raise DataError(str(card), f"its header is not a YAML mapping ({first_line(error)})", "what `datasets` reads",
                            "fix or remove it") from None
        if elsewhere := [name for name in _strings(configs) if "://" in name or name.startswith(("/", "~")) or ".." in name.split("/")]:
            raise DataError(str(card), f"it names {elsewhere[0]}", "files of the dataset alone", "fix or remove it")


def _refuse_deep_json(source: Path) -> None:
    """Check that JSON files are not nested without end: Arrow's parser would end the process.

    Raises:
        DataError: one is.
    """
    for path in sorted(source.rglob("*")):
        if path.suffix.lower() in JSON and path.is_file() and _most_brackets(path) > MAX_DEPTH:
            content = path.read_bytes()
            for part in (content, *content.splitlines()):
                try:
                    json.loads(part)
                except ValueError:
                    continue  # JSON lines, or text that `datasets` reports
                except RecursionError:
                    raise DataError(str(path), f"values within more than {MAX_DEPTH} others", "rows as `datasets` writes them",
                                    "remove or replace it") from None


def _most_brackets(path: Path) -> int:
    """Return the most brackets that are open at the end of a line and after it: the depth of a value is not more."""
    most = depth = 0
    with open(path, "rb") as file:
        for line in file:
            opened = line.count(b"[") + line.count(b"{")
            most = max(most, depth + opened)
            depth = max(0, depth + opened - line.count(b"]") - line.count(b"}"))
    return most


def _strings(value: Any) -> Iterator[str]:
    """Yield every string in a YAML value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _strings(part)


@contextmanager
def _undecoded_audio(feature: Any) -> Iterator[None]:
    """Let `datasets` list audio files without torchcodec, which it needs (5.2) even where it encodes nothing."""
    original = feature.encode_example
    feature.encode_example = lambda _, value: {name: value.get(name) for name in ("bytes", "path")} if isinstance(value, dict) else \
        {"bytes": value, "path": None} if isinstance(value, bytes) else {"bytes": None, "path": str(value)}
    try:
        yield
    finally:
        feature.encode_example = original


def _cache(params: Params, source: Path) -> Path:
    """Return the folder for the Arrow files that `datasets` makes of other formats, until the corpus is ingested."""
    rows = params.model_dump(mode="json", include={"hub", "config", "data_files", "splits", "columns", "where"})
    return state_dir() / "datasets" / hash_json([rows, str(source.resolve())])[:16]


def _literal(params: Params, source: Path) -> Path:
    """Return a path of the source that `datasets` takes literally: a folder of links to its files if its path has brackets or is not UTF-8.

    `datasets` reads such a path as a pattern, or as an address, and may find another folder.
    """
    path, links = source.resolve(), _cache(params, source) / "source"
    if not (set("[]*?:") & set(str(path)) or shown(str(path)) != str(path)):
        return path
    shutil.rmtree(links, ignore_errors=True)
    for folder, _, names in os.walk(path):
        within = links / os.path.relpath(folder, path)
        within.mkdir(parents=True)
        for name in names:
            (within / name).symlink_to(os.path.join(folder, name))
    return links


def _links(params: Params, source: Path) -> str:
    """Return the end of the path of the links that `_literal` may make: a worker's state folder may be at another path."""
    return f"{os.sep}{_cache(params, source).name}{os.sep}source{os.sep}"


# ---- Its rows -------------------------------------------------------------------------------------------------------


def utterances(params: Params, source: Path) -> Sequence[Utterance | Reject]:
    """Return the rows that the params select, in the dataset's order, without their audio.

    Recordings in the folder that no row names are counted in the log.

    Raises:
        MissingInputError: the source or its dataset is missing.
        DataError: it cannot be loaded or lacks a column, or rows are wrong; lists up to 20 problems.
    """
    if params.hub is not None:
        fetch(params.hub, source)
    splits = load(params, source)
    recordings = Recordings(source)
    found = Listing(params.utterances_per_shard)
    problems: list[str] = []
    for name, split in splits.items():
        columns = _columns(params, split.features, f"split {name}: " if name else "", problems)
        if not problems:
            official = SPLITS.get(name, "") if len(splits) > 1 else ""  # a dataset of one split names it train, whatever it is
            found += _rows(params, name, official, split, columns, problems)
            recordings.mark(_paths(split, columns["audio"], source, _links(params, source)))
    problems += [f"id {name} occurs more than once; leave ingest.CORPUS.columns.id out to number the rows"
                 for name in repeated_ids(found)] if not problems else []
    raise_problems(source, problems)
    if not found:
        raise DataError(str(source), f"none of {sum(map(len, splits.values()))} rows has {params.where}", "some that do", "see ingest.CORPUS.where")
    recordings.log_unnamed(params.source, "the dataset")
    return found


def _columns(params: Params, features: Mapping[str, Any], where: str, problems: list[str]) -> dict[str, str]:
    """Return the column of each field that the split has."""
    columns = {str(field): name for field, name in params.columns.items()}
    for field in get_args(Column):
        for name in (*((field,) if field not in NOT_ITSELF else ()), *ALIASES.get(field, ())):
            if name in features:
                columns.setdefault(field, name)
    audio_columns = [name for name, feature in features.items() if type(feature).__name__ == "Audio"]
    if "audio" not in columns and len(audio_columns) == 1:
        columns["audio"] = audio_columns[0]
    found = ", ".join(features)
    problems += [f"{where}no column {name!r}; found {found}" for name in (*params.columns.values(), *params.where) if name not in features]
    problems += [f"{where}no column for {field}; found {found}; name it in ingest.CORPUS.columns"
                 for field in ("audio", "text") if field not in columns]
    return columns


def _rows(params: Params, name: str, official: str, split: Any, columns: Mapping[str, str], problems: list[str]) -> Iterator[Utterance | Reject]:
    """Yield the utterances of one split; errors of a row are added to `problems`."""
    read = dict.fromkeys(column for column in (*(columns[field] for field in columns if field != "audio"), *params.where))
    table = split.select_columns(list(read)).with_format(None)
    cells = _cells(split, columns["audio"])
    for start in range(0, len(table), ROWS):
        part = {column: _as_text(table.features[column], values) for column, values in _values(table, start).items()}
        for offset in range(min(ROWS, len(table) - start)):
            row = start + offset
            cell = next(cells)
            if any(part[column][offset] != value for column, value in params.where.items()):
                continue
            value = {field: part[column][offset] for field, column in columns.items() if field != "audio"}
            here = f"{name}/{row}" if name else f"{row}"
            declared = value.get("split", "").lower()
            if declared not in SPLITS:
                problems.append(f"row {here}: split {declared!r}; expected one of {', '.join(filter(None, SPLITS))}")
            locale, licence = value.get("locale") or params.locale, value.get("licence") or params.licence
            problems += [f"row {here}: no {field}; give the dataset a column, or set ingest.CORPUS.{field}"
                         for field, given in (("locale", locale), ("licence", licence)) if not given]
            duration_s = parse_number(value["duration"]) if value.get("duration") else None
            if duration_s is not None and columns["duration"].endswith(("_ms", "[ms]")):
                duration_s /= 1_000
            yield Utterance(
                id=value.get("id") or (f"{name}-{row:08d}" if name else f"{row:08d}"), source=here, audio=cell, transcript=value["text"],
                locale=locale, licence=licence, speaker=value.get("speaker", ""), accent=value.get("accent", ""),
                gender=GENDERS.get(value.get("gender", "").lower(), "other"), age=value.get("age", ""),
                release_split=SPLITS.get(declared, "") if "split" in columns else official, duration_s=duration_s)


def _values(table: Any, start: int) -> dict[str, Sequence[Any]]:
    """Return the columns of `ROWS` rows; bytes of text that are not UTF-8 are surrogates (PEP 383)."""
    try:
        return cast(dict[str, Sequence[Any]], table[start : start + ROWS])
    except UnicodeDecodeError:
        part = table.data.table.slice(start, ROWS)
        text = {pa.string(): pa.binary(), pa.large_string(): pa.large_binary()}
        columns = {name: part[name].cast(text.get(part[name].type, part[name].type)).to_pylist() for name in part.column_names}
        return {name: [value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value for value in values]
                for name, values in columns.items()}


def _as_text(feature: Any, values: Sequence[Any]) -> list[str]:
    """Return a column's values as text: classes by their names, None and what stands for a missing class (-1, -100) as ""."""
    if hasattr(feature, "int2str"):
        return ["" if value is None or not 0 <= value < feature.num_classes else feature.int2str(value) for value in values]
    return ["" if value is None else str(value) for value in values]


# ---- Its audio ------------------------------------------------------------------------------------------------------


def _cells(split: Any, column: str) -> Iterator[Cell]:
    """Yield the location of each row's audio.

    Raises:
        DataError: the rows are not in the order of the Arrow files, or not in files.
    """
    files = [Path(file["filename"]) for file in split.cache_files]
    if sum(_table(file).num_rows for file in files) != len(split):
        raise DataError(str(files[0].parent) if files else "the dataset", "rows in another order than its files, or not in files",
                        "rows in the order of its files", "load it with `datasets`, call flatten_indices and save it again")
    yield from (Cell(file, column, row) for file in files for row in range(_table(file).num_rows))


def _paths(split: Any, column: str, source: Path, links: str) -> Iterator[str]:
    """Yield the paths in the source of a split's audio; rows that have the audio itself have none."""
    for file in split.cache_files:
        for chunk in _table(Path(file["filename"]))[column].chunks:
            paths = chunk.field("path") if pa.types.is_struct(chunk.type) else chunk
            if pa.types.is_string(paths.type) or pa.types.is_large_string(paths.type):
                for value in paths.cast(pa.large_binary()):
                    if value.is_valid:
                        yield path_inside(source, os.fsdecode(value.as_py()).rpartition(links)[2])


@lru_cache(maxsize=4)
def _table(file: Path) -> pa.Table:
    """Return an Arrow file's rows, mapped into memory: only the rows in use are read."""
    return pa.ipc.open_stream(pa.memory_map(str(file))).read_all()


def with_audio(source: Path, row: Utterance, links: str) -> Utterance | Reject:
    """Return an utterance with its audio: the content of an audio file, or a path in the source.

    Args:
        source: the dataset.
        row: an utterance of it.
        links: as `_links` returns it.
    """
    cell = row.audio
    assert isinstance(cell, Cell)
    try:
        value = _table(cell.file)[cell.column][cell.row].as_py()
    except UnicodeDecodeError:
        return Reject(row.id, row.source, "not UTF-8", "the path of its audio")
    content, path = (value.get("bytes"), value.get("path") or "") if isinstance(value, dict) else \
        (value, "") if isinstance(value, bytes) else (None, value or "")
    if content:
        return replace(row, source=f"{row.source}/{os.path.basename(path)}" if path else row.source, audio=content)
    if not path:
        return Reject(row.id, row.source, "unreadable", "no audio in the row")
    within = path_inside(source, path.rpartition(links)[2])
    if not within:
        return Reject(row.id, row.source, "unreadable", f"{path} is outside of the source")
    return replace(row, source=within, audio=source / within)


@dataclass(frozen=True, slots=True)
class Dataset(ListedReader):
    """The reader: lists rows first, and loads the audio of each in the worker that decodes it."""

    def read(self, params: Release, source: Path, task: Iterable[Utterance | Reject]) -> Iterator[Utterance | Reject]:
        """Yield the utterances and rejects of one shard."""
        links = _links(cast(Params, params), source)
        for row in task:
            yield row if isinstance(row, Reject) else with_audio(source, row, links)

    def versions(self) -> dict[str, str]:
        """Return the version of `datasets`, which determines a folder's rows."""
        return {"datasets": version("datasets")}

    def clean(self, params: Any, source: Path) -> None:
        """Remove the Arrow files of this corpus from the state folder."""
        shutil.rmtree(_cache(params, source), ignore_errors=True)


READER: Final = Dataset(Params, utterances)
