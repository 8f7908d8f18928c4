"""How many gates have been run since the last promotion: what the error level of a period was spent on. Git is the ledger.

A gate's verdict is committed with its run. All verdicts, in whatever branch or tag, that compare with the champion in use
belong to its period, and each stands in a *place*: `gate.gates_since_promotion`, 0 for the first, which its error level
shrinks with. Three rules follow, and nothing has to be counted up or taken back when a run is killed:

- evidence (weights of challenger and champion, test set) that was judged before keeps its place: judged again, it spends
  nothing, and `dvc repro` has nothing to do;
- new evidence takes the place after the last one;
- a place that two pieces of evidence stand in (two runs at once, a number left as it was) was spent twice: neither is
  promoted before it was judged again in a place of its own.

What was never committed is not known here; a branch of a run is to be kept, and fetched, until the next promotion.
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
from pipeline.registry.git import git, git_bytes, remote_of

VERDICT: Final = "data/gate/verdict.json"
PARAMS: Final = "params.yaml"
PLACE: Final = re.compile(r"^(\s+gates_since_promotion:[ ]*)(\d+)", re.MULTILINE)

Evidence = tuple[str, str, str]
"""SHA-256 of the challenger's weights, of the champion's, and of the test set."""


def evidence_of(verdict: Mapping[str, Any]) -> Evidence:
    """Return what a verdict rests on."""
    return verdict["challenger"]["weights_hash"], verdict["champion"]["weights_hash"], verdict["challenger"]["test_set"]


def place_of(verdict: Mapping[str, Any]) -> int:
    """Return the place of a verdict in its period: how many gates came before."""
    return int(verdict.get("period", {}).get("gates_before", 0))  # the first verdicts did not say: each was the first of its period


def fetch_runs(root: Path) -> None:
    """Bring the branches of runs (`retrain/*`) here from where root pushes to, under refs/vizinho, so that their verdicts count."""
    git(root, "fetch", "--quiet", "--no-tags", remote_of(root), "+refs/heads/retrain/*:refs/vizinho/retrain/*")


def spent(root: Path, champion: str) -> dict[Evidence, set[int]]:
    """Return every piece of evidence of a period with its places, by the verdicts in this clone's branches and tags.

    Args:
        champion: SHA-256 of the weights that the period's challengers are compared with.

    Raises:
        PipelineError: the clone has not the whole history.
    """
    if git(root, "rev-parse", "--is-shallow-repository") == "true":
        raise PipelineError(str(root), "a shallow clone", "the whole history, to count gates in", "git fetch --unshallow")
    listed = git(root, "rev-list", "--all", "--full-history", "--objects", "--", VERDICT).splitlines()
    found: dict[Evidence, set[int]] = {}
    for blob in [line.removesuffix(f" {VERDICT}") for line in listed if line.endswith(f" {VERDICT}")]:
        try:
            verdict = json.loads(git_bytes(root, "cat-file", "blob", blob))
            evidence = evidence_of(verdict)
        except (ValueError, KeyError, TypeError):
            continue  # no verdict of a form that could be promoted
        if evidence[1] == champion:
            found.setdefault(evidence, set()).add(place_of(verdict))
    return found


def free_place(known: Mapping[Evidence, Iterable[int]], evidence: Evidence) -> int:
    """Return the place in which evidence is to be judged: its own, if it has one for itself, else the one after the last."""
    taken = {place for other, places in known.items() if other != evidence for place in places}
    own = set(known.get(evidence, ()))
    return min(own - taken) if own - taken else max(own | taken, default=-1) + 1


def spent_twice(root: Path, verdict: Mapping[str, Any]) -> bool:
    """Return whether other evidence stands in the place of a verdict."""
    evidence = evidence_of(verdict)
    return any(other != evidence and place_of(verdict) in places for other, places in spent(root, evidence[1]).items())


def place(root: Path) -> int:
    """Return the place in which the evidence in a checkout, judged or not, is to be judged.

    For a flow: after `score`, before `gate`, with `fetch_runs` before it and `write_place` after it.

    Raises:
        MissingInputError: challenger or champion was not transcribed and scored.
    """
    challenger = read_params(root / PARAMS)["gate"]["challenger"]
    try:
        weights = [read_json(root / f"data/transcribe/{name}.json")["weights_hash"] for name in (challenger, "champion")]
        evidence = weights[0], weights[1], read_json(root / f"data/score/{challenger}.json")["test_set"]["hash"]
    except (KeyError, TypeError) as error:
        raise DataError(f"data/transcribe or data/score of {challenger}", f"no usable {error}", "the figures of a run", "`dvc repro score`") from None
    return free_place(spent(root, evidence[1]), evidence)


def write_place(root: Path, gates: int) -> bool:
    """Write `gate.gates_since_promotion` into params.yaml, comments kept; return whether it was another before.

    Raises:
        ParamsError: the key is not there, or more than once.
    """
    before = (root / PARAMS).read_text(encoding="utf-8")
    if len(found := PLACE.findall(before)) != 1:
        raise ParamsError(PARAMS, [f"gate.gates_since_promotion: found {len(found)} times on a line of its own; expected once"])
    after = PLACE.sub(rf"\g<1>{gates}", before)
    if after != before:
        write_text(root / PARAMS, after)
    return after != before
