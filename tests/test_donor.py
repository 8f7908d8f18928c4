"""The stage `donor`: trained here or imported, the result is the same kind of folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from pipeline import donor
from pipeline.core import params as core_params
from pipeline.core.errors import DataError, ParamsError, VocabularyError
from pipeline.core.files import ROOT
from pipeline.model.artifact import load_model, save_model
from tests import tiny
from tests.checkpoints import lay, lay_adapter
from tests.hub_server import REVISION, serving
from tests.small_run import clone, dvc

SECTION: dict[str, Any] = {
    "source": "data/split/spanish", "vocabulary": "data/tokenise/spanish/vocabulary.json", "seed": 1, "steps": 4, "peak_rate": 1e-3,
    "warmup_steps": 1, "config": {"batch_s": 5, "evaluate_every": 2}, "model": tiny.SHAPE,
}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VIZINHO_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(core_params.load_section, "__kwdefaults__", {"path": tmp_path / "params.yaml"})
    tiny.write_split(tmp_path, tiny.TEXTS, language="spanish")
    tiny.write_split(tmp_path, tiny.TEXTS[:3], "dev", "spanish")
    words = tmp_path / "data/tokenise/spanish"
    words.mkdir(parents=True)
    (words / "vocabulary.json").write_text(json.dumps({symbol: row for row, symbol in enumerate(tiny.vocabulary().symbols)}))
    return tmp_path


def run(root: Path, **changes: Any) -> None:
    (root / "params.yaml").write_text(yaml.safe_dump({"donor": SECTION | changes}))
    donor.run()


def test_a_donor_is_trained_on_its_split(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(root)
    model, words, record = load_model(root / "data/donor")
    assert words == tiny.vocabulary()
    assert model.config.hidden_size == 32
    assert (record["system"], record["origin"], record["params"]["steps"]) == ("donor", "data/split/spanish", 4)
    assert record["figures"]["train"]["utterances"] == len(tiny.TEXTS)
    assert pd.read_csv(root / "data/donor/history.csv")["step"].tolist() == [2, 4]
    assert "M parameters, 8 symbols" in capsys.readouterr().out


def test_the_same_params_give_the_same_weights(root: Path) -> None:
    run(root)
    first = (root / "data/donor/model.safetensors").read_bytes()
    run(root)
    assert (root / "data/donor/model.safetensors").read_bytes() == first
    run(root, seed=2)
    assert (root / "data/donor/model.safetensors").read_bytes() != first


def test_a_checkpoint_is_imported_with_its_own_vocabulary(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = tiny.vocabulary("rosaeñ")
    save_model(tiny.model(words), words, root / "checkpoint", {})
    (root / "checkpoint/vizinho.json").unlink()
    run(root, source="checkpoint", vocabulary="checkpoint/vocab.json")
    _, found, record = load_model(root / "data/donor")
    assert found == words
    assert record["origin"]["folder"] == "checkpoint"
    assert record["figures"] is None
    assert pd.read_parquet(root / "data/donor/trained_on.parquet").empty
    assert "9 symbols from checkpoint" in capsys.readouterr().out


def test_a_checkpoint_whose_vocabulary_does_not_fit_is_refused(root: Path) -> None:
    save_model(tiny.model(), tiny.vocabulary(), root / "checkpoint", {})
    (root / "checkpoint/vocab.json").write_text('{"<pad>": 0, "<unk>": 1, "|": 2, "a": 3}')
    with pytest.raises(VocabularyError, match="a head of 8 rows and a vocabulary of 4 symbols"):
        run(root, source="checkpoint", vocabulary="checkpoint/vocab.json")
    assert not (root / "data/donor").exists()


def test_a_model_of_this_project_as_a_checkpoint_keeps_its_training_record_and_vocabulary_hash(root: Path) -> None:
    run(root)
    (root / "data/donor").rename(root / "ours")
    run(root, source="ours", vocabulary="ours/vocab.json")
    learned = pd.read_parquet(root / "data/donor/trained_on.parquet")
    assert len(learned) == len(tiny.TEXTS) and learned.equals(pd.read_parquet(root / "ours/trained_on.parquet"))
    assert (root / "data/donor/model.safetensors").read_bytes() == (root / "ours/model.safetensors").read_bytes()
    tiny.vocabulary("rosea").write(root / "ours")
    with pytest.raises(VocabularyError, match=f"expected {tiny.vocabulary().hash[:12]}, which the weights were made for"):
        run(root, source="ours", vocabulary="ours/vocab.json")


def test_a_base_without_a_head_is_imported_with_a_fresh_one(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lay(root / "base", "facebook/wav2vec2-xls-r-300m")
    run(root, source="base")
    model, words, record = load_model(root / "data/donor")
    assert words == tiny.vocabulary()
    assert record["origin"]["head"] == "fresh"
    assert model.config.vocab_size == 8
    assert "8 symbols from base (with a fresh head: the checkpoint has none)" in capsys.readouterr().out


def test_one_language_of_mms_is_imported(root: Path) -> None:
    lay(root / "mms", "facebook/mms-1b-all", "safetensors")
    lay_adapter(root / "mms", "spa")
    run(root, source="mms", vocabulary="mms/vocab.json", language="spa")
    _, words, record = load_model(root / "data/donor")
    assert len(words.symbols) == 49
    assert record["origin"]["adapter"] == "adapter.spa.safetensors"


def test_a_checkpoint_from_a_hub_is_recorded_with_revision_and_hash(root: Path) -> None:
    lay(root / "raw", "jonatasgrosman/wav2vec2-large-xlsr-53-spanish")
    hub = {"repository": "somebody/spanish", "revision": "0" * 40}
    with pytest.raises(DataError, match="a checkpoint of unknown origin; expected somebody/spanish"):
        run(root, source="raw", hub=hub)
    (root / "raw/.hub.json").write_text(json.dumps(hub))
    run(root, source="raw", hub=hub)
    origin = load_model(root / "data/donor")[2]["origin"]
    assert (origin["repository"], origin["revision"]) == ("somebody/spanish", "0" * 40)
    run(root, source="raw", hub=hub | {"weights_sha256": origin["weights_sha256"]})
    with pytest.raises(DataError, match=rf"pytorch_model\.bin: SHA-256 {origin['weights_sha256']}; expected {'a' * 64}"):
        run(root, source="raw", hub=hub | {"weights_sha256": "a" * 64})
    with pytest.raises(ParamsError, match=r"donor\.hub\.revision: found 'main'"):
        run(root, source="raw", hub=hub | {"revision": "main"})


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_downloaded_checkpoint_is_the_same_dep_in_every_clone_and_is_downloaded_once(tmp_path: Path) -> None:
    lay(tmp_path / "published", "jonatasgrosman/wav2vec2-large-xlsr-53-spanish", "safetensors")
    profile = yaml.safe_load((ROOT / "profiles/common-voice-xlsr.yaml").read_text(encoding="utf-8"))
    source, words = profile["donor"]["source"], profile["donor"]["vocabulary"]
    profile["donor"]["hub"] = {"repository": "somebody/spanish", "revision": REVISION, "download": True}
    hashes = []
    with serving("models", "somebody/spanish", tmp_path / "published") as hub:
        for name in ("one", "two"):
            folder = clone(tmp_path, name)
            (folder / "params.yaml").write_text(yaml.safe_dump(profile, sort_keys=False), encoding="utf-8")
            (folder / source).mkdir(parents=True)
            (folder / words).parent.mkdir(parents=True)
            (folder / words).write_text("{}", encoding="utf-8")  # of a fresh head, which this checkpoint does not need
            done = dvc(folder, "repro", "--single-item", "donor")
            assert done.returncode == 0, done.stdout[-3000:]
            deps = yaml.safe_load((folder / "dvc.lock").read_text(encoding="utf-8"))["stages"]["donor"]["deps"]
            hashes += [dep["md5"] for dep in deps if dep["path"] == source]
        hub.requests.clear()
        assert "didn't change" in dvc(folder, "repro", "--single-item", "donor").stdout
        assert hub.requests == []
    assert hashes[0] == hashes[1]


def test_a_source_that_is_neither_split_nor_checkpoint_is_named_with_its_key(root: Path) -> None:
    with pytest.raises(DataError, match=r"data/nowhere: neither a checkpoint nor a split.*correct donor\.source in params\.yaml"):
        run(root, source="data/nowhere")


def test_all_wrong_params_are_reported_at_once(root: Path) -> None:
    with pytest.raises(ParamsError) as caught:
        run(root, steps=0, peak_rate=2, config={"batch_s": -1, "colour": "red"})
    assert len(caught.value.problems) == 4
    assert any(problem.startswith("donor.config.colour: unknown key") for problem in caught.value.problems)
