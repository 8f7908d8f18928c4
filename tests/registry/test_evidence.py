"""What speaks against a promotion: forged verdicts, other policies and models than main's, weights that were rolled back."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.core.errors import DataError, ParamsError, PipelineError, PromotionError
from pipeline.core.policy import policy_hash
from pipeline.registry import evidence
from pipeline.registry.git import git
from pipeline.registry.private_clone import PrivateClone
from pipeline.registry.promotion import promote, read_candidate, rollback
from pipeline.registry.record import Record, records, rolled_back
from pipeline.registry.store import dvc
from tests.toy_registry import ARTEFACT, Toy

VERDICT = "data/gate/verdict.json"


def edit(file: Path, change: Callable[[Any], Any]) -> None:
    """Change a JSON or YAML file in place."""
    load, dump = (json.loads, json.dumps) if file.suffix == ".json" else (yaml.safe_load, yaml.safe_dump)
    value = load(file.read_text())
    change(value)
    file.write_text(dump(value))


def forge(toy: Toy, verdict: Callable[[Any], Any] = lambda _: None, params: Callable[[Any], Any] = lambda _: None,
          lock: Callable[[Any], Any] = lambda _: None) -> str:
    """Change the files of a run so that dvc.lock names the changed verdict, as `dvc commit` would, and commit them."""
    edit(toy.path / "params.yaml", params)
    edit(toy.path / VERDICT, verdict)

    def follow(found: Any) -> None:
        content = (toy.path / VERDICT).read_bytes()
        found["stages"]["gate"]["outs"][0] |= {"md5": hashlib.md5(content).hexdigest(), "size": len(content)}
        lock(found)

    edit(toy.path / "dvc.lock", follow)
    return toy.commit("Forge")


def with_policy(**gate: Any) -> dict[str, Callable[[Any], Any]]:
    """Return a forged policy: params, and its hash in the verdict."""
    def change(params: Any) -> None:
        params["gate"] |= gate

    params = {"gate": {"challenger": "transfer", "alpha": 0.05, **gate}, "score": {"level": 0.95}}
    return {"params": change, "verdict": lambda verdict: verdict.update(policy_hash=policy_hash(params))}


def tighten_main(toy: Toy) -> None:
    """Push a stricter policy to main; the run stays at HEAD."""
    run = toy.git("rev-parse", "HEAD")
    edit(toy.path / "params.yaml", lambda params: params["gate"].update(alpha=0.01))
    toy.commit("Tighten the gate")
    toy.git("push", "--quiet", "origin", "HEAD:main")
    toy.git("reset", "--quiet", "--hard", run)


def transcribed_another(lock: Any) -> None:
    lock["stages"]["transcribe@champion"]["deps"][0]["md5"] = "0" * 32 + ".dir"


def same_weights(verdict: Any) -> None:
    verdict["challenger"]["weights_hash"] = verdict["champion"]["weights_hash"]


CASES: dict[str, tuple[Callable[[Toy], object], type[PipelineError], str]] = {
    "its rules say otherwise": (
        lambda toy: forge(toy, lambda verdict: verdict["rules"][0].update(passed=False)), DataError,
        r"promote; expected reject, by its rules \(max_wer failed\); `dvc repro --force gate`"),
    "the rule that fails is disabled by hand, none is left": (
        lambda toy: forge(toy, lambda verdict: [rule.update(enabled=False) for rule in verdict["rules"]]), DataError, "promote; expected reject"),
    "another policy": (
        lambda toy: forge(toy, **with_policy(alpha=0.49)), PromotionError,
        r"policy gate\.alpha 0\.49 \(0\.05\); expected the values of params\.yaml on main, in brackets; merge main"),
    "main was tightened after the gate": (tighten_main, PromotionError, r"policy gate\.alpha 0\.05 \(0\.01\); expected"),
    "a rule of main is missing": (
        lambda toy: forge(toy, params=lambda params: params["score"].clear(),
                          verdict=lambda verdict: verdict.update(policy_hash=policy_hash({"gate": {"challenger": "transfer", "alpha": 0.05}}))),
        PromotionError, r"policy score .*, score\.level absent \(0\.95\)"),
    "the hash of another policy": (
        lambda toy: forge(toy, params=lambda params: params["gate"].update(alpha=0.49)), DataError,
        r"policy \w{12}; expected \w{12}, that of the run"),
    "another champion was transcribed": (
        lambda toy: forge(toy, lock=transcribed_another), DataError,
        r"the champion that was transcribed is data/donor 0{32}\.dir; expected \w+\.dir, which the run has made"),
    "the champion against itself": (lambda toy: forge(toy, same_weights), PromotionError, "challenger and champion have the same weights"),
    "a huge integer": (lambda toy: forge(toy, lambda verdict: verdict["challenger"].update(wer=10**400)), DataError, "no usable verdict"),
    "no verdict": (lambda toy: forge(toy, lambda verdict: verdict.pop("rules")), DataError, r"no usable verdict \(KeyError\('rules'\)\)"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_run_that_contradicts_itself_or_main_is_refused(toy: Toy, case: str) -> None:
    tamper, error, message = CASES[case]
    tamper(toy)
    with pytest.raises(error, match=message):
        promote(toy.path, read_candidate(toy.path).request, "Ana Reis")
    assert toy.in_use() is None


def test_a_verdict_states_the_policy_of_its_run_and_what_its_rules_imply() -> None:
    run = {"gate": {"alpha": 0.05}, "score": {}}
    rules = [{"name": "max_wer", "enabled": False, "passed": False}, {"name": "improvement", "enabled": True, "passed": True}]
    verdict = {"verdict": "promote", "rules": rules, "challenger": {"weights_hash": "a"}, "champion": {"weights_hash": "b"}}
    for stated in ({}, {"policy_hash": None}, {"policy_hash": policy_hash(run)}):
        evidence.check_verdict({**verdict, **stated}, run, "verdict")
    with pytest.raises(DataError, match=rf"policy q; expected {policy_hash(run)[:12]}, that of the run"):
        evidence.check_verdict({**verdict, "policy_hash": "q"}, run, "verdict")
    with pytest.raises(DataError, match=r"reject; expected promote, by its rules \(all pass\)"):
        evidence.check_verdict({**verdict, "verdict": "reject"}, run, "verdict")
    undecided = [*rules, {"name": "max_cer", "enabled": True, "passed": None}, {"name": "licences", "enabled": True, "passed": False}]
    with pytest.raises(DataError, match=r"promote; expected reject, by its rules \(max_cer undecided, licences failed\)"):
        evidence.check_verdict({**verdict, "rules": undecided}, run, "verdict")


def test_the_same_weights_with_another_decoder_are_another_system() -> None:
    def verdict(decoder: Any) -> dict[str, Any]:
        systems = {"challenger": {"weights_hash": "a", "decoder": decoder}, "champion": {"weights_hash": "a", "decoder": None}}
        return {"verdict": "promote", "rules": [{"name": "max_wer", "enabled": True, "passed": True}], **systems}

    evidence.check_verdict(verdict({"hash": "b"}), {}, "verdict")
    with pytest.raises(PromotionError, match="challenger and champion have the same weights a"):
        evidence.check_verdict(verdict(None), {}, "verdict")


def test_figures_that_the_gate_of_main_does_not_make_of_the_files_are_refused(toy: Toy) -> None:
    forge(toy, lambda verdict: verdict["challenger"].update(wer=0.1))
    with pytest.raises(PromotionError, match=r"challenger\.wer 0\.1 \(0\.5\); expected the figures in brackets, which the gate on main makes"):
        promote(toy.path, read_candidate(toy.path).request, "Ana Reis")
    assert toy.in_use() is None


@pytest.mark.slow
def test_what_was_overridden_is_recorded_and_the_card_says_it(toy: Toy) -> None:
    forge(toy, **with_policy(alpha=0.49))
    record = promote(toy.path, read_candidate(toy.path).request, "Ana Reis", override="agreed with the auditors")
    assert record.approval.overridden == (f"params.yaml at {record.commit[:9]}: policy gate.alpha 0.49 (0.05)",)
    assert record.verdict.policy_hash == policy_hash(yaml.safe_load((toy.path / "params.yaml").read_text()))
    assert "although something spoke against it, as its record lists: agreed with the auditors" in (toy.path / "data/champion/README.md").read_text()


@pytest.mark.parametrize("results, expected", [
    ([], "reject"), ([True], "promote"), ([False], "reject"), ([None], "inconclusive"), ([True, None], "inconclusive"),
    ([True, False], "reject"), ([None, False, True], "reject"), ([True, True], "promote"),
])
def test_the_verdict_follows_from_the_enabled_rules(results: list[bool | None], expected: str) -> None:
    rules = [{"enabled": True, "passed": passed} for passed in results]
    assert evidence.outcome(rules) == evidence.outcome([*rules, {"enabled": False, "passed": False}]) == expected


def test_the_champion_that_was_transcribed_is_the_one_of_the_transcripts_that_the_gate_read() -> None:
    def stage(model: str, transcripts: str) -> dict[str, Any]:
        return {"deps": [{"path": "data/donor", "md5": model}, {"path": "data/split/portuguese", "md5": "3"}],
                "outs": [{"path": "data/transcribe/champion.json", "md5": transcripts}]}

    lock = {"donor": {"outs": [{"path": "data/donor", "md5": "new"}]}, "transcribe@champion": stage("old", "1"),
            "transcribe_existing": stage("new", "2"), "gate": {"deps": [{"path": "data/transcribe/champion.json", "md5": "2"}]}}
    evidence.check_champion({"stages": lock}, "data/donor", None, "dvc.lock")  # DVC keeps the entry of a stage that was renamed
    for changed in ({"gate": {"deps": [{"path": "data/transcribe/champion.json", "md5": "1"}]}}, {"gate": {}},
                    {"transcribe_existing": stage("old", "2")}):
        with pytest.raises(DataError, match="the champion that was transcribed is data/donor"):
            evidence.check_champion({"stages": {**lock, **changed}}, "data/donor", None, "dvc.lock")
    besides = {"gate": {"deps": [{"path": "data/split", "md5": "3"}, *lock["gate"]["deps"]]},
               "transcribe_existing": {**stage("new", "2"), "outs": [{"path": "data/transcribe/a.parquet", "md5": "4"}, *stage("", "2")["outs"]]},
               "copy": {"deps": [{"path": "data/donor", "md5": "old"}], "outs": [{"path": "data/copy.json", "md5": "2"}]}}
    evidence.check_champion({"stages": {**lock, **besides}}, "data/donor", None, "dvc.lock")
    twice = {"transcribe_other": stage("old", "2")}  # the same transcripts of two models
    unknown = {"donor": {}, "transcribe_existing": {"deps": [{"path": "data/donor"}], "outs": stage("", "2")["outs"]}}
    without = {"transcribe_existing": {"outs": stage("", "2")["outs"]}}
    for changed in (twice, unknown, without):
        with pytest.raises(DataError, match="the champion that was transcribed is data/donor"):
            evidence.check_champion({"stages": {**lock, **changed}}, "data/donor", None, "dvc.lock")
    with pytest.raises(DataError, match=r"data/donor \(unknown\); expected an out of the run"):
        evidence.check_champion({}, "data/donor", None, "dvc.lock")


# ---- Main's gate on the run's files ----------------------------------------------------------------------------------


GATE = """
import json, yaml
if yaml.safe_load(open("params.yaml"))["fails"]:
    raise SystemExit("no such column")
json.dump({"wer": json.load(open("data/score/a.json"))["wer"] + STEP}, open("data/gate/verdict.json", "w"))
open("data/gate/timing.json", "w").close()
"""


@pytest.fixture
def private(tmp_path: Path) -> PrivateClone:
    """A clone whose main has a gate, at a run commit with other code and figures."""
    git(tmp_path, "init", "--quiet", "-b", "main")
    git(tmp_path, "config", "user.name", "Ana Reis")
    git(tmp_path, "config", "user.email", "ana@example.org")
    (tmp_path / "dvc.yaml").write_text("stages: {gate: {cmd: python gate.py}}\n")
    base = commit(tmp_path, step="0.25", wer=0.25, verdict={"wer": 0.5})
    return PrivateClone(tmp_path, tmp_path, ".", ARTEFACT, base)


def commit(folder: Path, step: str, wer: float, verdict: Any, fails: bool = False) -> str:
    for name, text in {"gate.py": GATE.replace("STEP", step), "params.yaml": f"fails: {fails}\n", "data/score/a.json": json.dumps({"wer": wer}),
                       VERDICT: json.dumps(verdict)}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "-m", "Run")
    return git(folder, "rev-parse", "HEAD")


@pytest.mark.parametrize(("run", "found"), [
    ({"step": "0.25", "wer": 0.125, "verdict": {"wer": 0.375}}, None),
    ({"step": "0.25", "wer": 0.125, "verdict": {"wer": 0.375 + 1e-12}}, None),
    ({"step": "0.25", "wer": 0.125, "verdict": {"wer": 0.1}}, "wer 0.1 (0.375)"),
    ({"step": "0.0", "wer": 0.125, "verdict": {"wer": 0.125}}, "wer 0.125 (0.375)"),  # its code is not run
    ({"step": "0.25", "wer": 0.125, "verdict": {"wer": 0.375, "cer": 0.1}}, "cer 0.1 (absent)"),
    ({"step": "0.25", "wer": 0.125, "verdict": {"wer": 0.375}, "fails": True}, "the gate on main fails (gate: no such column)"),
], ids=["equal", "in the last digits", "a forged figure", "changed code", "a figure too many", "files that main cannot read"])
def test_the_gate_of_main_runs_on_the_files_of_the_run(private: PrivateClone, run: dict[str, Any], found: str | None) -> None:
    tip = commit(private.clone, **run)
    before = git(private.clone, "status", "--porcelain")
    objections = evidence.gate_objections(private, tip, run["verdict"])
    assert [objection.found for objection in objections] == ([found] if found else [])
    assert (git(private.clone, "rev-parse", "HEAD"), git(private.clone, "status", "--porcelain")) == (tip, before)


@pytest.mark.parametrize(("code", "found"), [
    ("pass\n", r"the gate on main fails \(.*verdict\.json"), (GATE.replace("STEP", "0.25") + 'raise SystemExit("too late")\n', "too late"),
], ids=["that writes no verdict", "that fails at its end"])
def test_a_gate_of_main_without_a_result_is_an_objection(private: PrivateClone, code: str, found: str) -> None:
    (private.clone / "gate.py").write_text(code)
    git(private.clone, "commit", "--quiet", "--all", "-m", "Break the gate")
    main = replace(private, base=git(private.clone, "rev-parse", "HEAD"))
    tip = commit(private.clone, "0.25", 0.125, {"wer": 0.375})
    objection, = evidence.gate_objections(main, tip, {"wer": 0.375})
    assert re.search(found, objection.found)


@pytest.mark.parametrize(("dvc_yaml", "found"), [
    ("stages: {gate: {cmd: [python gate.py, touch done]}}", None), ("stages: {}", "no stage gate"), ("stages:", "no stage gate"),
    ("stages: {gate: {cmd: [exit 3, touch done]}}", "exit code 3"),
])
def test_every_command_of_the_stage_gate_runs_until_one_fails(private: PrivateClone, dvc_yaml: str, found: str | None) -> None:
    (private.clone / "dvc.yaml").write_text(dvc_yaml)
    if found is None:
        evidence.run_gate(private.clone)
        assert (private.clone / "done").exists()
    else:
        with pytest.raises(PipelineError, match=found):
            evidence.run_gate(private.clone)
        assert not (private.clone / "done").exists()


@pytest.mark.parametrize(("expected", "found", "lines"), [
    ({"a": {"b": [1, {"c": 0.5}]}}, {"a": {"b": [1, {"c": 0.5}]}}, []), ({"a": 1}, {"a": 2}, ["a 2 (1)"]),
    ({"a": {"b": [1, {"c": 0.5}]}}, {"a": {"b": [1, {"c": 0.75}]}}, ["a.b[1].c 0.75 (0.5)"]),
    ({"a": [1, 2]}, {"a": [1]}, ["a [1] ([1, 2])"]), ({"a": 1, "b": 2}, {"a": 1, "c": 3}, ["c 3 (absent)", "b absent (2)"]),
    ({"a": 1.0}, {"a": 1}, []), ({"a": 1}, {"a": True}, ["a True (1)"]), ({"a": True}, {"a": 1}, ["a 1 (True)"]),
    ({"a": 0}, {"a": None}, ["a None (0)"]),
    ({"a": 0.0}, {"a": 0.9e-9}, []), ({"a": 0.0}, {"a": 1.1e-9}, ["a 1.1e-09 (0.0)"]), ({"a": 1e6}, {"a": 1e6 + 0.9e-3}, []),
    ({"a": 1e6}, {"a": 1e6 + 2e-3}, ["a 1000000.002 (1000000.0)"]), ({"a": "x" * 80}, {"a": "x" * 81}, [f"a {'x' * 77}... ({'x' * 80})"]),
    ({"a": "b", "c": None, "d": True}, {"a": "b", "c": None, "d": True}, []),
    ({"a": {}}, {"a": []}, ["a [] ({})"]), ({"a": []}, {"a": {}}, ["a {} ([])"]), ({"a": "1"}, {"a": 1}, ["a 1 (1)"]),
])
def test_two_verdicts_differ_in_values_types_and_keys(expected: Any, found: Any, lines: list[str]) -> None:
    assert evidence.differences(expected, found) == lines


def test_a_gate_that_does_not_end_is_an_objection(private: PrivateClone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence, "LIMIT_S", 0.01)
    tip = commit(private.clone, "0.25", 0.125, {"wer": 0.375})
    assert "not done after 0.01 s" in evidence.gate_objections(private, tip, {"verdict": "promote"})[0].found


# ---- Policy, donor, rollbacks ----------------------------------------------------------------------------------------


def put(private: PrivateClone, **files: Any) -> str:
    """Commit YAML files and return the commit."""
    for name, value in files.items():
        file = private.clone / name.replace("__", "/").replace("_yaml", ".yaml").replace("_lock", ".lock")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(yaml.safe_dump(value))
    git(private.clone, "add", "--all")
    git(private.clone, "commit", "--quiet", "--allow-empty", "-m", "Change")
    return git(private.clone, "rev-parse", "HEAD")


def params(artefact: str = ARTEFACT, conditions: Any = None, **gate: Any) -> dict[str, Any]:
    return {"registry": {"artefact": artefact}, "gate": {"alpha": 0.05, "gates_since_promotion": 0, **gate}, "score": {"level": 0.95},
            "transcribe": {"threads": 2, "robustness": conditions}}


@pytest.mark.parametrize(("main", "run", "found"), [
    ({"params_yaml": params()}, params(gates_since_promotion=7), None),
    ({"params_yaml": params()}, {**params(), "train": {"steps": 9}}, None),
    ({"params_yaml": params()}, {name: value for name, value in params().items() if name != "transcribe"}, None),
    ({"params_yaml": params(rule={"enabled": True})}, params(rule={"enabled": False}), "policy gate.rule.enabled False (True)"),
    ({"params_yaml": params()}, params(alpha=0.1, extra=1), "policy gate.alpha 0.1 (0.05), gate.extra 1 (absent)"),
    ({"params_yaml": params(conditions={"noise": {"snr_db": 10}})}, params(conditions={"noise": {"snr_db": 60}}),
     "policy transcribe.robustness.noise.snr_db 60 (10)"),
    ({"params_yaml": params("other"), "profiles__real_yaml": params(alpha=0.01)}, params(alpha=0.01), None),
    ({"params_yaml": params("other"), "profiles__real_yaml": params(alpha=0.01)}, params(alpha=0.05), "policy gate.alpha 0.05 (0.01)"),
    ({"params_yaml": {"gate": {}}, "profiles__notes": params(alpha=0.05), "profiles__real_yaml": params(alpha=0.01)}, params(alpha=0.01), None),
    ({"params_yaml": params("other")}, params(), f"registry.artefact {ARTEFACT}, which no params of main have"),
], ids=["the gate index is no policy", "other params are none", "a section less", "a rule off", "changed and added", "easier conditions", "a profile",
        "a laxer profile", "no name in the params, a file that is no profile", "a new artefact"])
def test_the_policy_of_a_run_is_compared_with_the_one_of_main(private: PrivateClone, main: Any, run: Any, found: str | None) -> None:
    at_main = PrivateClone(private.root, private.clone, ".", ARTEFACT, put(private, **main))
    objections = evidence.policy_objections(at_main, put(private, params_yaml=run))
    assert [objection.found for objection in objections] == ([found] if found else [])


@pytest.mark.parametrize(("content", "message"), [("a: [", "unreadable"), ("- a", "list; expected a mapping"), ("", "NoneType; expected a mapping")])
def test_params_that_are_no_mapping_are_refused(private: PrivateClone, content: str, message: str) -> None:
    (private.clone / "params.yaml").write_text(content)
    git(private.clone, "commit", "--quiet", "--all", "-m", "Break the params")
    with pytest.raises(DataError, match=message):
        evidence.read_params(private.clone, "HEAD")
    with pytest.raises(DataError, match="none.yaml at HEAD: unreadable"):
        evidence.read_params(private.clone, "HEAD", "none.yaml")


def test_a_verdict_other_than_promote_and_an_index_used_twice_are_objections(private: PrivateClone, monkeypatch: pytest.MonkeyPatch) -> None:
    known = [record("v0.1.0", "a")]
    verdict = {"verdict": "promote", "rules": [], "challenger": {"weights_hash": "b"}, "period": {"gates_before": 2}}
    for name, value in (("index_used_twice", False), ("policy_objections", []), ("read_params", {"gate": None})):
        monkeypatch.setattr(evidence, name, lambda *_, value=value: value)
    assert evidence.objections(private, "0" * 40, verdict, known) == []
    for other in ("reject", "inconclusive"):
        assert [found.found for found in evidence.objections(private, "0" * 40, {**verdict, "verdict": other}, known)] == [other]
    other_policy = PromotionError("params.yaml", "policy gate.alpha 0.1 (0.05)", "main's", "merge main")
    monkeypatch.setattr(evidence, "policy_objections", lambda *_: [other_policy])
    assert evidence.objections(private, "0" * 40, verdict, known) == [other_policy]
    monkeypatch.setattr(evidence, "policy_objections", lambda *_: [])
    monkeypatch.setattr(evidence, "index_used_twice", lambda *_: True)
    assert [found.found for found in evidence.objections(private, "0" * 40, verdict, known)] == ["gate 3 of its period, like another verdict"]


def test_on_day_one_another_donor_than_in_the_lock_of_main_is_an_objection(private: PrivateClone, monkeypatch: pytest.MonkeyPatch) -> None:
    def lock(oid: str) -> dict[str, Any]:
        return {"stages": {"donor": {"outs": [{"path": "data/donor", "md5": oid}]}}}

    without = evidence.donor_objections(private, put(private, dvc_lock=lock("b.dir")), "data/donor")
    main = PrivateClone(private.root, private.clone, ".", ARTEFACT, put(private, dvc_lock=lock("a.dir")))
    same = evidence.donor_objections(main, put(private, dvc_lock=lock("a.dir")), "data/donor")
    other = evidence.donor_objections(main, put(private, dvc_lock=lock("b.dir")), "data/donor")
    assert (without, same, [objection.found for objection in other]) == ([], [], ["data/donor b.dir"])
    for name, value in (("index_used_twice", False), ("policy_objections", []), ("read_params", {})):
        monkeypatch.setattr(evidence, name, lambda *_, value=value: value)
    verdict = {"verdict": "promote", "rules": [], "challenger": {"weights_hash": "b"}, "champion": {"model": "data/donor"}}
    assert [objection.found for objection in evidence.objections(main, "HEAD", verdict, [])] == ["data/donor b.dir"]
    assert evidence.objections(main, "HEAD", verdict, [record("v0.1.0", "a")]) == []


def record(version: str, weights: str, restores: str | None = None, replaces: str | None = None) -> Record:
    return Record.model_construct(version=version, restores=restores, replaces=replaces, model=type("", (), {"weights_hash": weights})(),
                                  approval=type("", (), {"reason": "numbers are wrong"})())


def test_weights_that_were_rolled_back_are_known_until_they_are_restored() -> None:
    known = [record("v0.1.0", "a"), record("v0.2.0", "b", None, "v0.1.0"), record("v0.2.1", "a", "v0.1.0", "v0.2.0")]
    assert {weights: found.version for weights, found in rolled_back(known).items()} == {"b": "v0.2.1"}
    assert rolled_back(known[:2]) == {}
    assert set(rolled_back([*known, record("v0.2.2", "b", "v0.2.0", "v0.2.1")])) == {"a"}


def test_weights_that_were_rolled_back_are_an_objection(private: PrivateClone, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("index_used_twice", False), ("policy_objections", []), ("read_params", {})):
        monkeypatch.setattr(evidence, name, lambda *_, value=value: value)
    known = [record("v0.1.0", "a"), record("v0.2.0", "b", None, "v0.1.0"), record("v0.2.1", "a", "v0.1.0", "v0.2.0")]
    verdict = {"verdict": "promote", "rules": [], "challenger": {"weights_hash": "b"}}
    found, = evidence.objections(private, "0" * 40, verdict, known)
    assert found.found == "its weights are those of v0.2.0, which v0.2.1 has rolled back (numbers are wrong)"
    assert evidence.objections(private, "0" * 40, {**verdict, "challenger": {"weights_hash": "c"}}, known) == []


@pytest.mark.slow
def test_a_run_that_was_rolled_back_is_promoted_again_only_with_an_override(twice: Toy) -> None:
    run = records(twice.path)[-1].commit
    rollback(twice.path, "v0.1.0", "Ana Reis", "numbers are wrong")
    again = read_candidate(twice.path, run).request
    with pytest.raises(PromotionError, match=r"its weights are those of v0\.2\.0, which v0\.2\.1 has rolled back \(numbers are wrong\)"):
        promote(twice.path, again, "policy auto")
    assert twice.in_use() == "v0.2.1"
    assert promote(twice.path, again, "Ana Reis", override="numbers were right").version == "v0.3.0"


@pytest.mark.slow
def test_the_weights_of_the_champion_of_day_one_are_those_of_the_verdict(toy: Toy) -> None:
    (toy.path / "make.py").write_text((toy.path / "make.py").read_text().replace(
        'weights = pathlib.Path(f"{sys.argv[3]}/model.safetensors").read_bytes()',
        'weights = b"as vizinho.json says" if "donor" in sys.argv[3] else pathlib.Path(f"{sys.argv[3]}/model.safetensors").read_bytes()'))
    dvc(toy.path, "repro", "--quiet", "--force", "--single-item", "transcribe@champion")
    dvc(toy.path, "repro", "--quiet")
    toy.commit("Judge another donor")
    with pytest.raises(DataError, match=r"data/donor/model\.safetensors at \w+: SHA-256 \w+; expected \w+, as in the verdict"):
        promote(toy.path, read_candidate(toy.path).request, "Ana Reis")


@pytest.mark.slow
def test_an_override_where_nothing_speaks_against_it_is_refused_before_anything_is_pushed(toy: Toy) -> None:
    with pytest.raises(ParamsError, match="there is nothing to override"):
        promote(toy.path, read_candidate(toy.path).request, "Ana Reis", override="I like it")
    assert toy.in_use() is None


def test_the_files_of_the_gate_are_those_in_dvc_without_audio(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    (tmp_path / "data").mkdir()
    (tmp_path / "data/score.json").write_text("{}")
    git(tmp_path, "add", "--all")
    git(tmp_path, "-c", "user.name=Ana", "-c", "user.email=a@b.org", "commit", "--quiet", "-m", "Run")
    outs = ("data/ingest/portuguese/a", "data/split/portuguese", "data/transcribe/a.parquet", "data/score.json", "data/train/a")
    lock = {"stages": {"all": {"outs": [{"path": path, "md5": "0"} for path in outs]},
                       "gate": {"deps": [{"path": path} for path in ("data/ingest", "data/split", "data/transcribe/a.parquet", "data/score.json",
                                                                     "pipeline/gate.py")]}}}
    assert evidence.evidence_paths(tmp_path, "HEAD", lock) == ["data/ingest/portuguese/a/report.json", "data/split/portuguese",
                                                               "data/transcribe/a.parquet"]
