"""The backends of `vizinho transcribe`: the same transcripts, what starts without torch, and exports that are refused."""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from pipeline.batching.waveforms import standardise
from pipeline.core.errors import DataError, MissingInputError, PipelineError, VocabularyError
from pipeline.core.files import ROOT, read_json, write_json
from pipeline.decoding.greedy import decode
from pipeline.decoding.networks import Backend, load_network
from tests import tiny
from tests.exports import write_champion

WORDS = tiny.vocabulary()
WAVEFORMS = [standardise(tiny.spoken(text)) for text in tiny.TEXTS]
LENGTHS_S = np.array([len(waveform) / 16_000 for waveform in WAVEFORMS])


@pytest.fixture(scope="module")
def champion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_champion(tmp_path_factory.mktemp("champion") / "model")


@pytest.fixture
def copied(champion: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(champion, tmp_path / "model"))


def texts(folder: Path, backend: Backend, budget_s: float) -> list[str]:
    network, vocabulary, _ = load_network(folder, backend)
    greedily = partial(decode, vocabulary=vocabulary, frame_s=network.frame_s)
    done: list[float] = []
    found = network.decode_all(greedily, WAVEFORMS.__getitem__, LENGTHS_S, budget_s, done.append)
    assert sum(done) == pytest.approx(LENGTHS_S.sum())
    return [one.text for one in found]


def test_every_backend_gives_the_transcripts_of_torch_in_any_batch(champion: Path) -> None:
    expected = texts(champion, Backend.TORCH, 60.0)
    assert any(expected)
    for budget_s in (0.1, 3.0, 60.0):
        assert texts(champion, Backend.ONNX, budget_s) == expected
    int8 = [texts(champion, Backend.ONNX_INT8, budget_s) for budget_s in (0.1, 60.0)]
    assert int8[0] == int8[1] and any(int8[0])
    for backend in Backend:
        assert load_network(champion, backend)[0].decode_all(len, WAVEFORMS.__getitem__, LENGTHS_S[:0], 60.0) == []


def test_onnx_needs_no_weights_of_torch(copied: Path) -> None:
    (copied / "model.safetensors").unlink()
    assert texts(copied, Backend.ONNX, 60.0) == texts(copied, Backend.ONNX, 1.0)


@pytest.mark.parametrize(("break_it", "kind", "message"), [
    (lambda folder: (folder / "onnx/model.int8.onnx").unlink(), MissingInputError,
     r"onnx/model\.int8\.onnx: no such export, only model\.onnx; .* use --backend torch, or make it with `dvc repro export`"),
    (lambda folder: (folder / "onnx/model.int8.onnx").write_bytes(b"no protobuf"), DataError, r"unreadable \(.*; expected an ONNX file"),
    (lambda folder: (folder / "onnx/parity.json").write_text('{"exports": []}'), DataError, r"expected None, whose parity was measured"),
    (lambda folder: write_json(folder / "vizinho.json", read_json(folder / "vizinho.json") | {"weights_hash": "ef" * 32}), DataError,
     r"an export of weights \w{12}; expected efefefefefef, the model's"),
    (lambda folder: tiny.vocabulary("aeost").write(folder), VocabularyError, r"an export for vocabulary \w{12}; expected \w{12}, the model's"),
    (lambda folder: (folder / "vizinho.json").unlink(), MissingInputError, r"no model \(vizinho\.json\)"),
], ids=["missing", "damaged", "not measured", "other weights", "other vocabulary", "no model"])
def test_an_export_that_does_not_belong_to_the_model_is_one_message(copied: Path, break_it: Any, kind: type[PipelineError], message: str) -> None:
    break_it(copied)
    with pytest.raises(kind, match=message) as caught:
        load_network(copied, Backend.ONNX_INT8)
    assert caught.value.exit_code == 1


def test_a_file_without_the_metadata_is_refused(copied: Path) -> None:
    stored = onnx.load(copied / "onnx/model.onnx")
    del stored.metadata_props[:]
    onnx.save(stored, copied / "onnx/model.onnx")
    with pytest.raises(DataError, match=r"schema None in its metadata; expected vizinho\.onnx/1"):
        load_network(copied, Backend.ONNX)


def test_the_onnx_backend_loads_neither_torch_nor_transformers(champion: Path, tmp_path: Path) -> None:
    import soundfile

    soundfile.write(tmp_path / "a.wav", tiny.spoken("rosa era"), 16_000)
    code = ("import sys\n"
            "from pathlib import Path\n"
            "from pipeline.cli.transcribe import results, transcribe_files\n"
            "print(results(transcribe_files([sys.argv[1]], Path(sys.argv[2]), backend='onnx'))[0]['text'])\n"
            "heavy = sys.modules.keys() & {'torch', 'transformers', 'safetensors', 'onnx'}\n"
            "assert not heavy, heavy\n")
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.wav"), str(champion)], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
