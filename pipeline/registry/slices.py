"""Slices against earlier champions: without this, a slice may lose its margin again at every promotion.

A verdict states by how much each slice's WER changes against the champion that it replaces. The changes of successive promotions add up to
the change against an earlier champion, although each was measured on the test set of its time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pipeline.core.errors import PipelineError
from pipeline.registry.gates import VERDICT
from pipeline.registry.git import git_bytes
from pipeline.registry.record import Record

RULE: Final = "non_inferiority "
"""Start of the names of the gate's rules on slices; their limit is the margin."""


def lost_slices(clone: Path, verdict: Mapping[str, Any], known: Sequence[Record], promotions: int) -> list[str]:
    """Return the guarded slices that are worse than those of an earlier champion by more than their margin, with figures.

    As in the gate, the whole interval must be at most the margin. It is that of the present comparison; earlier changes count as known.

    Args:
        clone: has the run commits of the records.
        verdict: on the challenger.
        known: every record, the first one first; the last one is the champion.
        promotions: how many champions before the present one are compared with, `gate.non_inferiority.promotions`.
    """
    guarded = {rule["name"].removeprefix(RULE): rule for rule in verdict["rules"]
               if rule["name"].startswith(RULE) and rule["enabled"] and rule["value"] is not None and rule["high"] is not None}
    gained, found = dict.fromkeys(guarded, 0.0), dict[str, str]()
    for record in predecessors(known)[:promotions]:
        changes = slice_changes(clone, record)
        gained = {name: before + changes[name] for name, before in gained.items() if name in changes}
        for name, before in gained.items():
            value, high, margin = (float(guarded[name][part]) for part in ("value", "high", "limit"))
            if high + before > margin:
                found.setdefault(name, f"{name} {100 * (value + before):+.2f} points (up to {100 * (high + before):+.2f}, margin {100 * margin:.2f}) "
                                       f"against {record.replaces or 'the donor of day one'}")
    return list(found.values())


def predecessors(known: Sequence[Record]) -> list[Record]:
    """Return the records that lead to the model in use, the last one first; a rollback leads back to the record that it restores."""
    by_version, chain = {record.version: record for record in known}, list[Record]()
    record = known[-1] if known else None
    while record:
        while record and record.restores:
            record = by_version.get(record.restores)
        if record is None or record in chain:
            break
        chain.append(record)
        record = by_version.get(record.replaces or "")
    return chain


def slice_changes(clone: Path, record: Record) -> dict[str, float]:
    """Return the change in WER of each slice against the champion that a promotion replaced; empty if its verdict cannot be read."""
    try:
        slices = json.loads(git_bytes(clone, "show", f"{record.commit}:{VERDICT}"))["comparisons"]["champion"]["slices"]
        return {",".join(f"{column}={value}" for column, value in part["slice"].items()): float(part["wer"]["difference"]["value"])
                for part in slices if part["wer"]["difference"]["value"] is not None}
    except (PipelineError, ValueError, KeyError, TypeError):
        return {}
