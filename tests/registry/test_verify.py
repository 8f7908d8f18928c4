"""Verification: it passes for an intact registry and reports every change."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.registry.record import records
from pipeline.registry.verify import verify
from tests.toy_registry import ARTEFACT, Toy


def problems(toy: Toy) -> list[str]:
    return [f"{proof.version}: {problem}" for proof in verify(toy.path) for problem in proof.problems]


def flip(file: Path) -> None:
    """Change one bit in the middle of a file."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.chmod(0o644)
    file.write_bytes(content)


def weights(store: Path, version: str) -> Path:
    generation = {"v0.1.0": b"generation 1\n", "v0.2.0": b"generation 2\n"}[version]
    return next(file for file in (store / "files/md5").rglob("*") if file.is_file() and file.read_bytes().startswith(b"weights of " + generation))


def test_every_record_matches_cache_and_remote(twice: Toy) -> None:
    assert [(proof.version, proof.places, proof.problems) for proof in verify(twice.path)] == [
        ("v0.1.0", ("cache", "remote"), ()), ("v0.2.0", ("cache", "remote"), ()), ("champion", (), ())]


def test_on_day_one_nothing_has_to_be_verified(toy: Toy) -> None:
    assert problems(toy) == []


@pytest.mark.parametrize("database", ["cache", "remote"])
def test_a_flipped_bit_is_found_in_its_database(twice: Toy, database: str) -> None:
    flip(weights({"cache": twice.path / ".dvc/cache", "remote": twice.folder / "dvc-remote"}[database], "v0.1.0"))
    assert problems(twice) == [f"v0.1.0: data/champion in {database}: changed: model.safetensors"]


def test_a_missing_model_cannot_be_verified(twice: Toy) -> None:
    weights(twice.folder / "dvc-remote", "v0.2.0").unlink()
    assert problems(twice) == ["v0.2.0: data/champion: not in the DVC remote, only on this machine (`dvc push`)"]
    weights(twice.path / ".dvc/cache", "v0.2.0").unlink()
    assert problems(twice) == ["v0.2.0: data/champion: in neither DVC cache nor remote; cannot be verified (`dvc push` on the machine that made it)"]


def test_a_changed_split_is_found(twice: Toy) -> None:
    files = (file for file in (twice.folder / "dvc-remote/files/md5").rglob("*") if file.is_file())
    flip(next(file for file in files if file.read_bytes().startswith(b'{"left_total"')))
    assert problems(twice) == [f"{version}: data/split/portuguese in remote: changed: certificate.json" for version in ("v0.1.0", "v0.2.0")]


def test_a_record_that_was_edited_later_is_found(twice: Toy) -> None:
    file = twice.path / "registry/records/v0.1.0.json"
    record = json.loads(file.read_text())
    record["verdict"]["hash"] = "0" * 64
    file.write_text(json.dumps(record))
    twice.commit("Edit a record")
    changed, verdict = problems(twice)
    assert "v0.1.0: record: changed since it was written" in changed
    assert "expected 000000000000" in verdict


def test_a_verdict_that_is_not_the_recorded_one_is_found(twice: Toy) -> None:
    run = records(twice.path)[0].commit
    verdict = json.loads(twice.git("show", f"{run}:data/gate/verdict.json"))
    twice.git("checkout", "--quiet", run)
    (twice.path / "data/gate/verdict.json").write_text(json.dumps(verdict | {"verdict": "reject"}))
    other = twice.commit("Replace the verdict")
    twice.git("checkout", "--quiet", "main")
    twice.git("replace", run, other)
    assert any("v0.1.0: verdict: SHA-256" in problem for problem in problems(twice))


def test_a_tag_that_was_moved_or_lost_is_found(twice: Toy) -> None:
    twice.git("tag", "--delete", f"{ARTEFACT}#champion#2")
    lost, = problems(twice)
    twice.git("tag", "--force", f"{ARTEFACT}@v0.1.0", "HEAD")
    moved = problems(twice)[0]
    assert moved.startswith(f"v0.1.0: tag {ARTEFACT}@v0.1.0: on ")
    assert lost == f"champion: champion.yaml: v0.2.0, but {ARTEFACT}#champion#1 is v0.1.0 (git fetch --tags)"


def test_a_pointer_to_another_model_is_found(twice: Toy) -> None:
    pointer = twice.path / "champion.yaml"
    pointer.write_text(pointer.read_text().replace("v0.2.0", "v0.1.0"))
    assert any("champion: data/champion.dvc:" in problem for problem in problems(twice))


def test_an_invalid_record_is_reported_with_every_problem(twice: Toy) -> None:
    (twice.path / "registry/records/v0.2.0.json").write_text('{"schema": "vizinho.record/1", "extra": 1}')
    found = next(problem for problem in problems(twice) if problem.startswith("v0.2.0"))
    assert "v0.2.0.extra: unknown key" in found
    assert "v0.2.0.model: missing" in found
