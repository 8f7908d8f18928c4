"""Manifests of Lhotse, as rows of a plain manifest.

    NAME_supervisions_SET.jsonl.gz     texts of parts of recordings, beside NAME_recordings_SET.jsonl.gz
    NAME_cuts_SET.jsonl.gz             parts of recordings, with recording and supervisions

Not read: features without audio, mixed and padded cuts, transforms, recordings of several files, and audio that is not in a file.

Source: Lhotse 1.x, `lhotse/supervision.py`, `lhotse/audio/recording.py`, `lhotse/cut/data.py`
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.core.errors import DataError
from pipeline.corpora import Reject

Rows = Iterable[tuple[int, dict[str, Any]]]


def is_lhotse(row: Mapping[str, Any]) -> bool:
    """Return whether a row of JSON is a recording, a supervision or a cut."""
    return "sources" in row or "recording_id" in row or "supervisions" in row or row.get("type") in ("MonoCut", "MultiCut", "MixedCut", "PaddingCut")


def rows_of(table: Path, rows: Rows, read: Callable[[Path], Rows]) -> Iterator[tuple[int, dict[str, str] | Reject]]:
    """Yield line and fields of each supervision, and a reject for each one whose audio cannot be read as it is described.

    Args:
        table: the manifest.
        rows: its rows.
        read: returns the rows of another manifest.

    Raises:
        MissingInputError: supervisions without the table of their recordings.
        DataError: the table has recordings alone.
    """
    recordings: dict[str, Any] | None = None
    for line, row in rows:
        if "sources" in row:
            raise DataError(str(table), "Lhotse's recordings, which have no texts", "its supervisions or cuts",
                            "set ingest.CORPUS.table to one of these")
        if "recording_id" in row:
            if recordings is None:
                beside = table.with_name(table.name.replace("supervisions", "recordings"))
                if beside == table:
                    raise DataError(str(table), "supervisions under a name without « supervisions »", "the name that Lhotse gives them",
                                    "rename it and its recordings, or make cuts of both")
                recordings = {str(found.get("id")): found for _, found in read(beside)}
            yield line, _fields(row, recordings.get(str(row["recording_id"])), 0.0)
            continue
        if row.get("type") in ("MixedCut", "PaddingCut") or not isinstance(row.get("recording"), dict):
            yield line, _reject(row, f"a {row.get('type') or 'cut'} without a recording")
        elif not row.get("supervisions"):
            yield line, _reject(row, "a cut without a supervision")
        else:
            yield from ((line, _fields(supervision, row["recording"], _number(row.get("start")))) for supervision in row["supervisions"])


def _fields(supervision: Mapping[str, Any], recording: Mapping[str, Any] | None, from_s: float) -> dict[str, str] | Reject:
    """Return the fields of a supervision that starts `from_s` later than it says, or why there are none."""
    if recording is None:
        return _reject(supervision, f"recording {supervision.get('recording_id')!r} is not in the table of recordings")
    sources = recording.get("sources") or []
    kinds = sorted({str(source.get("type")) for source in sources})
    if len(sources) != 1 or kinds != ["file"]:
        return _reject(supervision, f"its recording has {len(sources)} sources of type {', '.join(kinds) or 'none'}; expected one file")
    if recording.get("transforms"):
        return _reject(supervision, "its recording has transforms")
    channels, wanted = sources[0].get("channels") or [0], supervision.get("channel", 0)
    if len(channels) > 1 and wanted != channels:
        return _reject(supervision, f"channel {wanted} of {len(channels)}")
    start_s, duration_s = from_s + _number(supervision.get("start")), _number(supervision.get("duration"))
    whole = not start_s and abs(duration_s - _number(recording.get("duration"))) < 0.001
    return {"id": str(supervision.get("id", "")), "path": str(sources[0].get("source", "")), "text": str(supervision.get("text") or ""),
            "speaker": str(supervision.get("speaker") or ""), "gender": str(supervision.get("gender") or ""),
            "offset": "" if whole else f"{start_s:.6f}", "duration": f"{duration_s:.6f}"}


def _reject(row: Mapping[str, Any], detail: str) -> Reject:
    return Reject(str(row.get("id", "")), str(row.get("recording_id", row.get("id", ""))), "unsupported audio", detail)


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
