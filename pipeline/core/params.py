"""Typed params: one pydantic model per stage (defined in the stage's module), read from params.yaml.

All problems are reported at once, each with file, key, value and what was expected.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.core.errors import MissingInputError, ParamsError
from pipeline.core.files import ROOT

PARAMS_FILE = ROOT / "params.yaml"
MAX_DEPTH = 50
"""Of a value; libyaml's loader ends the process at a depth of thousands."""


class Section(BaseModel):
    """A section of params.yaml: frozen, unknown keys forbidden, NaN and infinity refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


S = TypeVar("S", bound=Section)


def read_params(path: Path | str = PARAMS_FILE) -> dict[str, Any]:
    """Return the whole params file as plain values.

    Raises:
        MissingInputError: the file is missing.
        ParamsError: it is not YAML, or not a mapping.
    """
    path = Path(path)
    try:
        value = parse_yaml(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise MissingInputError(str(path), "no such file", "params", "take one from profiles/") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ParamsError(path.name, [f"not YAML: {error}"]) from None
    if not isinstance(value, dict):
        raise ParamsError(path.name, [f"found {type(value).__name__}; expected a mapping of stages to their params"])
    return value


def parse_yaml(text: str, *, max_depth: int = MAX_DEPTH, plain: bool = False) -> Any:
    """Return the value of a YAML text.

    Args:
        text: of one document.
        max_depth: how deeply values may be nested.
        plain: whether every scalar stays a string, and aliases are refused.

    Raises:
        yaml.YAMLError: it is not YAML, or nested too deeply, or has an alias that is refused.
    """
    depth, loader = 0, getattr(yaml, "CBaseLoader", yaml.BaseLoader) if plain else getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    for event in yaml.parse(text, Loader=loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > max_depth or (plain and isinstance(event, yaml.AliasEvent)):
            line = event.start_mark.line + 1 if event.start_mark else "?"
            raise yaml.YAMLError(f"line {line}: " + (f"values within more than {max_depth} others" if depth > max_depth else "an alias"))
    return yaml.load(text, Loader=loader)


def problems_of(model: type[Section], value: Any, key: str) -> list[str]:
    """Return one line per validation error of `value` against `model`; empty if it is valid."""
    try:
        model.model_validate(value)
    except ValidationError as error:
        return [_line(key, problem) for problem in error.errors()]
    return []


def load_section(model: type[S], *keys: str, path: Path | str = PARAMS_FILE) -> S:
    """Return the section at `keys` (such as `"ingest", "speak-pt"`) as `model`.

    Raises:
        ParamsError: the section is missing or not valid; lists every problem.
    """
    value: Any = read_params(path)
    for depth, key in enumerate(keys):
        if not isinstance(value, dict) or key not in value:
            found = ", ".join(map(str, value)) if isinstance(value, dict) else "no mapping"
            raise ParamsError(Path(path).name, [f"{'.'.join(keys[: depth + 1])}: missing; found {found}"])
        value = value[key]
    if problems := problems_of(model, value, ".".join(keys)):
        raise ParamsError(Path(path).name, problems)
    return model.model_validate(value)


def _line(key: str, problem: Any) -> str:
    where = ".".join([key, *(str(part) for part in problem["loc"])])
    if problem["type"] == "extra_forbidden":
        return f"{where}: unknown key (value {problem['input']!r}); remove it or correct its spelling"
    if problem["type"] == "missing":
        return f"{where}: missing; expected a value"
    expected = "expected a mapping" if problem["type"] == "model_type" else \
        problem["msg"].removeprefix("Value error, ").replace("Input should be ", "expected ")
    if isinstance(problem["input"], dict):  # an error of a whole section: the message names its keys
        return f"{where}: {expected}"
    return f"{where}: found {problem['input']!r}; {expected[0].lower()}{expected[1:]}"
