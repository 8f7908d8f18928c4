"""The closure of a stage's imports: the files that its code consists of. `dvc.yaml` lists it, resume keys hash it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from pipeline.core.files import ROOT, hash_bytes

MODULE_NAME = re.compile(r"pipeline(\.\w+)+")


def module_file(module: str, root: Path = ROOT) -> Path | None:
    """Return the file of a module of the project, None if it has none: "pipeline.text" → pipeline/text/__init__.py."""
    path = root.joinpath(*module.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


@cache
def imports(file: Path, root: Path = ROOT) -> frozenset[str]:
    """Return every module that a file imports, at its top or in functions; `from a import b` is a.b if that is a module.

    Raises:
        ValueError: the file has a relative import, which hides the package.
    """
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            if node.level or not node.module:
                raise ValueError(f"{file}: relative import in line {node.lineno}; name the package")
            found |= {full if module_file(full := f"{node.module}.{alias.name}", root) else node.module for alias in node.names}
    return frozenset(found)


def named_modules(file: Path, root: Path = ROOT) -> Iterator[str]:
    """Yield the project's modules that a file names in a string, to import them late or to run them in another process."""
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and MODULE_NAME.fullmatch(node.value) and module_file(node.value, root):
            yield node.value


def is_docstring_only(file: Path) -> bool:
    """Return whether a module has no code but a docstring, as most `__init__.py`: no result depends on it."""
    body = ast.parse(file.read_bytes()).body
    return all(isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) for node in body)


@cache
def closure(module: str, root: Path = ROOT) -> tuple[str, ...]:
    """Return the files that a module imports, directly or indirectly, and its own: sorted, relative to the root.

    Parent packages of an imported module count, since Python runs their `__init__.py`, and so do modules that are named in a string.

    Args:
        module: such as "pipeline.train".
        root: the checkout.
    """
    pending, seen = [module], set[Path]()
    while pending:
        name = pending.pop()
        for file in filter(None, (module_file(name.rsplit(".", depth)[0], root) for depth in range(name.count(".") + 1))):
            if file not in seen:
                seen.add(file)
                pending += [found for found in (*imports(file, root), *named_modules(file, root)) if found.split(".")[0] == "pipeline"]
    return tuple(sorted(file.relative_to(root).as_posix() for file in seen if not is_docstring_only(file)))


def folded(files: tuple[str, ...], root: Path = ROOT) -> list[str]:
    """Return files as `dvc.yaml` lists them: a package if all of its modules are among them, otherwise the file."""
    packages = sorted({parent.as_posix() for file in files for parent in Path(file).parents if parent.as_posix() not in (".", "pipeline")})
    whole = [package for package in packages if _code_below(root / package, root) <= set(files)]
    outermost = [package for package in whole if not any(package.startswith(f"{other}/") for other in whole)]
    return sorted([*outermost, *(file for file in files if not any(file.startswith(f"{package}/") for package in outermost))])


def code_hash(module: str, root: Path = ROOT) -> str:
    """Return a hash of the names and contents of a module's closure."""
    files = closure(module, root)
    return hash_bytes("\n".join(files).encode(), *((root / file).read_bytes() for file in files))


def _code_below(package: Path, root: Path) -> set[str]:
    return {file.relative_to(root).as_posix() for file in package.rglob("*.py") if not is_docstring_only(file)}


if __name__ == "__main__":
    for stage in sorted(file.stem for file in (ROOT / "pipeline").glob("*.py") if file.stem != "__init__"):
        print(f"{stage}:", *folded(closure(f"pipeline.{stage}")), sep="\n  - ")
