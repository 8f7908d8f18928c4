"""The weights of a checkpoint, in one file or in several that an index lists."""

from __future__ import annotations

from pathlib import Path

from pipeline.core.errors import DataError, MissingInputError
from pipeline.core.files import hash_bytes, hash_file, read_json

WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")
"""In order of preference."""


def shards(weights: Path) -> list[str]:
    """Return the names of the files that an index lists; of a weights file its own name.

    Raises:
        DataError: it names no files, or files elsewhere.
    """
    if weights.suffix != ".json":
        return [weights.name]
    stored = read_json(weights)
    files = stored.get("weight_map") if isinstance(stored, dict) else None
    names = sorted(set(files.values())) if isinstance(files, dict) and all(isinstance(name, str) for name in files.values()) else []
    ending = weights.name.removesuffix(".index.json").rsplit(".", 1)[1]
    if not names or any("/" in name or "\\" in name or not name.endswith(f".{ending}") for name in names):
        raise DataError(str(weights), f"an index of {', '.join(names[:3]) or 'nothing'}", f"a weight_map to .{ending} files beside it",
                        "fetch the whole checkpoint again")
    return names


def find_weights(folder: Path) -> tuple[Path, list[Path]]:
    """Return a checkpoint's weights file or index, and the files that hold the weights.

    Raises:
        MissingInputError: there are none, or files of the index are missing.
    """
    found = next((folder / name for name in WEIGHTS if (folder / name).exists()), None)
    if found is None:
        raise MissingInputError(str(folder), "no weights", "model.safetensors or pytorch_model.bin, or the index of either",
                                "download the whole checkpoint")
    files = [folder / name for name in shards(found)]
    if missing := [file.name for file in files if not file.exists()]:
        raise MissingInputError(str(folder), f"no {', '.join(missing[:5])}", f"the {len(files)} files that {found.name} names",
                                "download the whole checkpoint")
    return found, files


def hash_weights(files: list[Path]) -> str:
    """Return the SHA-256 of a weights file; of several, that of the output of `sha256sum FILES`."""
    if len(files) == 1:
        return hash_file(files[0])
    return hash_bytes("".join(f"{hash_file(file)}  {file.name}\n" for file in files).encode())
