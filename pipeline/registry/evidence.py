"""What speaks against a promotion: facts that make it impossible, and objections that a person may override with a reason.

A run brings its own code, params and files. So its verdict is compared with what main has: its policy, its records, the models that its
dvc.lock names, and what main's gate makes of the run's files.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from pipeline.core.errors import DataError, MissingInputError, PipelineError, PromotionError
from pipeline.core.files import read_json
from pipeline.core.policy import policy_changes, policy_hash, policy_of
from pipeline.registry import store
from pipeline.registry.gates import PARAMS, VERDICT, gate_index_of, index_used_twice
from pipeline.registry.git import git, without_redirects
from pipeline.registry.private_clone import PrivateClone
from pipeline.registry.record import Record, rolled_back
from pipeline.registry.slices import lost_slices

GATE: Final = "gate"
"""The stage of dvc.yaml that writes the verdict."""
TRANSCRIBED: Final = "data/transcribe/champion.json"
REPORTS: Final = ("data/ingest/", "data/normalise/")
"""Outs of which the gate reads only report.json, not the audio and the texts."""
TOLERANCE: Final = 1e-9
"""Largest relative difference between a figure of the verdict and the recomputed one: processors differ in the last digits."""
LIMIT_S: Final = 3600.0
"""Time limit of a gate."""
PROFILES: Final = "profiles"


# ---- Facts that make a promotion impossible -------------------------------------------------------------------------


def check_verdict(verdict: Mapping[str, Any], params: Mapping[str, Any], where: str) -> None:
    """Check that a verdict is consistent: with its rules, with the policy of its run, and between two systems that differ.

    Args:
        verdict: `vizinho.verdict`.
        params: params.yaml of its run.
        where: name of the verdict, for the message.

    Raises:
        DataError: it contradicts its rules or the run's policy.
        PromotionError: challenger and champion are the same system.
    """
    by_rules = outcome(verdict["rules"])
    if verdict["verdict"] != by_rules:
        failing = [f"{rule['name']} {'undecided' if rule['passed'] is None else 'failed'}" for rule in verdict["rules"]
                   if rule["enabled"] and not rule["passed"]]
        raise DataError(where, f"{verdict['verdict']}", f"{by_rules}, by its rules ({', '.join(failing) or 'all pass'})",
                        "`dvc repro --force gate`, then commit dvc.lock and data/gate together")
    stated, found = verdict.get("policy_hash"), policy_hash(params)
    if stated is not None and stated != found:
        raise DataError(where, f"policy {str(stated)[:12]}", f"{found[:12]}, that of the run's params.yaml",
                        "`dvc repro gate`, then commit dvc.lock and data/gate together")
    challenger, rival = verdict["challenger"], verdict["champion"]
    if all(challenger.get(part) == rival.get(part) for part in ("weights_hash", "decoder")):
        raise PromotionError(where, f"challenger and champion have the same weights {challenger['weights_hash'][:12]}",
                             "a challenger that differs from the champion", "train a challenger")


def outcome(rules: Sequence[Mapping[str, Any]]) -> str:
    """Return the verdict that rules imply: reject if one fails or none is enabled, inconclusive if one is undecided, otherwise promote."""
    results = [rule["passed"] for rule in rules if rule["enabled"]]
    return "reject" if not results or False in results else "inconclusive" if None in results else "promote"


def check_champion(lock: Mapping[str, Any], folder: str, replaced: Record | None, where: str) -> None:
    """Check that the run transcribed the champion on main: DVC's object id of the folder that it read.

    Args:
        lock: dvc.lock of the run.
        folder: of the champion.
        replaced: its record; None on day one, when the run's `donor` stage has made it.
        where: name of the dvc.lock, for the message.

    Raises:
        DataError: it transcribed another model, or dvc.lock does not say which.
    """
    expected, stages = replaced.model.dvc if replaced else store.locked_hashes(lock).get(folder), lock.get("stages", {})
    judged = [dep.get("md5") for dep in stages.get(GATE, {}).get("deps", ()) if dep["path"] == TRANSCRIBED]
    readers = [stage for stage in stages.values()  # of several, one is in use: DVC keeps the entries of stages that were renamed
               if any(out["path"] == TRANSCRIBED and [out.get("md5")] == judged for out in stage.get("outs", ()))]
    read = {dep.get("md5") for stage in readers for dep in stage.get("deps", ()) if dep["path"] == folder}
    if expected is None or read != {expected}:
        raise DataError(where, f"the champion that was transcribed is {folder} {', '.join(sorted(map(str, read))) or '(unknown)'}",
                        f"{expected or 'an out of the run'}, {'the model of ' + replaced.version if replaced else 'which the run has made'}",
                        f"`dvc checkout {folder} && dvc repro gate`, then commit and ask again")


# ---- Objections ------------------------------------------------------------------------------------------------------


def objections(private: PrivateClone, commit: str, verdict: Mapping[str, Any], known: Sequence[Record]) -> list[PromotionError]:
    """Return what speaks against promoting a run, as far as git knows.

    Args:
        private: the private clone, at main.
        commit: the run commit.
        verdict: of the run.
        known: every record of main, the first one first.
    """
    where, found = f"verdict at {commit[:9]}", []
    if verdict["verdict"] != "promote":
        found.append(PromotionError(where, str(verdict["verdict"]), "promote", "override it with a reason, or keep the champion"))
    if index_used_twice(private.root, verdict):
        found.append(PromotionError(where, f"gate {gate_index_of(verdict) + 1} of its period, like another verdict",
                                    "a gate index that no other evidence has: that error level was spent",
                                    "`vizinho registry gates --write`, `dvc repro gate`, commit and ask again"))
    if rollback := rolled_back(known).get(verdict["challenger"]["weights_hash"]):
        found.append(PromotionError(f"challenger of {commit[:9]}", f"its weights are those of {rollback.replaces}, which {rollback.version} has "
                                    f"rolled back ({rollback.approval.reason})", "weights that were not rolled back",
                                    "train another challenger, or override it with a reason"))
    found += policy_objections(private, commit)
    back = ((read_params(private.clone, commit).get("gate") or {}).get("non_inferiority") or {}).get("promotions", 0)
    if lost := lost_slices(private.clone, verdict, known, back):
        found.append(PromotionError(where, f"slices: {'; '.join(lost)}",
                                    f"no slice worse than in the last {back + 1} champions by more than its margin",
                                    "train another challenger, or override it with a reason"))
    if not known:
        found += donor_objections(private, commit, str(verdict["champion"]["model"]))
    return found


def policy_objections(private: PrivateClone, commit: str) -> list[PromotionError]:
    """Return the objection that the run was judged by another policy than main's; none if they are equal.

    Main's policy is in its params.yaml, or, for a model of another name, in the profile of that name.
    """
    run = read_params(private.clone, commit)
    file, main = main_params(private.clone, private.base, private.artefact)
    if main is None:
        return [PromotionError(f"params.yaml at {commit[:9]}", f"registry.artefact {private.artefact}, which no params of main have",
                               "a policy on main to compare with", "merge the params to main first, or override it with a reason")]
    if changes := policy_changes(_compared(main), _compared(run)):
        return [PromotionError(f"params.yaml at {commit[:9]}", f"policy {', '.join(changes)}", f"the values of {file} on main, in brackets",
                               "merge main into the run's branch, `dvc repro` and ask again, or override it with a reason")]
    return []


def main_params(clone: Path, base: str, artefact: str) -> tuple[str, Mapping[str, Any] | None]:
    """Return the params file on main that has the policy for an artefact, and its content; None if there is none."""
    profiles = git(clone, "ls-tree", "--name-only", base, f"{PROFILES}/").splitlines()
    for file in [PARAMS, *(name for name in profiles if name.endswith(".yaml"))]:
        found = read_params(clone, base, file)
        if (found.get("registry") or {}).get("artefact") == artefact:
            return file, found
    return PARAMS, None


def read_params(clone: Path, commit: str, file: str = PARAMS) -> Mapping[str, Any]:
    """Return a params file at a commit.

    Raises:
        DataError: it is not a mapping.
    """
    try:
        found = yaml.safe_load(git(clone, "show", f"{commit}:{file}"))
    except (PipelineError, yaml.YAMLError) as error:
        raise DataError(f"{file} at {commit[:9]}", f"unreadable ({' '.join(str(error).split())})", "params", "correct and commit it") from None
    if not isinstance(found, Mapping):
        raise DataError(f"{file} at {commit[:9]}", type(found).__name__, "a mapping of stages to their params", "correct and commit it")
    return found


def _compared(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the policy in params, and the conditions that its limits are for."""
    return policy_of(params) | {"transcribe": {"robustness": (params.get("transcribe") or {}).get("robustness")}}


def donor_objections(private: PrivateClone, commit: str, folder: str) -> list[PromotionError]:
    """Return the objection that the model of day one is another one than in main's dvc.lock: nothing else vouches for it."""
    locks = [store.locked_hashes(yaml.safe_load(git(private.clone, "show", f"{name}:dvc.lock"))) if _has(private.clone, name, "dvc.lock") else {}
             for name in (private.base, commit)]
    on_main, in_run = (lock.get(folder) for lock in locks)
    if on_main is None or on_main == in_run:
        return []
    return [PromotionError(f"dvc.lock at {commit[:9]}", f"{folder} {in_run}", f"{on_main}, the model of day one on main",
                           "merge the new donor to main first, or override it with a reason")]


def _has(clone: Path, commit: str, path: str) -> bool:
    return bool(git(clone, "ls-tree", "--name-only", commit, path))


# ---- Main's gate on the run's files ----------------------------------------------------------------------------------


def evidence_paths(clone: Path, commit: str, lock: Mapping[str, Any]) -> list[str]:
    """Return the files and folders in DVC that the gate of a run reads.

    Args:
        clone: the private clone.
        commit: the run commit.
        lock: its dvc.lock.
    """
    outs, in_git = store.locked_hashes(lock), set(git(clone, "ls-tree", "-r", "--name-only", commit, "data/").splitlines())
    found = []
    for path in (dep["path"] for dep in lock.get("stages", {}).get(GATE, {}).get("deps", ())):
        found += [out for out in outs if (out == path or out.startswith(f"{path}/")) and out not in in_git]
    return sorted({f"{out}/report.json" if out.startswith(REPORTS) else out for out in found})


def gate_objections(private: PrivateClone, commit: str, verdict: Mapping[str, Any]) -> list[PromotionError]:
    """Return the objection that the gate of main, on the run's files and params, does not give the run's verdict; none if it does.

    The files are in the clone already. Main's code runs, not the run's. The clone is at the run commit before and after.

    Args:
        private: the private clone, at the run commit.
        commit: the run commit.
        verdict: of the run.
    """
    clone, where = private.clone, f"verdict at {commit[:9]}"
    action = "merge main into the run's branch, `dvc repro gate` and ask again, or override it with a reason"
    git(clone, "checkout", "--quiet", "--force", "--detach", private.base)
    git(clone, "checkout", "--quiet", commit, "--", PARAMS, "data")
    (clone / VERDICT).unlink()
    try:
        run_gate(clone)
        found = read_json(clone / VERDICT)
    except PipelineError as error:
        return [PromotionError(where, f"the gate on main fails ({error})", "the same verdict", action)]
    finally:
        git(clone, "checkout", "--quiet", "--force", "--detach", commit)
        git(clone, "clean", "--quiet", "--force", "-d")
    if changes := differences(found, verdict):
        return [PromotionError(where, "; ".join(changes[:3]), "the figures in brackets, which the gate on main makes of the run's files", action)]
    return []


def run_gate(root: Path) -> None:
    """Run the command of the stage `gate` in a checkout, without DVC.

    Raises:
        PipelineError: it failed, or took longer than an hour.
        MissingInputError: dvc.yaml has no such stage.
    """
    command = (yaml.safe_load((root / "dvc.yaml").read_text(encoding="utf-8")).get("stages") or {}).get(GATE, {}).get("cmd")
    if not command:
        raise MissingInputError("dvc.yaml on main", f"no stage {GATE}", "the gate", "merge the pipeline to main first")
    environment = {**without_redirects(os.environ), "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])}
    try:
        done = subprocess.run(" && ".join([command] if isinstance(command, str) else command), shell=True, cwd=root, env=environment,
                              capture_output=True, check=False, timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        raise PipelineError(GATE, f"not done after {LIMIT_S:g} s") from None
    if done.returncode:
        raise PipelineError(GATE, " ".join(done.stderr.decode(errors="replace").split())[-1000:] or f"exit code {done.returncode}")


def differences(expected: Any, found: Any, path: str = "") -> list[str]:
    """Return where two JSON values differ: "challenger.wer 0.1 (0.3)", the expected value in brackets; numbers may differ by `TOLERANCE`."""
    if isinstance(expected, dict) and isinstance(found, dict):
        return [line for key in dict.fromkeys([*found, *expected])
                for line in differences(expected.get(key, "absent"), found.get(key, "absent"), f"{path}.{key}" if path else str(key))]
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        return [line for number, pair in enumerate(zip(expected, found, strict=True)) for line in differences(*pair, f"{path}[{number}]")]
    if type(expected) in (int, float) and type(found) in (int, float) and math.isclose(expected, found, rel_tol=TOLERANCE, abs_tol=TOLERANCE):
        return []
    return [] if expected == found and type(expected) is type(found) else [f"{path} {_brief(found)} ({_brief(expected)})"]


def _brief(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
