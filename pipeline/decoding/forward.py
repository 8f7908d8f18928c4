"""The network's forward pass over utterances: logits that depend neither on the batch nor on the padding."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
from transformers import Wav2Vec2ForCTC

from pipeline.batching.batches import Batch, epoch_batches
from pipeline.batching.waveforms import Waveform, collate
from pipeline.model.device import threads
from pipeline.model.geometry import receptive_field

T = TypeVar("T")


def logits_of(model: Wav2Vec2ForCTC, waveforms: Sequence[Waveform]) -> list[npt.NDArray[np.float32]]:
    """Return each utterance's logits without its padding, (T, V); the model must be in evaluation mode.

    An utterance shorter than the model's receptive field is padded to it. A model with group normalisation sees one
    utterance at a time: there padding would change its logits.
    """
    device = next(model.parameters()).device
    shortest = receptive_field(model)
    waveforms = [np.pad(waveform, (0, max(0, shortest - len(waveform)))) for waveform in waveforms]
    if model.config.feat_extract_norm == "group" and len(waveforms) > 1:
        return [logits_of(model, [waveform])[0] for waveform in waveforms]
    padded_BS, mask_BS = collate(waveforms)
    with torch.inference_mode():
        logits_BTV = model(torch.from_numpy(padded_BS).to(device), attention_mask=torch.from_numpy(mask_BS).to(device)).logits
    frames = model._get_feat_extract_output_lengths(torch.from_numpy(mask_BS.sum(1))).tolist()  # type: ignore[arg-type]
    return [logits_BTV[row, : frames[row]].float().cpu().numpy() for row in range(len(waveforms))]


def decode_all(model: Wav2Vec2ForCTC, decode: Callable[[npt.NDArray[np.float32]], T], waveform: Callable[[int], Waveform],
               duration_s: npt.NDArray[np.float64], budget_s: float, advance: Callable[[float], object] = lambda _: None) -> list[T]:
    """Return what `decode` makes of every utterance's logits, in order.

    On the CPU each thread processes one batch: threads that share a batch wait for each other at every operation.

    Args:
        model: in evaluation mode.
        decode: returns the result for the logits of one utterance, (T, V); several threads call it.
        waveform: returns the standardised samples of utterance i, (S,); several threads call it.
        duration_s: lengths, (N,).
        budget_s: padded seconds per batch.
        advance: is called with the seconds of audio done, for a progress bar.
    """
    def work(batch: Batch) -> list[T]:
        return [decode(logits_TV) for logits_TV in logits_of(model, [waveform(int(index)) for index in batch])]

    batches = by_length(duration_s, budget_s)
    workers = torch.get_num_threads() if next(model.parameters()).device.type == "cpu" else 1
    decoded: dict[int, T] = {}
    with threads(1), ThreadPoolExecutor(workers) as pool:
        for batch, found in zip(batches, pool.map(work, batches), strict=True):
            decoded.update(zip(batch.tolist(), found, strict=True))
            advance(float(duration_s[batch].sum()))
    return [decoded[index] for index in range(len(duration_s))]


def by_length(duration_s: npt.NDArray[np.float64], budget_s: float) -> list[Batch]:
    """Return batches of utterances of similar length, the longest first."""
    return sorted(epoch_batches(duration_s, budget_s, 0, 0), key=lambda batch: -float(duration_s[batch].max())) if len(duration_s) else []
