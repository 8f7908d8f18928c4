"""Verification: it passes for an intact registry and reports every change."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.errors import DataError, PipelineError
from pipeline.core.files import hash_bytes
from pipeline.registry import store, tags
from pipeline.registry import verify as verification
from pipeline.registry.git import git
from pipeline.registry.record import Model, Record, Verdict, records
from pipeline.registry.verify import _compare, _figures, verify
from tests.toy_registry import ARTEFACT, Toy


def problems(toy: Toy) -> list[str]:
    return [f"{proof.version}: {problem}" for proof in verify(toy.path) for problem in proof.problems]


def flip(file: Path) -> None:
    """Change one bit in the middle of a file."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.chmod(0o644)
    file.write_bytes(content)


def weights(store: Path, version: str) -> Path:
    generation = {"v0.1.0": b"generation 1\n", "v0.2.0": b"generation 2\n"}[version]
    return next(file for file in (store / "files/md5").rglob("*") if file.is_file() and file.read_bytes().startswith(b"weights of " + generation))


def test_every_record_matches_cache_and_remote(twice: Toy) -> None:
    assert [(proof.version, proof.places, proof.problems) for proof in verify(twice.path)] == [
        ("v0.1.0", ("cache", "remote"), ()), ("v0.2.0", ("cache", "remote"), ()), ("champion", ("checkout",), ())]


def test_on_day_one_nothing_has_to_be_verified(toy: Toy) -> None:
    assert problems(toy) == []


@pytest.mark.parametrize("database", ["cache", "remote"])
def test_a_flipped_bit_is_found_in_its_database(twice: Toy, database: str) -> None:
    flip(weights({"cache": twice.path / ".dvc/cache", "remote": twice.folder / "dvc-remote"}[database], "v0.1.0"))
    assert problems(twice) == [f"v0.1.0: data/champion in {database}: changed: model.safetensors"]


def test_a_missing_model_cannot_be_verified(twice: Toy) -> None:
    weights(twice.folder / "dvc-remote", "v0.2.0").unlink()
    assert problems(twice) == ["v0.2.0: data/champion: not in the DVC remote, only on this machine (`dvc push`)"]
    weights(twice.path / ".dvc/cache", "v0.2.0").unlink()
    assert problems(twice) == ["v0.2.0: data/champion: in neither DVC cache nor remote; cannot be verified (`dvc push` on the machine that made it)"]


def test_a_changed_split_is_found(twice: Toy) -> None:
    files = (file for file in (twice.folder / "dvc-remote/files/md5").rglob("*") if file.is_file())
    flip(next(file for file in files if file.read_bytes().startswith(b'{"left_total"')))
    assert problems(twice) == [f"{version}: data/split/portuguese in remote: changed: certificate.json" for version in ("v0.1.0", "v0.2.0")]


def test_a_record_that_was_edited_later_is_found(twice: Toy) -> None:
    file = twice.path / "registry/records/v0.1.0.json"
    record = json.loads(file.read_text())
    record["verdict"]["hash"] = "0" * 64
    file.write_text(json.dumps(record))
    twice.commit("Edit a record")
    changed, verdict = problems(twice)
    assert "v0.1.0: record: changed since it was written" in changed
    assert "expected 000000000000" in verdict


def test_a_verdict_that_is_not_the_recorded_one_is_found(twice: Toy) -> None:
    run = records(twice.path)[0].commit
    verdict = json.loads(twice.git("show", f"{run}:data/gate/verdict.json"))
    twice.git("checkout", "--quiet", run)
    (twice.path / "data/gate/verdict.json").write_text(json.dumps(verdict | {"verdict": "reject"}))
    other = twice.commit("Replace the verdict")
    twice.git("checkout", "--quiet", "main")
    twice.git("replace", run, other)
    assert any("v0.1.0: verdict: SHA-256" in problem for problem in problems(twice))


def test_a_tag_that_was_moved_or_lost_is_found(twice: Toy) -> None:
    twice.git("tag", "--delete", f"{ARTEFACT}#champion#2")
    without_stage, lost = problems(twice)
    twice.git("tag", "--force", f"{ARTEFACT}@v0.1.0", "HEAD")
    moved = problems(twice)[0]
    assert moved.startswith(f"v0.1.0: tag {ARTEFACT}@v0.1.0: on ")
    assert without_stage == f"v0.2.0: tag {ARTEFACT}#champion#N: none on {twice.git('rev-parse', 'HEAD')[:9]}; expected one (git fetch --tags)"
    assert lost == f"champion: champion.yaml: v0.2.0, but {ARTEFACT}#champion#1 is v0.1.0 (git fetch --tags)"


def test_a_pointer_to_another_model_is_found(twice: Toy) -> None:
    pointer = twice.path / "champion.yaml"
    pointer.write_text(pointer.read_text().replace("v0.2.0", "v0.1.0"))
    assert any("champion: data/champion.dvc:" in problem for problem in problems(twice))


def test_a_model_that_differs_in_the_checkout_is_found(twice: Toy) -> None:
    file = twice.path / "data/champion/model.safetensors"
    content = file.read_bytes()
    file.unlink()
    file.write_bytes(content[:-1] + b"?")
    assert problems(twice) == ["champion: data/champion in the checkout: changed: model.safetensors (dvc checkout --force data/champion)"]
    shutil.rmtree(file.parent)
    assert [proof.places for proof in verify(twice.path)][-1] == ()


def test_a_deleted_record_and_a_moved_stage_tag_are_found(twice: Toy) -> None:
    first = twice.git("rev-parse", f"refs/tags/{ARTEFACT}@v0.1.0^{{commit}}")
    twice.git("tag", "--force", "--message", "moved", f"{ARTEFACT}#champion#1", f"{ARTEFACT}@v0.2.0^{{commit}}")
    assert problems(twice) == [f"v0.1.0: tag {ARTEFACT}#champion#N: none on {first[:9]}; expected one (git fetch --tags)"]
    twice.git("rm", "--quiet", "registry/records/v0.1.0.json")
    twice.commit("Forget the first")
    assert [problem for problem in problems(twice) if "deleted" in problem] == [
        "v0.1.0: record: deleted, but tagged or committed before (git log -- registry/records/v0.1.0.json)"]


@pytest.mark.parametrize(("part", "key", "value", "message"), [
    ("verdict", "wer", 0.01, "record: wer 0.01; expected 0.25, as in the verdict"), ("verdict", "verdict", "reject", "record: verdict reject; "),
    ("verdict", "policy_hash", "0" * 64, "record: policy_hash 0000"), ("model", "decoder_hash", "0" * 64, "model: decoder_hash is not that of"),
    (None, "test_set", "b" * 64, "record: test_set bbbb")])
def test_a_record_that_was_amended_with_its_tags_moved_is_found(twice: Toy, part: str | None, key: str, value: Any, message: str) -> None:
    file = twice.path / "registry/records/v0.2.0.json"
    record = json.loads(file.read_text())
    (record[part] if part else record)[key] = value
    file.write_text(json.dumps(record))
    twice.git("commit", "--quiet", "--all", "--amend", "--no-edit")
    for name in (f"{ARTEFACT}@v0.2.0", f"{ARTEFACT}#champion#2"):
        twice.git("tag", "--force", "--message", "moved", name, "HEAD")
    found, = problems(twice)
    assert found.startswith(f"v0.2.0: {message}")


FIGURES: dict[str, Any] = {"verdict": "promote", "policy_hash": "p", "period": {"gates_before": 1},
                           "challenger": {"system": "transfer", "weights_hash": "new", "wer": 0.3, "cer": 0.2, "wer_served": 0.2, "cer_served": 0.1,
                                          "test_set": "t", "normaliser": "n"},
                           "champion": {"system": "champion", "weights_hash": "old", "wer": 0.5, "cer": 0.4}}


def recorded(restores: str | None = None, form: str = "vizinho.record/3", **changes: Any) -> Record:
    """Return the record of a promotion with that verdict, or of the return to the model that it replaced."""
    figures = {"verdict": "promote", "wer": 0.2, "cer": 0.1, "gates": 2, "policy_hash": "p"}
    if restores == "day-one":
        figures |= {"verdict": None if form == "vizinho.record/3" else "promote", "wer": 0.5, "cer": 0.4}
    top = {"system": "donor" if restores == "day-one" else "transfer", "test_set": "t", "normaliser": "n"}
    weights = changes.pop("weights_hash", "old" if restores == "day-one" else "new")
    top, figures = ({name: changes.get(name, value) for name, value in part.items()} for part in (top, figures))
    return Record.model_construct(form=form, restores=restores, verdict=Verdict.model_construct(hash="", **figures),
                                  model=Model.model_construct(weights_hash=weights), **top)


@pytest.mark.parametrize("restores, form", [(None, "vizinho.record/3"), ("v0.1.0", "vizinho.record/3"), ("day-one", "vizinho.record/3"),
                                            ("day-one", "vizinho.record/2")])
def test_every_figure_of_a_record_is_that_of_its_verdict(restores: str | None, form: str) -> None:
    content = json.dumps(FIGURES).encode()
    assert _figures(recorded(restores, form), content) == []
    assert _figures(recorded(restores, form, policy_hash=None), content) == []
    changes = {"verdict": "reject", "wer": 0.21, "cer": 0.11, "gates": 1, "policy_hash": "q", "weights_hash": "x", "test_set": "u", "normaliser": "m"}
    for name, value in (changes if restores == "day-one" else {**changes, "system": "scratch"}).items():
        found, = _figures(recorded(restores, form, **{name: value}), content)
        assert found.startswith(f"record: {name} {value}; expected ")
    for broken in (b"{", b"[]", json.dumps({**FIGURES, "champion": {}, "challenger": {}}).encode()):
        assert _figures(recorded(restores, form), broken)[0].startswith("verdict: unreadable")


GONE, BROKEN = FileNotFoundError("oid"), DataError("md5", "no JSON", "a listing", "dvc push")
NEITHER, LOCAL = "m: in neither DVC cache nor remote", "m: not in the DVC remote, only on this machine"


@pytest.mark.parametrize(("content", "problems", "hashed"), [
    ({"cache": {"a": "1"}, "remote": {"a": "1"}}, [], {"cache", "remote"}), ({"cache": {"a": "1"}}, [], {"cache"}),
    ({"cache": {"a": "2"}, "remote": {"a": "1"}}, ["m in cache: changed: a"], {"cache", "remote"}),
    ({"cache": {}, "remote": {"a": "1", "b": "2"}}, ["m in cache: changed: a", "m in remote: changed: b"], {"cache", "remote"}),
    ({"cache": GONE, "remote": {"a": "1"}}, [], {"remote"}), ({"cache": {"a": "1"}, "remote": GONE}, [LOCAL], {"cache"}),
    ({"cache": GONE, "remote": GONE}, [NEITHER], set()), ({"cache": GONE}, [NEITHER], set()),
    ({"cache": BROKEN, "remote": {"a": "1"}}, ["m in cache: md5: no JSON"], {"remote"}),
    ({"cache": BROKEN, "remote": GONE}, ["m in cache: md5: no JSON", LOCAL], set()),
])
def test_the_bytes_in_cache_and_remote_are_the_recorded_ones(monkeypatch: pytest.MonkeyPatch, content: dict[str, Any], problems: list[str],
                                                            hashed: set[str]) -> None:
    def hashes(database: Any, oid: str) -> dict[str, str]:
        assert oid == "oid"
        if isinstance(database, Exception):
            raise database
        return dict(database)

    monkeypatch.setattr(store, "hashes", hashes)
    places: set[str] = set()
    found = _compare("m", "oid", {"a": "1"}, content, places)
    assert [line[:len(start)] for line, start in zip(found, problems, strict=True)] == problems
    assert places == hashed


@pytest.mark.parametrize(("change", "problems"), [
    ({}, []), ({"weights_hash": "other"}, ["model: weights_hash is not that of model.safetensors"]),
    ({"decoder_hash": "other"}, ["model: decoder_hash is not that of the files in language_model"]),
    ({"hash": "0" * 64}, [f"verdict: SHA-256 {hash_bytes(b'{}')[:12]} at 000000000; expected 000000000000"]),
    ({"lock": b"stages: {}"}, ["data/split/portuguese: not in dvc.lock of the run"]),
    ({"lock": None}, ["the run cannot be read: git: no such commit"]),
])
def test_a_record_matches_its_run_and_its_own_hashes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, change: dict[str, Any],
                                                    problems: list[str]) -> None:
    lock = change.get("lock", b"stages: {split: {outs: [{path: data/split/portuguese, md5: s.dir}]}}")

    def git_bytes(root: Path, command: str, name: str) -> bytes:
        if lock is None:
            raise PipelineError("git", "no such commit")
        return b"{}" if name.endswith("verdict.json") else lock

    model = Model.model_construct(dvc="m.dir", weights_hash=change.get("weights_hash", "w"), decoder_hash=change.get("decoder_hash"),
                                  files={"model.safetensors": "w"})
    record = Record.model_construct(version="v0.1.0", commit="0" * 40, data={"data/split/portuguese": {"a": "1"}}, model=model,
                                    verdict=Verdict.model_construct(hash=change.get("hash", hash_bytes(b"{}"))))
    compared: list[tuple[str, str]] = []
    monkeypatch.setattr(verification, "read_record", lambda file: record)
    monkeypatch.setattr(verification, "_written_once", lambda *_: [])
    monkeypatch.setattr(verification, "_figures", lambda *_: [])
    monkeypatch.setattr(verification, "git_bytes", git_bytes)
    monkeypatch.setattr(verification, "_compare", lambda what, oid, files, databases, hashed: (
        compared.append((what, oid)) or hashed.add("cache") or []))
    found = verification._prove(tmp_path, tmp_path / "v0.1.0.json", {})
    assert (found.version, found.places, list(found.problems)) == ("v0.1.0", ("cache",), problems)
    assert compared == ([] if "lock" in change else [("data/split/portuguese", "s.dir")]) + [("data/champion", "m.dir")]


def test_a_record_is_committed_once_with_its_tags_and_pointer(clone: Path) -> None:
    record = Record.model_construct(version="v0.1.0", artefact=ARTEFACT, model=Model.model_construct(dvc="m.dir"))
    file, pointer = clone / "registry/records/v0.1.0.json", clone / "data/champion.dvc"
    for path, text in ((file, "{}"), (pointer, "outs: [{md5: m.dir}]")):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def found(**changes: Any) -> list[str]:
        return verification._written_once(clone, file, record.model_copy(update=changes))

    git(clone, "commit", "--quiet", "--allow-empty", "-m", "Start")
    assert found() == ["record: never committed"]
    git(clone, "add", "--all")
    git(clone, "commit", "--quiet", "-m", "Promote")
    first = git(clone, "rev-parse", "HEAD")
    missing = [f"tag {ARTEFACT}@v0.1.0: missing; expected on {first[:9]} (git fetch --tags)",
               f"tag {ARTEFACT}#champion#N: none on {first[:9]}; expected one (git fetch --tags)"]
    assert found() == missing
    tags.register(clone, ARTEFACT, "v0.1.0", "HEAD")
    assert found() == missing[1:]
    tags.assign(clone, ARTEFACT, "v0.1.0")
    assert found() == []
    assert found(version="v0.2.0") == ["record: its version is v0.2.0"]
    assert found(model=Model.model_construct(dvc="other.dir")) == [f"data/champion.dvc at {first[:9]}: m.dir; expected other.dir"]
    file.write_text("{ }")
    changed = ["record: changed since it was written (git log -p -- registry/records/v0.1.0.json)"]
    assert found() == changed
    git(clone, "commit", "--quiet", "--all", "-m", "Edit")
    assert found() == changed
    git(clone, "tag", "--force", "--message", "moved", f"{ARTEFACT}@v0.1.0", "HEAD")
    assert found()[1].startswith(f"tag {ARTEFACT}@v0.1.0: on {git(clone, 'rev-parse', 'HEAD')[:9]}; expected on {first[:9]}")


def test_an_invalid_record_is_reported_with_every_problem(twice: Toy) -> None:
    (twice.path / "registry/records/v0.2.0.json").write_text('{"schema": "vizinho.record/1", "extra": 1}')
    found = next(problem for problem in problems(twice) if problem.startswith("v0.2.0"))
    assert "v0.2.0.extra: unknown key" in found
    assert "v0.2.0.model: missing" in found
