"""Verification of the registry: every record against git, its tags, its run and its bytes in DVC."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from pipeline.core.errors import PipelineError
from pipeline.core.files import hash_bytes
from pipeline.registry import store, tags
from pipeline.registry.git import git, git_bytes, resolves
from pipeline.registry.record import CHAMPION, RECORDS, Record, champion, read_record, records

if TYPE_CHECKING:
    from dvc_data.hashfile.db import HashFileDB


@dataclass(frozen=True, slots=True)
class Proof:
    """The result for one record.

    Args:
        version: of the record, or "champion".
        places: the databases whose bytes of model and data were hashed: cache, remote.
        problems: what does not match; empty if everything does.
    """

    version: str
    places: tuple[str, ...]
    problems: tuple[str, ...]


def verify(root: Path) -> list[Proof]:
    """Return a proof for every record, and one named "champion" for the model in use.

    Models and data are read and hashed in the cache and in the remote. What is in neither cannot be verified, which is a problem.
    """
    root = root.resolve()
    databases = store.databases(root)
    proofs = [_prove(root, file, databases) for file in sorted((root / RECORDS).glob("*.json"))]
    return [*proofs, Proof("champion", (), tuple(_pointer(root)))]


def _prove(root: Path, file: Path, databases: dict[str, HashFileDB]) -> Proof:
    """Return the proof of one record."""
    try:
        record = read_record(file)
    except PipelineError as error:
        return Proof(file.stem, (), (str(error),))
    problems = _written_once(root, file, record)
    hashed: set[str] = set()
    try:
        verdict = git_bytes(root, "show", f"{record.commit}:data/gate/verdict.json")
        lock = store.locked_hashes(yaml.safe_load(git_bytes(root, "show", f"{record.commit}:dvc.lock")))
    except PipelineError as error:
        problems.append(f"the run cannot be read: {error}")
    else:
        if hash_bytes(verdict) != record.verdict.hash:
            problems.append(f"verdict: SHA-256 {hash_bytes(verdict)[:12]} at {record.commit[:9]}; expected {record.verdict.hash[:12]}")
        for split, expected in record.data.items():
            problems += _compare(split, lock[split], expected, databases, hashed) if split in lock else [f"{split}: not in dvc.lock of the run"]
    problems += _compare(CHAMPION, record.model.dvc, record.model.files, databases, hashed)
    if record.model.files.get("model.safetensors") != record.model.weights_hash:
        problems.append("model: weights_hash is not that of model.safetensors")
    return Proof(record.version, tuple(sorted(hashed)), tuple(problems))


def _written_once(root: Path, file: Path, record: Record) -> list[str]:
    """Return the problems of a record's commit, tag and pointer."""
    name = file.relative_to(root).as_posix()
    written = git(root, "log", "--format=%H", "--", name).split()
    if file.stem != record.version:
        return [f"record: its version is {record.version}"]
    if not written:
        return ["record: never committed"]
    problems = []
    if len(written) > 1 or git(root, "status", "--porcelain", "--", name):
        problems.append(f"record: changed since it was written (git log -p -- {name})")
    first = written[-1]
    tagged = resolves(root, f"refs/tags/{record.artefact}@{record.version}")
    if tagged != first:
        found = f"on {tagged[:9]}" if tagged else "missing"
        problems.append(f"tag {record.artefact}@{record.version}: {found}; expected on {first[:9]} (git fetch --tags)")
    pointer = store.pointer_hash(git(root, "show", f"{first}:{CHAMPION}.dvc"))
    if pointer != record.model.dvc:
        problems.append(f"{CHAMPION}.dvc at {first[:9]}: {pointer}; expected {record.model.dvc}")
    return problems


def _compare(what: str, oid: str, expected: dict[str, str], databases: dict[str, HashFileDB], hashed: set[str]) -> list[str]:
    """Return how the bytes of a folder differ from what is expected, in each database that has it; add these databases to `hashed`."""
    problems, missing = [], []
    for name, database in databases.items():
        try:
            found = store.hashes(database, oid)
        except FileNotFoundError:
            missing.append(name)
        except PipelineError as error:
            problems.append(f"{what} in {name}: {error}")
        else:
            hashed.add(name)
            if changed := sorted(file for file in {**found, **expected} if found.get(file) != expected.get(file)):
                problems.append(f"{what} in {name}: changed: {', '.join(changed)}")
    if len(missing) == len(databases):
        problems.append(f"{what}: in neither DVC cache nor remote; cannot be verified (`dvc push` on the machine that made it)")
    elif "remote" in missing:
        problems.append(f"{what}: not in the DVC remote, only on this machine (`dvc push`)")
    return problems


def _pointer(root: Path) -> list[str]:
    """Return the problems of the pointer to the model in use."""
    try:
        _, record = champion(root)
    except PipelineError as error:
        return [str(error)]
    if record is None:
        return [f"champion.yaml names the donor of day one, but there is a record {found[-1].version}"] if (found := records(root)) else []
    problems = [f"tag {tag}: made by hand, and GTO reads it (git tag --delete '{tag}'; git push --delete origin '{tag}')"
                for tag in tags.by_hand(root, record.artefact)]
    pointer = store.pointer_hash((root / f"{CHAMPION}.dvc").read_text(encoding="utf-8"))
    if pointer != record.model.dvc:
        problems.append(f"{CHAMPION}.dvc: {pointer}; expected {record.model.dvc} of {record.version}")
    now = tags.current(root, record.artefact)
    if now is None or now.version != record.version:
        tagged = f"{now.tag} is {now.version}" if now else "there is no tag"
        problems.append(f"champion.yaml: {record.version}, but {tagged} (git fetch --tags)")
    return problems
