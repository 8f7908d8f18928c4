"""What changed: the utterances that the challenger recognises better or worse than the champion, and this run against another commit."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from pipeline.core.errors import DataError, ParamsError
from pipeline.core.params import read_params
from pipeline.reporting.diff import word_errors
from pipeline.reporting.inputs import Inputs, interval

RATES: Final = {"wer_served": "WER, as served", "cer_served": "CER, as served", "wer": "WER, greedy", "cer": "CER, greedy"}
SHOWN: Final = 8  # utterances of each kind

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Revision:
    """Another run, as its commit records it.

    Attributes:
        commit: its full hash.
        verdict: of its gate, None if it has none.
        same_test_set: whether its error rates are of the same test set, so that they can be compared.
        rates: a row per system and rate: `system`, `rate`, `before` (None if that run did not have the system), `after`.
        params: a row per param that differs: `name`, `before`, `after`; None where there is no such param.
        splits: a row per language and split: `name`, and utterances and hours `before` and `after`.
    """

    commit: str
    verdict: str | None
    same_test_set: bool
    rates: list[Row]
    params: list[Row]
    splits: list[Row]


def champion_changes(inputs: Inputs) -> Row | None:
    """Return how the challenger's utterances differ from the champion's as both serve; None without the champion's hypotheses.

    Returns:
        `better`, `worse`, `same`: utterances by their number of word errors; `gained`, `lost`: the errors; `examples`: by "better" and "worse", the
        utterances with the largest differences, each with `utterance_id`, `reference`, `before` and `after` (word errors).
    """
    if "champion" not in inputs.hypotheses or inputs.challenger == "champion":
        return None
    columns = ["utterance_id", "reference", "hypothesis_served"]
    champion = inputs.hypotheses["champion"][columns[::2]]
    found = inputs.hypotheses[inputs.challenger][columns].merge(champion, on="utterance_id", suffixes=("", "_before"))
    rows = [
        {"utterance_id": name, "reference": reference, "before": word_errors(reference, before), "after": word_errors(reference, after)}
        for name, reference, after, before in found.itertuples(index=False)
    ]
    kinds = {"better": [row for row in rows if row["after"] < row["before"]], "worse": [row for row in rows if row["after"] > row["before"]]}
    return {
        **{kind: len(of_kind) for kind, of_kind in kinds.items()},
        "same": len(rows) - sum(map(len, kinds.values())),
        "gained": sum(row["before"] - row["after"] for row in kinds["better"]),
        "lost": sum(row["after"] - row["before"] for row in kinds["worse"]),
        "examples": {kind: sorted(of_kind, key=_largest_first)[:SHOWN] for kind, of_kind in kinds.items()},
    }


def _largest_first(row: Row) -> tuple[int, str]:
    return -abs(row["after"] - row["before"]), row["utterance_id"]


def read_revision(root: Path, revision: str, inputs: Inputs) -> Revision:
    """Return what another commit of this repository records of its run: scores, verdict, params and splits.

    Args:
        root: the checkout.
        revision: a commit, by any name that git knows.
        inputs: the results of this run.

    Raises:
        ParamsError: there is no such commit.
        DataError: a file of that commit is damaged.
    """
    found = _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    if not found:
        raise ParamsError("params.yaml", [f"report.against: found {revision!r}; expected a commit of this repository (or null)"])
    commit = found.strip()
    rates, hashes = [], set()
    for system, score in inputs.scores.items():
        before = _json(root, commit, f"data/score/{system}.json")
        hashes.add((before or {}).get("test_set", {}).get("hash"))
        rates += [
            {"system": system, "rate": title, "after": interval(score[rate], rate).value,
             "before": interval(before[rate], f"{commit[:12]}: {rate}").value if before and rate in before else None}
            for rate, title in RATES.items()
        ]
    splits = []
    for language, certificate in inputs.certificates.items():
        before = _json(root, commit, f"data/split/{language}/certificate.json") or {}
        splits += [{"name": f"{language}, {name}", "after": split, "before": before.get("splits", {}).get(name)}
                   for name, split in certificate["splits"].items()]
    old, new = (dict(_leaves(params)) for params in (yaml.safe_load(_git(root, "show", f"{commit}:./params.yaml") or "") or {},
                                                     read_params(root / "params.yaml")))
    return Revision(
        commit=commit,
        verdict=(_json(root, commit, "data/gate/verdict.json") or {}).get("verdict"),
        same_test_set=hashes <= {None, inputs.scores[inputs.challenger]["test_set"]["hash"]},
        rates=rates,
        params=[{"name": name, "before": old.get(name), "after": new.get(name)} for name in sorted({*old, *new}) if old.get(name) != new.get(name)],
        splits=splits,
    )


def _leaves(value: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield the params by their dotted names: {"gate": {"challenger": "a"}} → ("gate.challenger", "a")."""
    if isinstance(value, Mapping) and value:
        for key, part in value.items():
            yield from _leaves(part, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, json.dumps(value, ensure_ascii=False, default=str)


def _json(root: Path, commit: str, path: str) -> Any:
    """Return a JSON file of a commit, None if it has none."""
    text = _git(root, "show", f"{commit}:./{path}")
    try:
        return json.loads(text) if text else None
    except ValueError as error:
        raise DataError(f"{path} of {commit[:12]}", f"no JSON ({error})", "a JSON file", "set report.against to another commit") from None


def _git(root: Path, *arguments: str) -> str:
    """Return what git prints, "" if it fails."""
    done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, check=False)
    return done.stdout.decode("utf-8", errors="replace") if done.returncode == 0 else ""
