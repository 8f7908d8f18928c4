"""Promotion and rollback: their results, and what they refuse."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jsonschema
import pytest
import yaml

from pipeline.core.errors import DataError, MissingInputError, ParamsError, PipelineError, PromotionError
from pipeline.core.files import ROOT, hash_bytes, hash_file, read_json
from pipeline.registry import promotion, store, tags
from pipeline.registry.git import git
from pipeline.registry.private_clone import PrivateClone
from pipeline.registry.promotion import (
    ApprovalRequest,
    Candidate,
    check,
    is_promoted,
    promote,
    read_candidate,
    read_verdict,
    refuse_without_override,
    rollback,
)
from pipeline.registry.record import DECODER, Approval, Model, Record, Verdict, champion, changelog_line, records
from pipeline.registry.store import dvc
from pipeline.registry.verify import verify
from tests.toy_registry import ARTEFACT, Toy

SCHEMA = read_json(ROOT / "docs/schemas/record.json")


def folder(path: Path) -> dict[str, str]:
    return {file.relative_to(path).as_posix(): hash_file(file) for file in path.rglob("*") if file.is_file()}


# ---- Results ---------------------------------------------------------------------------------------------------------


def test_a_promotion_is_one_commit_on_the_run_with_pointer_record_and_changelog_line(once: Toy) -> None:
    changed = once.git("show", "--name-only", "--format=", "HEAD").split()
    assert changed == ["CHANGELOG.md", "champion.yaml", "data/champion.dvc", "registry/records/v0.1.0.json"]
    record = records(once.path)[0]
    assert once.git("rev-parse", "HEAD^") == record.commit
    assert once.in_use() == "v0.1.0"
    assert git(once.origin, "rev-parse", "main") == once.git("rev-parse", "HEAD")
    assert champion(once.path) == ("data/champion", record)
    assert (once.path / "champion.yaml").read_text().startswith("# The model in use.")
    assert changelog_line(record) in (once.path / "CHANGELOG.md").read_text().splitlines()
    assert once.git("status", "--porcelain") == ""


def test_the_model_card_has_front_matter_and_the_measured_figures(twice: Toy) -> None:
    card = (twice.path / "data/champion/README.md").read_text()
    front = yaml.safe_load(card.split("---\n")[1])
    assert front["pipeline_tag"] == "automatic-speech-recognition"
    assert [metric["value"] for metric in front["model-index"][0]["results"][0]["metrics"]] == [25.0, 10.0]
    assert "| **this model** | 25.00 (24.00 to 26.00) | 10.00 (9.00 to 11.00) |" in card
    assert "Of 9 of these utterances" in card and "| noise 20 db | 60.00 (59.00 to 61.00) | 30.00 (29.00 to 31.00) |" in card
    assert "| toy (portuguese) | 2 | 2 | 1.00 | CC0-1.0 |" in card
    assert f"git checkout {records(twice.path)[-1].commit}\ndvc repro train@transfer" in card
    for heading in ("Intended use", "Evaluation", "Data and licences", "Limits", "Reproduce"):
        assert f"## {heading}\n" in card


def test_a_fresh_clone_gets_the_champion_by_one_pull_or_by_its_tag(twice: Toy) -> None:
    other = twice.clone("fresh")
    dvc(other.path, "pull", "data/champion")
    assert folder(other.path / "data/champion") == folder(twice.path / "data/champion")
    dvc(other.path, "artifacts", "get", str(twice.origin), f"{ARTEFACT}", "--rev", "v0.1.0", "--out", "first",
        "--remote-config", f"url={twice.folder / 'dvc-remote'}")
    assert hash_file(other.path / "first/model.safetensors") == records(twice.path)[0].model.weights_hash


@pytest.mark.slow
def test_after_a_promotion_the_next_run_compares_with_the_new_champion(once: Toy) -> None:
    dvc(once.path, "repro", "--quiet")
    assert read_json(once.path / "data/gate/verdict.json")["champion"]["model"] == "data/champion"


@pytest.mark.slow
def test_without_any_remote_a_promotion_ends_in_the_checkout_and_logs_that(toy: Toy, capsys: pytest.CaptureFixture[str]) -> None:
    toy.git("remote", "remove", "origin")
    config = toy.path / ".dvc/config"
    config.write_text(config.read_text().replace("    remote = store\n", ""))
    toy.commit("Do without remotes")
    record = promote(toy.path, read_candidate(toy.path).request, "Ana Reis")
    assert "no DVC remote" in capsys.readouterr().out
    assert champion(toy.path)[1] == record
    assert folder(toy.path / "data/champion") == record.model.files
    assert toy.git("status", "--porcelain") == ""


@pytest.mark.slow
def test_a_run_on_a_branch_is_merged_into_a_newer_main_and_an_override_is_recorded(toy: Toy) -> None:
    toy.git("switch", "--quiet", "--create", "retrain/2026-11-22-ab12")
    commit = toy.run(2, verdict="inconclusive")
    toy.git("switch", "--quiet", "main")
    (toy.path / "notes.md").write_text("meanwhile\n")
    toy.commit("Write notes")
    toy.git("push", "--quiet", "origin", "main")
    record = promote(toy.path, read_candidate(toy.path, "retrain/2026-11-22-ab12").request, "Ana Reis", override="too few speakers; checked by ear")
    assert toy.in_use() == "v0.1.0"
    assert commit in toy.git("show", "--no-patch", "--format=%P", "HEAD").split()
    assert (toy.path / "notes.md").exists()
    assert "generation 2" in (toy.path / "data/champion/model.safetensors").read_text()
    assert (record.verdict.verdict, record.approval.override) == ("inconclusive", "too few speakers; checked by ear")
    assert "overridden: too few speakers" in (toy.path / "CHANGELOG.md").read_text()
    assert "although the gate's verdict was not promote" in (toy.path / "data/champion/README.md").read_text()


@pytest.mark.parametrize("commit", ["HEAD^", "HEAD"])
@pytest.mark.parametrize("tag", [None, f"{ARTEFACT}#champion#1"])
def test_a_finished_promotion_is_not_repeated(once: Toy, commit: str, tag: str | None) -> None:
    """Whatever the checkout knew after a kill: HEAD may be the run or the promotion, the tag may have arrived."""
    approval = ApprovalRequest(once.git("rev-parse", commit), records(once.path)[0].verdict.hash, tag)
    tip = git(once.origin, "rev-parse", "main")
    assert promote(once.path, approval, "Ana Reis") == records(once.path)[0]
    assert git(once.origin, "rev-parse", "main") == tip


# ---- Rollback -------------------------------------------------------------------------------------------------------


def test_a_rollback_restores_the_earlier_model_byte_for_byte_as_a_new_version(twice: Toy) -> None:
    first = records(twice.path)[0]
    fresh = twice.clone("fresh")
    record = rollback(fresh.path, "v0.1.0", "Ana Reis", "numbers are transcribed wrongly")
    assert twice.in_use() == "v0.2.1"
    assert (record.restores, record.replaces, record.approval.reason) == ("v0.1.0", "v0.2.0", "numbers are transcribed wrongly")
    assert (record.model, record.verdict, record.commit) == (first.model, first.verdict, first.commit)
    assert folder(fresh.path / "data/champion") == first.model.files
    jsonschema.validate(read_json(fresh.path / "registry/records/v0.2.1.json"), SCHEMA)
    assert [found.version for found in tags.history(fresh.path, ARTEFACT)] == ["v0.1.0", "v0.2.0", "v0.2.1"]


@pytest.mark.slow
def test_day_one_can_be_restored(once: Toy) -> None:
    donor = folder(once.path / "data/donor")
    fresh = once.clone("fresh")  # without the run's data: the promotion pushed what a rollback needs
    record = rollback(fresh.path, "day-one", "Ana Reis", "worse than nothing")
    assert once.in_use() == "v0.1.1"
    assert (record.restores, record.replaces, record.system, record.model.files) == ("day-one", "v0.1.0", "donor", donor)
    assert (record.verdict.verdict, record.verdict.wer, record.verdict.cer) == (None, 0.9, 0.4)
    assert folder(fresh.path / "data/champion") == donor
    jsonschema.validate(read_json(fresh.path / "registry/records/v0.1.1.json"), SCHEMA)
    assert [proof.problems for proof in verify(fresh.path)] == [(), (), ()]


@pytest.mark.slow
def test_after_day_one_a_later_model_can_be_restored_but_not_day_one_again(once: Toy) -> None:
    fresh = once.clone("fresh")
    rollback(fresh.path, "day-one", "Ana Reis", "worse than nothing")
    with pytest.raises(PromotionError, match="its model is already in use"):
        rollback(fresh.path, "day-one", "Ana Reis", "again")
    assert rollback(fresh.path, "v0.1.0", "Ana Reis", "it was not so bad").version == "v0.1.2"
    assert folder(fresh.path / "data/champion") == records(fresh.path)[0].model.files


def test_day_one_is_restored_only_with_the_weights_of_the_verdict(once: Toy) -> None:
    for database in (once.path / ".dvc/cache", once.folder / "dvc-remote"):
        for file in database.rglob("*"):
            if file.is_file() and file.read_bytes().startswith(b"weights of the donor"):
                file.chmod(0o644)
                file.write_text("other weights")
    with pytest.raises(PipelineError, match="data/donor"):
        rollback(once.path, "day-one", "Ana Reis", "worse than nothing")
    assert once.in_use() == "v0.1.0"


@pytest.mark.parametrize(("version", "reason", "error", "message"), [
    ("v0.1.0", " ", ParamsError, "reason: empty"),
    ("v0.2.0", "why not", PromotionError, "its model is already in use"),
    ("v0.9.0", "why not", DataError, "no such record; expected one of day-one, v0.1.0, v0.2.0"),
])
def test_an_unsuitable_rollback_is_refused(twice: Toy, version: str, reason: str, error: type[PipelineError], message: str) -> None:
    with pytest.raises(error, match=message):
        rollback(twice.path, version, "Ana Reis", reason)
    assert twice.in_use() == "v0.2.0"


def test_on_day_one_a_rollback_is_refused(toy: Toy) -> None:
    for version in ("v0.1.0", "day-one"):
        with pytest.raises(PromotionError, match="nothing was promoted yet"):
            rollback(toy.path, version, "Ana Reis", "why not")


# ---- What is refused ------------------------------------------------------------------------------------------------


def test_an_approval_is_valid_for_one_champion_and_one_verdict_only(twice: Toy) -> None:
    approval = read_candidate(twice.path, records(twice.path)[0].commit).request
    with pytest.raises(PromotionError, match=r"the champion is asr-pt-toy#champion#2 now; expected the donor of day one"):
        promote(twice.path, replace(approval, champion=None), "Ana Reis")
    with pytest.raises(PromotionError, match=r"the verdict at \w+ is \w+; expected 000000000000, which it was given for"):
        promote(twice.path, replace(approval, verdict="0" * 64), "Ana Reis")
    assert twice.in_use() == "v0.2.0"


def test_a_verdict_against_an_earlier_champion_is_refused(twice: Toy) -> None:
    with pytest.raises(PromotionError, match=r"it compares with data/donor, weights \w+; expected v0\.2\.0, the champion on main"):
        promote(twice.path, read_candidate(twice.path, records(twice.path)[0].commit).request, "Ana Reis")
    assert twice.in_use() == "v0.2.0"


def test_a_verdict_other_than_promote_needs_an_override(toy: Toy) -> None:
    toy.run(1, verdict="reject")
    with pytest.raises(PromotionError, match="reject; expected promote"):
        promote(toy.path, read_candidate(toy.path).request, "Ana Reis")
    assert toy.in_use() is None


def test_a_profile_never_replaces_the_champion_of_another(once: Toy) -> None:
    params = yaml.safe_load((once.path / "params.yaml").read_text())
    params["registry"]["artefact"] = "asr-pt-xlsr"
    (once.path / "params.yaml").write_text(yaml.safe_dump(params))
    once.commit("Use another profile")
    with pytest.raises(PromotionError, match="asr-pt-xlsr; expected asr-pt-toy, as the champion on main"):
        promote(once.path, read_candidate(once.path).request, "Ana Reis")


def test_a_verdict_that_is_not_the_one_of_dvc_lock_is_refused(toy: Toy) -> None:
    verdict = toy.path / "data/gate/verdict.json"
    verdict.write_text(verdict.read_text().replace("0.5", "0.1"))
    toy.commit("Edit the error rates")
    with pytest.raises(DataError, match=r"not the verdict of its dvc\.lock"):
        read_candidate(toy.path)


def test_a_model_other_than_that_of_the_verdict_is_refused(toy: Toy) -> None:
    verdict = read_json(toy.path / "data/gate/verdict.json")
    params = yaml.safe_load((toy.path / "params.yaml").read_text())
    params["train"]["generation"] = 2
    (toy.path / "params.yaml").write_text(yaml.safe_dump(params))
    dvc(toy.path, "repro", "--quiet", "train@transfer")
    toy.commit("Train again without a gate")
    assert read_json(toy.path / "data/gate/verdict.json") == verdict
    with pytest.raises(DataError, match="as in the verdict"):
        promote(toy.path, read_candidate(toy.path).request, "Ana Reis")
    assert toy.in_use() is None


@pytest.mark.slow
def test_pickled_weights_are_refused(toy: Toy) -> None:
    make = toy.path / "make.py"
    make.write_text(make.read_text().replace('f"{folder}/config.json", "{}"', 'f"{folder}/pytorch_model.bin", "{}"'))
    dvc(toy.path, "repro", "--quiet", "--force", "--single-item", "train@transfer")
    toy.commit("Pickle")
    with pytest.raises(DataError, match=r"pickled weights \(pytorch_model\.bin\)"):
        promote(toy.path, read_candidate(toy.path).request, "Ana Reis")


@pytest.mark.slow
def test_a_run_that_conflicts_with_main_is_refused(toy: Toy) -> None:
    toy.git("switch", "--quiet", "--create", "retrain")
    toy.run(2)
    toy.git("switch", "--quiet", "main")
    params = toy.path / "params.yaml"
    params.write_text(params.read_text().replace("generation: 1", "generation: 7"))
    toy.commit("Change the same params")
    toy.git("push", "--quiet", "origin", "main")
    with pytest.raises(PromotionError, match="merge main into the run's branch"):
        promote(toy.path, read_candidate(toy.path, "retrain").request, "Ana Reis")
    assert toy.in_use() is None


@pytest.mark.slow
def test_a_remote_that_refuses_leaves_the_old_champion(toy: Toy) -> None:
    hook = toy.origin / "hooks/pre-receive"
    hook.write_text("#!/bin/sh\necho main is closed for the holidays >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(PipelineError, match="main is closed for the holidays"):
        promote(toy.path, read_candidate(toy.path).request, "Ana Reis")
    assert toy.in_use() is None
    assert toy.git("tag") == ""


def test_a_commit_without_a_run_is_refused(toy: Toy) -> None:
    with pytest.raises(MissingInputError, match="no such commit here"):
        read_candidate(toy.path, "nowhere")
    toy.git("rm", "--quiet", "--cached", "data/gate/verdict.json")
    toy.git("commit", "--quiet", "-m", "Forget the verdict")
    with pytest.raises(MissingInputError, match="not committed"):
        read_candidate(toy.path)


# ---- Checks of an approval -------------------------------------------------------------------------------------------

VERDICT: dict[str, Any] = {
    "verdict": "promote", "rules": [{"name": "improvement", "enabled": True, "passed": True}], "period": {"gates_before": 0},
    "challenger": {"system": "transfer", "weights_hash": "new", "decoder": None, "wer": 0.0, "cer": 1_000.0, "test_set": "t", "normaliser": "n"},
    "champion": {"system": "champion", "weights_hash": "old", "decoder": None, "wer": 1_000.0, "cer": 0.0, "model": "data/donor"}}
REQUEST = ApprovalRequest("0" * 40, "verdict", None)
OLD = "0" * 32 + ".dir"


def lock(folder: str, oid: str = OLD) -> dict[str, Any]:
    """Return a dvc.lock whose gate read the transcripts of a champion in this folder."""
    read = {"path": "data/transcribe/champion.json", "md5": "1"}
    return {"stages": {"donor": {"outs": [{"path": "data/donor", "md5": OLD}]}, "gate": {"deps": [read]},
                       "transcribe@champion": {"deps": [{"path": folder, "md5": oid}], "outs": [read]}}}


def recorded(verdict: str = "earlier", weights: str = "old", artefact: str = ARTEFACT, restores: str | None = None) -> Record:
    return Record.model_construct(version="v0.1.0", artefact=artefact, restores=restores, verdict=SimpleNamespace(hash=verdict),
                                  model=SimpleNamespace(weights_hash=weights, dvc=OLD))


@pytest.mark.parametrize(("replaced", "approved", "found", "expected"), [
    (recorded("verdict", "new"), REQUEST, REQUEST, True),
    (recorded("another", "new"), REQUEST, REQUEST, False), (recorded("verdict", "old"), REQUEST, REQUEST, False),
    (recorded("verdict", "new", "another"), REQUEST, REQUEST, False), (recorded("verdict", "new", restores="v0.0.1"), REQUEST, REQUEST, False),
    (recorded("verdict", "new"), replace(REQUEST, verdict="another"), REQUEST, False),
    (recorded("verdict", "new"), REQUEST, replace(REQUEST, verdict="another"), False),
])
def test_a_promotion_is_finished_if_the_champion_is_the_model_of_the_approved_verdict(
        replaced: Record, approved: ApprovalRequest, found: ApprovalRequest, expected: bool) -> None:
    assert is_promoted(Candidate(found, ARTEFACT, VERDICT, {}, {}), approved, replaced) is expected


@pytest.mark.parametrize("in_use, replaced, found, verdict, of_lock, message", [
    ("data/donor", None, REQUEST, {}, lock("data/donor"), None),
    ("data/champion", recorded(), REQUEST, {"champion": {"model": "data/champion"}}, lock("data/champion"), None),
    ("data/champion", recorded(), REQUEST, {"champion": {"model": "elsewhere"}}, lock("data/champion"), None),
    ("data/donor", None, replace(REQUEST, verdict="another"), {}, lock("data/donor"), "the verdict at 000000000 is another; expected verdict"),
    ("data/champion", recorded(artefact="another"), REQUEST, {}, lock("data/champion"), f"{ARTEFACT}; expected another, as the champion on main"),
    ("data/other", None, REQUEST, {}, lock("data/donor"), "it compares with data/donor, weights old; expected data/other, the champion on main"),
    ("data/champion", recorded(weights="third"), REQUEST, {}, lock("data/champion"), "it compares with data/donor, weights old; expected v0.1.0"),
    ("data/donor", None, REQUEST, {"verdict": "reject"}, lock("data/donor"), r"reject; expected promote, by its rules \(all pass\)"),
    ("data/donor", None, REQUEST, {"challenger": {"weights_hash": "old"}}, lock("data/donor"), "challenger and champion have the same weights"),
    ("data/donor", None, REQUEST, {}, lock("data/donor", "1" * 32 + ".dir"), "the champion that was transcribed is data/donor 111"),
    ("data/champion", recorded(), REQUEST, {}, lock("data/champion", "1" * 32 + ".dir"), "the champion that was transcribed is data/champion 111"),
])
def test_an_approval_is_checked_against_main(clone: Path, in_use: str, replaced: Record | None, found: ApprovalRequest, verdict: dict[str, Any],
                                             of_lock: dict[str, Any], message: str | None) -> None:
    changed = {key: {**VERDICT[key], **verdict.get(key, {})} if key in ("challenger", "champion") else verdict.get(key, VERDICT[key])
               for key in VERDICT}
    arguments = PrivateClone(clone, clone, ".", ARTEFACT, ""), Candidate(found, ARTEFACT, changed, {}, of_lock), REQUEST, in_use, replaced
    if message is None:
        check(*arguments)
        with pytest.raises(PromotionError, match=rf"the champion is the donor of day one now; expected {ARTEFACT}#champion#1"):
            check(arguments[0], arguments[1], replace(REQUEST, champion=f"{ARTEFACT}#champion#1"), in_use, replaced)
        git(clone, "commit", "--quiet", "--allow-empty", "-m", "Promote")
        tags.register(clone, ARTEFACT, "v0.1.0", "HEAD")
        tags.assign(clone, ARTEFACT, "v0.1.0")
        check(arguments[0], arguments[1], replace(REQUEST, champion=f"{ARTEFACT}#champion#1"), in_use, replaced)
        with pytest.raises(PromotionError, match=rf"the champion is {ARTEFACT}#champion#1 now; expected the donor of day one"):
            check(*arguments)
    else:
        with pytest.raises(PipelineError, match=message):
            check(*arguments)


def test_objections_are_overridden_only_with_a_reason() -> None:
    objections = [PromotionError("verdict", "reject", "promote", "keep it"), PromotionError("policy", "another", "main's", "merge main")]
    refuse_without_override([], None)
    refuse_without_override(objections, "checked by ear")
    for reason in (None, ""):
        with pytest.raises(PromotionError, match="reject"):
            refuse_without_override(objections, reason)


BROKEN: list[Callable[[Any], Any]] = [
    *(lambda verdict, name=name, key=key: verdict[name].pop(key) for name in ("challenger", "champion")
      for key in ("system", "weights_hash", "wer", "cer")),
    *(lambda verdict, name=name, key=key, value=value: verdict[name].update({key: value}) for name in ("challenger", "champion")
      for key in ("wer", "cer") for value in (-1e-9, 1_000.001, math.nan, math.inf, None, "0.1")),
    *(lambda verdict, key=key: verdict.pop(key) for key in ("challenger", "champion", "verdict", "rules")),
    *(lambda verdict, key=key: verdict["challenger"].pop(key) for key in ("test_set", "normaliser")),
    lambda verdict: verdict["champion"].pop("model"), lambda verdict: verdict.update(verdict=None), lambda verdict: verdict.update(rules=1),
    lambda verdict: verdict.update(rules=[{}]), lambda verdict: verdict.update(period=1), lambda verdict: verdict["champion"].update(weights_hash=7),
]


@pytest.mark.parametrize("change", BROKEN)
def test_a_verdict_that_lacks_what_a_promotion_reads_is_refused(change: Callable[[Any], Any]) -> None:
    verdict = json.loads(json.dumps(VERDICT))
    assert read_verdict(json.dumps(verdict).encode(), "verdict") == VERDICT
    change(verdict)
    with pytest.raises(DataError, match="no usable verdict"):
        read_verdict(json.dumps(verdict).encode(), "verdict")


# ---- Steps on files in git, without DVC -------------------------------------------------------------------------------


@pytest.fixture
def private(clone: Path, monkeypatch: pytest.MonkeyPatch) -> PrivateClone:
    """A private clone whose models and splits are files in git, so that there is nothing to check out of DVC."""
    monkeypatch.setattr(store, "check_out", lambda root, targets: None)
    for name, text in {"data/train/transfer/model.safetensors": "new", "data/train/transfer/config.json": "{}",
                       "data/train/transfer/notes/a.txt": "a", "data/donor/model.safetensors": "old",
                       "data/split/portuguese/test.parquet": "test", "data/align/portuguese/train.parquet": "aligned",
                       "data/transcribe/transfer.json": "{}", "champion.yaml": "champion: {path: data/donor, version: null}\n"}.items():
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        (clone / name).write_text(text)
    git(clone, "add", "--all")
    git(clone, "commit", "--quiet", "-m", "Run")
    return PrivateClone(clone, clone, ".", ARTEFACT, git(clone, "rev-parse", "HEAD"))


def hashed(text: str) -> str:
    return hash_bytes(text.encode())


def run_of(private: PrivateClone, *outs: str, learned_from: str = "data/split/portuguese", **hashes: str) -> Candidate:
    """Return the candidate of a run with these outs."""
    verdict = json.loads(json.dumps(VERDICT))
    for name, expected in {"challenger": hashed("new"), "champion": hashed("old"), **hashes}.items():
        verdict[name]["weights_hash"] = expected
    lock = {"stages": {"all": {"outs": [{"path": path, "md5": OLD} for path in outs]}, "train@transfer": {"deps": [{"path": learned_from}]}}}
    return Candidate(replace(REQUEST, commit=private.base), ARTEFACT, verdict, {}, lock)


def test_a_candidate_is_a_committed_run_with_the_verdict_of_its_lock(private: PrivateClone) -> None:
    content = json.dumps(VERDICT)
    out = {"path": "data/gate/verdict.json", "md5": hashlib.md5(content.encode()).hexdigest()}
    whole = {"data/gate/verdict.json": content, "params.yaml": f"registry: {{artefact: {ARTEFACT}}}\n",
             "dvc.lock": yaml.safe_dump({"stages": {"gate": {"outs": [out]}}})}

    def committed(**files: str) -> str:
        for name, text in {**whole, **{name.replace("_", "."): text for name, text in files.items()}}.items():
            (private.clone / name).parent.mkdir(parents=True, exist_ok=True)
            (private.clone / name).write_text(text)
        git(private.clone, "add", "--all")
        git(private.clone, "commit", "--quiet", "--allow-empty", "-m", "Run")
        return git(private.clone, "rev-parse", "HEAD")

    with pytest.raises(MissingInputError, match="not committed"):
        read_candidate(private.clone)
    for changed, error, message in (({"dvc_lock": "stages: {}"}, DataError, r"not the verdict of its dvc\.lock"),
                                    ({"params_yaml": "{}"}, ParamsError, "registry: missing|registry"),
                                    ({"params_yaml": "registry: {artefact: A b}"}, ParamsError, r"registry\.artefact")):
        commit = committed(**changed)
        with pytest.raises(error, match=message):
            read_candidate(private.clone, commit)
    found = read_candidate(private.clone, committed())
    assert found.request == ApprovalRequest(git(private.clone, "rev-parse", "HEAD"), hashed(content), None)
    assert (found.artefact, found.verdict) == (ARTEFACT, VERDICT)
    tags.register(private.clone, ARTEFACT, "v0.1.0", "HEAD")
    assert read_candidate(private.clone).request.champion is None
    tags.assign(private.clone, ARTEFACT, "v0.1.0")
    assert read_candidate(private.clone).request.champion == f"{ARTEFACT}#champion#1"
    with pytest.raises(MissingInputError, match="no such commit here"):
        read_candidate(private.clone, "nowhere")


MODEL, SPLIT, ALIGNED = "data/train/transfer", "data/split/portuguese", "data/align/portuguese"


@pytest.mark.parametrize(("outs", "learned_from", "splits"), [
    ([MODEL, SPLIT], SPLIT, {SPLIT: {"test.parquet": "test"}}), ([MODEL, SPLIT, ALIGNED], SPLIT, {SPLIT: {"test.parquet": "test"}}),
    ([MODEL, SPLIT, "data/donor"], "data/donor", {SPLIT: {"test.parquet": "test"}}),
    ([MODEL, SPLIT, ALIGNED], ALIGNED, {ALIGNED: {"train.parquet": "aligned"}, SPLIT: {"test.parquet": "test"}}),
])
def test_the_model_of_the_verdict_is_taken_with_the_data_that_it_learned_from(
        private: PrivateClone, monkeypatch: pytest.MonkeyPatch, outs: list[str], learned_from: str, splits: dict[str, dict[str, str]]) -> None:
    asked: list[str] = []
    monkeypatch.setattr(store, "check_out", lambda root, targets: asked.extend(targets))
    git(private.clone, "rm", "--quiet", "-r", MODEL)
    git(private.clone, "commit", "--quiet", "-m", "Go on")
    found = promotion.take(private, run_of(private, *outs, learned_from=learned_from), ["data/donor"])
    assert found == {name: {file: hashed(text) for file, text in files.items()} for name, files in splits.items()}
    assert folder(private.clone / "data/champion") == {"model.safetensors": hashed("new"), "config.json": hashed("{}"), "notes/a.txt": hashed("a")}
    assert asked == [MODEL, *sorted(splits), "data/donor"]


@pytest.mark.parametrize(("outs", "added", "hashes", "error", "message"), [
    ([SPLIT], "", {}, MissingInputError, "no data/train/transfer; expected the challenger's model"),
    *(([MODEL, SPLIT], f"{MODEL}/model{ending}", {}, DataError, rf"pickled weights \(model\{ending}\)") for ending in sorted(promotion.PICKLES)),
    ([MODEL, SPLIT], f"{MODEL}/checkpoint/optimiser.pt", {}, DataError, "pickled weights"),
    ([MODEL, SPLIT], "", {"challenger": "other"}, DataError, "data/train/transfer/model.safetensors at .* expected other, as in the verdict"),
    ([MODEL, SPLIT], "", {"champion": "other"}, DataError, "data/donor/model.safetensors at .* expected other, as in the verdict"),
])
def test_another_model_than_that_of_the_verdict_is_not_taken(private: PrivateClone, outs: list[str], added: str, hashes: dict[str, str],
                                                             error: type[PipelineError], message: str) -> None:
    if added:
        (private.clone / added).parent.mkdir(exist_ok=True)
        (private.clone / added).write_text("pickled")
    with pytest.raises(error, match=message):
        promotion.take(private, run_of(private, *outs, **hashes), ["data/donor"])
    assert not (private.clone / "data/champion").exists()


def test_the_decoder_is_taken_that_the_challenger_was_judged_with(private: PrivateClone) -> None:
    for name in DECODER:
        (private.clone / promotion.DECODER_OUT).mkdir(parents=True, exist_ok=True)
        (private.clone / promotion.DECODER_OUT / name).write_text(name)
    (private.clone / "data/transcribe/transfer.json").write_text(json.dumps({"decoder": {"hash": hashed(DECODER[0])}}))
    git(private.clone, "add", "--all")
    git(private.clone, "commit", "--quiet", "-m", "Run with a decoder")
    run = replace(private, base=git(private.clone, "rev-parse", "HEAD"))
    promotion.take(run, run_of(run, MODEL, SPLIT, promotion.DECODER_OUT), [])
    assert {f"language_model/{name}": hashed(name) for name in DECODER}.items() <= folder(private.clone / "data/champion").items()
    shutil.rmtree(private.clone / "data/champion")
    with pytest.raises(DataError, match="expected None, that of data/language_model/portuguese"):
        promotion.take(run, run_of(run, MODEL, SPLIT), [])


def test_a_record_is_restored_only_with_its_files(private: PrivateClone, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []
    monkeypatch.setattr(store, "check_out", lambda root, targets: asked.append(targets))
    shutil.rmtree(private.clone / MODEL / "notes")
    (private.clone / MODEL).rename(private.clone / "data/champion")
    (private.clone / "data/champion.dvc").write_text("outs: []\n")
    git(private.clone, "add", "--all")
    git(private.clone, "commit", "--quiet", "-m", "Promote")
    git(private.clone, "tag", f"{ARTEFACT}@v0.1.0")
    (private.clone / "data/champion.dvc").write_text("outs: [later]\n")
    files = {"model.safetensors": hashed("new"), "config.json": hashed("{}")}
    record = Record.model_construct(version="v0.1.0", model=SimpleNamespace(files=files))
    assert promotion.take_record(private, record) is record
    assert asked == [["data/champion"]] and (private.clone / "data/champion.dvc").read_text() == "outs: []\n"
    for changed, names in (({"model.safetensors": hashed("old")}, "model.safetensors"), ({"vizinho.json": "0"}, "vizinho.json")):
        with pytest.raises(DataError, match=f"registry v0.1.0: changed: {names}; expected the promoted files"):
            promotion.take_record(private, Record.model_construct(version="v0.1.0", model=SimpleNamespace(files={**files, **changed})))


def test_day_one_is_restored_only_with_the_verdict_and_the_weights_of_its_record(private: PrivateClone, monkeypatch: pytest.MonkeyPatch) -> None:
    verdict = json.loads(json.dumps(VERDICT))
    verdict["champion"] |= {"weights_hash": hashed("old"), "wer_served": 0.3, "cer_served": 0.2}
    stated = {"right": verdict, "of other weights": {**verdict, "champion": {**verdict["champion"], "weights_hash": "other"}}}
    git(private.clone, "rm", "--quiet", "-r", "data/donor")
    runs = {}
    for name, content in stated.items():
        (private.clone / "data/gate").mkdir(exist_ok=True)
        (private.clone / "data/gate/verdict.json").write_text(json.dumps(content))
        git(private.clone, "add", "--all")
        git(private.clone, "commit", "--quiet", "-m", name)
        runs[name] = git(private.clone, "rev-parse", "HEAD")
    asked: list[tuple[str, list[str]]] = []

    def check_out(root: Path, targets: list[str]) -> None:
        asked.append((git(root, "rev-parse", "HEAD"), targets))
        (root / "data/donor").mkdir(exist_ok=True)
        (root / "data/donor/model.safetensors").write_text("old")

    monkeypatch.setattr(store, "check_out", check_out)
    model = Model.model_construct(weights_hash="old")
    monkeypatch.setattr(promotion, "add_model", lambda private: model)

    def first(name: str, **changes: str) -> Record:
        found = Verdict.model_construct(hash=hash_bytes(json.dumps(stated[name]).encode()), verdict="promote", wer=0.1, cer=0.1, gates=1)
        return Record.model_construct(version="v0.1.0", commit=runs[name], verdict=found.model_copy(update=changes), system="transfer", model=None)

    with pytest.raises(DataError, match=r"verdict at \w{9}: \w{12}; expected other, as recorded"):
        promotion.take_day_one(private, first("right", hash="other"))
    with pytest.raises(DataError, match=r"data/donor/model\.safetensors at .* expected other, which v0\.1\.0 replaced"):
        promotion.take_day_one(private, first("of other weights"))
    assert not (private.clone / "data/champion").exists()
    found = promotion.take_day_one(private, first("right"))
    assert (found.system, found.model, found.verdict.verdict, found.verdict.wer, found.verdict.cer) == ("donor", model, None, 0.3, 0.2)
    assert git(private.clone, "branch", "--show-current") == "main"
    assert asked == [(runs["of other weights"], ["data/donor"]), (runs["right"], ["data/donor"])]
    assert folder(private.clone / "data/champion") == {"model.safetensors": hashed("old")}


def test_the_gate_of_main_is_asked_about_the_run_and_its_verdict(private: PrivateClone, monkeypatch: pytest.MonkeyPatch) -> None:
    candidate = run_of(private, MODEL)
    monkeypatch.setattr(promotion.evidence, "gate_objections", lambda *arguments: list(arguments))
    assert promotion.regate(private, candidate) == [private, private.base, candidate.verdict]


@pytest.fixture
def steps(private: PrivateClone, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What each step of a promotion returns, without a model, a remote and DVC; the key `done` lists the steps that change something."""
    candidate = run_of(private, MODEL, SPLIT)
    objection = PromotionError("verdict", "reject", "promote", "override it")
    found: dict[str, Any] = {"candidate": candidate, "objection": objection, "champion": ("data/donor", None), "objections": [], "regate": [],
                             "done": []}

    def step(name: str) -> Any:
        return lambda *arguments, **_: found["done"].append((name, arguments[1:]))

    monkeypatch.setattr(promotion, "read_candidate", lambda root, commit: found["candidate"])
    monkeypatch.setattr(promotion, "private_clone", lambda root, artefact: contextlib.nullcontext(private))
    monkeypatch.setattr(promotion, "champion", lambda root: found["champion"])
    monkeypatch.setattr(promotion, "check", lambda *arguments: found.update(checked=arguments))
    monkeypatch.setattr(promotion.evidence, "objections", lambda *arguments: list(found["objections"]))
    monkeypatch.setattr(promotion, "regate", lambda *arguments: list(found["regate"]))
    monkeypatch.setattr(promotion, "take", lambda private, candidate, replaces: found.update(replaces=replaces) or {SPLIT: {}})
    monkeypatch.setattr(promotion, "model_card", lambda run, **facts: found.update(facts) or "")
    monkeypatch.setattr(promotion, "read_run", lambda *arguments: None)
    monkeypatch.setattr(promotion, "add_model", lambda private: Model.model_construct(weights_hash="new"))
    monkeypatch.setattr(promotion, "policy_hash", lambda params: "p")
    for name in ("push_model", "merge", "seal", "follow"):
        monkeypatch.setattr(promotion, name, step(name))
    return found


def test_nothing_is_promoted_before_its_checks_and_objections(private: PrivateClone, steps: dict[str, Any]) -> None:
    approved = steps["candidate"].request
    record = promote(private.root, approved, "Ana Reis", reason="better")
    assert [name for name, _ in steps["done"]] == ["push_model", "merge", "seal"]
    assert steps["done"][0][1] == ([SPLIT, "data/donor"],) and steps["replaces"] == ["data/donor"]
    assert steps["checked"] == (private, steps["candidate"], approved, "data/donor", None)
    assert (record.version, record.replaces, record.restores, record.verdict.gates, record.approval.overridden) == ("v0.1.0", None, None, 1, ())
    assert (steps["override"], steps["forbidden"]) == (None, False)
    steps["champion"] = "data/champion", recorded()
    steps["done"].clear()
    assert promote(private.root, approved, "Ana Reis").replaces == "v0.1.0"
    assert steps["replaces"] == [] and steps["done"][0][1] == ([SPLIT],)


@pytest.mark.parametrize("source", ["objections", "regate"])
def test_what_speaks_against_a_promotion_stops_it_unless_it_is_overridden(private: PrivateClone, steps: dict[str, Any], source: str) -> None:
    approved = steps["candidate"].request
    steps[source] = [steps["objection"]]
    with pytest.raises(PromotionError, match="reject; expected promote"):
        promote(private.root, approved, "Ana Reis")
    assert steps["done"] == [] and ("replaces" in steps) is (source == "regate")
    record = promote(private.root, approved, "Ana Reis", override="checked by ear")
    assert record.approval.overridden == ("verdict: reject",) and record.approval.override == steps["override"] == "checked by ear"
    steps[source] = []
    steps["done"].clear()
    with pytest.raises(ParamsError, match="there is nothing to override"):
        promote(private.root, approved, "Ana Reis", override="checked by ear")
    assert steps["done"] == []


def test_a_promotion_that_was_killed_after_its_commit_point_only_updates_the_checkout(
        private: PrivateClone, steps: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    approved = steps["candidate"].request
    finished = recorded(approved.verdict, hashed("new"))
    steps["champion"] = "data/champion", finished
    assert promote(private.root, approved, "Ana Reis") is finished
    assert "is already v0.1.0" in capsys.readouterr().out
    assert [name for name, _ in steps["done"]] == ["follow"] and "checked" not in steps


@pytest.mark.parametrize(("version", "reason", "current", "earlier", "error", "message"), [
    ("v0.1.0", "worse", "v0.2.0", "v0.1.0", None, ""), ("day-one", "worse", "v0.2.0", "v0.1.0", None, ""),
    ("v0.1.0", " ", "v0.2.0", "v0.1.0", ParamsError, "reason: empty"),
    ("v0.1.0", "worse", None, "v0.1.0", PromotionError, "nothing was promoted yet"),
    ("v0.9.0", "worse", "v0.2.0", "v0.1.0", DataError, "no such record; expected one of day-one, v0.1.0, v0.2.0"),
    ("v0.2.0", "worse", "v0.2.0", "v0.2.0", PromotionError, "its model is already in use"),
    ("day-one", "worse", "v0.2.0", "v0.2.0", PromotionError, "its model is already in use"),
])
def test_a_rollback_needs_a_reason_and_another_model(private: PrivateClone, monkeypatch: pytest.MonkeyPatch, version: str, reason: str,
                                                     current: str | None, earlier: str, error: type[PipelineError] | None, message: str) -> None:
    known = {name: Record.model_construct(version=name, artefact=ARTEFACT, model=Model.model_construct(weights_hash=name), verdict=None)
             for name in ("v0.1.0", "v0.2.0")}
    done: list[tuple[Any, ...]] = []
    monkeypatch.setattr(promotion, "champion", lambda root: ("data/champion", known[current] if current else None))
    monkeypatch.setattr(promotion, "private_clone", lambda root, artefact: contextlib.nullcontext(private))
    monkeypatch.setattr(promotion, "records", lambda root: list(known.values()))
    monkeypatch.setattr(promotion, "take_day_one", lambda private, first: done.append(("day one", first.version)) or known[earlier])
    monkeypatch.setattr(promotion, "take_record", lambda private, record: done.append(("record", record.version)) or record)
    for name in ("push_model", "seal"):
        monkeypatch.setattr(promotion, name, lambda *arguments, name=name: done.append((name, *arguments[1:])))
    if error:
        with pytest.raises(error, match=message):
            rollback(private.root, version, "Ana Reis", reason)
        assert not {name for name, *_ in done} & {"push_model", "seal"}
        return
    record = rollback(private.root, version, "Ana Reis", reason)
    assert done == [("day one" if version == "day-one" else "record", "v0.1.0"), ("push_model", []),
                    ("seal", record, f"Restore {ARTEFACT} {version} as v0.2.1")]
    assert (record.version, record.restores, record.replaces, record.model) == ("v0.2.1", version, "v0.2.0", known["v0.1.0"].model)
    assert (record.approval.reason, record.approval.champion) == ("worse", None)
    git(private.clone, "commit", "--quiet", "--allow-empty", "-m", "Promote")
    tags.register(private.clone, ARTEFACT, "v0.0.1", "HEAD")
    tags.assign(private.clone, ARTEFACT, "v0.0.1")
    assert rollback(private.root, version, "Ana Reis", reason).approval.champion == f"{ARTEFACT}#champion#1"
    found = iter([known["v0.2.0"], None])
    monkeypatch.setattr(promotion, "champion", lambda root: ("data/champion", next(found)))
    with pytest.raises(PromotionError, match="its model is already in use"):  # main has no champion to replace
        rollback(private.root, version, "Ana Reis", reason)


def test_a_version_that_someone_has_tagged_is_not_used_again(private: PrivateClone) -> None:
    assert promotion._free_version(private, restoring=False) == "v0.1.0"
    for version in ("v0.1.0", "v0.2.0", "v0.0.1"):
        git(private.clone, "tag", f"{ARTEFACT}@{version}")
    assert promotion._free_version(private, restoring=False) == "v0.3.0"
    assert promotion._free_version(private, restoring=True) == "v0.0.2"


def test_a_run_is_merged_with_the_pointer_of_the_taken_model(private: PrivateClone) -> None:
    pointer, notes = private.clone / "data/champion.dvc", private.clone / "notes.md"

    def change(branch: str, text: str) -> str:
        git(private.clone, "switch", "--quiet", "--force-create", branch, private.base)
        notes.write_text(text)
        git(private.clone, "add", "notes.md")
        git(private.clone, "commit", "--quiet", "-m", text)
        return git(private.clone, "rev-parse", "HEAD")

    run = change("retrain", "of the run")
    git(private.clone, "switch", "--quiet", "--force-create", "main", private.base)
    git(private.clone, "commit", "--quiet", "--allow-empty", "-m", "Meanwhile")
    git(private.clone, "checkout", "--quiet", "--detach", run)
    pointer.write_text("new pointer")
    promotion.merge(private, run)
    assert (git(private.clone, "branch", "--show-current"), notes.read_text(), pointer.read_text()) == ("main", "of the run", "new pointer")
    with pytest.raises(PipelineError, match="git merge") as caught:
        promotion.merge(private, "0" * 40)
    assert not isinstance(caught.value, PromotionError)
    git(private.clone, "merge", "--abort") if (private.clone / ".git/MERGE_HEAD").exists() else None
    change("main", "of main")
    pointer.write_text("new pointer")
    with pytest.raises(PromotionError, match="a run that merges without conflicts"):
        promotion.merge(private, run)


@pytest.mark.parametrize(("approval", "body"), [
    ({"override": "by ear", "reason": "better"}, "by ear"), ({"reason": "better"}, "better"), ({}, "Verdict: promote.")])
def test_the_commit_of_a_promotion_has_its_facts_and_starts_a_new_period(private: PrivateClone, approval: dict[str, str], body: str) -> None:
    (private.clone / "params.yaml").write_text("gate:\n  gates_since_promotion: 3\n")
    (private.clone / "data/champion.dvc").write_text("outs: []\n")
    git(private.clone, "add", "params.yaml")
    git(private.clone, "commit", "--quiet", "-m", "Count")
    model = Model(dvc=OLD, weights_hash="w", vocabulary_hash="v", files={"model.safetensors": "w"})
    at = datetime(2026, 1, 1, tzinfo=UTC)
    record = Record(artefact=ARTEFACT, version="v0.1.0", restores=None, replaces=None, promoted_at=at, system="transfer", commit="0" * 40,
                    model=model, data={}, test_set="t", normaliser="n", verdict=Verdict(hash="h", verdict="promote", wer=0.1, cer=0, gates=1),
                    approval=Approval(by="Ana Reis", at=at, champion=None, **approval))
    assert promotion.commit(private, record, "Promote") == [f"{ARTEFACT}@v0.1.0", f"{ARTEFACT}#champion#1"]
    assert git(private.clone, "show", "--name-only", "--format=", "HEAD").split() == [
        "CHANGELOG.md", "champion.yaml", "data/champion.dvc", "params.yaml", "registry/records/v0.1.0.json"]
    assert git(private.clone, "log", "-1", "--format=%B").startswith(f"Promote\n\n{body}\nRun {'0' * 40}, WER 10.00 %. By Ana Reis.")
    assert (private.clone / "params.yaml").read_text() == "gate:\n  gates_since_promotion: 0\n"


def test_a_promotion_is_published_before_the_checkout_follows(private: PrivateClone, monkeypatch: pytest.MonkeyPatch,
                                                             capsys: pytest.CaptureFixture[str]) -> None:
    done: list[tuple[str, Any]] = []
    monkeypatch.setattr(promotion, "commit", lambda *_: ["a", "b"])
    monkeypatch.setattr(promotion, "publish", lambda private, made: done.append(("publish", made)))
    monkeypatch.setattr(promotion, "follow", lambda private: done.append(("follow", None)))
    promotion.seal(private, recorded(), "Promote")
    assert done == [("publish", ["a", "b"]), ("follow", None)]
    assert f"{ARTEFACT} v0.1.0 is the champion (b)" in capsys.readouterr().out
    pushed: list[Any] = []
    monkeypatch.setattr(store, "dvc", lambda root, *arguments: pushed.append(arguments))
    for remote in (True, False):
        monkeypatch.setattr(store, "has_remote", lambda root, remote=remote: remote)
        promotion.push_model(private, [SPLIT])
        assert ("no DVC remote" in capsys.readouterr().out) is not remote
    assert pushed == [("push", "data/champion", SPLIT)]
    (private.clone / MODEL).rename(private.clone / "data/champion")
    (private.clone / "data/champion.dvc").write_text(f"outs: [{{md5: {OLD}}}]\n")
    (private.clone / "data/champion/vizinho.json").write_text('{"vocabulary_hash": "v"}')
    found = promotion.add_model(private)
    assert pushed[1:] == [("add", "data/champion")]
    assert (found.dvc, found.weights_hash, found.vocabulary_hash, found.files) == (OLD, hashed("new"), "v", folder(private.clone / "data/champion"))
