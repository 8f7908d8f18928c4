"""Greedy CTC decoding that depends neither on the batch nor on the padding."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from transformers import Wav2Vec2ForCTC

from pipeline.batching.batches import Batch, epoch_batches
from pipeline.batching.waveforms import Waveform, collate
from pipeline.model.device import threads
from pipeline.model.geometry import frame_duration_s, receptive_field
from pipeline.model.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True)
class Word:
    """A decoded word with its times in the recording.

    `confidence` is the product of its symbols' probabilities, 0..1: a word is right only if all of them are. The calibration
    error of their mean is eight times as large (docs/log.md).
    """

    word: str
    start_s: float
    end_s: float
    confidence: float


@dataclass(frozen=True, slots=True)
class Decoded:
    """A hypothesis; `confidence` is the mean probability of the emitted symbols (of blank, if there are none)."""

    text: str
    confidence: float
    words: tuple[Word, ...]


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


def decode_all(model: Wav2Vec2ForCTC, vocabulary: Vocabulary, waveform: Callable[[int], Waveform],
               duration_s: npt.NDArray[np.float64], budget_s: float, advance: Callable[[float], object] = lambda _: None,
               words: bool = False) -> list[Decoded]:
    """Return the hypothesis of every utterance, in order.

    On the CPU each thread processes one batch: threads that share a batch wait for each other at every operation.

    Args:
        model: in evaluation mode.
        vocabulary: of the model.
        waveform: returns the standardised samples of utterance i, (S,); several threads call it.
        duration_s: lengths, (N,).
        budget_s: padded seconds per batch.
        advance: is called with the seconds of audio done, for a progress bar.
        words: whether to compute word times too.
    """
    def work(batch: Batch) -> list[Decoded]:
        waveforms = [waveform(int(index)) for index in batch]
        return [decode(logits_TV, vocabulary, frame_duration_s(model), words) for logits_TV in logits_of(model, waveforms)]

    batches = _by_length(duration_s, budget_s)
    workers = torch.get_num_threads() if next(model.parameters()).device.type == "cpu" else 1
    decoded: dict[int, Decoded] = {}
    with threads(1), ThreadPoolExecutor(workers) as pool:
        for batch, found in zip(batches, pool.map(work, batches), strict=True):
            decoded.update(zip(batch.tolist(), found, strict=True))
            advance(float(duration_s[batch].sum()))
    return [decoded[index] for index in range(len(duration_s))]


def decode(logits_TV: npt.NDArray[np.float32], vocabulary: Vocabulary, frame_s: float, words: bool = False) -> Decoded:
    """Return the best path of one utterance's logits, repeats collapsed and blanks removed (Graves et al. 2006, 3.2)."""
    best_T = logits_TV.argmax(1)
    top_T = logits_TV[np.arange(len(best_T)), best_T]
    probability_T = 1.0 / np.exp(logits_TV - top_T[:, None]).sum(1)
    starts = np.flatnonzero(np.diff(best_T, prepend=-1) != 0)
    starts = starts[best_T[starts] != vocabulary.blank_row]
    confidence = probability_T[starts] if len(starts) else probability_T
    found = _words(best_T, starts, probability_T, vocabulary, frame_s) if words else ()
    return Decoded(vocabulary.decode(best_T[starts].tolist()), float(confidence.mean()) if len(confidence) else 0.0, found)


def _words(best_T: npt.NDArray[np.int64], starts: npt.NDArray[np.int64], probability_T: npt.NDArray[np.float32],
           vocabulary: Vocabulary, frame_s: float) -> tuple[Word, ...]:
    boundary = vocabulary.symbols.index(vocabulary.boundary)
    groups: list[list[int]] = [[]]
    for start in starts.tolist():
        if best_T[start] == boundary:
            groups.append([])
        else:
            groups[-1].append(start)
    words = []
    for group in groups:
        if text := vocabulary.decode([int(best_T[start]) for start in group]):
            last = group[-1]
            while last + 1 < len(best_T) and best_T[last + 1] == best_T[group[-1]]:
                last += 1
            words.append(Word(text, round(group[0] * frame_s, 3), round((last + 1) * frame_s, 3),
                              round(float(probability_T[group].prod()), 4)))
    return tuple(words)


def _by_length(duration_s: npt.NDArray[np.float64], budget_s: float) -> list[Batch]:
    return sorted(epoch_batches(duration_s, budget_s, 0, 0), key=lambda batch: -float(duration_s[batch].max())) if len(duration_s) else []
