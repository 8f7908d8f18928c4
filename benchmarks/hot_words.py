"""Planted hot words: how many the beam search finds, and how many it inserts where nobody says them.

    python -m benchmarks.hot_words [--data data] [--model data/train/transfer] [--decoder data/language_model/portuguese] [--weights 0 1 2 ...]

Needs a checkout in which `dvc repro` has run. The planted words are all words of dev and test that the lexicon lacks, which has every word
of the training transcripts and of the other texts: without and with the n-gram, all of them hot at once, and in lists of 20.

Recall is the share of the planted words of the references that the hypotheses have, in dev, by which the weight is chosen, and in test.
Insertions are hot words in transcripts of recordings without any; the WER is that of these recordings, with the paired interval of its change.
"""

from __future__ import annotations

import argparse
import os
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from pipeline.batching.waveforms import UtteranceAudio
from pipeline.core.files import ROOT, read_table
from pipeline.decoding.beam import LEXICON, NGRAM, BeamDecoder, HotWord, Settings, read_decoder, read_lexicon
from pipeline.decoding.forward import decode_all
from pipeline.model.artifact import expects_normalised_input, load_model
from pipeline.model.geometry import frame_duration_s
from pipeline.scoring.bootstrap import units_of
from pipeline.scoring.comparison import difference
from pipeline.scoring.counts import Counts, align, count
from pipeline.scoring.scorecard import Resampling

WEIGHTS: Final = (None, 0.0, 1.0, 2.0, 5.0, 10.0)
"""Bonuses; None is the default."""
LIST: Final = 20
BATCH_S: Final = 60.0


def planted_words(references: Sequence[str], lexicon: Sequence[str]) -> list[str]:
    """Return the words of the references that the lexicon lacks, sorted."""
    return sorted({word for reference in references for word in reference.split()} - set(lexicon))


def found_words(references: Sequence[str], hypotheses: Sequence[str], planted: Sequence[str]) -> tuple[int, int, int]:
    """Return how many planted words the references have, how many of them the hypotheses have, and how many the latter have beyond them."""
    hot, said, found, inserted = set(planted), 0, 0, 0
    for reference, hypothesis in zip(references, hypotheses, strict=True):
        there = Counter(word for word in reference.split() if word in hot)
        heard = Counter(word for word in hypothesis.split() if word in hot)
        said += there.total()
        found += (there & heard).total()
        inserted += (heard - there).total()
    return said, found, inserted


class Measurement:
    """The logits of the utterances and the figures of one way to decode them."""

    def __init__(self, table: pd.DataFrame, logits: Sequence[npt.NDArray[np.float32]], planted: Sequence[str]) -> None:
        """Divide the utterances into those with a planted word and those without."""
        self.table, self.logits, self.planted = table, logits, planted
        self.references = table["text"].tolist()
        hot = set(planted)
        self.without = np.array([not hot.intersection(reference.split()) for reference in self.references])
        self.hours = float(table["duration_s"].to_numpy()[self.without].sum()) / 3600
        self.units = units_of(table["speaker"].to_numpy()[self.without])
        self._base: Counts | None = None

    def row(self, name: str, decoder: BeamDecoder) -> None:
        """Print the figures of a decoder; the first one is the one that the others are compared with."""
        with ThreadPoolExecutor(torch.get_num_threads()) as pool:
            texts = [decoded.text for decoded in pool.map(decoder, self.logits)]
        cells = []
        for split in ("dev", "test"):
            rows = np.flatnonzero(self.table["split"].to_numpy() == split)
            said, found, _ = found_words([self.references[row] for row in rows], [texts[row] for row in rows], self.planted)
            cells.append(f"{split} {found}/{said} = {100 * found / max(said, 1):.0f} %")
        rows = np.flatnonzero(self.without)
        references, hypotheses = [self.references[row] for row in rows], [texts[row] for row in rows]
        inserted = found_words(references, hypotheses, self.planted)[2]
        words = count(align(references, hypotheses, "words"))
        if self._base is None:
            self._base = words
        change, _ = difference(self._base, words, self.units, Resampling())
        print(f"{name:<32} recall {', '.join(cells)}; inserted {inserted} in {self.hours:.2f} h = {inserted / self.hours:.1f} per hour; "
              f"WER {100 * words.rate():.1f} %, {100 * change.value:+.2f} [{100 * change.low:+.2f}, {100 * change.high:+.2f}]", flush=True)

    def found(self, decoder: BeamDecoder) -> tuple[int, int, int, float]:
        """Return how many planted words the references have, how many the hypotheses find, and the insertions and hours of recordings without any."""
        with ThreadPoolExecutor(torch.get_num_threads()) as pool:
            texts = [decoded.text for decoded in pool.map(decoder, self.logits)]
        said, right, _ = found_words(self.references, texts, self.planted)
        rows = np.flatnonzero(self.without)
        return said, right, found_words([self.references[row] for row in rows], [texts[row] for row in rows], self.planted)[2], self.hours

    def again(self) -> None:
        """Compare the following rows with the next one."""
        self._base = None


def shown(weight: float | None) -> str:
    """Return a bonus for print."""
    return "by default" if weight is None else f"{weight:g}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT / "data")
    parser.add_argument("--model", type=Path, help="default: train/transfer in the data")
    parser.add_argument("--decoder", type=Path, help="default: language_model/portuguese in the data")
    parser.add_argument("--weights", type=float, nargs="+", default=WEIGHTS)
    given = parser.parse_args(arguments)
    folder = given.decoder or given.data / "language_model/portuguese"
    model, vocabulary, _ = load_model(given.model or given.data / "train/transfer")
    frame_s = frame_duration_s(model)
    table = pd.concat([read_table(given.data / f"split/portuguese/{name}.parquet").assign(split=name) for name in ("dev", "test")], ignore_index=True)
    audio = UtteranceAudio(table, given.data / "ingest", normalise=expects_normalised_input(model))
    logits = decode_all(model, lambda logits_TV: logits_TV, audio.waveform, table["duration_s"].to_numpy(dtype=float), BATCH_S)
    lexicon = read_lexicon(folder / LEXICON)
    planted = [word for word in planted_words(table["text"].tolist(), lexicon) if not vocabulary.missing(word)]
    measured = Measurement(table, logits, planted)
    print(f"{len(table)} utterances, {len(planted)} planted words, load {os.getloadavg()[0]:.1f}")
    tuned, free = Settings(**read_decoder(folder)["settings"]), Settings()

    def hot(weight: float | None) -> list[HotWord]:
        return [HotWord(word, weight) for word in planted]

    measured.row("no n-gram: none", BeamDecoder(vocabulary, frame_s, free))
    for weight in given.weights:
        measured.row(f"no n-gram: all hot, bonus {shown(weight)}", BeamDecoder(vocabulary, frame_s, free, hot_words=hot(weight)))
    measured.again()
    measured.row("n-gram: none", BeamDecoder(vocabulary, frame_s, tuned, folder / NGRAM, lexicon))
    for weight in given.weights:
        measured.row(f"n-gram: all hot, bonus {shown(weight)}", BeamDecoder(vocabulary, frame_s, tuned, folder / NGRAM, lexicon, hot(weight)))
    lists = [planted[start::len(planted) // LIST] for start in range(len(planted) // LIST)]
    for weight in given.weights:
        found = [Measurement(table, logits, names).found(BeamDecoder(vocabulary, frame_s, tuned, folder / NGRAM, lexicon,
                                                                     [HotWord(word, weight) for word in names])) for names in lists]
        said, right, inserted, hours = (sum(values) for values in zip(*found, strict=True))
        print(f"n-gram: {len(lists)} lists of about {LIST}, bonus {shown(weight)}: recall {right:.0f}/{said:.0f} = {100 * right / said:.0f} %; "
              f"inserted {inserted:.0f} in {hours:.2f} h = {inserted / hours:.2f} per hour", flush=True)


if __name__ == "__main__":
    main()
