"""Mutation test of the code that can let a promotion through: which changes of it does no test notice?

    python -m benchmarks.mutants [GROUP] [--sample 60] [--seed 1] [--only REGEX]

prints the survivors of a group; without a group, the groups. A mutant is a function with one small change: another comparison, connective,
constant, operator or result; a condition, filter, call or error that is left out. All such changes of conditions in the group's guards
are tested, and a random sample of the other ones. Each mutant has a process of its own, which replaces the function's code and runs the tests
that execute its statement, the fastest first, until one fails. Not changed: messages, and code that runs at import or in another process.

Two controls: a module whose functions all return None must fail, and a test that fails for the first time must pass without a mutant.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import copy
import functools
import gc
import importlib
import inspect
import itertools
import json
import os
import random
import re
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

ROOT = Path(__file__).resolve().parents[1]
COMPARISONS: dict[type[ast.cmpop], list[type[ast.cmpop]]] = {
    ast.Lt: [ast.LtE, ast.GtE], ast.LtE: [ast.Lt, ast.Gt], ast.Gt: [ast.GtE, ast.LtE], ast.GtE: [ast.Gt, ast.Lt], ast.Eq: [ast.NotEq],
    ast.NotEq: [ast.Eq], ast.In: [ast.NotIn], ast.NotIn: [ast.In], ast.Is: [ast.IsNot], ast.IsNot: [ast.Is]}
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult, ast.Pow: ast.Mult,
    ast.BitOr: ast.BitAnd, ast.BitAnd: ast.BitOr}
CALLS = {"any": "all", "all": "any", "min": "max", "max": "min"}


@dataclass(frozen=True, slots=True)
class Group:
    """Modules that are tested together.

    Args:
        guards: modules whose conditions are all tested, and whose other changes are sampled.
        modules: whose changes are sampled.
        tests: files and folders of tests.
        registry: whether the tests copy the toy registry, which is then built once.
    """

    guards: tuple[str, ...]
    modules: tuple[str, ...]
    tests: tuple[str, ...]
    registry: bool = False


def files(folder: str, *names: str) -> tuple[str, ...]:
    """Return modules of a package."""
    return tuple(f"pipeline/{folder}{name}.py" for name in names)


GROUPS = {
    "gate": Group(files("", "gate") + files("scoring/", "binding", "reading", "evidence", "rules"), (), ("tests/gate", "tests/scoring")),
    "scoring": Group((), files("scoring/", "bootstrap", "comparison", "counts", "paired", "planted", "power", "robustness", "scorecard",
                               "utterances"), ("tests/scoring", "tests/test_score.py", "tests/gate")),
    "head": Group((), files("model/", "head"), ("tests/model/test_head.py",)),
    "leakage": Group((), files("leakage/", "recount", "rules", "search") + files("", "split"), ("tests/leakage", "tests/test_split.py")),
    "registry": Group(files("registry/", "evidence", "promotion", "gates", "slices", "verify") + files("core/", "policy"), (),
                      ("tests/registry", "tests/core/test_policy.py"), registry=True),
    "store": Group((), files("registry/", "clone", "git", "private_clone", "record", "store", "tags"), ("tests/registry",), registry=True),
}


# ---- Mutants --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change.

    Args:
        file: path of the module.
        number: position among the module's mutants.
        function: that it is in.
        line: of the changed node.
        lines: first and last line of its statement.
        change: old and new source.
        condition: whether the change is in a condition, in a truth value, or removes an error or a call.
    """

    file: str
    number: int
    function: str
    line: int
    lines: tuple[int, int]
    change: str
    condition: bool

    def __str__(self) -> str:
        return f"{self.file}:{self.line} {self.function}: {self.change}"


def variants(node: ast.AST) -> Iterator[ast.AST]:
    """Yield changed copies of a node."""
    def changed(**fields: Any) -> ast.AST:
        new = copy.copy(node)
        for name, value in fields.items():
            setattr(new, name, value)
        return new

    match node:
        case ast.Compare(ops=ops):
            for index, operator in enumerate(ops):
                for other in COMPARISONS[type(operator)]:
                    yield changed(ops=[*ops[:index], other(), *ops[index + 1:]])
        case ast.BoolOp(op=operator, values=values):
            yield changed(op=ast.Or() if isinstance(operator, ast.And) else ast.And())
            for index in range(len(values)):
                rest = values[:index] + values[index + 1:]
                yield changed(values=rest) if len(rest) > 1 else rest[0]
        case ast.If(test=test) | ast.IfExp(test=test) | ast.While(test=test):
            yield changed(test=ast.UnaryOp(ast.Not(), test))
            yield changed(test=ast.Constant(False))
        case ast.comprehension(ifs=ifs):
            for index in range(len(ifs)):
                yield changed(ifs=ifs[:index] + ifs[index + 1:])
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            yield operand
        case ast.BinOp(op=operator, right=right) if type(operator) in OPERATORS and not is_text(right):
            yield changed(op=OPERATORS[type(operator)]())
        case ast.Constant(value=bool(value)):
            yield changed(value=not value)
        case ast.Constant(value=int(value) | float(value)):
            yield changed(value=value + 1)
            yield changed(value=value - 1)
        case ast.Return(value=ast.expr() as value) if not (isinstance(value, ast.Constant) and value.value is None):
            yield changed(value=ast.Constant(None))
        case ast.Raise() | ast.AugAssign() | ast.Expr(value=ast.Call()):
            yield ast.Pass()
        case ast.Call(func=ast.Name(id=name)) if name in CALLS:
            yield changed(func=ast.Name(CALLS[name], ast.Load()))


def is_text(node: ast.AST) -> bool:
    """Return whether a node is a text or a constant of the module, so that `folder / node` is a path."""
    return (isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))
            or (isinstance(node, ast.Name) and node.id.isupper()))


def source_of(node: ast.AST) -> str:
    """Return a node's source on one line, of a compound statement only its condition."""
    text = " ".join(ast.unparse(node.test if isinstance(node, ast.If | ast.While) else node).split())
    return text if len(text) <= 100 else f"{text[:97]}..."


def mutants(file: str, tree: ast.Module, only: int | None = None) -> Iterator[tuple[Mutant, Callable[[], None]]]:
    """Yield every mutant of a module's functions, or only one, with the function that changes the tree."""
    count = 0

    def walk(node: ast.AST, function: str, lines: tuple[int, int], condition: bool,
             replace: Callable[[ast.AST], None]) -> Iterator[tuple[Mutant, Callable[[], None]]]:
        nonlocal count
        is_error = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id.endswith("Error")
        if isinstance(node, ast.JoinedStr | ast.arguments) or is_error or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
            return
        if isinstance(node, ast.stmt):
            lines = node.lineno, max(node.lineno, node.body[0].lineno - 1) if hasattr(node, "body") else node.end_lineno or node.lineno
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            function = f"{function}.{node.name}".lstrip(".")
            parts = [("body", node.body)]
        else:
            parts = list(ast.iter_fields(node))
            condition = condition or isinstance(node, ast.Compare | ast.BoolOp | ast.Raise) or (
                isinstance(node, ast.Expr) or (isinstance(node, ast.Constant) and isinstance(node.value, bool)))
            for new in variants(node) if function else ():
                tests = condition or isinstance(node, ast.If | ast.IfExp | ast.While | ast.comprehension)
                line = getattr(node, "lineno", lines[0])
                if only in (None, count):
                    yield (Mutant(file, count, function, line, lines, f"{source_of(node)} → {source_of(new)}", tests),
                           lambda new=new: replace(ast.copy_location(new, node)))  # type: ignore[misc]
                count += 1
        for name, value in parts:
            inside = condition or name in ("test", "ifs")
            if isinstance(value, ast.AST) and name != "annotation":
                yield from walk(value, function, lines, inside, lambda new, name=name: setattr(node, name, new))  # type: ignore[misc]
            elif isinstance(value, list):
                for index, part in enumerate(value):
                    if isinstance(part, ast.AST):
                        yield from walk(part, function, lines, inside,
                                        lambda new, value=value, index=index: value.__setitem__(index, new))  # type: ignore[misc]

    yield from walk(tree, "", (0, 0), False, lambda new: None)


def functions_of(file: str) -> Iterator[tuple[list[str], FunctionType]]:
    """Yield the path and the object of every function and method of an imported module, without those within functions."""
    module = sys.modules[file.removesuffix(".py").replace("/", ".")]
    for node in ast.parse((ROOT / file).read_text(encoding="utf-8")).body:
        for path in [[node.name]] if isinstance(node, ast.FunctionDef) else [
                [node.name, part.name] for part in node.body if isinstance(part, ast.FunctionDef)] if isinstance(node, ast.ClassDef) else []:
            found: Any = functools.reduce(inspect.getattr_static, path, module)
            found = getattr(found, "fget", None) or getattr(found, "__func__", found)
            yield path, inspect.unwrap(found)


def replace_code(file: str, number: int | None) -> None:
    """Replace the code of the function that a mutant is in; None: of every function of the module, so that it returns None."""
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    mutant = None
    if number is not None:
        (mutant, change), = mutants(file, tree, number)
        change()
    code = compile(ast.fix_missing_locations(tree), str(ROOT / file), "exec")
    for path, function in functions_of(file):
        if mutant is None:
            function.__code__ = (lambda *arguments, **named: None).__code__.replace(co_freevars=function.__code__.co_freevars)
        elif mutant.function.split(".")[:len(path)] == path:
            function.__code__ = functools.reduce(
                lambda found, name: next(part for part in found.co_consts if isinstance(part, CodeType) and part.co_name == name), path, code)
            return
    if mutant is not None:
        raise LookupError(str(mutant))


# ---- Tests ----------------------------------------------------------------------------------------------------------


def in_child(work: Callable[[], Any], limit_s: float) -> Any:
    """Return what a function returns in a child process, as JSON; None if it takes longer than the limit or dies."""
    read, write = os.pipe()
    if not (child := os.fork()):
        try:
            os.setsid()
            quiet = os.open(os.devnull, os.O_WRONLY)
            os.dup2(quiet, 1)
            os.dup2(quiet, 2)
            with os.fdopen(write, "w") as handle:
                json.dump(work(), handle)
        finally:
            os._exit(0)
    os.close(write)
    timer = threading.Timer(limit_s, os.killpg, (child, signal.SIGKILL))
    timer.start()
    with os.fdopen(read) as handle:
        found = handle.read()
    timer.cancel()
    os.waitpid(child, 0)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)  # what it started
    return json.loads(found) if found else None


class Tests:
    """The collected tests of a group, with the seconds that each takes and the lines that it executes."""

    def __init__(self, items: Sequence[pytest.Item], modules: Sequence[str]) -> None:
        self.items = {item.nodeid: item for item in items}
        pairs = list(itertools.zip_longest(items, items[1:]))
        measured = in_child(lambda: {item.nodeid: self._measure(item, after, modules) for item, after in pairs}, 3_600)
        for name, (failed, _, _) in measured.items():
            if failed:
                print(f"left out, it fails without a mutant: {name}")
        self.seconds = {name: seconds for name, (failed, seconds, _) in measured.items() if not failed}
        self.lines = {name: set(map(tuple, measured[name][2])) for name in self.seconds}
        self.kills: Counter[tuple[str, str]] = Counter()
        self.trusted: set[str] = set()

    def _measure(self, item: pytest.Item, after: pytest.Item | None, modules: Sequence[str]) -> tuple[bool, float, list[tuple[str, int]]]:
        """Run a test; return whether it failed, its seconds, and the lines of the modules that it executed."""
        places, hit, begin = {str(ROOT / name): name for name in modules}, set[tuple[str, int]](), time.perf_counter()

        def trace(frame: Any, event: str, _: object) -> Any:
            if name := places.get(frame.f_code.co_filename):
                hit.add((name, frame.f_lineno))
                return trace
            return None

        sys.settrace(trace)
        failed = self._fails(item, after)
        sys.settrace(None)
        return failed, time.perf_counter() - begin, sorted(hit)

    @staticmethod
    def _fails(item: pytest.Item, after: pytest.Item | None) -> bool:
        return any(report.failed for report in runtestprotocol(item, log=False, nextitem=after))

    def cover(self, file: str, lines: tuple[int, int], function: str) -> list[str]:
        """Return the tests that execute one of the lines: those that killed most mutants of the function first, then the fastest."""
        return sorted((name for name, hit in self.lines.items() if any(place == file and lines[0] <= line <= lines[1] for place, line in hit)),
                      key=lambda name: (-self.kills[function, name], self.seconds[name]))

    def run(self, names: Sequence[str], change: Callable[[], None]) -> tuple[str, str]:
        """Return what becomes of a change: killed by a test, timeout, invalid or survived."""
        begin, limit_s = time.perf_counter(), 60 + 20 * sum(self.seconds[name] for name in names)

        def work() -> tuple[str, str]:
            change()
            for name, after in itertools.zip_longest(names, names[1:]):
                if self._fails(self.items[name], self.items.get(after)):
                    return "killed", name
            return "survived", ""

        status, by = in_child(work, limit_s) or ("timeout" if time.perf_counter() - begin >= limit_s else "invalid", "")
        if by and by not in self.trusted:
            if in_child(lambda: self._fails(self.items[by], None), limit_s) is not False:
                del self.lines[by]
                return "invalid", by
            self.trusted.add(by)
        return status, by


class Mutation:
    """The pytest plugin that tests mutants instead of a run of the tests."""

    def __init__(self, group: Group, plan: Sequence[Mutant]) -> None:
        self.group, self.plan = group, plan

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Print what becomes of the mutants of the plan."""
        if self.group.registry:
            for name in ("run", "once", "twice"):
                importlib.import_module("tests.toy_registry").built(name)
        gc.freeze()  # a child does not copy what a collection would touch
        tests, counts = Tests(session.items, (*self.group.guards, *self.group.modules)), Counter[str]()
        for file in sorted({mutant.file for mutant in self.plan}):
            importlib.import_module(file.removesuffix(".py").replace("/", "."))
            status, by = tests.run(tests.cover(file, (1, 1_000_000), file), functools.partial(replace_code, file, None))
            if status != "killed":
                raise SystemExit(f"{file}: no test fails without its functions ({status} {by})")
        for mutant in self.plan:
            names = tests.cover(mutant.file, mutant.lines, function := f"{mutant.file} {mutant.function}")
            status, by = tests.run(names, functools.partial(replace_code, mutant.file, mutant.number)) if names else ("not covered", "")
            counts[status] += 1
            tests.kills[function, by] += 1
            if status != "killed":
                print(f"{status}: {mutant} {by}", flush=True)
        print(f"{sum(counts.values())} mutants: " + ", ".join(f"{count} {status}" for status, count in counts.most_common()))
        return True


def main() -> None:
    """Test the mutants of a group."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("group", nargs="?", choices=GROUPS)
    parser.add_argument("--sample", type=int, default=60, help="number of mutants besides those in conditions of the guards")
    parser.add_argument("--seed", type=int, default=1, help="of the sample")
    parser.add_argument("--only", default="", help="regular expression on FILE:LINE FUNCTION: CHANGE; test only these")
    arguments = parser.parse_args()
    if not arguments.group:
        print("\n".join(f"{name:<10} {' '.join((*group.guards, *group.modules))}" for name, group in GROUPS.items()))
        return
    os.chdir(ROOT)
    group = GROUPS[arguments.group]
    every = [mutant for file in (*group.guards, *group.modules) for mutant, _ in mutants(file, ast.parse(Path(file).read_text(encoding="utf-8")))]
    guarding = [mutant for mutant in every if mutant.file in group.guards and mutant.condition]
    others = [mutant for mutant in every if mutant not in guarding]
    plan = guarding + random.Random(arguments.seed).sample(others, min(arguments.sample, len(others)))
    print(f"{len(every)} mutants, {len(guarding)} in conditions of the guards, a sample of {len(plan) - len(guarding)} of the others")
    with tempfile.TemporaryDirectory() as folder:
        pytest.main([*group.tests, "--tb=native", "-s", f"--basetemp={folder}/tests"],
                    plugins=[Mutation(group, [mutant for mutant in plan if re.search(arguments.only, str(mutant))])])


if __name__ == "__main__":
    main()
