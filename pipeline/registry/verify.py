"""Verification of the registry: every record against git, its tags, its run and its bytes in DVC."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from pipeline.core.errors import PipelineError
from pipeline.core.files import hash_bytes, hash_file
from pipeline.registry import store, tags
from pipeline.registry.gates import gate_index_of
from pipeline.registry.git import git, git_bytes, resolves
from pipeline.registry.record import (
    CHAMPION,
    DAY_ONE,
    LANGUAGE_MODEL,
    RECORDS,
    Record,
    champion,
    hash_decoder,
    read_record,
    records,
    served,
)

if TYPE_CHECKING:
    from dvc_data.hashfile.db import HashFileDB


@dataclass(frozen=True, slots=True)
class Proof:
    """The result for one record.

    Args:
        version: of the record, or "champion".
        places: where bytes were hashed: cache, remote; for the champion checkout, if its model is checked out.
        problems: what does not match; empty if everything does.
    """

    version: str
    places: tuple[str, ...]
    problems: tuple[str, ...]


def verify(root: Path) -> list[Proof]:
    """Return a proof for every record, and one named "champion" for the model in use.

    Models and data are read and hashed in the cache and in the remote, the champion in the checkout as well. What is in neither cache nor
    remote cannot be verified, which is a problem. A record that was deleted has a proof with that problem.
    """
    root = root.resolve()
    databases, files = store.databases(root), sorted((root / RECORDS).glob("*.json"))
    proofs = [_prove(root, file, databases) for file in files]
    proofs += [Proof(name, (), (f"record: deleted, but tagged or committed before (git log -- {RECORDS}/{name}.json)",))
               for name in sorted(_ever_recorded(root) - {file.stem for file in files})]
    return [*proofs, Proof("champion", *_champion(root))]


def _ever_recorded(root: Path) -> set[str]:
    """Return the versions that a commit in the history of HEAD has a record of, or that a tag of the artefact registers."""
    written = git(root, "log", "--format=", "--name-only", "--diff-filter=A", "--no-renames", "--", f"{RECORDS}/*.json").split()
    _, current = _pointer_or_none(root)
    tagged = {found.version for found in tags.history(root, current.artefact)} if current else set[str]()
    return {Path(name).stem for name in written} | tagged


def _pointer_or_none(root: Path) -> tuple[str, Record | None]:
    try:
        return champion(root)
    except PipelineError:
        return "", None


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
        else:
            problems += _figures(record, verdict)
        for split, expected in record.data.items():
            problems += _compare(split, lock[split], expected, databases, hashed) if split in lock else [f"{split}: not in dvc.lock of the run"]
    problems += _compare(CHAMPION, record.model.dvc, record.model.files, databases, hashed)
    if record.model.files.get("model.safetensors") != record.model.weights_hash:
        problems.append("model: weights_hash is not that of model.safetensors")
    if record.model.decoder_hash != hash_decoder(record.model.files):
        problems.append(f"model: decoder_hash is not that of the files in {LANGUAGE_MODEL}")
    if any(record.model.files.get(export.file) != export.hash for export in record.exports):
        problems.append("model: an export of the record is not in its folder")
    return Proof(record.version, tuple(sorted(hashed)), tuple(problems))


def _figures(record: Record, content: bytes) -> list[str]:
    """Return how the figures of a record differ from those of its verdict: for the model of day one, from the champion's."""
    try:
        verdict = json.loads(content)
        entry = verdict["champion" if record.restores == DAY_ONE else "challenger"]
        expected = {"verdict": None if record.restores == DAY_ONE else verdict["verdict"], "weights_hash": entry["weights_hash"],
                    "wer": served(entry, "wer"), "cer": served(entry, "cer"), "gates": gate_index_of(verdict) + 1,
                    "test_set": verdict["challenger"]["test_set"], "normaliser": verdict["challenger"]["normaliser"]}
        if record.verdict.policy_hash is not None:
            expected["policy_hash"] = verdict.get("policy_hash", record.verdict.policy_hash)
        expected["exports"] = [] if record.restores == DAY_ONE else [export["hash"] for export in verdict.get("exports", ()) if export["shipped"]]
        if record.restores != DAY_ONE:
            expected["system"] = entry["system"]
    except (ValueError, KeyError, TypeError) as error:
        return [f"verdict: unreadable ({error!r})"]
    found = {**record.verdict.model_dump(), "weights_hash": record.model.weights_hash, "test_set": record.test_set, "normaliser": record.normaliser,
             "system": record.system, "exports": [export.hash for export in record.exports]}
    if record.form == "vizinho.record/2" and record.restores == DAY_ONE:
        expected["verdict"] = verdict["verdict"]  # that form repeats the verdict on the model that was rolled back
    return [f"record: {name} {found[name]}; expected {value}, as in the verdict" for name, value in expected.items() if found[name] != value]


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
    if not any(assigned.commit == first for assigned in tags.history(root, record.artefact)):
        problems.append(f"tag {record.artefact}#{tags.STAGE}#N: none on {first[:9]}; expected one (git fetch --tags)")
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


def _champion(root: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return where the bytes of the model in use were hashed, and the problems of its pointer and of its files in the checkout."""
    try:
        folder, record = champion(root)
        if record is None:
            found = records(root)
            return (), tuple(f"champion.yaml names the donor of day one, but there is a record {last.version}" for last in found[-1:])
    except PipelineError as error:
        return (), (str(error),)
    problems = _pointer(root, record)
    if not (root / folder).is_dir():
        return (), tuple(problems)
    hashed = {file.relative_to(root / folder).as_posix(): hash_file(file) for file in (root / folder).rglob("*") if file.is_file()}
    if changed := sorted(name for name in {**hashed, **record.model.files} if hashed.get(name) != record.model.files.get(name)):
        problems.append(f"{folder} in the checkout: changed: {', '.join(changed)} (dvc checkout --force {folder})")
    return ("checkout",), tuple(problems)


def _pointer(root: Path, record: Record) -> list[str]:
    """Return the problems of the pointer to the model in use."""
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
