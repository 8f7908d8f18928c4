"""Forced alignment: measures of how well a transcript fits its recording, by a CTC model that may be of another language.

Shape suffixes: T frames, V the aligner's symbols, L the transcripts' symbols (blank, boundary, letters), U utterances.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torchaudio.functional import forced_align
from transformers import Wav2Vec2ForCTC

from pipeline.alignment.transcript_filter import MEASURES, CorpusMeasures, synthetic_negatives
from pipeline.batching.batches import Batch, epoch_batches
from pipeline.batching.waveforms import UtteranceAudio
from pipeline.core.closure import code_hash
from pipeline.core.files import hash_json, read_table, state_dir, write_table
from pipeline.core.progress import bar
from pipeline.decoding.forward import logits_of
from pipeline.model.artifact import expects_normalised_input
from pipeline.model.device import choose_device, exclusive, set_threads
from pipeline.model.geometry import frame_duration_s
from pipeline.model.head import plan_head
from pipeline.model.vocabulary import BLANK, BOUNDARY, UNKNOWN, Vocabulary

Scores = npt.NDArray[np.float32]

ROUNDS = 3
"""Iterations of estimating the map; after three it hardly changes."""
UNMAPPED_PROBABILITY = 1e-4
"""Probability of a letter without a symbol of the aligner, in every frame, in the first iteration."""
SAMPLE_S = 7200.0
"""Audio from which the map is estimated, in seconds; its probabilities take 60 MB of memory."""
MAX_NEGATIVES = 20_000
"""Utterances with synthetic negatives; a classifier of eight weights gains nothing from more."""
CHUNK = 500
"""Utterances between two writes of the state."""
CONTRASTS = 2
"""Wrong transcripts whose scores a path's score is compared with."""
WINDOW_S = 0.5
"""Length of the windows in which the worst part of a recording is sought, in seconds: a word or two."""


@dataclass(frozen=True)
class EmissionMap:
    """The probability of each letter of the transcripts given each symbol of the aligner.

    Args:
        letters: the transcripts' letters; row 0 of `table_LV` is the blank, 1 the boundary between words, then these.
        table_LV: weight of each symbol of the aligner in each symbol of the transcripts.
    """

    letters: tuple[str, ...]
    table_LV: Scores

    def labels(self, text: str) -> list[int]:
        """Return a transcript as rows of the table, without the letters that it lacks."""
        rows = {" ": 1, **{letter: row for row, letter in enumerate(self.letters, 2)}}
        return [rows[letter] for letter in text if letter in rows]

    def log_probabilities(self, probability_TV: Scores) -> Scores:
        """Return the log-probabilities of the transcripts' symbols in each frame, (T, L)."""
        return np.ascontiguousarray(np.log(np.maximum(probability_TV @ self.table_LV.T, np.float32(UNMAPPED_PROBABILITY))))

    def best_text(self, log_probs_TL: Scores) -> str:
        """Return the text of the best path."""
        best_T = log_probs_TL.argmax(1)
        rows = best_T[np.diff(best_T, prepend=-1) != 0]
        return " ".join("".join(" " if row == 1 else self.letters[row - 2] for row in rows if row).split())


def map_by_symbol(aligner: Vocabulary, letters: Sequence[str]) -> EmissionMap:
    """Return a map by symbol, as a head is transferred.

    A letter has the probability of the same symbol of the aligner, otherwise that of its base letter (ã that of a,
    docs/decisions/alphabet.md). A letter with neither has probability 0.
    """
    plan = plan_head(aligner, Vocabulary((BLANK, UNKNOWN, BOUNDARY, *letters)), "base_letter")
    rows = {row.symbol: row.donor_row for row in plan}
    table_LV = np.zeros((2 + len(letters), len(aligner.symbols)), dtype=np.float32)
    for number, symbol in enumerate((BLANK, BOUNDARY, *letters)):
        if (row := rows[symbol]) is not None:
            table_LV[number, row] = 1
    return EmissionMap(tuple(letters), table_LV)


def estimate_map(emission_map: EmissionMap, probabilities: Sequence[Scores], texts: Sequence[str]) -> EmissionMap:
    """Return a map that is estimated from the transcripts, most of which must be right.

    A Spanish model emits s or z for a Portuguese ç, never c.

    Each iteration aligns every transcript and sums the aligner's probabilities over the frames of each letter; the table
    is then the share of each letter per symbol (Viterbi training of the emissions alone).

    Args:
        emission_map: the map of the first iteration.
        texts: the transcripts.
        probabilities: the aligner's, each (T, V).
    """
    for _ in range(ROUNDS):
        counts_LV = np.full(emission_map.table_LV.shape, 1e-3)
        for probability_TV, text in zip(probabilities, texts, strict=True):
            if (found := force(emission_map.log_probabilities(probability_TV), emission_map.labels(text))) is not None:
                np.add.at(counts_LV, found[0], probability_TV)
        emission_map = EmissionMap(emission_map.letters, (counts_LV / counts_LV.sum(0)).astype(np.float32))
    return emission_map


def force(log_probs_TL: Scores, labels: Sequence[int]) -> tuple[npt.NDArray[np.int32], Scores] | None:
    """Return the best path that spells the labels and its log-probability in each frame, (T,) and (T,).

    None if no path can: there are no labels, or more than frames (two equal ones need a blank between them).

    Source: torchaudio's forced_align; Kürzinger et al., "CTC-Segmentation" (2020), for its use on transcripts.
    """
    if not labels or len(labels) + sum(map(int.__eq__, labels, labels[1:])) > len(log_probs_TL):
        return None
    path, score = forced_align(torch.from_numpy(log_probs_TL[None]), torch.tensor([labels], dtype=torch.int32), blank=0)
    return path[0].numpy(), score[0].numpy()


def softmax(logits_TV: Scores) -> Scores:
    """Return probabilities, (T, V)."""
    raised_TV = np.exp(logits_TV - logits_TV.max(1, keepdims=True))
    return np.asarray(raised_TV / raised_TV.sum(1, keepdims=True), dtype=np.float32)


@dataclass(frozen=True)
class Emissions:
    """A recording under one map: log-probabilities per frame, the score of the best free path per frame, and its text."""

    log_probs_TL: Scores
    free_T: Scores
    text: str

    @classmethod
    def of(cls, emission_map: EmissionMap, probability_TV: Scores) -> Emissions:
        """Return the emissions of a map for an aligner's probabilities."""
        log_probs_TL = emission_map.log_probabilities(probability_TV)
        return cls(log_probs_TL, log_probs_TL.max(1), emission_map.best_text(log_probs_TL))


def transcript_measures(emissions: Mapping[str, Emissions], maps: Mapping[str, EmissionMap], text: str, others: Sequence[str],
                        frame_s: float) -> dict[str, float] | None:
    """Return how well a transcript fits a recording; None if it cannot be aligned.

    Log-probabilities of the forced path are taken relative to those of the best free path of the same frames (a likelihood
    ratio), since a recording that is hard to recognise lowers both.

    - `label`, `frame`: the ratio over the labels, over the frames. Untranscribed speech costs little per
      frame but much per label; words that were not spoken cost the reverse.
    - `plain`: over the labels, by the map by symbol.
    - `contrast`: the forced path's score minus the mean of wrong transcripts of like length, over the frames.
    - `window`: the lowest mean ratio of any half second.
    - `rate`: logarithm of the labels per second.

    Args:
        emissions: by map, `plain` and `learned`.
        maps: the two maps.
        text: the transcript.
        frame_s: duration of a frame.
        others: transcripts of other recordings, of about as many letters.
    """
    learned, labels = emissions["learned"], maps["learned"].labels(text)
    found, plain = force(learned.log_probs_TL, labels), force(emissions["plain"].log_probs_TL, maps["plain"].labels(text))
    if found is None or plain is None:
        return None
    ratio_T = found[1] - learned.free_T
    wrong = [float(path[1].sum()) for other in others if (path := force(learned.log_probs_TL, maps["learned"].labels(other))) is not None]
    return {
        "label": float(ratio_T.sum()) / len(labels), "frame": float(ratio_T.mean()),
        "plain": float((plain[1] - emissions["plain"].free_T).sum()) / len(labels),
        "contrast": (float(found[1].sum()) - float(np.mean(wrong))) / len(ratio_T) if wrong else 0.0,
        "window": lowest_mean(ratio_T, max(1, round(WINDOW_S / frame_s))),
        "rate": float(np.log(len(labels) / (len(ratio_T) * frame_s))),
    }


def lowest_mean(values_T: Scores, width: int) -> float:
    """Return the lowest mean of `width` neighbours; the mean of all if there are fewer."""
    if len(values_T) <= width:
        return float(values_T.mean())
    sums = np.cumsum(np.concatenate([[0.0], values_T.astype(np.float64)]))
    return float((sums[width:] - sums[:-width]).min() / width)


def measure_all(model: Wav2Vec2ForCTC, vocabulary: Vocabulary, table: pd.DataFrame, ingest: Path, seed: int, batch_s: float, workers: int,
                label: str, inputs: Sequence[Any]) -> CorpusMeasures:
    """Return the measures of every utterance's own transcript, and of synthetic negatives for up to `MAX_NEGATIVES` of them.

    The measures are kept in the state folder until the inputs change: a killed run resumes at its last chunk, and a run with
    another filter measures nothing again.

    Args:
        model: the aligner.
        vocabulary: of the aligner.
        table: the split.
        ingest: folder of the shards.
        seed: of the negatives.
        batch_s: padded seconds per batch.
        workers: CPU threads.
        label: the stage, for the progress bar and the state folder.
        inputs: what the result depends on besides code, seed, vocabulary and configuration: hashes of weights and of the table.
    """
    texts, duration_s = table["text"].tolist(), table["duration_s"].to_numpy(dtype=np.float64)
    letters = sorted(set("".join(texts)) - {" "})
    plain = map_by_symbol(vocabulary, letters)
    known = {letter for row, letter in enumerate(letters, 2) if plain.table_LV[row].any()}
    unaligned = {number: "no letter that the aligner has" for number, text in enumerate(texts) if not known & set(text)}

    state = state_dir() / "align" / label / hash_json([*inputs, vocabulary.hash, model.config.to_dict(), seed, code_hash("pipeline.align")])[:24]
    rank = [int(hash_json([seed, name])[:16], 16) for name in table["utterance_id"]]
    by_rank = np.argsort(rank, kind="stable")
    hypotheses, rows = [""] * len(table), []
    set_threads(1)
    device = choose_device()
    with exclusive(device, workers), bar(float(duration_s.sum()), "s", label) as progress, ThreadPoolExecutor(workers) as pool:
        audio = UtteranceAudio(table, ingest, keep_bytes=0, normalise=expects_normalised_input(model))
        transcriber = _Transcriber(model.to(device), audio, duration_s, batch_s, pool)  # type: ignore[arg-type]
        parts = [np.arange(start, min(start + CHUNK, len(table))) for start in range(0, len(table), CHUNK)]
        files = [state / f"part-{number:06d}.parquet" for number in range(len(parts))]
        work = None
        for part, file in zip(parts, files, strict=True):
            if not file.exists():
                if work is None:
                    sample = by_rank[: max(1, int(np.searchsorted(np.cumsum(duration_s[by_rank]), SAMPLE_S)))]
                    sample = np.array([number for number in sample if number not in unaligned], dtype=np.int64)
                    probabilities = dict(transcriber.of(sample))
                    learned = estimate_map(plain, [probabilities[number] for number in sample.tolist()], [texts[number] for number in sample])
                    del probabilities
                    with_negatives = set(by_rank[:MAX_NEGATIVES].tolist())
                    work = _Measurer(texts, {"plain": plain, "learned": learned}, rank, with_negatives, frame_duration_s(model), seed)
                several_rows = pool.map(lambda pair, work=work: work.rows(*pair), transcriber.of(part))
                measured = [row for several in several_rows for row in several]
                write_table(file, pd.DataFrame(measured, columns=["number", "kind", "hypothesis", *MEASURES]))
            rows.append(read_table(file))
            progress.update(float(duration_s[part].sum()))
    for other in state.parent.iterdir():
        if other != state:
            shutil.rmtree(other, ignore_errors=True)
    found = pd.concat(rows, ignore_index=True)
    own = found[found["kind"] == "own"].set_index("number").reindex(range(len(table)))
    hypotheses = own["hypothesis"].fillna("").tolist()
    unaligned |= {int(number): "more labels than frames" for number in np.flatnonzero(own["label"].isna()) if number not in unaligned}
    own.loc[list(unaligned), list(MEASURES)] = np.nan
    negatives = {str(kind): (group["number"].to_numpy(), group[list(MEASURES)].to_numpy(dtype=np.float64))
               for kind, group in found[(found["kind"] != "own") & found["label"].notna() & ~found["number"].isin(list(unaligned))].groupby("kind")}
    return CorpusMeasures(own[list(MEASURES)].to_numpy(dtype=np.float64), negatives, np.array(rank, dtype=np.uint64),
                    {int(number): why for number, why in unaligned.items()}, hypotheses, tuple(letter for letter in letters if letter not in known))


@dataclass(frozen=True)
class _Transcriber:
    """An aligner over a corpus: its probabilities, batch by batch."""

    model: Wav2Vec2ForCTC
    audio: UtteranceAudio
    duration_s: npt.NDArray[np.float64]
    batch_s: float
    pool: ThreadPoolExecutor

    def of(self, numbers: npt.NDArray[np.int64]) -> Iterator[tuple[int, Scores]]:
        """Yield each utterance's number and probabilities, (T, V)."""
        batches = [numbers[batch] for batch in epoch_batches(self.duration_s[numbers], self.batch_s, 0, 0)] if len(numbers) else []
        for batch, found in zip(batches, self.pool.map(self._batch, batches), strict=True):
            yield from zip(batch.tolist(), found, strict=True)

    def _batch(self, batch: Batch) -> list[Scores]:
        return [softmax(logits_TV) for logits_TV in logits_of(self.model, [self.audio.waveform(int(number)) for number in batch])]


class _Measurer:
    """Measures one utterance: its own transcript, and synthetic negatives drawn by the utterance's own seed."""

    def __init__(self, texts: Sequence[str], maps: Mapping[str, EmissionMap], rank: Sequence[int], negatives: set[int], frame_s: float,
                 seed: int) -> None:
        self.texts, self.maps, self.rank, self.negatives, self.frame_s, self.seed = texts, maps, rank, negatives, frame_s, seed
        lengths = np.array([len(text) for text in texts])
        self.by_length = np.argsort(lengths, kind="stable")
        self.lengths = lengths[self.by_length]

    def rows(self, number: int, probability_TV: Scores) -> list[list[Any]]:
        """Return rows of number, kind, hypothesis, and the measures."""
        draw = np.random.default_rng([self.seed, self.rank[number]])
        text, emissions = self.texts[number], {name: Emissions.of(emission_map, probability_TV) for name, emission_map in self.maps.items()}
        transcripts = {"own": text}
        if number in self.negatives:
            transcripts |= synthetic_negatives(self.texts, number, draw, self.near(number, len(text), draw))
        rows = []
        for kind, given in transcripts.items():
            others = [self.texts[other] for other in self.near(number, len(given), draw) if self.texts[other] != given][:CONTRASTS]
            found = transcript_measures(emissions, self.maps, given, others, self.frame_s) or dict.fromkeys(MEASURES, np.nan)
            rows.append([number, kind, emissions["learned"].text if kind == "own" else "", *(found[name] for name in MEASURES)])
        return rows

    def near(self, number: int, length: int, draw: np.random.Generator) -> list[int]:
        """Return some other utterances whose transcripts have about `length` letters."""
        middle = int(np.searchsorted(self.lengths, length))
        drawn = self.by_length[np.clip(middle + draw.integers(-25, 26, size=8), 0, len(self.by_length) - 1)]
        return [int(other) for other in drawn if other != number]
