from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.errors import DataError
from pipeline.tuning.checkpoints import character_errors, collapse, halves, probed_cer, relabelled_cer, relabelling


def test_relabelling_takes_the_most_frequent_pairs_each_symbol_once() -> None:
    """x stands for a three times and for b once, y for a once: x → a, and y gets what is left, b."""
    assert relabelling(["xxxx", "yy"], ["aaab", "ab"]) == {"x": "a", "y": "b"}
    assert relabelling(["abc"], ["abc"]) == {"a": "a", "b": "b", "c": "c"}


def test_the_cer_is_that_of_the_corpus() -> None:
    assert character_errors(["ab", "cccc"], ["ab", "ccdddd"]) == pytest.approx(4 / 8)


def test_a_consistent_substitution_of_symbols_is_no_error_after_relabelling() -> None:
    references = ["aba", "abba", "baab", "bbaa"] * 3
    hypotheses = [text.translate(str.maketrans("ab", "xy")) for text in references]
    assert character_errors(hypotheses, references) == 1.0
    assert relabelled_cer(hypotheses, references) == 0.0


def test_relabelling_is_scored_on_utterances_that_it_was_not_learned_on() -> None:
    """Even utterances write x for a, odd ones for b: what one half teaches is wrong on the other."""
    assert relabelled_cer(["xx", "xx"] * 3, ["aa", "bb"] * 3) == 1.0


@pytest.mark.parametrize(("rows", "text"), [([0, 1, 1, 0, 1, 2], "aab"), ([], ""), ([0, 0], ""), ([2, 1], "ba")])
def test_a_path_is_collapsed(rows: list[int], text: str) -> None:
    assert collapse(rows, {"a": 1, "b": 2}) == text


def test_a_probe_reads_letters_that_the_frames_separate_and_not_those_of_noise() -> None:
    draw = np.random.default_rng(1)
    centres = draw.normal(size=(4, 8))
    references = ["".join(draw.choice(list("abc"), 6)) for _ in range(8)]
    clear = [np.concatenate([np.repeat(centres[["abc".index(letter), 3]], 2, axis=0) for letter in text]).astype(np.float32) for text in references]
    noise = [draw.normal(size=frames.shape).astype(np.float32) for frames in clear]
    assert probed_cer(clear, references, 80, 1) < 0.1 < 0.5 < probed_cer(noise, references, 80, 1)
    assert probed_cer(clear, references, 5, 1) == probed_cer(clear, references, 5, 1)


def test_too_few_utterances_are_reported() -> None:
    with pytest.raises(DataError, match="3 utterances; expected at least 4"):
        halves(3)
    assert halves(4) == [([0, 2], [1, 3]), ([1, 3], [0, 2])]
