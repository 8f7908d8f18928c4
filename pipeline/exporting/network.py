"""A wav2vec2 CTC model as an ONNX file: fp32, attention mask as an input, any batch and length; the same model gives the same bytes.

Inputs:  input_values (B, S) float32, standardised where the metadata has `normalise` 1; attention_mask (B, S) int64, 1 for samples, 0 for padding
Outputs: logits (B, T, V) float32; frames (B,) int64, the number of each utterance's frames without padding

Standardising stays outside: parts of a recording are standardised by their own level, except faint ones (pipeline/decoding/recordings.py).
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import onnx
import torch
from torch import nn
from torch.nn.utils import parametrize
from transformers import Wav2Vec2ForCTC

from pipeline.core.errors import DataError
from pipeline.core.files import atomic
from pipeline.core.manifest import SAMPLE_RATE_HZ
from pipeline.decoding.onnx_network import SCHEMA
from pipeline.model.artifact import expects_normalised_input
from pipeline.model.geometry import frame_duration_s, receptive_field

OPSET: Final = 18
LARGEST_BYTES: Final = 2**31 - 2**20
"""Largest ONNX file: protobuf's limit. Weights in a file beside it are not written."""


class _Graph(nn.Module):
    """The forward pass as it is exported: that of transformers, with the padding masked by plain tensor operations."""

    def __init__(self, model: Wav2Vec2ForCTC) -> None:
        super().__init__()
        self.network, self.lm_head = model.wav2vec2, model.lm_head
        self.strides = list(zip(model.config.conv_kernel, model.config.conv_stride, strict=True))
        self.norm_first = bool(model.config.do_stable_layer_norm)

    def forward(self, input_values_BS: torch.Tensor, attention_mask_BS: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the logits, (B, T, V), and each utterance's number of frames, (B,)."""
        encoder = self.network.encoder
        hidden_BTC, _ = self.network.feature_projection(self.network.feature_extractor(input_values_BS).transpose(1, 2))
        frames_B = attention_mask_BS.sum(1)
        for kernel, stride in self.strides:
            frames_B = torch.div(frames_B - kernel, stride, rounding_mode="floor") + 1
        inside_BT = torch.arange(hidden_BTC.shape[1])[None] < frames_B[:, None]
        hidden_BTC = torch.where(inside_BT[:, :, None], hidden_BTC, 0.0)
        bias_B11T = torch.where(inside_BT[:, None, None], 0.0, torch.finfo(hidden_BTC.dtype).min)
        hidden_BTC = hidden_BTC + encoder.pos_conv_embed(hidden_BTC)
        if not self.norm_first:
            hidden_BTC = encoder.layer_norm(hidden_BTC)
        for layer in encoder.layers:
            hidden_BTC = layer(hidden_BTC, attention_mask=bias_B11T)
        if self.norm_first:
            hidden_BTC = encoder.layer_norm(hidden_BTC)
        return self.lm_head(hidden_BTC), frames_B


def export_network(model: Wav2Vec2ForCTC, file: Path, described: Mapping[str, str]) -> None:
    """Write a model as an ONNX file, atomically.

    Args:
        model: in evaluation mode, on any device; it is not changed.
        file: to write.
        described: further metadata: the hashes of vocabulary and weights.

    Raises:
        DataError: it has adapters, or its weights are larger than an ONNX file can be.
    """
    if reason := reason_not_to_export(model):
        raise DataError(str(file), reason, "a wav2vec2 CTC model that ONNX can hold", "use --backend torch")
    model = _plain_copy(model)
    graph = _Graph(model).eval()
    shortest = receptive_field(model)
    example = torch.zeros(2, shortest + 1600), torch.ones(2, shortest + 1600, dtype=torch.int64)
    with atomic(file) as temporary, torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(graph, example, str(temporary), dynamo=False, opset_version=OPSET, input_names=["input_values", "attention_mask"],
                          output_names=["logits", "frames"],
                          dynamic_axes={"input_values": {0: "batch", 1: "samples"}, "attention_mask": {0: "batch", 1: "samples"},
                                        "logits": {0: "batch", 1: "frames"}, "frames": {0: "batch"}})
        described = {"schema": SCHEMA, "frame_samples": str(round(frame_duration_s(model) * SAMPLE_RATE_HZ)), "shortest_samples": str(shortest),
                     "normalise": str(int(expects_normalised_input(model))),
                     "batched": str(int(model.config.feat_extract_norm != "group")), **described}
        write_stripped(onnx.load(temporary), temporary, described)


def reason_not_to_export(model: Wav2Vec2ForCTC) -> str | None:
    """Return why a model cannot be exported; None if it can be."""
    size = sum(parameter.numel() * 4 for parameter in model.parameters())
    if size > LARGEST_BYTES:
        return f"{size:,} bytes of weights; an ONNX file holds at most {LARGEST_BYTES:,}"
    if model.config.add_adapter or getattr(model.config, "adapter_attn_dim", None):
        return "the model has adapter layers; only models without them are exported"
    return None


def _plain_copy(model: Wav2Vec2ForCTC) -> Wav2Vec2ForCTC:
    """Return a model with the same weights in fp32 on the CPU, with plain weights instead of weight norms, and attention as products.

    A fresh instance: a deep copy shares the class that a weight norm makes, so that removing the norm would break the original.
    """
    with torch.device("meta"):
        plain = Wav2Vec2ForCTC(copy.deepcopy(model.config))
    plain.load_state_dict({name: weight.detach().cpu().float() for name, weight in model.state_dict().items()}, assign=True)
    plain.set_attn_implementation("eager")
    for module in plain.modules():
        if parametrize.is_parametrized(module, "weight"):
            parametrize.remove_parametrizations(module, "weight")
    return plain.eval()


def write_stripped(exported: onnx.ModelProto, file: Path, described: Mapping[str, Any]) -> None:
    """Write an ONNX model without what differs between two exports of one model (scopes, stack traces), and with this metadata."""
    for node in exported.graph.node:
        node.ClearField("doc_string")
        node.ClearField("metadata_props")
    exported.graph.ClearField("doc_string")
    exported.ClearField("doc_string")
    exported.ClearField("metadata_props")
    onnx.helper.set_model_props(exported, {name: str(value) for name, value in sorted(described.items())})
    onnx.checker.check_model(exported)
    file.write_bytes(exported.SerializeToString(deterministic=True))


def library_versions() -> dict[str, str]:
    """Return the versions of the packages that an export depends on."""
    return {package: version(package) for package in ("torch", "transformers", "onnx", "onnxruntime")}
