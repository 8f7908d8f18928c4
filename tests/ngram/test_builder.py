"""The n-gram: a probability distribution after every history, the same bytes for the same sentences, pruned by entropy."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from pipeline.core.errors import DataError, PipelineError
from pipeline.ngram import builder
from pipeline.ngram.builder import Builder, build, choose_builder
from pipeline.ngram.evaluation import evaluate, log10_probability, num_ngrams, read_ngrams

KALDINGRAM = Builder("kaldingram", "0")
WORDS = [f"{first}{second}" for first in "bcdfghjklmnpqrstvxz" for second in "aeiou"]


def sentences(number: int, seed: int = 1) -> list[str]:
    """Return sentences in which some words often follow others."""
    draw = random.Random(seed)
    return [" ".join(WORDS[int(95 * draw.random() ** 2)] for _ in range(draw.randint(1, 6))) for _ in range(number)]


def lexicon(texts: list[str]) -> dict[str, int]:
    return dict.fromkeys(sorted({word for text in texts for word in text.split()}), 1)


def built(tmp_path: Path, texts: list[str], order: int = 3, threshold: float | None = None, words: dict[str, int] | None = None) -> Path:
    build(texts, words or lexicon(texts), order, threshold, KALDINGRAM, tmp_path / "ngram.arpa")
    return tmp_path / "ngram.arpa"


@pytest.mark.parametrize(("order", "threshold"), [(2, None), (3, None), (3, 1e-4)])
def test_the_probabilities_after_a_history_sum_to_one(tmp_path: Path, order: int, threshold: float | None) -> None:
    texts = sentences(200)
    arpa = built(tmp_path, texts, order, threshold)
    histories = [(), ("ba",), ("ba", "be"), ("<s>", "ba"), ("gu", "gu")]
    every = [[*history, word] for history in histories for word in [*lexicon(texts), "</s>"]]
    ngrams = read_ngrams(arpa, [["<s>"], *every])
    for history in histories:
        known = history[-(order - 1):]
        total = sum(10 ** log10_probability(ngrams, known, word) for word in [*lexicon(texts), "</s>"])
        assert total == pytest.approx(1, abs=1e-5), history


def test_the_perplexity_is_that_of_kaldingram(tmp_path: Path) -> None:
    from kaldingram.ppl import compute_ppl
    from kaldingram.prune import ArpaParser

    arpa = built(tmp_path, sentences(100))
    known = [text for text in sentences(30, 9) if set(text.split()) <= set(lexicon(sentences(100)))]
    expected = compute_ppl(ArpaParser().loadf(arpa, encoding="utf-8")[0], known)
    found = evaluate(arpa, known)
    assert found.perplexity == pytest.approx(expected["ppl"], rel=1e-9)
    assert (found.sentences, found.words, found.out_of_vocabulary) == (len(known), expected["num_words"], 0)


def test_unknown_words_are_counted_and_nothing_is_predicted_from_them(tmp_path: Path) -> None:
    arpa = built(tmp_path, ["a b c", "a b d", "b c d", "a c"], 2)
    found = evaluate(arpa, ["a x b", "x"])
    assert (found.words, found.out_of_vocabulary) == (4, 0.5)
    ngrams = read_ngrams(arpa, [["<s>", "a"], ["b", "</s>"], ["</s>"]])
    expected = sum(log10_probability(ngrams, *pair) for pair in ((("<s>",), "a"), ((), "b"), (("b",), "</s>"), ((), "</s>")))
    assert found.perplexity == pytest.approx(10 ** (-expected / 4))


def test_the_order_of_sentences_changes_no_byte(tmp_path: Path) -> None:
    texts = sentences(80)
    one = built(tmp_path, texts, threshold=1e-4).read_bytes()
    assert built(tmp_path, texts[::-1], threshold=1e-4).read_bytes() == one


def test_pruning_removes_n_grams_of_higher_orders_and_no_words(tmp_path: Path) -> None:
    texts = sentences(200)
    counts = [num_ngrams(built(tmp_path, texts, threshold=threshold)) for threshold in (None, 1e-5, 1e-3)]
    assert counts[0][1] == counts[1][1] == counts[2][1] == len(lexicon(texts)) + 2
    assert counts[0][3] > counts[1][3] > counts[2][3]
    assert counts[0][2] > counts[2][2]


def test_a_word_outside_the_lexicon_counts_as_unknown(tmp_path: Path) -> None:
    arpa = built(tmp_path, ["a b c", "a b d", "a b"], words={"a": 3, "b": 3})
    assert {ngram[0] for ngram in read_ngrams(arpa, [["a"], ["b"], ["c"], ["d"], ["<unk>"]])} == {"a", "b", "<unk>"}


def test_n_grams_that_never_occur_twice_keep_their_probability(tmp_path: Path) -> None:
    """Where no trigram occurs twice, the estimated discount is 1, and every trigram would have the probability 0."""
    arpa = built(tmp_path, ["a b c", "d e f", "g h i"])
    assert min(p for p, _ in read_ngrams(arpa, [["<s>", "a", "b", "c", "</s>"]]).values() if p > -98) > -3
    assert evaluate(arpa, ["a b c"]).perplexity < 10


def test_too_little_text_to_prune_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="too little text to prune"):
        built(tmp_path, ["b", "a a", "b", "b b a", "b a", "b a a"], 2, 1e-8)
    assert list(tmp_path.iterdir()) == []


def test_lmplz_builds_from_large_texts_if_it_is_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bin/lmplz"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nprintf '%s\\n' \"$*\"; cat\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    assert choose_builder(builder.MOST_WORDS).name == "kaldingram"
    large = choose_builder(builder.MOST_WORDS + 1)
    assert (large.name, len(large.version)) == ("lmplz", 12)
    build(["b a", "a c"], {"a": 2, "b": 1}, 3, None, large, tmp_path / "ngram.arpa")
    arguments, *lines = (tmp_path / "ngram.arpa").read_text().splitlines()
    assert arguments.startswith("--order 3 ")
    assert lines == ["a <unk>", "b a"]
    program.write_text("#!/bin/sh\necho no memory >&2; exit 3\n")
    with pytest.raises(PipelineError, match="lmplz: it failed with 3: no memory"):
        build(["a"], {"a": 1}, 3, None, large, tmp_path / "other.arpa")
    shutil.rmtree(program.parent)
    assert choose_builder(builder.MOST_WORDS + 1).name == "kaldingram"
    assert [path.name for path in tmp_path.iterdir()] == ["ngram.arpa"]
