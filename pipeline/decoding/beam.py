"""CTC prefix beam search with a word n-gram and hot words (Graves & Jaitly 2014; Hannun et al. 2014).

The search is `ctc-beam-decoder`'s, which scores as pyctcdecode does: words that the lexicon lacks stay possible, at a cost. Why this
one: docs/decisions/decoding.md.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from ctc_beam_decoder import BeamSearchDecoder

from pipeline.audio.quiet import quiet_libraries
from pipeline.core.errors import DataError, MissingInputError, VocabularyError
from pipeline.core.files import hash_file, read_json
from pipeline.decoding.greedy import Decoded, Word
from pipeline.model.vocabulary import Vocabulary

SCHEMA: Final = "vizinho.decoder/1"
DECODER, NGRAM, LEXICON = "decoder.json", "ngram.arpa", "lexicon.txt"
"""Files of a decoder: `data/language_model/LANGUAGE/`, and the folder `language_model/` of a champion."""
INSIDE_MODEL: Final = "language_model"
"""The folder of a model that holds its decoder."""
HOT_WEIGHT: Final = 2.0
HOT_WEIGHT_WITH_NGRAM: Final = 1.0
"""Bonus for each word of a hot phrase, in natural logarithm, where none is given. A phrase with a word that the n-gram lacks gets none beside
an n-gram: that the word becomes a unigram (`HOT_LOG10`) is enough, and with a bonus it is inserted where nobody says it."""
HOT_LOG10: Final = -5.0
"""Unigram probability, base 10, of a hot word that the n-gram lacks: about that of a word seen once in 100,000 words. At least that of `<unk>`."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How a beam search weighs its parts.

    Args:
        language_weight: factor of the n-gram's log probability (natural logarithm), `alpha` in the literature.
        word_score: bonus for each word, `beta` in the literature.
        unknown_score: added for each word that the lexicon lacks; 0 or less.
        beam: largest number of hypotheses kept per frame.
        prune: hypotheses whose score is this far below the best are dropped; negative.
        min_symbol: symbols of a lower log probability are not tried in a frame (but the best one always is); negative.
        temperature: divides the hypotheses' scores before they become the probabilities of words.
    """

    language_weight: float = 0.5
    word_score: float = 1.5
    unknown_score: float = -10.0
    beam: int = 100
    prune: float = -10.0
    min_symbol: float = -5.0
    temperature: float = 3.0


@dataclass(frozen=True, slots=True)
class HotWord:
    """A phrase that the search favours.

    Args:
        phrase: normalised, one word or several.
        weight: bonus in natural logarithm for each word of it; None for `HOT_WEIGHT`; beside an n-gram for 0 if it lacks a word of the phrase,
            otherwise for `HOT_WEIGHT_WITH_NGRAM`.
    """

    phrase: str
    weight: float | None = None


class BeamDecoder:
    """Turns the logits of one utterance into a hypothesis with word times and confidences; may be called from several threads."""

    def __init__(self, vocabulary: Vocabulary, frame_s: float, settings: Settings, ngram: Path | None = None, lexicon: Sequence[str] | None = None,
                 hot_words: Sequence[HotWord] = ()) -> None:
        """Load the n-gram. Words of hot phrases that it lacks become unigrams of it: otherwise no bonus outweighs that they are unknown.

        Args:
            vocabulary: of the model. Its special symbols besides the blank are left out of the search.
            frame_s: duration of a frame.
            settings: weights and limits of the search.
            ngram: ARPA file; None for a search without a language model.
            lexicon: words that the n-gram knows.
            hot_words: phrases to favour.

        Raises:
            VocabularyError: a symbol has several letters.
            MissingInputError: the n-gram is missing.
            DataError: the n-gram cannot be read.
        """
        self.frame_s, self.settings = frame_s, settings
        self._columns = [row for row, symbol in enumerate(vocabulary.symbols) if row == vocabulary.blank_row or symbol not in vocabulary.special]
        labels = []
        for row in self._columns:
            symbol = vocabulary.symbols[row]
            if row == vocabulary.blank_row:
                labels.append("")
            elif symbol == vocabulary.boundary:
                labels.append(" ")
            elif len(symbol) == 1:
                labels.append(symbol.lower() if vocabulary.upper_case else symbol)
            else:
                raise VocabularyError("vocabulary", f"the symbol {symbol!r} has {len(symbol)} letters", "one letter per symbol, for a beam search",
                                      "transcribe with --no-lm")
        self._hot = sorted({word for hot in hot_words for word in hot.phrase.split()})
        new = sorted(set(self._hot) - set(lexicon or ()))

        def weight(words: tuple[str, ...]) -> float:
            return HOT_WEIGHT if ngram is None else HOT_WEIGHT_WITH_NGRAM if set(words).isdisjoint(new) else 0.0

        phrases = [(tuple(hot.phrase.split()), hot.weight) for hot in hot_words]
        self._phrases = [(words, weight(words) if given is None else given) for words, given in phrases]
        self._bias = max((weight for _, weight in self._phrases), default=0.0)
        if ngram is not None and not ngram.exists():
            raise MissingInputError(str(ngram), "no n-gram", "the decoder's ARPA file", "restore the folder (`dvc checkout`)")
        known = None if lexicon is None else [*lexicon, *new]
        try:
            with quiet_libraries(), _extended(ngram, new) as file:  # KenLM draws a progress bar
                self._search = BeamSearchDecoder(labels, kenlm_model_path=file, unigrams=known, alpha=settings.language_weight,
                                                 beta=settings.word_score, unk_score_offset=settings.unknown_score)
        except ValueError as error:
            raise DataError(str(ngram), str(error), "an ARPA file that KenLM reads", "run `dvc repro language_model`") from None

    def __call__(self, logits_TV: npt.NDArray[np.float32]) -> Decoded:
        """Return the best hypothesis; the confidence of a word is the share of the beam, weighted by probability, that has it there."""
        if not len(logits_TV):
            return Decoded("", 0.0, ())
        found = self._search.decode_beams(logits_TV[:, self._columns], self.settings.beam, self.settings.prune - self._bias, self.settings.min_symbol,
                                          hotwords=self._hot, hotword_weight=self._bias)
        score_N = np.array([score + self._correction(text.split()) for text, _, _, _, score in found])
        best = int(score_N.argmax())
        share_N = np.exp((score_N - score_N[best]) / self.settings.temperature)
        share_N /= share_N.sum()
        words = []
        for word, (start, end) in found[best][2]:
            agreeing = sum(float(share) for share, (_, _, frames, _, _) in zip(share_N, found, strict=True)
                           if any(other == word and first < end and start < last for other, (first, last) in frames))
            words.append(Word(word, round(start * self.frame_s, 3), round(end * self.frame_s, 3), round(min(agreeing, 1.0), 4)))
        confidence = math.fsum(word.confidence for word in words) / len(words) if words else float(share_N[best])
        return Decoded(found[best][0], confidence, tuple(words))

    def _correction(self, words: Sequence[str]) -> float:
        """Return what a hypothesis's score lacks: the search gives each word of any phrase the largest weight, wherever it occurs."""
        if not self._phrases:
            return 0.0
        given = self._bias * sum(word in self._hot for word in words)
        due = sum(weight * len(phrase) * sum(tuple(words[at : at + len(phrase)]) == phrase for at in range(len(words)))
                  for phrase, weight in self._phrases)
        return due - given


@contextmanager
def _extended(ngram: Path | None, words: Sequence[str]) -> Iterator[Path | None]:
    """Yield an ARPA file with further words as unigrams, the file itself if there are none. KenLM reads it whole."""
    if ngram is None or not words:
        yield ngram
        return
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".arpa") as extended:
        with open(ngram, encoding="utf-8") as lines:
            unigrams = takewhile(lambda line: not line.startswith("\\2-grams:"), lines)
            unknown = next((float(line.split("\t")[0]) for line in unigrams if line.split("\t")[1:2] == ["<unk>"]), HOT_LOG10)
            lines.seek(0)
            for line in lines:
                if line.startswith("ngram 1="):
                    line = f"ngram 1={int(line.removeprefix('ngram 1=')) + len(words)}\n"
                extended.write(line)
                if line.rstrip() == "\\1-grams:":
                    extended.writelines(f"{max(HOT_LOG10, unknown)}\t{word}\t0\n" for word in words)
        extended.flush()
        yield Path(extended.name)


def load_decoder(folder: Path, vocabulary: Vocabulary, frame_s: float, hot_words: Sequence[HotWord] = ()) -> BeamDecoder | None:
    """Return the decoder in a folder; None if there is none, or if it was not adopted and there are no hot words: greedy decoding then.

    Hot words of the decoder itself apply as well. A decoder that was not adopted serves without its n-gram.

    Args:
        folder: holds `decoder.json`, `ngram.arpa` and `lexicon.txt`.
        vocabulary: of the model.
        frame_s: duration of a frame.
        hot_words: further phrases to favour.

    Raises:
        VocabularyError: the decoder is for another vocabulary.
        DataError: a file differs from the one that the decoder was tuned with, or cannot be read.
    """
    if not (folder / DECODER).exists():
        return BeamDecoder(vocabulary, frame_s, Settings(), hot_words=hot_words) if hot_words else None
    record = read_decoder(folder)
    if record["adopted"] and record["vocabulary_hash"] != vocabulary.hash:
        raise VocabularyError(str(folder / DECODER), f"a decoder for vocabulary {record['vocabulary_hash'][:12]}",
                              f"{vocabulary.hash[:12]}, the model's", "use the decoder that was tuned with this model, or --no-lm")
    phrases = [*hot_words, *(HotWord(**hot) for hot in record["hot_words"])]
    if record["adopted"]:
        return BeamDecoder(vocabulary, frame_s, Settings(**record["settings"]), folder / NGRAM, read_lexicon(folder / LEXICON), phrases)
    return BeamDecoder(vocabulary, frame_s, Settings(), hot_words=phrases) if phrases else None


def describe_decoder(folder: Path) -> dict[str, Any] | None:
    """Return what identifies the decoder in a folder: its hash (which covers n-gram and lexicon), whether it was adopted, its settings.

    None if there is none.
    """
    if not (folder / DECODER).exists():
        return None
    record = read_decoder(folder)
    return {"hash": hash_file(folder / DECODER), "adopted": record["adopted"], "settings": record["settings"], "hot_words": len(record["hot_words"])}


def read_decoder(folder: Path) -> dict[str, Any]:
    """Return `decoder.json`, after a check that n-gram and lexicon are the ones that it was tuned with.

    Raises:
        MissingInputError: a file is missing.
        DataError: a file differs, or `decoder.json` is of another form.
    """
    record = read_json(folder / DECODER)
    if not isinstance(record, dict) or record.get("schema") != SCHEMA:
        raise DataError(str(folder / DECODER), f"schema {record.get('schema') if isinstance(record, dict) else record!r}", SCHEMA,
                        "run `dvc repro language_model`")
    for name in record["files"]:
        if not (folder / name).exists():
            raise MissingInputError(str(folder / name), "no such file", "a file of the decoder", "restore the folder (`dvc checkout`)")
        if (found := hash_file(folder / name)) != record["files"][name]:
            raise DataError(str(folder / name), f"SHA-256 {found[:12]}", f"{record['files'][name][:12]}, with which the decoder was tuned",
                            "restore the folder (`dvc checkout`)")
    return record


def read_lexicon(file: Path) -> list[str]:
    """Return the words of a lexicon: the first column."""
    return [line.split("\t")[0] for line in file.read_text(encoding="utf-8").splitlines()]
