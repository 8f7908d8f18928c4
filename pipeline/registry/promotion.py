"""Promotion of a challenger to champion, and rollback to an earlier champion.

A promotion is a commit on main: pointer, record, changelog line, and the merged run commit. It is made in a private clone
(`private_clone`), so that nobody sees a part of it:

1. fetch       the remote's present main and tags, and check the approval against them
2. take        the challenger's folder from DVC, compare it with the one that the verdict is about, write its model card
3. regate      run main's gate on the run's files, and compare the verdicts
4. push_model  to the DVC remote
5. commit      on top of main, with tags in GTO's form
6. publish     `git push --atomic` of main and tags: the only commit point
7. follow      bring this checkout to the new main and the model

A kill before step 6 leaves the old champion, a kill after it the new one; the next start removes the private clone. The push is as
atomic as the receiver's ref transaction.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import yaml

from pipeline.core.errors import DataError, MissingInputError, ParamsError, PipelineError, PromotionError
from pipeline.core.files import hash_bytes, hash_file, read_json, write_text
from pipeline.core.params import problems_of
from pipeline.core.policy import policy_hash
from pipeline.core.progress import log
from pipeline.registry import evidence, gates, store, tags
from pipeline.registry.card import model_card, read_run
from pipeline.registry.gates import VERDICT
from pipeline.registry.git import git, git_bytes, resolves
from pipeline.registry.private_clone import MAIN, PrivateClone, follow, private_clone, publish
from pipeline.registry.record import (
    CHAMPION,
    DAY_ONE,
    DECODER,
    EXPORTS,
    LANGUAGE_MODEL,
    PARITY,
    Approval,
    Model,
    Record,
    Registry,
    Shipped,
    Verdict,
    champion,
    hash_decoder,
    next_version,
    records,
    served,
    write_facts,
)

LARGEST_RATE: Final = 1_000.0
"""Largest error rate that a verdict may state: many insertions give more than 1."""
PICKLES: Final = {".bin", ".pt", ".pth", ".pkl", ".ckpt"}
DECODER_OUT: Final = "data/language_model/portuguese"
"""Folder of the decoder that a run has made."""
EXPORT_OUT: Final = "data/export"
"""Folder of the exports that a run has made, by system."""


@dataclass(frozen=True, slots=True)
class ApprovalRequest:
    """A request to approve a promotion. An approval is valid only while none of its fields has changed.

    Args:
        commit: the run commit.
        verdict: SHA-256 of its data/gate/verdict.json.
        champion: tag of the champion that the promotion replaces; None on day one.
    """

    commit: str
    verdict: str
    champion: str | None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A run that can be promoted: the approval request, name of the artefact, verdict, params.yaml and dvc.lock."""

    request: ApprovalRequest
    artefact: str
    verdict: dict[str, Any]
    params: dict[str, Any]
    lock: dict[str, Any]


def read_candidate(root: Path, commit: str = "HEAD") -> Candidate:
    """Return the candidate of the run at `commit`, with the request to approve it.

    Raises:
        PipelineError: the commit is missing, or it has no verdict.
        DataError: its dvc.lock names another verdict: a part of the run is not committed; or the verdict lacks a key.
    """
    found = resolves(root, commit)
    if found is None:
        raise MissingInputError(commit, "no such commit here", "the commit of a run", "fetch its branch")
    verdict = _committed(root, found, VERDICT)
    lock = yaml.safe_load(_committed(root, found, "dvc.lock"))
    if hashlib.md5(verdict).hexdigest() != store.locked_hashes(lock).get(VERDICT):
        raise DataError(f"{VERDICT} at {found[:9]}", "not the verdict of its dvc.lock", "what the gate wrote",
                        "`dvc repro gate`, then commit dvc.lock and data/gate together")
    params = yaml.safe_load(_committed(root, found, "params.yaml"))
    if problems := problems_of(Registry, section := params.get("registry"), "registry"):
        raise ParamsError(f"params.yaml at {found[:9]}", problems)
    artefact = Registry.model_validate(section).artefact
    now = tags.current(root, artefact)
    return Candidate(ApprovalRequest(found, hash_bytes(verdict), now.tag if now else None), artefact,
                     read_verdict(verdict, f"{VERDICT} at {found[:9]}"), params, lock)


def read_verdict(content: bytes, where: str) -> dict[str, Any]:
    """Return a verdict with the keys that a promotion reads.

    Raises:
        DataError: it is not JSON, a key is missing or has another type, or an error rate is none.
    """
    try:
        verdict = json.loads(content)
        for name in ("challenger", "champion"):
            found = verdict[name]
            _ = found["system"] + found["weights_hash"]
            if not all(0 <= found[rate] <= LARGEST_RATE for rate in ("wer", "cer")):
                raise ValueError(f"wer {found['wer']:.3g}, cer {found['cer']:.3g}")
        _ = verdict["champion"]["model"] + verdict["challenger"]["test_set"] + verdict["challenger"]["normaliser"] + verdict["verdict"]
        gates.gate_index_of(verdict)
        evidence.outcome(verdict["rules"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise DataError(where, f"no usable verdict ({error!r})", "what the gate wrote", "`dvc repro gate`, then commit") from None
    return dict(verdict)


def promote(root: Path, request: ApprovalRequest, by: str, override: str | None = None, reason: str | None = None) -> Record:
    """Make the approved run's challenger the champion; return its record.

    A promotion that was killed after its commit point is not repeated.

    Args:
        root: the checkout.
        request: what was approved.
        by: the person or policy that approved.
        override: why it is promoted although something speaks against it: `evidence.objections`, `evidence.gate_objections`.
        reason: why it was approved.

    Raises:
        PromotionError: the approval is no longer valid, something speaks against it, or another promotion came first.
        DataError: the verdict contradicts itself, or the model is not the one that it is about.
        ParamsError: an override where nothing speaks against the promotion.
        PipelineError: git or DVC failed; the champion is unchanged.
    """
    root = root.resolve()
    candidate = read_candidate(root, request.commit)
    with private_clone(root, candidate.artefact) as private:
        in_use, replaced = champion(private.clone)
        if replaced and is_promoted(candidate, request, replaced):
            log(f"registry: {request.commit[:9]} is already {replaced.version}")
            follow(private)
            return replaced
        check(private, candidate, request, in_use, replaced)
        objections = evidence.objections(private, request.commit, candidate.verdict, records(private.clone))
        refuse_without_override(objections, override)
        challenger = candidate.verdict["challenger"]
        version = _free_version(private, restoring=False)
        replaces = [] if replaced else [in_use]  # the first model has no record: keep it for a rollback
        data = take(private, candidate, replaces)
        shipped = take_exports(private, candidate)
        objections += regate(private, candidate)
        refuse_without_override(objections, override)
        if override and not objections:
            raise ParamsError("registry promote", ["override: the verdict is promote; there is nothing to override"])
        write_text(private.clone / CHAMPION / "README.md", model_card(
            read_run(private.clone, CHAMPION), artefact=private.artefact, version=version, system=challenger["system"], commit=request.commit,
            override=override, forbidden=candidate.verdict["verdict"] != "promote"))
        record = Record(
            artefact=private.artefact, version=version, restores=None, replaces=replaced.version if replaced else None,
            promoted_at=_now(), system=challenger["system"], commit=request.commit, model=add_model(private), exports=shipped, data=data,
            test_set=challenger["test_set"], normaliser=challenger["normaliser"], verdict=_verdict_of(candidate),
            approval=Approval(by=by, at=_now(), champion=request.champion, override=override, reason=reason,
                              overridden=tuple(f"{objection.where}: {objection.found}" for objection in objections)),
        )
        push_model(private, [*data, *replaces])
        merge(private, request.commit)
        seal(private, record, f"Promote {private.artefact} {version}")
        return record


def rollback(root: Path, version: str, by: str, reason: str) -> Record:
    """Restore the model of an earlier record as champion; return the new record.

    Args:
        root: the checkout.
        version: of the record, or "day-one": the donor that the first promotion replaced.
        by: who approves.
        reason: why the earlier model is restored.

    Raises:
        PromotionError: its model is in use already, or another promotion came first.
        DataError: there is no such record, or its model has changed since it was promoted.
        PipelineError: git or DVC failed; the champion is unchanged.
    """
    root = root.resolve()
    if not reason.strip():
        raise ParamsError("registry rollback", ["reason: empty; expected why the earlier model is restored"])
    _, current = champion(root)
    if current is None:
        raise PromotionError("registry", "nothing was promoted yet", "an earlier record", "git pull, if others have promoted")
    with private_clone(root, current.artefact) as private:
        known = {record.version: record for record in records(private.clone)}
        _, replaced = champion(private.clone)
        if version != DAY_ONE and version not in known:
            raise DataError(f"registry {version}", "no such record", f"one of {', '.join([DAY_ONE, *known])}", "vizinho registry list")
        earlier = take_day_one(private, next(iter(known.values()))) if version == DAY_ONE else take_record(private, known[version])
        if replaced is None or earlier.model == replaced.model:
            raise PromotionError(f"registry {version}", "its model is already in use", "another model", "vizinho registry list")
        now = tags.current(private.clone, private.artefact)
        record = earlier.model_copy(update={
            "form": "vizinho.record/4", "version": _free_version(private, restoring=True), "restores": version, "replaces": replaced.version,
            "promoted_at": _now(), "approval": Approval(by=by, at=_now(), champion=now.tag if now else None, reason=reason),
        })
        push_model(private, [])
        seal(private, record, f"Restore {private.artefact} {version} as {record.version}")
        return record


# ---- Steps ----------------------------------------------------------------------------------------------------------


def is_promoted(candidate: Candidate, request: ApprovalRequest, replaced: Record) -> bool:
    """Return whether the champion is the approved run's challenger, by that verdict: the promotion was killed after its commit point."""
    return (replaced.restores is None and replaced.artefact == candidate.artefact
            and replaced.verdict.hash == request.verdict == candidate.request.verdict
            and replaced.model.weights_hash == candidate.verdict["challenger"]["weights_hash"])


def refuse_without_override(objections: Sequence[PromotionError], override: str | None) -> None:
    """Raise the first objection if there is no reason to override them."""
    if objections and not override:
        raise objections[0]


def check(private: PrivateClone, candidate: Candidate, request: ApprovalRequest, in_use: str, replaced: Record | None) -> None:
    """Check that an approval is still valid, and that the verdict is about the champion on main.

    Args:
        private: the private clone.
        candidate: the run.
        request: what was approved.
        in_use: folder of the champion on main.
        replaced: its record; None on day one.

    Raises:
        PromotionError: something has changed since the approval, or the verdict is about another champion.
        DataError: the verdict contradicts its rules, its policy or dvc.lock.
    """
    found = tags.current(private.clone, private.artefact)
    tag = found.tag if found else None
    if tag != request.champion:
        raise PromotionError("approval", f"the champion is {_tag_or_donor(tag)} now", f"{_tag_or_donor(request.champion)}, which it was given for",
                             "git fetch --tags, gate against the new champion and ask again")
    if candidate.request.verdict != request.verdict:
        raise PromotionError("approval", f"the verdict at {request.commit[:9]} is {candidate.request.verdict[:12]}",
                             f"{request.verdict[:12]}, which it was given for", "read the verdict and ask again")
    if replaced and replaced.artefact != private.artefact:
        raise PromotionError(f"registry.artefact at {request.commit[:9]}", private.artefact, f"{replaced.artefact}, as the champion on main",
                             "keep one clone and main branch per profile: their models are never compared")
    rival = candidate.verdict["champion"]
    if not compares_with_champion(candidate, in_use, replaced):
        raise PromotionError(f"verdict at {request.commit[:9]}", f"it compares with {rival['model']}, weights {str(rival['weights_hash'])[:12]}",
                             f"{replaced.version if replaced else in_use}, the champion on main", "merge main, `dvc repro` and ask again")
    evidence.check_verdict(candidate.verdict, candidate.params, f"verdict at {request.commit[:9]}")
    evidence.check_champion(candidate.lock, in_use, replaced, f"dvc.lock at {request.commit[:9]}")


def compares_with_champion(candidate: Candidate, in_use: str, replaced: Record | None) -> bool:
    """Return whether a verdict compares the challenger with the champion, as `record.champion` returns it."""
    rival = candidate.verdict["champion"]
    return bool(rival["weights_hash"] == replaced.model.weights_hash if replaced else rival["model"] == in_use)


def take(private: PrivateClone, candidate: Candidate, replaces: list[str]) -> dict[str, dict[str, str]]:
    """Check out the run in the clone, with its model as data/champion, its splits and what its gate read; return the splits' hashes.

    Args:
        private: the private clone.
        candidate: the run.
        replaces: folders of models that are checked out too.

    Raises:
        DataError: the model is not the one that the verdict is about, or has pickled weights.
    """
    commit, challenger, lock = candidate.request.commit, candidate.verdict["challenger"], candidate.lock
    git(private.clone, "checkout", "--quiet", "--force", "--detach", commit)
    outs, folder = store.locked_hashes(lock), f"data/train/{challenger['system']}"
    learned_from = {dep["path"] for dep in lock["stages"].get(f"train@{challenger['system']}", {}).get("deps", ())}
    splits = sorted(path for path in outs if path.startswith("data/split/") or (path.startswith("data/align/") and path in learned_from))
    if folder not in outs:
        raise MissingInputError(f"dvc.lock at {commit[:9]}", f"no {folder}", "the challenger's model", "commit dvc.lock of the whole run")
    decoder = [DECODER_OUT] if DECODER_OUT in outs else []
    paths = dict.fromkeys([folder, *splits, *replaces, *decoder, *evidence.evidence_paths(private.clone, commit, lock)])
    store.check_out(private.clone, list(paths))
    if pickles := [file.name for file in (private.clone / folder).rglob("*") if file.suffix in PICKLES]:
        raise DataError(folder, f"pickled weights ({', '.join(sorted(pickles))})", "model.safetensors alone", "convert them, and train again")
    for model, system in ((folder, challenger), *((replaced, candidate.verdict["champion"]) for replaced in replaces)):
        weights = hash_file(private.clone / model / "model.safetensors")
        if weights != system["weights_hash"]:
            raise DataError(f"{model}/model.safetensors at {commit[:9]}", f"SHA-256 {weights[:12]}",
                            f"{str(system['weights_hash'])[:12]}, as in the verdict", "`dvc repro`, then commit dvc.lock and data/gate together")
    (private.clone / folder).rename(private.clone / CHAMPION)
    take_decoder(private, challenger["system"], bool(decoder))
    return {split: _hash_folder(private.clone / split) for split in splits}


def take_decoder(private: PrivateClone, system: str, given: bool) -> None:
    """Copy the decoder of the run into data/champion, after a check that the challenger was judged with it.

    Args:
        private: the private clone, at the run commit.
        system: the challenger.
        given: whether the run has made a decoder.

    Raises:
        DataError: the challenger was judged with another decoder, or without the one of the run.
    """
    source, target = private.clone / DECODER_OUT, private.clone / CHAMPION / LANGUAGE_MODEL
    judged = (read_json(private.clone / f"data/transcribe/{system}.json").get("decoder") or {}).get("hash")
    found = hash_file(source / DECODER[0]) if given and (source / DECODER[0]).exists() else None
    if found != judged:
        raise DataError(f"data/transcribe/{system}.json", f"decoder {str(judged)[:12]}", f"{str(found)[:12]}, that of {DECODER_OUT}",
                        "`dvc repro`, then commit dvc.lock and data/gate together")
    shutil.rmtree(target, ignore_errors=True)
    if found is not None:
        if missing := [name for name in DECODER if not (source / name).is_file()]:
            raise MissingInputError(DECODER_OUT, f"no {', '.join(missing)}", ", ".join(DECODER), "`dvc repro language_model`")
        target.mkdir()
        for name in DECODER:
            shutil.copyfile(source / name, target / name)


def take_exports(private: PrivateClone, candidate: Candidate) -> tuple[Shipped, ...]:
    """Move the exports that the gate ships into data/champion, with parity.json, which has their hashes; return them.

    Args:
        private: the private clone, with the run's exports and the challenger's model as data/champion.
        candidate: the run.

    Raises:
        MissingInputError: an export is missing.
        DataError: an export is not the one that the verdict is about.
    """
    target = private.clone / CHAMPION / EXPORTS
    shutil.rmtree(target, ignore_errors=True)
    entries = [entry for entry in candidate.verdict.get("exports", ()) if entry["shipped"]]
    source = private.clone / EXPORT_OUT / candidate.verdict["challenger"]["system"]
    where, action = f"{EXPORT_OUT} at {candidate.request.commit[:9]}", "`dvc repro`, then commit dvc.lock and data/gate together"
    for name, expected in ((entry["file"], entry["hash"]) for entry in entries):
        if not (source / name).is_file():
            raise MissingInputError(where, f"no {name}", "every export that the verdict ships", action)
        if (found := hash_file(source / name)) != expected:
            raise DataError(where, f"{name}, SHA-256 {found[:12]}", f"{expected[:12]}, as in the verdict", action)
    if entries:
        target.mkdir()
        shutil.copyfile(source / PARITY, target / PARITY)
    for entry in entries:
        (source / entry["file"]).rename(target / entry["file"])
    return tuple(Shipped(backend=entry["backend"], file=f"{EXPORTS}/{entry['file']}", hash=entry["hash"],
                         wer_difference=entry["wer_difference"]["value"]) for entry in entries)


def regate(private: PrivateClone, candidate: Candidate) -> list[PromotionError]:
    """Return what main's gate objects to the run's verdict: `evidence.gate_objections`."""
    return evidence.gate_objections(private, candidate.request.commit, candidate.verdict)


def take_record(private: PrivateClone, record: Record) -> Record:
    """Check out the model of an earlier record as data/champion; return the record.

    Raises:
        DataError: the model has changed since it was promoted.
    """
    git(private.clone, "checkout", "--quiet", f"refs/tags/{private.artefact}@{record.version}", "--", f"{CHAMPION}.dvc")
    store.check_out(private.clone, [CHAMPION])
    if (found := _hash_folder(private.clone / CHAMPION)) != record.model.files:
        changed = [name for name in {**found, **record.model.files} if found.get(name) != record.model.files.get(name)]
        raise DataError(f"registry {record.version}", f"changed: {', '.join(sorted(changed))}", "the promoted files", "vizinho registry verify")
    return record


def take_day_one(private: PrivateClone, first: Record) -> Record:
    """Check out the model that the first promotion replaced as data/champion; return a record of it, with that promotion's run.

    Its error rates are the champion's in that run's verdict. It is the donor byte for byte, without a model card.

    Raises:
        DataError: the run's verdict, or the model, has changed.
    """
    committed = _committed(private.clone, first.commit, VERDICT)
    if hash_bytes(committed) != first.verdict.hash:
        raise DataError(f"verdict at {first.commit[:9]}", hash_bytes(committed)[:12], f"{first.verdict.hash[:12]}, as recorded",
                        "vizinho registry verify")
    rival = json.loads(committed)["champion"]
    git(private.clone, "checkout", "--quiet", "--force", "--detach", first.commit)
    store.check_out(private.clone, [rival["model"]])
    weights = hash_file(private.clone / rival["model"] / "model.safetensors")
    if weights != rival["weights_hash"]:
        raise DataError(f"{rival['model']}/model.safetensors at {first.commit[:9]}", f"SHA-256 {weights[:12]}",
                        f"{rival['weights_hash'][:12]}, which {first.version} replaced", "vizinho registry verify")
    git(private.clone, "checkout", "--quiet", "--force", MAIN)
    (private.clone / rival["model"]).rename(private.clone / CHAMPION)
    return first.model_copy(update={
        "system": "donor", "model": add_model(private), "exports": (),
        "verdict": first.verdict.model_copy(update={"verdict": None, "wer": served(rival, "wer"), "cer": served(rival, "cer")}),
    })


def merge(private: PrivateClone, commit: str) -> None:
    """Check out main in the clone and merge the run without a commit; keep the pointer of the model.

    A run that main contains already changes nothing.

    Raises:
        PromotionError: main and the run have changed the same lines.
        PipelineError: git failed for another reason.
    """
    pointer = private.clone / f"{CHAMPION}.dvc"
    kept = pointer.read_text(encoding="utf-8")
    pointer.unlink()
    git(private.clone, "checkout", "--quiet", "--force", MAIN)
    try:
        git(private.clone, "merge", "--quiet", "--no-commit", "--ff", "--no-squash", "--no-edit", "--no-verify-signatures", commit)
    except PipelineError as error:
        if not git(private.clone, "ls-files", "--unmerged"):
            raise
        raise PromotionError(f"merging {commit[:9]} into {MAIN}", str(error), "a run that merges without conflicts",
                             "merge main into the run's branch, `dvc repro`, gate and ask again") from None
    write_text(pointer, kept)


def add_model(private: PrivateClone) -> Model:
    """Add data/champion to the DVC cache and write its pointer; return the promoted model."""
    store.dvc(private.clone, "add", CHAMPION)
    oid = store.pointer_hash((private.clone / f"{CHAMPION}.dvc").read_text(encoding="utf-8"))
    files = _hash_folder(private.clone / CHAMPION)
    metadata = read_json(private.clone / CHAMPION / "vizinho.json")
    return Model(dvc=oid, weights_hash=files["model.safetensors"], vocabulary_hash=metadata["vocabulary_hash"], decoder_hash=hash_decoder(files),
                 files=files)


def seal(private: PrivateClone, record: Record, subject: str) -> None:
    """Commit, tag and publish the promotion, and update the checkout."""
    tags_made = commit(private, record, subject)
    publish(private, tags_made)
    log(f"registry: {record.artefact} {record.version} is the champion ({tags_made[-1]})")
    follow(private)


def commit(private: PrivateClone, record: Record, subject: str) -> list[str]:
    """Commit pointer, record and changelog line in the clone and tag the commit; return the tags."""
    gates.write_gate_index(private.clone, 0)  # a new period begins
    git(private.clone, "add", gates.PARAMS, f"{CHAMPION}.dvc", *write_facts(private.clone, record))
    reason = record.approval.override or record.approval.reason or f"Verdict: {record.verdict.verdict or 'none'}."
    git(private.clone, "commit", "--quiet", "--no-verify", "-m", subject, "-m",
        f"{reason}\nRun {record.commit}, WER {100 * record.verdict.wer:.2f} %. By {record.approval.by}.")
    tip = git(private.clone, "rev-parse", "HEAD")
    return [tags.register(private.clone, record.artefact, record.version, tip), tags.assign(private.clone, record.artefact, record.version)]


def push_model(private: PrivateClone, data: list[str]) -> None:
    """Copy the model, and the data that a proof of its record needs, to the DVC remote; log if there is none."""
    if store.has_remote(private.clone):
        store.dvc(private.clone, "push", CHAMPION, *data)
    else:
        log("registry: no DVC remote: the model is only in this machine's cache (`dvc remote add --default NAME URL`)")


# ---- Helpers --------------------------------------------------------------------------------------------------------


def _committed(root: Path, commit: str, path: str) -> bytes:
    try:
        return git_bytes(root, "show", f"{commit}:{path}")
    except PipelineError:
        raise MissingInputError(f"{path} at {commit[:9]}", "not committed", "a run with all of its results committed",
                                "`dvc repro`, then commit dvc.lock, data/score and data/gate") from None


def _verdict_of(candidate: Candidate) -> Verdict:
    challenger = candidate.verdict["challenger"]
    return Verdict(hash=candidate.request.verdict, verdict=candidate.verdict["verdict"], wer=served(challenger, "wer"), cer=served(challenger, "cer"),
                     gates=gates.gate_index_of(candidate.verdict) + 1, policy_hash=policy_hash(candidate.params))


def _hash_folder(folder: Path) -> dict[str, str]:
    return {file.relative_to(folder).as_posix(): hash_file(file) for file in sorted(folder.rglob("*")) if file.is_file()}


def _free_version(private: PrivateClone, *, restoring: bool) -> str:
    """Return the version after those of the records which no tag has: people may have tagged commits by hand."""
    known = [record.version for record in records(private.clone)]
    version = next_version(known, restoring=restoring)
    while tags.exists(private.clone, private.artefact, version):
        known.append(version)
        version = next_version(known, restoring=restoring)
    return version


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def _tag_or_donor(champion: str | None) -> str:
    return champion or "the donor of day one"
