"""The files that a promotion commits: its record, the champion pointer, a line in the changelog.

`registry/records/VERSION.json` (`vizinho.record/4`, docs/schemas/record.json) is written once and never changed. Records of earlier forms are
read as they are: models of `vizinho.record/3` have no exports, those of `vizinho.record/2` no decoder either.

A promotion of a new model increments the minor number (v0.1.0, v0.2.0), a rollback the last one (v0.2.1).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal

import yaml
from pydantic import Field

from pipeline.core.errors import DataError, MissingInputError
from pipeline.core.files import hash_file, hash_json, read_json, write_json, write_text
from pipeline.core.params import Section, problems_of

RECORDS: Final = "registry/records"
CHAMPION_POINTER: Final = "champion.yaml"
CHAMPION: Final = "data/champion"
CHANGELOG: Final = "CHANGELOG.md"
HEADING: Final = "## Champions"
DAY_ONE: Final = "day-one"
"""Name of the first model, which has no version."""
LANGUAGE_MODEL: Final = "language_model"
"""Folder of the decoder within a promoted model."""
DECODER: Final = ("decoder.json", "lexicon.txt", "ngram.arpa")
"""Files of a decoder."""
EXPORTS: Final = "onnx"
"""Folder of the shipped exports within a promoted model."""
PARITY: Final = "parity.json"
"""File beside the exports that has their hashes and what they lose."""


class Registry(Section):
    """`registry` in params.yaml."""

    artefact: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$",
                          description="name of the model in the registry: one per profile, never compared across profiles")


class Model(Section):
    """The promoted folder."""

    dvc: str = Field(pattern=r"^[0-9a-f]{32}\.dir$", description="DVC's object id of the folder")
    weights_hash: str = Field(description="SHA-256 of model.safetensors")
    vocabulary_hash: str
    decoder_hash: str | None = Field(default=None, description="SHA-256 over the hashes of the decoder's files; null for a model without a decoder")
    files: dict[str, str] = Field(min_length=1, description="file to SHA-256")


class Shipped(Section):
    """An export that a promotion ships with the model."""

    backend: Literal["onnx", "onnx-int8"] = Field(description="what runs it: --backend of `vizinho transcribe`")
    file: str = Field(min_length=1, description="in the model's folder")
    hash: str = Field(description="SHA-256 of the file")
    wer_difference: float = Field(description="WER as served minus PyTorch's on the test set, a fraction")


class Verdict(Section):
    """The gate's verdict on the model."""

    hash: str = Field(description="SHA-256 of data/gate/verdict.json at the commit")
    verdict: Literal["promote", "reject", "inconclusive"] | None = Field(description="null for the model of day one, which no gate has judged")
    wer: float = Field(ge=0, description="fraction, on the test set, as the system serves")
    cer: float = Field(ge=0, description="likewise")
    gates: int = Field(ge=1, description="gates run in this period, this one included: what the error level was spent on")
    policy_hash: str | None = Field(default=None, description="SHA-256 of the policy: sections gate and score of the run's params.yaml")


class Approval(Section):
    """Who approved the promotion, when and why."""

    by: str = Field(min_length=1, description="a person, or the policy that decided")
    decision: Literal["approve"] = Field(default="approve", description="a rejected challenger leaves no record")
    at: datetime = Field(description="when it was approved")
    champion: str | None = Field(description="tag of the champion at that time; null on day one")
    override: str | None = Field(default=None, min_length=1, description="why it was promoted although something spoke against it")
    overridden: tuple[str, ...] = Field(default=(), description="what spoke against it: the verdict, another policy than main's, a rollback, ...")
    reason: str | None = Field(default=None, min_length=1, description="why it was approved; for a rollback, why the earlier model was restored")


class Record(Section):
    """A promotion, or a rollback to an earlier model."""

    form: Literal["vizinho.record/2", "vizinho.record/3", "vizinho.record/4"] = Field(default="vizinho.record/4", alias="schema")
    artefact: str
    version: str = Field(pattern=r"^v\d+\.\d+\.\d+$")
    restores: str | None = Field(description="the version whose model was restored, or day-one; null for a new model")
    replaces: str | None = Field(description="the version in use before; null on day one")
    promoted_at: datetime
    system: str = Field(description="the challenger's name in dvc.yaml")
    commit: str = Field(pattern=r"^[0-9a-f]{40}$", description="the run: its dvc.lock, metrics and verdict")
    model: Model
    exports: tuple[Shipped, ...] = Field(default=(), description="exports in the model's folder; those that lose more than the gate permits are not")
    data: dict[str, dict[str, str]] = Field(description="folder of data/split (and of data/align, where the model learned from "
                                             "it) to its files' SHA-256, certificates included")
    test_set: str
    normaliser: str
    verdict: Verdict
    approval: Approval

    def as_json(self) -> dict[str, Any]:
        """Return the record as it is written."""
        later: dict[str, Any] = {} if self.form == "vizinho.record/4" else {"exports": True}
        if self.form == "vizinho.record/2":
            later |= {"model": {"decoder_hash"}, "verdict": {"policy_hash"}, "approval": {"overridden"}}
        return self.model_dump(mode="json", by_alias=True, exclude=later)


def read_record(path: Path) -> Record:
    """Return one record.

    Raises:
        DataError: it is not a record; the message lists every problem.
    """
    value = read_json(path)
    if problems := problems_of(Record, value, path.stem):
        raise DataError(str(path), "; ".join(problems), "a promotion record as it was written", f"git log -p -- {path}")
    return Record.model_validate(value)


def records(root: Path) -> list[Record]:
    """Return every record of a checkout, the first one first; an empty list on day one."""
    return sorted(map(read_record, (root / RECORDS).glob("*.json")), key=lambda record: number(record.version))


def hash_decoder(files: Mapping[str, str]) -> str | None:
    """Return the hash of a promoted model's decoder; None if it has none.

    Args:
        files: file of the model's folder to SHA-256.
    """
    found = {name: files[f"{LANGUAGE_MODEL}/{name}"] for name in DECODER if f"{LANGUAGE_MODEL}/{name}" in files}
    return hash_json(found) if found else None


def served(entry: Mapping[str, Any], rate: str) -> float:
    """Return the error rate with which a system of a verdict serves: with its decoder, if the verdict has that rate.

    Args:
        entry: a system of the verdict.
        rate: "wer" or "cer".
    """
    return float(entry.get(f"{rate}_served", entry[rate]))


def rolled_back(known: Sequence[Record]) -> dict[str, Record]:
    """Return the weights that a rollback took out of use and none brought back since, each with the record of that rollback.

    Args:
        known: every record, the first one first.
    """
    by_version, found = {record.version: record for record in known}, dict[str, Record]()
    for record in known:
        if record.restores:
            found.pop(record.model.weights_hash, None)
            if record.replaces in by_version:
                found[by_version[record.replaces].model.weights_hash] = record
    return found


def number(version: str) -> tuple[int, ...]:
    """Return a version as numbers: "v0.10.2" → (0, 10, 2)."""
    return tuple(map(int, re.findall(r"\d+", version)))


def next_version(versions: Sequence[str], *, restoring: bool) -> str:
    """Return the version after these: a new model after v0.2.0 is v0.3.0, a return to an earlier one v0.2.1."""
    major, minor, last = max(map(number, versions), default=(0, 0, 0))
    return f"v{major}.{minor}.{last + 1}" if restoring else f"v{major}.{minor + 1}.0"


def champion(root: Path) -> tuple[str, Record | None]:
    """Return the folder of the model in use, and its record; None for the record on day one.

    Raises:
        DataError: champion.yaml lacks a key.
        MissingInputError: champion.yaml names a version that has no record.
    """
    try:
        found = yaml.safe_load((root / CHAMPION_POINTER).read_text(encoding="utf-8"))["champion"]
        path, version = str(found["path"]), found["version"]
    except (yaml.YAMLError, KeyError, TypeError) as error:
        raise DataError(CHAMPION_POINTER, f"no usable pointer ({error!r})", "champion: {path: ..., version: ...}",
                        f"git checkout -- {CHAMPION_POINTER}") from None
    if version is None:
        return path, None
    file = root / RECORDS / f"{version}.json"
    if not file.exists():
        raise MissingInputError(str(file), f"no record of {version}, the champion", "one record per version", "git pull, or vizinho registry verify")
    return path, read_record(file)


def champion_folder(root: Path) -> Path:
    """Return the folder of the model in use, after a check of its small files against its record.

    The large files are left to whoever loads them: their hashes are in vizinho.json (weights), decoder.json (n-gram) and parity.json (exports),
    which are checked here.

    Raises:
        DataError: a file is not the promoted one.
    """
    path, record = champion(root)
    folder = root / path
    if record is None or not folder.is_dir():
        return folder
    small = {name: expected for name, expected in record.model.files.items() if not name.endswith((".safetensors", ".arpa", ".onnx"))}
    if changed := sorted(name for name, expected in small.items() if not (folder / name).is_file() or hash_file(folder / name) != expected):
        raise DataError(str(folder), f"changed or missing: {', '.join(changed)}", f"the files of {record.version}, the champion",
                        f"`dvc checkout --force {path}`; if that does not help, `vizinho registry verify`")
    return folder


def write_facts(root: Path, record: Record) -> list[str]:
    """Write record, pointer and changelog line into a checkout; return their paths."""
    pointer = root / CHAMPION_POINTER
    comments = [line for line in pointer.read_text(encoding="utf-8").splitlines() if line.startswith("#")]
    write_text(pointer, "\n".join([*comments, "champion:", f"  path: {CHAMPION}", f"  version: {record.version}", ""]))
    file = f"{RECORDS}/{record.version}.json"
    write_json(root / file, record.as_json())
    changelog = root / CHANGELOG
    before = changelog.read_text(encoding="utf-8") if changelog.exists() else "# Changelog\n"
    write_text(changelog, with_line(before, changelog_line(record)))
    return [CHAMPION_POINTER, file, CHANGELOG]


def changelog_line(record: Record) -> str:
    """Return a record as a line of the changelog."""
    what = f"the model of {record.restores} is restored ({record.approval.reason})" if record.restores else f"{record.system}"
    decision = f"overridden: {record.approval.override}" if record.approval.override else \
        f"gate: {record.verdict.verdict}" if record.verdict.verdict else "no gate has judged it"
    return (f"- {record.promoted_at:%Y-%m-%d} {record.artefact} {record.version}: {what}; WER {100 * record.verdict.wer:.2f} %, "
            f"CER {100 * record.verdict.cer:.2f} % ({decision}), run {record.commit[:9]}, by {record.approval.by}")


def with_line(changelog: str, line: str) -> str:
    """Return a changelog with another line under "## Champions", the newest first; add the section if it is missing."""
    head, heading, tail = changelog.partition(f"{HEADING}\n")
    if not heading:
        return f"{changelog.rstrip()}\n\n{HEADING}\n\n{line}\n"
    return f"{head}{heading}\n{line}\n{tail.lstrip()}"
