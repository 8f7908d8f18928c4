"""Forced alignment: paths spell their labels, maps are by symbol, and measures separate right transcripts from wrong ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.alignment.aligner import EmissionMap, Emissions, estimate_map, force, lowest_mean, map_by_symbol, softmax, transcript_measures
from pipeline.model.vocabulary import Vocabulary

SPANISH = Vocabulary(("<pad>", "<unk>", "|", "a", "c", "o", "s", "ñ"))


def emitted(text: str, vocabulary: Vocabulary = SPANISH, sure: float = 6.0) -> np.ndarray:
    """Return probabilities of a model that emits a text with high confidence: two frames per letter, a blank before each."""
    rows = [row for letter in vocabulary.encode(text) for row in (vocabulary.blank_row, letter, letter)] + [vocabulary.blank_row]
    logits_TV = np.zeros((len(rows), len(vocabulary.symbols)), dtype=np.float32)
    logits_TV[np.arange(len(rows)), rows] = sure
    return softmax(logits_TV)


def test_letters_map_to_their_own_symbol_or_that_of_their_base_letter() -> None:
    emission_map = map_by_symbol(SPANISH, ["a", "w", "ã", "ç"])
    mapped = {letter: [SPANISH.symbols[row] for row in np.flatnonzero(emission_map.table_LV[number])]
             for number, letter in enumerate(("blank", " ", *emission_map.letters))}
    assert mapped == {"blank": ["<pad>"], " ": ["|"], "a": ["a"], "w": [], "ã": ["a"], "ç": ["c"]}


def test_an_estimated_emission_map_finds_that_a_letter_is_emitted_as_another_symbol() -> None:
    """The Spanish model emits « aso » for « aço »; the plain map has c for ç."""
    texts = ["aço", "ço aço", "oça", "saca oço", "casa aça"] * 3
    probabilities = [emitted(text.replace("ç", "s")) for text in texts]
    plain = map_by_symbol(SPANISH, sorted(set("".join(texts)) - {" "}))
    learned = estimate_map(plain, probabilities, texts)
    c, s = (learned.table_LV[2 + learned.letters.index("ç")][SPANISH.symbols.index(symbol)] for symbol in "cs")
    assert s > 0.3 > 0.1 > c
    assert np.allclose(learned.table_LV.sum(0), 1, atol=1e-5)


@given(st.lists(st.integers(1, 4), min_size=1, max_size=6), st.integers(1, 12), st.integers(0, 1000))
def test_a_forced_path_spells_its_labels_and_never_beats_the_free_path(labels: list[int], frames: int, seed: int) -> None:
    log_probs_TL = np.log(softmax(np.random.default_rng(seed).normal(size=(frames, 5)).astype(np.float32)))
    needed = len(labels) + sum(map(int.__eq__, labels, labels[1:]))
    found = force(log_probs_TL, labels)
    assert (found is None) == (needed > frames)
    if found is not None:
        path, score_T = found
        assert path[(np.diff(path, prepend=0) != 0) & (path != 0)].tolist() == labels
        assert score_T == pytest.approx(log_probs_TL[np.arange(frames), path], abs=1e-6)
        assert score_T.sum() <= log_probs_TL.max(1).sum() + 1e-5


def test_no_labels_give_no_path() -> None:
    assert force(np.zeros((4, 3), dtype=np.float32), []) is None


def measured(text: str, audio: str) -> dict[str, float]:
    plain = map_by_symbol(SPANISH, ["a", "c", "o", "s"])
    maps = {"plain": plain, "learned": EmissionMap(plain.letters, plain.table_LV)}
    emissions = {name: Emissions.of(emission_map, emitted(audio)) for name, emission_map in maps.items()}
    assert emissions["plain"].text == audio
    found = transcript_measures(emissions, maps, text, ["soca caca saca", "aso osa oca"], 0.02)
    assert found is not None
    return found


def test_a_right_transcript_scores_like_the_free_path_and_a_wrong_one_below_it() -> None:
    right, wrong, short, long = (measured(text, "saco acaso osso") for text in (
        "saco acaso osso", "osso sacas caco", "saco acaso", "saco acaso osso caca"))
    assert right["label"] == pytest.approx(0, abs=1e-5) and right["window"] == pytest.approx(0, abs=1e-5)
    for found in (wrong, short, long):
        assert found["label"] < -0.3 and found["frame"] < -0.1 and found["window"] < -0.1 and found["plain"] < -0.3
        assert found["contrast"] < right["contrast"]
    assert short["rate"] < right["rate"] < long["rate"]


@given(st.lists(st.floats(-9, 0), min_size=1, max_size=30), st.integers(1, 12))
def test_the_lowest_mean_is_that_of_the_worst_window(values: list[float], width: int) -> None:
    array = np.array(values, dtype=np.float32)
    windows = [array[start:start + width].mean() for start in range(max(1, len(array) - width + 1))]
    assert lowest_mean(array, width) == pytest.approx(float(min(windows)), abs=1e-4)
