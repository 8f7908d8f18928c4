"""Plain transcript files for the tests of `vizinho score` and `vizinho compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from pipeline.core.files import ROOT, read_json

REFERENCES = {f"u{index:02d}": f"a casa {index} tem um jardim" for index in range(40)}
WORSE = {name: text.replace("casa", "caza") for name, text in REFERENCES.items()}
BETTER = {name: text if int(name[1:]) % 4 else WORSE[name] for name, text in REFERENCES.items()}


def write(path: Path, texts: dict[str, str], speakers: bool = False) -> Path:
    """Write `id<TAB>text[<TAB>speaker]` lines and return the path."""
    lines = [f"{name}\t{text}" + (f"\ts{int(name[1:]) % 10}" if speakers else "") for name, text in texts.items()]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def validated(found: dict[str, Any], name: str) -> dict[str, Any]:
    """Return a value that fits its JSON schema."""
    Draft202012Validator(read_json(ROOT / f"docs/schemas/{name}.json")).validate(found)
    return found
