"""Beam search: an n-gram decides between words that sound alike, unknown words stay possible, hot phrases are favoured."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.core.errors import DataError, MissingInputError, VocabularyError
from pipeline.core.files import hash_file, write_json
from pipeline.decoding.beam import DECODER, LEXICON, NGRAM, SCHEMA, BeamDecoder, HotWord, Settings, describe_decoder, load_decoder
from pipeline.decoding.greedy import decode
from pipeline.model.vocabulary import Vocabulary
from tests import tiny

WORDS = tiny.vocabulary("aceilmoprst")
ARPA = """\\data\\
ngram 1=6
ngram 2=2

\\1-grams:
-1.0\t<unk>\t0
-99\t<s>\t-0.3
-0.6\t</s>\t0
-0.9\tcasa\t-0.3
-0.9\ta\t-0.3
-3.0\tcaso\t-0.3

\\2-grams:
-0.2\t<s> a
-0.1\ta casa

\\end\\
"""
SETTINGS = Settings(language_weight=0.5, word_score=0.5, unknown_score=-3.0)


def frames(*symbols: str | dict[str, float], vocabulary: Vocabulary = WORDS, blanks: bool = True) -> np.ndarray:
    """Return logits: each symbol for a frame (`_` the blank), or a frame with several symbols and their logits; a blank after each."""
    rows = {symbol: row for row, symbol in enumerate(vocabulary.symbols)} | {"_": vocabulary.blank_row}
    logits = []
    for symbol in symbols:
        frame = np.full(len(vocabulary.symbols), -6.0, np.float32)
        for name, value in ({symbol: 6.0} if isinstance(symbol, str) else symbol).items():
            frame[rows[name]] = value
        logits.append(frame)
        if blanks:
            logits.append(np.where(np.arange(len(frame)) == vocabulary.blank_row, 6.0, -6.0).astype(np.float32))
    return np.stack(logits)


UNSURE = frames("a", "|", "c", "a", "s", {"o": 3.0, "a": 2.9})
"""« a caso » by the network alone, « a casa » by a hair less."""


@pytest.fixture(scope="module")
def ngram(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("ngram") / NGRAM
    file.write_text(ARPA, encoding="utf-8")
    return file


def search(ngram: Path | None = None, settings: Settings = SETTINGS, hot: tuple[HotWord, ...] = (), vocabulary: Vocabulary = WORDS) -> BeamDecoder:
    return BeamDecoder(vocabulary, 0.02, settings, ngram, ["a", "casa", "caso"] if ngram else None, hot)


def test_the_ngram_decides_where_the_network_is_unsure_and_only_there(ngram: Path) -> None:
    assert decode(UNSURE, WORDS, 0.02).text == "a caso"
    assert search(ngram)(UNSURE).text == "a casa"
    assert search()(UNSURE).text == "a caso"
    assert search(ngram)(frames("a", "|", "c", "a", "s", "o")).text == "a caso"


def test_words_that_the_lexicon_lacks_stay_possible_and_their_score_decides_how_easily(ngram: Path) -> None:
    heard = frames("a", "|", "c", "a", "s", {"e": 7.0, "a": 2.2})
    assert search(ngram)(heard).text == "a case"
    assert search(ngram, Settings(language_weight=0.5, word_score=0.5, unknown_score=-30.0))(heard).text == "a casa"


def test_words_have_times_within_the_utterance_and_the_confidence_of_the_beam(ngram: Path) -> None:
    found = search(ngram)(UNSURE)
    assert [word.word for word in found.words] == ["a", "casa"]
    edges = [edge for word in found.words for edge in (word.start_s, word.end_s)]
    assert edges == sorted(edges)
    assert edges[-1] <= len(UNSURE) * 0.02
    assert found.words[0].confidence > 0.99 > found.words[1].confidence > 0.5
    assert found.confidence == pytest.approx(sum(word.confidence for word in found.words) / 2, abs=1e-3)
    flat = search(ngram, Settings(language_weight=0.5, word_score=0.5, unknown_score=-3.0, temperature=20.0))(UNSURE)
    assert flat.words[1].confidence < found.words[1].confidence


def test_silence_and_nothing_give_no_word(ngram: Path) -> None:
    for logits in (frames("_", "_", "_"), np.zeros((0, len(WORDS.symbols)), np.float32)):
        found = search(ngram)(logits)
        assert (found.text, found.words) == ("", ())


def test_threads_share_a_decoder(ngram: Path) -> None:
    shared = search(ngram)
    with ThreadPoolExecutor(4) as pool:
        assert {one.text for one in pool.map(shared, [UNSURE] * 40)} == {"a casa"}


# ---- Hot words -------------------------------------------------------------------------------------------------------


NAME = frames("s", "a", "o", "|", "t", "o", "m", {"e": 3.0, "i": 1.5})
"""« sao tome », « sao tomi » less likely."""


def test_a_hot_word_wins_where_it_is_nearly_as_likely_and_is_not_inserted_elsewhere(ngram: Path) -> None:
    hot = (HotWord("tomi"),)
    assert search(hot=hot)(NAME).text == "sao tomi"
    assert search()(NAME).text == "sao tome"
    for logits in (UNSURE, frames("a", "|", "c", "a", "s", "a")):
        assert search(ngram, hot=hot)(logits).text == search(ngram)(logits).text


def test_the_weight_of_a_phrase_decides_whatever_the_weights_of_others() -> None:
    assert search(hot=(HotWord("tomi", 0.1), HotWord("casa", 20.0)))(NAME).text == "sao tome"
    assert search(hot=(HotWord("tomi", 5.0), HotWord("casa", 20.0)))(NAME).text == "sao tomi"


@pytest.mark.parametrize(("phrase", "with_ngram", "bonus"), [
    ("tomi", True, 0.0), ("a tomi", True, 0.0), ("casa", True, 1.0), ("a casa", True, 1.0), ("tomi", False, 2.0), ("casa", False, 2.0)])
def test_beside_an_ngram_only_phrases_of_known_words_need_a_bonus(ngram: Path, phrase: str, with_ngram: bool, bonus: float) -> None:
    for weight, expected in ((None, bonus), (0.5, 0.5)):
        assert search(ngram if with_ngram else None, hot=(HotWord(phrase, weight),))._phrases == [(tuple(phrase.split()), expected)]


def test_only_a_whole_phrase_counts() -> None:
    assert search(hot=(HotWord("sao tomi"),))(NAME).text == "sao tomi"
    assert search(hot=(HotWord("santo tomi"),))(NAME).text == "sao tome"


def test_a_hot_word_that_the_ngram_lacks_becomes_a_word_of_it(ngram: Path) -> None:
    spoken = frames("a", "|", "t", "o", "m", {"e": 3.0, "i": 2.5})
    dear = Settings(language_weight=0.5, word_score=0.5, unknown_score=-3.0, beam=100)
    assert search(ngram, dear)(spoken).text == "a tome"
    assert search(ngram, dear, (HotWord("tomi", 0.0),))(spoken).text == "a tomi", "known, without any bonus"
    assert search(ngram, dear, (HotWord("casa", 0.0), HotWord("tomi")))(UNSURE).text == "a casa"


# ---- Vocabularies ----------------------------------------------------------------------------------------------------


def test_capitals_become_small_letters_and_special_symbols_are_left_out(ngram: Path) -> None:
    capitals = Vocabulary(tuple(symbol.upper() if len(symbol) == 1 and symbol.isalpha() else symbol for symbol in WORDS.symbols))
    logits = frames("A", "|", "C", "A", "S", "A", vocabulary=capitals)
    assert search(ngram, vocabulary=capitals)(logits).text == "a casa"
    unknown = frames("a", "|", "c", "a", {"<unk>": 6.0, "s": 5.0}, "a")
    assert search(ngram)(unknown).text == "a casa"


def test_a_symbol_of_several_letters_is_refused(ngram: Path) -> None:
    with pytest.raises(VocabularyError, match="the symbol 'lh' has 2 letters"):
        search(ngram, vocabulary=Vocabulary((*WORDS.symbols, "lh")))


# ---- The folder of a decoder -----------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / NGRAM).write_text(ARPA, encoding="utf-8")
    (tmp_path / LEXICON).write_text("a\t9\ncasa\t8\ncaso\t1\n", encoding="utf-8")
    write(tmp_path)
    return tmp_path


def write(folder: Path, **changes: Any) -> None:
    write_json(folder / DECODER, {
        "schema": SCHEMA, "adopted": True, "vocabulary_hash": WORDS.hash, "hot_words": [],
        "settings": {"language_weight": 0.5, "word_score": 0.5, "unknown_score": -3.0, "beam": 50, "prune": -10.0, "min_symbol": -5.0,
                     "temperature": 3.0},
        "files": {name: hash_file(folder / name) for name in (NGRAM, LEXICON)}, **changes})


def test_a_decoder_is_read_from_its_folder_and_identified_by_its_hash(folder: Path) -> None:
    found = load_decoder(folder, WORDS, 0.02)
    assert found is not None
    assert found(UNSURE).text == "a casa"
    assert describe_decoder(folder) == {"hash": hash_file(folder / DECODER), "adopted": True, "hot_words": 0,
                                        "settings": {name: getattr(found.settings, name) for name in Settings.__slots__}}


def test_without_a_decoder_or_without_adoption_decoding_is_greedy(folder: Path, tmp_path: Path) -> None:
    assert load_decoder(tmp_path / "none", WORDS, 0.02) is describe_decoder(tmp_path / "none") is None
    write(folder, adopted=False)
    assert load_decoder(folder, WORDS, 0.02) is None
    hot = load_decoder(folder, WORDS, 0.02, [HotWord("tomi")])
    assert hot is not None
    assert (hot(NAME).text, hot(UNSURE).text) == ("sao tomi", "a caso"), "hot words, but no n-gram"


def test_the_hot_words_of_a_decoder_apply(folder: Path) -> None:
    write(folder, hot_words=[{"phrase": "tomi", "weight": 12.0}])
    found = load_decoder(folder, WORDS, 0.02)
    assert found is not None
    assert found(NAME).text.endswith("tomi")


def test_a_decoder_of_another_vocabulary_is_refused(folder: Path) -> None:
    with pytest.raises(VocabularyError, match="a decoder for vocabulary .*the model's; use the decoder that was tuned with this model, or --no-lm"):
        load_decoder(folder, tiny.vocabulary("abc"), 0.02)


@pytest.mark.parametrize("name", [NGRAM, LEXICON])
def test_a_changed_or_missing_file_is_refused(folder: Path, name: str) -> None:
    content = (folder / name).read_text(encoding="utf-8")
    (folder / name).write_text(content.replace("8", "7").replace("-0.9", "-0.8"), encoding="utf-8")
    with pytest.raises(DataError, match=f"{name}: SHA-256 .*with which the decoder was tuned"):
        load_decoder(folder, WORDS, 0.02)
    (folder / name).unlink()
    with pytest.raises(MissingInputError, match=f"{name}: no such file"):
        load_decoder(folder, WORDS, 0.02)


def test_an_ngram_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / NGRAM).write_text("no n-gram\n")
    with pytest.raises(DataError, match="an ARPA file that KenLM reads"):
        search(tmp_path / NGRAM)
