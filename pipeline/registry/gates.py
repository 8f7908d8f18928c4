"""How many gates have run since the last promotion, which share the error level of that period. Git is the ledger.

A gate's verdict is committed with its run. All verdicts, in any branch or tag, that compare with the champion in use belong to
its period. Each has a *gate index*, `gate.gates_since_promotion`: 0 for the first one. The error level shrinks with the index.
Three rules follow, and a killed run leaves nothing to undo:

- evidence (weights of challenger and champion, test set) that a gate has evaluated before keeps its index: evaluating it again
  spends nothing, and `dvc repro` has nothing to do;
- new evidence gets the index after the last one;
- an index that two pieces of evidence share (two runs at once, an index that nobody incremented) was spent twice: neither is promoted
  before a gate evaluates it again with an index that no other evidence has.

Verdicts that were never committed do not count. Keep the branch of a run, and fetch it, until the next promotion.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from pipeline.core.errors import DataError, ParamsError, PipelineError
from pipeline.core.files import read_json, write_text
from pipeline.core.params import read_params
from pipeline.registry.git import git, git_bytes, is_partial, remote_of

VERDICT: Final = "data/gate/verdict.json"
PARAMS: Final = "params.yaml"
GATE_INDEX: Final = re.compile(r"^(\s+gates_since_promotion:[ ]*)(\d+)", re.MULTILINE)

Evidence = tuple[str, str, str]
"""SHA-256 of the challenger's weights, of the champion's, and of the test set."""


def evidence_of(verdict: Mapping[str, Any]) -> Evidence:
    """Return the evidence of a verdict."""
    return verdict["challenger"]["weights_hash"], verdict["champion"]["weights_hash"], verdict["challenger"]["test_set"]


def gate_index_of(verdict: Mapping[str, Any]) -> int:
    """Return the gate index of a verdict: how many gates of its period came before."""
    return int(verdict.get("period", {}).get("gates_before", 0))


def fetch_runs(root: Path) -> None:
    """Fetch the branches of runs (`retrain/*`) from the remote that root pushes to into refs/vizinho, so that their verdicts count."""
    git(root, "fetch", "--quiet", "--no-tags", remote_of(root), "+refs/heads/retrain/*:refs/vizinho/retrain/*")


def check_history(root: Path) -> None:
    """Check that a clone has the whole history.

    Raises:
        PipelineError: it is shallow, or a partial clone.
    """
    if git(root, "rev-parse", "--is-shallow-repository") == "true":
        raise PipelineError(str(root), "a shallow clone", "the whole history, to count gates in", "git fetch --unshallow")
    if is_partial(root):
        raise PipelineError(str(root), "a partial clone", "the whole history, to count gates in", "clone again without --filter")


def spent(root: Path, champion: str) -> dict[Evidence, set[int]]:
    """Return every piece of evidence of a period with its gate indices, by the verdicts in this clone's branches and tags.

    Args:
        root: the checkout.
        champion: SHA-256 of the weights that the period's challengers are compared with.

    Raises:
        PipelineError: the clone is shallow.
    """
    check_history(root)
    listed = git(root, "rev-list", "--all", "--full-history", "--objects", "--", VERDICT).splitlines()
    found: dict[Evidence, set[int]] = {}
    for blob in [line.removesuffix(f" {VERDICT}") for line in listed if line.endswith(f" {VERDICT}")]:
        try:
            verdict = json.loads(git_bytes(root, "cat-file", "blob", blob))
            evidence = evidence_of(verdict)
        except (ValueError, KeyError, TypeError):
            continue  # not a verdict that could be promoted
        if evidence[1] == champion:
            found.setdefault(evidence, set()).add(gate_index_of(verdict))
    return found


def free_index(known: Mapping[Evidence, Iterable[int]], evidence: Evidence) -> int:
    """Return the gate index for evidence: the one that it alone has, otherwise the one after the last."""
    taken = {index for other, indices in known.items() if other != evidence for index in indices}
    own = set(known.get(evidence, ()))
    return min(own - taken) if own - taken else max(own | taken, default=-1) + 1


def index_used_twice(root: Path, verdict: Mapping[str, Any]) -> bool:
    """Return whether other evidence has the gate index of a verdict."""
    evidence = evidence_of(verdict)
    return any(other != evidence and gate_index_of(verdict) in indices for other, indices in spent(root, evidence[1]).items())


def gate_index(root: Path) -> int:
    """Return the gate index for the evidence in a checkout, whether or not a gate has evaluated it.

    For a flow: after `score`, before `gate`, with `fetch_runs` before it and `write_gate_index` after it.

    Raises:
        MissingInputError: challenger or champion was not transcribed and scored.
    """
    challenger = read_params(root / PARAMS)["gate"]["challenger"]
    try:
        weights = [read_json(root / f"data/transcribe/{name}.json")["weights_hash"] for name in (challenger, "champion")]
        evidence = weights[0], weights[1], read_json(root / f"data/score/{challenger}.json")["test_set"]["hash"]
    except (KeyError, TypeError) as error:
        raise DataError(f"data/transcribe or data/score of {challenger}", f"no usable {error}", "the figures of a run", "`dvc repro score`") from None
    return free_index(spent(root, evidence[1]), evidence)


def write_gate_index(root: Path, gates: int) -> bool:
    """Write `gate.gates_since_promotion` into params.yaml, keep its comments, and return whether the value changed.

    Raises:
        ParamsError: the key is missing, or occurs more than once.
    """
    before = (root / PARAMS).read_text(encoding="utf-8")
    if len(found := GATE_INDEX.findall(before)) != 1:
        raise ParamsError(PARAMS, [f"gate.gates_since_promotion: found {len(found)} times on a line of its own; expected once"])
    after = GATE_INDEX.sub(rf"\g<1>{gates}", before)
    if after != before:
        write_text(root / PARAMS, after)
    return after != before
