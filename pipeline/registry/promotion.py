"""How a challenger becomes champion, and how an earlier champion comes back.

A promotion is a commit on main: pointer, record, changelog line, and the run's own commit merged. It is made in a
private clone, so that nobody sees a part of it:

1. fetch       the remote's present main and tags, and check the approval against them
2. take        the challenger's folder from DVC, compare it with what was judged, write its model card
3. push_model  to the DVC remote
4. commit      on top of main, with GTO's tags
5. publish     `git push --atomic` of main and tags: the only commit point
6. follow      bring this checkout to the new main and the model

A kill before 5 leaves the old champion, after it the new one; the next start removes the private clone. Without a git
remote named origin the checkout's own main is what is pushed to. The push is as atomic as the receiver's ref transaction.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import yaml

from pipeline.core.errors import DataError, MissingInputError, ParamsError, PipelineError, PromotionError
from pipeline.core.files import hash_bytes, hash_file, lock_free, read_json, state_dir, write_text
from pipeline.core.params import problems_of
from pipeline.core.progress import log
from pipeline.registry import gates, store, tags
from pipeline.registry.card import model_card, read_run
from pipeline.registry.gates import VERDICT
from pipeline.registry.git import git, git_bytes, remote_of, resolves
from pipeline.registry.record import (
    CHAMPION,
    DAY_ONE,
    Approval,
    Judgement,
    Model,
    Record,
    Registry,
    champion,
    next_version,
    records,
    write_facts,
)

MAIN: Final = "main"
PICKLES: Final = {".bin", ".pt", ".pth", ".pkl", ".ckpt"}


@dataclass(frozen=True, slots=True)
class ApprovalRequest:
    """What somebody is asked to approve. An approval holds only while none of it has changed.

    Args:
        commit: the run.
        verdict: SHA-256 of its data/gate/verdict.json.
        champion: tag of the champion that was to be replaced; None on day one.
    """

    commit: str
    verdict: str
    champion: str | None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A run that could be promoted: what to approve, the artefact, and the verdict."""

    request: ApprovalRequest
    artefact: str
    verdict: dict[str, Any]


@dataclass(frozen=True, slots=True)
class PrivateClone:
    """A private clone at the remote's main.

    Args:
        root: the checkout that it is made for.
        remote: where root pushes to: `origin`, or `.` (root itself) where there is none.
        base: the remote's main at the start.
    """

    root: Path
    clone: Path
    remote: str
    artefact: str
    base: str


def read_candidate(root: Path, commit: str = "HEAD") -> Candidate:
    """Return the candidate of the run at `commit`, with what has to be approved to promote it.

    Raises:
        PipelineError: the commit is missing, or it has no verdict.
        DataError: its verdict is not the one that its dvc.lock names: the run is not committed whole.
    """
    found = resolves(root, commit)
    if found is None:
        raise MissingInputError(commit, "no such commit here", "the commit of a run", "fetch its branch")
    verdict = _committed(root, found, VERDICT)
    called = store.locked(yaml.safe_load(_committed(root, found, "dvc.lock"))).get(VERDICT)
    if hashlib.md5(verdict).hexdigest() != called:
        raise DataError(f"{VERDICT} at {found[:9]}", "not the verdict of its dvc.lock", "what the gate wrote",
                        "`dvc repro gate`, then commit dvc.lock and data/gate together")
    section = yaml.safe_load(_committed(root, found, "params.yaml")).get("registry")
    if problems := problems_of(Registry, section, "registry"):
        raise ParamsError(f"params.yaml at {found[:9]}", problems)
    artefact = Registry.model_validate(section).artefact
    now = tags.current(root, artefact)
    return Candidate(ApprovalRequest(found, hash_bytes(verdict), now.tag if now else None), artefact, json.loads(verdict))


def promote(root: Path, request: ApprovalRequest, by: str, override: str | None = None, reason: str | None = None) -> Record:
    """Make the approved run's challenger the champion; return its record.

    A promotion that was killed after its commit point is found done and not made twice.

    Args:
        root: the checkout.
        request: what was approved.
        by: who or what approved.
        override: why it is promoted although the verdict is not *promote*.
        reason: why it was approved.

    Raises:
        PromotionError: the approval no longer holds, the verdict forbids it, or another promotion came first.
        DataError: the model is not the one that was judged.
        PipelineError: git or DVC failed; the champion is unchanged.
    """
    root = root.resolve()
    candidate = read_candidate(root, request.commit)
    with _private_clone(root, candidate.artefact) as private:
        in_use, replaced = champion(private.clone)
        if replaced and (replaced.commit, replaced.verdict.hash, replaced.approval.champion) == (request.commit, request.verdict, request.champion):
            log(f"registry: {request.commit[:9]} is already {replaced.version}")
            follow(private)
            return replaced
        check(private, candidate, request, in_use, replaced, override)
        judged = candidate.verdict["challenger"]
        version = next_version([record.version for record in records(private.clone)], restoring=False)
        replaces = [] if replaced else [in_use]  # day one's model has no record: it is kept for a rollback
        data = take(private, candidate, replaces)
        write_text(private.clone / CHAMPION / "README.md", model_card(
            read_run(private.clone, CHAMPION), artefact=private.artefact, version=version, system=judged["system"], commit=request.commit,
            override=override))
        record = Record(
            artefact=private.artefact, version=version, restores=None, replaces=replaced.version if replaced else None,
            promoted_at=_now(), system=judged["system"], commit=request.commit, model=add_model(private), data=data,
            test_set=judged["test_set"], normaliser=judged["normaliser"], verdict=_judgement(candidate),
            approval=Approval(by=by, at=_now(), champion=request.champion, override=override, reason=reason),
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
        PromotionError: it is in use already, or another promotion came first.
        DataError: there is no such record, or its model is no longer what was promoted.
        PipelineError: git or DVC failed; the champion is unchanged.
    """
    root = root.resolve()
    if not reason.strip():
        raise ParamsError("registry rollback", ["reason: empty; expected why the earlier model has to come back"])
    _, here = champion(root)
    if here is None:
        raise PromotionError("registry", "nothing was promoted yet", "an earlier record", "git pull, if others have promoted")
    with _private_clone(root, here.artefact) as private:
        known = {record.version: record for record in records(private.clone)}
        _, replaced = champion(private.clone)
        if version != DAY_ONE and version not in known:
            raise DataError(f"registry {version}", "no such record", f"one of {', '.join([DAY_ONE, *known])}", "vizinho registry list")
        earlier = take_day_one(private, next(iter(known.values()))) if version == DAY_ONE else take_record(private, known[version])
        if replaced is None or earlier.model == replaced.model:
            raise PromotionError(f"registry {version}", "its model is already in use", "another model", "vizinho registry list")
        now = tags.current(private.clone, private.artefact)
        record = earlier.model_copy(update={
            "version": next_version(list(known), restoring=True), "restores": version, "replaces": replaced.version,
            "promoted_at": _now(), "approval": Approval(by=by, at=_now(), champion=now.tag if now else None, reason=reason),
        })
        push_model(private, [])
        seal(private, record, f"Bring {private.artefact} {version} back as {record.version}")
        return record


# ---- Steps ----------------------------------------------------------------------------------------------------------


@contextmanager
def _private_clone(root: Path, artefact: str) -> Iterator[PrivateClone]:
    """Yield a private clone at the remote's main, one at a time for a checkout; what a kill left is removed first.

    Raises:
        PromotionError: another promotion runs in this checkout.
    """
    place = state_dir(root) / "registry" / hash_bytes(str(root).encode())[:12]
    place.mkdir(parents=True, exist_ok=True)
    clone = place / "clone"
    with open(place / "lock", "w") as handle:
        if not lock_free(handle):
            raise PromotionError("registry", "another promotion is running in this checkout", "one at a time",
                                 "wait for it, look at the new champion and start again")
        shutil.rmtree(clone, ignore_errors=True)
        try:
            yield fetch(root, clone, artefact)
        finally:
            shutil.rmtree(clone, ignore_errors=True)


def fetch(root: Path, clone: Path, artefact: str) -> PrivateClone:
    """Return the private clone, at what main and the artefact's tags are on the remote now.

    They are kept in root under refs/vizinho, so that its own branches and tags stay as they are; with them the branches
    of runs, whose verdicts count (`registry.gates`).
    """
    remote = remote_of(root)
    if remote == "." and git(root, "branch", "--show-current") == MAIN and git(root, "status", "--porcelain", "--untracked-files=no"):
        raise PromotionError(str(root), "uncommitted changes on main", "a clean checkout, as there is no remote named origin",
                             "commit or stash them")
    gates.fetch_runs(root)
    git(root, "fetch", "--quiet", "--no-tags", "--prune", remote, f"+refs/heads/{MAIN}:refs/vizinho/{MAIN}",
        *(f"+refs/tags/{artefact}{kind}*:refs/vizinho/tags/{artefact}{kind}*" for kind in "@#"))
    base = git(root, "rev-parse", f"refs/vizinho/{MAIN}")
    git(root, "clone", "--quiet", "--shared", "--no-checkout", "--no-tags", ".", str(clone))
    git(clone, "fetch", "--quiet", "--no-tags", str(root), "+refs/vizinho/tags/*:refs/tags/*")
    git(clone, "checkout", "--quiet", "--force", "-B", MAIN, base)
    name, _, rest = git(root, "var", "GIT_COMMITTER_IDENT").partition(" <")
    git(clone, "config", "user.name", name)
    git(clone, "config", "user.email", rest.partition(">")[0])
    store.share(root, clone)
    return PrivateClone(root, clone, remote, artefact, base)


def check(private: PrivateClone, candidate: Candidate, request: ApprovalRequest, in_use: str, replaced: Record | None, override: str | None) -> None:
    """Check that an approval still holds and suffices.

    Args:
        private: the private clone.
        candidate: the run.
        request: what was approved.
        in_use: folder of the champion on main.
        replaced: its record; None on day one.
        override: why it is promoted although the verdict is not *promote*.

    Raises:
        PromotionError: with what has changed, or what the verdict is.
        ParamsError: an override of a verdict that needs none.
    """
    found = tags.current(private.clone, private.artefact)
    tag = found.tag if found else None
    if tag != request.champion:
        raise PromotionError("approval", f"the champion is {_named(tag)} now", f"{_named(request.champion)}, which it was given for",
                             "git fetch --tags, gate against the new champion and ask again")
    if candidate.request.verdict != request.verdict:
        raise PromotionError("approval", f"the verdict at {request.commit[:9]} is {candidate.request.verdict[:12]}",
                             f"{request.verdict[:12]}, which it was given for", "look at the verdict and ask again")
    if replaced and replaced.artefact != private.artefact:
        raise PromotionError(f"registry.artefact at {request.commit[:9]}", private.artefact, f"{replaced.artefact}, as the champion on main",
                             "keep one clone and main branch for each profile: their models are never compared")
    rival = candidate.verdict["champion"]
    if not compares_with_champion(candidate, in_use, replaced):
        raise PromotionError(f"verdict at {request.commit[:9]}", f"it compares with {rival['model']}, weights {str(rival['weights_hash'])[:12]}",
                             f"{replaced.version if replaced else in_use}, the champion on main", "merge main, `dvc repro` and ask again")
    verdict, index = candidate.verdict["verdict"], gates.gate_index_of(candidate.verdict)
    if verdict != "promote" and not override:
        raise PromotionError(f"verdict at {request.commit[:9]}", str(verdict), "promote", "override it with a reason, or keep the champion")
    twice = gates.index_used_twice(private.root, candidate.verdict)
    if twice and not override:
        raise PromotionError(f"verdict at {request.commit[:9]}", f"gate {index + 1} of its period, as another verdict is",
                             "a gate index that no other evidence has: that error level was spent",
                             "`vizinho registry gates --write`, `dvc repro gate`, commit and ask again")
    if verdict == "promote" and override and not twice:
        raise ParamsError("registry promote", ["override: the verdict is promote; there is nothing to override"])


def compares_with_champion(candidate: Candidate, in_use: str, replaced: Record | None) -> bool:
    """Return whether a verdict compares with the champion, as `record.champion` gives it."""
    rival = candidate.verdict["champion"]
    return bool(rival["weights_hash"] == replaced.model.weights_hash if replaced else rival["model"] == in_use)


def take(private: PrivateClone, candidate: Candidate, replaces: list[str]) -> dict[str, dict[str, str]]:
    """Check out the run in the clone, with its model as data/champion and its splits; return the splits' hashes.

    Args:
        private: the private clone.
        candidate: the run.
        replaces: folders of models that are checked out too.

    Raises:
        DataError: the model is not the one that was judged, or has pickled weights.
    """
    commit, judged = candidate.request.commit, candidate.verdict["challenger"]
    git(private.clone, "checkout", "--quiet", "--force", "--detach", commit)
    lock = yaml.safe_load((private.clone / "dvc.lock").read_text(encoding="utf-8"))
    outs, folder = store.locked(lock), f"data/train/{judged['system']}"
    learned_from = {dep["path"] for dep in lock["stages"].get(f"train@{judged['system']}", {}).get("deps", ())}
    splits = sorted(path for path in outs if path.startswith("data/split/") or (path.startswith("data/align/") and path in learned_from))
    if folder not in outs:
        raise MissingInputError(f"dvc.lock at {commit[:9]}", f"no {folder}", "the challenger's model", "commit dvc.lock of the whole run")
    store.take(private.clone, [folder, *splits, *replaces])
    if pickles := [file.name for file in (private.clone / folder).rglob("*") if file.suffix in PICKLES]:
        raise DataError(folder, f"pickled weights ({', '.join(sorted(pickles))})", "model.safetensors alone", "convert them, and train again")
    weights = hash_file(private.clone / folder / "model.safetensors")
    if weights != judged["weights_hash"]:
        raise DataError(f"{folder}/model.safetensors at {commit[:9]}", f"SHA-256 {weights[:12]}",
                        f"{str(judged['weights_hash'])[:12]}, which was judged", "`dvc repro`, then commit dvc.lock and data/gate together")
    (private.clone / folder).rename(private.clone / CHAMPION)
    return {split: _hash_folder(private.clone / split) for split in splits}


def take_record(private: PrivateClone, record: Record) -> Record:
    """Lay the model of an earlier record out as data/champion; return the record.

    Raises:
        DataError: the model is not what was promoted.
    """
    git(private.clone, "checkout", "--quiet", f"refs/tags/{private.artefact}@{record.version}", "--", f"{CHAMPION}.dvc")
    store.take(private.clone, [CHAMPION])
    if (found := _hash_folder(private.clone / CHAMPION)) != record.model.files:
        changed = [name for name in {**found, **record.model.files} if found.get(name) != record.model.files.get(name)]
        raise DataError(f"registry {record.version}", f"changed: {', '.join(sorted(changed))}", "the promoted files", "vizinho registry verify")
    return record


def take_day_one(private: PrivateClone, first: Record) -> Record:
    """Lay the model that the first promotion replaced out as data/champion; return a record of it, by that promotion's run.

    Its figures are those that it was the rival with. It is the donor byte for byte, without a model card.

    Raises:
        DataError: the run's verdict, or the model, is not what it was.
    """
    committed = _committed(private.clone, first.commit, VERDICT)
    if hash_bytes(committed) != first.verdict.hash:
        raise DataError(f"verdict at {first.commit[:9]}", hash_bytes(committed)[:12], f"{first.verdict.hash[:12]}, as recorded",
                        "vizinho registry verify")
    rival = json.loads(committed)["champion"]
    git(private.clone, "checkout", "--quiet", "--force", "--detach", first.commit)
    store.take(private.clone, [rival["model"]])
    weights = hash_file(private.clone / rival["model"] / "model.safetensors")
    if weights != rival["weights_hash"]:
        raise DataError(f"{rival['model']}/model.safetensors at {first.commit[:9]}", f"SHA-256 {weights[:12]}",
                        f"{rival['weights_hash'][:12]}, which {first.version} replaced", "vizinho registry verify")
    git(private.clone, "checkout", "--quiet", "--force", MAIN)
    (private.clone / rival["model"]).rename(private.clone / CHAMPION)
    return first.model_copy(update={
        "system": "donor", "model": add_model(private), "verdict": first.verdict.model_copy(update={"wer": rival["wer"], "cer": rival["cer"]}),
    })


def merge(private: PrivateClone, commit: str) -> None:
    """Put the clone on main with the run merged, not yet committed, the model's pointer kept.

    A run that main holds already changes nothing.

    Raises:
        PromotionError: main and the run have changed the same lines.
    """
    pointer = private.clone / f"{CHAMPION}.dvc"
    kept = pointer.read_text(encoding="utf-8")
    pointer.unlink()
    git(private.clone, "checkout", "--quiet", "--force", MAIN)
    try:
        git(private.clone, "merge", "--quiet", "--no-commit", commit)
    except PipelineError as error:
        raise PromotionError(f"merging {commit[:9]} into {MAIN}", str(error), "a run that main can take in",
                             "merge main into the run's branch, `dvc repro`, gate and ask again") from None
    write_text(pointer, kept)


def add_model(private: PrivateClone) -> Model:
    """Put data/champion into the DVC cache and write its pointer; return what is promoted."""
    store.dvc(private.clone, "add", CHAMPION)
    oid = store.pointed((private.clone / f"{CHAMPION}.dvc").read_text(encoding="utf-8"))
    files = _hash_folder(private.clone / CHAMPION)
    about = read_json(private.clone / CHAMPION / "vizinho.json")
    return Model(dvc=oid, weights_hash=files["model.safetensors"], vocabulary_hash=about["vocabulary_hash"], files=files)


def seal(private: PrivateClone, record: Record, subject: str) -> None:
    """Commit and tag the facts, publish them, and let the checkout follow."""
    made = commit(private, record, subject)
    publish(private, made)
    log(f"registry: {record.artefact} {record.version} is the champion ({made[-1]})")
    follow(private)


def commit(private: PrivateClone, record: Record, subject: str) -> list[str]:
    """Commit pointer, record and changelog line in the clone and tag the commit; return the tags."""
    gates.write_gate_index(private.clone, 0)  # a new period begins
    git(private.clone, "add", gates.PARAMS, f"{CHAMPION}.dvc", *write_facts(private.clone, record))
    why = record.approval.override or record.approval.reason or f"Verdict: {record.verdict.verdict}."
    git(private.clone, "commit", "--quiet", "--no-verify", "-m", subject, "-m",
        f"{why}\nRun {record.commit}, WER {100 * record.verdict.wer:.2f} %. By {record.approval.by}.")
    tip = git(private.clone, "rev-parse", "HEAD")
    return [tags.register(private.clone, record.artefact, record.version, tip), tags.assign(private.clone, record.artefact, record.version)]


def push_model(private: PrivateClone, data: list[str]) -> None:
    """Copy the model, and the data that a proof of its record needs, to the DVC remote; where there is none, say so."""
    if store.has_remote(private.clone):
        store.dvc(private.clone, "push", CHAMPION, *data)
    else:
        log("registry: no DVC remote: the model is in this machine's cache alone (`dvc remote add --default NAME URL`)")


def publish(private: PrivateClone, made: list[str]) -> None:
    """Push main and the tags, all or none: the commit point.

    Raises:
        PromotionError: another push came first.
        PipelineError: the remote cannot be reached, or refuses.
    """
    names = [f"refs/heads/{MAIN}", *(f"refs/tags/{tag}" for tag in made)]
    objects = [git(private.clone, "rev-parse", name) for name in names]
    git(private.root, "fetch", "--quiet", "--no-tags", str(private.clone), *names)
    receive = ["--receive-pack=git -c receive.denyCurrentBranch=updateInstead receive-pack"] if private.remote == "." else []
    try:
        git(private.root, "push", "--quiet", "--atomic", *receive, private.remote,
            *(f"{found}:{name}" for found, name in zip(objects, names, strict=True)))
    except PipelineError as error:
        there = git(private.root, "ls-remote", private.remote, names[0]).split()
        if there[:1] == objects[:1]:
            return  # it arrived, only the answer did not
        if there[:1] != [private.base]:
            raise PromotionError(f"{MAIN} on {private.remote}", f"another push came first ({there[0][:9] if there else 'no such branch'})",
                                 f"{private.base[:9]}, as at the start", "look at the champion and start again") from None
        raise error


def follow(private: PrivateClone) -> None:
    """Bring the checkout to the new main and check out the champion's model; log what prevents it."""
    on_main = git(private.root, "branch", "--show-current") == MAIN
    try:
        if private.remote != ".":
            git(private.root, "fetch", "--quiet", "--tags", private.remote, MAIN)
            if on_main:
                git(private.root, "merge", "--quiet", "--ff-only", "FETCH_HEAD")
        if on_main:
            store.take(private.root, [CHAMPION])
    except PipelineError as error:
        log(f"registry: done, but this checkout stays behind ({error}); `git pull --tags && dvc checkout {CHAMPION}`")


# ---- Helpers --------------------------------------------------------------------------------------------------------


def _committed(root: Path, commit: str, path: str) -> bytes:
    try:
        return git_bytes(root, "show", f"{commit}:{path}")
    except PipelineError:
        raise MissingInputError(f"{path} at {commit[:9]}", "not committed", "a run, committed whole",
                                "`dvc repro`, then commit dvc.lock, data/score and data/gate") from None


def _judgement(candidate: Candidate) -> Judgement:
    judged = candidate.verdict["challenger"]
    return Judgement(hash=candidate.request.verdict, verdict=candidate.verdict["verdict"], wer=judged["wer"], cer=judged["cer"],
                     gates=gates.gate_index_of(candidate.verdict) + 1)


def _hash_folder(folder: Path) -> dict[str, str]:
    return {file.relative_to(folder).as_posix(): hash_file(file) for file in sorted(folder.rglob("*")) if file.is_file()}


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def _named(champion: str | None) -> str:
    return champion or "the donor of day one"
