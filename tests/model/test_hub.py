"""A checkpoint from a hub (a local server): downloaded once at its pinned revision, and only if params allow it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.core.errors import DataError, MissingInputError
from pipeline.core.files import hash_file
from pipeline.model.artifact import expects_normalised_input
from pipeline.model.checkpoint import read_checkpoint
from pipeline.model.hub import fetch
from tests.checkpoints import lay, lay_adapter, split_up
from tests.hub_server import REVISION, Hub, serving

NAME = "somebody/wav2vec2-spanish"


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[type[Hub]]:
    lay(tmp_path / "published", "jonatasgrosman/wav2vec2-large-xlsr-53-spanish")
    (tmp_path / "published/flax_model.msgpack").write_bytes(b"another framework's weights")
    with serving("models", NAME, tmp_path / "published") as handler:
        yield handler


def get(folder: Path, revision: str = REVISION, download: bool = True, language: str | None = None) -> None:
    fetch(NAME, revision, folder, language, download)


def test_the_required_files_are_downloaded_once_and_their_revision_recorded(hub: type[Hub], tmp_path: Path) -> None:
    get(tmp_path / "raw")
    assert {file.name for file in (tmp_path / "raw").iterdir()} == {
        "config.json", "vocab.json", "tokenizer_config.json", "special_tokens_map.json", "preprocessor_config.json", "pytorch_model.bin", ".hub.json"}
    assert json.loads((tmp_path / "raw/.hub.json").read_text()) == {"repository": NAME, "revision": REVISION}
    assert read_checkpoint(tmp_path / "raw")[2]["weights_sha256"] == read_checkpoint(tmp_path / "published")[2]["weights_sha256"]
    hub.requests.clear()
    get(tmp_path / "raw", download=False)
    assert hub.requests == []


def test_the_processor_of_transformers_5_is_downloaded(hub: type[Hub], tmp_path: Path) -> None:
    (hub.folder / "preprocessor_config.json").rename(hub.folder / "processor_config.json")
    (hub.folder / "processor_config.json").write_text('{"feature_extractor": {"do_normalize": false}}')
    get(tmp_path / "raw")
    assert not expects_normalised_input(read_checkpoint(tmp_path / "raw")[0])


def test_two_fetches_are_the_same_folder_to_dvc(hub: type[Hub], tmp_path: Path) -> None:
    hashes = []
    for name in ("one", "two"):
        get(tmp_path / name)
        hashes.append({str(file.relative_to(tmp_path / name)): hash_file(file) for file in (tmp_path / name).rglob("*") if file.is_file()})
    assert hashes[0] == hashes[1]


@pytest.mark.parametrize("form", ["bin", "safetensors"])
def test_weights_in_several_files_come_with_their_index(hub: type[Hub], tmp_path: Path, form: str) -> None:
    hub.folder = tmp_path / "several"
    lay(hub.folder, "jonatasgrosman/wav2vec2-large-xlsr-53-spanish", form)
    files = split_up(hub.folder)
    hub.broken = {files[2].name}
    with pytest.raises(DataError, match="cannot be downloaded"):
        get(tmp_path / "raw")
    hub.broken = set()
    hub.requests.clear()
    get(tmp_path / "raw")
    assert f"GET /{NAME}/resolve/{REVISION}/{files[0].name}" not in hub.requests
    assert {file.name for file in files} <= {file.name for file in (tmp_path / "raw").iterdir()}
    assert read_checkpoint(tmp_path / "raw")[2] == read_checkpoint(hub.folder)[2] | {"folder": "raw"}


def test_an_index_that_points_elsewhere_is_not_followed(hub: type[Hub], tmp_path: Path) -> None:
    (tmp_path / "published/pytorch_model.bin").unlink()
    (tmp_path / "published/model.safetensors.index.json").write_text('{"weight_map": {"x": "../secret.safetensors"}}')
    with pytest.raises(DataError, match=r"an index of \.\./secret\.safetensors; expected a weight_map to \.safetensors files beside it"):
        get(tmp_path / "raw")
    assert not any("secret" in request for request in hub.requests)


def test_safetensors_are_preferred_and_the_adapter_of_the_language_is_downloaded(hub: type[Hub], tmp_path: Path) -> None:
    hub.folder = tmp_path / "mms"
    lay(hub.folder, "facebook/mms-1b-all", "bin")
    lay(hub.folder, "facebook/mms-1b-all", "safetensors")
    for language in ("eng", "spa"):
        lay_adapter(hub.folder, language)
    get(tmp_path / "raw", language="spa")
    names = {file.name for file in (tmp_path / "raw").iterdir()}
    assert {"model.safetensors", "adapter.spa.safetensors"} <= names
    assert not {"pytorch_model.bin", "adapter.eng.safetensors"} & names


def test_nothing_is_downloaded_unless_the_params_allow_it(hub: type[Hub], tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match=f"raw: no checkpoint, or only a part of it; expected {NAME} at "
                                                f"{REVISION}; set donor.hub.download: true"):
        get(tmp_path / "raw", download=False)
    assert hub.requests == []


def test_an_interrupted_fetch_is_no_checkpoint_and_resumes(hub: type[Hub], tmp_path: Path) -> None:
    hub.broken = {"vocab.json"}
    with pytest.raises(DataError, match=r"somebody/wav2vec2-spanish: cannot be downloaded .*run it again \(finished files are kept\)"):
        get(tmp_path / "raw")
    assert (tmp_path / "raw/pytorch_model.bin").exists() and not (tmp_path / "raw/config.json").exists()
    hub.broken = set()
    hub.requests.clear()
    get(tmp_path / "raw")
    assert f"GET /{NAME}/resolve/{REVISION}/pytorch_model.bin" not in hub.requests
    read_checkpoint(tmp_path / "raw")


def test_a_folder_of_another_revision_or_of_unknown_origin_is_refused(hub: type[Hub], tmp_path: Path) -> None:
    get(tmp_path / "raw")
    with pytest.raises(DataError, match=f"a checkpoint from {NAME} at {REVISION}; expected {NAME} at {'f' * 40}; empty the folder"):
        get(tmp_path / "raw", "f" * 40)
    (tmp_path / "raw/.hub.json").unlink()
    with pytest.raises(DataError, match="a checkpoint of unknown origin"):
        get(tmp_path / "raw")


def test_a_repository_without_weights_of_pytorch_is_named(hub: type[Hub], tmp_path: Path) -> None:
    (tmp_path / "published/pytorch_model.bin").unlink()
    with pytest.raises(DataError, match=r"no model\.safetensors or .*pytorch_model\.bin\.index\.json at 0123456789ab; expected weights of PyTorch"):
        get(tmp_path / "raw")
    assert not (tmp_path / "raw/config.json").exists()
    with pytest.raises(DataError, match="cannot be downloaded"):
        get(tmp_path / "raw", "f" * 40)  # nothing has come, so another commit may be tried in the same folder


def test_a_hub_that_does_not_answer_is_reported_in_one_line(hub: type[Hub], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("time.sleep", lambda _: None)  # the client tries six times, longer and longer apart
    with pytest.raises(DataError, match="cannot be downloaded") as caught:
        get(tmp_path / "raw")
    assert "\n" not in str(caught.value)
