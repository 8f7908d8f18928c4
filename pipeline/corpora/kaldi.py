"""Data directories of Kaldi, as rows of a plain manifest.

    wav.scp                    recording, path; a command (it ends in |) is never run, and an archive at an offset is not read
    segments                   utterance, recording, start, end in seconds (-1: the recording's end); without it, each recording is one
    text                       utterance, transcript
    utt2spk, spk2gender        utterance, speaker; speaker, m or f; both optional
    utt2dur, reco2dur          utterance, or recording, and its seconds; optional

Source: https://kaldi-asr.org/doc/data_prep.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from pipeline.corpora import Reject
from pipeline.corpora.release import existing, lines_of, malformed_row, parse_number, read_text


def rows_of(table: Path, problems: list[str]) -> Iterator[tuple[int, dict[str, str] | Reject]]:
    """Yield line and fields of each utterance of a data directory, and a reject for each one whose audio is not a file.

    Args:
        table: its wav.scp.
        problems: errors of the tables are added to it.

    Raises:
        MissingInputError: there is no wav.scp, or no text.
        DataError: a table is not UTF-8.
    """
    folder = table.parent
    recordings = _pairs(table, problems)
    texts = _pairs(existing(folder, "text"), problems)
    optional = {name: _pairs(path, problems) if (path := existing(folder, name)).is_file() else {}
                for name in ("segments", "utt2spk", "spk2gender", "utt2dur", "reco2dur")}
    parts = optional["segments"] or {name: (line, name) for name, (line, _) in recordings.items()}
    for name, (line, part) in parts.items():
        recording, *times = part.split() or [""]
        start_s, end_s = (parse_number(time) for time in times) if len(times) == 2 else (0.0, None)
        if optional["segments"] and (len(times) != 2 or start_s is None or end_s is None or (end_s != -1 and end_s <= start_s)):
            yield line, malformed_row("segments", line, f"{part!r}; expected a recording, its start and its end")
            continue
        audio = recordings.get(recording, (0, ""))[1]
        if not audio or audio.endswith("|") or re.search(r":\d+(\[.*\])?$", audio):
            detail = f"recording {recording!r} is not in wav.scp" if not audio else \
                "wav.scp has a command, which is never run: write its output to a file" if audio.endswith("|") else \
                "wav.scp has an archive at an offset: write its recordings to files"
            yield line, Reject(name, f"wav.scp {recording}", "unsupported audio", detail)
            continue
        speaker = optional["utt2spk"].get(name, (0, ""))[1]
        duration = (optional["utt2dur"].get(name) or optional["reco2dur"].get(name) or (0, ""))[1]
        whole = end_s is None or (end_s == -1 and not start_s)
        yield line, {
            "id": name, "path": audio, "text": texts.get(name, (0, ""))[1], "speaker": speaker,
            "gender": optional["spk2gender"].get(speaker, (0, ""))[1],
            "offset": "" if whole else str(start_s),
            "duration": duration or "0" if end_s in (None, -1) else f"{(end_s or 0) - (start_s or 0):.6f}",
        }
    problems += [f"text: utterance {name} is in neither segments nor wav.scp" for name in texts if name not in parts]


def _pairs(table: Path, problems: list[str]) -> dict[str, tuple[int, str]]:
    """Return line and rest of the line by the first field of each line."""
    found: dict[str, tuple[int, str]] = {}
    for line, text in enumerate(lines_of(read_text(table, "a table of a Kaldi data directory")), 1):
        name, *rest = text.split(None, 1)[:2] if text.strip() else [""]
        if name in found:
            problems.append(f"{table.name}, line {line}: {name} is repeated")
        elif name:
            found[name] = line, rest[0].strip() if rest else ""
    return found
