"""Ingest a corpus: one format for audio and metadata, whatever the release looks like.

Reads:  `ingest.CORPUS.source`: a corpus release, as a folder or an archive (`sources.archives`), in the checkout or at an address
        (`sources.remote`), or the lexicon that the synthetic speaker makes sentences from.
Writes: `data/ingest/LANGUAGE/CORPUS/`: `shard-NNNNN.parquet` (`core.manifest.SHARD`), `rejects.parquet`
        (`core.manifest.REJECT`) and `report.json` (counts by reason, hours, versions).
Params: `ingest.CORPUS`, whose `reader` names the module in `pipeline/corpora/` that reads the release's format and defines
        its other params.

A fresh process makes each shard, and a shard is complete or absent. Until the last one is complete they are in the state folder
(`VIZINHO_STATE`), under a hash of params, source and code: after a kill, only the shards in progress are made again.
"""

from __future__ import annotations

import gc
import importlib.metadata
import json
import multiprocessing
import multiprocessing.util
import os
import shutil
import socket
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from itertools import islice
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Final, Literal, TypeVar, cast

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import soundfile
from pydantic import ConfigDict

from pipeline import corpora
from pipeline.audio.codecs import Headerless, duration_from_header, encode_flac, read_audio
from pipeline.audio.fingerprint import fingerprint
from pipeline.audio.measures import clipped_share, measure, trim_silence
from pipeline.audio.quiet import quiet_libraries
from pipeline.audio.resample import resample
from pipeline.audio.samples import FULL_SCALE, Samples, to_int16
from pipeline.core.closure import code_hash
from pipeline.core.errors import DataError, PipelineError
from pipeline.core.files import (
    ROOT,
    atomic,
    atomic_folder,
    hash_bytes,
    hash_json,
    read_json,
    state_dir,
    write_json,
    write_table,
    write_text,
)
from pipeline.core.manifest import DESCRIPTION, REJECT, SAMPLE_RATE_HZ, SHARD, conform, counts
from pipeline.core.params import Section, load_section
from pipeline.core.processors import usable_processors
from pipeline.core.progress import bar, log, stage_line
from pipeline.core.stage import stage_main
from pipeline.corpora.release import repeated_values, storable
from pipeline.sources.archives import unpacked
from pipeline.sources.cluster import on_ray
from pipeline.sources.remote import fetched, is_address

T = TypeVar("T")

ROW_GROUP: Final = 16  # utterances decoded and written together: bounds memory, and what a reader of one row must load
SILENT: Final = 64  # peak to peak, in steps of 16 bits (-60 dB): a muted microphone; whispering is above -50 dB
PRELOADED: Final = ("pandas", "pyarrow.parquet", "pyarrow.pandas_compat", "pipeline.audio.codecs", "pipeline.core.params", "pipeline.core.progress")
LONGEST_TMPDIR: Final = 70  # bytes: the path of a socket in it has at most 107
RECORDED: Final = ("utterance_id", "audio_hash", "source", "speaker", "locale", "gender", "duration_s")
"""What the stage's own process needs of each utterance: it reads them ten times faster from a record than from a shard."""


@dataclass(frozen=True, slots=True)
class Job:
    """What a worker needs to write one shard."""

    corpus: str
    params: corpora.Release
    source: Path
    task: Any
    shard: Path

    @property
    def record(self) -> Path:
        """The record written after the shard: `RECORDED` of its utterances, and its rejects."""
        return self.shard.with_suffix(".json")


def examine(found: corpora.Utterance, params: corpora.Release) -> Samples | tuple[str, str]:
    """Return the utterance's 16 kHz samples, or the reason and detail of its rejection.

    Args:
        found: an utterance as its reader yields it.
        params: limits of the corpus.
    """
    if not found.transcript.strip():
        return "empty transcript", ""
    try:
        waveform_S, rate_hz = found.audio if isinstance(found.audio, tuple) else read_audio(
            sound_file(found), params.max_duration_s, found.start_s, found.end_s, 0 if params.channel == "mix" else params.channel,
            headerless(found, params))
    except soundfile.LibsndfileError as error:
        return "unreadable", error.error_string
    except OSError as error:
        return "unreadable", error.strerror or str(error)
    if not len(waveform_S):
        return "empty", f"no samples after {found.start_s:.2f} s" if found.start_s else "no samples"
    if not np.isfinite(waveform_S).all():
        return "unreadable", "non-finite samples"
    if len(waveform_S) > params.max_duration_s * rate_hz:
        return "too long", f"over {params.max_duration_s:g} s"
    if found.duration_s is not None and abs(len(waveform_S) / rate_hz - found.duration_s) > params.duration_tolerance_s:
        return "wrong duration", f"{len(waveform_S) / rate_hz:.2f} s; {found.duration_s:.2f} s according to the release"
    if len(waveform_S) < params.min_duration_s * rate_hz:
        return "too short", f"{len(waveform_S) / rate_hz:.2f} s"
    samples_S = to_int16(resample(waveform_S, rate_hz))
    if (span := int(samples_S.max()) - int(samples_S.min())) < SILENT:
        return "silent", f"all samples within {span} steps of {FULL_SCALE}"
    if params.trim_silence_s is not None:
        samples_S = trim_silence(samples_S, params.trim_silence_s)
        if len(samples_S) < params.min_duration_s * SAMPLE_RATE_HZ:
            return "too short", f"{len(samples_S) / SAMPLE_RATE_HZ:.2f} s without the silence at its ends"
    if (clipped := clipped_share(samples_S)) > params.max_clipped:
        return "clipped", f"{clipped:.1%} of samples at full scale"
    return samples_S


def sound_file(found: corpora.Utterance) -> Path | bytes:
    """Return an utterance's sound file: its path, or its content."""
    assert isinstance(found.audio, Path | bytes), "a reader's `read` yields no cells"
    return found.audio


def headerless(found: corpora.Utterance, params: corpora.Release) -> Headerless | None:
    """Return the declared coding of a file without a header, None where the params declare none for its ending."""
    declared = params.headerless
    name = found.audio if isinstance(found.audio, Path) else Path(found.source)
    if declared is None or name.suffix.lower() not in declared.endings:
        return None
    return Headerless(declared.rate_hz, declared.coding, declared.channels)


def describe(corpus: str, params: corpora.Release, found: corpora.Utterance, samples_S: Samples) -> dict[str, Any]:
    """Return the utterance's row of `core.manifest.SHARD`.

    Args:
        corpus: prefix of ids and speakers.
        params: of the corpus.
        found: the utterance as its reader yields it.
        samples_S: 16 kHz, 16 bit.
    """
    return {
        "utterance_id": f"{corpus}/{found.id}", "corpus": corpus, "language": params.language,
        "speaker": f"{corpus}/{found.speaker}" if found.speaker else "",
        **{name: getattr(found, name) for name in ("locale", "accent", "gender", "age", "licence", "source", "release_split")},
        "transcript": found.transcript,
        **asdict(measure(samples_S)),
        "audio_hash": hash_bytes(samples_S.astype("<i2", copy=False).data),
        "fingerprint": fingerprint(samples_S),
        "audio": {"bytes": encode_flac(samples_S), "path": f"{found.id}.flac"},
    }


def rows(job: Job) -> Iterator[dict[str, Any] | corpora.Reject]:
    """Yield the shard's rows and rejects in the reader's order."""
    reader = corpora.reader(job.params.reader)
    for found in reader.read(job.params, job.source, job.task):
        if isinstance(found, corpora.Reject):
            yield found
            continue
        samples_S = examine(found, job.params)
        if isinstance(samples_S, tuple):
            yield storable(corpora.Reject(found.id, found.source, *samples_S))  # type: ignore[misc]
        else:
            yield describe(job.corpus, job.params, found, samples_S)


def write_shard(job: Job, parent: Connection) -> None:
    """Write one shard and then its record; send `parent` progress (a count) or an error (four strings)."""
    rejects: list[dict[str, Any]] = []
    recorded: dict[str, list[Any]] = {name: [] for name in RECORDED}
    collect_garbage_rarely()
    try:
        with quiet_libraries(), atomic(job.shard) as temporary, shard_writer(temporary) as writer:
            for group in batched(rows(job), ROW_GROUP):
                taken = [row for row in group if not isinstance(row, corpora.Reject)]
                rejects += [asdict(row) for row in group if isinstance(row, corpora.Reject)]
                writer.write_table(pa.Table.from_pylist(taken, schema=SHARD))
                for name, values in recorded.items():
                    values.extend(row[name] for row in taken)
                parent.send(len(group))
        write_text(job.record, json.dumps({**recorded, "rejects": rejects}, ensure_ascii=False))  # not indented: ten times faster
    except BrokenPipeError:
        pass  # the stage was killed: no process waits for this shard
    except PipelineError as error:
        parent.send((error.where, error.found, error.expected, error.action))
    except Exception:  # noqa: BLE001 (handed to the parent, which fails with it)
        parent.send((f"ingest@{job.corpus}, {job.shard.name}", traceback.format_exc(), "", ""))


def collect_garbage_rarely() -> None:
    """Collect garbage rarely: a worker's rows hold no cycles, and its imports live as long as it does.

    Frequent collections took a fifteenth of a worker's time.
    """
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)


def batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield the items in lists of `size`; the last may be shorter."""
    iterator = iter(items)
    while group := list(islice(iterator, size)):
        yield group


def shard_writer(path: Path) -> pq.ParquetWriter:
    """Return a writer of `core.manifest.SHARD`: text is compressed, audio (FLAC already) is not."""
    text = list(DESCRIPTION)
    return pq.ParquetWriter(path, SHARD, compression={**dict.fromkeys(text, "zstd"), "audio.bytes": "none", "audio.path": "zstd"},
                            use_dictionary=text, write_statistics=text)


def run_jobs(jobs: Sequence[Job], workers: int, done: Callable[[int], object]) -> None:
    """Make all shards, each in a fresh process.

    Args:
        jobs: one per shard.
        workers: processes at a time.
        done: called with the number of utterances of each finished row group.

    Raises:
        DataError: a shard cannot be made, or its process died; the others are stopped.
    """
    keep_sockets_short()
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*PRELOADED, *corpora.READERS.values()])
    waiting = list(reversed(jobs))
    running: dict[Connection, tuple[Job, BaseProcess]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                job = waiting.pop()
                mine, theirs = context.Pipe(duplex=False)
                process: BaseProcess = context.Process(target=write_shard, args=(job, theirs), daemon=True)
                process.start()
                theirs.close()
                running[mine] = job, process
            for connection in cast(list[Connection], wait(running)):
                job, process = running[connection]
                try:
                    message = connection.recv()
                except EOFError:
                    process.join()
                    del running[connection]
                    if not job.record.exists():
                        raise DataError(f"ingest@{job.corpus}, {job.shard.name}", f"its process died (exit {process.exitcode})",
                                        action="check whether memory or disk is full, and run the stage again") from None
                    continue
                if not isinstance(message, int):
                    raise DataError(*message)
                done(message)
    finally:
        for _, process in running.values():
            process.terminate()
            process.join()


def keep_sockets_short() -> None:
    """Let the sockets of this process's children be in /tmp if the path of the temporary folder is too long for them.

    Raises:
        PipelineError: /tmp cannot be written.
    """
    if len(os.fsencode(tempfile.gettempdir())) <= LONGEST_TMPDIR:
        return
    before, tempfile.tempdir = tempfile.tempdir, "/tmp"
    try:
        multiprocessing.util.get_temp_dir()  # kept for the life of this process
    except OSError as error:
        raise PipelineError("TMPDIR", f"{before}, and /tmp cannot be written ({error.strerror})", f"at most {LONGEST_TMPDIR} bytes",
                            "set TMPDIR to a short path") from None
    finally:
        tempfile.tempdir = before


def run_on_ray(jobs: Sequence[Job], workers: int, done: Callable[[int], object]) -> None:
    """Make the same shards as `run_jobs`, on the machines of a Ray cluster.

    Raises:
        DataError: as `run_jobs`, or a machine has no access to the state folder or the source.
        MissingInputError: Ray is not installed, or no cluster answers.
    """
    for count, problem in on_ray(make_shard_on_node, jobs, workers):
        if problem:
            raise DataError(*problem)
        done(count)
    if missing := [job for job in jobs if not job.record.exists()]:
        raise DataError(f"ingest@{missing[0].corpus}", f"{len(missing)} of {len(jobs)} shards are not in {missing[0].shard.parent}",
                        "a state folder that all machines share", "set VIZINHO_STATE to a folder on a shared filesystem")


def make_shard_on_node(job: Job) -> tuple[int, tuple[str, str, str, str] | None]:
    """Make one shard in a fresh process of this machine; return the number of its utterances, and the error if there was one."""
    for folder in (job.shard.parent, job.source):
        if not folder.exists():
            return 0, (f"ingest@{job.corpus}, {job.shard.name}", f"{folder} is missing on {socket.gethostname()}",
                       "a filesystem that all machines of the cluster share",
                       "put the checkout with its data/raw, and VIZINHO_STATE, on one; or set engine: processes")
    counts: list[int] = []
    try:
        run_jobs([] if job.record.exists() else [job], 1, counts.append)
    except DataError as error:
        return 0, (error.where, error.found, error.expected, error.action)
    return sum(counts) or len(job.task), None


@dataclass(frozen=True, slots=True)
class Merged:
    """The shards' records merged into one corpus."""

    keep: dict[Path, list[bool]]    # for each shard, which of its rows are kept
    rejects: list[dict[str, str]]   # the shards' own in their order, then duplicates of other utterances' audio
    table: pd.DataFrame             # of the kept utterances: speaker, locale, gender, duration_s


def merge_records(corpus: str, jobs: Sequence[Job]) -> Merged:
    """Return kept and rejected utterances of all shards; of utterances with the same audio the first is kept.

    Each record is read twice.

    Raises:
        DataError: an utterance id occurs twice.
    """
    repeats = repeated_hashes(jobs, "utterance_id", "audio_hash")
    first_with: dict[str, str] = {}
    ids: Counter[str] = Counter()
    keep: dict[Path, list[bool]] = {}
    rejects: list[dict[str, str]] = []
    copies: list[dict[str, str]] = []
    parts: list[pa.Table] = []
    kinds = {"speaker": pa.string(), "locale": pa.string(), "gender": pa.string(), "duration_s": pa.float64()}
    for job in jobs:
        record = read_json(job.record)
        rejects += record["rejects"]
        kept = keep[job.shard] = [True] * len(record["utterance_id"])
        for row, (name, audio_hash, source) in enumerate(zip(record["utterance_id"], record["audio_hash"], record["source"], strict=True)):
            if hash(name) in repeats["utterance_id"]:
                ids[name] += 1
            if hash(audio_hash) in repeats["audio_hash"] and (first := first_with.setdefault(audio_hash, name)) != name:
                kept[row] = False
                copies.append({"id": name.removeprefix(f"{corpus}/"), "source": source, "reason": "duplicate audio",
                               "detail": f"the samples of {first}"})
        part = pa.table([pa.array(record[name], kind) for name, kind in kinds.items()], list(kinds))
        parts.append(part.filter(pa.array(kept, pa.bool_())))
    if twice := [name for name, count in ids.items() if count > 1]:
        raise DataError(f"ingest@{corpus}", f"{len(twice)} utterance ids occur more than once, such as {twice[0]}",
                        "one utterance per id")
    return Merged(keep, rejects + copies, pa.concat_tables(parts).to_pandas())


def repeated_hashes(jobs: Sequence[Job], *columns: str) -> dict[str, set[int]]:
    """Return, for each column, the hashes that occur more than once. 8 bytes per value: the values themselves need not stay in memory."""
    hashes: dict[str, list[Any]] = {column: [] for column in columns}
    for job in jobs:
        record = read_json(job.record)
        for column, found in hashes.items():
            found.append(np.array([hash(value) for value in record[column]], np.int64))
    return {column: repeated_values(np.concatenate(found)) for column, found in hashes.items()}


def publish(shard: Path, keep: Sequence[bool], target: Path) -> None:
    """Write a finished shard to `target`: by a link if all rows are kept, otherwise only the rows where `keep` is true."""
    if not all(keep):
        with pq.ParquetFile(shard) as reader, shard_writer(target) as writer:
            for group in range(reader.num_row_groups):
                table = reader.read_row_group(group)
                writer.write_table(table.filter(pa.array(keep[: len(table)], pa.bool_())))
                keep = keep[len(table) :]
        return
    try:
        os.link(shard, target)
    except OSError:  # the state folder is on another disk, or the disk has no hard links
        shutil.copyfile(shard, target)


def summary(corpus: str, found: Merged) -> dict[str, Any]:
    """Return the report's counts: utterances, speakers and hours in all, by locale and by gender, and rejects by reason."""
    table = found.table
    return {
        "corpus": corpus,
        **counts(table),
        "locales": {locale: counts(part) for locale, part in table.groupby("locale")},
        "genders": {gender or "unknown": counts(part) for gender, part in table.groupby("gender")},
        "rejected": len(found.rejects),
        "rejects": dict(Counter(reject["reason"] for reject in found.rejects).most_common()),
    }


def check_reject_share(report: Mapping[str, Any], rejects: Sequence[Mapping[str, str]], max_reject_share: float) -> None:
    """Check the share of rejects.

    Args:
        report: of `summary`.
        rejects: id, source, reason and detail of each.
        max_reject_share: 0..1.

    Raises:
        DataError: no utterance is left, or too large a share is rejected; lists reasons, counts and an example of each.
    """
    offered = report["utterances"] + report["rejected"]
    if report["utterances"] and report["rejected"] <= max_reject_share * offered:
        return
    reasons = ""
    for reason, count in report["rejects"].items():
        example = next(reject for reject in rejects if reject["reason"] == reason)
        detail = f": {example['detail']}" if example["detail"] else ""
        reasons += f"\n  {count:>7}  {reason} (such as {example['source']}{detail})"
    raise DataError(f"ingest@{report['corpus']}", f"{report['rejected']} of {offered} utterances rejected{reasons}\n ",
                    f"at most {max_reject_share:.0%}", "fix the source or the params, or raise max_reject_share")


def state_key(params: corpora.Release, source: Path, versions: Mapping[str, str]) -> str:
    """Return the hash of everything that a shard's bytes depend on: params, source, code and libraries."""
    found = [(path, path.lstat()) for path in sorted(source.rglob("*"))] if source.is_dir() else []
    return hash_json([
        params.model_dump(exclude={"max_reject_share", "engine"}), dict(versions),
        code_hash("pipeline.ingest"),
        [[str(path.relative_to(source)), stat.st_size, stat.st_mtime_ns] for path, stat in found],
    ])


def limit_hours(reader: corpora.Reader, params: corpora.Release, source: Path,
                tasks: Iterable[Iterable[corpora.Utterance | corpora.Reject]]) -> Sequence[Sequence[Any]]:
    """Return tasks that hold `limit_hours` of the release, drawn by hash: a smaller limit gives a subset of a larger one.

    Rejects and unreadable recordings are drawn like the rest and count 0 s.
    """
    rows = [row for task in tasks for row in task]
    left_s = 3600 * cast(float, params.limit_hours)
    drawn: set[str] = set()
    for row in sorted(rows, key=lambda row: hash_bytes(f"{params.limit_seed}\0{row.id}".encode())):
        if left_s <= 0:
            break
        drawn.add(row.id)
        if isinstance(row, corpora.Utterance):
            left_s -= header_duration_s(reader, params, source, row) if row.duration_s is None else row.duration_s
    return list(batched((row for row in rows if row.id in drawn), params.utterances_per_shard))


def header_duration_s(reader: corpora.Reader, params: corpora.Release, source: Path, row: corpora.Utterance) -> float:
    """Return the duration in the header of an utterance's sound file in seconds, 0 if the header cannot be read."""
    found = next(reader.read(params, source, [row]))
    return duration_from_header(sound_file(found), headerless(found, params)) if isinstance(found, corpora.Utterance) else 0.0


class ReaderName(Section):
    """The one param of a corpus that is needed before its reader can check the others."""

    model_config = ConfigDict(extra="ignore")
    reader: Literal[*corpora.READERS]  # type: ignore[valid-type]


def run(corpus: str, *, root: Path = ROOT, workers: int = 0) -> None:
    """Ingest one corpus.

    Args:
        corpus: its key under `ingest` in params.yaml.
        root: the checkout with params and data.
        workers: processes at a time, by default one per core; the result does not depend on it.

    Raises:
        ParamsError: wrong params; lists all problems.
        DataError: a source that cannot be read, or too many rejects.
    """
    file = root / "params.yaml"
    reader = corpora.reader(load_section(ReaderName, "ingest", corpus, path=file).reader)
    params = load_section(reader.Params, "ingest", corpus, path=file)
    with ExitStack() as stack:
        at = stack.enter_context(fetched(params.source, state_dir() / "fetched")) if is_address(params.source) else root / params.source
        source = stack.enter_context(unpacked(at, state_dir() / "archives"))
        ingest_corpus(corpus, reader, params, source, root / "data" / "ingest" / params.language / corpus, workers or usable_processors())


def ingest_corpus(corpus: str, reader: corpora.Reader, params: corpora.Release, source: Path, target: Path, workers: int) -> None:
    """Write the corpus that the reader finds in `source` to `target`: shards, rejects and report."""
    started = time.monotonic()
    versions = {**{name: importlib.metadata.version(name) for name in ("numpy", "scipy", "soundfile", "pyarrow")},
                "libsndfile": soundfile.__libsndfile_version__, **reader.versions()}
    tasks = reader.shards(params, source)
    if params.limit_hours is not None:
        with quiet_libraries():
            tasks = limit_hours(reader, params, source, tasks)  # type: ignore[arg-type]
    state = state_dir() / "ingest" / f"{corpus}-{state_key(params, source, versions)[:16]}"
    state.mkdir(parents=True, exist_ok=True)
    jobs = [Job(corpus, params, source, task, state / f"shard-{index:05d}.parquet") for index, task in enumerate(tasks)]

    finished = [job for job in jobs if job.record.exists()]
    if finished:
        log(f"ingest@{corpus}: {len(finished)} of {len(jobs)} shards kept from an interrupted run")
    with bar(sum(len(job.task) for job in jobs), "utterance", f"ingest@{corpus}") as progress:
        progress.update(sum(len(job.task) for job in finished))
        make = run_on_ray if params.engine == "ray" else run_jobs
        make([job for job in jobs if not job.record.exists()], workers, progress.update)

    found = merge_records(corpus, jobs)
    with atomic_folder(target) as folder:
        for job in jobs:
            publish(job.shard, found.keep[job.shard], folder / job.shard.name)
        report = {**summary(corpus, found), "synthetic": params.reader == "speak", "versions": versions}
        check_reject_share(report, found.rejects, params.max_reject_share)
        table = pd.DataFrame(found.rejects, columns=["id", "source", "reason", "detail"]).assign(corpus=corpus)
        table["utterance_id"] = f"{corpus}/" + table["id"]
        write_table(folder / "rejects.parquet", conform(table, REJECT, f"ingest@{corpus}"))
        write_json(folder / "report.json", report)
    shutil.rmtree(state)
    if hasattr(reader, "clean"):
        reader.clean(params, source)
    counted = {name: report[name] for name in ("utterances", "speakers", "hours")}
    log(f"{stage_line(f'ingest@{corpus}', counted, report['rejects'])}; {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    stage_main(run)
