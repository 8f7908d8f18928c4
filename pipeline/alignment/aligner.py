"""How well a transcript fits its recording, by a CTC model that may be of another language: forced alignment.

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

from pipeline.alignment.transcript_filter import MEASURES, Measured, plants
from pipeline.batching.batches import Batch, epoch_batches
from pipeline.batching.waveforms import Clips
from pipeline.core.files import hash_bytes, hash_json, read_table, state_dir, write_table
from pipeline.core.progress import bar
from pipeline.decoding.greedy import logits_of
from pipeline.model.artifact import expects_normalised_input
from pipeline.model.device import choose_device, exclusive, set_threads
from pipeline.model.geometry import frame_duration_s
from pipeline.model.head import plan_head
from pipeline.model.vocabulary import BLANK, BOUNDARY, UNKNOWN, Vocabulary

Scores = npt.NDArray[np.float32]

ROUNDS = 3
"""Times that an ear is learned anew from what it aligned; after three it hardly moves."""
UNHEARD = 1e-4
"""Probability of a letter that the aligner has no symbol for, in every frame: it costs a frame, and is learned from there."""
SAMPLE_S = 7200.0
"""Audio that the ear learns from: its probabilities are held in memory, 60 MB of them."""
PLANTED = 20_000
"""Utterances that wrong transcripts are planted for: a judge of eight weights learns nothing from more."""
CHUNK = 500
"""Utterances between two writes of what a kill would cost."""
WRONG = 2
"""Wrong transcripts that a path's score is held against."""
WINDOW_S = 0.5
"""The worst stretch of a recording is looked for in windows of this length: a word or two."""


@dataclass(frozen=True)
class Ear:
    """What an aligner's symbols stand for in the language of the transcripts.

    Args:
        letters: the transcripts' letters; row 0 of `table_LV` is the blank, 1 the boundary between words, then these.
        table_LV: weight of each of the aligner's symbols in each of ours.
    """

    letters: tuple[str, ...]
    table_LV: Scores

    def labels(self, text: str) -> list[int]:
        """Return a transcript as rows of the table; letters that it lacks are left out."""
        rows = {" ": 1, **{letter: row for row, letter in enumerate(self.letters, 2)}}
        return [rows[letter] for letter in text if letter in rows]

    def hear(self, probability_TV: Scores) -> Scores:
        """Return the log-probabilities of our symbols in each frame, (T, L)."""
        return np.ascontiguousarray(np.log(np.maximum(probability_TV @ self.table_LV.T, np.float32(UNHEARD))))

    def spell(self, heard_TL: Scores) -> str:
        """Return the best path's text."""
        best_T = heard_TL.argmax(1)
        rows = best_T[np.diff(best_T, prepend=-1) != 0]
        return " ".join("".join(" " if row == 1 else self.letters[row - 2] for row in rows if row).split())


def first_ear(aligner: Vocabulary, letters: Sequence[str]) -> Ear:
    """Return an ear by symbol, as a head is carried over: a letter is heard where the aligner emits it, or else its base
    letter (ã where it emits a, docs/decisions/alphabet.md); a letter with neither is heard nowhere.
    """
    plan = plan_head(aligner, Vocabulary((BLANK, UNKNOWN, BOUNDARY, *letters)), "base_letter")
    rows = {row.symbol: row.donor_row for row in plan}
    table_LV = np.zeros((2 + len(letters), len(aligner.symbols)), dtype=np.float32)
    for number, symbol in enumerate((BLANK, BOUNDARY, *letters)):
        if (row := rows[symbol]) is not None:
            table_LV[number, row] = 1
    return Ear(tuple(letters), table_LV)


def learned_ear(ear: Ear, probabilities: Sequence[Scores], texts: Sequence[str]) -> Ear:
    """Return an ear that has learned from the transcripts, most of which must be right, what each symbol of the aligner
    stands for: a Spanish model hears a Portuguese ç as s or z, never as c.

    Each round aligns every transcript and counts which symbols the aligner gives to the frames of each letter; the table
    is then the share of each letter among the frames of a symbol (a Viterbi training of the emissions alone).

    Args:
        probabilities: the aligner's, each (T, V).
    """
    for _ in range(ROUNDS):
        counts_LV = np.full(ear.table_LV.shape, 1e-3)
        for probability_TV, text in zip(probabilities, texts, strict=True):
            if (found := force(ear.hear(probability_TV), ear.labels(text))) is not None:
                np.add.at(counts_LV, found[0], probability_TV)
        ear = Ear(ear.letters, (counts_LV / counts_LV.sum(0)).astype(np.float32))
    return ear


def force(heard_TL: Scores, labels: Sequence[int]) -> tuple[npt.NDArray[np.int32], Scores] | None:
    """Return the best path that spells the labels and its log-probability in each frame, (T,) and (T,); None where no path
    can: there are no labels, or more than frames (two alike need a blank between them).

    Source: torchaudio's forced_align; Kürzinger et al., "CTC-Segmentation" (2020), for its use on transcripts.
    """
    if not labels or len(labels) + sum(map(int.__eq__, labels, labels[1:])) > len(heard_TL):
        return None
    path, score = forced_align(torch.from_numpy(heard_TL[None]), torch.tensor([labels], dtype=torch.int32), blank=0)
    return path[0].numpy(), score[0].numpy()


def softmax(logits_TV: Scores) -> Scores:
    """Return probabilities, (T, V)."""
    raised_TV = np.exp(logits_TV - logits_TV.max(1, keepdims=True))
    return np.asarray(raised_TV / raised_TV.sum(1, keepdims=True), dtype=np.float32)


@dataclass(frozen=True)
class Heard:
    """A recording as one ear hears it: its frames, what the best free path scores in each, and what that spells."""

    scores_TL: Scores
    free_T: Scores
    text: str

    @classmethod
    def by(cls, ear: Ear, probability_TV: Scores) -> Heard:
        """Return what an ear makes of an aligner's probabilities."""
        scores_TL = ear.hear(probability_TV)
        return cls(scores_TL, scores_TL.max(1), ear.spell(scores_TL))


def measures(heard: Mapping[str, Heard], ears: Mapping[str, Ear], text: str, others: Sequence[str], frame_s: float) -> dict[str, float] | None:
    """Return how well a transcript fits a recording; None where it cannot be aligned.

    Log-probabilities of the forced path are taken against those of the best free path of the same frames (a likelihood
    ratio), as a recording that is hard to hear lowers both.

    - `label`, `frame`: the ratio over the labels, over the frames. A part that nobody transcribed costs little a frame
      but much a label; a part that nobody said the other way round.
    - `plain`: over the labels, by the ear that has learned nothing.
    - `contrast`: the forced path's score minus the mean of wrong transcripts of like length, over the frames.
    - `window`: the lowest mean ratio of any half second.
    - `rate`: logarithm of the labels a second.

    Args:
        heard, ears: `plain` and `learned`.
        others: transcripts of other recordings, of about as many letters.
    """
    learned, labels = heard["learned"], ears["learned"].labels(text)
    found, plain = force(learned.scores_TL, labels), force(heard["plain"].scores_TL, ears["plain"].labels(text))
    if found is None or plain is None:
        return None
    ratio_T = found[1] - learned.free_T
    wrong = [float(path[1].sum()) for other in others if (path := force(learned.scores_TL, ears["learned"].labels(other))) is not None]
    return {
        "label": float(ratio_T.sum()) / len(labels), "frame": float(ratio_T.mean()),
        "plain": float((plain[1] - heard["plain"].free_T).sum()) / len(labels),
        "contrast": (float(found[1].sum()) - float(np.mean(wrong))) / len(ratio_T) if wrong else 0.0,
        "window": lowest_mean(ratio_T, max(1, round(WINDOW_S / frame_s))),
        "rate": float(np.log(len(labels) / (len(ratio_T) * frame_s))),
    }


def lowest_mean(values_T: Scores, width: int) -> float:
    """Return the lowest mean of so many neighbours; of all where there are fewer."""
    if len(values_T) <= width:
        return float(values_T.mean())
    sums = np.cumsum(np.concatenate([[0.0], values_T.astype(np.float64)]))
    return float((sums[width:] - sums[:-width]).min() / width)


def measure_all(model: Wav2Vec2ForCTC, vocabulary: Vocabulary, table: pd.DataFrame, ingest: Path, seed: int, batch_s: float, workers: int,
                label: str, inputs: Sequence[Any]) -> Measured:
    """Return the measures of every utterance's own transcript, and of wrong ones planted for up to `PLANTED` of them.

    What is measured is kept in the state folder until other inputs take its place: a killed run goes on from its last
    chunk, and another filter measures nothing.

    Args:
        inputs: what the result depends on beside code, seed, vocabulary and configuration: hashes of weights and of the table.
    """
    texts, duration_s = table["text"].tolist(), table["duration_s"].to_numpy(dtype=np.float64)
    letters = sorted(set("".join(texts)) - {" "})
    plain = first_ear(vocabulary, letters)
    known = {letter for row, letter in enumerate(letters, 2) if plain.table_LV[row].any()}
    unaligned = {number: "no letter that the aligner has" for number, text in enumerate(texts) if not known & set(text)}

    code = hash_bytes(*(file.read_bytes() for file in sorted(Path(__file__).parent.glob("*.py"))))
    state = state_dir() / "align" / label / hash_json([*inputs, vocabulary.hash, model.config.to_dict(), seed, code])[:24]
    rank = [int(hash_json([seed, name])[:16], 16) for name in table["utterance_id"]]
    by_rank = np.argsort(rank, kind="stable")
    heard, rows = [""] * len(table), []
    set_threads(1)
    device = choose_device()
    with exclusive(device, workers), bar(float(duration_s.sum()), "s", label) as progress, ThreadPoolExecutor(workers) as pool:
        hearing = _Hearing(model.to(device), Clips(table, ingest, keep_bytes=0, normalise=expects_normalised_input(model)), duration_s, batch_s, pool)
        parts = [np.arange(start, min(start + CHUNK, len(table))) for start in range(0, len(table), CHUNK)]
        files = [state / f"part-{number:06d}.parquet" for number in range(len(parts))]
        work = None
        for part, file in zip(parts, files, strict=True):
            if not file.exists():
                if work is None:
                    sample = by_rank[: max(1, int(np.searchsorted(np.cumsum(duration_s[by_rank]), SAMPLE_S)))]
                    sample = np.array([number for number in sample if number not in unaligned], dtype=np.int64)
                    probabilities = dict(hearing.of(sample))
                    learned = learned_ear(plain, [probabilities[number] for number in sample.tolist()], [texts[number] for number in sample])
                    del probabilities
                    work = _Work(texts, {"plain": plain, "learned": learned}, rank, set(by_rank[:PLANTED].tolist()), frame_duration_s(model), seed)
                found = pool.map(lambda pair, work=work: work.rows(*pair), hearing.of(part))
                write_table(file, pd.DataFrame([row for several in found for row in several], columns=["number", "kind", "heard", *MEASURES]))
            rows.append(read_table(file))
            progress.update(float(duration_s[part].sum()))
    for other in state.parent.iterdir():
        if other != state:
            shutil.rmtree(other, ignore_errors=True)
    found = pd.concat(rows, ignore_index=True)
    own = found[found["kind"] == "own"].set_index("number").reindex(range(len(table)))
    heard = own["heard"].fillna("").tolist()
    unaligned |= {number: "more labels than frames" for number in np.flatnonzero(own["label"].isna()) if number not in unaligned}
    own.loc[list(unaligned), list(MEASURES)] = np.nan
    planted = {str(kind): (group["number"].to_numpy(), group[list(MEASURES)].to_numpy(dtype=np.float64))
               for kind, group in found[(found["kind"] != "own") & found["label"].notna() & ~found["number"].isin(list(unaligned))].groupby("kind")}
    return Measured(own[list(MEASURES)].to_numpy(dtype=np.float64), planted, np.array(rank, dtype=np.uint64),
                    {int(number): why for number, why in unaligned.items()}, heard, tuple(letter for letter in letters if letter not in known))


@dataclass(frozen=True)
class _Hearing:
    """An aligner over a corpus: its probabilities, batch by batch."""

    model: Wav2Vec2ForCTC
    clips: Clips
    duration_s: npt.NDArray[np.float64]
    batch_s: float
    pool: ThreadPoolExecutor

    def of(self, numbers: npt.NDArray[np.int64]) -> Iterator[tuple[int, Scores]]:
        """Yield each utterance's number and probabilities, (T, V)."""
        batches = [numbers[batch] for batch in epoch_batches(self.duration_s[numbers], self.batch_s, 0, 0)] if len(numbers) else []
        for batch, found in zip(batches, self.pool.map(self._batch, batches), strict=True):
            yield from zip(batch.tolist(), found, strict=True)

    def _batch(self, batch: Batch) -> list[Scores]:
        return [softmax(logits_TV) for logits_TV in logits_of(self.model, [self.clips.waveform(int(number)) for number in batch])]


class _Work:
    """What is measured of one utterance: its own transcript, and wrong ones drawn by its own seed."""

    def __init__(self, texts: Sequence[str], ears: Mapping[str, Ear], rank: Sequence[int], planted: set[int], frame_s: float, seed: int) -> None:
        self.texts, self.ears, self.rank, self.planted, self.frame_s, self.seed = texts, ears, rank, planted, frame_s, seed
        lengths = np.array([len(text) for text in texts])
        self.by_length = np.argsort(lengths, kind="stable")
        self.lengths = lengths[self.by_length]

    def rows(self, number: int, probability_TV: Scores) -> list[list[Any]]:
        """Return rows of number, kind, what was heard, and the measures."""
        draw = np.random.default_rng([self.seed, self.rank[number]])
        text, heard = self.texts[number], {name: Heard.by(ear, probability_TV) for name, ear in self.ears.items()}
        transcripts = {"own": text}
        if number in self.planted:
            transcripts |= plants(self.texts, number, draw, self.near(number, len(text), draw))
        rows = []
        for kind, given in transcripts.items():
            others = [self.texts[other] for other in self.near(number, len(given), draw) if self.texts[other] != given][:WRONG]
            found = measures(heard, self.ears, given, others, self.frame_s) or dict.fromkeys(MEASURES, np.nan)
            rows.append([number, kind, heard["learned"].text if kind == "own" else "", *(found[name] for name in MEASURES)])
        return rows

    def near(self, number: int, length: int, draw: np.random.Generator) -> list[int]:
        """Return some other utterances whose transcripts have about so many letters."""
        place = int(np.searchsorted(self.lengths, length))
        drawn = self.by_length[np.clip(place + draw.integers(-25, 26, size=8), 0, len(self.by_length) - 1)]
        return [int(other) for other in drawn if other != number]
