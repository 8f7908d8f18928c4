"""Weights files of a checkpoint: the preferred one, the files of an index, and their hash."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from pipeline.core.errors import DataError, MissingInputError
from pipeline.model.shards import WEIGHTS, find_weights, hash_weights, shards


def write(folder: Path, *names: str) -> list[Path]:
    """Write files with different contents."""
    for name in names:
        (folder / name).write_bytes(name.encode())
    return [folder / name for name in names]


def write_index(folder: Path, *names: str) -> Path:
    """Write an index of safetensors files."""
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {f"weight {number}": name for number, name in enumerate(names)}}))
    return index


def test_safetensors_come_before_pickles_and_one_file_before_several(tmp_path: Path) -> None:
    assert WEIGHTS[0] == "model.safetensors"
    write(tmp_path, "pytorch_model.bin")
    assert find_weights(tmp_path)[0].name == "pytorch_model.bin"
    files = write(tmp_path, "b.safetensors", "a.safetensors")
    index = write_index(tmp_path, "b.safetensors", "a.safetensors", "b.safetensors")
    assert find_weights(tmp_path) == (index, sorted(files))
    one = write(tmp_path, "model.safetensors")
    assert find_weights(tmp_path) == (one[0], one)


def test_missing_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match=r"no weights; expected model\.safetensors"):
        find_weights(tmp_path)
    write(tmp_path, "a.safetensors")
    write_index(tmp_path, "a.safetensors", "b.safetensors")
    with pytest.raises(MissingInputError, match=r"no b\.safetensors; expected the 2 files that model\.safetensors\.index\.json names"):
        find_weights(tmp_path)


@pytest.mark.parametrize("name", ["../a.safetensors", "/a.safetensors", "sub/a.safetensors", r"sub\a.safetensors", "a.bin"])
def test_an_index_may_only_name_files_of_its_form_beside_it(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=r"expected a weight_map to \.safetensors files beside it"):
        shards(write_index(tmp_path, "a.safetensors", name))


def test_the_hash_is_that_of_the_file_or_of_the_files_checksums(tmp_path: Path) -> None:
    files = write(tmp_path, "a.safetensors", "b.safetensors")
    def sha256sum(data: bytes | None, *names: str) -> str:
        done = subprocess.run(["sha256sum", *names], cwd=tmp_path, input=data, capture_output=True, check=True)
        return done.stdout.decode()
    assert hash_weights(files[:1]) == sha256sum(None, "a.safetensors").split()[0]
    assert hash_weights(files) == sha256sum(sha256sum(None, "a.safetensors", "b.safetensors").encode()).split()[0]
