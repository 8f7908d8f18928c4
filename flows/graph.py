"""The DVC graph of a clone, and which of its stages are stale."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from flows.workspace import Workspace
from pipeline.core.errors import MissingInputError

NODE: Final = re.compile(r'^"(?P<stage>[^"]+)";?$')
EDGE: Final = re.compile(r'^"(?P<before>[^"]+)" -> "(?P<after>[^"]+)";?$')
EXISTING: Final = "_existing"
"""Suffix of the stages for the two systems that no run trains: `score_existing@champion` runs the module `score`."""


@dataclass(frozen=True, slots=True)
class Graph:
    """Stages in an executable order.

    Args:
        needs: stage to the stages whose outs it reads.
        stale: stage to its changes, as `dvc status` reports them; up-to-date stages are absent.
    """

    needs: Mapping[str, frozenset[str]]
    stale: Mapping[str, Any]

    def after(self, stages: Collection[str]) -> set[str]:
        """Return these stages and all stages that depend on them."""
        found = set(stages)
        for stage, needed in self.needs.items():
            if needed & found:
                found.add(stage)
        return found

    def before(self, stages: Collection[str], cut: Collection[str] = ()) -> set[str]:
        """Return these stages and all stages that they depend on.

        Args:
            stages: where to start.
            cut: modules, such as "train", at whose stages the search stops; they are left out.
        """
        found, waiting = set(), list(stages)
        while waiting:
            stage = waiting.pop()
            if stage not in found and base(stage) not in cut:
                found.add(stage)
                waiting += self.needs[stage]
        return found


def base(stage: str) -> str:
    """Return the module that a stage runs: "train@transfer" → "train", "score_existing@donor" → "score"."""
    return stage.partition("@")[0].removesuffix(EXISTING)


def stage_of(stages: Iterable[str], module: str, system: str) -> str:
    """Return the stage that runs a module for a system: "score", "champion" → "score_existing@champion".

    Raises:
        MissingInputError: there is no such stage.
    """
    for stage in stages:
        if base(stage) == module and stage.partition("@")[2] == system:
            return stage
    raise MissingInputError("dvc.yaml", f"no stage that runs {module} for {system}", f"{module}@{system} or {module}{EXISTING}@{system}")


def parse(dot: str) -> dict[str, frozenset[str]]:
    """Return stage → stages that it needs, from `dvc dag --dot`, in an executable order; pointers (`*.dvc`) are left out."""
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
    """Return stage → stages that it needs, for a clone."""
    return parse(space.dvc_output("dag", "--dot"))


def read_graph(space: Workspace) -> Graph:
    """Return the graph of a clone and its present state, from one `dvc dag` and one `dvc status`."""
    needs = stages_of(space)
    status = json.loads(space.dvc_output("--wait-for-lock", "status", "--json") or "{}")
    return Graph(needs, {stage: changes for stage, changes in status.items() if stage in needs and changes != ["always changed"]})
