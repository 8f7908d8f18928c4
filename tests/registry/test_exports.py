"""The exports of a champion: those that the gate ships are promoted, recorded, verified, pulled and rolled back with its weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.core.errors import DataError, MissingInputError
from pipeline.core.files import hash_file, read_json
from pipeline.registry.card import _exports
from pipeline.registry.private_clone import PrivateClone
from pipeline.registry.promotion import ApprovalRequest, Candidate, promote, read_candidate, rollback, take_exports
from pipeline.registry.record import CHAMPION, champion_folder, read_record, records
from pipeline.registry.store import dvc
from pipeline.registry.verify import _figures, verify
from tests.registry.test_verify import FIGURES, recorded
from tests.toy_registry import ARTEFACT, Toy

NAMES = {"onnx": "model.onnx", "onnx-int8": "model.int8.onnx"}


def write_exports(folder: Path) -> None:
    """Write the outs of `export`, as far as a promotion reads them."""
    folder.mkdir(parents=True)
    for backend, name in NAMES.items():
        (folder / name).write_text(f"network for {backend}")
    difference = {"value": 0.001, "low": -0.002, "high": 0.004}
    (folder / "parity.json").write_text(json.dumps({"exports": [
        {"backend": backend, "file": name, "bytes": 1000, "hash": hash_file(folder / name), "wer_served": {"difference": difference}}
        for backend, name in NAMES.items()]}))


def entries(folder: Path, shipped: str) -> list[dict[str, Any]]:
    return [{"backend": backend, "file": name, "hash": hash_file(folder / name), "shipped": backend == shipped, "wer_difference": {"value": 0.001}}
            for backend, name in NAMES.items()]


@pytest.fixture
def private(tmp_path: Path) -> PrivateClone:
    """A private clone with a challenger's model as data/champion, and the exports of its run."""
    (tmp_path / CHAMPION / "onnx").mkdir(parents=True)
    (tmp_path / CHAMPION / "onnx/old.onnx").write_text("of the weights before")
    write_exports(tmp_path / "data/export/transfer")
    return PrivateClone(tmp_path, tmp_path, ".", ARTEFACT, "")


def candidate(exports: list[dict[str, Any]]) -> Candidate:
    return Candidate(ApprovalRequest("0" * 40, "", None), ARTEFACT, {"challenger": {"system": "transfer"}, "exports": exports}, {}, {})


def test_what_the_gate_ships_comes_with_its_parity_and_the_rest_does_not(private: PrivateClone) -> None:
    found = entries(private.clone / "data/export/transfer", "onnx")
    shipped, = take_exports(private, candidate(found))
    assert (shipped.backend, shipped.file, shipped.hash, shipped.wer_difference) == ("onnx", "onnx/model.onnx", found[0]["hash"], 0.001)
    assert sorted(path.name for path in (private.clone / CHAMPION / "onnx").iterdir()) == ["model.onnx", "parity.json"]


def test_without_a_shipped_export_none_is_left_in_the_folder(private: PrivateClone) -> None:
    assert take_exports(private, candidate(entries(private.clone / "data/export/transfer", "none"))) == ()
    assert not (private.clone / CHAMPION / "onnx").exists()


def test_another_export_than_the_one_of_the_verdict_is_refused(private: PrivateClone) -> None:
    folder = private.clone / "data/export/transfer"
    found = entries(folder, "onnx-int8")
    (folder / "model.int8.onnx").write_text("another network")
    with pytest.raises(DataError, match=r"data/export at 000000000: model\.int8\.onnx, SHA-256 \w{12}; expected \w{12}, as in the verdict"):
        take_exports(private, candidate(found))
    (folder / "model.int8.onnx").unlink()
    with pytest.raises(MissingInputError, match=r"no model\.int8\.onnx; expected every export that the verdict ships"):
        take_exports(private, candidate(found))


def test_the_card_lists_the_shipped_exports(tmp_path: Path) -> None:
    write_exports(tmp_path / "onnx")
    found = read_json(tmp_path / "onnx/parity.json")["exports"][:1]
    text = _exports(found, {"export@transfer": {"backends": {"onnx": {"relative_to_torch": 1.234}}}}, "transfer")
    assert "Exports in `onnx/`" in text and "| onnx | 0.0 | +0.10 (-0.20 to +0.40) | 1.23 |" in text
    assert "not measured" in _exports(found, {}, "transfer")
    assert _exports([], {}, "transfer") == ""


def test_a_record_without_exports_is_read_as_it_was_written(once: Toy) -> None:
    file = once.path / "registry/records/v0.1.0.json"
    old = read_json(file) | {"schema": "vizinho.record/3"}
    assert old.pop("exports") == []
    file.write_text(json.dumps(old))
    assert read_record(file).as_json() == old


def test_a_record_lists_exactly_the_exports_that_its_verdict_ships() -> None:
    content = {**FIGURES, "exports": [{"hash": "a", "shipped": True}, {"hash": "b", "shipped": False}]}
    assert _figures(recorded(), json.dumps(content).encode()) == ["record: exports []; expected ['a'], as in the verdict"]
    assert _figures(recorded("day-one"), json.dumps(content).encode()) == []


@pytest.mark.slow
def test_exports_are_promoted_verified_pulled_and_rolled_back(once: Toy) -> None:
    write_exports(once.path / "source_exports")
    make = (once.path / "make.py").read_text()
    shipped = json.dumps(entries(once.path / "source_exports", "onnx")).replace("true", "True").replace("false", "False")
    (once.path / "make.py").write_text(make.replace('"rules": rules, "period"', f'"rules": rules, "exports": {shipped}, "period"'))
    pipeline = yaml.safe_load((once.path / "dvc.yaml").read_text())
    pipeline["stages"]["export"] = {"cmd": "mkdir -p data/export && cp -r source_exports data/export/transfer", "deps": ["source_exports"],
                                    "outs": ["data/export/transfer"]}
    pipeline["stages"]["gate"]["deps"].append("data/export/transfer")
    (once.path / "dvc.yaml").write_text(yaml.safe_dump(pipeline, sort_keys=False))
    (once.path / ".gitignore").write_text((once.path / ".gitignore").read_text() + "/data/export/\n")
    once.commit("Export")
    once.git("push", "--quiet", "origin", "main")
    once.run(2, gates=0)
    record = promote(once.path, read_candidate(once.path).request, "Ana Reis")
    assert [(export.backend, export.hash) for export in record.exports] == [("onnx", hash_file(once.path / "source_exports/model.onnx"))]
    assert record.model.files["onnx/model.onnx"] == record.exports[0].hash and "onnx/model.int8.onnx" not in record.model.files
    assert "Exports in `onnx/`" in (once.path / "data/champion/README.md").read_text()
    assert [proof.problems for proof in verify(once.path)] == [(), (), ()]
    assert champion_folder(once.path) == once.path / "data/champion"

    fresh = once.clone("fresh")
    dvc(fresh.path, "pull", "data/champion")
    assert (fresh.path / "data/champion/onnx/model.onnx").read_text() == "network for onnx"
    assert rollback(fresh.path, "v0.1.0", "Ana Reis", "words are invented").exports == ()
    assert not (fresh.path / "data/champion/onnx").exists()
    assert rollback(fresh.path, "v0.2.0", "Ana Reis", "they were not").exports == record.exports
    assert [len(found.exports) for found in records(fresh.path)] == [0, 1, 0, 1]
    assert (fresh.path / "data/champion/onnx/model.onnx").exists()
