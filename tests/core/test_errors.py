"""Errors: the message has where, found, expected and what to do; the exit code separates params from the rest."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from pipeline.core import errors
from pipeline.core.errors import DataError, LeakageError, MissingInputError, ParamsError, PipelineError


@pytest.mark.parametrize("arguments, message", [
    (("a.json", "no such file", "a JSON file", "run `dvc repro`"), "a.json: no such file; expected a JSON file; run `dvc repro`"),
    (("a.json", "no such file", "a JSON file"), "a.json: no such file; expected a JSON file"),
    (("a.json", "no such file", "", "run `dvc repro`"), "a.json: no such file; run `dvc repro`"),
    (("a.json", "no such file"), "a.json: no such file"),
])
def test_a_message_has_where_found_expected_and_what_to_do(arguments: tuple[str, ...], message: str) -> None:
    error = PipelineError(*arguments)
    assert str(error) == message
    assert (error.where, error.found, error.expected, error.action) == (*arguments, "", "")[:4]


@pytest.mark.parametrize("problems, message", [
    (["a: missing"], "params.yaml: 1 problem\n  a: missing"),
    (["a: missing", "b: unknown"], "params.yaml: 2 problems\n  a: missing\n  b: unknown"),
])
def test_a_params_error_lists_every_problem_on_a_line(problems: list[str], message: str) -> None:
    error = ParamsError("params.yaml", problems)
    assert str(error) == message
    assert error.problems == tuple(problems)


def subclasses(kind: type[PipelineError]) -> Iterator[type[PipelineError]]:
    for child in kind.__subclasses__():
        if child.__module__ == errors.__name__:
            yield child
            yield from subclasses(child)


def test_only_params_errors_exit_with_2() -> None:
    codes = {kind.__name__: kind.exit_code for kind in (PipelineError, *subclasses(PipelineError))}
    assert codes.pop("ParamsError") == 2
    assert set(codes.values()) == {1}


def test_the_docstring_lists_every_error_below_its_parent() -> None:
    drawn = re.findall(r"^([│ ]*[├└]── )?(\w+Error) ", errors.__doc__ or "", re.MULTILINE)
    kinds = [PipelineError, *subclasses(PipelineError)]
    assert [name for _, name in drawn] == [kind.__name__ for kind in kinds]
    assert [len(prefix) // 4 for prefix, _ in drawn] == [len(kind.__mro__) - len(PipelineError.__mro__) for kind in kinds]
    assert issubclass(MissingInputError, DataError)
    assert issubclass(LeakageError, DataError)
