"""What a text shares with dev and test: removed by the search, counted by the recount; nearness against a naive loop."""

from __future__ import annotations

import random
from statistics import median

import pandas as pd
import pytest

from pipeline.leakage.rules import words_of
from pipeline.ngram import held_out
from pipeline.ngram.texts import Text
from tests.leakage.rows import BOUNDS

LETTERS = "abcdefghijkl"


def table(sentences: list[str]) -> pd.DataFrame:
    return pd.DataFrame({"text": sentences, "variants": sentences})


def text_of(sentences: list[str]) -> Text:
    return Text(offered=len(sentences), sentences=sentences, variants=sentences)


def drawn(number: int, seed: int) -> list[str]:
    draw = random.Random(seed)
    return [" ".join(draw.sample(LETTERS, draw.randint(4, 9))) for _ in range(number)]


@pytest.mark.parametrize("chunk", [60, 50_000])
def test_the_recount_finds_what_the_removal_takes_and_nothing_after_it(monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr(held_out, "CHUNK", chunk)
    high = drawn(40, 1)
    text = text_of([*drawn(80, 2), high[0], high[7]])
    assert all(held_out.count_left(text, table(high), BOUNDS).values())
    kept, removed = held_out.remove_held_out(text, table(high), BOUNDS)
    similar = [sentence for sentence in text.sentences if max(similarity(sentence, other) for other in high) >= 0.8]
    assert kept.sentences == [sentence for sentence in text.sentences if sentence not in similar]
    assert removed["sentence"] == sum(sentence in high for sentence in text.sentences) >= 2
    assert sum(removed.values()) == len(similar)
    assert held_out.count_left(kept, table(high), BOUNDS) == {"sentence": 0, "near_duplicate": 0}


def similarity(one: str, other: str) -> float:
    sets = words_of(one, "portuguese"), words_of(other, "portuguese")
    return len(sets[0] & sets[1]) / len(sets[0] | sets[1])


@pytest.mark.parametrize(("most", "step"), [(100, 1), (20, 2), (7, 5)])
def test_nearness_is_the_median_of_the_best_similarities(monkeypatch: pytest.MonkeyPatch, most: int, step: int) -> None:
    monkeypatch.setattr(held_out, "CHUNK", 300)
    test, sentences = drawn(31, 3), [*drawn(90, 4), "palavras novas"]
    expected = median(max(similarity(asked, sentence) for sentence in sentences) for asked in sorted(test)[::step])
    assert held_out.nearness(text_of(sentences), table(test), "portuguese", most) == pytest.approx(expected, abs=1e-4)


def test_a_text_without_sentences_has_no_nearness() -> None:
    assert held_out.nearness(Text(), table(["a b"]), "portuguese", 10) is None
