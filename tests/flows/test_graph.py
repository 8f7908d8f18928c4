"""The DVC graph of a clone."""

from __future__ import annotations

import pytest

from flows.graph import Graph, base, parse, stage_of
from pipeline.core.errors import MissingInputError

DOT = """
strict digraph {
"data/raw/cv.dvc";
"ingest@cv";
"score";
"train@a";
"train@b";
"ingest@cv" -> "train@a";
"ingest@cv" -> "train@b";
"data/raw/cv.dvc" -> "ingest@cv";
"train@a" -> "score";
"train@b" -> "score";
}
"""


def test_stages_are_listed_in_an_executable_order_without_pointers() -> None:
    needs = parse(DOT)
    assert list(needs) == ["ingest@cv", "train@a", "train@b", "score"]
    assert needs["score"] == {"train@a", "train@b"} and needs["ingest@cv"] == frozenset()


def test_the_stages_after_and_before_a_stage_are_found() -> None:
    graph = Graph(parse(DOT), {})
    assert graph.after(["train@a"]) == {"train@a", "score"}
    assert graph.before(["score"], cut=["train"]) == {"score"}
    assert graph.before(["train@a"]) == {"train@a", "ingest@cv"}


@pytest.mark.parametrize(("stage", "module"), [
    ("rank", "rank"), ("train@mine", "train"), ("transcribe_existing@donor", "transcribe"), ("score_existing@champion", "score")])
def test_every_stage_has_the_module_that_it_runs(stage: str, module: str) -> None:
    assert base(stage) == module


def test_the_stage_of_a_system_is_found_whether_a_run_trains_the_system_or_not() -> None:
    stages = ["score@mine", "score_existing@donor", "score_existing@champion"]
    assert stage_of(stages, "score", "champion") == "score_existing@champion"
    assert stage_of(stages, "score", "mine") == "score@mine"
    with pytest.raises(MissingInputError, match="no stage that runs score for other"):
        stage_of(stages, "score", "other")
