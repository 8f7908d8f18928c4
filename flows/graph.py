"""DVC's own graph of a clone, and what of it is stale."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from flows.workspace import Workspace

NODE: Final = re.compile(r'^"(?P<stage>[^"]+)";?$')
EDGE: Final = re.compile(r'^"(?P<before>[^"]+)" -> "(?P<after>[^"]+)";?$')


@dataclass(frozen=True, slots=True)
class Graph:
    """Stages, in an order that they can run in.

    Args:
        needs: stage to the stages whose outs it reads.
        stale: stage to what has changed, as `dvc status` says it; up-to-date ones are absent.
    """

    needs: Mapping[str, frozenset[str]]
    stale: Mapping[str, Any]

    def after(self, stages: Collection[str]) -> set[str]:
        """Return these stages and all that depend on them."""
        found = set(stages)
        for stage, needed in self.needs.items():
            if needed & found:
                found.add(stage)
        return found

    def before(self, stages: Collection[str], cut: Collection[str] = ()) -> set[str]:
        """Return these stages and all that they depend on, but none of `cut` and nothing only reached through it."""
        found, waiting = set(), list(stages)
        while waiting:
            stage = waiting.pop()
            if stage not in found and base(stage) not in cut:
                found.add(stage)
                waiting += self.needs[stage]
        return found


def base(stage: str) -> str:
    """Return the module that a stage runs: "train@transfer" → "train", "score_existing@donor" → "score"."""
    return stage.partition("@")[0].removesuffix("_existing")


def parse(dot: str) -> dict[str, frozenset[str]]:
    """Return stage → stages that it needs, from `dvc dag --dot`, in an order that they can run in. Pointers are left out."""
    needs: dict[str, set[str]] = {}
    for line in map(str.strip, dot.splitlines()):
        if found := NODE.match(line):
            needs.setdefault(found["stage"], set())
        elif found := EDGE.match(line):
            needs.setdefault(found["before"], set())
            needs.setdefault(found["after"], set()).add(found["before"])
    stages = {name: {need for need in needed if not need.endswith(".dvc")} for name, needed in needs.items() if not name.endswith(".dvc")}
    ordered: dict[str, frozenset[str]] = {}
    while len(ordered) < len(stages):
        ready = sorted(name for name, needed in stages.items() if name not in ordered and needed <= ordered.keys())
        assert ready, "DVC refuses cycles"
        ordered |= {name: frozenset(stages[name]) for name in ready}
    return ordered


def stages_of(space: Workspace) -> dict[str, frozenset[str]]:
    """Return stage → stages that it needs, of a clone."""
    return parse(space.ask_dvc("dag", "--dot"))


def read_graph(space: Workspace) -> Graph:
    """Return the graph of a clone as it lies there now: one `dvc dag`, one `dvc status`."""
    needs = stages_of(space)
    status = json.loads(space.ask_dvc("--wait-for-lock", "status", "--json") or "{}")
    return Graph(needs, {stage: changes for stage, changes in status.items() if stage in needs and changes != ["always changed"]})
