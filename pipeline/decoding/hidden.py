"""What a layer of the encoder makes of utterances: frames that depend neither on the batch nor on the padding."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import torch
from transformers import Wav2Vec2ForCTC

from pipeline.batching.batches import Batch
from pipeline.batching.waveforms import Waveform, collate
from pipeline.core.errors import DataError
from pipeline.core.manifest import SAMPLE_RATE_HZ
from pipeline.decoding.forward import by_length
from pipeline.model.device import threads
from pipeline.model.geometry import receptive_field

Frames = npt.NDArray[np.float32]


def choose_layer(model: Wav2Vec2ForCTC, layer: int | None) -> int:
    """Return the layer to read: the given one, otherwise the one two below the top, at least the output of the first block.

    Args:
        model: the network.
        layer: 0 for the input of the first block, N for the output of block N; None for the default.

    Raises:
        DataError: the encoder has fewer blocks.
    """
    layers = int(model.config.num_hidden_layers)
    if layer is not None and not 0 <= layer <= layers:
        raise DataError("the encoder", f"no layer {layer}", f"0 to {layers}", "choose another layer")
    return max(1, layers - 2) if layer is None else layer


def frames_of(model: Wav2Vec2ForCTC, layer: int, waveforms: Sequence[Waveform]) -> list[Frames]:
    """Return what a layer returns for each utterance, without its padding, (T, D); the model must be in evaluation mode.

    An utterance shorter than the model's receptive field is padded to it. A model with group normalisation sees one utterance at a
    time: there padding would change its frames.

    Args:
        model: in evaluation mode.
        layer: 0 for the input of the first block, N for the output of block N.
        waveforms: as the model expects them, (S,) each.
    """
    shortest = receptive_field(model)
    waveforms = [np.pad(waveform, (0, max(0, shortest - len(waveform)))) for waveform in waveforms]
    if model.config.feat_extract_norm == "group" and len(waveforms) > 1:
        return [frames_of(model, layer, [waveform])[0] for waveform in waveforms]
    device = next(model.parameters()).device
    padded_BS, mask_BS = collate(waveforms)
    with torch.inference_mode():
        hidden = model.wav2vec2(torch.from_numpy(padded_BS).to(device), attention_mask=torch.from_numpy(mask_BS).to(device),
                                output_hidden_states=True).hidden_states
    frames = model._get_feat_extract_output_lengths(torch.from_numpy(mask_BS.sum(1))).tolist()  # type: ignore[arg-type]
    return [hidden[layer][row, : frames[row]].float().cpu().numpy() for row in range(len(waveforms))]


def encode_all(model: Wav2Vec2ForCTC, layer: int, waveforms: Sequence[Waveform], budget_s: float) -> list[Frames]:
    """Return what a layer returns for every utterance, in order; on the CPU each thread processes one batch, as in `decode_all`.

    Args:
        model: in evaluation mode.
        layer: as `frames_of`.
        waveforms: as the model expects them, (S,) each.
        budget_s: padded seconds per batch.
    """
    def work(batch: Batch) -> list[Frames]:
        return frames_of(model, layer, [waveforms[int(index)] for index in batch])

    batches = by_length(np.array([len(waveform) / SAMPLE_RATE_HZ for waveform in waveforms]), budget_s)
    workers = torch.get_num_threads() if next(model.parameters()).device.type == "cpu" else 1
    encoded: dict[int, Frames] = {}
    with threads(1), ThreadPoolExecutor(workers) as pool:
        for batch, found in zip(batches, pool.map(work, batches), strict=True):
            encoded.update(zip(batch.tolist(), found, strict=True))
    return [encoded[index] for index in range(len(waveforms))]
