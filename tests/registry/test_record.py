"""Records: their schema, the champion pointer, version numbers and the changelog."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from pipeline.core.errors import DataError, MissingInputError
from pipeline.core.files import ROOT, hash_file, read_json
from pipeline.registry.record import Record, champion, champion_folder, changelog_line, next_version, read_record, records, with_line
from tests.toy_registry import ARTEFACT, Toy

SCHEMA = read_json(ROOT / "docs/schemas/record.json")


def hashes(path: Path) -> dict[str, str]:
    return {file.relative_to(path).as_posix(): hash_file(file) for file in path.rglob("*") if file.is_file()}


def test_a_record_matches_its_schema_and_describes_the_promoted_model(twice: Toy) -> None:
    first, second = (read_json(twice.path / f"registry/records/{version}.json") for version in ("v0.1.0", "v0.2.0"))
    for record in (first, second):
        jsonschema.validate(record, SCHEMA)
    assert set(SCHEMA["properties"]) == set(first) == {field.alias or name for name, field in Record.model_fields.items()}
    assert (first["replaces"], second["replaces"], second["restores"]) == (None, "v0.1.0", None)
    assert (first["approval"]["champion"], second["approval"]["champion"]) == (None, f"{ARTEFACT}#champion#1")
    assert second["model"]["files"] == hashes(twice.path / "data/champion")
    assert second["data"] == {"data/split/portuguese": hashes(twice.path / "data/split/portuguese")}
    assert second["verdict"] == {"hash": hash_file(twice.path / "data/gate/verdict.json"), "verdict": "promote", "wer": 0.25, "cer": 0.1, "gates": 1,
                                 "policy_hash": read_json(twice.path / "data/gate/verdict.json")["policy_hash"]}
    assert (second["model"]["decoder_hash"], second["approval"]["overridden"]) == (None, [])


def test_a_record_that_is_read_is_equal_to_the_one_that_was_written_and_every_problem_is_reported(once: Toy) -> None:
    file = once.path / "registry/records/v0.1.0.json"
    assert read_record(file).as_json() == read_json(file)
    assert records(once.path) == [read_record(file)]
    file.write_text('{"schema": "vizinho.record/2", "version": "1", "extra": 1}')
    with pytest.raises(DataError) as caught:
        read_record(file)
    for problem in ("v0.1.0.extra: unknown key", "v0.1.0.model: missing", "v0.1.0.version"):
        assert problem in str(caught.value)


@pytest.mark.parametrize(("part", "key", "least", "refused"), [
    ("verdict", "gates", 1, 0), ("verdict", "wer", 0, -0.01), ("verdict", "cer", 0, -0.01), ("approval", "by", "A", ""),
    ("approval", "override", "-", ""), ("approval", "reason", "-", ""), (None, "version", "v10.0.0", "v1.0"),
])
def test_a_record_has_values_in_their_ranges(once: Toy, part: str | None, key: str, least: object, refused: object) -> None:
    file, record = once.path / "registry/records/v0.1.0.json", read_json(once.path / "registry/records/v0.1.0.json")
    for value, error in ((least, None), (refused, rf"{key}: ")):
        (record[part] if part else record)[key] = value
        file.write_text(json.dumps(record))
        if error:
            with pytest.raises(DataError, match=error):
                read_record(file)
        else:
            read_record(file)


def test_a_record_of_the_form_before_is_read_and_shown_as_it_was_written(once: Toy) -> None:
    file = once.path / "registry/records/v0.1.0.json"
    old = read_json(file) | {"schema": "vizinho.record/2"}
    for part, key in (("model", "decoder_hash"), ("verdict", "policy_hash"), ("approval", "overridden")):
        del old[part][key]
    del old["exports"]
    file.write_text(json.dumps(old))
    assert read_record(file).as_json() == old


def test_the_pointer_names_the_folder_in_use_and_its_record(tmp_path: Path) -> None:
    pointer = tmp_path / "champion.yaml"
    pointer.write_text("champion: {path: data/donor, version: null}\n")
    assert champion(tmp_path) == ("data/donor", None)
    pointer.write_text("champion: {path: data/champion, version: v0.1.0}\n")
    with pytest.raises(MissingInputError, match=r"no record of v0\.1\.0, the champion"):
        champion(tmp_path)
    pointer.write_text("champion: {version: v0.1.0}\n")
    with pytest.raises(DataError, match="no usable pointer"):
        champion(tmp_path)


def test_the_champion_is_served_only_with_the_files_of_its_record(once: Toy) -> None:
    folder = once.path / "data/champion"
    assert champion_folder(once.path) == folder
    described = (folder / "vizinho.json").read_bytes()
    (folder / "vizinho.json").unlink()
    (folder / "vizinho.json").write_bytes(described.replace(b'"seed": 1', b'"seed": 2'))
    with pytest.raises(DataError, match=r"changed or missing: vizinho\.json; expected the files of v0\.1\.0, the champion; `dvc checkout --force"):
        champion_folder(once.path)
    (folder / "vizinho.json").write_bytes(described)
    (folder / "README.md").unlink()
    with pytest.raises(DataError, match=r"changed or missing: README\.md"):
        champion_folder(once.path)


def test_the_changelog_line_has_version_error_rates_and_reason(twice: Toy) -> None:
    record = records(twice.path)[-1]
    assert changelog_line(record) == (f"- {record.promoted_at:%Y-%m-%d} {ARTEFACT} v0.2.0: transfer; WER 25.00 %, CER 10.00 % (gate: promote), "
                                      f"run {record.commit[:9]}, by Ana Reis")
    donor = record.model_copy(update={"verdict": record.verdict.model_copy(update={"verdict": None})})
    assert "(no gate has judged it), run" in changelog_line(donor)
    restored = record.model_copy(update={"restores": "v0.1.0", "approval": record.approval.model_copy(update={"reason": "too many errors"})})
    assert ": the model of v0.1.0 is restored (too many errors); WER" in changelog_line(restored)


def test_a_new_model_raises_the_minor_number_and_a_rollback_the_last() -> None:
    assert next_version([], restoring=False) == "v0.1.0"
    assert next_version(["v0.1.0", "v0.10.1", "v0.9.0"], restoring=False) == "v0.11.0"
    assert next_version(["v0.1.0", "v0.2.0"], restoring=True) == "v0.2.1"


def test_the_changelog_gets_its_section_once_and_the_newest_line_first() -> None:
    one = with_line("# Changelog\n\n## 0.1\n\n- All of it.\n", "- first")
    assert one == "# Changelog\n\n## 0.1\n\n- All of it.\n\n## Champions\n\n- first\n"
    assert with_line(one, "- second") == one.replace("- first", "- second\n- first")
