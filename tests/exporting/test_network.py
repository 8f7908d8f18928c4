"""Exported networks: the logits of PyTorch in every batch and length, the same bytes each time, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from pipeline.batching.waveforms import standardise
from pipeline.core.errors import DataError
from pipeline.decoding.forward import logits_of
from pipeline.decoding.onnx_network import OnnxNetwork
from pipeline.exporting.int8 import quantise
from pipeline.exporting.network import OPSET, export_network
from tests import tiny

DESCRIBED = {"vocabulary_hash": "ab" * 32, "weights_hash": "cd" * 32}
WAVEFORMS = [standardise(tiny.spoken(text)) for text in ("asa", "rosa era", "o", "ora essa")]


def network(**shape: Any) -> Any:
    model = tiny.model(seed=3, **shape)
    with torch.no_grad():
        model.lm_head.weight.mul_(60)
    return model


@pytest.fixture(scope="module")
def model() -> Any:
    return network()


@pytest.fixture(scope="module")
def fp32(model: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file: Path = tmp_path_factory.mktemp("export") / "model.onnx"
    export_network(model, file, DESCRIBED)
    return file


@pytest.fixture(scope="module")
def int8(fp32: Path) -> Path:
    file = fp32.with_name("model.int8.onnx")
    quantise(fp32, file)
    return file


def difference(one: list[Any], other: list[Any]) -> float:
    assert [logits.shape for logits in one] == [logits.shape for logits in other]
    return max(float(np.abs(mine - theirs).max()) for mine, theirs in zip(one, other, strict=True))


def test_logits_are_those_of_torch_alone_and_in_a_padded_batch_of_any_size(model: Any, fp32: Path) -> None:
    exported, expected = OnnxNetwork(fp32, 1), logits_of(model, WAVEFORMS)
    assert exported.batched and exported.normalise and exported.frame_s == 0.02
    assert difference([exported.logits_of([waveform])[0] for waveform in WAVEFORMS], expected) < 1e-4
    for count in (2, len(WAVEFORMS)):
        assert difference(exported.logits_of(WAVEFORMS[:count]), expected[:count]) < 1e-4


def test_an_utterance_shorter_than_the_receptive_field_has_one_frame(model: Any, fp32: Path) -> None:
    short = standardise(tiny.spoken("a")[:90])
    assert difference(OnnxNetwork(fp32, 1).logits_of([short, WAVEFORMS[0]]), logits_of(model, [short, WAVEFORMS[0]])) < 1e-4


@pytest.mark.parametrize("shape", [{"do_stable_layer_norm": False}, {"feat_extract_norm": "group", "conv_bias": False, "front_end": ""}],
                         ids=["norm after", "group norm"])
def test_other_shapes_of_wav2vec2_are_exported_too(shape: dict[str, Any], tmp_path: Path) -> None:
    model = network(**shape)
    export_network(model, tmp_path / "model.onnx", DESCRIBED)
    exported = OnnxNetwork(tmp_path / "model.onnx", 1)
    assert exported.batched is ("feat_extract_norm" not in shape), "padding would change the logits of group normalisation"
    assert difference(exported.logits_of(WAVEFORMS), logits_of(model, WAVEFORMS)) < 1e-4


def test_two_exports_of_a_model_have_equal_bytes_and_name_no_path(model: Any, fp32: Path, int8: Path, tmp_path: Path) -> None:
    export_network(model, tmp_path / "model.onnx", DESCRIBED)
    quantise(tmp_path / "model.onnx", tmp_path / "model.int8.onnx")
    for file in (fp32, int8):
        content = (tmp_path / file.name).read_bytes()
        assert content == file.read_bytes()
        assert b".py" not in content and str(tmp_path).encode() not in content


def test_the_file_states_its_opset_inputs_and_what_it_was_made_from(fp32: Path, int8: Path) -> None:
    for file, batched in ((fp32, "1"), (int8, "0")):
        stored = onnx.load(file)
        assert {entry.domain: entry.version for entry in stored.opset_import}[""] == OPSET >= 18
        assert [entry.name for entry in stored.graph.input] == ["input_values", "attention_mask"]
        assert [entry.name for entry in stored.graph.output] == ["logits", "frames"]
        described = {entry.key: entry.value for entry in stored.metadata_props}
        assert DESCRIBED.items() <= described.items()
        assert (described["schema"], described["frame_samples"], described["batched"]) == ("vizinho.onnx/1", "320", batched)


def test_int8_quantises_products_alone_is_close_and_runs_one_utterance_at_a_time(model: Any, fp32: Path, int8: Path) -> None:
    kinds = {node.op_type for node in onnx.load(int8).graph.node}
    assert {"MatMulInteger", "Conv"} <= kinds and not {"ConvInteger", "QLinearConv"} & kinds
    exported, expected = OnnxNetwork(int8, 1), logits_of(model, WAVEFORMS)
    alone = [exported.padded_logits([waveform])[0] for waveform in WAVEFORMS]
    assert difference(exported.logits_of(WAVEFORMS), alone) == 0.0, "the batch must not change a transcript"
    assert np.mean([np.abs(mine - theirs).mean() for mine, theirs in zip(alone, expected, strict=True)]) < 0.05 * np.std(np.concatenate(expected))


def test_a_model_that_an_onnx_file_cannot_hold_is_refused(model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.exporting.network.LARGEST_BYTES", 1000)
    with pytest.raises(DataError, match=r"bytes of weights; an ONNX file holds at most 1,000"):
        export_network(model, tmp_path / "model.onnx", DESCRIBED)
    assert not (tmp_path / "model.onnx").exists()


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_315_million_form_is_exported_and_quantised_with_the_logits_of_torch(tmp_path: Path) -> None:
    """XLSR-53's shape with random weights."""
    from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

    torch.manual_seed(1)
    model = Wav2Vec2ForCTC(Wav2Vec2Config(
        hidden_size=1024, num_hidden_layers=24, num_attention_heads=16, intermediate_size=4096, feat_extract_norm="layer", conv_bias=True,
        do_stable_layer_norm=True, vocab_size=46, num_conv_pos_embedding_groups=16)).eval()
    export_network(model, tmp_path / "model.onnx", DESCRIBED)
    quantise(tmp_path / "model.onnx", tmp_path / "model.int8.onnx")
    expected = logits_of(model, WAVEFORMS[:2])
    assert difference(OnnxNetwork(tmp_path / "model.onnx", 2).logits_of(WAVEFORMS[:2]), expected) < 1e-3
    sizes = [(tmp_path / name).stat().st_size for name in ("model.onnx", "model.int8.onnx")]
    assert sizes[0] > 3 * sizes[1]
    close = OnnxNetwork(tmp_path / "model.int8.onnx", 2).logits_of(WAVEFORMS[:2])
    assert np.mean([np.abs(mine - theirs).mean() for mine, theirs in zip(close, expected, strict=True)]) < 0.2 * np.std(np.concatenate(expected))
