"""Greedy decoding: equal to transformers, with word times."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipeline.decoding.greedy import decode
from tests import tiny

WORDS = tiny.vocabulary("aeosrã")
ROWS = {symbol: row for row, symbol in enumerate(WORDS.symbols)}


def path(symbols: list[str], certainty: float = 8.0) -> np.ndarray:
    """Return logits whose best path is these symbols, `_` the blank."""
    logits_TV = np.zeros((len(symbols), len(WORDS.symbols)), np.float32)
    for frame, symbol in enumerate(symbols):
        logits_TV[frame, 0 if symbol == "_" else ROWS[symbol]] = certainty
    return logits_TV


@pytest.fixture(scope="module")
def processor(tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    from transformers import Wav2Vec2Processor

    folder: Path = tmp_path_factory.mktemp("processor")
    WORDS.write(folder)
    return Wav2Vec2Processor.from_pretrained(folder)


@settings(max_examples=60)
@given(logits_BTV=arrays(np.float32, st.tuples(st.integers(1, 3), st.integers(1, 30), st.just(len(WORDS.symbols))),
                         elements=st.floats(-5, 5, width=32)))
def test_greedy_text_equals_that_of_the_transformers_processor(processor, logits_BTV) -> None:  # type: ignore[no-untyped-def]
    logits_BTV[:, :, ROWS["<unk>"]] = -9  # transformers prints it, this decoder does not
    expected = processor.batch_decode(logits_BTV.argmax(-1))
    assert [decode(logits_TV, WORDS, 0.02).text for logits_TV in logits_BTV] == [" ".join(text.split()) for text in expected]


def test_doubled_letters_stay_where_a_blank_separates_them_and_repeats_collapse() -> None:
    assert decode(path(list("_oo_ss_s_o_")), WORDS, 0.02).text == "osso"
    assert decode(path(list("ossso")), WORDS, 0.02).text == "oso"


def test_unknown_symbols_are_not_printed() -> None:
    assert decode(path(["a", "<unk>", "s", "a"]), WORDS, 0.02).text == "asa"


def test_word_boundaries_at_the_ends_and_doubled_ones_leave_no_blanks() -> None:
    assert decode(path(list("||a_||_|s|")), WORDS, 0.02).text == "a s"


def test_silence_gives_no_text_no_words_and_a_confidence() -> None:
    silent = decode(path(list("____")), WORDS, 0.02, words=True)
    assert (silent.text, silent.words) == ("", ())
    assert 0.99 < silent.confidence <= 1
    nothing = decode(np.zeros((0, len(WORDS.symbols)), np.float32), WORDS, 0.02, words=True)
    assert (nothing.text, nothing.words, nothing.confidence) == ("", (), 0.0)


def test_words_have_the_times_of_their_first_and_last_frames() -> None:
    found = decode(path(list("__aa_s|_oo__")), WORDS, 0.02, words=True).words
    assert [(word.word, word.start_s, word.end_s) for word in found] == [("as", 0.04, 0.12), ("o", 0.16, 0.2)]


def test_confidence_falls_as_the_logits_flatten() -> None:
    sure, unsure = decode(path(list("asa"), 8.0), WORDS, 0.02, words=True), decode(path(list("asa"), 1.0), WORDS, 0.02, words=True)
    assert sure.confidence > 0.99
    assert unsure.confidence == pytest.approx(np.e / (np.e + len(WORDS.symbols) - 1), abs=1e-3)
    assert unsure.words[0].confidence == pytest.approx(unsure.confidence**3, abs=1e-3)  # right where all three letters are


@settings(max_examples=60)
@given(arrays(np.float32, st.tuples(st.integers(1, 60), st.just(len(WORDS.symbols))), elements=st.floats(-4, 4, width=32)))
def test_words_are_in_order_within_the_utterance_and_make_up_the_text(logits_TV: np.ndarray) -> None:
    found = decode(logits_TV, WORDS, 0.02, words=True)
    assert " ".join(word.word for word in found.words) == found.text
    edges = [edge for word in found.words for edge in (word.start_s, word.end_s)]
    assert edges == sorted(edges)
    assert all(word.start_s < word.end_s for word in found.words)
    assert all(0 <= edge <= len(logits_TV) * 0.02 + 1e-9 for edge in edges)
    assert all(0 <= word.confidence <= 1 for word in found.words)
