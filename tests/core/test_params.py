"""Params: every problem of a section in one error with exit code 2."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import Field, ValidationError, model_validator

from pipeline.core.errors import MissingInputError, ParamsError
from pipeline.core.params import Section, load_section, problems_of, read_params


class Inner(Section):
    rate: float = Field(gt=0)


class Outer(Section):
    name: str
    count: int = 3
    inner: Inner = Inner(rate=1.0)

    @model_validator(mode="after")
    def _together(self) -> Outer:
        if self.name == "many" and self.count < 2:
            raise ValueError("many needs a count of 2 or more")
        return self


def params(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "params.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_section_is_read_with_its_defaults(tmp_path: Path) -> None:
    path = params(tmp_path, "stage:\n  corpus: {name: a, inner: {rate: 0.5}}\n")
    assert load_section(Outer, "stage", "corpus", path=path) == Outer(name="a", count=3, inner=Inner(rate=0.5))


def test_all_problems_are_reported_at_once_with_exit_code_2(tmp_path: Path) -> None:
    path = params(tmp_path, "stage: {cuont: 3, count: many, inner: {rate: -1, extra: 0}}\n")
    with pytest.raises(ParamsError) as caught:
        load_section(Outer, "stage", path=path)
    assert caught.value.exit_code == 2
    assert str(caught.value) == (
        "params.yaml: 5 problems\n"
        "  stage.name: missing; expected a value\n"
        "  stage.count: found 'many'; expected a valid integer, unable to parse string as an integer\n"
        "  stage.inner.rate: found -1; expected greater than 0\n"
        "  stage.inner.extra: unknown key (value 0); remove it or correct its spelling\n"
        "  stage.cuont: unknown key (value 3); remove it or correct its spelling")


@pytest.mark.parametrize("number", [".nan", ".inf"])
def test_non_finite_numbers_are_refused(tmp_path: Path, number: str) -> None:
    with pytest.raises(ParamsError, match=r"1 problem\n  inner.rate: found (nan|inf); expected a finite number|greater than"):
        load_section(Inner, "inner", path=params(tmp_path, f"inner: {{rate: {number}}}\n"))


def test_values_that_do_not_go_together_are_reported_by_their_message() -> None:
    assert problems_of(Outer, {"name": "many", "count": 1}, "stage") == ["stage: many needs a count of 2 or more"]
    assert problems_of(Outer, ["a"], "stage") == ["stage: found ['a']; expected a mapping"]
    assert problems_of(Outer, {"name": "many"}, "stage") == []


def test_a_missing_section_is_reported_with_the_keys_that_exist(tmp_path: Path) -> None:
    path = params(tmp_path, "stage:\n  one: {name: a}\n  two: {name: b}\n")
    with pytest.raises(ParamsError, match=r"stage\.three: missing; found one, two"):
        load_section(Outer, "stage", "three", path=path)
    with pytest.raises(ParamsError, match=r"stage\.one\.name\.deep: missing; found no mapping"):
        load_section(Outer, "stage", "one", "name", "deep", path=path)


def test_a_section_cannot_be_changed() -> None:
    section = Inner(rate=1.0)
    with pytest.raises(ValidationError, match="frozen"):
        section.rate = 2.0  # type: ignore[misc]


@pytest.mark.parametrize("text, message", [
    ("a: [1", "params.yaml: 1 problem\n  not YAML"),
    ("- a\n", "params.yaml: 1 problem\n  found list; expected a mapping of stages to their params"),
    ("", "found NoneType; expected a mapping"),
    ("a: " + "[" * 100_000, "line 1: values within more than 50 others"),
    ("a: " + "[" * 100_000 + "]" * 100_000, "line 1: values within more than 50 others"),
    ("a:\n  " + "- " * 100_000 + "x", "line 2: values within more than 50 others"),
    ("{a: " * 60 + "1" + "}" * 60, "line 1: values within more than 50 others"),
])
def test_a_file_that_is_not_a_mapping_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ParamsError, match=message):
        read_params(params(tmp_path, text))


def test_a_missing_file_is_reported_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match=r"params.yaml: no such file; expected params; take one from profiles/"):
        read_params(tmp_path / "params.yaml")
