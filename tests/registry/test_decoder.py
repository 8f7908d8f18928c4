"""The decoder of a champion: promoted, recorded, verified, pulled and rolled back with its weights."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from pipeline.core.errors import DataError, MissingInputError
from pipeline.core.files import hash_file, hash_json
from pipeline.registry.card import Run, _decoder, _rates
from pipeline.registry.private_clone import PrivateClone
from pipeline.registry.promotion import DECODER_OUT, promote, read_candidate, rollback, take_decoder
from pipeline.registry.record import CHAMPION, DECODER, hash_decoder, records
from pipeline.registry.store import dvc
from pipeline.registry.verify import verify
from tests.toy_registry import ARTEFACT, Toy


def write_decoder(folder: Path, text: str = "-1.0 casa") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ngram.arpa").write_text(text)
    (folder / "lexicon.txt").write_text("casa\n")
    (folder / "decoder.json").write_text(json.dumps({"adopted": True, "files": {"ngram.arpa": hash_file(folder / "ngram.arpa")}}))


def clone(folder: Path, judged: str | None) -> PrivateClone:
    """A private clone that has the challenger's model as data/champion and its transcripts, judged with a decoder of that hash."""
    (folder / CHAMPION).mkdir(parents=True)
    (folder / "data/transcribe").mkdir()
    (folder / "data/transcribe/transfer.json").write_text(json.dumps({"decoder": {"hash": judged} if judged else None}))
    return PrivateClone(folder, folder, ".", ARTEFACT, "")


def test_the_hash_of_a_decoder_covers_its_three_files_and_is_null_without_one() -> None:
    files = {"model.safetensors": "0", **{f"language_model/{name}": name for name in DECODER}}
    assert hash_decoder(files) == hash_json({name: name for name in DECODER})
    assert len({hash_decoder({**files, f"language_model/{name}": "other"}) for name in DECODER} | {hash_decoder(files)}) == 4
    assert hash_decoder({"model.safetensors": "0"}) is None


def test_the_decoder_is_copied_and_replaces_one_that_came_with_the_weights(tmp_path: Path) -> None:
    write_decoder(tmp_path / DECODER_OUT)
    (tmp_path / DECODER_OUT / "search.log").write_text("not served")
    private = clone(tmp_path, hash_file(tmp_path / DECODER_OUT / "decoder.json"))
    write_decoder(tmp_path / CHAMPION / "language_model", "-9.0 old")
    take_decoder(private, "transfer", given=True)
    copied = tmp_path / CHAMPION / "language_model"
    assert {file.name: file.read_bytes() for file in copied.iterdir()} == {name: (tmp_path / DECODER_OUT / name).read_bytes() for name in DECODER}


def test_without_a_decoder_none_is_left_in_the_folder(tmp_path: Path) -> None:
    private = clone(tmp_path, None)
    write_decoder(tmp_path / CHAMPION / "language_model")
    take_decoder(private, "transfer", given=False)
    assert not (tmp_path / CHAMPION / "language_model").exists()


@pytest.mark.parametrize(("given", "judged", "gone", "error", "message"), [
    (True, "0" * 64, None, DataError, r"decoder 000000000000; expected \w{12}, that of data/language_model/portuguese"),
    (True, None, None, DataError, r"decoder None; expected \w{12}, that of"),
    (False, "0" * 64, None, DataError, "decoder 000000000000; expected None"),
    (True, "its own", "ngram.arpa", MissingInputError, "no ngram.arpa; expected decoder.json, lexicon.txt, ngram.arpa"),
    (True, "its own", "lexicon.txt", MissingInputError, "no lexicon.txt"), (True, "its own", "decoder.json", DataError, "expected None, that of"),
], ids=["another decoder", "judged without", "the run has none", "no n-gram", "no lexicon", "no description"])
def test_a_challenger_is_promoted_with_the_decoder_that_it_was_judged_with(tmp_path: Path, given: bool, judged: str | None, gone: str | None,
                                                                           error: type[Exception], message: str) -> None:
    write_decoder(tmp_path / DECODER_OUT)
    private = clone(tmp_path, hash_file(tmp_path / DECODER_OUT / "decoder.json") if judged == "its own" else judged)
    if gone:
        (tmp_path / DECODER_OUT / gone).unlink()
    with pytest.raises(error, match=message):
        take_decoder(private, "transfer", given)


def test_the_card_has_the_served_rates_beside_the_greedy_ones_and_the_licences_of_the_texts() -> None:
    rate = {"value": 0.2, "low": None, "high": None}
    assert list(_rates({"wer": rate, "cer": rate})) == ["WER %", "CER %"]
    assert list(_rates(dict.fromkeys(("wer", "cer", "wer_served", "cer_served"), rate))) == [
        "WER %", "CER %", "WER % as served", "CER % as served"]
    assert _decoder(None, {}) == ""
    decoder = {"adopted": True, "texts": {"train": ["CC0-1.0"], "news": ["CC-BY-4.0"]}}
    assert "Licences of its texts: CC0-1.0, CC-BY-4.0." in _decoder(decoder, {"wer_served": rate})
    assert "which is not used" in _decoder({"adopted": False}, {})
    assert Run({}, {}, {}, {}, {}).decoder is None


@pytest.mark.slow
def test_a_decoder_is_promoted_verified_pulled_and_rolled_back(once: Toy) -> None:
    pipeline = yaml.safe_load((once.path / "dvc.yaml").read_text())
    write_decoder(once.path / "source_decoder")
    pipeline["stages"]["language_model"] = {"foreach": ["portuguese"], "do": {
        "cmd": "mkdir -p data/language_model && cp -r source_decoder data/language_model/${item}", "deps": ["source_decoder"],
        "outs": ["data/language_model/${item}"]}}
    (once.path / "dvc.yaml").write_text(yaml.safe_dump(pipeline, sort_keys=False))
    (once.path / ".gitignore").write_text((once.path / ".gitignore").read_text() + "/data/language_model/\n")
    dvc(once.path, "repro", "--quiet", "language_model@portuguese")
    once.run(2, gates=0)
    record = promote(once.path, read_candidate(once.path).request, "Ana Reis")
    decoder = {name: hash_file(once.path / "source_decoder" / name) for name in DECODER}
    assert record.model.decoder_hash == hash_json(decoder)
    assert {f"language_model/{name}": value for name, value in decoder.items()}.items() <= record.model.files.items()
    assert "Its decoder, `language_model/`, is a beam search" in (once.path / "data/champion/README.md").read_text()
    assert [proof.problems for proof in verify(once.path)] == [(), (), ()]

    fresh = once.clone("fresh")
    dvc(fresh.path, "pull", "data/champion")
    assert (fresh.path / "data/champion/language_model/ngram.arpa").read_text() == "-1.0 casa"
    rollback(fresh.path, "v0.1.0", "Ana Reis", "words are invented")
    assert not (fresh.path / "data/champion/language_model").exists()
    restored = rollback(fresh.path, "v0.2.0", "Ana Reis", "they were not")
    assert (restored.model, restored.model.decoder_hash) == (record.model, hash_json(decoder))
    assert [found.model.decoder_hash is None for found in records(fresh.path)] == [True, False, True, False]
    assert (fresh.path / "data/champion/language_model/ngram.arpa").read_text() == "-1.0 casa"

    stored = next(file for file in (once.folder / "dvc-remote/files/md5").rglob("*") if file.is_file() and file.read_bytes() == b"-1.0 casa")
    stored.chmod(0o644)
    stored.write_text("-0.1 casa")
    assert "v0.2.0: data/champion in remote: changed: language_model/ngram.arpa" in [
        f"{proof.version}: {problem}" for proof in verify(once.path) for problem in proof.problems]
